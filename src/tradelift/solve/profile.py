"""PPML with two-way effects: Newton's method on the coefficients, the effects solved for at each, slab by slab."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled, kernel
from tradelift.solve.newton import Step, add, climb
from tradelift.solve.problem import Path
from tradelift.solve.projection import FLAT, MAX_ITERATIONS, solve_effects
from tradelift.solve.slabs import Cut, Slab, by_column, by_row, each, periods, ratio, row_sums, spread_of

Floats = NDArray[Any]

MAX_SWEEPS = 20  # of proportional fitting, before Newton's steps help
MAX_HELP = 60
TIGHT = 1e-10  # relative change of the multipliers in the last sweep; it enters the coefficients squared
EXPLICIT = 1e-6  # effects so near are followed by regressors net of them, cell by cell: sums would lose digits
NOISE = 1e-15  # rounding of a sum, relative to the largest sum of its period
COARSE = 8  # one of so many periods gives the start
LONGEST = 2.0  # Newton step on the logs of multipliers
CLOSE = 1e-4  # of the residual of such a step


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """
    Coefficients, and the effects from which fitted values and net regressors follow; lists are by piece.

    Parameters
    ----------
    coefficients
        Shape (K,).
    rows, columns
        Effects of origins and destinations on the outcome, shapes (T, I) and (T, J): multipliers for Poisson (0 where
        nothing was traded), terms for OLS.
    row_parts, column_parts
        The same effects in the regressors, shapes (T, I, K) and (T, J, K).
    pairs, pair_parts
        The third effect likewise, shapes (I, J) and (I, J, K); None where there is none.
    information
        Cross product of the regressors net of effects, shape (K, K), where it is known.
    steps
        Newton steps.
    path
        How the numbers were computed.
    """

    coefficients: Floats
    rows: list[Floats]
    columns: list[Floats]
    row_parts: list[Floats]
    column_parts: list[Floats]
    pairs: list[Floats] | None = None
    pair_parts: list[Floats] | None = None
    information: Floats | None = None
    steps: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flows:
    """Sums of a slab's outcome: by origin (t, I), destination (t, J) and pair (I, J), and with each regressor (K,)."""

    rows: Floats
    columns: Floats
    pairs: Floats
    regressors: Floats
    offset: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slabs:
    """
    The effects of slabs, as Newton's method wants them.

    Parameters
    ----------
    slabs, flows
        With the sums of their outcomes.
    state
        The effects, changed in place.
    spread
        Largest absolute value of each regressor, shape (K,).
    """

    slabs: list[Slab]
    flows: list[Flows]
    state: Solved
    spread: Floats

    def solve(self, beta: Floats, enough: float) -> Step | None:
        """Solve for the effects of every slab."""
        return add(each(partial(_step, self.state, self.spread, beta, enough), self.slabs, self.flows), len(beta))

    def shift(self, move: Floats) -> None:
        """Move the effects along with the coefficients."""
        for slab in self.slabs:
            n, at = slab.piece, slab.periods
            self.state.rows[n][at] *= np.exp(-(self.state.row_parts[n][at] @ move))
            self.state.columns[n][at] *= np.exp(-(self.state.column_parts[n][at] @ move))


def solve(cuts: Sequence[Cut]) -> Solved | None:
    """
    Estimate, the effects of every period on their own.

    Parameters
    ----------
    cuts
        The pieces; no observation is separated.

    Returns
    -------
    The solution, or None where Newton's method does not settle.
    """
    k = len(cuts[0].regressors)
    spread = spread_of(cuts)
    state, start = start_of(cuts, k), np.zeros(k)
    thin = [[slice(t, t + 1) for t in range(0, len(c.piece.outcome), COARSE)] for c in cuts]
    if k and max(len(t) for t in thin) > 1:
        coarse = climb(effects_of(slabs_of(cuts, thin), state, spread), start, spread, TIGHT, rough=True)
        if coarse is None:
            state = start_of(cuts, k)
        else:
            start = coarse.coefficients
    whole = effects_of(slabs_of(cuts), state, spread)
    found = climb(whole, start, spread, TIGHT)
    return None if found is None else replace(state, coefficients=found.coefficients, steps=found.steps)


def effects_of(slabs: list[Slab], state: Solved, spread: Floats) -> Slabs:
    """Sum up the outcomes of slabs."""
    return Slabs(slabs=slabs, flows=each(flows_of, slabs), state=state, spread=spread)


