import pytest

from tests.exhibits.small import one_side, study, two_sides
from tradelift.designs import Gravity
from tradelift.exhibits import EXHIBITS, IntervalFigure, RegressionTable
from tradelift.exhibits.headline import numbers

GRAVITY = EXHIBITS["gravity"]


def test_flows_are_planned_by_ols_and_ppml_and_ratios_by_ols_in_every_direction(panel):
    tasks = GRAVITY.plan(study(), panel)
    assert [key for key in tasks if key.endswith("both")] == [
        "log(trade), OLS, both",
        "trade, PPML, both",
        "log(deals), OLS, both",
        "deals, PPML, both",
        "seller_concentration, OLS, both",
    ]
    assert len(tasks) == 15
    assert tasks["trade, PPML, west->east"] == Gravity(outcome="trade", family="poisson", direction="west->east")


def test_the_study_chooses_outcomes_and_controls(panel):
    about = study(model={"outcomes": ["log1p(trade)", "log(nothing)"], "controls": ["distance_km"]})
    tasks = GRAVITY.plan(about, panel)
    assert list(tasks) == [f"log1p(trade), OLS, {d}" for d in panel.directions]
    assert all(task.controls == ("distance_km",) for task in tasks.values())


def test_the_table_of_errors_has_three_schemes_by_direction(panel, results):
    table = GRAVITY.show(study(), panel, results).tables[1]
    rows = list(table.records())
    assert [r["errors"] for r in rows] == ["pair", "dyadic", "province"] * 3
    estimate = results["trade, PPML, both"].with_vcov("province")
    assert rows[2]["std_error"] == pytest.approx(numbers(estimate.tidy(), "partner")["std_error"])


def test_the_regression_table_is_tidy(panel, results):
    table = GRAVITY.show(study(), panel, results).tables[0]
    assert isinstance(table, RegressionTable)
    rows = list(table.records())
    assert len(rows) == 15 * 2
    assert rows[0]["direction"] == "both"
    assert {r["estimator"] for r in rows} == {"OLS", "PPML"}
    assert any("log(trade), trade, log(deals), deals, seller_concentration ~ partner + log(distance_km)" in n for n in table.notes)  # fmt: skip


def test_flows_have_a_figure_of_percent_by_direction(panel, results):
    figures = GRAVITY.show(study(), panel, results).figures
    assert [f.name for f in figures] == ["gravity_trade", "gravity_deals"]
    assert all(isinstance(f, IntervalFigure) for f in figures)
    assert [(i.row, i.series) for i in figures[0].intervals][:2] == [("both", "OLS"), ("both", "PPML")]


def test_without_coordinates_it_says_that_distance_is_left_out():
    panel = two_sides(coordinates=False)
    results = {key: task.estimate(panel) for key, task in GRAVITY.plan(study(), panel).items()}
    shown = GRAVITY.show(study(), panel, results)
    assert any(s.startswith("Distance is left out: give longitude") for s in shown.sentences)
    assert "more than what each region exports" in shown.headline.text


def test_columns_that_could_not_be_estimated_are_blank(panel, results):
    few = {k: e for k, e in results.items() if k != "trade, PPML, west->east"}
    table = GRAVITY.show(study(), panel, few).tables[0]
    assert table.panels["west->east"][1] is None
    assert GRAVITY.show(study(), panel, {}).tables == ()


def test_notes_speak_of_what_is_there():
    panel = one_side()
    results = {key: task.estimate(panel) for key, task in GRAVITY.plan(study(), panel).items()}
    table, errors = GRAVITY.show(study(), panel, results).tables
    assert not any("Percent" in note or "Concentration" in note for note in table.notes)
    assert not any("province" in note for note in errors.notes)
