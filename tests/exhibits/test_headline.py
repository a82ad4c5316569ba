from dataclasses import fields, replace

import numpy as np
import pytest

from tests.exhibits.small import LIFT, large_provinces, one_side, study
from tradelift.designs import Gravity
from tradelift.estimate import Estimate
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.headline import association, cautious, numbers, under
from tradelift.inference import Randomized, randomize

GRAVITY = EXHIBITS["gravity"]
SEED = 20170101  # the study's own
LEAD = "trade, PPML, both"


@pytest.fixture(scope="module")
def large():
    """A panel whose programme randomization can move, and what the exhibit plans on it, estimated."""
    panel = large_provinces()
    return panel, {key: task.estimate(panel) for key, task in GRAVITY.plan(study(), panel).items()}


def ends(frame):
    row = numbers(frame, "partner")
    return row["conf_low"], row["conf_high"]


def drawn(randomized, low, high):
    """The same randomization with another interval, in percent."""
    with np.errstate(divide="ignore"):
        return replace(randomized, intervals=np.log1p(np.array([[low, high]]) / 100))


def test_the_interval_is_the_widest_of_dyadic_province_and_randomization(large):
    panel, results = large
    for direction in panel.directions:
        estimate = results[f"trade, PPML, {direction}"]
        found = randomize(Gravity(direction=direction), panel, seed=SEED)
        by_hand = {scheme: ends(estimate.with_vcov(scheme).percent()) for scheme in ("dyadic", "province")}
        by_hand["randomization"] = (100 * (np.exp(found.conf_low) - 1), 100 * (np.exp(found.conf_high) - 1))
        assert np.isfinite(list(by_hand.values())).all()
        widest = max(by_hand, key=lambda name: by_hand[name][1] - by_hand[name][0])
        effect = cautious(estimate, results[f"trade, PPML, {direction}, randomization"])
        assert effect.errors == widest
        assert (effect.low, effect.high) == pytest.approx(by_hand[widest], rel=1e-12)
        assert effect.value == numbers(estimate.percent(), "partner")["percent"]


def test_randomization_gives_way_where_it_is_narrower_or_not_known(large):
    _, results = large
    estimate, randomized = results[LEAD], results[f"{LEAD}, randomization"]
    wide = cautious(estimate, drawn(randomized, -40.0, 90.0))
    assert (wide.low, wide.high) == pytest.approx((-40.0, 90.0))
    for low, high in ((33.0, 34.0), (np.nan, np.nan)):
        narrow = cautious(estimate, drawn(randomized, low, high))
        assert narrow == cautious(estimate)
        assert narrow.errors in ("dyadic", "province")


def test_a_ratio_is_not_turned_into_percent(large):
    panel, results = large
    estimate = results["seller_concentration, OLS, both"]
    wide = randomize(Gravity(outcome="seller_concentration"), panel)
    wide = replace(wide, intervals=np.array([[-80.0, 90.0]]))
    effect = cautious(estimate, wide)
    assert (effect.value, effect.low, effect.high) == (estimate.coefficients[0], -80.0, 90.0)


def test_the_headline_says_what_gave_its_interval(large):
    panel, results = large
    estimate, randomized = results[LEAD], results[f"{LEAD}, randomization"]
    said = association(study(), panel, {"both": estimate}, {"both": drawn(randomized, -40, 90)}).text
    assert "(95% interval \N{MINUS SIGN}40.0 to 90.0 by randomization, not distinguishable from 0)" in said
    other = cautious(estimate)
    said = association(study(), panel, {"both": estimate}, {}).text
    assert f"{other.high:.1f} by {other.errors} errors" in said


