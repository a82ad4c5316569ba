"""Turns over three effects, the third of which ties the periods together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled
from tradelift.solve import kernel as loops
from tradelift.solve.profile import Flows, slabs_of
from tradelift.solve.slabs import Cut, Slab, by_column, by_row, each, inverse, ratio, row_sums

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
        Effects in the regressors, shapes (T, I, K), (T, J, K) and (K, G).
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
    """
    Weighted sums of K values of a slab by origin (t, I, K), destination (t, J, K) and pair (K, I, J).

    `row_mass` (t, I), `mass` (t, J) and `pair_mass` (I, J) are those of the weights.
    """

    rows: Floats
    columns: Floats
    pairs: Floats
    row_mass: Floats
    mass: Floats
    pair_mass: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """Slabs, the codes of the third effect by piece, shape (I, J), and how many codes there are."""

    slabs: list[Slab]
    codes: list[Ints]
    n_codes: int

    def by_code(self, pairs: Sequence[Floats]) -> Floats:
        """Sums of the slabs' pair sums (K, I, J) or (I, J) by code, shape (K, G) or (G,)."""
        out = np.zeros((*pairs[0].shape[:-2], self.n_codes))
        flat = out.reshape(-1, self.n_codes)
        for n, codes in enumerate(self.codes):
            total = self._sum(pairs, n)  # first, for to add them up is faster than to look up their codes
            if compiled.loaded():
                loops.by_code(flat, codes, total)
                continue
            for k, values in enumerate(total.reshape(-1, codes.size)):
                flat[k] += np.bincount(codes.ravel(), weights=values, minlength=self.n_codes)
        return out

    def by_pair(self, group_parts: Floats) -> list[Floats]:
        """The third effect's part in regressors (K, G) by pair, shape (K, I, J) for each piece."""
        return [np.take(group_parts, codes, axis=1) for codes in self.codes]

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
        group_parts=np.zeros((k, job.n_codes)),
    )


def balance(job: Job, state: State, beta: Floats, flows: Sequence[Flows], traded: Floats, enough: float) -> None:
    """
    Proportional fitting of the multipliers to the sums.

    What flows are apart from the multipliers stays in the state's weights; `project` makes fitted outcomes of it.
    """
    memory = state.weights or [np.empty(s.shape) for s in job.slabs]
    state.weights = kernels = each(partial(_kernel, beta), job.slabs, memory)
    last, total = np.full(1, np.inf), max(float(traded.sum()), 1e-300)
    factors = [np.empty(codes.shape) for codes in job.codes]
    sweeps = [_sweep(state, factors, *own) for own in zip(job.slabs, flows, kernels, strict=True)]
    for _ in range(MAX_SWEEPS):
        for own, codes in zip(factors, job.codes, strict=True):
            np.take(state.group, codes, out=own, mode="clip")  # which needs no copy
        swept = each(_run, job.slabs, sweeps)
        scale = ratio(traded, job.by_code([pairs for pairs, _ in swept]))
        state.group = state.group * scale**OVER
        # on what is traded, for a code of little trade matters as little
        moved = traded @ np.where(traded > 0, scale - 1, 0.0) ** 2 + sum(float(change[0]) for _, change in swept)
        change = np.sqrt(np.atleast_1d(moved / total))
        left, last = _to_go(change, last), change
        if left[0] <= enough:
            return
    raise SlowError


