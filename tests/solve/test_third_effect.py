"""A third effect, of the pairs, beside those by period: blocks against explicit dummies and against rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solve.problems import dense, in_rows, with_dummies
from tests.solve.test_fit import solvable_rows
from tradelift.solve import DenseProblem, fit
from tradelift.solve.block_rows import fit_as_rows

SAME = {"rtol": 1e-8, "atol": 1e-9}  # between two exact solvers

CASES = {
    "complete": {},
    "gaps": {"missing": 0.1},
    "weights": {"weights": True},
    "offset": {"offset": True},
    "one-sided": {"shape": (5, 6, 6), "diagonal": False, "blocks": 1},
    "one block": {"shape": (7, 7, 5), "blocks": 1},
}


def three_way(seed, family="poisson", *, shared=False, **options):
    """Regressors that move, and pair effects of their own in each direction or shared by two blocks."""
    problem = dense(seed, family, moving=True, **({"shape": (5, 6, 5), "mean": 8.0} | options))
    first = problem.pieces[0].pair
    pieces = [replace(p, regressors=p.regressors[2:], group=first if shared else p.pair) for p in problem.pieces]
    return replace(problem, pieces=tuple(pieces))


def rows_of(problem, seed=None):
    rows = in_rows(problem, seed)
    code = {}
    for piece in problem.pieces:
        code |= dict(zip(piece.pair.ravel().tolist(), piece.group.ravel().tolist(), strict=True))
    third = np.unique([code[p] for p in rows.pair.tolist()], return_inverse=True)[1]
    return replace(rows, effects=(*rows.effects, third))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("name", CASES)
def test_blocks_equal_explicit_dummies(name, family, shared):
    problem = three_way(3, family, shared=shared, **CASES[name])
    rows = rows_of(problem)
    used, separated = solvable_rows(rows)
    got = fit(problem)
    beta, bread, scores, _ = with_dummies(rows, used)
    np.testing.assert_allclose(got.coefficients, beta, **SAME)
    np.testing.assert_allclose(got.bread, bread, rtol=1e-7)
    np.testing.assert_allclose(got.scores, scores, rtol=1e-6, atol=1e-7 * np.abs(scores).max())
    assert got.n_obs == used.sum()
    assert got.excluded["separated"] == separated
    assert got.path == "tensor"


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("name", CASES)
def test_blocks_equal_rows(name, family):
    problem = three_way(5, family, **CASES[name])
    one, two = fit(problem, detail=True), fit(rows_of(problem, seed=9))
    np.testing.assert_allclose(two.coefficients, one.coefficients, **SAME)
    for field in ("bread", "meat_rows", "scores"):
        a, b = getattr(one, field), getattr(two, field)
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6 * np.abs(a).max())
    assert (one.n_obs, one.excluded, one.effect_rank) == (two.n_obs, two.excluded, two.effect_rank)
    assert two.deviance == pytest.approx(one.deviance, rel=1e-8)
    fallback = fit_as_rows(problem, (), detail=True)
    for mine, theirs in zip(one.detail, fallback.detail, strict=True):
        assert (mine.sample == theirs.sample).all()
        np.testing.assert_allclose(mine.fitted[mine.sample], theirs.fitted[mine.sample], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(mine.net[:, mine.sample], theirs.net[:, mine.sample], rtol=1e-5, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 3.0), st.floats(0.0, 0.4))
def test_sparse_panels_lose_what_brute_force_says(seed, mean, missing):
    problem = three_way(seed, mean=mean, missing=missing, shape=(3, 4, 4), blocks=1)
    weights = problem.pieces[0].weights
    traded = problem.pieces[0].outcome * (1.0 if weights is None else weights)
    if not traded.any():
        return
    used, separated = solvable_rows(rows_of(problem))
    got = fit(problem)
    assert got.excluded["separated"] == separated
    assert got.n_obs == used.sum()


def test_groups_are_summed_and_collinear_regressors_left_out():
    problem = three_way(2)
    pieces = [replace(p, regressors=np.concatenate([p.regressors, 2 * p.regressors + 1])) for p in problem.pieces]
    wide = DenseProblem(pieces=tuple(pieces), family="poisson", n_pairs=problem.n_pairs)
    groups = tuple(np.broadcast_to(np.arange(5)[:, None, None], p.outcome.shape) for p in problem.pieces)
    narrow, both = fit(problem, groups=(groups,)), fit(wide, groups=(groups,))
    assert both.kept == (0,)
    np.testing.assert_allclose(both.coefficients, narrow.coefficients, **SAME)
    np.testing.assert_allclose(both.group_scores[0], narrow.group_scores[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_half_the_flows_zero_are_settled_by_cubes(seed):
    problem = three_way(seed, mean=0.8, shape=(8, 9, 8), blocks=1)
    zeros = np.mean([(p.outcome == 0).mean() for p in problem.pieces])
    used, separated = solvable_rows(rows_of(problem))
    got = fit(problem)
    assert zeros > 0.4
    assert got.path == "tensor"
    assert got.excluded["separated"] == separated
    assert got.n_obs == used.sum()
