"""Sums of blocks over all periods, where they say all about the coefficients."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.parts import Samples
from tradelift.solve.problem import Piece

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


@dataclass(slots=True, kw_only=True, eq=False)
class Sums:
    """
    The sums of one block over all periods.

    Parameters
    ----------
    x
        Regressors, shape (K, I, J).
    mask
        Pairs of the sample, shape (I, J).
    offset
        Shape (I, J).
    pair
        Directed pairs, shape (I, J).
    parts
        Numbers of the parts that have the block.
    rows, columns
        Sums of the outcome by (T, I) and (T, J), by those parts.
    pairs
        Sums of the outcome by pair, shape (I, J).
    """

    x: Floats
    mask: Bools
    offset: Floats
    pair: Ints
    parts: list[int] = field(default_factory=list)
    rows: list[Floats] = field(default_factory=list)
    columns: list[Floats] = field(default_factory=list)
    pairs: Floats


def add_sums(
    sums: list[Sums] | None, part: int, pieces: Sequence[Piece], samples: Sequence[Samples]
) -> list[Sums] | None:
    """Add the sums of a part; None where they do not say all, or the blocks are not those of the parts before."""
    if not pieces:
        return sums
    if sums is None or (sums and len(sums) != len(pieces)):
        return None
    if not sums:
        sums = [_first_sums(piece, sample) for piece, sample in zip(pieces, samples, strict=True)]
    for block, piece, sample in zip(sums, pieces, samples, strict=True):
        if not _fits(block, piece, sample):
            return None
        y = np.where(sample.whole, piece.outcome, 0.0)
        block.parts.append(part)
        block.rows.append(y.sum(axis=2))
        block.columns.append(y.sum(axis=1))
        block.pairs += y.sum(axis=0)
    return sums


def _first_sums(piece: Piece, sample: Samples) -> Sums:
    mask = np.asarray(sample.given[0])
    offset = np.zeros(mask.shape) if piece.offset is None else piece.offset[0]
    return Sums(
        x=piece.regressors[:, 0],
        mask=mask,
        offset=np.where(mask, offset, 0.0),
        pair=piece.pair,
        pairs=np.zeros(mask.shape),
    )


def _fits(block: Sums, piece: Piece, sample: Samples) -> bool:
    """Whether nothing moves and the sample is the same pairs in every period, but for those without trade."""
    if piece.regressors.shape[1] > 1 or (piece.offset is not None and piece.offset.shape[0] > 1):
        return False
    if piece.weights is not None and not np.isin(piece.weights, (0.0, 1.0)).all():
        return False
    mask = block.mask
    if mask.shape != sample.given.shape[1:] or not (sample.given == mask).all():
        return False
    offset = block.offset if piece.offset is None else piece.offset[0]
    same = (block.x == piece.regressors[:, 0]).all(axis=0) & (block.pair == piece.pair) & (block.offset == offset)
    if not same[mask].all():
        return False
    traded = np.where(sample.whole, piece.outcome, 0.0)
    rows, columns = traded.sum(axis=2) > 0, traded.sum(axis=1) > 0
    return bool((sample.whole == (mask & rows[:, :, None] & columns[:, None, :])).all())
