"""Bias of Poisson coefficients with pair effects, through the noise of the effects by period."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tradelift.covariance.linear import inverse_on_range, members
from tradelift.covariance.observed import WISH, Observed, components
from tradelift.errors import DesignError

Floats = NDArray[Any]
Ints = NDArray[Any]


def bias_of(data: Observed) -> Floats:
    """
    Bias of the score of the coefficients.

    Given its total, a pair is multinomial with shares theta = mass / total. Its information on the linear predictors is
    H = diag(mass) - mass theta', its third derivative against a regressor x, of weighted mean zero,
    G = -(diag(mass x) - mass (theta x)' - (mass x) theta'). Each region adds
    - tr(H^+ sum H x s') + tr(H^+ G H^+ sum s s') / 2, all summed over its pairs on the effects that are its own. With N
    origins their sum counts N/(N-1) times, and likewise that over destinations. Where both directions share the pair
    effect, a region's effects as origin and as destination meet in the same pairs and are taken together.

    Returns
    -------
    Shape (K,); times the bread it is the bias of the coefficients.

    Raises
    ------
    DesignError
        If there are not two regions on each side.
    """
    assert data.group is not None, "two-way coefficients have no such bias"
    rows = np.arange(len(data.mass))
    sides = [(rows, data.first, data.first_region), (rows, data.second, data.second_region)]
    if data.is_shared:
        after = data.second + data.first.max() + 1
        sides = [
            (
                np.tile(rows, 2),
                np.concatenate([data.first, after]),
                np.concatenate([data.first_region, data.second_region]),
            )
        ]
    share = 1 / np.bincount(data.group, weights=data.mass)
    total = np.zeros(len(data.net))
    for places, codes, regions in sides:
        owners = list(members(components(codes, regions)))
        count = len(owners)
        if count < 2:
            msg = f"{WISH}; the bias needs two regions with effects of their own on each side, found {count}."
            raise DesignError(msg)
        total += count / (count - 1) * sum(_of_region(data, places[own], codes[own], share) for own in owners)
    return np.asarray(total)


def _of_region(data: Observed, places: Ints, codes: Ints, share: Floats) -> Floats:
    """One region's part, from the observations that its effects reach, shape (K,)."""
    assert data.group is not None
    rows, row = np.unique(places, return_inverse=True)
    effects, effect = np.unique(codes, return_inverse=True)
    groups, group = np.unique(data.group[rows], return_inverse=True)
    reach = csr_array((np.ones(len(row)), (row, effect)), shape=(len(rows), len(effects)))
    gather = csr_array((np.ones(len(rows)), (group, np.arange(len(rows)))), shape=(len(groups), len(rows)))
    mass, score, net, part = data.mass[rows], data.score[rows], data.net[:, rows], share[groups][:, None]
    total = _by_group(gather, mass, reach)
    scores = _by_group(gather, score, reach)
    inverse = inverse_on_range(_crossed(reach, mass) - total.T @ (total * part))
    noise = inverse @ (scores.T @ scores) @ inverse
    out = np.empty(len(net))
    for k, x in enumerate(net):
        moved = _by_group(gather, mass * x, reach)
        mixed = total.T @ (moved * part)
        third = mixed + mixed.T - _crossed(reach, mass * x)
        out[k] = np.sum(third * noise) / 2 - np.sum(inverse * (moved.T @ scores))
    return out


def _by_group(gather: Any, values: Floats, reach: Any) -> Floats:
    """Sums of values by pair and effect, shape (groups, effects)."""
    return np.asarray((gather @ (reach * values[:, None])).toarray())


def _crossed(reach: Any, values: Floats) -> Floats:
    """Sums of values by effect and effect, shape (effects, effects)."""
    return np.asarray((reach.T @ (reach * values[:, None])).toarray())
