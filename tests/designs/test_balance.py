"""The balance of covariates against the design on each of them, a joint test by hand, and plain means."""

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tradelift.covariance.schemes import clustered
from tradelift.designs.spatial import near_pairs
from tradelift.designs.spatial.balance import Balance
from tradelift.designs.spatial.covariates import pair_covariates

H = 500
SAME = 1e-9  # two ways to one least squares


def world(*, gaps=False, periods=2):
    """A panel with traits of regions and columns of pairs."""
    panel, frame, _ = two_sided(seed=3, n_east=9, n_west=10, partners=14, periods=periods)
    ids = panel.regions.ids
    rng = np.random.default_rng(4)
    regions = pd.DataFrame(
        {
            "region": ids, "side": np.array(panel.regions.sides)[panel.regions.side], "group": panel.regions.group,
            "longitude": panel.regions.longitude, "latitude": panel.regions.latitude,
            "gdp": rng.lognormal(size=len(ids)), "motto": "text",
        }
    )  # fmt: skip
    both = pd.MultiIndex.from_product([[i for i in ids if i[0] == s] for s in "ew"], names=["east", "west"])
    pairs = both.to_frame(index=False).assign(migrants=rng.lognormal(size=len(both)), kin=rng.normal(size=len(both)))
    pairs["same"] = 1.0
    if gaps:
        pairs.loc[::7, "kin"] = np.nan
    partners = pd.DataFrame({"east": ids[panel.programme.first], "west": ids[panel.programme.second]})
    names = ["origin", "destination", "period", "trade", "shock"]
    return tl.Panel.from_frame(frame[names], regions=regions, partners=partners, pairs=pairs)


@pytest.mark.parametrize("effects", [None, ["group^period"]])
@pytest.mark.parametrize("direction", ["both", "west->east"])
def test_a_covariate_is_compared_as_the_design_compares_an_outcome(effects, direction):
    panel = world()
    design = tl.SpatialRD(bandwidth_km=H, effects=effects, direction=direction)
    found = Balance(design=design).estimate(panel)
    tidy = found.tidy().set_index("term")
    spread = {c.name: c.spread for c in found.covariates}
    for name in ("log(distance_km)", "migrants", "kin"):
        alone = tl.SpatialRD(
            outcome=name, family="gaussian", controls=[], bandwidth_km=H, effects=effects, direction=direction,
            where={"period": "2017-01"},
        ).estimate(panel)  # fmt: skip
        assert tidy.loc[name, "estimate"] * spread[name] == pytest.approx(alone.coefficients[0], rel=SAME, abs=SAME)
        assert tidy.loc[name, "std_error"] * spread[name] == pytest.approx(alone.std_errors[0], rel=SAME)
    assert found.n_obs == alone.n_obs
    assert (found.design, found.direction, found.se_type) == ("Balance", direction, "max-two-way")


def test_effects_of_regions_explain_their_traits_and_those_of_groups_do_not():
    panel = world()
    found = Balance(design=tl.SpatialRD(bandwidth_km=H)).estimate(panel)
    absorbed = [c.name for c in found.covariates if c.absorbed]
    assert absorbed == [f"{t}[{s}]" for t in ("gdp", "longitude", "latitude") for s in ("east", "west")]
    assert found.estimate.terms == ("log(distance_km)", "migrants", "kin")
    assert found.constant == ("same",)
    groups = Balance(design=tl.SpatialRD(bandwidth_km=H, effects=["group^period"])).estimate(panel)
    assert len(groups.estimate.terms) == 9
    # nine covariates by nine regions a side: the test says that some restrictions fell away
    assert groups.test.clipped == (groups.test.restrictions < 9)


def test_means_and_spread_are_those_of_the_weighted_rows():
    panel = world()
    found = Balance(design=tl.SpatialRD(bandwidth_km=H, direction="west->east")).estimate(panel)
    near = near_pairs(panel, tl.SpatialRD(bandwidth_km=H).near, "west->east")
    values = panel.pairs.columns["migrants"][near.pair]
    own, other = values[near.is_partner], values[~near.is_partner]
    weight = near.weight[~near.is_partner]
    mean = (weight * other).sum() / weight.sum()
    variance = (weight * (other - mean) ** 2).sum() / weight.sum()
    one = next(c for c in found.covariates if c.name == "migrants")
    assert one.partners == pytest.approx(own.mean(), rel=SAME)
    assert one.controls == pytest.approx(mean, rel=SAME)
    assert one.spread == pytest.approx(np.sqrt((own.var() + variance) / 2), rel=SAME)
    among = panel.pair_direction("west->east")
    listed = panel.pairs.partnership >= 0
    every = panel.pairs.columns["migrants"]
    apart = every[among & listed].mean() - every[among & ~listed].mean()
    assert one.everywhere == pytest.approx(apart / one.spread, rel=SAME)


