from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tests.exhibits.small import estimated, one_side, study, two_sides
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.labels import signed
from tradelift.exhibits.placebo_words import meaning
from tradelift.exhibits.size import Size
from tradelift.inference import PlaceboPartners, PlaceboPeriods
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

PLACEBO = EXHIBITS["placebo"]
NO_PERIODS = "Partnerships were there from the first period on: there are no periods before them to look at."


@pytest.fixture(scope="module")
def world():
    return draw_affinity_world(AffinityWorld(), 3).panel


@pytest.fixture(scope="module")
def found(world):
    return estimated("placebo", world, study())


@pytest.fixture(scope="module")
def shown(world, found):
    return PLACEBO.show(study(), world, found)


def test_spatial_rd_and_gravity_are_planned_for_true_and_placebo_partners(world):
    tasks = PLACEBO.plan(study(model={"bandwidth_km": 120}), world)
    rd = tl.SpatialRD(outcome="trade", family="poisson", bandwidth_km=120.0, direction="west->east")
    gravity = tl.Gravity(outcome="trade", family="poisson", direction="west->east")
    for name, design in (("spatial RD", rd), ("gravity", gravity)):
        key = f"{name}, trade, PPML, west->east"
        assert tasks[f"true partners, {key}"] == design
        assert tasks[f"placebo partners, {key}"] == PlaceboPartners(design=design, near=rd.near)
    assert not any(isinstance(task, PlaceboPeriods) for task in tasks.values())
    assert tasks["placebo outcomes, spatial RD, log(distance_km), OLS, both"] == tl.SpatialRD(
        outcome="log(distance_km)", family="gaussian", controls=(), bandwidth_km=120.0
    )
    assert len(tasks) == 3 * 2 * 2 * 2 + 1


def test_the_study_names_placebo_outcomes_which_are_not_their_own_controls(world):
    about = study(
        model={"controls": ["log(distance_km)", "domestic"]}, exhibits={"placebo": {"outcomes": ["log(domestic)"]}}
    )
    tasks = PLACEBO.plan(about, world)
    named = {key: task for key, task in tasks.items() if key.startswith("placebo outcomes, spatial RD, log(domestic)")}
    assert [task.direction for task in named.values()] == list(world.directions)
    assert all(task.controls == ("log(distance_km)",) for task in named.values())
    assert tasks["placebo outcomes, spatial RD, log(distance_km), OLS, both"].controls == ("domestic",)


def test_the_table_holds_placebos_beside_true_partners(shown, found):
    rows = list(shown.tables[0].records())
    assert len(rows) == 13
    for row in rows:
        key = f"{row['design']}, {row['outcome']}, {row['estimator']}, {row['direction']}"
        placebo = found[f"{row['placebo']}, {key}"]
        tidy = numbers(placebo.tidy(), "partner")
        assert {k: row[k] for k in ("estimate", "std_error", "conf_low", "conf_high", "p_value")} == {
            k: tidy[k] for k in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
        }
        true = found.get(f"true partners, {key}")
        assert row["true_estimate"] == (None if true is None else true.coefficients[0])
    assert sum(row["true_estimate"] is None for row in rows) == 1  # distance
    assert any("placebo partner pairs, half of them within" in note for note in shown.tables[0].notes)


def test_gravity_finds_what_is_not_there_and_the_sentence_says_so(shown, found):
    """In this world partners were picked by a smooth affinity: pairs beside them trade more, too."""
    size = numbers(found["placebo partners, gravity, log(trade), OLS, both"].percent(), "partner")
    assert size["conf_low"] > 0
    said = next(s for s in shown.sentences if s.startswith("Gravity of placebo partners finds: "))
    assert f"both directions {signed(size['percent'])}%" in said
    assert "That is not 0 (in every direction)" in said
    rd = next(s for s in shown.sentences if s.startswith("Where the nearest control plays the partner"))
    sizes = [
        numbers(found[f"placebo partners, spatial RD, log(trade), OLS, {d}"].percent(), "partner")
        for d in ("both", "east->west", "west->east")
    ]
    assert not any(s["conf_low"] > 0 or s["conf_high"] < 0 for s in sizes)
    low, high = min(s["conf_low"] for s in sizes), max(s["conf_high"] for s in sizes)
    assert f"told from 0 in no direction; the intervals allow for {signed(low)} to {signed(high)}%." in rd
    assert shown.sentences[-1] == NO_PERIODS
    assert any(s.startswith("A placebo that is 0 is no proof") for s in shown.sentences)


