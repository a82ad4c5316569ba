import re

import numpy as np
import pytest

from tests.exhibits.small import large_provinces, one_side, study, two_sides
from tradelift.designs import Gravity
from tradelift.estimate import Estimate
from tradelift.exhibits import EXHIBITS, IntervalFigure, RegressionTable
from tradelift.exhibits.headline import cautious, numbers
from tradelift.exhibits.labels import direction_label, plain, signed
from tradelift.inference import Randomization, randomize
from tradelift.report.frames import frame

GRAVITY = EXHIBITS["gravity"]


def test_flows_are_planned_by_ols_and_ppml_and_ratios_by_ols_in_every_direction(panel):
    tasks = GRAVITY.plan(study(), panel)
    assert [key for key, task in tasks.items() if key.endswith("both") and isinstance(task, Gravity)] == [
        "log(trade), OLS, both",
        "trade, PPML, both",
        "log(deals), OLS, both",
        "deals, PPML, both",
        "seller_concentration, OLS, both",
    ]
    assert sum(isinstance(task, Gravity) for task in tasks.values()) == 15
    assert tasks["trade, PPML, west->east"] == Gravity(outcome="trade", family="poisson", direction="west->east")


def test_the_model_that_leads_is_randomized_in_every_direction(panel):
    tasks = GRAVITY.plan(study(seed=5), panel)
    randomized = {key: task for key, task in tasks.items() if isinstance(task, Randomization)}
    assert list(randomized) == [f"trade, PPML, {d}, randomization" for d in ("both", "east->west", "west->east")]
    for key, task in randomized.items():
        assert task == Randomization(design=tasks[key.removesuffix(", randomization")], seed=5)
    assert not any(isinstance(t, Randomization) for t in GRAVITY.plan(study(), two_sides(partners=False)).values())
    ratio = study(model={"outcomes": ["seller_concentration"]})
    assert "seller_concentration, OLS, both, randomization" in GRAVITY.plan(ratio, panel)


def test_the_study_chooses_outcomes_and_controls(panel):
    about = study(model={"outcomes": ["log1p(trade)", "log(nothing)"], "controls": ["distance_km"]})
    tasks = GRAVITY.plan(about, panel)
    keys = [f"log1p(trade), OLS, {d}" for d in panel.directions]
    assert list(tasks) == [*keys, *(f"{key}, randomization" for key in keys)]
    assert all(tasks[key].controls == ("distance_km",) for key in keys)


def test_the_table_of_errors_has_three_schemes_and_randomization_by_direction(panel, results):
    table = GRAVITY.show(study(), panel, results).tables[1]
    rows = list(table.records())
    assert [r["errors"] for r in rows] == ["pair", "dyadic", "province", "randomization"] * 3
    estimate = results["trade, PPML, both"].with_vcov("province")
    assert rows[2]["std_error"] == pytest.approx(numbers(estimate.tidy(), "partner")["std_error"])
    found = randomize(Gravity(direction="west->east"), panel, seed=study().seed)
    assert rows[-1]["direction"] == "west->east"
    assert rows[-1]["std_error"] is None
    assert {k: rows[-1][k] for k in ("estimate", "conf_low", "conf_high", "p_value")} == {
        "estimate": found.estimate, "conf_low": found.conf_low, "conf_high": found.conf_high, "p_value": found.p_value,
    }  # fmt: skip
    assert any(note.startswith("Randomization compares the programme with 999 others") for note in table.notes)
    assert any(note.startswith("Infinite: ") for note in table.notes)


def test_the_notes_say_which_interval_the_headline_takes():
    panel = large_provinces()
    results = {key: task.estimate(panel) for key, task in GRAVITY.plan(study(), panel).items()}
    regressions, errors = GRAVITY.show(study(), panel, results).tables
    for direction in panel.directions:
        key = f"trade, PPML, {direction}"
        effect = cautious(results[key], results[f"{key}, randomization"])
        group = next(part for part in errors.notes[-1].split("; ") if direction_label(panel, direction) in part)
        assert effect.errors in group
    assert not any(note.startswith("Infinite: ") for note in errors.notes)
    p_values = [results[f"trade, PPML, {d}, randomization"].p_value for d in panel.directions]
    said = next(note for note in regressions.notes if note.startswith("Randomization p-values of Partner"))
    assert [f"{p:.3f}" for p in p_values] == re.findall(r"\d\.\d{3}", said)


def test_the_other_estimator_of_the_same_flow_is_said(panel, results):
    ols = results["log(trade), OLS, both"].percent().loc[0]
    said = f"By OLS on logs the difference is {signed(ols['percent'])}% (95% interval {plain(ols['conf_low'])} to "
    assert any(sentence.startswith(said) for sentence in GRAVITY.show(study(), panel, results).sentences)
    alone = {key: x for key, x in results.items() if "OLS" not in key}
    assert not any("By OLS" in sentence for sentence in GRAVITY.show(study(), panel, alone).sentences)


def test_without_randomization_the_tables_say_so_and_stand(panel, results):
    few = {key: x for key, x in results.items() if isinstance(x, Estimate)}
    regressions, errors = GRAVITY.show(study(), panel, few).tables
    assert {r["errors"] for r in errors.records()} == {"pair", "dyadic", "province"}
    assert "There is no randomization: the reason stands above." in errors.notes
    assert not any("Randomization" in note for note in regressions.notes)


def test_randomization_of_another_model_is_not_shown(panel, results):
    """Where PPML could not be estimated OLS leads, and the draws of PPML are not its own."""
    ols = {key: x for key, x in results.items() if "PPML" not in key or "randomization" in key}
    shown = GRAVITY.show(study(), panel, ols)
    assert shown.tables[1].title.endswith("in ln(Trade), OLS")
    assert "randomization" not in {r["errors"] for r in shown.tables[1].records()}
    assert "randomization" not in shown.headline.text


def test_the_regression_table_is_tidy(panel, results):
    table = GRAVITY.show(study(), panel, results).tables[0]
    assert isinstance(table, RegressionTable)
    rows = list(table.records())
    assert len(rows) == 15 * 2
    assert rows[0]["direction"] == "both"
    assert {r["estimator"] for r in rows} == {"OLS", "PPML"}
    right = "partner + log(distance_km) | origin^period + destination^period"
    ols, ppml = (
        f"feols(c(log(trade), log(deals), seller_concentration) ~ {right})",
        f"fepois(c(trade, deals) ~ {right})",
    )
    assert f"In fixest: {ols}; {ppml}." in table.notes


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


def test_the_table_of_estimates_has_the_mean_of_the_outcome_and_its_errors(panel, results):
    table = GRAVITY.show(study(), panel, results).tables[0]
    text = frame(table)
    trade = panel.outcome("trade")[panel.pair_direction("west->east")[panel.pair_of_cell]]
    column = text[("Trade", "PPML\n(2)")]
    assert column[("west\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}east", "Mean of the outcome")] == f"{trade.mean():,.2f}"
    assert column[("In every panel", "Standard errors")] == results["trade, PPML, both"].se_type
    logs = np.log(panel.outcome("trade")[panel.outcome("trade") > 0])
    assert text[("ln(Trade)", "OLS\n(1)")][("Both directions", "Mean of the outcome")] == f"{logs.mean():.2f}"
