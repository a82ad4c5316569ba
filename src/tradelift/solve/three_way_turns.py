"""Turns over three effects, the third of which ties the periods together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.profile import Flows, slabs_of
from tradelift.solve.slabs import Cut, Slab, by_column, by_row, inverse, ratio, row_sums

Floats = NDArray[Any]
Ints = NDArray[Any]

MAX_SWEEPS = 3000
OVER = 1.1  # relaxation of the third effect: a tenth further than each turn asks halves the turns
FASTEST = 0.999  # rate of shrinking beyond which more turns hardly help


class SlowError(Exception):
    """The effects mix too slowly."""


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """
    The effects, changed in place; lists are by piece.

    Parameters
    ----------
    weights
        By slab: fitted outcomes (PPML) or weights (OLS), shape (t, I, J).
    rows, columns
        Multipliers of origins (T, I) and destinations (T, J).
    group
        Multiplier of each code of the third effect, shape (G,).
    row_parts, column_parts, group_parts
        Effects in the regressors, shapes (T, I, K), (T, J, K) and (G, K).
    """

    weights: list[Floats]
    rows: list[Floats]
    columns: list[Floats]
    group: Floats
    row_parts: list[Floats]
    column_parts: list[Floats]
    group_parts: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Weighted sums of K values by origin (t, I, K) and destination (t, J, K), and by pair (I, J, K), of a slab."""

    rows: Floats
    columns: Floats
    pairs: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """Slabs, the codes of the third effect by piece, shape (I, J), and how many codes there are."""

    slabs: list[Slab]
    codes: list[Ints]
    n_codes: int

    def by_code(self, pairs: Sequence[Floats], turned: Sequence[Floats] | None = None) -> Floats:
        """Sums of the slabs' pair sums (I, J, ...), and of others turned (J, I, ...), by code, shape (G, ...)."""
        out = np.zeros((self.n_codes, *pairs[0].shape[2:]))
        flat = out.reshape(self.n_codes, -1)
        for n, codes in enumerate(self.codes):
            total = self._sum(pairs, n)
            if turned is not None:
                total += self._sum(turned, n).swapaxes(0, 1)
            for k, values in enumerate(np.moveaxis(total.reshape(codes.size, -1), 1, 0)):
                flat[:, k] += np.bincount(codes.ravel(), weights=values, minlength=self.n_codes)
        return out

    def _sum(self, pairs: Sequence[Floats], piece: int) -> Floats:
        own = [p for p, s in zip(pairs, self.slabs, strict=True) if s.piece == piece]
        total = own[0].copy()
        for values in own[1:]:
            total += values
        return total


def job_of(cuts: Sequence[Cut]) -> Job:
    """Cut pieces that have a third effect into slabs."""
    slabs = slabs_of(cuts)
    groups = [c.piece.group for c in cuts if c.piece.group is not None]
    assert len(groups) == len(cuts), "every piece has a third effect"
    return Job(slabs=slabs, codes=groups, n_codes=1 + max(int(g.max(initial=-1)) for g in groups))


def start_of(cuts: Sequence[Cut], job: Job, k: int) -> State:
    """Effects before anything is known of them, in K regressors."""
    shapes = [c.piece.outcome.shape for c in cuts]
    return State(
        weights=[],
        rows=[np.ones((t, i)) for t, i, _ in shapes],
        columns=[np.ones((t, j)) for t, _, j in shapes],
        group=np.ones(job.n_codes),
        row_parts=[np.zeros((t, i, k)) for t, i, _ in shapes],
        column_parts=[np.zeros((t, j, k)) for t, _, j in shapes],
        group_parts=np.zeros((job.n_codes, k)),
    )


def balance(job: Job, state: State, beta: Floats, flows: Sequence[Flows], traded: Floats, enough: float) -> None:
    """Proportional fitting of the multipliers to the sums; the fitted outcomes stay in the state."""
    kernels = [slab.expected(beta) for slab in job.slabs]
    last, total = np.full(1, np.inf), max(float(traded.sum()), 1e-300)
    for _ in range(MAX_SWEEPS):
        factors = [state.group[codes] for codes in job.codes]
        swept = list(map(partial(_sweep, state, factors), job.slabs, flows, kernels))
        scale = ratio(traded, job.by_code([pairs for pairs, _ in swept]))
        state.group = state.group * scale**OVER
        # on what is traded, for a code of little trade matters as little
        moved = traded @ np.where(traded > 0, scale - 1, 0.0) ** 2 + sum(change for _, change in swept)
        change = np.sqrt(np.atleast_1d(moved / total))
        left, last = _to_go(change, last), change
        if left[0] <= enough:
            state.weights = list(map(partial(_fitted, job, state), job.slabs, kernels))
            return
    raise SlowError


def _to_go(change: Floats, last: Floats) -> Floats:
    """How far a sequence is from its limit, if it goes on to shrink as it did in the last turn."""
    rate = np.minimum(np.divide(change, last, out=np.zeros_like(change), where=last > 0), FASTEST)
    return np.asarray(change * np.where(np.isfinite(last), rate / (1 - rate), 1.0))


def _fitted(job: Job, state: State, slab: Slab, kernel: Floats) -> Floats:
    """Fitted outcomes of a slab, in place of its kernel."""
    n, at = slab.piece, slab.periods
    kernel *= state.group[job.codes[n]]
    kernel *= state.rows[n][at][:, :, None]
    kernel *= state.columns[n][at][:, None, :]
    return kernel


