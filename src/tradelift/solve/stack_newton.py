"""Newton's method for PPML on the parts of a stack: coefficients and effects at once, exact in every period."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.deviance import poisson_deviance
from tradelift.solve.rank import independent
from tradelift.solve.stack_effects import Factor, factor_surely, factorize, unit_redundant
from tradelift.solve.stack_parts import Part, Solved
from tradelift.solve.stack_sample import level_sums
from tradelift.solve.stack_squares import regressor_cross
from tradelift.solve.stack_star_newton import on_stars

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

MAX_STEPS = 100
MAX_HALVINGS = 20
STILL = 1e-10  # root mean square step of the index in a period: the next would be its square
ROUGH = 1e-5  # the same, while coefficients move: a projection this old gives scores to its square
ROUNDED = 1e-7  # the same, where steps fall no more for rounding
SCORE_TOLERANCE = 1e-9  # of the absolute values that a score sums
POOLED = 1e-3  # share of a regressor's variance that must be left in all periods as one, to start from there
SWEEPS = 3  # of proportional fitting, from all periods together to each


@dataclass(slots=True, kw_only=True, eq=False)
class _State:
    """
    Where the search is on a part: it is changed in place, for its arrays are large.

    Parameters
    ----------
    part
        The part.
    eta
        Index, shape (T, m).
    net, left
        Regressors and working response net of the effects when the period was last projected, shapes (K, T, m), (T, m).
    weights
        Weights of that projection, shape (T, m).
    cross
        Cross products of `net`, shape (T, K, K).
    rank
        Rank of the effects, shape (T,).
    error
        Root mean square by which the index has moved since that projection, shape (T,).
    redundant
        By period, columns of the effects that are redundant in it, where they are more than in all together.
    """

    part: Part
    eta: Floats
    net: Floats
    left: Floats
    weights: Floats
    cross: Floats
    rank: Ints
    error: Floats
    redundant: dict[int, Bools]

    def project(self, periods: Ints, target: Floats) -> None:
        """Project the regressors and a target, shape (T, m), on the effects of some periods."""
        k = len(self.net)
        for t in periods:
            factor = self._factor(t)
            both = factor.residual(np.concatenate([self.part.regressors_at(t), target[t : t + 1]]))
            self.net[:, t], self.left[t], self.rank[t] = both[:k], both[k], factor.rank
            self.cross[t] = (both[:k] * self.weights[t]) @ both[:k].T

    def _factor(self, period: int) -> Factor:
        """The factor of a period; what is redundant in it alone is found once."""
        block, weights = self.part.block, self.weights[period]
        if period not in self.redundant:
            found = factorize(block, weights, self.part.redundant)
            if found is not None:
                return found
            self.redundant[period] = unit_redundant(block, weights > 0)
        return factor_surely(block, weights, self.redundant[period])


def poisson(parts: Sequence[Part], k: int, is_hub: Sequence[Bools]) -> tuple[Floats, list[Solved], int]:
    """
    Maximise the Poisson likelihood.

    All periods taken as one tell where to start; proportional fitting brings the effects of each period near. Where
    groups are stars, periods are solved together without their rows.

    Parameters
    ----------
    parts
        The blocks.
    k
        Number of regressors.
    is_hub
        Which rows of each part are partner pairs.

    Returns
    -------
    Coefficients (K,), what is left of each part, and the number of steps.

    Raises
    ------
    ConvergenceError
        If the scores do not vanish.
    """
    if not parts:
        return np.zeros(k), [], 0
    if len(parts[0].outcome) == 1:
        return _climb(parts, np.zeros(k), None)
    pooled = [_pool(part) for part in parts]
    fixed = all(part.is_fixed for part in parts)
    beta, together = _together(pooled, tuple(range(k)) if fixed else _apart(pooled, k), k)
    if fixed:
        found = on_stars(parts, pooled, together, beta, is_hub)
        with suppress(ConvergenceError):
            if found is not None:
                _judge(parts, found[1], k, found[2])
                return found
    starts = [_spread(*known, beta) for known in zip(parts, pooled, together, strict=True)]
    return _climb(parts, beta, starts)


def _apart(pooled: Sequence[Part], k: int) -> tuple[int, ...]:
    """Positions of regressors that all periods as one tell apart; those that differ by period alone are collinear."""
    return independent(*regressor_cross(pooled, k), share=POOLED)


def _together(pooled: Sequence[Part], kept: tuple[int, ...], k: int) -> tuple[Floats, list[Solved]]:
    """Fit all periods as one; coefficients that are not kept are 0."""
    some, together, _ = _climb([part.of(kept) for part in pooled], np.zeros(len(kept)), None)
    beta = np.zeros(k)
    beta[list(kept)] = some
    return beta, together


def _pool(part: Part) -> Part:
    """All periods of a part as one."""
    weights = np.broadcast_to(part.weights, part.outcome.shape)
    mass = weights.sum(axis=0, keepdims=True)
    total = (weights * part.outcome).sum(axis=0, keepdims=True)
    share = np.divide(weights, mass, out=np.zeros(weights.shape), where=mass > 0)
    return replace(
        part,
        outcome=np.divide(total, mass, out=np.zeros_like(total), where=mass > 0),
        regressors=part.regressors if part.is_fixed else (part.regressors * share).sum(axis=1, keepdims=True),
        weights=mass,
        offset=part.offset if len(part.offset) == 1 else (part.offset * share).sum(axis=0, keepdims=True),
    )


def _spread(part: Part, pooled: Part, together: Solved, beta: Floats) -> Floats:
    """Index of each period from that of all: its own regressors and offset, the effects fitted to its sums."""
    known = np.where(pooled.weights > 0, together.fitted, 1.0)
    effects = np.log(known) - np.tensordot(beta, pooled.regressors, 1) - pooled.offset
    eta = effects + np.tensordot(beta, part.regressors, 1) + part.offset
    eta = np.array(np.broadcast_to(eta, part.outcome.shape))
    with np.errstate(over="ignore"):
        mu = np.exp(eta) * part.weights
    mass = part.outcome * part.weights
    wanted = level_sums(part.block, mass)
    for _ in range(SWEEPS):
        for number, codes in enumerate((part.block.first, *part.block.others)):
            which = min(number, 1)
            have = level_sums(part.block, mu)[which]
            ratio = np.divide(wanted[which], have, out=np.ones_like(have), where=(have > 0) & (wanted[which] > 0))
            if number:  # the columns of the other effects wait for their turn
                mine = np.zeros(ratio.shape[1], dtype=bool)
                mine[codes] = True
                ratio[:, ~mine] = 1.0
            mu *= ratio[:, codes]
            eta += np.log(ratio)[:, codes]
    return eta


def _climb(parts: Sequence[Part], beta: Floats, starts: list[Floats] | None) -> tuple[Floats, list[Solved], int]:
    """Newton steps from indices that are sums of effects, regressors and offset, or from the outcome itself."""
    states = [_state(part, _first(part) if starts is None else starts[n], len(beta)) for n, part in enumerate(parts)]
    inside = starts is not None
    etas = [state.eta for state in states]
    before, allowed, step = _deviance(parts, etas), ROUGH, 0
    while step < MAX_STEPS:
        step += 1
        move, changes, active = _newton(states, allowed, inside=inside)
        share, etas, deviance = _halve(parts, etas, changes, before, free=not inside)
        beta, inside, before = beta + share * move, True, deviance
        worst = 0.0
        for state, eta, change, projected in zip(states, etas, changes, active, strict=True):
            moved = share * _size(state, change)
            stuck = projected & (moved > state.error / 2) & (moved <= ROUNDED) & (share == 1)
            state.eta, state.error = eta, np.where(stuck, 0.0, np.where(projected, moved, state.error + moved))
            worst = max(worst, float(state.error.max(initial=0.0)))
        if share == 1 and worst <= STILL:
            break
        allowed = ROUGH if worst > ROUGH else STILL
    solved = [Solved(fitted=np.exp(s.eta), net=s.net, weights=s.weights, rank=int(s.rank.sum())) for s in states]
    _judge(parts, solved, len(beta), step)
    return beta, solved, step


def _state(part: Part, eta: Floats, k: int) -> _State:
    t, m = eta.shape
    return _State(
        part=part,
        eta=eta,
        net=np.zeros((k, t, m)),
        left=np.zeros((t, m)),
        weights=np.zeros((t, m)),
        cross=np.zeros((t, k, k)),
        rank=np.zeros(t, dtype=np.int64),
        error=np.full(t, np.inf),
        redundant={},
    )


def _first(part: Part) -> Floats:
    """Index between the outcome and its mean."""
    there = np.broadcast_to(part.weights > 0, part.outcome.shape)
    mean = float(part.outcome[there].mean()) if there.any() else 1.0
    return np.log(np.where(there, (part.outcome + mean) / 2, 1.0))


def _newton(states: Sequence[_State], allowed: float, *, inside: bool) -> tuple[Floats, list[Floats], list[Bools]]:
    """
    Regress the working response on the regressors, net of effects.

    Periods whose index has hardly moved since they were projected keep their projections: their effects fit, so that
    they only follow the coefficients.

    Returns
    -------
    The change of the coefficients (K,); of each index, shape (T, m); and which periods were projected, shape (T,).
    """
    k = len(states[0].net)
    cross, right = np.zeros((k, k)), np.zeros(k)
    workings, active = [], []
    for state in states:
        part, mu = state.part, np.exp(state.eta)
        here = state.error > allowed
        working = np.where(part.weights > 0, (part.outcome - mu) / mu, 0.0)
        target = working if inside else working + state.eta - part.offset
        state.weights[here] = (part.weights * mu)[here]
        state.project(np.flatnonzero(here), target)
        cross += state.cross.sum(axis=0)
        right += np.einsum("ktm,tm->k", state.net, part.weights * mu * target)
        workings.append(working)
        active.append(here)
    move = np.asarray(np.linalg.solve(cross, right)) if k else right
    changes = []
    for state, working, here in zip(states, workings, active, strict=True):
        follow = np.tensordot(move, state.net, 1)
        change = np.where(here[:, None], working - state.left + follow, follow)
        changes.append(np.where(state.part.weights > 0, change, 0.0))
    return move, changes, active


def _size(state: _State, change: Floats) -> Floats:
    """Root mean square of the change of the index in each period, weighted by fitted flows, shape (T,)."""
    mass = state.weights.sum(axis=1)
    total = (state.weights * change**2).sum(axis=1)
    return np.asarray(np.sqrt(np.divide(total, mass, out=np.zeros_like(total), where=mass > 0)))


def _halve(
    parts: Sequence[Part], etas: Sequence[Floats], changes: Sequence[Floats], before: float, *, free: bool
) -> tuple[float, list[Floats], float]:
    """Shorten a step that makes the fit worse; the share taken, the indices and their deviance."""
    share = 1.0
    for _ in range(MAX_HALVINGS):
        new = [eta + share * change for eta, change in zip(etas, changes, strict=True)]
        deviance = _deviance(parts, new)
        if np.isfinite(deviance) and (free or deviance <= before * (1 + 1e-9) + 1e-9):
            break
        share /= 2
    return share, new, deviance


def _deviance(parts: Sequence[Part], etas: Sequence[Floats]) -> float:
    total = 0.0
    for part, eta in zip(parts, etas, strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            total += poisson_deviance(part.outcome, np.exp(eta), np.broadcast_to(part.weights, eta.shape))
    return total


def _judge(parts: Sequence[Part], solved: Sequence[Solved], k: int, steps: int) -> None:
    """Accept a solution by its scores, not by its last step alone."""
    score, scale = np.zeros(k), np.zeros(k)
    for part, s in zip(parts, solved, strict=True):
        score += np.einsum("ktm,tm->k", s.net, part.weights * (part.outcome - s.fitted))
        scale += np.einsum("ktm,tm->k", np.abs(s.net), part.weights * (part.outcome + s.fitted))
    for number in np.flatnonzero(~(np.abs(score) <= SCORE_TOLERANCE * scale)):
        msg = (
            f"PPML did not converge: after {steps} steps the score of regressor {number + 1} is {score[number]:.3g} "
            f"where {SCORE_TOLERANCE * scale[number]:.3g} is allowed. Rescale the outcome or the regressors, or drop "
            f"regressors that are large or nearly collinear."
        )
        raise ConvergenceError(msg)
