"""OLS and PPML on rows with any fixed effects."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.deviance import mean_outcome, null_deviance, poisson_deviance
from tradelift.solve.problem import Detail, Fit, RowProblem
from tradelift.solve.rank import independent
from tradelift.solve.row_newton import Rows, RowSolution, ordinary, poisson
from tradelift.solve.row_projection import RowEffects
from tradelift.solve.row_separation import separated_rows
from tradelift.solve.sample import code_rank, code_separated, code_singletons

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


def refuse_negative(outcome: Floats) -> None:
    """Raise ValueError where an observation is negative."""
    if outcome.min(initial=0.0) < 0:
        msg = "A Poisson outcome must not be negative."
        raise ValueError(msg)


def fit_rows(problem: RowProblem, groups: Sequence[Ints], tolerance: float, *, detail: bool) -> Fit:
    """Fit a problem in rows; see `tradelift.solve.fit`."""
    effects = problem.effects or (np.zeros(len(problem.outcome), dtype=np.int64),)
    rows = np.arange(len(problem.outcome)) if problem.weights is None else np.flatnonzero(problem.weights > 0)
    start = len(rows)
    if problem.family == "poisson":
        refuse_negative(problem.outcome[rows])
        rows = _not_separated(problem, effects, rows)
    existing = len(rows)
    rows = rows[~code_singletons(_take(effects, rows))]
    codes = _take(effects, rows)
    kept = _independent(problem.regressors[rows].T, codes)
    used = Rows(
        outcome=problem.outcome[rows],
        weights=np.ones(len(rows)) if problem.weights is None else problem.weights[rows],
        offset=np.zeros(len(rows)) if problem.offset is None else problem.offset[rows],
        regressors=problem.regressors[rows][:, list(kept)].T,
        codes=codes,
    )
    solution = poisson(used, tolerance) if problem.family == "poisson" else ordinary(used)
    excluded = {"separated": start - existing, "singleton": existing - len(rows)}
    found = _finish(problem, used, rows, groups, kept, solution, excluded)
    return replace(found, detail=(_detail(len(problem.outcome), rows, solution),)) if detail else found


def _detail(n: int, rows: Ints, solution: RowSolution) -> Detail:
    """Spread the solution of the used rows over all rows."""
    sample = np.zeros(n, dtype=bool)
    sample[rows] = True
    fitted, net = np.zeros(n), np.zeros((len(solution.net), n))
    fitted[rows], net[:, rows] = solution.fitted, solution.net
    return Detail(sample=sample, fitted=fitted, net=net)


def _take(effects: Sequence[Ints], rows: Ints) -> tuple[Ints, ...]:
    """Codes of some rows, renumbered without gaps."""
    return tuple(np.unique(codes[rows], return_inverse=True)[1].astype(np.int64) for codes in effects)


def _not_separated(problem: RowProblem, effects: Sequence[Ints], rows: Ints) -> Ints:
    """Rows that neither the effects nor the regressors separate."""
    rows = rows[~code_separated(problem.outcome[rows], _take(effects, rows))]
    codes, regressors = _take(effects, rows), problem.regressors[rows]
    kept = _independent(regressors.T, codes)
    return rows[~separated_rows(problem.outcome[rows] > 0, regressors[:, list(kept)], codes)]


def _independent(regressors: Floats, codes: tuple[Ints, ...]) -> tuple[int, ...]:
    """Positions of regressors, shape (K, N), that neither the effects nor earlier regressors explain."""
    if not regressors.size:
        return ()
    centred = regressors - regressors.mean(axis=1, keepdims=True)
    net = RowEffects(codes=codes, weights=np.ones(regressors.shape[1])).residual(centred)
    return independent(net @ net.T, (centred**2).sum(axis=1))


def _finish(
    problem: RowProblem,
    used: Rows,
    rows: Ints,
    groups: Sequence[Ints],
    kept: tuple[int, ...],
    solution: RowSolution,
    excluded: dict[str, int],
) -> Fit:
    error = used.weights * (used.outcome - solution.fitted)
    scores = (solution.net * error).T
    cross = (solution.net * solution.weights) @ solution.net.T
    pair = problem.pair[rows]
    there = np.zeros(problem.n_pairs, dtype=bool)
    there[pair] = True
    deviance = float((error * (used.outcome - solution.fitted)).sum())
    if problem.family == "poisson":
        deviance = poisson_deviance(used.outcome, solution.fitted, used.weights)
    return Fit(
        coefficients=solution.coefficients,
        bread=np.linalg.inv(cross) if kept else cross,
        scores=_sum_by(pair, scores, problem.n_pairs),
        meat_rows=scores.T @ scores,
        group_scores=tuple(_sum_by(g[rows], scores, int(g.max(initial=-1)) + 1) for g in groups),
        kept=kept,
        effect_rank=code_rank(used.codes) if len(rows) else 0,
        n_obs=len(rows),
        pairs_used=there,
        excluded=excluded,
        path="rows",
        iterations=solution.steps,
        deviance=deviance,
        total=null_deviance(used.outcome, used.weights, problem.family),
        mean=mean_outcome(used.outcome, used.weights),
    )


def _sum_by(codes: Ints, values: Floats, n: int) -> Floats:
    out = np.zeros((n, values.shape[1]))
    for k in range(values.shape[1]):
        out[:, k] = np.bincount(codes, weights=values[:, k], minlength=n)
    return out