def _sweep(state: State, factors: Sequence[Floats], slab: Slab, flows: Flows, kernel: Floats) -> tuple[Floats, float]:
    """Fit one slab's rows and columns in place; its fitted sums by pair, and how far the columns moved."""
    n, at = slab.piece, slab.periods
    before = state.columns[n][at]
    tied = kernel * factors[n]
    a = ratio(flows.rows, np.matmul(tied, before[..., None])[..., 0])
    tied *= a[:, :, None]
    b = ratio(flows.columns, tied.sum(axis=1))
    state.rows[n][at], state.columns[n][at] = a, b
    moved = flows.columns * (ratio(b, before) - (flows.columns > 0)) ** 2
    return np.asarray(np.einsum("tij,tj->ij", tied, b)), float(moved.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighted:
    """
    The weights of a slab and what every turn asks of them.

    Parameters
    ----------
    weights, turned
        Shapes (t, I, J) and (t, J, I): products of matrices want either in rows.
    columns
        Sums by destination, shape (t, J, 1).
    rows, row_inverse, column_inverse
        Sums by origin, and one over the sums, shapes (t, I, 1) and (t, J, 1).
    """

    weights: Floats
    turned: Floats
    rows: Floats
    columns: Floats
    row_inverse: Floats
    column_inverse: Floats


def _weighted(w: Floats) -> Weighted:
    rows, columns = row_sums(w)[..., None], w.sum(axis=1)[..., None]
    return Weighted(
        weights=w,
        turned=np.ascontiguousarray(w.swapaxes(1, 2)),
        rows=rows,
        columns=columns,
        row_inverse=inverse(rows),
        column_inverse=inverse(columns),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projected:
    """
    Sums behind a projection.

    Parameters
    ----------
    sums
        Weighted sums of the values, by slab.
    by_code
        The same by code of the third effect, shape (G, K).
    weights, mass
        The weights and what turns ask of them, by slab; their sums by code, shape (G,).
    """

    sums: list[Sums]
    by_code: Floats
    weights: list[Weighted]
    mass: Floats


def project(job: Job, state: State, values: Sequence[Sequence[Floats]], enough: float) -> Projected | None:
    """
    Find the effects in values, from those that were found before, by turns.

    Returns
    -------
    The sums behind it, or None where there are no values.

    Raises
    ------
    SlowError
        If the effects mix too slowly.
    """
    if not state.group_parts.shape[1]:
        return None
    sums = list(map(_sums, values, state.weights))
    target, mass = job.by_code([s.pairs for s in sums]), job.by_code([w.sum(axis=0) for w in state.weights])
    weight = inverse(mass)[:, None]
    size = np.sqrt(np.maximum((mass[:, None] * (target * weight) ** 2).sum(axis=0), 1e-300))
    ready = list(map(_weighted, state.weights))
    last = np.full(len(size), np.inf)
    for _ in range(MAX_SWEEPS):
        thirds = [state.group_parts[codes] for codes in job.codes]
        turns = list(map(partial(_turn, state, thirds), job.slabs, sums, ready))
        new = (target - job.by_code([t.pairs for t in turns], [t.turned for t in turns])) * weight
        moved = (mass[:, None] * (new - state.group_parts) ** 2).sum(axis=0) + np.sum([t.moved for t in turns], axis=0)
        change = np.sqrt(moved)
        state.group_parts = state.group_parts + OVER * (new - state.group_parts)
        left, last = _to_go(change, last), change
        if np.all(left <= enough * size):
            thirds = [state.group_parts[codes] for codes in job.codes]
            list(map(partial(_turn, state, thirds), job.slabs, sums, ready))
            return Projected(sums=sums, by_code=target, weights=ready, mass=mass)
    raise SlowError


def _sums(values: Sequence[Floats], w: Floats) -> Sums:
    return Sums(
        rows=np.stack([by_row(w, x) for x in values], axis=-1),
        columns=np.stack([by_column(w, x) for x in values], axis=-1),
        pairs=np.stack([np.einsum("tij,ij->ij" if x.ndim == 2 else "tij,tij->ij", w, x) for x in values], axis=-1),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """Weighted sums by pair of origin (I, J, K) and destination effects (J, I, K), and how far the latter moved."""

    pairs: Floats
    turned: Floats
    moved: Floats


def _turn(state: State, thirds: Sequence[Floats], slab: Slab, sums: Sums, ready: Weighted) -> Turn:
    """Update one slab's other effects in place, given the third."""
    n, at, w, turned = slab.piece, slab.periods, ready.weights, ready.turned
    third, before = thirds[n], state.column_parts[n][at]
    # sums of weights times what differs by pair are products of one matrix for each region
    by_origin = np.matmul(w.swapaxes(0, 1), third).swapaxes(0, 1)
    p = (sums.rows - by_origin - np.matmul(w, before)) * ready.row_inverse
    by_destination = np.matmul(turned.swapaxes(0, 1), third.swapaxes(0, 1)).swapaxes(0, 1)
    q = (sums.columns - by_destination - np.matmul(turned, p)) * ready.column_inverse
    moved = (ready.columns * (q - before) ** 2).sum(axis=(0, 1))
    state.row_parts[n][at], state.column_parts[n][at] = p, q
    return Turn(
        pairs=np.matmul(w.transpose(1, 2, 0), p.swapaxes(0, 1)),
        turned=np.matmul(turned.transpose(1, 2, 0), q.swapaxes(0, 1)),
        moved=np.asarray(moved),
    )
