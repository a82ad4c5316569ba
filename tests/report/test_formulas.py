"""Every line that the report says to paste into fixest can be read as a formula."""

import re

import pytest
from formulaic import Formula
from formulaic.errors import FormulaSyntaxError

from tests.designs.fixest import translated

LINE = re.compile(r"\bfe(?:ols|pois)\(")
MANY = re.compile(r"^c\((.+)\)$")


def lines(text):
    """Formulas in a text: what stands between the parentheses of feols or fepois."""
    for call in LINE.finditer(text):
        depth, end = 1, call.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[call.end() : end - 1]


def read(line):
    """Read each side as a formula; absorbed effects are joined by a caret, which is a product there."""
    left, _, right = translated(line).partition(" ~ ")
    terms, _, effects = right.partition(" | ")
    for side in (left, terms, effects.replace("^", ":")):
        if side:
            Formula(side)


def test_every_line_for_fixest_is_a_formula(exhibits):
    _, _, shown, _ = exhibits
    said = [note for x in shown.values() for item in (*x.tables, *x.figures) for note in getattr(item, "notes", ())]
    assert all(LINE.search(note) for note in said if "In fixest" in note)
    found = dict.fromkeys(line for note in said for line in lines(note))
    assert len(found) > 10
    assert any(line.startswith("c(") for line in found)
    for line in found:
        left, right = line.split(" ~ ")
        many = MANY.match(left)
        for outcome in many[1].split(", ") if many else [left]:
            read(f"{outcome} ~ {right}")


@pytest.mark.parametrize("line", ["trade ~ partner:year end | period", "trade ~ partner | my city", "trade, deals ~ x"])
def test_what_cannot_be_pasted_is_not_read(line):
    with pytest.raises(FormulaSyntaxError):
        read(line)