@pytest.mark.parametrize(
    ("low", "high", "said", "span"),
    [
        (-100.0, np.inf, "(randomization does not bound it and does not tell it from 0; 95% interval", "not bounded"),
        (5.0, np.inf, "(95% interval from 5.0 upward: randomization does not bound it above; 95%", "from 5.0 upward"),
        (-100.0, 70.0, "(95% interval up to 70.0, not distinguishable from 0: randomization does not bound it below; ",
         "up to 70.0"),
    ],
)  # fmt: skip
def test_an_interval_without_bounds_is_the_widest_and_has_another_beside_it(large, low, high, said, span):
    panel, results = large
    estimate = results["trade, PPML, west->east"]
    randomized = drawn(results["trade, PPML, west->east, randomization"], low, high)
    other = cautious(estimate)
    effect = cautious(estimate, randomized)
    assert effect.errors == "randomization"
    assert effect.beside == other
    headline = association(study(), panel, {"west->east": estimate}, {"west->east": randomized})
    assert said in headline.text
    beside = f"{other.low:.1f} to {other.high:.1f} by {other.errors} errors)".replace("-", "\N{MINUS SIGN}")
    assert beside in headline.text
    assert f"% ({span})." in headline.text
    assert said.removeprefix("(") in headline.facts[0].label


def test_a_small_programme_is_not_bounded_by_randomization(panel, results):
    """Eight programmes in all: the one that was made is among the draws too often for any effect to be rejected."""
    found = results[f"{LEAD}, randomization"]
    assert found.p_value > 0.05
    assert np.isinf(found.intervals).all()
    assert "randomization does not bound it" in GRAVITY.show(study(), panel, results).headline.text


def test_without_randomization_the_interval_is_the_wider_of_dyadic_and_province(results):
    compared = 0
    for estimate in (e for key, e in results.items() if "PPML" in key and isinstance(e, Estimate)):
        both = [numbers(estimate.with_vcov(scheme).percent(), "partner") for scheme in ("dyadic", "province")]
        widths = [row["conf_high"] - row["conf_low"] for row in both]
        if np.isfinite(widths).all():
            wide = both[int(np.argmax(widths))]
            effect = cautious(estimate)
            assert (effect.value, effect.low, effect.high) == (wide["percent"], wide["conf_low"], wide["conf_high"])
            compared += 1
    assert compared > 0


def test_the_headline_has_an_interval_and_claims_no_cause(large):
    panel, results = large
    text = GRAVITY.show(study(), panel, results).headline.text
    effect = cautious(results[LEAD], results[f"{LEAD}, randomization"])
    assert f"Partner pairs trade {effect.value:.1f}% more than distance" in text
    assert f"95% interval {effect.low:.1f} to {effect.high:.1f}".replace("-", "\N{MINUS SIGN}") in text
    assert "does not say why" in text
    assert not any(word in text.lower() for word in ("cause", "effect", "impact", "boost", "raise"))
    assert abs(np.log1p(effect.value / 100) - LIFT) < 0.2


def test_the_facts_stand_by_direction(large):
    panel, results = large
    facts = GRAVITY.show(study(), panel, results).headline.facts
    assert len(facts) == 4
    assert facts[2].label.startswith("west\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}east, 95% interval")
    assert facts[3].value == f"{results[LEAD].n_obs:,}"


def test_an_interval_around_zero_is_called_so(panel, results):
    shown = GRAVITY.show(study(), panel, {k: e for k, e in results.items() if k.startswith("deals, PPML")})
    effect = cautious(results["deals, PPML, both"])
    assert ("not distinguishable from 0" in shown.headline.facts[0].label) == (effect.low <= 0 <= effect.high)
    assert "Partner pairs have" in shown.headline.text


def test_without_provinces_the_interval_is_dyadic():
    estimate = Gravity(treatment=None).estimate(one_side())
    assert under(estimate, "province") is None
    assert cautious(estimate).errors == "dyadic"


def test_what_was_not_randomized_takes_no_interval_from_it(large):
    panel, results = large
    estimate = Gravity(treatment=None).estimate(panel)
    assert cautious(estimate, results[f"{LEAD}, randomization"]) == cautious(estimate)