def test_the_joint_test_stacks_the_scores():
    """F of two covariates from the influence of each pair in both equations, clustered by hand."""
    panel = world()
    design = tl.SpatialRD(bandwidth_km=H, vcov="pair")
    found = Balance(design=design, without=["kin", "gdp"]).estimate(panel)
    assert found.estimate.terms == ("log(distance_km)", "migrants")
    columns, values = [], []
    for name in found.estimate.terms:
        alone = tl.SpatialRD(
            outcome=name, family="gaussian", controls=[], bandwidth_km=H, where={"period": "2017-01"}, vcov="pair"
        ).estimate(panel)
        columns.append(alone.influence.pairs[:, 0])
        values.append(alone.coefficients[0])
    dyad = panel.pairs.dyad
    count = len(np.unique(dyad[alone.influence.dyads.used]))
    n, k = alone.n_obs, alone.influence.rank
    matrix = clustered(np.stack(columns, axis=1), (dyad,)) * count / (count - 1) * (n - 1) / (n - k)
    b = np.array(values)
    assert found.test.statistic == pytest.approx(b @ np.linalg.solve(matrix, b) / 2, rel=1e-7)
    assert found.test.restrictions == 2


def test_other_covariances_have_their_off_diagonals():
    """Two covariates that are one: every covariance of both is that of one, in each place."""
    panel = world()
    found = Balance(design=tl.SpatialRD(bandwidth_km=H), named=["kin", "kin:same"]).estimate(panel)
    place = [found.estimate.terms.index(name) for name in ("kin", "kin:same")]
    for scheme in ("none", "robust", "pair", "dyadic"):
        matrix = found.estimate.with_vcov(scheme).covariance[np.ix_(place, place)]
        np.testing.assert_allclose(matrix, matrix[0, 0], rtol=1e-8)
    alone = tl.SpatialRD(
        outcome="kin", family="gaussian", controls=[], bandwidth_km=H, where={"period": "2017-01"}
    ).estimate(panel)
    spread = next(c.spread for c in found.covariates if c.name == "kin")
    for scheme in ("none", "robust"):
        own = found.estimate.with_vcov(scheme).std_errors[place[0]] * spread
        assert own == pytest.approx(alone.with_vcov(scheme).std_errors[0], rel=1e-8)


def test_rows_without_a_value_are_counted_and_take_their_group_with_them():
    panel = world(gaps=True)
    found = Balance(design=tl.SpatialRD(bandwidth_km=H)).estimate(panel)
    near = near_pairs(panel, tl.SpatialRD(bandwidth_km=H).near)
    known = np.isfinite(panel.pairs.columns["kin"][near.pair])
    lost = ~known | ~known[near.is_partner][near.group]
    one = {c.name: c for c in found.covariates}
    assert one["kin"].missing == lost.sum() > (~known).sum()
    assert one["migrants"].missing == 0


def test_covariates_are_named_columns_pairs_and_traits_by_side():
    panel = world()
    found = pair_covariates(panel, named=["log(migrants)", "shock"], without=["gdp"])
    assert list(found) == [
        "log(migrants)", "shock", "log(distance_km)", "kin", "same", "longitude[east]", "longitude[west]",
        "latitude[east]", "latitude[west]",
    ]  # fmt: skip
    frame = pd.DataFrame({"pair": panel.pair_of_cell, "shock": panel.column("shock")})
    np.testing.assert_allclose(found["shock"], frame.groupby("pair")["shock"].mean().to_numpy(), rtol=1e-12)
    west = [i for i, side in enumerate(panel.regions.side) if side == 1]
    for pair in range(len(panel.pairs)):
        ends = (panel.pairs.origin[pair], panel.pairs.destination[pair])
        here = next(end for end in ends if end in west)
        assert found["longitude[west]"][pair] == panel.regions.longitude[here]


def test_without_sides_traits_stand_by_origin_and_destination():
    panel, _ = one_sided()
    found = Balance(design=tl.SpatialRD(bandwidth_km=900)).estimate(panel)
    assert [c.name for c in found.covariates] == [
        "log(distance_km)", "longitude[origin]", "longitude[destination]", "latitude[origin]", "latitude[destination]",
    ]  # fmt: skip
    assert found.estimate.terms == ("log(distance_km)",)


def test_nothing_to_balance_is_refused():
    panel = world()
    names = ["distance_km", "migrants", "kin", "gdp", "longitude", "latitude"]
    with pytest.raises(tl.DesignError, match=r"No covariate differs between near pairs \(same\)"):
        Balance(design=tl.SpatialRD(bandwidth_km=H), without=names).estimate(panel)
    with pytest.raises(tl.DesignError, match="knows nothing of its pairs or regions"):
        Balance(design=tl.SpatialRD(bandwidth_km=H), without=[*names, "same"]).estimate(panel)
    with pytest.raises(tl.DesignError, match="absorb all variation in 'partner'"):
        Balance(design=tl.SpatialRD(bandwidth_km=H, control_types=[2, 3])).estimate(panel)


def test_where_the_effects_explain_every_covariate_there_is_no_test():
    names = ["distance_km", "migrants", "kin", "same"]
    found = Balance(design=tl.SpatialRD(bandwidth_km=H), without=names).estimate(world())
    assert found.test is None
    assert len(found.tidy()) == 0
    assert all(c.absorbed for c in found.covariates)
