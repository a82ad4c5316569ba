"""Rows with one, two and three effects against linear programs and explicit dummies."""

from dataclasses import replace

import numpy as np
import pytest

from tests.solve.problems import dense, in_rows, with_dummies
from tests.solve.test_fit import solvable_rows
from tradelift.errors import ConvergenceError
from tradelift.solve import RowProblem, fit

SAME = {"rtol": 1e-8, "atol": 1e-9}


def with_effects(problem, *effects):
    codes = tuple(np.unique(e, return_inverse=True)[1] for e in effects)
    return RowProblem(
        outcome=problem.outcome, regressors=problem.regressors, weights=problem.weights, offset=problem.offset,
        effects=codes, pair=problem.pair, family=problem.family, n_pairs=problem.n_pairs,
    )  # fmt: skip


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("n_effects", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_rows_equal_explicit_dummies(family, n_effects, seed):
    few = dense(seed, family, shape=(3, 5, 4), moving=True, missing=0.1, mean=0.8, weights=seed % 2 == 1)
    rows = in_rows(few, seed)
    rows = with_effects(rows, *(*rows.effects, rows.pair)[:n_effects])
    if n_effects == 3:  # pair effects absorb what does not move
        rows = RowProblem(
            outcome=rows.outcome, regressors=rows.regressors[:, 2:], weights=rows.weights, effects=rows.effects,
            pair=rows.pair, family=family, n_pairs=rows.n_pairs,
        )  # fmt: skip
    used, separated = solvable_rows(rows)
    got = fit(rows)
    beta, bread, scores, _ = with_dummies(rows, used)
    assert got.n_obs == used.sum()
    assert got.excluded == {"separated": separated, "singleton": int((~used).sum()) - separated}
    np.testing.assert_allclose(got.coefficients, beta, **SAME)
    np.testing.assert_allclose(got.bread, bread, rtol=1e-7)
    np.testing.assert_allclose(got.scores, scores, rtol=1e-6, atol=1e-8 * np.abs(scores).max())


@pytest.mark.parametrize("n_effects", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_separation_by_a_regressor_goes_before_singletons(n_effects, seed):
    rows = in_rows(dense(seed, shape=(3, 6, 5), mean=0.6, missing=0.3))
    silent = rows.regressors[:, 0] == 1
    rows = RowProblem(
        outcome=np.where(silent, 0.0, rows.outcome), regressors=rows.regressors, effects=rows.effects, pair=rows.pair,
        family="poisson", n_pairs=rows.n_pairs,
    )  # fmt: skip
    third = np.random.default_rng(seed).integers(0, 4, len(silent))
    rows = with_effects(rows, *(*rows.effects, third)[:n_effects])
    used, separated = solvable_rows(rows)
    got = fit(rows)
    assert got.n_obs == used.sum()
    assert got.excluded == {"separated": separated, "singleton": int((~used).sum()) - separated}
    assert 0 not in got.kept
    assert not used[silent].any()


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
def test_nothing_left_is_no_crash(family):
    n = 5
    rows = RowProblem(
        outcome=np.arange(1.0, n + 1), regressors=np.arange(n)[:, None] ** 2.0, effects=(np.arange(n), np.zeros(n, int)),
        pair=np.arange(n), family=family, n_pairs=n,
    )  # fmt: skip
    got = fit(rows)
    assert (got.n_obs, got.kept, got.effect_rank) == (0, (), 0)
    assert got.excluded == {"separated": 0, "singleton": n}
    assert got.coefficients.shape == (0,)
    assert not got.pairs_used.any()


def test_no_trade_at_all():
    rows = in_rows(dense(1))
    empty = RowProblem(
        outcome=np.zeros_like(rows.outcome), regressors=rows.regressors, effects=rows.effects, pair=rows.pair,
        family="poisson", n_pairs=rows.n_pairs,
    )  # fmt: skip
    got = fit(empty)
    assert (got.n_obs, got.excluded["separated"]) == (0, len(rows.outcome))


def test_negative_flows_are_no_poisson_outcome():
    rows = in_rows(dense(1))
    bad = RowProblem(
        outcome=rows.outcome - 5, regressors=rows.regressors, effects=rows.effects, pair=rows.pair, family="poisson",
        n_pairs=rows.n_pairs,
    )  # fmt: skip
    with pytest.raises(ValueError, match="must not be negative"):
        fit(bad)


def test_effects_beyond_working_precision(monkeypatch):
    from tradelift.solve import row_projection

    monkeypatch.setattr(row_projection, "ROUNDS", 0)
    with pytest.raises(ConvergenceError, match=r"cannot be solved to working precision.*coarser effects"):
        fit(in_rows(dense(1, "gaussian")))


def test_a_linear_program_without_an_answer(monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: SimpleNamespace(x=None, message="time limit"))
    rows = in_rows(dense(2, mean=0.5))
    with pytest.raises(ConvergenceError, match="search for separated observations failed: time limit"):
        fit(with_effects(rows, *rows.effects, np.arange(len(rows.outcome)) % 3))


def test_a_linear_program_too_large_is_refused(monkeypatch):
    from tradelift.solve import row_separation

    rows = in_rows(dense(1, mean=0.3))
    rows = replace(rows, effects=(*rows.effects, rows.pair % 5))
    assert fit(rows).n_obs
    monkeypatch.setattr(row_separation, "MOST_ROWS", 100)
    with pytest.raises(
        ConvergenceError, match=r"zero flows are separated could not be settled.*takes at most 100 observations"
    ):
        fit(rows)
