"""From sums alone, all periods in matrix products: where regressors do not move and few cells are missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled, kernel
from tradelift.solve.balance import balance
from tradelift.solve.newton import Step, add, climb
from tradelift.solve.profile import Solved
from tradelift.solve.slabs import Cut, inverse, ratio, row_sums

Floats = NDArray[Any]
Bools = NDArray[Any]
Ints = NDArray[Any]

MAX_SWEEPS = 500
TIGHT = 1e-12  # relative change of the multipliers in the last sweep
ROUNDING = 1e-14  # of the regressors' means, by which effects may always move: where there are none they are rounding
FEW = 8  # periods below which NumPy is as fast as the loops
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
        """Sums over destinations of kernel times v (..., T, J), shape (..., T, I)."""
        out = (v.reshape(-1, v.shape[-1]) @ e.T).reshape(*v.shape[:-1], len(e))
        if self.holes is not None:
            h = self.holes
            for own, values in zip(_planes(out), _planes(v), strict=True):
                _take_out(own, h.row, h.column, h.pair, e, values)
        return out

    def by_column(self, e: Floats, v: Floats) -> Floats:
        """Sums over origins of kernel times v (..., T, I), shape (..., T, J)."""
        out = (v.reshape(-1, v.shape[-1]) @ e).reshape(*v.shape[:-1], e.shape[1])
        if self.holes is not None:
            h = self.holes
            for own, values in zip(_planes(out), _planes(v), strict=True):
                _take_out(own, h.column, h.row, h.pair, e, values)
        return out

    def by_pair(self, e: Floats) -> Floats:
        """Sums over periods of the fitted flows, shape (I, J)."""
        out = e * (self.a.T @ self.b)
        if self.holes is not None:
            h = self.holes
            flows = e.ravel()[h.pair] * self.a.ravel()[h.row] * self.b.ravel()[h.column]
            out -= np.bincount(h.pair, flows, out.size).reshape(out.shape)
        return np.asarray(out)


def _planes(values: Floats) -> Floats:
    """Shape (K, T, ...), of (T, ...) or (K, T, ...)."""
    return values.reshape(-1, *values.shape[-2:])


def _take_out(out: Floats, to: Ints, origin: Ints, pair: Ints, e: Floats, v: Floats) -> None:
    """Take missing cells out of sums, in place: kernel at their pair times values at their origin."""
    if compiled.loaded() and out.flags.c_contiguous:
        kernel.take_out(out, to, origin, pair, np.ascontiguousarray(e), np.ascontiguousarray(v))
    else:
        out -= np.bincount(to, e.ravel()[pair] * v.ravel()[origin], out.size).reshape(out.shape)


def blocks_of(cuts: Sequence[Cut], most_missing: float = MOST_MISSING) -> list[Block] | None:
    """
    Sum up the pieces.

    Parameters
    ----------
    cuts
        The pieces.
    most_missing
        Largest share of missing cells.

    Returns
    -------
    Their blocks, or None where the sums do not say all about the coefficients: something moves, there are weights, or
    many cells are missing.
    """
    out = []
    for cut in cuts:
        piece = cut.piece
        moves = any(x.ndim == 3 for x in cut.regressors) or (piece.offset is not None and len(piece.offset) > 1)
        if moves or not _is_plain(piece.weights):
            return None
        block = _block(cut, most_missing)
        if block is None:
            return None
        out.append(block)
    return out


def _is_plain(weights: Floats | None) -> bool:
    """Whether weights are 0 and 1 at most."""
    return weights is None or weights.dtype == bool or bool(((weights == 0) | (weights == 1)).all())


def _block(cut: Cut, most_missing: float) -> Block | None:
    y, sample = cut.piece.outcome, cut.sample
    mask: Floats = np.ones(y.shape[1:])
    holes = None
    if sample is not None:
        if not most_missing:
            return None
        mask = np.asarray(sample.any(axis=0), dtype=np.float64)
        holes = _holes(sample, mask > 0)
        if holes is not None and len(holes.pair) > most_missing * y.size:
            return None
        y = np.where(sample, y, 0.0)
    rows, columns = row_sums(y), y.sum(axis=1)
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


def _holes(sample: Bools, mask: Bools) -> Holes | None:
    missing = ~sample & mask
    missing &= np.asarray(sample.any(axis=2))[:, :, None]  # who is not there at all has no multiplier
    missing &= np.asarray(sample.any(axis=1))[:, None, :]
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


def ordinary(cuts: Sequence[Cut]) -> Solved | None:
    """
    OLS: the same projections, with weight 1 in place of the fitted flows.

    Parameters
    ----------
    cuts
        The pieces.

    Returns
    -------
    The solution, or None where sums do not serve or the effects mix too slowly for this path.
    """
    # the compiled loops net the effects of every period out of all values in fewer passes than turns take
    blocks = blocks_of(cuts, 0.0 if compiled.loaded() else MOST_MISSING)
    if blocks is None:
        return None
    try:
        return _ordinary(blocks)
    except (_SlowError, np.linalg.LinAlgError):
        return None


def _ordinary(blocks: Sequence[Block]) -> Solved:
    k = len(blocks[0].x)
    cross, moment, effects = np.zeros((k, k)), np.zeros(k), []
    for block in blocks:
        e = block.mask
        block.a, block.b = np.ones_like(block.rows), np.ones_like(block.columns)
        counts = block.by_row(e, block.b), block.by_column(e, block.a)
        by_row, by_column = _project(block, e, counts, TIGHT)
        flat, n_periods = block.x.reshape(k, e.size), block.by_pair(e)
        cross += (flat * n_periods.ravel()) @ flat.T
        cross -= np.einsum("kti,lti->kl", block.p, by_row) + np.einsum("ktj,ltj->kl", block.q, by_column)
        rows = block.rows - block.by_row(block.offset, block.b)
        columns = block.columns - block.by_column(block.offset, block.a)
        moment += flat @ (block.pairs - n_periods * block.offset).ravel()
        moment -= np.einsum("kti,ti->k", block.p, rows) + np.einsum("ktj,tj->k", block.q, columns)
        effects.append(_effects(block, e, counts, rows, columns))
    beta = np.linalg.solve(cross, moment) if k else moment
    solved = _solved(blocks, beta, 1, cross)
    return replace(
        solved,
        rows=[rows - parts @ beta for (rows, _), parts in zip(effects, solved.row_parts, strict=True)],
        columns=[columns - parts @ beta for (_, columns), parts in zip(effects, solved.column_parts, strict=True)],
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """The multipliers of blocks, as Newton's method wants them."""

    blocks: Sequence[Block]

    def solve(self, beta: Floats, enough: float) -> Step | None:
        """Solve for the multipliers; None where they mix too slowly for this path."""
        try:
            return add((_profile(block, beta, enough) for block in self.blocks), len(beta))
        except _SlowError:
            return None

    def shift(self, move: Floats) -> None:
        """Move the multipliers along with the coefficients."""
        for block in self.blocks:
            block.b = block.b * np.exp(-np.tensordot(move, block.q, 1))


