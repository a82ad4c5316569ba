"""PPML with two-way effects: Newton's method on the coefficients, the effects solved for at each, slab by slab."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.problem import Path
from tradelift.solve.projection import solve_effects
from tradelift.solve.slabs import Cut, Slab, by_column, by_row, each, periods, ratio, row_sums

Floats = NDArray[Any]

MAX_STEPS = 60
MAX_HALVINGS = 20
MAX_SWEEPS = 20  # of proportional fitting, before Newton's steps help
MAX_HELP = 60
LOOSE, TIGHT = 1e-2, 1e-12  # relative change of the multipliers in the last sweep
NOISE = 1e-15  # rounding of a sum, relative to the largest sum of its period
NEAR = 1e-5  # a step that short is followed by a tight one
SETTLED = 1e-10  # step that the score asks for at the end, in units of the linear index
SLACK = 1e-10  # fall of the likelihood that rounding explains, relative
COARSE = 8  # one of so many periods gives the start
LONGEST = 2.0  # step, in units of the linear index


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
    steps: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flows:
    """Sums of a slab's outcome: by origin (t, I), by destination (t, J), and with each regressor (K,)."""

    rows: Floats
    columns: Floats
    regressors: Floats
    offset: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """What a slab adds: score, information, log likelihood but for constants; and whether its effects were found."""

    score: Floats
    information: Floats
    likelihood: float
    found: bool


def solve(cuts: Sequence[Cut], path: Path = "tensor") -> Solved | None:
    """
    Estimate, the effects of every period on their own.

    Parameters
    ----------
    cuts
        The pieces; no observation is separated.
    path
        How the solution calls itself.

    Returns
    -------
    The solution, or None where Newton's method does not settle.
    """
    k = len(cuts[0].regressors)
    state = _start(cuts, k)
    spread = np.array([max(np.abs(c.regressors[i]).max(initial=0.0) for c in cuts) for i in range(k)])
    thin = [[slice(t, t + 1) for t in range(0, len(c.piece.outcome), COARSE)] for c in cuts]
    if k and max(len(t) for t in thin) > 1:
        coarse = _newton(_slabs(cuts, thin), state, spread, rough=True)
        state = coarse or _start(cuts, k)
    found = _newton(_slabs(cuts, [periods(c.piece) for c in cuts]), state, spread, rough=False)
    return None if found is None else replace(found, path=path)


def _slabs(cuts: Sequence[Cut], pieces: Sequence[Sequence[slice]]) -> list[Slab]:
    return [slab for n, (c, at) in enumerate(zip(cuts, pieces, strict=True)) for slab in c.slabs(n, at)]


def _start(cuts: Sequence[Cut], k: int) -> Solved:
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


def _newton(slabs: list[Slab], state: Solved, spread: Floats, *, rough: bool) -> Solved | None:
    """Newton steps until the score asks for none; the state's effects change in place."""
    flows = each(flows_of, slabs)
    beta, move, size = state.coefficients, np.zeros_like(state.coefficients), 1.0
    before, halvings = -np.inf, 0
    for step in range(1, MAX_STEPS + 1):
        tight = not rough and (size <= NEAR or not len(beta))
        enough = TIGHT if tight else min(LOOSE, size / 10)
        parts = each(partial(_step, state, spread, beta, enough), slabs, flows)
        if not all(p.found for p in parts):
            return None
        value = sum(p.likelihood for p in parts)
        if value < before - SLACK * abs(before) - (0 if tight else enough**2 * abs(before)):
            halvings += 1
            if halvings > MAX_HALVINGS:
                return None
            move = move / 2
            beta = beta - move
            _shift(state, slabs, -move)
            continue
        before = value
        try:
            move = np.linalg.solve(sum(p.information for p in parts), sum(p.score for p in parts))
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(move).all():
            return None
        size = float(np.abs(move * spread).max(initial=0.0))
        if size <= (NEAR * 10 if rough else SETTLED) and (tight or rough):
            return replace(state, coefficients=beta + move if rough else beta, steps=step)
        move = move * min(1.0, LONGEST / size) if size else move
        beta = beta + move
        _shift(state, slabs, move)
    return None


def flows_of(slab: Slab) -> Flows:
    """Sum up the outcome of a slab."""
    y = slab.outcome
    return Flows(
        rows=row_sums(y),
        columns=y.sum(axis=1),
        regressors=np.array([float(by_row(y, x).sum()) for x in slab.regressors]),
        offset=0.0 if slab.offset is None else float(by_row(y, slab.offset).sum()),
    )


def _shift(state: Solved, slabs: Sequence[Slab], move: Floats) -> None:
    """Move the effects along with the coefficients."""
    for slab in slabs:
        n, at = slab.piece, slab.periods
        state.rows[n][at] *= np.exp(-(state.row_parts[n][at] @ move))
        state.columns[n][at] *= np.exp(-(state.column_parts[n][at] @ move))


def _step(state: Solved, spread: Floats, beta: Floats, enough: float, slab: Slab, flows: Flows) -> Step:
    """Solve for the effects of one slab, in place, and sum up what a step needs."""
    n, at, k = slab.piece, slab.periods, len(beta)
    mu = slab.expected(beta)
    found = balance(mu, flows, state.rows[n][at], state.columns[n][at], enough)
    a, b = state.rows[n][at], state.columns[n][at]
    mu *= a[:, :, None]
    mu *= b[:, None, :]
    rows = np.stack([by_row(mu, x) for x in slab.regressors], axis=-1) if k else np.zeros((*a.shape, 0))
    columns = np.stack([by_column(mu, x) for x in slab.regressors], axis=-1) if k else np.zeros((*b.shape, 0))
    noise = _noise(flows) * spread
    p, q = solve_effects(mu, rows, columns, state.column_parts[n][at], noise, max(enough, TIGHT))
    state.row_parts[n][at], state.column_parts[n][at] = p, q
    off_rows, off_columns = flows.rows - row_sums(mu), flows.columns - mu.sum(axis=1)
    # what little the effects are off by enters to first order, so that they need not be exact on the way
    score = (
        flows.regressors
        - rows.sum(axis=(0, 1))
        - np.einsum("tik,ti->k", p, off_rows)
        - np.einsum("tjk,tj->k", q, off_columns)
    )
    information = -np.einsum("tik,til->kl", p, rows) - np.einsum("tjk,tjl->kl", q, columns)
    for i, x in enumerate(slab.regressors):
        weighted = mu * x
        for j in range(i + 1):
            value = float(by_row(weighted, slab.regressors[j]).sum())
            information[i, j] += value
            if i != j:
                information[j, i] += value
    return Step(
        score=score, information=information, likelihood=_likelihood(flows, a, b, beta, float(mu.sum())), found=found
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
    rows, columns = (flows.rows - row_sums(mu))[..., None], (flows.columns - mu.sum(axis=1))[..., None]
    nothing = np.zeros((*b.shape, 1))
    q = solve_effects(mu, rows, columns, nothing, _noise(flows), LOOSE * LOOSE)[1][..., 0]
    b *= np.exp(np.clip(q - q.mean(axis=1, keepdims=True), -LONGEST, LONGEST))


def _noise(flows: Flows) -> Floats:
    """What rounding leaves of a period's sums, shape (t, 1, 1)."""
    return np.asarray(NOISE * flows.columns.max(axis=1, initial=0.0)[:, None, None])
