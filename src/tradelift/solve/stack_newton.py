"""Newton's method for PPML on the parts of a stack: coefficients and effects at once, exact in every period."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.deviance import poisson_deviance
from tradelift.solve.stack_effects import factor_of
from tradelift.solve.stack_parts import Part, Solved
from tradelift.solve.stack_sample import level_sums

Floats = NDArray[Any]

MAX_STEPS = 100
MAX_HALVINGS = 20
STILL = 3e-8  # root mean square step of the index: the next is its square
SCORE_TOLERANCE = 1e-9  # of the absolute values that a score sums
SWEEPS = 3  # of proportional fitting, from all periods together to each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Step:
    """One Newton step: change of the coefficients, new indices, and what the projections left."""

    move: Floats
    changes: list[Floats]
    solved: list[Solved]


def poisson(parts: Sequence[Part], k: int) -> tuple[Floats, list[Solved], int]:
    """
    Maximise the Poisson likelihood.

    All periods taken as one tell where to start; proportional fitting brings the effects of each period near.

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
    beta, together, _ = _climb(pooled, np.zeros(k), None)
    starts = [_spread(*known, beta) for known in zip(parts, pooled, together, strict=True)]
    return _climb(parts, beta, starts)


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
    inside = starts is not None
    etas = [_first(part) for part in parts] if starts is None else starts
    before, last, step = _deviance(parts, etas), np.inf, 0
    while step < MAX_STEPS:
        step += 1
        found = _newton(parts, etas, beta, inside=inside)
        share, etas, deviance = _halve(parts, etas, found.changes, before, free=not inside)
        beta = beta + share * found.move
        size = _size(found)
        inside, before = True, deviance
        if share == 1 and (size <= STILL or (size <= STILL * 100 and size > last / 2)):
            break
        last = size
    solved = [replace(s, fitted=np.exp(eta)) for s, eta in zip(found.solved, etas, strict=True)]
    _judge(parts, solved, len(beta), step)
    return beta, solved, step


def _first(part: Part) -> Floats:
    """Index between the outcome and its mean."""
    there = np.broadcast_to(part.weights > 0, part.outcome.shape)
    mean = float(part.outcome[there].mean()) if there.any() else 1.0
    return np.log(np.where(there, (part.outcome + mean) / 2, 1.0))


def _newton(parts: Sequence[Part], etas: Sequence[Floats], beta: Floats, *, inside: bool) -> _Step:
    """Regress the working response on the regressors, net of effects, all periods."""
    k = len(beta)
    cross, right = np.zeros((k, k)), np.zeros(k)
    collected = []
    for part, eta in zip(parts, etas, strict=True):
        mu = np.exp(eta)
        weights = part.weights * mu
        working = np.where(part.weights > 0, (part.outcome - mu) / mu, 0.0)
        target = working if inside else working + eta - part.offset
        net, left, rank = np.empty((k, *eta.shape)), np.empty(eta.shape), 0
        for t in range(len(eta)):
            factor = factor_of(part.block, weights[t], part.redundant)
            both = factor.residual(np.concatenate([part.regressors_at(t), target[t : t + 1]]))
            net[:, t], left[t] = both[:k], both[k]
            weighted = both[:k] * weights[t]
            cross += weighted @ both[:k].T
            right += weighted @ both[k]
            rank += factor.rank
        collected.append((working, left, Solved(fitted=mu, net=net, weights=weights, rank=rank)))
    move = np.asarray(np.linalg.solve(cross, right)) if k else right
    changes = [
        np.where(part.weights > 0, working - (left - np.tensordot(move, s.net, 1)), 0.0)
        for part, (working, left, s) in zip(parts, collected, strict=True)
    ]
    return _Step(move=move, changes=changes, solved=[s for *_, s in collected])


def _size(step: _Step) -> float:
    """Root mean square of the change of the index, weighted by fitted flows."""
    total = sum(float((s.weights * change**2).sum()) for s, change in zip(step.solved, step.changes, strict=True))
    return float(np.sqrt(total / max(sum(float(s.weights.sum()) for s in step.solved), 1e-300)))


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