def _run(_: Slab, call: Callable[[], tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Make a call that is ready."""
    return call()


def _to_go(change: Floats, last: Floats) -> Floats:
    """How far a sequence is from its limit, if it goes on to shrink as it did in the last turn."""
    rate = np.minimum(np.divide(change, last, out=np.zeros_like(change), where=last > 0), FASTEST)
    return np.asarray(change * np.where(np.isfinite(last), rate / (1 - rate), 1.0))


def _kernel(beta: Floats, slab: Slab, out: Floats) -> Floats:
    """What a slab's flows are apart from their multipliers, where its fitted outcomes were."""
    return loops.expected(slab, beta, out) if compiled.loaded() else slab.expected(beta)


def _sweep(
    state: State, factors: Sequence[Floats], slab: Slab, flows: Flows, kernel: Floats
) -> Callable[[], tuple[Floats, Floats]]:
    """Prepare what fits one slab in place, and gives its fitted sums by pair, and how far the columns moved."""
    n, at = slab.piece, slab.periods
    a, b = state.rows[n][at], state.columns[n][at]
    if compiled.loaded():
        return loops.sweep(kernel, factors[n], (flows.rows, flows.columns), a, b)

    def plain() -> tuple[Floats, Floats]:
        tied, before = kernel * factors[n], b.copy()
        a[...] = ratio(flows.rows, np.matmul(tied, b[..., None])[..., 0])
        tied *= a[:, :, None]
        b[...] = ratio(flows.columns, tied.sum(axis=1))
        moved = flows.columns * (ratio(b, before) - (flows.columns > 0)) ** 2
        return np.asarray(np.einsum("tij,tj->ij", tied, b)), np.array([moved.sum()])

    return plain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projected:
    """
    Sums behind a projection.

    Parameters
    ----------
    sums
        Weighted sums of the values, by slab.
    by_code
        The same by code of the third effect, shape (K, G).
    mass
        The weights' sums by code, shape (G,).
    """

    sums: list[Sums]
    by_code: Floats
    mass: Floats


def project(
    job: Job,
    state: State,
    values: Sequence[Sequence[Floats]],
    enough: float,
    *,
    settle: bool = True,
    balanced: bool = False,
) -> Projected | None:
    """
    Find the effects in values, from those that were found before, by turns.

    Parameters
    ----------
    job, state, values, enough
        Slabs, their effects (changed in place), K values each, and how near the effects are wanted.
    settle
        Whether the other effects follow the last move of the third.
    balanced
        Whether the weights have just been balanced, and become fitted outcomes here: in the pass that sums them up.

    Returns
    -------
    The sums behind it, or None where there are no values.

    Raises
    ------
    SlowError
        If the effects mix too slowly.
    """
    thirds = [state.group[codes] for codes in job.codes] if balanced else None
    sums = each(partial(_sums, state, thirds), job.slabs, values, state.weights)
    if not len(state.group_parts):
        return None
    target, mass = job.by_code([s.pairs for s in sums]), job.by_code([s.pair_mass for s in sums])
    size = np.sqrt(np.maximum((mass * (target * inverse(mass)) ** 2).sum(axis=1), 1e-300))
    last = np.full(len(size), np.inf)
    parts = job.by_pair(state.group_parts)
    turns = [_turn(state, parts, *own) for own in zip(job.slabs, sums, state.weights, strict=True)]
    for _ in range(MAX_SWEEPS):
        turned = each(_run, job.slabs, turns)
        moved = _relax(state, target, job.by_code([pairs for pairs, _ in turned]), mass)
        change = np.sqrt(moved + np.sum([far for _, far in turned], axis=0))
        for own, codes in zip(parts, job.codes, strict=True):
            np.take(state.group_parts, codes, axis=1, out=own, mode="clip")
        left, last = _to_go(change, last), change
        if np.all(left <= enough * size):
            if settle:
                each(_run, job.slabs, turns)
            return Projected(sums=sums, by_code=target, mass=mass)
    raise SlowError


def _relax(state: State, target: Floats, others: Floats, mass: Floats) -> Floats:
    """Move the third effect in place, from the values' sums and those of the other effects (K, G); how far (K,)."""
    if compiled.loaded():
        return loops.relax(state.group_parts, target, others, mass, OVER)
    way = (target - others) * inverse(mass) - state.group_parts
    state.group_parts += OVER * way
    return np.asarray((mass * way**2).sum(axis=1))


def _sums(state: State, thirds: Sequence[Floats] | None, slab: Slab, values: Sequence[Floats], w: Floats) -> Sums:
    """Sum up a slab; its weights are first multiplied in place where the third effect is given, by pair."""
    n, at = slab.piece, slab.periods
    by = None if thirds is None else (state.rows[n][at], state.columns[n][at], thirds[n])
    if compiled.loaded():
        (rows, columns, pairs), (row_mass, mass, pair_mass) = loops.sums(values, w, by)
        return Sums(rows=rows, columns=columns, pairs=pairs, row_mass=row_mass, mass=mass, pair_mass=pair_mass)
    if by is not None:
        w *= by[2]
        w *= by[0][:, :, None]
        w *= by[1][:, None, :]
    k = len(values)
    return Sums(
        rows=np.stack([by_row(w, x) for x in values], axis=-1) if k else np.zeros((*w.shape[:2], 0)),
        columns=np.stack([by_column(w, x) for x in values], axis=-1) if k else np.zeros((*w.shape[::2], 0)),
        pairs=np.array([np.einsum("tij,ij->ij" if x.ndim == 2 else "tij,tij->ij", w, x) for x in values]),
        row_mass=row_sums(w),
        mass=w.sum(axis=1),
        pair_mass=w.sum(axis=0),
    )


def _turn(
    state: State, thirds: Sequence[Floats], slab: Slab, sums: Sums, w: Floats
) -> Callable[[], tuple[Floats, Floats]]:
    """
    Prepare what updates one slab's other effects in place, given the third by pair, shape (K, I, J).

    Returns
    -------
    What gives weighted sums of both by pair (K, I, J), and how far those of the destinations moved (K,).
    """
    n, at = slab.piece, slab.periods
    p, q, third = state.row_parts[n][at], state.column_parts[n][at], thirds[n]
    if compiled.loaded():
        return loops.turn(w, third, (sums.rows, sums.columns), (sums.row_mass, sums.mass), p, q)

    def plain() -> tuple[Floats, Floats]:
        before = q.copy()
        by_origin = np.einsum("tij,kij->tik", w, third) + np.matmul(w, q)
        p[...] = (sums.rows - by_origin) * inverse(sums.row_mass)[..., None]
        by_destination = np.einsum("tij,kij->tjk", w, third) + np.matmul(w.swapaxes(1, 2), p)
        q[...] = (sums.columns - by_destination) * inverse(sums.mass)[..., None]
        moved = (sums.mass[..., None] * (q - before) ** 2).sum(axis=(0, 1))
        return np.einsum("tij,tik->kij", w, p) + np.einsum("tij,tjk->kij", w, q), np.asarray(moved)

    return plain
