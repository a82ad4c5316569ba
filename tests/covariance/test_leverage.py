"""Influence of pairs as if they had not been fitted, against hat matrices written out, and what designs do with it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import qr

import tradelift as tl
from tests.covariance.brute_force import Observations, dummies
from tests.designs.panels import two_sided
from tests.solve.problems import dense, in_rows
from tradelift.covariance.leverage import left_out, leverage
from tradelift.covariance.linear import ALONE
from tradelift.designs.comparison import fitted
from tradelift.designs.subset import with_terms
from tradelift.inference import Mediation, Parted, joint
from tradelift.inference.derived import derive
from tradelift.solve import fit

EXACT = {"rtol": 1e-7, "atol": 1e-9}  # the same fit by blocks and by rows
RANK = 1e-9  # of columns of length one: what others explain is shorter
PERIODS = 0.05  # of an error by pair: what taking all periods together may change where weights differ by period
ROUGH = 0.05  # a leverage may be off by, where thirty observations share an effect
ALIKE = 0.25  # errors of a difference and of a product that it is up to rounding by OLS, and nearly by PPML
EFFECTS = ("origin^period", "destination^period", "origin^destination")


def hat(mass, z):
    """Leverage of each row through the columns z, by the whole projection."""
    root = np.sqrt(mass)[:, None] * z
    return np.diag(root @ np.linalg.pinv(root, rcond=1e-11))


@pytest.mark.parametrize("levels", [(9,), (9, 7), (12, 5, 6)])
def test_leverage_of_effects_is_the_diagonal_of_the_projection(levels):
    rng = np.random.default_rng(3)
    codes = [rng.integers(0, n, 80) * 10 for n in levels]
    mass = rng.exponential(size=80)
    mass[:5] = 0
    found = leverage(mass, codes)
    there = mass > 0
    z = np.concatenate([dummies(c[there]) for c in codes], axis=1)
    np.testing.assert_allclose(found[there], hat(mass[there], z), **EXACT)
    assert not found[~there].any()


@pytest.mark.parametrize("seed", range(4))
def test_effects_that_others_explain_whole_have_no_leverage_of_their_own(seed):
    """As in stacks, where rows of a group share its period and few flows weigh most: rounding is not to count."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 60, 600)
    codes = [group, 3 * group + rng.integers(0, 3, 600), rng.integers(0, 25, 600)]
    codes[2][group < 20] = 25 + group[group < 20]  # these stand in one group alone
    mass = np.exp(rng.normal(scale=4.0, size=600))
    root = np.sqrt(mass)[:, None] * np.concatenate([dummies(c) for c in codes], axis=1)
    q, r, _ = qr(root / np.linalg.norm(root, axis=0), mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(r)) > RANK).sum())
    np.testing.assert_allclose(leverage(mass, codes), (q[:, :rank] ** 2).sum(axis=1), **EXACT)


def test_large_effects_count_one_by_one(monkeypatch):
    rng = np.random.default_rng(3)
    codes, mass = [rng.integers(0, 30, 900) for _ in range(2)], rng.exponential(size=900)
    exact = leverage(mass, codes)
    monkeypatch.setattr("tradelift.covariance.leverage.LARGE", 10)
    np.testing.assert_allclose(leverage(mass, codes), exact, atol=ROUGH)


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("options", [{}, {"missing": 0.2, "weights": True}, {"mean": 0.4}])
def test_in_one_period_residuals_are_over_the_root_of_one_less_the_leverage(family, options):
    """Each pair is one observation, so that (I - H)^(-1/2) is a number."""
    problem = dense(5, family, shape=(1, 8, 7), blocks=1, **options)
    rows = in_rows(problem)
    o = Observations(rows)
    mass = o.mass if family == "poisson" else np.ones(len(o.mass)) if rows.weights is None else rows.weights
    mass = mass if family == "poisson" else mass[o.found.detail[0].sample]
    z = np.concatenate([o.x, *(dummies(codes) for codes in o.effects)], axis=1)
    left = 1 - hat(mass, z)
    root = np.divide(1, np.sqrt(left), out=np.zeros_like(left), where=left > ALONE)
    expected = np.zeros((problem.n_pairs, o.x.shape[1]))
    expected[o.pair] = o.x * (o.score * root)[:, None] @ o.found.bread
    for one in (problem, rows):
        np.testing.assert_allclose(left_out(one, fit(one, detail=True)), expected, **EXACT)


def test_periods_together_are_near_each_by_itself():
    """By rows every period has its own leverage."""
    problem = dense(2, shape=(4, 14, 12), mean=4.0)
    rows = in_rows(problem)
    together, apart = (left_out(one, fit(one, detail=True)) for one in (problem, rows))
    errors, expected = (np.sqrt((values**2).sum(axis=0)) for values in (together, apart))
    np.testing.assert_allclose(errors, expected, rtol=PERIODS)
    assert not np.allclose(together, apart, rtol=1e-6)


