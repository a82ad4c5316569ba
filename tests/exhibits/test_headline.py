from dataclasses import fields, replace

import numpy as np

from tests.exhibits.small import LIFT, one_side, study
from tradelift.designs import Gravity
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.headline import cautious, numbers, under

GRAVITY = EXHIBITS["gravity"]


def test_the_interval_is_the_wider_of_dyadic_and_province(results):
    compared = 0
    for estimate in (e for key, e in results.items() if "PPML" in key):
        both = [numbers(estimate.with_vcov(scheme).percent(), "partner") for scheme in ("dyadic", "province")]
        widths = [row["conf_high"] - row["conf_low"] for row in both]
        if np.isfinite(widths).all():
            wide = both[int(np.argmax(widths))]
            effect = cautious(estimate)
            assert (effect.value, effect.low, effect.high) == (wide["percent"], wide["conf_low"], wide["conf_high"])
            compared += 1
    assert compared > 0


def test_the_headline_has_an_interval_and_claims_no_cause(panel, results):
    text = GRAVITY.show(study(), panel, results).headline.text
    effect = cautious(results["trade, PPML, both"])
    assert f"Partner pairs trade {effect.value:.1f}% more than distance" in text
    assert f"95% interval {effect.low:.1f} to {effect.high:.1f}".replace("-", "\N{MINUS SIGN}") in text
    assert "does not say why" in text
    assert not any(word in text.lower() for word in ("cause", "effect", "impact", "boost", "raise"))
    assert abs(np.log1p(effect.value / 100) - LIFT) < 0.2


def test_the_facts_stand_by_direction(panel, results):
    facts = GRAVITY.show(study(), panel, results).headline.facts
    assert len(facts) == 4
    assert facts[2].label.startswith("west\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}east, 95% interval")
    assert facts[3].value == f"{results['trade, PPML, both'].n_obs:,}"


def test_an_interval_around_zero_is_called_so(panel, results):
    shown = GRAVITY.show(study(), panel, {k: e for k, e in results.items() if k.startswith("deals, PPML")})
    effect = cautious(results["deals, PPML, both"])
    assert ("not distinguishable from 0" in shown.headline.facts[0].label) == (effect.low <= 0 <= effect.high)
    assert "Partner pairs have" in shown.headline.text


def test_without_provinces_the_interval_is_dyadic():
    estimate = Gravity(treatment=None).estimate(one_side())
    assert under(estimate, "province") is None
    assert cautious(estimate).se_type == "dyadic"


def test_without_a_programme_the_headline_is_the_distance_elasticity():
    panel = one_side()
    results = {key: task.estimate(panel) for key, task in GRAVITY.plan(study(), panel).items()}
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


def broken(estimate, *schemes):
    """An estimate whose variance is not positive under some schemes."""

    class Broken(type(estimate)):
        def with_vcov(self, scheme, correction=None):
            found = estimate.with_vcov(scheme, correction)
            return replace(found, covariance=found.covariance * np.nan) if scheme in schemes else found

    return Broken(**{f.name: getattr(estimate, f.name) for f in fields(estimate)})


def test_errors_by_pair_stand_in_for_an_interval_that_is_not_known(results):
    estimate = broken(results["trade, PPML, both"], "dyadic")
    rows = {s: numbers(estimate.with_vcov(s).percent(), "partner") for s in ("pair", "province")}
    wider = max(rows, key=lambda s: rows[s]["conf_high"] - rows[s]["conf_low"])
    assert cautious(estimate).se_type == wider
    assert np.isfinite(cautious(estimate).low)


def test_errors_by_pair_stand_where_no_other_is_known_and_it_is_said(panel, results):
    estimate = broken(results["trade, PPML, both"], "dyadic", "province")
    assert cautious(estimate).se_type == "pair"
    shown = GRAVITY.show(study(), panel, {"trade, PPML, both": estimate})
    assert "by pair errors" in shown.headline.text


def test_a_number_without_any_error_says_so(panel, results):
    whole = results["trade, PPML, both"]
    estimate = replace(broken(whole, "dyadic", "province", "pair"), covariance=whole.covariance * np.nan)
    shown = GRAVITY.show(study(), panel, {"trade, PPML, both": estimate})
    assert "its error is not known" in shown.headline.text
    assert "not distinguishable" not in shown.headline.text
    assert shown.figures[0].intervals[0].low is None
    assert "error not known" in shown.figures[0].description
    assert any(note.startswith("n/a: ") for note in shown.tables[0].notes)
