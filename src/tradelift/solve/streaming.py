"""Problems with two-way effects by period that do not fit in memory: a few periods at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.deviance import poisson_deviance
from tradelift.solve.parts import Flags, Part, StreamedProblem, samples_of, weights_of
from tradelift.solve.problem import Fit, Piece
from tradelift.solve.projection import two_way
from tradelift.solve.streamed_newton import fit_effects, solve_streamed
from tradelift.solve.streamed_sums import solve_sums
from tradelift.solve.survey import Survey, near, separated_in_parts, survey

__all__ = ["Part", "StreamedProblem", "fit_streamed"]

Floats = NDArray[Any]
Bools = NDArray[Any]

SCORE_TOLERANCE = 1e-9  # of the absolute values that the score sums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A piece in the last pass: number of its part, place in it, observations and weights."""

    part: int
    place: int
    piece: Piece
    used: Bools
    weights: Floats


At = Callable[[View], tuple[Floats, Floats]]
"""Fitted outcome, shape (T, I, J), and net regressors, shape (K, T, I, J), of a piece."""


@dataclass(slots=True, kw_only=True, eq=False)
class Totals:
    """What the last pass adds up: see `Fit`; `judged` and `scale` are the score and what it sums."""

    scores: Floats
    meat: Floats
    cross: Floats
    used: Bools
    judged: Floats
    scale: Floats
    deviance: float = 0.0
    total: float = 0.0


def fit_streamed(problem: StreamedProblem) -> Fit:
    """
    Estimate a problem by OLS or PPML without having it in memory.

    Poisson with regressors that do not move and the same pairs in every period is solved from the sums of a first
    pass; Poisson else takes a pass for each Newton step, OLS none. A last pass gives scores, errors and deviance.

    Parameters
    ----------
    problem
        The parts, in which all columns are as `DenseProblem` has them.

    Raises
    ------
    DesignError
        If separation by regressors cannot be settled without all zero flows.
    ConvergenceError
        If PPML does not reach a point where the scores vanish.
    """
    from threadpoolctl import threadpool_limits

    # a period's matrices are small: threads would wait for each other longer than they work
    with threadpool_limits(limits=1, user_api="blas"):
        return _fit(problem)


def _fit(problem: StreamedProblem) -> Fit:
    found = survey(problem)
    kept = found.given.independent()
    flags = separated_in_parts(problem, found, kept)
    if flags is not None:
        found = survey(problem, flags)
    if found.counts["separated"] or found.counts["singleton"]:
        kept = found.used.independent()
    coefficients, at, path, steps = _solve(problem, found, kept, flags)
    sums = _last_pass(problem, found, len(kept), flags, at)
    if problem.family == "poisson":
        _judge(sums)
    return Fit(
        coefficients=coefficients,
        bread=np.linalg.inv(sums.cross) if kept else sums.cross,
        scores=sums.scores,
        meat_rows=sums.meat,
        kept=kept,
        effect_rank=found.effect_rank,
        n_obs=found.n_obs,
        pairs_used=sums.used,
        excluded=dict(found.counts),
        path=path,
        iterations=steps,
        deviance=sums.deviance,
        total=sums.total,
    )


def _solve(
    problem: StreamedProblem, found: Survey, kept: tuple[int, ...], flags: Flags
) -> tuple[Floats, At, Literal["sums", "tensor"], int]:
    """Coefficients, how to evaluate a piece at them, the path, and the number of steps."""
    if problem.family == "gaussian":
        own = list(kept)
        cross, moment = found.weighted.cross[np.ix_(own, own)], found.weighted.moment[own]
        beta = np.linalg.solve(cross, moment) if kept else moment

        def linear(view: View) -> tuple[Floats, Floats]:
            way, piece = two_way(view.weights), view.piece
            net = way.residual(near(piece, kept, found))
            offset = 0.0 if piece.offset is None else piece.offset
            left = way.residual(np.where(view.used, piece.outcome - offset, 0.0)[None])[0]
            return piece.outcome - (left - np.tensordot(beta, net, 1)), net

        return beta, linear, "tensor", 1
    if kept and found.sums and flags is None:
        solved = solve_sums(found.sums, kept)
        if solved is not None:
            firsts = [np.concatenate([[0], np.cumsum([len(r) for r in s.rows])]) for s in found.sums]

            def from_sums(view: View) -> tuple[Floats, Floats]:
                first = firsts[view.place]
                return solved.at(view.place, int(first[view.part]), int(first[view.part + 1]))

            return solved.coefficients, from_sums, "sums", solved.steps
    state, steps = solve_streamed(problem, found, kept, flags)

    def at_effects(view: View) -> tuple[Floats, Floats]:
        x = near(view.piece, kept, found)
        effects = state.effects[view.part][view.place]
        mu = fit_effects(view.piece, view.used, view.weights, x, state.beta, effects)[1]
        return mu, two_way(view.weights * mu).residual(x)

    return state.beta, at_effects, "tensor", steps


def _last_pass(problem: StreamedProblem, found: Survey, k: int, flags: Flags, at: At) -> Totals:
    """Scores by pair, the meat of robust errors, the bread's inverse, and the deviances."""
    sums = Totals(
        scores=np.zeros((problem.n_pairs, k)),
        meat=np.zeros((k, k)),
        cross=np.zeros((k, k)),
        used=np.zeros(problem.n_pairs, dtype=bool),
        judged=np.zeros(k),
        scale=np.zeros(k),
    )
    mean = found.total / found.weight if found.weight else 0.0
    for n, part in enumerate(problem.parts()):
        for m, piece in enumerate(part.pieces):
            used = samples_of(piece, problem.family, None if flags is None else flags[n][m]).used
            view = View(part=n, place=m, piece=piece, used=used, weights=weights_of(piece, used))
            fitted, net = at(view)
            _collect(sums, view, fitted, net, poisson=problem.family == "poisson", mean=mean)
    return sums


def _collect(sums: Totals, view: View, fitted: Floats, net: Floats, *, poisson: bool, mean: float) -> None:
    piece, used, w = view.piece, view.used, view.weights
    k = len(net)
    y = np.where(used, piece.outcome, 0.0)
    mu = np.where(used, fitted, 0.0)
    rows = net * (w * (y - mu))
    flat = rows.reshape(k, w.size)
    sums.meat += flat @ flat.T
    final = (net * (w * mu if poisson else w)).reshape(k, w.size)
    sums.cross += final @ net.reshape(k, w.size).T
    held = piece.pair >= 0
    sums.scores[piece.pair[held]] += rows.sum(axis=1)[:, held].T
    sums.used[piece.pair[held & used.any(axis=0)]] = True
    sums.judged += flat.sum(axis=1)
    sums.scale += np.abs(net).reshape(k, w.size) @ (w * (y + mu)).ravel()
    if poisson:
        sums.deviance += poisson_deviance(y, mu, w)
        sums.total += poisson_deviance(y, np.full(y.shape, mean), w) if mean else 0.0
    else:
        sums.deviance += float((w * (y - mu) ** 2).sum())
        sums.total += float((w * (y - mean) ** 2).sum())


def _judge(sums: Totals) -> None:
    """Accept a solution by its score, not by its last step alone."""
    for k, (score, scale) in enumerate(zip(sums.judged, SCORE_TOLERANCE * sums.scale, strict=True)):
        if not abs(score) <= scale:
            msg = (
                f"PPML did not converge: the score of regressor {k + 1} is {score:.3g} where {scale:.3g} is allowed. "
                f"Rescale the outcome or the regressors, or drop regressors that are large or nearly collinear."
            )
            raise ConvergenceError(msg)
