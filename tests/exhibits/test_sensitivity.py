from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import estimated, large_provinces, study
from tradelift.exhibits import EXHIBITS
from tradelift.inference.sensitivity import robustness

SENSITIVITY = EXHIBITS["sensitivity"]


@pytest.fixture(scope="module")
def panel():
    """With a column of pairs, and text that is none."""
    small = large_provinces()
    weather = np.random.default_rng(2).standard_normal(len(small.pairs))
    more = {"weather": weather, "river": np.where(weather > 0, "north", "south")}
    return replace(small, pairs=replace(small.pairs, columns={**small.pairs.columns, **more}))


@pytest.fixture(scope="module")
def found(panel):
    return estimated("sensitivity", panel, study())


@pytest.fixture(scope="module")
def shown(panel, found):
    return SENSITIVITY.show(study(), panel, found)


def test_strength_is_measured_by_columns_of_numbers_that_the_model_lacks(panel):
    assert {task.observed for task in SENSITIVITY.plan(study(), panel).values()} == {("weather",)}
    with_it = study(model={"controls": ["weather"]})
    assert {task.observed for task in SENSITIVITY.plan(with_it, panel).values()} == {()}
    mediated = study(mediators=["weather", "unknown"])
    assert {task.observed for task in SENSITIVITY.plan(mediated, panel).values()} == {("weather",)}


def test_tables_hold_robustness_and_what_is_left(panel, shown):
    both = {r["design"]: r for r in shown.tables[0].records() if r["direction"] == "both"}
    spatial, gravity = (
        robustness(tl.SpatialRD().estimate(panel)),
        robustness(tl.Gravity(outcome="log(trade)", family="gaussian").estimate(panel)),
    )
    assert both["Spatial RD"]["robustness_value"] == pytest.approx(100 * spatial.robustness_value, rel=1e-12)
    # ten partner pairs without a city in common: effects fit their sums, and no interval is known
    assert np.isnan([both["Spatial RD"]["interval_value"], spatial.interval_value]).all()
    assert "its interval is not known" in shown.sentences[0]
    assert both["Gravity"]["interval_value"] == pytest.approx(100 * gravity.interval_value, rel=1e-12)
    beside = [r for r in shown.tables[1].records() if r["direction"] == "both" and r["design"] == "Gravity"]
    assert [r["as_strong_as"] for r in beside] == [
        f"{k} \N{MULTIPLICATION SIGN} {c}" for c in ("ln(Distance)", "weather") for k in (1, 2, 3)
    ]


def test_figures_begin_with_the_estimate_as_it_is(found, shown):
    assert [f.name for f in shown.figures] == ["sensitivity_spatial_rd", "sensitivity_gravity"]
    first = shown.figures[1].intervals[0]
    own = next(x for key, x in found.items() if key.startswith("Gravity") and key.endswith("both"))
    assert first.row == "as it is"
    assert first.value == pytest.approx(100 * np.expm1(own.estimate), rel=1e-12)


def test_sentences_say_what_undoes_the_estimate(found, shown):
    own = next(x for key, x in found.items() if key.startswith("Spatial RD") and key.endswith("both"))
    assert f"must explain {100 * own.robustness_value:.2f}% of what is left" in shown.sentences[0]
    least = min((c for c in own.confounders if c.times == 1), key=lambda c: c.estimate * np.sign(own.estimate))
    assert f"explains {100 * least.r2_treatment:.2f}% of partnership" in shown.sentences[1]
    sure = replace(own, interval_value=0.0)
    key = next(key for key in found if key.startswith("Spatial RD") and key.endswith("both"))
    said = SENSITIVITY.show(study(), large_provinces(), {key: sure}).sentences[0]
    assert "its interval holds zero already" in said


def test_a_study_by_ppml_alone_says_why_there_is_nothing(panel):
    only = study(model={"outcomes": ["trade"]})
    assert SENSITIVITY.plan(only, panel)
    ratios = study(model={"outcomes": ["seller_concentration"]})
    levels = SENSITIVITY.show(ratios, panel, estimated("sensitivity", panel, ratios))
    assert levels.figures[0].axis == "Difference, 95% interval"
    none = study(model={"outcomes": ["deals"]})
    assert SENSITIVITY.plan(none, panel) == {}
    assert SENSITIVITY.show(none, panel, {}).sentences == (
        "Left out: partial R2 are of least squares, and the study has no outcome by OLS.",
    )
    assert SENSITIVITY.show(study(), panel, {}).tables == ()
