"""Slabs: a few periods of a piece at a time, small enough that their arrays stay in the processor's cache."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled
from tradelift.solve.problem import Piece
from tradelift.threads import side_by_side

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

CELLS = 80_000  # of an array of a slab: under a megabyte
MORE_CELLS = 250_000  # where the loops are compiled: they keep one period in the cache by themselves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slab:
    """
    Some periods of a piece.

    Parameters
    ----------
    piece
        Position of the piece.
    periods
        Which of its T periods; t of them.
    raw
        Outcome, shape (t, I, J), not yet times the weights.
    regressors
        The kept ones: shape (I, J) where they do not move in time, else (t, I, J).
    mask
        The sample, shape (t, I, J); None for all.
    given
        Weights of the observations, shape (t, I, J); None where each counts once.
    offset
        Shape (t, I, J) or (I, J), or None.
    made
        What was made before of these: the compiled loops need none of it.
    """

    piece: int
    periods: slice
    raw: Floats
    regressors: tuple[Floats, ...]
    mask: Bools | None = None
    given: Floats | None = None
    offset: Floats | None = None
    made: dict[str, Floats] = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether the weights are 0 and 1 at most."""
        return self.given is None

    @property
    def weights(self) -> Floats | None:
        """Shape (t, I, J), 0 off the sample; None where every cell counts once."""
        if self.mask is None:
            return self.given
        if "weights" not in self.made:
            self.made["weights"] = np.where(self.mask, 1.0 if self.given is None else self.given, 0.0)
        return self.made["weights"]

    @property
    def outcome(self) -> Floats:
        """Outcome times the weights, so 0 off the sample, shape (t, I, J)."""
        if self.weights is None:
            return self.raw
        if "outcome" not in self.made:
            self.made["outcome"] = self.raw * self.weights
        return self.made["outcome"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(t, I, J)."""
        t, i, j = self.raw.shape
        return t, i, j

    def index(self, beta: Floats) -> Floats:
        """Offset plus regressors times coefficients, shape (t, I, J) or (I, J) where nothing moves."""
        total: Floats | float = 0.0 if self.offset is None else self.offset
        for b, x in sorted(zip(beta, self.regressors, strict=True), key=lambda pair: pair[1].ndim):
            total = total + b * x  # those that do not move first: their sums are small
        return np.zeros(self.shape[1:]) if isinstance(total, float) else total

    def expected(
        self, beta: Floats, rows: Floats | None = None, columns: Floats | None = None, pairs: Floats | None = None
    ) -> Floats:
        """Exponential of the index times weights and multipliers (t, I), (t, J) and (I, J); new, shape (t, I, J)."""
        out = np.exp(self.index(beta))
        if pairs is not None:
            out = out * pairs
        if rows is not None and columns is not None:
            out = out * rows[:, :, None]
            out *= columns[:, None, :]
        if self.weights is not None:
            out = out * self.weights
        return np.asarray(out if out.ndim == 3 else np.repeat(out[None], self.shape[0], axis=0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """
    How a piece is cut.

    Parameters
    ----------
    piece
        The piece.
    sample
        Its observations, shape (T, I, J); None where it is complete.
    regressors
        The kept ones about their means, shape (I, J) where they do not move, else (T, I, J).
    made
        Slabs made before, by their first period: the solution and its scores ask for the same.
    """

    piece: Piece
    sample: Bools | None
    regressors: tuple[Floats, ...]
    made: dict[int, Slab] = field(default_factory=dict)

    def slab(self, n: int, at: slice) -> Slab:
        """Give the slab of some periods; this is piece `n`."""
        if at.start not in self.made or self.made[at.start].periods != at:
            self.made[at.start] = self._slab(n, at)
        return self.made[at.start]

    def _slab(self, n: int, at: slice) -> Slab:
        piece, offset = self.piece, self.piece.offset
        if offset is not None:
            offset = offset[0] if len(offset) == 1 else offset[at]
        return Slab(
            piece=n,
            periods=at,
            raw=piece.outcome[at],
            regressors=tuple(x if x.ndim == 2 else x[at] for x in self.regressors),
            mask=None if self.sample is None else self.sample[at],
            given=None if piece.weights is None or piece.weights.dtype == bool else piece.weights[at],
            offset=offset,
        )


def cut(pieces: Sequence[Piece], samples: Sequence[Bools | None], kept: Sequence[int]) -> list[Cut]:
    """
    Prepare pieces for cutting: keep some regressors, centred, and find those that do not move in time.

    Parameters
    ----------
    pieces
        All of the same regressors.
    samples
        Observations by piece, shape (T, I, J); None for complete pieces.
    kept
        Positions of the regressors.
    """
    means = [_mean([p.regressors[k] for p in pieces]) for k in kept]
    values = [p.regressors[k] for p in pieces for k in kept]
    centred = side_by_side(_centre, sum(v.size for v in values), values, means * len(pieces))
    return [
        Cut(piece=p, sample=s, regressors=tuple(centred[n * len(kept) : (n + 1) * len(kept)]))
        for n, (p, s) in enumerate(zip(pieces, samples, strict=True))
    ]


def spread_of(cuts: Sequence[Cut]) -> Floats:
    """Largest absolute value of each regressor, shape (K,)."""
    values = [x for c in cuts for x in c.regressors]
    found = side_by_side(_largest, sum(v.size for v in values), values)
    return np.asarray(np.reshape(found, (len(cuts), len(cuts[0].regressors))).max(axis=0))


def _mean(values: Sequence[Floats]) -> float:
    """Mean over the pieces, of the first period: near enough to centre by."""
    count = sum(v[0].size for v in values)
    return sum((float(v[0].sum()) for v in values), 0.0) / float(max(count, 1))


def _centre(values: Floats, mean: float) -> Floats:
    """Shape (I, J) where values do not move, else (T, I, J)."""
    if len(values) == 1 or bool((values[1] == values[0]).all() and (values == values[:1]).all()):
        return np.asarray(values[0] - mean)
    return np.asarray(values - mean) if abs(mean) > _largest(values) / 8 else values


def _largest(values: Floats) -> float:
    """Largest absolute value, without an array of them."""
    return max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))


def periods(piece: Piece) -> list[slice]:
    """Cut the periods of a piece into slabs."""
    n, rows, columns = piece.outcome.shape
    cells = MORE_CELLS if compiled.loaded() else CELLS
    step = max(1, cells // max(rows * columns, 1))
    return [slice(t, min(t + step, n)) for t in range(0, n, step)]


def each(function: Callable[..., Any], slabs: Sequence[Slab], *given: Iterable[Any]) -> list[Any]:
    """
    Call a function for each slab and what else is given, in order; in threads where the loops are compiled.

    NumPy's operations on a slab are so short that threads wait for the lock for longer than they work.
    """
    cells = sum(slab.raw.size for slab in slabs) if compiled.loaded() else 0
    return side_by_side(function, cells, slabs, *given)


def row_sums(values: Floats) -> Floats:
    """Sums over the destinations, shape (t, I)."""
    return np.asarray(values @ np.ones(values.shape[2]))


def by_row(values: Floats, x: Floats) -> Floats:
    """Sums over the destinations of values times x, shape (t, I)."""
    return np.asarray(np.einsum("tij,ij->ti" if x.ndim == 2 else "tij,tij->ti", values, x))


def by_column(values: Floats, x: Floats) -> Floats:
    """Sums over the origins of values times x, shape (t, J)."""
    return np.asarray(np.einsum("tij,ij->tj" if x.ndim == 2 else "tij,tij->tj", values, x))


def inverse(values: Floats) -> Floats:
    """One over positive values, else 0."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Top over bottom where both are positive, else 0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=(top > 0) & (bottom > 0))