def slabs_of(cuts: Sequence[Cut], pieces: Sequence[Sequence[slice]] | None = None) -> list[Slab]:
    """Cut pieces, at their usual places unless others are given."""
    at = [periods(c.piece) for c in cuts] if pieces is None else pieces
    wanted = [(n, c, own) for n, (c, several) in enumerate(zip(cuts, at, strict=True)) for own in several]
    return [c.slab(n, own) for n, c, own in wanted]


def start_of(cuts: Sequence[Cut], k: int) -> Solved:
    """Effects before anything is known of them."""
    shapes = [c.piece.outcome.shape for c in cuts]
    return Solved(
        coefficients=np.zeros(k),
        rows=[np.zeros((t, i)) for t, i, _ in shapes],
        columns=[np.ones((t, j)) for t, _, j in shapes],
        row_parts=[np.zeros((t, i, k)) for t, i, _ in shapes],
        column_parts=[np.zeros((t, j, k)) for t, _, j in shapes],
        steps=0,
        path="tensor",
    )


def flows_of(slab: Slab) -> Flows:
    """Sum up the outcome of a slab."""
    if compiled.loaded():
        rows, columns, pairs, regressors, offset = kernel.flows(slab)
        return Flows(rows=rows, columns=columns, pairs=pairs, regressors=regressors, offset=offset)
    y = slab.outcome
    return Flows(
        rows=row_sums(y),
        columns=y.sum(axis=1),
        pairs=y.sum(axis=0),
        regressors=np.array([float(by_row(y, x).sum()) for x in slab.regressors]),
        offset=0.0 if slab.offset is None else float(by_row(y, slab.offset).sum()),
    )


def _step(state: Solved, spread: Floats, beta: Floats, enough: float, slab: Slab, flows: Flows) -> Step | None:
    """Solve for the effects of one slab, in place, and sum up what a step needs."""
    found = _compiled_step(state, spread, beta, enough, slab, flows) if compiled.loaded() else None
    return _plain_step(state, spread, beta, enough, slab, flows) if found is None else found


def _compiled_step(state: Solved, spread: Floats, beta: Floats, enough: float, slab: Slab, flows: Flows) -> Step | None:
    """The same by the compiled loops; None where proportional fitting alone mixes too slowly."""
    n, at = slab.piece, slab.periods
    effects = state.rows[n][at], state.columns[n][at], state.row_parts[n][at], state.column_parts[n][at]
    limits = enough, TIGHT, NOISE, MAX_SWEEPS, FLAT, MAX_ITERATIONS * slab.shape[2]
    found = kernel.step(slab, (flows.rows, flows.columns), beta, spread, effects, limits)
    if found is None:
        return None
    likelihood = _likelihood(flows, effects[0], effects[1], beta, float(flows.rows.sum()))
    return Step(score=found[0], information=found[1], likelihood=likelihood)


def _plain_step(state: Solved, spread: Floats, beta: Floats, enough: float, slab: Slab, flows: Flows) -> Step | None:
    n, at, k = slab.piece, slab.periods, len(beta)
    mu = slab.expected(beta)
    if not balance(mu, flows, state.rows[n][at], state.columns[n][at], enough):
        return None
    a, b = state.rows[n][at], state.columns[n][at]
    mu *= a[:, :, None]
    mu *= b[:, None, :]
    rows = np.stack([by_row(mu, x) for x in slab.regressors], axis=-1) if k else np.zeros((*a.shape, 0))
    columns = np.stack([by_column(mu, x) for x in slab.regressors], axis=-1) if k else np.zeros((*b.shape, 0))
    margins = flows.rows, mu.sum(axis=1)  # the rows were fitted last
    noise = _noise(flows) * spread
    p, q = solve_effects(mu, margins, rows, columns, state.column_parts[n][at], noise, max(enough, TIGHT))
    state.row_parts[n][at], state.column_parts[n][at] = p, q
    likelihood = _likelihood(flows, a, b, beta, float(flows.rows.sum()))
    if enough <= EXPLICIT:
        return replace(net_step(slab, mu, p, q), likelihood=likelihood)
    score = flows.regressors - rows.sum(axis=(0, 1)) - np.einsum("tjk,tj->k", q, flows.columns - margins[1])
    information = cross(slab, mu) - np.einsum("tik,til->kl", p, rows) - np.einsum("tjk,tjl->kl", q, columns)
    return Step(score=score, information=information, likelihood=likelihood)