def test_a_stack_in_one_period_is_that_of_its_rows_written_out():
    panel, _, _ = two_sided(periods=1, partners=8)
    design = tl.SpatialRD(outcome="trade", family="poisson", bandwidth_km=700, direction="west->east")
    comparison = design.compare(panel)
    problem, found = comparison.problem, fitted(comparison, design)
    (part,) = found.detail
    used = part.sample[0]
    w = np.broadcast_to(problem.weights, part.sample.shape)[0, used]
    mass, error = w * part.fitted[0, used], w * (problem.outcome[0, used] - part.fitted[0, used])
    factor = 1 - hat(mass, np.concatenate([dummies(codes[used]) for codes in problem.effects], axis=1))
    factor = np.divide(1, factor, out=np.zeros_like(factor), where=factor > ALONE)
    x, pair = part.net[:, 0, used].T, problem.pair[used]
    values, vectors = np.linalg.eigh(np.linalg.inv(found.bread))
    half, back = vectors * np.sqrt(values) @ vectors.T, vectors / np.sqrt(values) @ vectors.T
    expected = np.zeros((problem.n_pairs, x.shape[1]))
    for p in np.unique(pair):
        own = pair == p
        score = (x[own] * (error * np.sqrt(factor))[own, None]).sum(axis=0)
        spread = back @ (x[own].T @ (x[own] * (mass * factor)[own, None])) @ back
        own_values, own_vectors = np.linalg.eigh(spread)
        keep = 1 - own_values
        root = np.divide(1, np.sqrt(keep.clip(1e-300)), out=np.zeros_like(keep), where=keep > ALONE)
        expected[p] = half @ (own_vectors * root @ own_vectors.T) @ back @ score @ found.bread
    np.testing.assert_allclose(left_out(problem, found), expected, **EXACT)


def test_errors_of_ppml_grow_and_others_can_still_be_asked_for():
    panel, _, _ = two_sided()
    plain = tl.Gravity(vcov="pair").estimate(panel)
    found = tl.Gravity(vcov="pair", correction="leverage").estimate(panel)
    np.testing.assert_allclose(found.coefficients, plain.coefficients, rtol=1e-12)
    assert (found.std_errors > plain.std_errors).all()
    assert (found.std_errors < 1.5 * plain.std_errors).all()
    np.testing.assert_allclose(found.with_vcov("pair", "clusters").std_errors, plain.std_errors, rtol=1e-8)
    assert found.with_vcov("dyadic").correction == "leverage"


def test_it_goes_with_joint_and_derived_estimates():
    panel, _, _ = two_sided()
    design = tl.Gravity(vcov="max-two-way", correction="leverage")
    alone = design.estimate(panel)
    both = joint({"one": alone, "same": alone})
    np.testing.assert_allclose(np.diag(both.covariance), np.tile(np.diag(alone.covariance), 2), rtol=1e-10)
    double = derive(alone, ["twice"], 2 * alone.coefficients[:1], np.array([[2.0, 0.0]]))
    np.testing.assert_allclose(double.std_errors, 2 * alone.std_errors[:1], rtol=1e-10)
    parts = Parted(design=design, by="period").estimate(panel)
    first = Parted(design=design, by="direction").estimate(panel)
    assert np.isfinite(np.r_[parts.std_errors, first.std_errors]).all()
    plain = tl.Gravity(vcov="max-two-way").estimate(panel)
    assert joint({"one": plain}).influence.left_out is None


@pytest.mark.parametrize("vcov", ["none", "robust", "jackknife", ["pair_name"]])
def test_it_is_of_pairs(vcov):
    with pytest.raises(tl.DesignError, match="correction='leverage' is for"):
        tl.Gravity(vcov=vcov, correction="leverage")


def test_it_needs_the_data():
    panel, _, _ = two_sided()
    with pytest.raises(tl.DesignError, match="estimate again with correction='leverage'"):
        tl.Gravity(vcov="pair").estimate(panel).with_vcov("pair", "leverage")


def test_effects_of_pairs_over_periods_are_refused():
    panel, _, _ = two_sided(start=["2017-02", "2017-03"] * 6)
    for effects in (EFFECTS, ("origin", "destination")):
        design = tl.Gravity(effects=effects, controls=[], vcov="pair", correction="leverage")
        with pytest.raises(tl.DesignError, match="effects that live within a period"):
            design.estimate(panel)


def test_a_small_difference_of_fits_has_the_leverage_of_one_of_them():
    """A mediator that does nothing hardly moves the effect; two leverages would be a noise beside it."""
    panel, _, _ = two_sided(partners=8)
    design = tl.SpatialRD(outcome="trade", family="poisson", bandwidth_km=900, correction="leverage")
    found = Mediation(design=design, mediators=("shock",)).estimate(panel).estimate
    errors = dict(zip(found.terms, found.std_errors, strict=True))
    assert errors["mediated"] == pytest.approx(errors["mediated[shock]"], rel=ALIKE)
    comparison = replace(design, controls=("log(distance_km)", "shock")).compare(panel)
    every, few = fitted(comparison, design), with_terms(comparison, ("partner", "log(distance_km)"))
    without = fitted(few, design)
    total = found.with_vcov("pair").influence.left_out[:, found.terms.index("total")]
    np.testing.assert_allclose(total, left_out(few.problem, without, every)[:, 0], **EXACT)
    assert not np.allclose(total, left_out(few.problem, without)[:, 0], rtol=1e-4)
