"""Draws that are estimated anew, against panels of renamed partners and against the products."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tests.inference import twins
from tests.inference.test_randomization import EXACT, FITTED, staggered
from tradelift.designs import compare
from tradelift.designs.terms import read_controls


@pytest.mark.parametrize("outcome", ["trade", "log(trade)"])
@pytest.mark.parametrize("start", [None, "2017-02"])
def test_refits_are_estimates_on_panels_of_renamed_partners(outcome, start):
    panel, frame, _ = two_sided(seed=7, missing=0.05, start=start)
    found = tl.randomize(tl.Gravity(outcome=outcome), panel, draws=4, seed=2, refit=True, interval=False)
    regions = pd.DataFrame({"region": panel.regions.ids, "side": np.array(panel.regions.sides)[panel.regions.side]})
    regions["longitude"], regions["latitude"] = panel.regions.longitude, panel.regions.latitude
    for programme, draw in zip(twins.programmes(panel, "relabel", 4, 2), found.draws, strict=True):
        partners = programme[["one", "other"]].copy()
        if start is not None:
            partners["start"] = start
        drawn = tl.Panel.from_frame(frame, regions=regions, partners=partners)
        assert draw == pytest.approx(tl.Gravity(outcome=outcome).estimate(drawn).coefficients[0], rel=EXACT)
    if outcome == "log(trade)":
        fast = tl.randomize(tl.Gravity(outcome=outcome), panel, draws=4, seed=2)
        np.testing.assert_allclose(fast.draws, found.draws, rtol=EXACT)


def test_ppml_refits_and_newton_steps_are_close():
    panel = two_sided(seed=8)[0]
    fast = tl.randomize(tl.Gravity(), panel, draws=19, interval=False)
    slow = tl.randomize(tl.Gravity(), panel, draws=19, refit=True, interval=False)
    # a Newton step is exact to the square of the effects, here of .1
    assert np.abs(fast.draws - slow.draws).max() < 0.1**2
    assert fast.draws == pytest.approx(slow.draws, rel=0.2, abs=0.005)


def test_terms_of_ppml_by_direction_agree_with_refits():
    panel = two_sided(seed=8)[0]
    fast = tl.randomize(tl.Gravity(by="direction"), panel, draws=9, interval=False)
    slow = tl.randomize(tl.Gravity(by="direction"), panel, draws=9, refit=True, interval=False)
    assert fast.null_draws == pytest.approx(slow.null_draws, abs=0.02)
    assert len(fast.terms) == 2


def test_intervals_of_refits():
    panel = two_sided(seed=3, n_east=10, n_west=11, periods=2, partners=14, mean=40.0)[0]
    options = {"draws": 39, "seed": 4, "scheme": "free"}
    design = tl.Gravity(outcome="log1p(trade)")
    fast, slow = tl.randomize(design, panel, **options), tl.randomize(design, panel, refit=True, **options)
    assert np.isfinite(fast.intervals).all()
    np.testing.assert_allclose(slow.intervals, fast.intervals, rtol=FITTED)
    fast, slow = tl.randomize(tl.Gravity(), panel, **options), tl.randomize(tl.Gravity(), panel, refit=True, **options)
    half = (fast.conf_high - fast.conf_low) / 2
    np.testing.assert_allclose(slow.intervals, fast.intervals, atol=0.1 * half)


def test_where_the_sample_depends_on_the_programme_draws_need_refits():
    panel, frame, chosen = two_sided(seed=7)
    design = tl.Gravity(outcome="log1p(trade)", control_types=[2, 3, 4])
    with pytest.raises(tl.DesignError, match=r"depend on the programme .* refit=True"):
        tl.randomize(design, panel)
    found = tl.randomize(design, panel, refit=True, draws=3, seed=2)
    for programme, draw in zip(twins.programmes(panel, "relabel", 3, 2), found.draws, strict=True):
        regions = pd.DataFrame({"region": panel.regions.ids, "side": np.array(panel.regions.sides)[panel.regions.side]})
        regions["longitude"], regions["latitude"] = panel.regions.longitude, panel.regions.latitude
        drawn = tl.Panel.from_frame(frame, regions=regions, partners=programme[["one", "other"]])
        assert draw == pytest.approx(design.estimate(drawn).coefficients[0], rel=EXACT)
    moving = two_sided(seed=7, start="2017-02")[0]
    with pytest.raises(tl.DesignError, match="Use interval=False"):
        tl.randomize(design, moving, refit=True, draws=3, seed=2)
    assert tl.randomize(design, moving, refit=True, draws=3, seed=2, interval=False).n_draws == 3


def test_other_effects_need_refits():
    panel = staggered(seed=4)[0]
    for effects in (["origin", "destination", "period"], ["origin^period", "destination^period", "origin^destination"]):
        design = tl.Gravity(outcome="log1p(trade)", controls=[], effects=effects)
        with pytest.raises(tl.DesignError, match=r"the usual effects .* refit=True"):
            tl.randomize(design, panel)
        found = tl.randomize(design, panel, refit=True, draws=3)
        assert np.isfinite(found.draws).all()


@dataclass(frozen=True, kw_only=True)
class NearPairs:
    """A design of the user's: pairs within a distance."""

    within_km: float = 2500.0
    treatment: str = "partner"
    vcov: str = "dyadic"
    correction: str = "clusters"

    def compare(self, panel):
        return compare(
            panel,
            outcome="trade",
            treatment=read_controls(panel, [self.treatment]),
            controls=[],
            sample=panel.column("distance_km") <= self.within_km,
        )


def test_any_design_that_compares():
    panel = two_sided(seed=2)[0]
    found = tl.randomize(NearPairs(), panel, draws=9)
    same = tl.randomize(NearPairs(), panel, draws=9, refit=True, interval=False)
    assert found.design == "NearPairs"
    assert found.draws == pytest.approx(same.draws, abs=0.02)


def test_the_treatment_may_be_a_product_with_the_programme():
    panel = two_sided(seed=2)[0]
    found = tl.randomize(tl.Gravity(outcome="log1p(trade)", treatment="partner:shock"), panel, draws=5)
    slow = tl.randomize(tl.Gravity(outcome="log1p(trade)", treatment="partner:shock"), panel, draws=5, refit=True)
    np.testing.assert_allclose(found.draws, slow.draws, rtol=EXACT)
