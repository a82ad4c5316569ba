"""OLS and PPML with a third effect, of the pairs, that ties the periods together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.newton import Step, add, climb
from tradelift.solve.profile import Flows, Solved, flows_of, net_step, slabs_of
from tradelift.solve.slabs import Cut, Slab, by_column, by_row, each, inverse, ratio, row_sums

Floats = NDArray[Any]
Ints = NDArray[Any]

MAX_SWEEPS = 3000
TIGHT = 1e-9  # change of the effects still to come; it enters the coefficients squared
ROUGH = 1e-6  # the same where only the rank is asked for
OVER = 1.1  # relaxation of the third effect: a tenth further than each turn asks halves the turns
FASTEST = 0.999  # rate of shrinking beyond which more turns hardly help


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


def _job(cuts: Sequence[Cut]) -> Job:
    slabs = slabs_of(cuts)
    groups = [c.piece.group for c in cuts if c.piece.group is not None]
    assert len(groups) == len(cuts), "every piece has a third effect"
    return Job(slabs=slabs, codes=groups, n_codes=1 + max(int(g.max(initial=-1)) for g in groups))


def _start(cuts: Sequence[Cut], job: Job, k: int) -> State:
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


def ordinary(cuts: Sequence[Cut]) -> Solved | None:
    """
    OLS.

    Parameters
    ----------
    cuts
        The pieces; each has a third effect.

    Returns
    -------
    The solution, or None where the effects mix too slowly.
    """
    job, k = _job(cuts), len(cuts[0].regressors)
    state = _start(cuts, job, k + 1)
    cross = _net_cross(job, state, [_with_outcome(cuts, s) for s in job.slabs], TIGHT)
    if cross is None:
        return None
    beta = np.linalg.solve(cross[:k, :k], cross[:k, k]) if k else np.zeros(0)
    solved = _solved(job, state, beta, 1)

    def own(parts: Floats) -> Floats:
        return np.asarray(parts[..., k] - parts[..., :k] @ beta)

    third = state.group_parts
    return replace(
        solved,
        rows=[own(p) for p in state.row_parts],
        columns=[own(p) for p in state.column_parts],
        pairs=[own(third)[codes] for codes in job.codes],
        row_parts=[p[..., :k] for p in state.row_parts],
        column_parts=[p[..., :k] for p in state.column_parts],
        pair_parts=[third[codes][..., :k] for codes in job.codes],
    )


def net_cross(cuts: Sequence[Cut]) -> tuple[Floats | None, Floats]:
    """
    Cross product of the regressors net of the effects (None where they mix too slowly), and sums of squares before.

    Parameters
    ----------
    cuts
        The pieces; each has a third effect.
    """
    job, k = _job(cuts), len(cuts[0].regressors)
    values = [list(s.regressors) for s in job.slabs]
    cross = _net_cross(job, _start(cuts, job, k), values, ROUGH)
    weights = [np.ones(s.shape) if s.weights is None else s.weights for s in job.slabs]
    count = max(sum(float(w.sum()) for w in weights), 1.0)
    first, second = np.zeros(k), np.zeros(k)
    for w, own in zip(weights, values, strict=True):
        for i, x in enumerate(own):
            first[i] += float(by_row(w, x).sum())
            second[i] += float(by_row(w, x**2).sum())
    return cross, second - first**2 / count


def _net_cross(job: Job, state: State, values: Sequence[list[Floats]], enough: float) -> Floats | None:
    state.weights = [np.ones(s.shape) if s.weights is None else s.weights for s in job.slabs]
    try:
        _project(job, state, values, enough)
    except _SlowError:
        return None
    return np.asarray(np.sum([_cross(job, state, n, v) for n, v in enumerate(values)], axis=0))


def _with_outcome(cuts: Sequence[Cut], slab: Slab) -> list[Floats]:
    outcome = cuts[slab.piece].piece.outcome[slab.periods]  # not yet times the weights
    return [*slab.regressors, outcome if slab.offset is None else outcome - slab.offset]


def _cross(job: Job, state: State, n: int, values: Sequence[Floats]) -> Floats:
    slab, w = job.slabs[n], state.weights[n]
    p, q = state.row_parts[slab.piece][slab.periods], state.column_parts[slab.piece][slab.periods]
    third = state.group_parts[job.codes[slab.piece]]
    nets = [x - p[:, :, i, None] - q[:, None, :, i] - third[..., i] for i, x in enumerate(values)]
    flat = np.array(nets).reshape(len(nets), -1)
    return np.asarray((flat * w.ravel()) @ flat.T)


def poisson(cuts: Sequence[Cut]) -> Solved | None:
    """
    PPML: Newton's method on the coefficients, the effects fitted proportionally at each.

    Parameters
    ----------
    cuts
        The pieces; no observation is separated, and each piece has a third effect.

    Returns
    -------
    The solution, or None where the effects mix too slowly or Newton's method does not settle.
    """
    job, k = _job(cuts), len(cuts[0].regressors)
    state = _start(cuts, job, k)
    spread = np.array([max(np.abs(c.regressors[i]).max(initial=0.0) for c in cuts) for i in range(k)])
    flows = each(flows_of, job.slabs)
    traded = job.by_code([s.outcome.sum(axis=0) for s in job.slabs])
    for slab, sums in zip(job.slabs, flows, strict=True):
        state.rows[slab.piece][slab.periods] = sums.rows > 0
        state.columns[slab.piece][slab.periods] = sums.columns > 0
    effects = Tied(job=job, state=state, flows=flows, traded=traded)
    found = climb(effects, np.zeros(k), spread, TIGHT)
    return None if found is None else _solved(job, state, found.coefficients, found.steps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tied:
    """
    Effects that the third ties together, as Newton's method wants them.

    Parameters
    ----------
    job, state
        Slabs and their effects, which change in place.
    flows
        Sums of the outcome, by slab.
    traded
        Its sums by code of the third effect, shape (G,).
    """

    job: Job
    state: State
    flows: list[Flows]
    traded: Floats

    def solve(self, beta: Floats, enough: float) -> Step | None:
        """Solve for the effects of all slabs together; None where they mix too slowly."""
        job, state = self.job, self.state
        try:
            _balance(job, state, beta, self.flows, self.traded, enough)
            _project(job, state, [list(s.regressors) for s in job.slabs], enough)
        except _SlowError:
            return None
        found = add(each(partial(_slab_step, job, state), job.slabs, state.weights), len(beta))
        return (
            None if found is None else replace(found, likelihood=_likelihood(job, state, beta, self.flows, self.traded))
        )

    def shift(self, move: Floats) -> None:
        """Move the effects along with the coefficients."""
        state = self.state
        for values, parts in ((state.rows, state.row_parts), (state.columns, state.column_parts)):
            for n, part in enumerate(parts):
                values[n] *= np.exp(-(part @ move))
        state.group *= np.exp(-(state.group_parts @ move))


class _SlowError(Exception):
    """The effects mix too slowly."""


def _solved(job: Job, state: State, beta: Floats, steps: int) -> Solved:
    return Solved(
        coefficients=beta,
        rows=state.rows,
        columns=state.columns,
        row_parts=state.row_parts,
        column_parts=state.column_parts,
        pairs=[state.group[codes] for codes in job.codes],
        pair_parts=[state.group_parts[codes] for codes in job.codes],
        steps=steps,
        path="tensor",
    )


def _balance(job: Job, state: State, beta: Floats, flows: Sequence[Flows], traded: Floats, enough: float) -> None:
    """Proportional fitting of the multipliers to the sums; the fitted outcomes stay in the state."""
    kernels = each(lambda slab: slab.expected(beta), job.slabs)
    last, total = np.full(1, np.inf), max(float(traded.sum()), 1e-300)
    for _ in range(MAX_SWEEPS):
        factors = [state.group[codes] for codes in job.codes]
        swept = each(partial(_sweep, state, factors), job.slabs, flows, kernels)
        scale = ratio(traded, job.by_code([pairs for pairs, _ in swept]))
        state.group = state.group * scale**OVER
        # on what is traded, for a code of little trade matters as little
        moved = traded @ np.where(traded > 0, scale - 1, 0.0) ** 2 + sum(change for _, change in swept)
        change = np.sqrt(np.atleast_1d(moved / total))
        left, last = _to_go(change, last), change
        if left[0] <= enough:
            state.weights = each(partial(_fitted, job, state), job.slabs, kernels)
            return
    raise _SlowError


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


def _likelihood(job: Job, state: State, beta: Floats, flows: Sequence[Flows], traded: Floats) -> float:
    total = float(traded @ np.log(np.where(state.group > 0, state.group, 1.0)))
    for slab, sums, w in zip(job.slabs, flows, state.weights, strict=True):
        a, b = state.rows[slab.piece][slab.periods], state.columns[slab.piece][slab.periods]
        for own, multiplier in ((sums.rows, a), (sums.columns, b)):
            total += float((own * np.log(np.where(multiplier > 0, multiplier, 1.0))).sum())
        total += float(sums.regressors @ beta) + sums.offset - float(w.sum())
    return total


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
    row_inverse, column_inverse
        One over the sums, shapes (t, I, 1) and (t, J, 1).
    """

    weights: Floats
    turned: Floats
    columns: Floats
    row_inverse: Floats
    column_inverse: Floats