def test_a_placebo_outcome_that_differs_is_said(world, found):
    key = "placebo outcomes, spatial RD, log(distance_km), OLS, both"
    moved = replace(found[key], coefficients=np.array([0.5]))
    shown = PLACEBO.show(study(), world, found | {key: moved})
    said = next(s for s in shown.sentences if s.startswith("Partner pairs differ from near pairs in what"))
    assert "ln(Distance) (both directions) +64.9%" in said
    assert not any("no difference is found" in s for s in shown.sentences)


def test_the_figure_sets_placebos_beside_true_partners(shown, found):
    (figure,) = shown.figures
    assert [(i.row, i.series) for i in figure.intervals][:2] == [
        ("Spatial RD, both directions", "true partners"), ("Spatial RD, both directions", "placebo partners"),
    ]  # fmt: skip
    assert len(figure.intervals) == 3 * 2 * 2
    percent = numbers(found["true partners, spatial RD, log(trade), OLS, both"].percent(), "partner")["percent"]
    assert figure.intervals[0].value == pytest.approx(percent)


def test_a_programme_that_starts_later_has_periods_before():
    panel = two_sided(seed=6, periods=5, start="2017-04")[0]
    about = study(model={"bandwidth_km": 700, "outcomes": ["trade"]})
    tasks = PLACEBO.plan(about, panel)
    key = "periods before, spatial RD, log(trade), OLS, both"
    assert tasks[key] == PlaceboPeriods(design=tl.SpatialRD(family="gaussian", bandwidth_km=700.0))
    found = estimated("placebo", panel, about)
    shown = PLACEBO.show(about, panel, found)
    row = next(x for x in shown.tables[0].records() if x["placebo"] == "periods before")
    assert row["estimate"] == found[key].coefficients[0]
    assert NO_PERIODS not in shown.sentences
    said = next(s for s in shown.sentences if s.startswith("In the periods before the start spatial RD finds: "))
    assert signed(numbers(found[key].percent(), "partner")["percent"]) in said
    assert {i.series for i in shown.figures[0].intervals} == {"true partners", "placebo partners", "periods before"}


def test_one_side_and_one_period_are_shown():
    panel = one_sided(seed=2)[0]
    about = study(model={"bandwidth_km": 2000})
    shown = PLACEBO.show(about, panel, estimated("placebo", panel, about))
    assert {row["direction"] for row in shown.tables[0].records()} == {"both"}


def test_what_is_refused_is_not_shown(panel, world, found):
    """Near controls of the small study are too few to play partners."""
    few = estimated("placebo", panel, study())
    assert not any(key.startswith("placebo partners, spatial RD") for key in few)
    rows = list(PLACEBO.show(study(), panel, few).tables[0].records())
    assert {row["design"] for row in rows if row["placebo"] == "placebo partners"} == {"gravity"}
    only_true = {key: e for key, e in found.items() if key.startswith("true")}
    empty = PLACEBO.show(study(), world, only_true)
    assert (empty.tables, empty.sentences) == ((), (NO_PERIODS,))


def test_a_placebo_is_0_in_some_directions_or_not_known_in_any():
    zero, clear = Size(value=1.0, low=-2.0, high=4.0, unit="%"), Size(value=-9.0, low=-12.0, high=-6.0, unit="%")
    unknown = Size(value=3.0, low=np.nan, high=np.nan, unit="%")
    one = meaning("periods before", "spatial RD", "so much", {"east → west": zero, "west → east": clear})
    assert "That is not 0 (west → east): partner pairs differed from near pairs before they were partners" in one
    assert meaning("placebo partners", "gravity", "3", {"all": unknown}) == "Gravity of placebo partners finds: 3."
    single = meaning("placebo partners", "spatial RD", "-9", {"all pairs": clear})
    assert "That is not 0 (all pairs): pairs that are no partners differ" in single


def test_it_is_absent_without_partners_or_coordinates():
    assert missing(PLACEBO, study(), one_side()) == "absent: give partners"
    assert missing(PLACEBO, study(), two_sides(coordinates=False)).startswith("absent: give longitude")


def test_the_title_says_what_both_designs_find_for_placebo_partners(shown):
    rows = {r["design"]: r for r in shown.tables[0].records() if r["direction"] == "both" and r["estimator"] == "OLS"
            and r["placebo"] == "placebo partners"}  # fmt: skip
    assert f"spatial RD finds {signed(rows['spatial RD']['percent'])}% (" in shown.finding
    assert f"gravity finds {signed(rows['gravity']['percent'])}% (" in shown.finding