def cross(slab: Slab, fitted: Floats) -> Floats:
    """Cross product of a slab's regressors as they are, by fitted outcomes, shape (K, K)."""
    fixed = [i for i, x in enumerate(slab.regressors) if x.ndim == 2]
    moving = [i for i, x in enumerate(slab.regressors) if x.ndim == 3]
    out = np.zeros((len(slab.regressors),) * 2)
    if fixed:
        by_pair = fitted.sum(axis=0)
        still = np.stack([slab.regressors[i] for i in fixed]).reshape(len(fixed), -1)
        out[np.ix_(fixed, fixed)] = (still * by_pair.ravel()) @ still.T
    for i in moving:
        weighted = fitted * slab.regressors[i]
        if fixed:
            out[i, fixed] = out[fixed, i] = still @ weighted.sum(axis=0).ravel()
        for j in moving:
            if j <= i:
                out[i, j] = out[j, i] = np.vdot(weighted, slab.regressors[j])
    return out


def net_step(slab: Slab, fitted: Floats, p: Floats, q: Floats, third: Floats | None = None) -> Step:
    """
    Score and information of a slab from net regressors, cell by cell; effects that are off enter to second order.

    Parameters
    ----------
    slab, fitted
        With its fitted outcomes, shape (t, I, J).
    p, q, third
        Effects in the regressors, shapes (t, I, K), (t, J, K) and (K, I, J).
    """
    if compiled.loaded():
        score, information = kernel.net_step(slab, fitted, p, q, third)
        return Step(score=score, information=information, likelihood=0.0)
    return _plain_net_step(slab, fitted, p, q, third)


def _plain_net_step(slab: Slab, fitted: Floats, p: Floats, q: Floats, third: Floats | None) -> Step:
    nets = np.empty((len(slab.regressors), *slab.shape))
    for i, x in enumerate(slab.regressors):
        np.subtract(x, p[:, :, i, None], out=nets[i])
        nets[i] -= q[:, None, :, i]
        if third is not None:
            nets[i] -= third[i]
    flat = nets.reshape(len(nets), fitted.size)
    return Step(
        score=flat @ (slab.outcome - fitted).ravel(),
        information=np.asarray((flat * fitted.ravel()) @ flat.T),
        likelihood=0.0,
    )


def _likelihood(flows: Flows, a: Floats, b: Floats, beta: Floats, total: float) -> float:
    logs = sum(
        float((sums * np.log(np.where(m > 0, m, 1.0))).sum()) for sums, m in ((flows.rows, a), (flows.columns, b))
    )
    return logs + float(flows.regressors @ beta) + flows.offset - total


def balance(e: Floats, flows: Flows, a: Floats, b: Floats, enough: float) -> bool:
    """
    Find the multipliers that reproduce the sums of the flows, in place.

    Parameters
    ----------
    e
        What a flow is apart from its multipliers, shape (t, I, J).
    flows
        The sums.
    a, b
        Multipliers, shapes (t, I) and (t, J); b to start from.
    enough
        Relative change of the multipliers at which they count as found.

    Returns
    -------
    Whether they were found.
    """
    turned = e.transpose(0, 2, 1)
    b[flows.columns <= 0] = 0.0
    for sweep in range(MAX_SWEEPS + MAX_HELP):
        if sweep >= MAX_SWEEPS:
            _help(e, flows, a, b)
        a[...] = ratio(flows.rows, np.matmul(e, b[..., None])[..., 0])
        new = ratio(flows.columns, np.matmul(turned, a[..., None])[..., 0])
        done = bool((np.abs(new - b) <= enough * new).all())
        b[...] = new
        if done:
            a[...] = ratio(flows.rows, np.matmul(e, b[..., None])[..., 0])
            return True
    return False


def _help(e: Floats, flows: Flows, a: Floats, b: Floats) -> None:
    """A Newton step on the multipliers, where proportional fitting mixes slowly."""
    mu = e * a[:, :, None] * b[:, None, :]
    margins, nothing = (row_sums(mu), mu.sum(axis=1)), np.zeros((*b.shape, 1))
    rows, columns = (flows.rows - margins[0])[..., None], (flows.columns - margins[1])[..., None]
    q = solve_effects(mu, margins, rows, columns, nothing, _noise(flows), CLOSE)[1][..., 0]
    b *= np.exp(np.clip(q - q.mean(axis=1, keepdims=True), -LONGEST, LONGEST))


def _noise(flows: Flows) -> Floats:
    """What rounding leaves of a period's sums, shape (t, 1, 1)."""
    return np.asarray(NOISE * flows.columns.max(axis=1, initial=0.0)[:, None, None])
