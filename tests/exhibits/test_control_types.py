from itertools import combinations

import pytest

import tradelift as tl
from tests.designs.panels import one_sided
from tests.exhibits.small import attempted
from tests.exhibits.worlds import KM, about, world
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.control_types import choices
from tradelift.exhibits.headline import numbers

TYPES = EXHIBITS["control_types"]


@pytest.fixture(scope="module")
def panel():
    return world(n_east=11, n_west=12)


@pytest.fixture(scope="module")
def found(panel):
    return attempted("control_types", panel, about())


@pytest.fixture(scope="module")
def shown(panel, found):
    return TYPES.shown(about(), panel, *found)


def subsets(kinds):
    return {t for n in range(1, len(kinds) + 1) for t in combinations(kinds, n)}


def test_every_set_is_planned_and_those_with_type_one_with_corners(panel):
    every = choices(panel)
    assert {c.types for c in every if not c.corners} == subsets((2, 3, 4))
    assert {c.types for c in every if c.corners} == {t for t in subsets((1, 2, 3, 4)) if 1 in t}
    tasks = TYPES.plan(about(), panel)
    assert len(tasks) == 3 * 15
    assert tasks["log(trade), OLS, both, types 2 4"] == tl.SpatialRD(
        family="gaussian", bandwidth_km=KM, control_types=[2, 4]
    )
    assert tasks["log(trade), OLS, both, types 1 2 3, corners"].neighbours == "corners"
    assert TYPES.plan(about(model={"outcomes": ["nothing"]}), panel) == {}


def test_a_programme_without_sides_has_three_types():
    panel, _ = one_sided()
    assert {c.types for c in choices(panel)} == subsets((2, 4)) | {t for t in subsets((1, 2, 4)) if 1 in t}


def test_sets_that_identify_are_those_with_type_four_and_one_two_three(found):
    estimates, refused = found
    for key, why in refused.items():
        types = key.split("types ")[1].removesuffix(", corners")
        assert "4" not in types
        assert types != "1 2 3"
        assert "absorb all variation in 'partner'" in why
    assert {k.split("types ")[1] for k in estimates} >= {"2 3 4", "4", "1 2 3, corners", "1 2 3 4, corners"}


def test_the_table_has_the_sets_that_identify(shown, found):
    rows = [r for r in shown.tables[0].records() if r["direction"] == "both"]
    assert [r["control_types"] for r in rows][:4] == ["2, 3, 4", "2, 4", "3, 4", "4"]
    row = next(r for r in rows if r["control_types"] == "1, 2, 3 (corners)")
    estimate = found[0]["log(trade), OLS, both, types 1 2 3, corners"]
    assert row["estimate"] == numbers(estimate.tidy(), "partner")["estimate"]
    assert row["effective_partners"] == estimate.diagnostics.identification.effective_partners
    notes = shown.tables[0].notes
    assert "2 only the east region takes part" in notes[0]
    assert any("not told apart from both cities taking part" in note for note in notes)


def test_refused_sets_stand_in_a_table_with_their_reason_and_in_no_sentence(shown, found):
    refused = shown.tables[1]
    assert refused.name == "control_types_refused"
    (row,) = refused.records()  # one reason
    assert row["control_types"] == "2, 3; 2; 3; 1, 2 (corners); 1, 3 (corners); 1 (corners)"
    assert row["directions"].startswith("both directions, east")
    assert row["reason"].startswith(
        "The effects and controls absorb all variation in 'partner'. It is a sum of city and group effects: "
    )
    assert row["reason"].endswith("only sets that hold type 4 identify.")
    assert shown.sentences[-1] == "6 sets are refused, for the reasons in the last table."
    assert not any(s.startswith("Not estimated") for s in shown.sentences)


def test_nothing_is_added_where_nothing_is_refused(panel, found):
    shown = TYPES.shown(about(), panel, found[0], {})
    assert [t.name for t in shown.tables] == ["control_types"]
    assert len(shown.sentences) == 2


def test_the_sentence_sets_apart_what_identifies_without_type_four(shown, found):
    values = [
        numbers(e.percent(), "partner")["percent"]
        for k, e in found[0].items()
        if ", both, " in k and "4" in k.split("types")[1]
    ]
    said = f"both directions {min(values):.1f}% to {max(values):.1f}% over {len(values)} sets".replace(
        "-", "\N{MINUS SIGN}"
    )
    assert shown.sentences[0].startswith("ln(Trade), OLS, sets that hold type 4: ")
    assert said in shown.sentences[0]
    assert shown.sentences[1].startswith("ln(Trade), OLS, sets without type 4: ")


def test_without_any_estimate_reasons_are_shown_all_the_same(panel):
    every = dict.fromkeys(TYPES.plan(about(), panel), "The effects absorb it. Add type 4.")
    shown = TYPES.shown(about(), panel, {}, every)
    assert [t.name for t in shown.tables] == ["control_types_refused"]
    (row,) = shown.tables[0].records()
    assert len(row["control_types"].split("; ")) == 15
    assert row["reason"] == "The effects absorb it."
    nothing = about(model={"outcomes": ["nothing"]})
    assert TYPES.shown(nothing, panel, {}, {"a": "b."}).tables == ()


def test_the_figure_has_a_row_for_each_set(shown):
    (figure,) = shown.figures
    rows = list(dict.fromkeys(i.row for i in figure.intervals))
    assert rows == [r["control_types"] for r in shown.tables[0].records() if r["direction"] == "both"]
    assert figure.intervals[0].series == "Both directions"
