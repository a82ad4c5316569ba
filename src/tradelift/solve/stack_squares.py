"""OLS on the parts of a stack: periods of the same weights share one factor."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.rank import independent
from tradelift.solve.stack_effects import factor_of, unit_redundant
from tradelift.solve.stack_parts import Part, Solved

Floats = NDArray[Any]
Ints = NDArray[Any]


def ordinary(parts: Sequence[Part], k: int) -> tuple[tuple[int, ...], Floats, list[Solved], int]:
    """
    Regress the outcome on the regressors net of the effects.

    Returns
    -------
    Positions of regressors that neither the effects nor earlier regressors explain; their coefficients (K,), what is
    left of each part, and the number of steps.
    """
    cross, right = np.zeros((k, k)), np.zeros(k)
    nets, lefts, ranks = [], [], []
    for part in parts:
        n_periods = len(part.outcome)
        shared = part.is_fixed and len(part.weights) == 1
        net = np.zeros((k, 1 if shared else n_periods, part.outcome.shape[1]))
        left, rank = np.zeros(part.outcome.shape), 0
        for periods in same_weights(part.weights, n_periods):
            factor = factor_of(part.block, part.weights_at(periods[0]), part.redundant)
            rank += factor.rank * len(periods)
            x = part.regressors if part.is_fixed else part.regressors[:, periods]
            target = part.outcome[periods] - (part.offset if len(part.offset) == 1 else part.offset[periods])
            both = factor.residual(np.concatenate([x.reshape(-1, x.shape[2]), target]), exact=True)
            own, left[periods] = both[: k * x.shape[1]].reshape(x.shape), both[k * x.shape[1] :]
            net[:, slice(None) if shared else periods] = own
            weighted = own * factor.weights
            if part.is_fixed:
                cross += len(periods) * np.einsum("ktm,ltm->kl", weighted, own)
                right += weighted[:, 0] @ left[periods].sum(axis=0)
            else:
                cross += np.einsum("ktm,ltm->kl", weighted, own)
                right += np.einsum("ktm,tm->k", weighted, left[periods])
        nets.append(net)
        lefts.append(left)
        ranks.append(rank)
    kept = independent(cross, squares(parts, k)) if k and any(np.any(p.weights > 0) for p in parts) else ()
    own_cross, own_right = cross[np.ix_(kept, kept)], right[list(kept)]
    beta = np.asarray(np.linalg.solve(own_cross, own_right)) if kept else own_right
    nets = [net[list(kept)] for net in nets]
    solved = [
        Solved(
            fitted=part.outcome - left + np.tensordot(beta, net, 1),
            net=net,
            weights=part.weights if net.shape[1] == 1 else np.broadcast_to(part.weights, part.outcome.shape),
            rank=rank,
        )
        for part, net, left, rank in zip(parts, nets, lefts, ranks, strict=True)
    ]
    return kept, beta, solved, 1


def same_weights(weights: Floats, n_periods: int) -> Iterator[Ints]:
    """Periods that share their weights: one array of positions each."""
    if len(weights) == 1:
        yield np.arange(n_periods)
        return
    rows = np.ascontiguousarray(weights).view(np.dtype((np.void, weights.itemsize * weights.shape[1]))).ravel()
    code = np.unique(rows, return_inverse=True)[1]
    for pattern in range(int(code.max()) + 1):
        yield np.flatnonzero(code == pattern)


def rank_of(part: Part) -> int:
    """Rank of the effects of a part in all periods."""
    rank = 0
    for periods in same_weights(part.weights, len(part.outcome)):
        here = part.weights_at(periods[0]) > 0
        redundant = part.redundant if here.all() else unit_redundant(part.block, here)
        groups = int(np.count_nonzero(np.add.reduceat(here, part.block.starts)))
        rank += (groups + int(np.count_nonzero(~redundant))) * len(periods)
    return rank


def regressor_cross(parts: Sequence[Part], k: int) -> tuple[Floats, Floats]:
    """Cross product of regressors net of the effects (K, K), and their sums of squares about the mean (K,)."""
    mean, cross = _means(parts, k), np.zeros((k, k))
    for part in parts:
        centred = part.regressors - mean[:, None, None]
        for periods in same_weights(part.weights, len(part.outcome)):
            factor = factor_of(part.block, part.weights_at(periods[0]), part.redundant)
            x = centred if part.is_fixed else centred[:, periods]
            net = factor.residual(x.reshape(-1, x.shape[2]), exact=True).reshape(x.shape)
            cross += np.einsum("ktm,ltm->kl", net * factor.weights, net) * (len(periods) if part.is_fixed else 1)
    return cross, squares(parts, k)


def squares(parts: Sequence[Part], k: int) -> Floats:
    """Sums of squares of the regressors about their means, shape (K,)."""
    mean = _means(parts, k)
    return sum((_moment(part, (part.regressors - mean[:, None, None]) ** 2) for part in parts), np.zeros(k))


def _means(parts: Sequence[Part], k: int) -> Floats:
    mass = sum(float(p.weights.sum()) * (len(p.outcome) // len(p.weights)) for p in parts)
    return np.asarray(sum((_moment(p, p.regressors) for p in parts), np.zeros(k)) / mass)


def _moment(part: Part, values: Floats) -> Floats:
    """Weighted sums of (K, T | 1, m) values, shape (K,)."""
    weights = part.weights
    if part.is_fixed:
        repeats = len(part.outcome) // len(weights)
        return np.asarray(values[:, 0] @ weights.sum(axis=0) * repeats)
    return np.asarray(np.einsum("ktm,tm->k", values, np.broadcast_to(weights, part.outcome.shape)))