def newton(blocks: Sequence[Block]) -> Solved | None:
    """Estimate from blocks, whose multipliers change in place; None where they mix too slowly for this path."""
    k = len(blocks[0].x)
    peaks = [np.abs(block.x).max(axis=(1, 2), initial=0.0) for block in blocks]
    spread, start = np.asarray(np.max(peaks, axis=0)), np.zeros(k)
    if k and max(len(block.rows) for block in blocks) > 1:
        rough = climb(Blocks(blocks=[_all_periods(b) for b in blocks]), start, spread, TIGHT, rough=True)
        start = start if rough is None else rough.coefficients
    found = climb(Blocks(blocks=blocks), start, spread, TIGHT)
    return None if found is None else _solved(blocks, found.coefficients, found.steps, found.information)


def _all_periods(block: Block) -> Block:
    """All periods taken as one: it tells where to start."""
    rows, columns = block.rows.sum(axis=0, keepdims=True), block.columns.sum(axis=0, keepdims=True)
    return replace(block, rows=rows, columns=columns, holes=None)


class _SlowError(Exception):
    """The effects mix too slowly for this path."""


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


def _fit(block: Block, e: Floats, enough: float) -> tuple[Floats, Floats, Floats]:
    """Solve for multipliers and effects in the regressors; fitted rows, the regressors' sums by row and by column."""
    if compiled.loaded() and block.holes is None and len(block.rows) >= FEW:
        block.a, block.b = np.empty_like(block.rows), np.array(block.b, order="C")
        block.p, block.q = np.empty_like(block.p, order="C"), np.array(block.q, order="C")
        own = (e, block.x), (block.rows, block.columns), (block.a, block.b), (block.p, block.q)
        found = balance(*own, enough, MAX_SWEEPS)
        if found is None:
            raise _SlowError
        return found
    _balance(block, e, enough)
    fitted_rows = block.a * block.by_row(e, block.b)  # the columns fit exactly after the last sweep
    return fitted_rows, *_project(block, e, (fitted_rows, block.columns), enough)


