"""Which observations of dense blocks can be used, and which regressors count on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.problem import DenseProblem, Piece
from tradelift.solve.rank import independent_regressors, plainly_independent
from tradelift.solve.sample import effect_rank, separated_by_effects, singletons
from tradelift.solve.separation import separated_by_regressors

Floats = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usable:
    """
    The observations of a problem, from given to counted; None stands for a complete piece.

    Parameters
    ----------
    given
        Observations with weight, shape (T, I, J) by piece.
    existing
        Those for which a maximum exists.
    counted
        Those less singletons, which fit themselves: they change no coefficient and no score.
    kept
        Positions of the regressors that count.
    rank
        Rank of the effects.
    """

    given: list[Bools | None]
    existing: list[Bools | None]
    counted: list[Bools | None]
    kept: tuple[int, ...]
    rank: int


def usable(problem: DenseProblem) -> Usable:
    """
    Find the observations that can be used with two-way effects.

    Raises
    ------
    ValueError
        If a Poisson outcome is negative.
    """
    pieces = problem.pieces
    given = [given_sample(piece) for piece in pieces]
    if problem.family == "poisson":
        refuse_negative([p.outcome for p in pieces], given)
        samples, kept = _existing(pieces, given)
    else:
        samples, kept = given, _kept(pieces, given)
    counted = [without(s, _singletons(s, p)) for s, p in zip(samples, pieces, strict=True)]
    rank = sum(_rank(s, p) for s, p in zip(counted, pieces, strict=True))
    return Usable(given=given, existing=samples, counted=counted, kept=kept, rank=rank)


def given_sample(piece: Piece) -> Bools | None:
    """Observations with weight, or None where that is all."""
    if piece.weights is None:
        return None
    sample = piece.weights if piece.weights.dtype == bool else np.asarray(piece.weights > 0)
    return None if sample.all() else sample


def full_sample(sample: Bools | None, piece: Piece) -> Bools:
    """A sample as truth values, shape (T, I, J)."""
    return np.ones(piece.outcome.shape, dtype=bool) if sample is None else sample


def _singletons(sample: Bools | None, piece: Piece) -> Bools | None:
    if sample is None and min(piece.outcome.shape[1:]) > 1:
        return None
    return singletons(full_sample(sample, piece))


def _rank(sample: Bools | None, piece: Piece) -> int:
    if sample is not None:
        return effect_rank(sample)
    n, rows, columns = piece.outcome.shape
    return int(n) * (int(rows) + int(columns) - 1)


def without(sample: Bools | None, lost: Bools | None) -> Bools | None:
    """A sample less some observations."""
    if lost is None or not lost.any():
        return sample
    return ~lost if sample is None else sample & ~lost


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
    samples = [without(s, a) for s, a in zip(given, apart, strict=True)]
    if plainly_independent(pieces, positive):  # then no combination of them is 0 on all positive flows
        return samples, tuple(range(len(pieces[0].regressors)))
    kept = independent_regressors(pieces, [full_sample(s, p) for s, p in zip(given, pieces, strict=True)])
    full = [full_sample(s, p) for s, p in zip(samples, pieces, strict=True)]
    found = separated_by_regressors(positive, full, [p.regressors[list(kept)] for p in pieces])
    samples = [without(s, f) for s, f in zip(samples, found, strict=True)]
    return samples, independent_regressors(pieces, [full_sample(s, p) for s, p in zip(samples, pieces, strict=True)])


def _kept(pieces: Sequence[Piece], samples: Sequence[Bools | None]) -> tuple[int, ...]:
    if plainly_independent(pieces, samples):
        return tuple(range(len(pieces[0].regressors)))
    return independent_regressors(pieces, [full_sample(s, p) for s, p in zip(samples, pieces, strict=True)])
