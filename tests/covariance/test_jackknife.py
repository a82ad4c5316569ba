"""The delete-one-region jackknife against estimates on panels without the region."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.covariance.brute_force import dyads_of
from tests.designs.panels import one_sided, two_sided
from tests.solve.problems import dense, in_rows
from tradelift.covariance import Deleted, Dyads, covariance, without_each
from tradelift.covariance.jackknife import jackknife
from tradelift.solve import fit

SAME = {"rtol": 1e-7, "atol": 1e-9}  # two solvers' coefficients


def by_hand(coefficients):
    """(G-1)/G times the outer products about the mean, one after the other."""
    b = np.asarray(coefficients)
    total = sum(np.outer(one - b.mean(axis=0), one - b.mean(axis=0)) for one in b)
    return total * (len(b) - 1) / len(b)


@pytest.mark.parametrize("outcome", ["trade", "log(trade)"])
@pytest.mark.parametrize(("make", "options"), [(two_sided, {"missing": 0.1}), (two_sided, {}), (one_sided, {})])
def test_equals_pyfixest_without_each_region(outcome, make, options):
    import pyfixest as pf

    panel = make(seed=3, **options)[0]
    frame = panel.to_arrow().to_pandas()
    frame["op"], frame["dp"] = frame["origin"] + frame["period"].astype(str), frame["destination"] + frame["period"]
    frame = frame[(frame["distance_km"] > 0) & (frame["trade"] > 0 if outcome != "trade" else True)]
    frame["log_distance"] = np.log(frame["distance_km"])
    left, estimate = ("trade", pf.fepois) if outcome == "trade" else ("np.log(trade)", pf.feols)
    coefficients = []
    for region in panel.regions.ids:
        rest = frame[(frame["origin"] != region) & (frame["destination"] != region)]
        coefficients.append(estimate(f"{left} ~ partner + log_distance | op + dp", rest).coef().to_numpy())
    got = tl.Gravity(outcome=outcome, vcov="jackknife").estimate(panel)
    np.testing.assert_allclose(got.influence.deleted.coefficients, coefficients, rtol=1e-6)
    np.testing.assert_allclose(got.covariance, by_hand(coefficients), rtol=1e-5)
    assert (got.dof, got.diagnostics.clusters) == (len(panel.regions) - 1, (len(panel.regions),))
    assert got.se_type == "jackknife"


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("options", [{}, {"missing": 0.2, "weights": True, "offset": True}, {"moving": True}])
def test_blocks_and_rows_are_cut_alike(family, options):
    problem = dense(2, family, **options)
    rows = in_rows(problem, 5)
    found = fit(problem)
    dyads = dyads_of(problem.pieces[0].pair.shape, problem.n_pairs, found.pairs_used)
    one, other = (without_each(p, dyads, found.kept) for p in (problem, rows))
    np.testing.assert_array_equal(one.lost, other.lost)
    assert len(one.coefficients) == 28 - len(one.lost)
    np.testing.assert_allclose(one.coefficients, other.coefficients, **SAME)


def test_a_region_that_is_origin_and_destination_of_one_block():
    problem = dense(4, blocks=1, shape=(3, 7, 7), diagonal=False)
    pair = np.arange(49)
    found = fit(problem)
    dyads = Dyads(
        origin=pair // 7, destination=pair % 7, dyad=pair, used=found.pairs_used, side=None, group=None
    )  # fmt: skip
    got = without_each(problem, dyads, found.kept)
    rows = in_rows(problem)
    for region in range(7):
        rest = (rows.pair // 7 != region) & (rows.pair % 7 != region)
        alone = replace(
            rows, outcome=rows.outcome[rest], regressors=rows.regressors[rest], pair=rows.pair[rest],
            weights=rows.weights[rest],
            effects=tuple(np.unique(e[rest], return_inverse=True)[1] for e in rows.effects),
        )  # fmt: skip
        np.testing.assert_allclose(got.coefficients[region], fit(alone).coefficients, **SAME)


def test_with_pair_effects():
    panel, frame, chosen = two_sided(seed=4, n_east=5, n_west=6, partners=6, periods=3)
    effects = ["origin^period", "destination^period", "origin^destination"]
    design = tl.Gravity(treatment="shock", controls=[], effects=effects, vcov="jackknife")
    got = design.estimate(panel).influence.deleted.coefficients
    for one, region in zip(got, panel.regions.ids, strict=True):
        rest = frame[(frame["origin"] != region) & (frame["destination"] != region)]
        alone = replace(design, vcov="pair").estimate(tl.Panel.from_frame(rest))
        np.testing.assert_allclose(one, alone.coefficients, **SAME)


def test_regions_that_identify_the_treatment_alone_are_named():
    rng = np.random.default_rng(5)
    ids = [f"r{i}" for i in range(8)]
    frame = pd.DataFrame(
        [(a, b, t, float(rng.poisson(9) + 1)) for t in range(3) for a in ids for b in ids if a != b],
        columns=["origin", "destination", "period", "trade"],
    )
    panel = tl.Panel.from_frame(frame, partners=pd.DataFrame({"one": ["r2"], "other": ["r6"]}))
    got = tl.Gravity(vcov="jackknife").estimate(panel)
    assert got.diagnostics.clusters == (6,)
    assert got.dof == 5
    note = "The jackknife leaves out 2 of 8 regions, without whose flows a coefficient is not identified: r2, r6."
    assert got.diagnostics.notes == (note,)
    assert note in str(got)


def test_too_few_regions_are_refused():
    deleted = Deleted(coefficients=np.zeros((1, 2)), lost=np.array([3, 4]))
    with pytest.raises(tl.DesignError, match="needs two regions that can be left out; found 1, and 2 without"):
        jackknife(deleted)
    star = dense(1, blocks=1, shape=(2, 1, 5))
    found = fit(star)
    dyads = Dyads(
        origin=np.zeros(5, int), destination=np.arange(1, 6), dyad=np.arange(5), used=np.ones(5, bool), side=None,
        group=None,
    )  # fmt: skip
    assert len(without_each(star, dyads, (0,)).coefficients) == 0
    assert len(without_each(in_rows(star), dyads, (0,)).coefficients) == 0
    assert found.kept == ()


def test_another_covariance_and_back():
    panel = two_sided()[0]
    estimate = tl.Gravity(vcov="jackknife").estimate(panel)
    back = estimate.with_vcov("pair").with_vcov("jackknife")
    np.testing.assert_array_equal(back.covariance, estimate.covariance)
    for correction in ("none", "full"):  # it has its own factor
        np.testing.assert_array_equal(covariance(estimate.influence, "jackknife", correction).matrix, back.covariance)
    with pytest.raises(tl.DesignError, match="estimate again with vcov='jackknife'"):
        tl.Gravity().estimate(panel).with_vcov("jackknife")


def test_noise_of_pairs_counts_twice_and_shocks_of_regions_once():
    # a mean over all pairs: exact up to the order of one over the regions
    rng = np.random.default_rng(1)
    n = 60
    i, j = np.triu_indices(n, 1)
    ratios = {"pairs": [], "regions": []}
    for _ in range(200):
        shock = rng.normal(size=n)
        for name, y in (("pairs", rng.normal(size=len(i))), ("regions", shock[i] + shock[j])):
            without = np.array([[y[(i != r) & (j != r)].mean()] for r in range(n)])
            truth = 1 / len(i) if name == "pairs" else 4 / n
            variance = jackknife(Deleted(coefficients=without, lost=np.zeros(0, int)))[0, 0]
            ratios[name].append(variance / truth)
    assert np.mean(ratios["pairs"]) == pytest.approx(2, rel=0.08)
    assert np.mean(ratios["regions"]) == pytest.approx(1, rel=0.08)
