"""Columns of any kind as codes, against the text of each row."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tradelift as tl
from tradelift.errors import DataError
from tradelift.panel.frames import as_text, encode, encode_periods, numbers_or_text, period_labels, to_arrow
from tradelift.solve import compiled

RNG = np.random.default_rng(1)
DAYS = [dt.date(2017, 1, 1), dt.date(2019, 12, 1), None, dt.date(2017, 1, 1)]
COLUMNS = {
    "small": pa.array([3, 1, 2, 1]),
    "negative": pa.array([-3, 5, -3, 0], pa.int8()),
    "limits of a type": pa.array([-128, 127, 0], pa.int8()),
    "in runs": pa.array(np.repeat([7, 3, 5], 40)),
    "codes of cities": pa.array(RNG.choice([110000, 110100, 115000], 9000)),
    "too far apart": pa.array([1, 10**15, 1, -(10**15)]),
    "unsigned": pa.array([2**63 + 1, 2**63, 2**63 + 1], pa.uint64()),
    "limits of integers": pa.array([-(2**63), 2**63 - 1]),
    "nulls": pa.array([None, 4, None, 0, 4]),
    "nulls and no zero": pa.array([None, 5000, 5001, None, 5000]),
    "only nulls": pa.array([None, None], pa.int64()),
    "no type": pa.nulls(2),
    "no rows": pa.array([], pa.int64()),
    "whole floats": pa.array([1.0, -2.0, 1.0]),
    "whole floats and NaN": pa.array([1.0, np.nan, None, 1.0]),
    "fractions": pa.array([1.0, 0.5, np.nan, 1.0]),
    "only NaN": pa.array([np.nan, np.nan]),
    "text": pa.array(["b", "a", None, "b"]),
    "large text": pa.array(["b", "a", None, "b"], pa.large_string()),
    "text in views": pa.array(["b", "a", None, "b"], pa.string_view()),
    "flags": pa.array([True, False, None]),
    "dates": pa.array(DAYS),
    "categories": pa.DictionaryArray.from_arrays(pa.array([2, 0, None, 2], pa.uint8()), ["a", "not used", "c"]),
    "categories with null": pa.DictionaryArray.from_arrays(pa.array([1, 0, 1]), pa.array(["a", None])),
    "categories of floats": pa.DictionaryArray.from_arrays(pa.array([1, 0, 1]), pa.array([1e7, 3.0, 0.5])),
}


def pieces(array):
    """The same column in one piece, and in three."""
    third = len(array) // 3
    whole = pa.chunked_array([array])
    return whole, pa.chunked_array([array[:third], array[third : 2 * third], array[2 * third :]])


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("name", COLUMNS)
def test_each_row_has_the_code_of_its_text(name, is_compiled, monkeypatch):
    there = is_compiled and compiled.loaded()
    monkeypatch.setattr(compiled, "loaded", lambda: there)
    for column in pieces(COLUMNS[name]):
        codes, texts, null = encode(column)
        assert codes.dtype == np.int64
        assert null == (codes == -1).any()
        assert [None if code == -1 else texts[code] for code in codes] == as_text(column).to_pylist()
        used = {text for text in texts if text is not None}
        assert used == {text for text in as_text(column).to_pylist() if text is not None}
        assert len(used) == sum(text is not None for text in texts)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(DAYS),
        pa.array([dt.date(2017, 1, 1), dt.date(2017, 1, 2)]),
        pa.array([dt.datetime(2017, 1, 1, 10), None, dt.datetime(2017, 2, 1)]),
        pa.array([None, None], pa.date32()),
        pa.array([2001, 1999]),
        pa.array(["1999q1", None]),
    ],
    ids=["months", "days", "times", "none", "years", "text"],
)
def test_periods_are_coded_by_their_labels(column):
    for chunks in pieces(column):
        codes, texts, null = encode_periods(chunks)
        assert null == (codes == -1).any()
        assert [None if code == -1 else texts[code] for code in codes] == period_labels(chunks).to_pylist()


def test_values_that_a_dictionary_repeats_are_one_label():
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1]), ["p", "p"])
    flows = pa.table({"origin": ["a", "b"], "destination": ["b", "a"], "period": twice, "kind": twice, "trade": [1, 2]})
    panel = tl.Panel.from_frame(flows, category="kind")
    assert (panel.periods, panel.categories) == (("p",), ("p",))


def test_columns_of_text_come_back_as_text():
    for column in pieces(pa.array(["b", None, "long", "b"])):
        assert numbers_or_text(column, "word", "A table").tolist() == ["b", "", "long", "b"]


def test_numbers_of_pandas_are_not_copied():
    values = np.arange(5.0)
    table = to_arrow(pd.DataFrame({"a": values}, copy=False), "A table")
    assert np.shares_memory(table["a"].to_numpy(), values)


def test_a_named_index_of_pandas_is_a_column():
    frame = pd.DataFrame({"trade": [1.0, 2.0], "word": ["x", "y"]}, index=pd.Index(["a", "b"], name="origin"))
    assert to_arrow(frame, "A table").column_names == ["trade", "word", "origin"]
    assert to_arrow(frame[["trade"]], "A table").column_names == ["trade", "origin"]
    assert to_arrow(frame.rename_axis(None), "A table").column_names == ["trade", "word"]
    assert to_arrow(frame.set_axis(["origin", "word"], axis=1), "A table")["origin"].to_pylist() == [1.0, 2.0]


def test_missing_periods_of_pandas_are_null():
    column = pd.PeriodIndex(["2017-01", None, "2016-12"], freq="M")
    assert as_text(to_arrow(pd.DataFrame({"p": column}), "A table")["p"]).to_pylist() == ["2017-01", None, "2016-12"]


@pytest.mark.parametrize("names", [["origin", "x", "x"], ["origin", 0, "0"]])
def test_columns_of_the_same_name_are_refused(names):
    frame = pd.DataFrame([["a", 1.0, 2.0]], columns=names)
    with pytest.raises(tl.DataError, match=f"The flows: 2 columns are called '{names[-1]}'; rename all but one"):
        tl.Panel.from_frame(frame)


def test_a_column_that_is_called_like_an_index_of_pandas_is_a_column():
    frame = pd.DataFrame({"__index_level_0__": ["x", "y"], "a": [1, 2]}, index=[5, 6])
    assert to_arrow(frame, "The flows").to_pydict() == {"__index_level_0__": ["x", "y"], "a": [1, 2]}


def test_whole_numbers_beyond_64_bits_are_ids_as_they_are_written():
    column = pa.chunked_array([[1e300, 2.0, float("nan")]])
    assert as_text(column).to_pylist() == ["1e+300", "2", None]


@pytest.mark.parametrize(
    "values", [pa.array([{"a": 1}]), pa.array([[1]]), pa.array([b"\xff"])], ids=["mapping", "list", "bytes"]
)
def test_values_that_are_no_text_are_refused(values):
    with pytest.raises(DataError, match="cannot be read as text where ids or labels are wanted"):
        as_text(pa.chunked_array([values]))
    with pytest.raises(DataError, match=r"column 'x' is of type .*, which is neither a number nor text"):
        numbers_or_text(pa.chunked_array([values]), "x", "The flows")


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        (pa.array([2**53 + 1, None]), r"2\^53, the largest beside missing values"),
        (pa.array([2**64 - 1], pa.uint64()), r"2\^63"),
    ],
)
def test_whole_numbers_that_no_number_holds_exactly_are_refused(values, limit):
    with pytest.raises(DataError, match=rf"The flows: column 'x' holds whole numbers beyond {limit}"):
        numbers_or_text(pa.chunked_array([values]), "x", "The flows")


def test_whole_numbers_stay_exact():
    assert numbers_or_text(pa.chunked_array([pa.array([2**53 + 1])]), "x", "The flows").tolist() == [2**53 + 1]
    found = numbers_or_text(pa.chunked_array([pa.array([2**53, None])]), "x", "The flows")
    assert found[0] == 2**53
    assert np.isnan(found[1])