def test_without_a_programme_the_headline_is_the_distance_elasticity():
    panel = one_side()
    results = {key: task.estimate(panel) for key, task in GRAVITY.plan(study(), panel).items()}
    assert not any(isinstance(x, Randomized) for x in results.values())
    shown = GRAVITY.show(study(), panel, results)
    assert shown.headline.text.startswith("The distance elasticity of trade is")
    assert shown.headline.facts[0].label.startswith("ln(Distance), all pairs, 95% interval")
    assert shown.figures == ()
    assert "Left out: the panel has no column deals, seller_concentration, buyer_concentration." in shown.sentences


def test_a_control_without_treatment_or_distance_leads_by_its_name():
    panel = one_side()
    about = study(model={"controls": ["distance_km"]})
    results = {key: task.estimate(panel) for key, task in GRAVITY.plan(about, panel).items()}
    assert GRAVITY.show(about, panel, results).headline.text.startswith("Distance (km): ")


def broken(estimate, *schemes, times=np.nan):
    """An estimate whose variance is not positive, or very large, under some schemes."""

    class Broken(type(estimate)):
        def with_vcov(self, scheme, correction=None):
            found = estimate.with_vcov(scheme, correction)
            return replace(found, covariance=found.covariance * times) if scheme in schemes else found

    return Broken(**{f.name: getattr(estimate, f.name) for f in fields(estimate)})


def test_errors_by_pair_stand_in_for_an_interval_that_is_not_known(results):
    estimate = broken(results[LEAD], "dyadic")
    rows = {s: numbers(estimate.with_vcov(s).percent(), "partner") for s in ("pair", "province")}
    wider = max(rows, key=lambda s: rows[s]["conf_high"] - rows[s]["conf_low"])
    assert cautious(estimate).errors == wider
    assert np.isfinite(cautious(estimate).low)


def test_errors_by_pair_stand_where_no_other_is_known_and_it_is_said(panel, results):
    estimate = broken(results[LEAD], "dyadic", "province")
    assert cautious(estimate).errors == "pair"
    shown = GRAVITY.show(study(), panel, {LEAD: estimate})
    assert "by pair errors" in shown.headline.text
    assert "widest interval, that by pair only where another is not known: by pair errors" in shown.tables[1].notes[-1]


def test_randomization_stands_alone_where_no_error_is_known(large):
    panel, results = large
    randomized = results[f"{LEAD}, randomization"]
    whole = results[LEAD]
    estimate = replace(broken(whole, "dyadic", "province", "pair"), covariance=whole.covariance * np.nan)
    assert cautious(estimate, randomized).errors == "randomization"
    assert cautious(estimate, drawn(randomized, 5.0, np.inf)).beside is None
    shown = GRAVITY.show(study(), panel, {LEAD: estimate, f"{LEAD}, randomization": drawn(randomized, 5.0, np.inf)})
    assert "(95% interval from 5.0 upward: randomization does not bound it above)" in shown.headline.text


def test_a_number_without_any_error_says_so(panel, results):
    whole = results[LEAD]
    estimate = replace(broken(whole, "dyadic", "province", "pair"), covariance=whole.covariance * np.nan)
    shown = GRAVITY.show(study(), panel, {LEAD: estimate})
    assert "its error is not known" in shown.headline.text
    assert "not distinguishable" not in shown.headline.text
    assert not any("widest" in note for note in shown.tables[1].notes)
    assert shown.figures[0].intervals[0].low is None
    assert "error not known" in shown.figures[0].description
    assert any(note.startswith("n/a: ") for note in shown.tables[0].notes)


def test_an_interval_beyond_the_largest_number_is_not_known(large):
    _, results = large
    estimate = broken(results[LEAD], "dyadic", "province", "pair", times=1e9)
    assert np.isinf(estimate.with_vcov("dyadic").percent()["conf_high"]).all()
    assert not cautious(estimate).is_known