def _weighted(slab: Slab, w: Floats) -> Weighted:
    del slab
    columns = w.sum(axis=1)[..., None]
    return Weighted(
        weights=w,
        turned=np.ascontiguousarray(w.swapaxes(1, 2)),
        columns=columns,
        row_inverse=inverse(row_sums(w)[..., None]),
        column_inverse=inverse(columns),
    )


def _project(job: Job, state: State, values: Sequence[Sequence[Floats]], enough: float) -> None:
    """Find the effects in values, from those that were found before, by turns."""
    if not state.group_parts.shape[1]:
        return
    sums = each(_sums, job.slabs, values, state.weights)
    target, mass = job.by_code([s.pairs for s in sums]), job.by_code([w.sum(axis=0) for w in state.weights])
    weight = inverse(mass)[:, None]
    size = np.sqrt(np.maximum((mass[:, None] * (target * weight) ** 2).sum(axis=0), 1e-300))
    ready = each(_weighted, job.slabs, state.weights)
    last = np.full(len(size), np.inf)
    for _ in range(MAX_SWEEPS):
        thirds = [state.group_parts[codes] for codes in job.codes]
        turns = each(partial(_turn, state, thirds), job.slabs, sums, ready)
        new = (target - job.by_code([t.pairs for t in turns], [t.turned for t in turns])) * weight
        moved = (mass[:, None] * (new - state.group_parts) ** 2).sum(axis=0) + np.sum([t.moved for t in turns], axis=0)
        change = np.sqrt(moved)
        state.group_parts = state.group_parts + OVER * (new - state.group_parts)
        left, last = _to_go(change, last), change
        if np.all(left <= enough * size):
            thirds = [state.group_parts[codes] for codes in job.codes]
            each(partial(_turn, state, thirds), job.slabs, sums, ready)
            return
    raise _SlowError


def _sums(slab: Slab, values: Sequence[Floats], w: Floats) -> Sums:
    del slab
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


def _slab_step(job: Job, state: State, slab: Slab, w: Floats) -> Step:
    """What a slab adds to score and information."""
    n, at = slab.piece, slab.periods
    p, q = state.row_parts[n][at], state.column_parts[n][at]
    return net_step(slab, w, p, q, state.group_parts[job.codes[n]])
