"""OLS and PPML with a third effect, of the pairs, that ties the periods together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled
from tradelift.solve.newton import Step, add, climb
from tradelift.solve.profile import EXPLICIT, Flows, Solved, cross, flows_of, net_step
from tradelift.solve.slabs import Cut, Slab, by_row, each, spread_of
from tradelift.solve.three_way_turns import Job, Projected, SlowError, State, balance, job_of, project, start_of

Floats = NDArray[Any]
Ints = NDArray[Any]

TIGHT = 1e-10  # change of the effects still to come; it enters the coefficients squared
ROUGH = 1e-4  # the same where only the rank is asked for: it enters the cross products squared


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
    job, k = job_of(cuts), len(cuts[0].regressors)
    state = start_of(cuts, job, k + 1)
    products = _net_cross(job, state, [_with_outcome(s) for s in job.slabs], TIGHT)
    if products is None:
        return None
    beta = np.linalg.solve(products[:k, :k], products[:k, k]) if k else np.zeros(0)
    solved = _solved(job, state, beta, 1)

    def own(parts: Floats) -> Floats:
        return np.asarray(parts[..., k] - parts[..., :k] @ beta)

    third = job.by_pair(state.group_parts)
    return replace(
        solved,
        rows=[own(p) for p in state.row_parts],
        columns=[own(p) for p in state.column_parts],
        pairs=[t[k] - np.tensordot(beta, t[:k], 1) for t in third],
        row_parts=[p[..., :k] for p in state.row_parts],
        column_parts=[p[..., :k] for p in state.column_parts],
        pair_parts=[np.moveaxis(t[:k], 0, -1) for t in third],
    )


def net_cross(cuts: Sequence[Cut]) -> tuple[Floats | None, Floats]:
    """
    Cross product of the regressors net of the effects (None where they mix too slowly), and sums of squares before.

    Parameters
    ----------
    cuts
        The pieces; each has a third effect.
    """
    job, k = job_of(cuts), len(cuts[0].regressors)
    values = [list(s.regressors) for s in job.slabs]
    products = _net_cross(job, start_of(cuts, job, k), values, ROUGH)
    weights = [np.ones(s.shape) if s.weights is None else s.weights for s in job.slabs]
    count = max(sum(float(w.sum()) for w in weights), 1.0)
    first, second = np.zeros(k), np.zeros(k)
    for w, own in zip(weights, values, strict=True):
        for i, x in enumerate(own):
            first[i] += float(by_row(w, x).sum())
            second[i] += float(by_row(w, x**2).sum())
    return products, second - first**2 / count


def _net_cross(job: Job, state: State, values: Sequence[list[Floats]], enough: float) -> Floats | None:
    state.weights = [np.ones(s.shape) if s.weights is None else s.weights for s in job.slabs]
    try:
        project(job, state, values, enough)
    except SlowError:
        return None
    return np.asarray(np.sum([_cross(job, state, n, v) for n, v in enumerate(values)], axis=0))


def _with_outcome(slab: Slab) -> list[Floats]:
    return [*slab.regressors, slab.raw if slab.offset is None else slab.raw - slab.offset]


def _cross(job: Job, state: State, n: int, values: Sequence[Floats]) -> Floats:
    slab, w = job.slabs[n], state.weights[n]
    p, q = state.row_parts[slab.piece][slab.periods], state.column_parts[slab.piece][slab.periods]
    third = np.take(state.group_parts, job.codes[slab.piece], axis=1)
    nets = [x - p[:, :, i, None] - q[:, None, :, i] - third[i] for i, x in enumerate(values)]
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
    job, k = job_of(cuts), len(cuts[0].regressors)
    state = start_of(cuts, job, k)
    spread = spread_of(cuts)
    flows = each(flows_of, job.slabs)
    traded = job.by_code([sums.pairs for sums in flows])
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
            balance(job, state, beta, self.flows, self.traded, enough)
            settle = enough <= EXPLICIT or not compiled.loaded()
            values = [list(s.regressors) for s in job.slabs]
            projected = project(job, state, values, enough, settle=settle, balanced=True)
        except SlowError:
            return None
        # compiled, net regressors cost no more than sums, and what the effects are off by enters to second order
        if enough > EXPLICIT and projected is not None and not compiled.loaded():
            found: Step | None = _sums_step(job, state, self.flows, self.traded, projected)
        else:
            thirds = job.by_pair(state.group_parts)
            found = add(each(partial(_slab_step, state, thirds), job.slabs, state.weights), len(beta))
        if found is None:
            return None
        fitted = float(np.sum([w.sum() for w in state.weights]) if projected is None else projected.mass.sum())
        return replace(found, likelihood=_likelihood(job, state, beta, self.flows, self.traded) - fitted)

    def shift(self, move: Floats) -> None:
        """Move the effects along with the coefficients."""
        state = self.state
        for values, parts in ((state.rows, state.row_parts), (state.columns, state.column_parts)):
            for n, part in enumerate(parts):
                values[n] *= np.exp(-(part @ move))
        state.group *= np.exp(-(move @ state.group_parts))


def _solved(job: Job, state: State, beta: Floats, steps: int) -> Solved:
    return Solved(
        coefficients=beta,
        rows=state.rows,
        columns=state.columns,
        row_parts=state.row_parts,
        column_parts=state.column_parts,
        pairs=[state.group[codes] for codes in job.codes],
        pair_parts=[np.moveaxis(parts, 0, -1) for parts in job.by_pair(state.group_parts)],
        steps=steps,
        path="tensor",
    )


def _likelihood(job: Job, state: State, beta: Floats, flows: Sequence[Flows], traded: Floats) -> float:
    total = float(traded @ np.log(np.where(state.group > 0, state.group, 1.0)))
    for slab, sums in zip(job.slabs, flows, strict=True):
        a, b = state.rows[slab.piece][slab.periods], state.columns[slab.piece][slab.periods]
        for own, multiplier in ((sums.rows, a), (sums.columns, b)):
            total += float((own * np.log(np.where(multiplier > 0, multiplier, 1.0))).sum())
        total += float(sums.regressors @ beta) + sums.offset
    return total


def _sums_step(job: Job, state: State, flows: Sequence[Flows], traded: Floats, projected: Projected) -> Step:
    """Score and information from sums; what the effects are off by is taken out of the score to first order."""
    third = state.group_parts
    score = -(third @ (traded - projected.mass))
    information = -(third @ projected.by_code.T)
    for slab, own, sums, w in zip(job.slabs, flows, projected.sums, state.weights, strict=True):
        p, q = state.row_parts[slab.piece][slab.periods], state.column_parts[slab.piece][slab.periods]
        score += own.regressors - sums.rows.sum(axis=(0, 1))
        score -= np.einsum("tik,ti->k", p, own.rows - sums.row_mass)
        score -= np.einsum("tjk,tj->k", q, own.columns - sums.mass)
        information += cross(slab, w)
        information -= np.einsum("tik,til->kl", p, sums.rows) + np.einsum("tjk,tjl->kl", q, sums.columns)
    return Step(score=score, information=(information + information.T) / 2, likelihood=0.0)


def _slab_step(state: State, thirds: Sequence[Floats], slab: Slab, w: Floats) -> Step:
    """What a slab adds to score and information; the third effect's part comes by pair, shape (K, I, J)."""
    n, at = slab.piece, slab.periods
    p, q = state.row_parts[n][at], state.column_parts[n][at]
    return net_step(slab, w, p, q, thirds[n])
