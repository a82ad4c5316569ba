"""OLS and PPML on dense blocks: which path serves, and the fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve import least_squares, profile, sums, three_way
from tradelift.solve.block_rows import fit_as_rows
from tradelift.solve.problem import DenseProblem, Fit, Piece
from tradelift.solve.profile import Solved
from tradelift.solve.scores import Scores, score
from tradelift.solve.slabs import Cut, cut
from tradelift.solve.third_effect import usable_with_third
from tradelift.solve.usable import Usable, usable

Bools = NDArray[Any]
Ints = NDArray[Any]
Groups = Sequence[Sequence[Ints]]


def fit_dense(problem: DenseProblem, groups: Groups, *, detail: bool) -> Fit:
    """Fit a dense problem; see `tradelift.solve.fit`."""
    third = problem.pieces[0].group is not None
    found = usable_with_third(problem) if third else usable(problem)
    solved = None
    if found is not None:
        cuts = cut(problem.pieces, found.existing, found.kept)
        solved = _with_third(problem, cuts) if third else _solve(problem, cuts)
    if found is None or solved is None:
        return fit_as_rows(problem, groups, detail=detail)
    if any(a is not b for a, b in zip(found.existing, found.counted, strict=True)):
        cuts = cut(problem.pieces, found.counted, found.kept)
    scores = score(problem, cuts, solved, groups, detail=detail)
    return _finish(problem, found, solved, scores)


def _solve(problem: DenseProblem, cuts: Sequence[Cut]) -> Solved:
    if problem.family == "gaussian":
        return sums.ordinary(cuts) or least_squares.solve(cuts)
    solved = sums.solve(cuts) or profile.solve(cuts)
    if solved is None:
        msg = (
            "PPML did not converge: the score does not vanish. Rescale the outcome or the regressors, drop regressors "
            "that are large or nearly collinear, or use coarser effects."
        )
        raise ConvergenceError(msg)
    return solved


def _with_third(problem: DenseProblem, cuts: Sequence[Cut]) -> Solved | None:
    """Solve with a third effect; None where the effects mix too slowly for blocks."""
    return three_way.ordinary(cuts) if problem.family == "gaussian" else three_way.poisson(cuts)


def _count(sample: Bools | None, piece: Piece) -> int:
    return piece.outcome.size if sample is None else int(np.count_nonzero(sample))


def _finish(problem: DenseProblem, found: Usable, solved: Solved, scores: Scores) -> Fit:
    pieces = problem.pieces
    n_given, n_existing, n_obs = (
        sum(_count(s, p) for s, p in zip(part, pieces, strict=True))
        for part in (found.given, found.existing, found.counted)
    )
    used = np.zeros(problem.n_pairs, dtype=bool)
    for piece, sample in zip(pieces, found.counted, strict=True):
        there = piece.pair >= 0
        used[piece.pair[there if sample is None else there & sample.any(axis=0)]] = True
    return Fit(
        coefficients=solved.coefficients,
        bread=np.linalg.inv(scores.information) if found.kept else scores.information,
        scores=scores.pairs,
        meat_rows=scores.rows,
        group_scores=scores.groups,
        kept=found.kept,
        effect_rank=found.rank,
        n_obs=n_obs,
        pairs_used=used,
        excluded={"separated": n_given - n_existing, "singleton": n_existing - n_obs},
        path=solved.path,
        iterations=solved.steps,
        deviance=scores.deviance,
        total=scores.total,
        mean=scores.mean,
        detail=scores.detail,
    )
