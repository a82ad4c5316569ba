import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tradelift.spreadsheet import FORMULA, NUMBER, plain_record, plain_text

EVALUATED = ["=1+1", "+1+1", "-2-3", "-", "-1x", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff20x"]
PLAIN = ["-5", "+1.5e-3", "-.5", "", "Bayford", "a=b", "'=1", "\u2212 0.5", "\u6210\u90fd"]


@pytest.mark.parametrize("text", EVALUATED)
def test_a_formula_gets_an_apostrophe(text):
    assert plain_text(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_stay(text):
    assert plain_text(text) == text


def test_arrow_finds_the_same():
    texts = pa.array([*EVALUATED, *PLAIN])
    found = pc.and_not(pc.match_substring_regex(texts, FORMULA), pc.match_substring_regex(texts, NUMBER)).to_pylist()
    assert found == [True] * len(EVALUATED) + [False] * len(PLAIN)


def test_records_keep_their_numbers():
    assert plain_record({"=a": "=1", "b": -2.0, "c": "-2", "d": None}) == {
        "'=a": "'=1",
        "b": -2.0,
        "c": "-2",
        "d": None,
    }
