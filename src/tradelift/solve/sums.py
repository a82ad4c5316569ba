"""PPML from sums alone, all periods in matrix products: where regressors do not move and few cells are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.profile import Solved
from tradelift.solve.slabs import Cut, inverse, ratio

Floats = NDArray[Any]
Bools = NDArray[Any]
Ints = NDArray[Any]

MAX_STEPS = 40
MAX_HALVINGS = 20
MAX_SWEEPS = 2000
BALANCED = 1e-13  # relative change of the multipliers in a sweep
SLACK = 1e-10  # fall of the likelihood that rounding explains, relative
SMALL = 1e-14  # a step, relative to the coefficients
SETTLED = 1e-13  # of the score, relative to the absolute values that it sums
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
    a, b
        Multipliers of origins and destinations, shapes (T, I) and (T, J); 0 where nothing was traded.
    holes
        Missing cells, or None.
    """

    x: Floats
    mask: Floats
    offset: Floats
    rows: Floats
    columns: Floats
    pairs: Floats
    a: Floats
    b: Floats
    holes: Holes | None = None

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
    rows, columns = y.sum(axis=2), y.sum(axis=1)
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
        a=np.zeros_like(rows),
        b=(columns > 0).astype(np.float64),
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
    beta = np.zeros(len(blocks[0].x))
    kernels = _balanced(blocks, beta)
    likelihood = _likelihood(blocks, beta)
    for step in range(1, MAX_STEPS + 1):
        parts = [_profile(block, e) for block, e in zip(blocks, kernels, strict=True)]
        score, scale = sum(f.score for f in parts), sum(f.scale for f in parts)
        if np.all(np.abs(score) <= SETTLED * scale):
            return _solved(blocks, parts, beta, step)
        move = np.linalg.solve(np.asarray(sum(f.information for f in parts)), np.asarray(score))
        before = [block.b for block in blocks]
        for _ in range(MAX_HALVINGS):
            for block, part, b in zip(blocks, parts, before, strict=True):
                block.b = b * np.exp(-np.tensordot(move, part.q, 1))  # the effects move along with the coefficients
            kernels = _balanced(blocks, beta + move)
            value = _likelihood(blocks, beta + move)
            if value >= likelihood - SLACK * abs(likelihood):
                break
            move = move / 2
        beta, likelihood = beta + move, value
        if np.abs(move).max(initial=0.0) <= SMALL * max(1.0, np.abs(beta).max(initial=0.0)):
            return _solved(blocks, [_profile(o, e) for o, e in zip(blocks, kernels, strict=True)], beta, step)
    raise _SlowError


def _balanced(blocks: Sequence[Block], beta: Floats) -> list[Floats]:
    """Kernels at the coefficients, with the blocks' multipliers balanced to them."""
    kernels = [block.kernel(beta) for block in blocks]
    if not (np.isfinite(beta).all() and all(_balance(o, e) for o, e in zip(blocks, kernels, strict=True))):
        raise _SlowError
    return kernels


def _balance(block: Block, e: Floats) -> bool:
    """Proportional fitting of the multipliers to the sums; False where it takes too long or loses digits."""
    for _ in range(MAX_SWEEPS):
        block.a = ratio(block.rows, block.by_row(e, block.b))
        b = ratio(block.columns, block.by_column(e, block.a))
        change = np.abs(b - block.b) > BALANCED * b
        block.b = b
        if not change.any():
            block.a = ratio(block.rows, block.by_row(e, block.b))
            return block.holes is None or _keeps_digits(block, e)
    return False


def _keeps_digits(block: Block, e: Floats) -> bool:
    """Whether no sum is nearly all made of missing cells, so that taking them out leaves digits."""
    whole = block.a * (block.b @ e.T)
    return bool((block.rows >= CANCELS * whole).all() and (block.columns >= CANCELS * (block.a @ e) * block.b).all())


def _likelihood(blocks: Sequence[Block], beta: Floats) -> float:
    """Log likelihood but for constants, at balanced multipliers."""
    total = 0.0
    for block in blocks:
        for sums, multiplier in ((block.rows, block.a), (block.columns, block.b)):
            total += float((sums * np.log(np.where(multiplier > 0, multiplier, 1.0))).sum())
        total += float((block.pairs * (np.tensordot(beta, block.x, 1) + block.offset)).sum())
    return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Profile:
    """Effects of the regressors (p by origin, q by destination), score, its scale, and information."""

    p: Floats
    q: Floats
    score: Floats
    scale: Floats
    information: Floats


def _profile(block: Block, e: Floats) -> _Profile:
    """Project the regressors on the effects, weighted by the fitted flows, and sum up what is left."""
    k = len(block.x)
    by_row = np.array([block.a * block.by_row(x * e, block.b) for x in block.x]).reshape(k, *block.a.shape)
    by_column = np.array([block.b * block.by_column(x * e, block.a) for x in block.x]).reshape(k, *block.b.shape)
    rows, columns = block.a * inverse(block.rows), block.b * inverse(block.columns)
    start, target = by_row * inverse(block.rows), by_column * inverse(block.columns)
    q = np.zeros_like(by_column)
    for _ in range(MAX_SWEEPS):
        p = start - rows * _each(block.by_row, e, block.b * q)
        new = target - columns * _each(block.by_column, e, block.a * p)
        done = np.abs(new - q).max(initial=0.0) <= BALANCED * np.abs(new).max(initial=0.0)
        q = new
        if done:
            break
    else:
        raise _SlowError
    p = start - rows * _each(block.by_row, e, block.b * q)
    fitted = block.by_pair(e)
    flat = block.x.reshape(k, e.size)
    return _Profile(
        p=p,
        q=q,
        score=flat @ (block.pairs - fitted).ravel(),
        scale=np.abs(flat) @ (block.pairs + fitted).ravel(),
        information=(flat * fitted.ravel()) @ flat.T
        - np.einsum("kti,lti->kl", p, by_row)
        - np.einsum("ktj,ltj->kl", q, by_column),
    )


def _each(sums: Any, e: Floats, values: Floats) -> Floats:
    """Sums of each regressor's values, shape (K, T, ...)."""
    if not len(values):
        return np.zeros((0, 1, 1))
    return np.stack([sums(e, v) for v in values])


def _solved(blocks: Sequence[Block], parts: Sequence[_Profile], beta: Floats, steps: int) -> Solved:
    return Solved(
        coefficients=beta,
        rows=[block.a for block in blocks],
        columns=[block.b for block in blocks],
        row_parts=[np.ascontiguousarray(np.moveaxis(part.p, 0, -1)) for part in parts],
        column_parts=[np.ascontiguousarray(np.moveaxis(part.q, 0, -1)) for part in parts],
        steps=steps,
        path="sums",
    )
