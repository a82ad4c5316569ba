"""Problems with two-way effects by period that do not fit in memory: a few periods at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.least_squares import cross, solved_at
from tradelift.solve.parts import Flags, Part, StreamedProblem, samples_of
from tradelift.solve.problem import Fit
from tradelift.solve.profile import Solved, slabs_of
from tradelift.solve.scores import Scores, Totals, slab_scores
from tradelift.solve.slabs import Cut, Slab, each
from tradelift.solve.streamed_newton import solve_streamed
from tradelift.solve.streamed_sums import solve_sums
from tradelift.solve.survey import Survey, separated_in_parts, survey
from tradelift.threads import one_blas_thread

__all__ = ["Part", "StreamedProblem", "fit_streamed"]

Floats = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """
    What all readings after the first share.

    Parameters
    ----------
    problem, found, flags
        The parts, what the first reading found, and the observations that regressors separate.
    kept
        Positions of the regressors.
    """

    problem: StreamedProblem
    found: Survey
    flags: Flags
    kept: tuple[int, ...]

    @property
    def centre(self) -> Floats:
        """About which the kept regressors are measured, shape (K,)."""
        own = np.zeros(0) if self.found.centre is None else self.found.centre
        return np.asarray(own[list(self.kept)])

    def cuts(self) -> Iterator[list[Cut]]:
        """Read the parts: their pieces, on the observations used, with the kept regressors about the centre."""
        centre = self.centre
        for n, part in enumerate(self.problem.parts()):
            pieces = []
            for m, piece in enumerate(part.pieces):
                flags = None if self.flags is None else self.flags[n][m]
                used = samples_of(piece, self.problem.family, flags).used
                near = [piece.regressors[k] - c for k, c in zip(self.kept, centre, strict=True)]
                pieces.append(
                    Cut(
                        piece=piece,
                        sample=None if used.all() and piece.weights is None else used,
                        regressors=tuple(x[0] if len(x) == 1 else x for x in near),
                    )
                )
            yield pieces


def fit_streamed(problem: StreamedProblem) -> Fit:
    """
    Estimate a problem by OLS or PPML without having it in memory.

    Poisson with regressors that do not move and the same pairs in every period is solved from the sums of a first
    reading; Poisson else takes a reading for each Newton step, OLS none. A last reading gives scores, errors and
    deviance.

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
    with one_blas_thread():
        return _fit(problem)


def _fit(problem: StreamedProblem) -> Fit:
    found = survey(problem)
    kept = found.given.independent()
    flags = separated_in_parts(problem, found, kept)
    if flags is not None:
        found = survey(problem, flags)
    if found.counts["separated"] or found.counts["singleton"]:
        kept = found.used.independent()
    plan = Plan(problem=problem, found=found, flags=flags, kept=kept)
    solved, at = _solve(plan)
    sums, used = _last_reading(plan, at)
    return Fit(
        coefficients=solved.coefficients,
        bread=np.linalg.inv(sums.information) if kept else sums.information,
        scores=sums.pairs,
        meat_rows=sums.rows,
        kept=kept,
        effect_rank=found.effect_rank,
        n_obs=found.n_obs,
        pairs_used=used,
        excluded=dict(found.counts),
        path=solved.path,
        iterations=solved.steps,
        deviance=sums.deviance,
        total=sums.total,
        mean=sums.mean,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """Coefficients, the path to them, and its number of steps."""

    coefficients: Floats
    path: Any
    steps: int


At = Callable[[int, Sequence[Cut], Sequence[Slab]], Solved]
"""The solution in a part: its number, pieces and slabs."""


def _solve(plan: Plan) -> tuple[Solution, At]:
    found, kept = plan.found, plan.kept
    if plan.problem.family == "gaussian":
        own = list(kept)
        cross, moment = found.weighted.cross[np.ix_(own, own)], found.weighted.moment[own]
        beta = np.linalg.solve(cross, moment) if kept else moment
        return Solution(coefficients=beta, path="tensor", steps=1), partial(_linear, beta)
    if kept and found.sums and plan.flags is None:
        by_sums = solve_sums(found.sums, kept, plan.centre)
        if by_sums is not None:
            solved = by_sums.solved
            return (
                Solution(coefficients=solved.coefficients, path="sums", steps=solved.steps),
                lambda n, _cuts, _slabs: by_sums.part(n),
            )
    streamed = solve_streamed(plan.cuts, found.spread[list(kept)])
    return (
        Solution(coefficients=streamed.coefficients, path="tensor", steps=streamed.steps),
        lambda n, _cuts, slabs: streamed.settle(n, slabs),
    )


def _linear(beta: Floats, _n: int, cuts: Sequence[Cut], slabs: Sequence[Slab]) -> Solved:
    """Effects of OLS in a part at the coefficients."""
    k = len(beta)
    shapes = [c.piece.outcome.shape for c in cuts]
    rows, columns = [np.zeros((t, i, k + 1)) for t, i, _ in shapes], [np.zeros((t, j, k + 1)) for t, _, j in shapes]
    each(partial(cross, rows, columns), slabs)
    return solved_at(beta, rows, columns)


def _last_reading(plan: Plan, at: At) -> tuple[Scores, Bools]:
    """Scores and deviance, and the pairs used, shape (P,)."""
    family, n_pairs = plan.problem.family, plan.problem.n_pairs
    totals, used = Totals.empty(n_pairs, len(plan.kept)), np.zeros(n_pairs, dtype=bool)
    for n, cuts in enumerate(plan.cuts()):
        slabs = slabs_of(cuts)
        parts = each(partial(slab_scores, family, at(n, cuts, slabs), (), (), ()), slabs)
        for m, cut in enumerate(cuts):
            totals.add(cut.piece.pair, [p for p, s in zip(parts, slabs, strict=True) if s.piece == m])
            there = cut.piece.pair >= 0
            if cut.sample is not None:
                there = there & cut.sample.any(axis=0)
            used[cut.piece.pair[there]] = True
    return totals.scores(family), used
