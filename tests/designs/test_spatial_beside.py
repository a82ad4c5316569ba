"""Gravity on the flows of spatial RD, and the estimate without single groups."""

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.fixest import with_pyfixest
from tests.designs.panels import one_sided, two_sided
from tests.designs.test_spatial_rd import H, expanded, usable
from tradelift.designs.spatial import near_pairs
from tradelift.designs.spatial.beside import SameFlows
from tradelift.designs.spatial.single_groups import SingleGroups

COEFFICIENT = 1e-7  # pyfixest's demeaning stops at 1e-12 of a step
SAME = 1e-9  # two ways to one least squares


def world(**options):
    return two_sided(**({"seed": 3, "n_east": 9, "n_west": 10, "partners": 14} | options))[0]


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
@pytest.mark.parametrize("direction", ["both", "west->east"])
def test_gravity_on_the_same_flows_is_that_of_pyfixest_on_each_flow_once(outcome, direction):
    panel = world(missing=0.1, mean=3.0 if outcome.startswith("log") else 8.0)
    design = tl.SpatialRD(outcome=outcome, bandwidth_km=H, direction=direction)
    found = SameFlows(design=design).estimate(panel)
    rows = usable(expanded(panel, direction), "trade") if outcome.startswith("log") else expanded(panel, direction)
    if outcome == "trade":  # PPML keeps every flow of a group whose partner pair is in the panel
        rows = rows.merge(rows[rows.is_partner][["group", "period"]], on=["group", "period"])
    rows = rows[~singletons(rows)]
    once = rows.drop_duplicates(["origin", "destination", "period"])
    if outcome == "trade":
        assert (
            tl.SpatialRD(outcome=outcome, bandwidth_km=H, direction=direction).estimate(panel).dropped["separated"] == 0
        )
    fml = f"{outcome} ~ partner + log(distance_km) | origin^period + destination^period"
    other = with_pyfixest(fml, "poisson" if outcome == "trade" else "gaussian", once)
    np.testing.assert_allclose(found.coefficients, other.coef().to_numpy(), atol=COEFFICIENT)
    assert found.n_obs + found.dropped["singleton"] == len(once)
    assert (found.design, found.direction, found.se_type, found.correction) == (
        "Gravity",
        direction,
        "max-two-way",
        "full",
    )
    assert found.sample.startswith("flows of spatial RD: near controls within 500 km")


def singletons(rows):
    """Rows alone in their group, origin or destination of a month, until none is left."""
    out = pd.Series(data=False, index=rows.index)
    while True:
        left = rows[~out]
        alone = pd.Series(data=False, index=left.index)
        for name in ("group", "origin", "destination"):
            alone |= left.groupby([name, "period"])["pair"].transform("size") == 1
        if not alone.any():
            return out
        out[alone[alone].index] = True


def test_what_gravity_on_the_same_flows_cannot_do_is_refused():
    with pytest.raises(tl.DesignError, match="without by, weights and offset; found by"):
        SameFlows(design=tl.SpatialRD(by="period"))


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_the_estimate_without_a_group_is_that_of_the_other_groups(outcome):
    """Every group left out by an estimate on the rows of the others, and the largest change is among those chosen."""
    panel = world(periods=2)
    design = tl.SpatialRD(outcome=outcome, bandwidth_km=H, direction="west->east")
    found = SingleGroups(design=design, most=5).estimate(panel)
    whole = design.estimate(panel)
    assert found.estimate == pytest.approx(whole.coefficients[0], rel=SAME)
    near = near_pairs(panel, design.near, design.direction)
    assert found.n_groups == near.n_groups
    rows = expanded(panel, "west->east")
    if outcome.startswith("log"):
        rows = usable(rows, "trade")
    by_hand = {}
    for group in range(near.n_groups):
        pair = near.partner_pair[group]
        ids = panel.regions.ids
        key = (ids[panel.pairs.origin[pair]], ids[panel.pairs.destination[pair]])
        fml = f"{outcome} ~ partner + log(distance_km) | group^period + origin^period + destination^period"
        kept = rows[rows.group != group]
        fitted = with_pyfixest(fml, "poisson" if outcome == "trade" else "gaussian", kept, weights="kernel")
        by_hand[key] = float(fitted.coef()["partner"])
    for one in found.without:
        assert one.estimate == pytest.approx(by_hand[one.origin, one.destination], abs=COEFFICIENT)
    changes = [abs(w.estimate - found.estimate) for w in found.without]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] == pytest.approx(max(abs(b - found.estimate) for b in by_hand.values()), abs=COEFFICIENT)


def test_left_out_groups_are_terms_of_a_finding():
    panel = world()
    found = SingleGroups(design=tl.SpatialRD(bandwidth_km=H), most=2).estimate(panel)
    tidy = found.tidy()
    assert tidy["term"].tolist() == [f"partner without {w.origin}->{w.destination}" for w in found.without]
    assert tidy["estimate"].tolist() == [w.estimate for w in found.without]
    assert tidy[["statistic", "p_value", "conf_low", "conf_high"]].isna().all(axis=None)
    assert (found.design, found.se_type, found.outcome) == ("SingleGroups", "none", "log(trade)")


def test_a_group_without_which_nothing_is_identified_says_so():
    """Two groups that overlap: without one, the other is a lone star."""
    panel, _, _ = two_sided(seed=3, n_east=9, n_west=10, partners=14)
    for bandwidth in range(60, 500, 20):
        design = tl.SpatialRD(bandwidth_km=bandwidth, direction="west->east")
        try:
            contributing = design.estimate(panel).diagnostics.identification.contributing
        except tl.DesignError:
            continue
        found = SingleGroups(design=design, most=contributing).estimate(panel)
        lonely = [w for w in found.without if np.isnan(w.estimate)]
        if lonely:
            assert found.without[0] == lonely[0]
            return
    pytest.fail("every bandwidth identifies without any group")


def test_single_groups_refuse_what_they_cannot_do():
    with pytest.raises(tl.DesignError, match="at least 1; found 0"):
        SingleGroups(design=tl.SpatialRD(), most=0)
    with pytest.raises(tl.DesignError, match="leave out by='period'"):
        SingleGroups(design=tl.SpatialRD(by="period"))
    with pytest.raises(tl.DesignError, match="absorb all variation in 'partner'"):
        SingleGroups(design=tl.SpatialRD(bandwidth_km=H, control_types=[2, 3])).estimate(world())


def test_both_work_without_sides():
    panel, _ = one_sided()
    design = tl.SpatialRD(bandwidth_km=900)
    assert SameFlows(design=design).estimate(panel).n_obs > 0
    assert len(SingleGroups(design=design).estimate(panel).without) == 5
