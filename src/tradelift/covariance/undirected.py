"""Poisson with effects of the pairs that both directions share, clustered by direction."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.linear import inflated, inverse_on_range, members, net_of
from tradelift.covariance.observed import Observed, components

Floats = NDArray[Any]
Ints = NDArray[Any]

AT_ONCE = 2**22  # elements of matrices of pairs in memory at once


def shared_terms(data: Observed) -> tuple[Floats, Floats]:
    """
    Scores and information of each directed pair, inflated by the leverage of all three effects.

    The leverage of a pair, both directions together, is q q' + F' D F, with q = (mass / total)^1/2,
    F = diag(mass)^1/2 (I - q q'), and D the covariance of the sum of the effects by period, from the dense inverse of
    their information net of the pair effects: as large as (regions x periods x 2) squared. A direction takes its block.

    Returns
    -------
    Shapes (P, K) and (P, K, K), as `tradelift.covariance.three_way.pair_terms`.
    """
    assert data.group is not None, "two-way errors have no pair effects"
    k, count = len(data.net), int(data.pair.max(initial=-1)) + 1
    c, m = np.zeros((count, k)), np.zeros((count, k, k))
    second = data.second + int(data.first.max()) + 1
    for rows in members(components(second, components(data.first, data.group))):
        effects, own = np.unique(np.concatenate([data.first[rows], second[rows]]), return_inverse=True)
        codes = own.reshape(2, len(rows))
        group = np.unique(data.group[rows], return_inverse=True)[1]
        covariance = inverse_on_range(_information(codes, group, data.mass[rows], len(effects)))
        held = list(members(group))
        widest = max(map(len, held))
        step = max(1, AT_ONCE // widest**2)
        for start in range(0, len(held), step):
            _add(data, rows, codes, held[start : start + step], covariance, c, m)
    return c, m


def _information(codes: Ints, group: Ints, mass: Floats, size: int) -> Floats:
    """Information of the effects by period net of the pair effects, shape (E, E)."""
    out = np.zeros((size, size))
    for one in codes:
        for other in codes:
            np.add.at(out, (one, other), mass)
    total = np.bincount(group, weights=mass)
    sums = np.zeros((len(total), size))
    for one in codes:
        np.add.at(sums, (group, one), mass)
    return np.asarray(out - sums.T @ (sums / total[:, None]))


def _add(data: Observed, rows: Ints, codes: Ints, held: list[Ints], covariance: Floats, c: Floats, m: Floats) -> None:
    """Write the terms of the directions of some pairs."""
    place = np.zeros((len(held), max(map(len, held))), dtype=np.int64)
    inside = np.zeros(place.shape)
    for g, positions in enumerate(held):
        place[g, : len(positions)], inside[g, : len(positions)] = positions, 1.0
    at = rows[place]
    mass = data.mass[at] * inside
    root, q = np.sqrt(mass), np.sqrt(mass / mass.sum(axis=1, keepdims=True))
    spread = np.zeros((*place.shape, place.shape[1]))
    for one in codes[:, place]:
        for other in codes[:, place]:
            spread += covariance[one[:, :, None], other[:, None, :]]
    leverage = net_of(q, root[:, :, None] * spread * root[:, None, :]) + q[:, :, None] * q[:, None, :]
    residual = np.divide(data.score[at], root, out=np.zeros_like(root), where=root > 0)
    scaled = data.net[:, at] * root
    pair = np.where(inside > 0, data.pair[at], -1)
    one_way = pair == data.pair[at[:, :1]]
    for own in (one_way, ~one_way & (pair >= 0)):
        some = np.flatnonzero(own.any(axis=1))
        mask = own[some].astype(float)
        which = pair[some, own[some].argmax(axis=1)]
        block = leverage[some] * mask[:, :, None] * mask[:, None, :]
        c[which], m[which] = inflated(block, residual[some] * mask, scaled[:, some] * mask)
