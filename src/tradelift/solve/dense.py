"""OLS and PPML on dense blocks: which observations can be used, which path serves, and the fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve import least_squares, profile, sums
from tradelift.solve.problem import DenseProblem, Fit, Piece
from tradelift.solve.profile import Solved
from tradelift.solve.rank import independent_regressors, plainly_independent
from tradelift.solve.sample import effect_rank, separated_by_effects, singletons
from tradelift.solve.scores import Scores, score
from tradelift.solve.separation import separated_by_regressors
from tradelift.solve.slabs import Cut, cut

Floats = NDArray[Any]
Bools = NDArray[Any]
Ints = NDArray[Any]
Groups = Sequence[Sequence[Ints]]


def fit_dense(problem: DenseProblem, groups: Groups, *, detail: bool) -> Fit:
    """Fit a dense problem; see `tradelift.solve.fit`."""
    given = [_sample(piece) for piece in problem.pieces]
    if problem.family == "poisson":
        refuse_negative([p.outcome for p in problem.pieces], given)
        samples, kept = _existing(problem.pieces, given)
    else:
        samples, kept = given, _kept(problem.pieces, given)
    # a singleton fits itself: it changes no coefficient and no score, and is only counted out
    counted = [_without(s, _singletons(s, p)) for s, p in zip(samples, problem.pieces, strict=True)]
    solved = _solve(problem, cut(problem.pieces, samples, kept))
    found = score(problem, cut(problem.pieces, counted, kept), solved, groups, detail=detail)
    return _finish(problem, kept, solved, found, given, samples, counted)


def _sample(piece: Piece) -> Bools | None:
    """Observations with weight, or None where that is all."""
    if piece.weights is None:
        return None
    sample = np.asarray(piece.weights > 0)
    return None if sample.all() else sample


def _full(sample: Bools | None, piece: Piece) -> Bools:
    return np.ones(piece.outcome.shape, dtype=bool) if sample is None else sample


def _singletons(sample: Bools | None, piece: Piece) -> Bools | None:
    if sample is None and min(piece.outcome.shape[1:]) > 1:
        return None
    return singletons(_full(sample, piece))


def _rank(sample: Bools | None, piece: Piece) -> int:
    if sample is not None:
        return effect_rank(sample)
    n, rows, columns = piece.outcome.shape
    return int(n) * (int(rows) + int(columns) - 1)


def _without(sample: Bools | None, lost: Bools | None) -> Bools | None:
    """A sample less some observations."""
    if lost is None or not lost.any():
        return sample
    return ~lost if sample is None else sample & ~lost


def _count(sample: Bools | None, piece: Piece) -> int:
    return piece.outcome.size if sample is None else int(np.count_nonzero(sample))


def refuse_negative(outcomes: Sequence[Floats], samples: Sequence[Bools | None]) -> None:
    """Raise ValueError where an observation is negative."""
    for outcome, sample in zip(outcomes, samples, strict=True):
        if outcome.min(initial=0.0) < 0 and np.any((outcome < 0) if sample is None else sample & (outcome < 0)):
            msg = "A Poisson outcome must not be negative."
            raise ValueError(msg)


def _existing(pieces: Sequence[Piece], given: list[Bools | None]) -> tuple[list[Bools | None], tuple[int, ...]]:
    """The observations for which a Poisson maximum exists, and the regressors that count on them."""
    positive = [p.outcome > 0 if s is None else (p.outcome > 0) & s for p, s in zip(pieces, given, strict=True)]
    apart = [separated_by_effects(y, s) for y, s in zip(positive, given, strict=True)]
    samples = [_without(s, a) for s, a in zip(given, apart, strict=True)]
    if plainly_independent(pieces, positive):  # then no combination of them is 0 on all positive flows
        return samples, tuple(range(len(pieces[0].regressors)))
    kept = independent_regressors(pieces, [_full(s, p) for s, p in zip(given, pieces, strict=True)])
    full = [_full(s, p) for s, p in zip(samples, pieces, strict=True)]
    found = separated_by_regressors(positive, full, [p.regressors[list(kept)] for p in pieces])
    samples = [_without(s, f) for s, f in zip(samples, found, strict=True)]
    return samples, independent_regressors(pieces, [_full(s, p) for s, p in zip(samples, pieces, strict=True)])


def _kept(pieces: Sequence[Piece], samples: Sequence[Bools | None]) -> tuple[int, ...]:
    if plainly_independent(pieces, samples):
        return tuple(range(len(pieces[0].regressors)))
    return independent_regressors(pieces, [_full(s, p) for s, p in zip(samples, pieces, strict=True)])


def _solve(problem: DenseProblem, cuts: Sequence[Cut]) -> Solved:
    if problem.family == "gaussian":
        return least_squares.solve(cuts)
    solved = sums.solve(cuts) or profile.solve(cuts)
    if solved is None:
        msg = (
            "PPML did not converge: the score does not vanish. Rescale the outcome or the regressors, drop regressors "
            "that are large or nearly collinear, or use coarser effects."
        )
        raise ConvergenceError(msg)
    return solved


def _finish(
    problem: DenseProblem,
    kept: tuple[int, ...],
    solved: Solved,
    found: Scores,
    given: Sequence[Bools | None],
    samples: Sequence[Bools | None],
    counted: Sequence[Bools | None],
) -> Fit:
    pieces = problem.pieces
    n_given, n_existing, n_obs = (
        sum(_count(s, p) for s, p in zip(part, pieces, strict=True)) for part in (given, samples, counted)
    )
    used = np.zeros(problem.n_pairs, dtype=bool)
    for piece, sample in zip(pieces, counted, strict=True):
        there = piece.pair >= 0
        used[piece.pair[there if sample is None else there & sample.any(axis=0)]] = True
    return Fit(
        coefficients=solved.coefficients,
        bread=np.linalg.inv(found.information) if kept else found.information,
        scores=found.pairs,
        meat_rows=found.rows,
        group_scores=found.groups,
        kept=kept,
        effect_rank=sum(_rank(s, p) for s, p in zip(counted, pieces, strict=True)),
        n_obs=n_obs,
        pairs_used=used,
        excluded={"separated": n_given - n_existing, "singleton": n_existing - n_obs},
        path=solved.path,
        iterations=solved.steps,
        deviance=found.deviance,
        total=found.total,
        detail=found.detail,
    )
