"""PPML from sums alone, all periods in matrix products: where regressors do not move and few cells are missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.profile import Solved
from tradelift.solve.slabs import Cut, inverse, ratio, row_sums

Floats = NDArray[Any]
Bools = NDArray[Any]
Ints = NDArray[Any]

MAX_STEPS = 20
ROUGH_STEPS = 10
MAX_SWEEPS = 500
LOOSE, BALANCED = 1e-2, 1e-12  # relative change of the multipliers in the last sweep
NEAR = 1e-5  # a step that short is followed by a tight one
SETTLED = 1e-10  # step that the score asks for at the end, in units of the linear index
LONGEST = 4.0  # step, in the same units
SLACK = 1e-10  # fall of the likelihood that rounding explains, relative
MOST_MISSING = 0.2  # share of cells beyond which the tensor is faster
CANCELS = 1e-6  # of a sum over all cells that must be left when the missing ones are taken out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holes:
    """
    Cells that the sums of a block do not hold though their pair trades in other periods.

    Parameters
    ----------
    row, column, pair
        Flat positions in (T, I), (T, J) and (I, J), one a cell.
    """

    row: Ints
    column: Ints
    pair: Ints


@dataclass(slots=True, kw_only=True, eq=False)
class Block:
    """
    The sums of one piece, and the multipliers that reproduce them.

    Parameters
    ----------
    x
        Regressors about their means, shape (K, I, J).
    mask
        Pairs of the sample, shape (I, J), 0 or 1.
    offset
        Shape (I, J).
    rows, columns, pairs
        Sums of the outcome by (T, I), (T, J) and (I, J).
    holes
        Missing cells, or None.
    a, b
        Multipliers of origins and destinations, shapes (T, I) and (T, J); 0 where nothing was traded.
    p, q
        Effects of origins and destinations in the regressors, shapes (K, T, I) and (K, T, J).
    """

    x: Floats
    mask: Floats
    offset: Floats
    rows: Floats
    columns: Floats
    pairs: Floats
    holes: Holes | None = None
    a: Floats = field(init=False)
    b: Floats = field(init=False)
    p: Floats = field(init=False)
    q: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.a = np.zeros_like(self.rows)
        self.b = (self.columns > 0).astype(np.float64)
        self.p, self.q = np.zeros((len(self.x), *self.rows.shape)), np.zeros((len(self.x), *self.columns.shape))

    def kernel(self, beta: Floats) -> Floats:
        """What a pair trades apart from its multipliers, shape (I, J)."""
        return np.asarray(np.exp(np.tensordot(beta, self.x, 1) + self.offset) * self.mask)

    def by_row(self, e: Floats, v: Floats) -> Floats:
        """Sums over destinations of kernel times v (T, J), shape (T, I)."""
        out = v @ e.T
        if self.holes is not None:
            h = self.holes
            out -= np.bincount(h.row, e.ravel()[h.pair] * v.ravel()[h.column], out.size).reshape(out.shape)
        return np.asarray(out)

    def by_column(self, e: Floats, v: Floats) -> Floats:
        """Sums over origins of kernel times v (T, I), shape (T, J)."""
        out = v @ e
        if self.holes is not None:
            h = self.holes
            out -= np.bincount(h.column, e.ravel()[h.pair] * v.ravel()[h.row], out.size).reshape(out.shape)
        return np.asarray(out)

    def by_pair(self, e: Floats) -> Floats:
        """Sums over periods of the fitted flows, shape (I, J)."""
        out = e * (self.a.T @ self.b)
        if self.holes is not None:
            h = self.holes
            flows = e.ravel()[h.pair] * self.a.ravel()[h.row] * self.b.ravel()[h.column]
            out -= np.bincount(h.pair, flows, out.size).reshape(out.shape)
        return np.asarray(out)


def blocks_of(cuts: Sequence[Cut]) -> list[Block] | None:
    """
    Sum up the pieces.

    Returns
    -------
    Their blocks, or None where the sums do not say all about the coefficients: something moves, there are weights, or
    many cells are missing.
    """
    out = []
    for cut in cuts:
        piece = cut.piece
        moves = any(x.ndim == 3 for x in cut.regressors) or (piece.offset is not None and len(piece.offset) > 1)
        if moves or (piece.weights is not None and not (piece.weights == (piece.weights != 0)).all()):
            return None
        block = _block(cut)
        if block is None:
            return None
        out.append(block)
    return out


def _block(cut: Cut) -> Block | None:
    y, sample = cut.piece.outcome, cut.sample
    mask: Floats = np.ones(y.shape[1:])
    if sample is not None:
        y = np.where(sample, y, 0.0)
        mask = np.asarray(sample.any(axis=0), dtype=np.float64)
    rows, columns = row_sums(y), y.sum(axis=1)
    holes = None if sample is None else _holes(sample, rows > 0, columns > 0, mask > 0)
    if holes is not None and len(holes.pair) > MOST_MISSING * y.size:
        return None
    k = len(cut.regressors)
    return Block(
        x=np.stack(cut.regressors) * mask if k else np.zeros((0, *mask.shape)),
        mask=mask,
        offset=np.zeros_like(mask) if cut.piece.offset is None else cut.piece.offset[0] * mask,
        rows=rows,
        columns=columns,
        pairs=y.sum(axis=0),
        holes=holes,
    )


def _holes(sample: Bools, rows: Bools, columns: Bools, mask: Bools) -> Holes | None:
    missing = ~sample & mask
    missing &= rows[:, :, None]
    missing &= columns[:, None, :]
    at = np.flatnonzero(missing)
    if not len(at):
        return None
    size = mask.size
    t, pair = at // size, at % size
    i, j = pair // mask.shape[1], pair % mask.shape[1]
    return Holes(row=t * mask.shape[0] + i, column=t * mask.shape[1] + j, pair=pair)


def solve(cuts: Sequence[Cut]) -> Solved | None:
    """
    Newton's method on the coefficients, the multipliers balanced at each.

    Parameters
    ----------
    cuts
        The pieces; no observation is separated.

    Returns
    -------
    The solution, or None where sums do not serve or balancing mixes too slowly for this path.

    References
    ----------
    Deming and Stephan (1940), The Annals of Mathematical Statistics 11, 427-444, for the balancing.
    """
    blocks = blocks_of(cuts)
    return None if blocks is None else newton(blocks)


def newton(blocks: Sequence[Block]) -> Solved | None:
    """Estimate from blocks, whose multipliers change in place; None where it does not settle."""
    try:
        return _newton(blocks)
    except (_SlowError, np.linalg.LinAlgError):
        return None


class _SlowError(Exception):
    """The effects mix too slowly for this path."""


def _newton(blocks: Sequence[Block]) -> Solved:
    beta, spread = np.zeros(len(blocks[0].x)), _spread(blocks)
    if len(beta) and max(len(block.rows) for block in blocks) > 1:
        beta = _rough(blocks, beta, spread)
    size, before = 1.0, -np.inf
    for step in range(1, MAX_STEPS + 1):
        tight = size <= NEAR or not len(beta)
        enough = BALANCED if tight else min(LOOSE, size / 10)
        parts = [_profile(block, beta, enough) for block in blocks]
        value = sum(part.likelihood for part in parts)
        if value < before - (SLACK + (0.0 if tight else enough**2)) * abs(before):
            raise _SlowError  # a step too long: the tensor shortens it
        before = value
        move = np.linalg.solve(sum(f.information for f in parts), sum(f.score for f in parts))
        size = float(np.abs(move * spread).max(initial=0.0))
        if tight and size <= SETTLED:
            return _solved(blocks, beta, step)
        if not size <= LONGEST:
            raise _SlowError
        beta = beta + move
        for block in blocks:
            block.b = block.b * np.exp(-np.tensordot(move, block.q, 1))  # the effects move along with the coefficients
    raise _SlowError


def _spread(blocks: Sequence[Block]) -> Floats:
    """Largest value of each regressor, shape (K,)."""
    return np.asarray(np.max([np.abs(block.x).max(axis=(1, 2), initial=0.0) for block in blocks], axis=0))


def _rough(blocks: Sequence[Block], beta: Floats, spread: Floats) -> Floats:
    """Coefficients of all periods taken as one, to start from."""
    whole = [
        replace(
            block,
            rows=block.rows.sum(axis=0, keepdims=True),
            columns=block.columns.sum(axis=0, keepdims=True),
            holes=None,
        )
        for block in blocks
    ]
    for _ in range(ROUGH_STEPS):
        parts = [_profile(block, beta, LOOSE * LOOSE) for block in whole]
        move = np.linalg.solve(sum(f.information for f in parts), sum(f.score for f in parts))
        size = float(np.abs(move * spread).max())
        if not size < np.inf:
            return np.zeros_like(beta)
        move = move * min(1.0, LONGEST / size) if size else move
        beta = beta + move
        for block in whole:
            block.b = block.b * np.exp(-np.tensordot(move, block.q, 1))
        if size <= LOOSE:
            break
    return beta


def _balance(block: Block, e: Floats, enough: float) -> None:
    """Proportional fitting of the multipliers to the sums."""
    for _ in range(MAX_SWEEPS):
        block.a = ratio(block.rows, block.by_row(e, block.b))
        b = ratio(block.columns, block.by_column(e, block.a))
        done = bool((np.abs(b - block.b) <= enough * b).all())
        block.b = b
        if done:
            break
    else:
        raise _SlowError
    if block.holes is not None and not _keeps_digits(block, e):
        raise _SlowError


def _keeps_digits(block: Block, e: Floats) -> bool:
    """Whether no sum is nearly all made of missing cells, so that taking them out leaves digits."""
    whole = block.a * (block.b @ e.T)
    return bool((block.rows >= CANCELS * whole).all() and (block.columns >= CANCELS * (block.a @ e) * block.b).all())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Profile:
    """Score, information and log likelihood but for constants, the effects solved for."""

    score: Floats
    information: Floats
    likelihood: float


def _profile(block: Block, beta: Floats, enough: float) -> _Profile:
    """Solve for the effects, project the regressors on them, and sum up what is left."""
    e = block.kernel(beta)
    _balance(block, e, enough)
    fitted_rows = block.a * block.by_row(e, block.b)  # the columns fit exactly after the last sweep
    by_row, by_column = _project(block, e, fitted_rows, enough)
    fitted = block.by_pair(e)
    flat = block.x.reshape(len(beta), e.size)
    # what little the rows are off by enters to first order, so that the balance need not be exact on the way
    score = flat @ (block.pairs - fitted).ravel() - np.einsum("kti,ti->k", block.p, block.rows - fitted_rows)
    information = (flat * fitted.ravel()) @ flat.T
    information -= np.einsum("kti,lti->kl", block.p, by_row) + np.einsum("ktj,ltj->kl", block.q, by_column)
    logs = sum(
        float((sums * np.log(np.where(multiplier > 0, multiplier, 1.0))).sum())
        for sums, multiplier in ((block.rows, block.a), (block.columns, block.b))
    )
    index = np.tensordot(beta, block.x, 1) + block.offset
    return _Profile(
        score=score,
        information=information,
        likelihood=logs + float((block.pairs * index).sum()) - float(fitted_rows.sum()),
    )


def _project(block: Block, e: Floats, fitted_rows: Floats, enough: float) -> tuple[Floats, Floats]:
    """Find the effects in the regressors from those that were found before; their sums by row and by column."""
    k = len(block.x)
    by_row = np.array([block.a * block.by_row(x * e, block.b) for x in block.x]).reshape(k, *block.a.shape)
    by_column = np.array([block.b * block.by_column(x * e, block.a) for x in block.x]).reshape(k, *block.b.shape)
    row_inverse, column_inverse = inverse(fitted_rows), inverse(block.columns)
    start, target = by_row * row_inverse, by_column * column_inverse
    rows, columns = block.a * row_inverse, block.b * column_inverse
    for _ in range(MAX_SWEEPS):
        block.p = start - rows * _each(block.by_row, e, block.b * block.q)
        new = target - columns * _each(block.by_column, e, block.a * block.p)
        done = np.abs(new - block.q).max(initial=0.0) <= enough * np.abs(new).max(initial=0.0)
        block.q = new
        if done:
            block.p = start - rows * _each(block.by_row, e, block.b * block.q)
            return by_row, by_column
    raise _SlowError


def _each(sums: Any, e: Floats, values: Floats) -> Floats:
    """Sums of each regressor's values, shape (K, T, ...)."""
    if not len(values):
        return np.zeros((0, 1, 1))
    return np.stack([sums(e, v) for v in values])


def _solved(blocks: Sequence[Block], beta: Floats, steps: int) -> Solved:
    return Solved(
        coefficients=beta,
        rows=[block.a for block in blocks],
        columns=[block.b for block in blocks],
        row_parts=[np.ascontiguousarray(np.moveaxis(block.p, 0, -1)) for block in blocks],
        column_parts=[np.ascontiguousarray(np.moveaxis(block.q, 0, -1)) for block in blocks],
        steps=steps,
        path="sums",
    )
