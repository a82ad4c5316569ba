"""Problems that come a few periods at a time, and which observations of a part are used."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.problem import Family, Piece
from tradelift.solve.sample import separated_by_effects, singletons

Floats = NDArray[Any]
Bools = NDArray[Any]

Flags = Sequence[Sequence[Bools]] | None
"""Observations that regressors separate, by part and piece."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """
    Some periods of a problem.

    Parameters
    ----------
    pieces
        Its dense blocks over these periods.
    excluded
        Observations that the caller left out of them, by reason.
    """

    pieces: tuple[Piece, ...]
    excluded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamedProblem:
    """
    A problem with two-way effects by period that comes a few periods at a time, as often as it is asked for.

    Parameters
    ----------
    parts
        Gives the parts, the same at each call.
    family
        "poisson" or "gaussian".
    n_regressors
        K.
    n_pairs
        P, the number of directed pairs that the pieces' `pair` codes count.
    """

    parts: Callable[[], Iterator[Part]]
    family: Family
    n_regressors: int
    n_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Observations of a piece, shape (T, I, J): given, without the separated, and without singletons too."""

    given: Bools
    whole: Bools
    used: Bools


def samples_of(piece: Piece, family: Family, separated: Bools | None = None) -> Samples:
    """
    Say which observations of a piece are used.

    Parameters
    ----------
    piece
        The block.
    family
        Only Poisson outcomes can be separated.
    separated
        Observations that regressors separate, or None.
    """
    given = np.ones(piece.outcome.shape, dtype=bool) if piece.weights is None else np.asarray(piece.weights > 0)
    whole = given
    if family == "poisson":
        whole = _without(whole, separated_by_effects(given & (piece.outcome > 0), given))
    whole = _without(whole, separated)
    return Samples(given=given, whole=whole, used=_without(whole, singletons(whole)))


def _without(sample: Bools, lost: Bools | None) -> Bools:
    return sample if lost is None else sample & ~lost


def weights_of(piece: Piece, sample: Bools) -> Floats:
    """Weights, 0 off the sample."""
    return sample.astype(np.float64) if piece.weights is None else np.where(sample, piece.weights, 0.0)
