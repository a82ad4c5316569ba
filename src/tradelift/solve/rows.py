"""OLS and PPML on rows with any fixed effects."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.dense import (
    Solution,
    deviance_of,
    gaussian,
    independent,
    null_deviance,
    poisson,
    refuse_negative,
    regress,
)
from tradelift.solve.problem import Detail, Fit, Piece, RowProblem
from tradelift.solve.row_projection import RowEffects
from tradelift.solve.row_separation import separated_rows
from tradelift.solve.sample import code_rank, code_separated, code_singletons

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


def fit_rows(problem: RowProblem, groups: Sequence[Ints], tolerance: float, *, detail: bool) -> Fit:
    """Fit a problem in rows; see `tradelift.solve.fit`."""
    effects = problem.effects or (np.zeros(len(problem.outcome), dtype=np.int64),)
    rows = np.arange(len(problem.outcome)) if problem.weights is None else np.flatnonzero(problem.weights > 0)
    start = len(rows)
    if problem.family == "poisson":
        refuse_negative([problem.outcome[rows]], [np.ones(start, dtype=bool)])
        rows = _not_separated(problem, effects, rows)
    existing = len(rows)
    rows = rows[~code_singletons(_take(effects, rows))]
    codes = _take(effects, rows)
    kept = _independent(problem.regressors[rows].T, codes)
    piece = _piece(problem, rows)
    everything, project = [np.ones(len(rows), dtype=bool)], partial(_project, codes)
    if problem.family == "poisson":
        solution = poisson([piece], everything, kept, tolerance, project)
    else:
        solution = gaussian([piece], everything, kept, project)
    excluded = {"separated": start - existing, "singleton": existing - len(rows)}
    found = _finish(problem, piece, rows, codes, groups, kept, solution, excluded)
    return replace(found, detail=(_detail(len(problem.outcome), rows, solution),)) if detail else found


def _detail(n: int, rows: Ints, solution: Solution) -> Detail:
    """Spread the solution of the used rows over all rows."""
    sample = np.zeros(n, dtype=bool)
    sample[rows] = True
    fitted, net = np.zeros(n), np.zeros((len(solution.net[0]), n))
    fitted[rows], net[:, rows] = solution.fitted[0], solution.net[0]
    return Detail(sample=sample, fitted=fitted, net=net)


def _project(codes: tuple[Ints, ...], weights: Floats) -> RowEffects:
    return RowEffects(codes=codes, weights=weights)


def _take(effects: Sequence[Ints], rows: Ints) -> tuple[Ints, ...]:
    """Codes of some rows, renumbered without gaps."""
    return tuple(np.unique(codes[rows], return_inverse=True)[1].astype(np.int64) for codes in effects)


def _piece(problem: RowProblem, rows: Ints) -> Piece:
    """The rows as a piece of one dimension."""
    return Piece(
        outcome=problem.outcome[rows],
        regressors=problem.regressors[rows].T,
        weights=None if problem.weights is None else problem.weights[rows],
        offset=None if problem.offset is None else problem.offset[rows],
        pair=problem.pair[rows],
    )


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
    piece: Piece,
    rows: Ints,
    codes: tuple[Ints, ...],
    groups: Sequence[Ints],
    kept: tuple[int, ...],
    solution: Solution,
    excluded: dict[str, int],
) -> Fit:
    net, fitted, working = solution.net[0], solution.fitted[0], solution.weights[0]
    weights = np.ones(len(rows)) if piece.weights is None else piece.weights
    error = weights * (piece.outcome - fitted)
    scores = (net * error).T
    cross = regress([net], [np.zeros(len(rows))], [working])[1]
    used = np.zeros(problem.n_pairs, dtype=bool)
    used[piece.pair] = True
    deviance = float((error * (piece.outcome - fitted)).sum())
    if problem.family == "poisson":
        deviance = deviance_of([piece.outcome], [fitted], [weights])
    return Fit(
        coefficients=solution.coefficients,
        bread=np.linalg.inv(cross) if kept else cross,
        scores=_sum_by(piece.pair, scores, problem.n_pairs),
        meat_rows=scores.T @ scores,
        group_scores=tuple(_sum_by(g[rows], scores, int(g.max(initial=-1)) + 1) for g in groups),
        kept=kept,
        effect_rank=code_rank(codes) if len(rows) else 0,
        n_obs=len(rows),
        pairs_used=used,
        excluded=excluded,
        path="rows",
        iterations=solution.steps,
        deviance=deviance,
        total=null_deviance([piece.outcome], [weights], problem.family),
    )


def _sum_by(codes: Ints, values: Floats, n: int) -> Floats:
    out = np.zeros((n, values.shape[1]))
    for k in range(values.shape[1]):
        out[:, k] = np.bincount(codes, weights=values[:, k], minlength=n)
    return out
