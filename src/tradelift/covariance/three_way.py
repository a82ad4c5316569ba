"""Poisson with origin-period, destination-period and pair effects: given its total, a pair is a multinomial."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.linear import inflated, inverse_on_range, members, net_of
from tradelift.covariance.observed import Observed, components

Floats = NDArray[Any]
Ints = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """
    Pairs by periods, of origins and destinations that pairs join; cells off the sample hold zeros.

    The likelihood of a pair given its total is multinomial with shares theta = mass / total, and its information on the
    linear predictors is H = diag(mass) - mass theta'.

    Parameters
    ----------
    mass, theta, score
        Shape (G, S).
    net
        Regressors net of the effects, shape (K, G, S).
    first, second
        Region of either effect of each pair, from 0 without gaps, shape (G,).
    pair
        Codes of the pairs, shape (G,).
    """

    mass: Floats
    theta: Floats
    score: Floats
    net: Floats
    first: Ints
    second: Ints
    pair: Ints


def tables(data: Observed) -> list[Table]:
    """Lay the observations out by pair and period, apart where no pair joins the regions."""
    slot = components(data.first, data.second)
    # effects that share pairs are of one region, whatever the periods are called
    first, second = components(data.first, data.pair), components(data.second, data.pair)
    out = []
    for rows in members(components(first, second)):
        pairs, one, g = np.unique(data.pair[rows], return_index=True, return_inverse=True)
        s = np.unique(slot[rows], return_inverse=True)[1]
        shape = (len(pairs), int(s.max()) + 1)
        mass, score, net = np.zeros(shape), np.zeros(shape), np.zeros((len(data.net), *shape))
        mass[g, s], score[g, s], net[:, g, s] = data.mass[rows], data.score[rows], data.net[:, rows]
        out.append(
            Table(
                mass=mass,
                theta=mass / mass.sum(axis=1, keepdims=True),
                score=score,
                net=net,
                first=np.unique(first[rows[one]], return_inverse=True)[1],
                second=np.unique(second[rows[one]], return_inverse=True)[1],
                pair=pairs,
            )
        )
    return out


def pair_terms(data: Observed) -> tuple[Floats, Floats]:
    """
    Scores and information of each pair, inflated by the leverage of the origin-period and destination-period effects.

    Returns
    -------
    Shapes (P, K) and (P, K, K): x'(I - L)^-1 s and x'(I - L)^-1 H x, where L = H D, D the covariance of the effects'
    sum in the pair, as if errors were Poisson.
    """
    k, count = len(data.net), int(data.pair.max(initial=-1)) + 1
    c, m = np.zeros((count, k)), np.zeros((count, k, k))
    for table in tables(data):
        for pairs, spread in _spreads(table):
            codes = table.pair[pairs]
            # H = F F', F = diag(mass)^1/2 (I - q q'), q = theta^1/2, turns I - H D into symmetric I - F' D F
            root, q = np.sqrt(table.mass[pairs]), np.sqrt(table.theta[pairs])
            leverage = net_of(q, root[:, :, None] * spread * root[:, None, :])
            residual = np.divide(table.score[pairs], root, out=np.zeros_like(root), where=root > 0)
            c[codes], m[codes] = inflated(leverage, residual, table.net[:, pairs] * root)
    return c, m


def _spreads(table: Table) -> Iterator[tuple[Ints, Floats]]:
    """
    Give, a few pairs at a time, the covariance D of the effects' sum in each pair, shape (G, S, S).

    It comes from the normal equations of all origin-period and destination-period effects net of the pair effects,
    reduced to the side with fewer regions: as large as (regions x periods) squared.
    """
    outer, inner = table.first, table.second
    if inner.max() > outer.max():
        outer, inner = inner, outer
    n, s = int(inner.max()) + 1, table.mass.shape[1]
    reduced = np.zeros((n * s, n * s))
    for j, pairs in enumerate(members(inner)):
        mass, theta = table.mass[pairs], table.theta[pairs]
        reduced[j * s : (j + 1) * s, j * s : (j + 1) * s] = np.diag(mass.sum(axis=0)) - mass.T @ theta
    for pairs in members(outer):
        mixed, inverse = _mixed(table, pairs, inner)
        reduced -= mixed.T @ (inverse @ mixed)
    covariance = inverse_on_range(reduced)
    for pairs in members(outer):
        mixed, inverse = _mixed(table, pairs, inner)
        share = inverse @ mixed
        across = share @ covariance
        own = inverse + across @ share.T
        blocks = across.reshape(s, n, s).transpose(1, 0, 2)[inner[pairs]]
        at = inner[pairs, None] * s + np.arange(s)
        theirs = covariance[at[:, :, None], at[:, None, :]]
        yield pairs, own + theirs - blocks - blocks.transpose(0, 2, 1)


def _mixed(table: Table, pairs: Ints, inner: Ints) -> tuple[Floats, Floats]:
    """Information of one region's effects with those of all inner regions, and the inverse of its own."""
    mass, theta = table.mass[pairs], table.theta[pairs]
    s = mass.shape[1]
    blocks = -mass[:, :, None] * theta[:, None, :]
    blocks[:, np.arange(s), np.arange(s)] += mass
    by_inner = np.zeros((int(inner.max()) + 1, s, s))
    np.add.at(by_inner, inner[pairs], blocks)  # with effects coarser than regions, pairs share both
    mixed = by_inner.transpose(1, 0, 2)
    return mixed.reshape(s, -1), inverse_on_range(mixed.sum(axis=1))
