"""Stacks against explicit dummies, rows, and themselves without the collapse."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from tradelift.errors import ConvergenceError
from tradelift.solve import RowProblem, fit, stack_existence, stack_newton
from tradelift.solve.stack import StackProblem, fit_stack
from tradelift.solve.stack_blocks import cut_blocks
from tradelift.solve.stack_effects import factor_of, factorize, unit_redundant

CLOSE = {"rtol": 1e-8, "atol": 1e-10}  # two exact methods, rounding of normal equations between them
SCORES = {"rtol": 1e-6, "atol": 1e-9}  # scores are differences: rows stop at 1e-9 of what they sum


def draw(
    seed, family="gaussian", *, t=4, groups=6, cities=7, rows=40, moving=False, missing=0.2, zeros=0.3, offset=False
):
    """A random stack of n rows over T periods."""
    rng = np.random.default_rng(seed)
    group = np.sort(np.r_[np.arange(groups), rng.integers(0, groups, rows - groups)])
    is_partner = np.diff(group, prepend=-1) > 0
    origin, destination = rng.integers(0, cities, rows), rng.integers(0, cities, rows)
    x = rng.normal(size=(3, t if moving else 1, rows))
    x[0] = is_partner
    if moving:
        x[0] *= (rng.random((t, 1)) < 0.7) * rng.uniform(0.5, 1.5, (t, 1))
    index = 0.3 * x[0] + 0.2 * x[1] + rng.normal(size=(t, rows)) * 0.5 + rng.normal(size=(t, 1))
    y = index if family == "gaussian" else rng.poisson(3 * np.exp(index)) * (rng.random((t, rows)) >= zeros) * 1.0
    weights = rng.uniform(0.2, 1.0, rows) * (rng.random((t if missing else 1, rows)) >= missing)
    return StackProblem(
        outcome=y, regressors=x, weights=weights,
        offset=rng.normal(size=(t, rows)) * 0.3 if offset else None,
        effects=(group, origin, destination), pair=rng.integers(0, 25, rows), group=group, is_partner=is_partner,
        family=family, n_pairs=25,
    )  # fmt: skip


def as_rows(problem):
    """The slow, plain twin: one row an observation, effects by period as codes; and where each row stands."""
    t, n = problem.outcome.shape
    weights = np.broadcast_to(problem.weights, (t, n))
    kept = np.flatnonzero(weights.ravel() > 0)
    period, row = np.divmod(kept, n)
    k = len(problem.regressors)
    x = np.broadcast_to(problem.regressors, (k, t, n)).reshape(k, t * n)[:, kept].T
    codes = [np.unique(period * (int(e.max()) + 1) + e[row], return_inverse=True)[1] for e in problem.effects]
    offset = None if problem.offset is None else np.broadcast_to(problem.offset, (t, n)).ravel()[kept]
    twin = RowProblem(
        outcome=problem.outcome.ravel()[kept], regressors=x, weights=weights.ravel()[kept], offset=offset,
        effects=tuple(codes), pair=problem.pair[row], family=problem.family, n_pairs=problem.n_pairs,
    )  # fmt: skip
    return twin, kept


def dummies(codes):
    return np.concatenate([np.eye(int(c.max()) + 1)[c] for c in codes], axis=1)


def separated_by_program(twin):
    """The largest set of zero flows that a combination of dummies and regressors separates, by one linear program."""
    design = np.c_[twin.regressors, dummies(twin.effects)]
    zero = twin.outcome == 0
    m, k = int(zero.sum()), design.shape[1]
    found = linprog(
        np.r_[np.zeros(k), -np.ones(m)],
        A_ub=np.c_[design[zero], np.eye(m)], b_ub=np.zeros(m),
        A_eq=np.c_[design[~zero], np.zeros((len(zero) - m, m))], b_eq=np.zeros(len(zero) - m),
        bounds=[(None, None)] * k + [(0, 1)] * m,
    )  # fmt: skip
    out = np.zeros(len(zero), dtype=bool)
    out[zero] = found.x[k:] > 0.5
    return out


OPTIONS = {
    "fixed": {},
    "complete": {"missing": 0.0},
    "moving": {"moving": True},
    "offset": {"offset": True, "missing": 0.0},
    "one period": {"t": 1, "rows": 60},
    "dense": {"rows": 120, "groups": 8},
}


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_stacks_agree_with_rows(seed, name, family):
    problem = draw(seed, family, **OPTIONS[name])
    got = fit_stack(problem)
    twin, kept = as_rows(problem)
    want = fit(twin)
    assert (got.kept, got.n_obs, got.excluded) == (want.kept, want.n_obs, dict(want.excluded))
    np.testing.assert_allclose(got.coefficients, want.coefficients, **CLOSE)
    np.testing.assert_allclose(got.bread, want.bread, **CLOSE)
    np.testing.assert_allclose(got.scores, want.scores, **SCORES)
    np.testing.assert_allclose(got.meat_rows, want.meat_rows, **SCORES)
    assert got.deviance == pytest.approx(want.deviance, rel=1e-8)
    assert got.total == pytest.approx(want.total, rel=1e-12)
    assert got.mean == pytest.approx(want.mean, rel=1e-12)
    np.testing.assert_array_equal(got.pairs_used, want.pairs_used)
    sample = got.detail[0].sample.ravel()[kept]
    assert got.effect_rank == np.linalg.matrix_rank(dummies(twin.effects)[sample])


@pytest.mark.parametrize("seed", range(4))
def test_ols_is_that_of_dummies(seed):
    problem = draw(seed, moving=seed % 2 == 1)
    got = fit_stack(problem)
    twin, kept = as_rows(problem)
    sample = got.detail[0].sample.ravel()[kept]
    x = np.c_[twin.regressors, dummies(twin.effects)][sample]
    root = np.sqrt(twin.weights[sample])
    beta = np.linalg.lstsq(x * root[:, None], twin.outcome[sample] * root, rcond=1e-10)[0]
    np.testing.assert_allclose(got.coefficients, beta[:3], **CLOSE)
    np.testing.assert_allclose(got.detail[0].fitted.ravel()[kept][sample], x @ beta, **CLOSE)


@pytest.mark.parametrize("seed", range(4))
def test_ppml_solves_the_first_order_conditions_of_dummies(seed):
    problem = draw(seed, "poisson", moving=seed % 2 == 1, offset=True)
    got = fit_stack(problem)
    twin, kept = as_rows(problem)
    sample = got.detail[0].sample.ravel()[kept]
    x = np.c_[twin.regressors, dummies(twin.effects)][sample]
    mu = got.detail[0].fitted.ravel()[kept][sample]
    error = twin.weights[sample] * (twin.outcome[sample] - mu)
    assert np.abs(x.T @ error).max() < 1e-9 * np.abs(x.T @ (twin.weights[sample] * mu)).max()
    index = np.log(mu) - twin.offset[sample] - twin.regressors[sample] @ got.coefficients
    effects = dummies(twin.effects)[sample]
    assert np.abs(index - effects @ np.linalg.lstsq(effects, index, rcond=1e-10)[0]).max() < 1e-7


def test_the_collapse_over_time_is_the_full_stack_and_the_regression_of_means():
    problem = draw(1, missing=0.0, rows=80)
    collapsed = fit_stack(problem)
    assert collapsed.path == "sums"
    full = fit_stack(replace(problem, weights=np.repeat(problem.weights, 4, axis=0)))
    moved = fit_stack(replace(problem, regressors=np.repeat(problem.regressors, 4, axis=1)))
    assert full.path == moved.path == "tensor"
    mean = fit_stack(replace(problem, outcome=problem.outcome.mean(axis=0, keepdims=True)))
    np.testing.assert_allclose(collapsed.coefficients, mean.coefficients, **CLOSE)
    np.testing.assert_allclose(collapsed.bread * 4, mean.bread, **CLOSE)
    for other in (full, moved):
        for name in ("coefficients", "bread", "scores", "meat_rows", "deviance", "total"):
            np.testing.assert_allclose(getattr(collapsed, name), getattr(other, name), **CLOSE)
        assert (collapsed.n_obs, collapsed.effect_rank) == (other.n_obs, other.effect_rank)


def test_means_over_time_are_another_regression_where_the_sample_differs():
    problem = draw(1, missing=0.2, rows=80)
    full = fit_stack(problem)
    there = problem.weights > 0
    mean = np.where(there, problem.outcome, 0).sum(axis=0) / there.sum(axis=0).clip(1)
    collapsed = fit_stack(replace(problem, outcome=mean[None], weights=problem.weights.max(axis=0, keepdims=True)))
    assert abs(full.coefficients - collapsed.coefficients).max() > 0.01
    assert full.path == "tensor"


@pytest.mark.parametrize("seed", range(25))
def test_separated_flows_are_those_of_one_linear_program(seed):
    problem = draw(seed, "poisson", zeros=0.75, rows=30, groups=5, cities=5, t=2, missing=0.1, moving=seed % 2 == 1)
    twin, kept = as_rows(problem)
    wanted = separated_by_program(twin)
    got = fit_stack(problem)
    assert got.excluded["separated"] == wanted.sum()
    left = got.detail[0].sample.ravel()[kept]
    assert not (left & wanted).any()
    assert len(kept) - left.sum() == sum(got.excluded.values())


def test_a_partner_without_any_trade_is_separated_by_the_treatment():
    problem = draw(3, "poisson", missing=0.0, zeros=0.0, rows=80)
    y = problem.outcome + 1
    y[:, problem.is_partner] = 0
    problem = replace(problem, outcome=y)
    twin, _ = as_rows(problem)
    got = fit_stack(problem)
    assert got.excluded["separated"] == separated_by_program(twin).sum() == 4 * problem.is_partner.sum()
    assert 0 not in got.kept


def test_a_search_that_would_be_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(stack_existence, "MOST_ZEROS", 3)
    problem = draw(3, "poisson", missing=0.0, zeros=0.0, rows=80)
    y = problem.outcome + 1
    y[:, problem.is_partner] = 0
    with pytest.raises(ConvergenceError, match=r"Whether 24 zero flows of the stack are separated .* at most 3"):
        fit_stack(replace(problem, outcome=y))


def test_scores_are_summed_by_groups():
    problem = draw(2)
    by_group, by_period = problem.group[None], np.repeat(np.arange(4)[:, None], 40, axis=1)
    got = fit_stack(problem, (by_group, by_period))
    scores = got.detail[0].net * np.where(
        got.detail[0].sample, problem.weights * (problem.outcome - got.detail[0].fitted), 0
    )
    for g in range(6):
        np.testing.assert_allclose(
            got.group_scores[0][g], scores[:, :, problem.group == g].sum(axis=(1, 2)), atol=1e-12
        )
    np.testing.assert_allclose(got.group_scores[1], scores.sum(axis=2).T, atol=1e-12)
    np.testing.assert_allclose(got.scores.sum(axis=0), got.group_scores[0].sum(axis=0), atol=1e-12)


def test_regressors_that_the_effects_explain_are_left_out():
    problem = draw(2, missing=0.0)
    x = problem.regressors.copy()
    x[1, 0] = np.arange(7.0)[problem.effects[1]] - 2 * problem.group  # a sum of effects
    x = np.concatenate([x, x[2:] * 3])
    got = fit_stack(replace(problem, regressors=x))
    assert got.kept == (0, 2)
    poisson = fit_stack(replace(draw(2, "poisson", missing=0.0), regressors=x))
    assert poisson.kept == (0, 2)


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_nothing_left_and_no_regressors(family):
    problem = draw(2, family)
    empty = fit_stack(replace(problem, weights=np.zeros_like(problem.weights)))
    assert (empty.n_obs, empty.kept, empty.effect_rank) == (0, (), 0)
    plain = fit_stack(replace(problem, regressors=problem.regressors[:0]))
    want = fit(as_rows(replace(problem, regressors=problem.regressors[:0]))[0])
    assert plain.n_obs == want.n_obs
    assert plain.deviance == pytest.approx(want.deviance, rel=1e-8)


@pytest.mark.parametrize("effects", [1, 2])
def test_fewer_effects(effects):
    for family in ("gaussian", "poisson"):
        problem = draw(5, family)
        problem = replace(problem, effects=problem.effects[:effects])
        got, want = fit_stack(problem), fit(as_rows(problem)[0])
        assert (got.n_obs, dict(got.excluded)) == (want.n_obs, dict(want.excluded))
        np.testing.assert_allclose(got.coefficients, want.coefficients, **CLOSE)
        np.testing.assert_allclose(got.bread, want.bread, **CLOSE)


def test_blocks_share_no_effect_and_hold_every_row():
    rng = np.random.default_rng(1)
    part = rng.integers(0, 40, 600)
    effects = [part * 5 + rng.integers(0, 5, 600) for _ in range(3)]
    blocks = cut_blocks(effects, np.arange(600))
    assert sorted(np.concatenate([b.rows for b in blocks])) == list(range(600))
    assert 1 < len(blocks) < 40
    for codes in effects:
        held = [set(codes[b.rows]) for b in blocks]
        assert sum(map(len, held)) == len(set().union(*held))


def test_a_factor_knows_its_rank_and_says_when_columns_are_redundant():
    problem = draw(7, rows=60)
    (block,) = cut_blocks(problem.effects, np.arange(60))
    redundant = unit_redundant(block, np.ones(60, dtype=bool))
    z = dummies([c[block.rows] for c in problem.effects])
    assert factor_of(block, np.ones(60), redundant).rank == np.linalg.matrix_rank(z)
    few = np.zeros(60)
    few[:12] = 1.0
    assert factorize(block, few, redundant) is None
    assert factor_of(block, few, redundant).rank == np.linalg.matrix_rank(z[:12])


def test_weights_of_very_different_size():
    problem = draw(4, rows=80, missing=0.0)
    weights = problem.weights * 10.0 ** np.random.default_rng(0).integers(-6, 1, 80)
    problem = replace(problem, weights=weights)
    got, twin = fit_stack(problem), as_rows(problem)[0]
    root = np.sqrt(twin.weights)
    x = np.c_[twin.regressors, dummies(twin.effects)]
    beta = np.linalg.lstsq(x * root[:, None], twin.outcome * root, rcond=1e-12)[0]
    np.testing.assert_allclose(got.coefficients, beta[:3], rtol=1e-6)  # the condition of the weights
    with pytest.raises(ConvergenceError, match="effects of the stack cannot be solved to working precision"):
        fit_stack(replace(problem, weights=problem.weights * 10.0 ** np.linspace(-160, 140, 80)))


def test_ppml_that_does_not_converge_is_refused(monkeypatch):
    monkeypatch.setattr(stack_newton, "MAX_STEPS", 2)
    with pytest.raises(ConvergenceError, match="PPML did not converge: after 2 steps the score of regressor 1"):
        fit_stack(draw(1, "poisson", rows=80))