def _profile(block: Block, beta: Floats, enough: float) -> Step:
    """Solve for the effects, project the regressors on them, and sum up what is left."""
    e = block.kernel(beta)
    fitted_rows, by_row, by_column = _fit(block, e, enough)
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
    return Step(
        score=score,
        information=information,
        likelihood=logs + float((block.pairs * index).sum()) - float(fitted_rows.sum()),
    )


def _project(block: Block, e: Floats, sums: tuple[Floats, Floats], enough: float) -> tuple[Floats, Floats]:
    """Find the effects in the regressors from those that were found before; their sums by row and by column."""
    k = len(block.x)
    by_row = np.array([block.a * block.by_row(x * e, block.b) for x in block.x]).reshape(k, *block.a.shape)
    by_column = np.array([block.b * block.by_column(x * e, block.a) for x in block.x]).reshape(k, *block.b.shape)
    if k:
        block.p, block.q = _turns(block, e, sums, (by_row, by_column), block.q, enough)
    return by_row, by_column


def _effects(
    block: Block, e: Floats, sums: tuple[Floats, Floats], rows: Floats, columns: Floats
) -> tuple[Floats, Floats]:
    """Effects in a value by its sums (T, I) and (T, J)."""
    p, q = _turns(block, e, sums, (rows[None], columns[None]), np.zeros((1, *columns.shape)), TIGHT)
    return p[0], q[0]


def _turns(
    block: Block, e: Floats, sums: tuple[Floats, Floats], target: tuple[Floats, Floats], q: Floats, enough: float
) -> tuple[Floats, Floats]:
    """Effects of origins (K, T, I) and destinations (K, T, J) by turns, from weights' sums and the values' sums."""
    row_inverse, column_inverse = inverse(sums[0]), inverse(sums[1])
    start, aim = target[0] * row_inverse, target[1] * column_inverse
    rows, columns = block.a * row_inverse, block.b * column_inverse
    rounding = ROUNDING * np.abs(aim).max(initial=0.0)
    for _ in range(MAX_SWEEPS):
        p = start - rows * block.by_row(e, block.b * q)
        new = aim - columns * block.by_column(e, block.a * p)
        done = np.abs(new - q).max() <= enough * np.abs(new).max() + rounding
        q = new
        if done:
            return start - rows * block.by_row(e, block.b * q), q
    raise _SlowError


def _solved(blocks: Sequence[Block], beta: Floats, steps: int, information: Floats) -> Solved:
    return Solved(
        coefficients=beta,
        rows=[block.a for block in blocks],
        columns=[block.b for block in blocks],
        row_parts=[np.ascontiguousarray(np.moveaxis(block.p, 0, -1)) for block in blocks],
        column_parts=[np.ascontiguousarray(np.moveaxis(block.q, 0, -1)) for block in blocks],
        information=information,
        steps=steps,
        path="sums",
    )
