"""
What makes the flows of two cities differ besides an effect: shocks that last, and shocks of the month.

None of them knows who are partners, so an estimate is off only by chance; what they differ in is which flows they
move together, and so which standard errors are right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.affinity import smooth_field
from tradelift.worlds.cities import Side

Floats = NDArray[np.float64]

TAIL = 4  # degrees of freedom of uneven shocks
LARGEST = 6.0  # standard deviations at which they are cut, so that flows have a mean
SPREAD_OF_SPREADS = 0.5  # standard deviation, in logs, of the spread that an eastern city's shocks have


@dataclass(frozen=True, slots=True, kw_only=True)
class Shocks:
    """
    Standard deviations in logs.

    Parameters
    ----------
    pair, flow
        Of a pair of cities, the same in both directions, and of a direction of it.
    city_province
        Of a city's taste for a province: one for each eastern city and western province, one for each western city
        and eastern province; the same in both directions.
    province
        Of a pair of provinces, the same in both directions.
    smooth
        Of a field that is smooth on the map at 500 km, the same in both directions.
    month
        Of each flow in each month.
    uneven
        Whether `pair` and `flow` have heavy tails and a spread of their own for each eastern city.
    """

    pair: float = 0.0
    flow: float = 0.0
    city_province: float = 0.0
    province: float = 0.0
    smooth: float = 0.0
    month: float = 0.5
    uneven: bool = False


def draw_shocks(shocks: Shocks, east: Side, west: Side, n_months: int, rng: np.random.Generator) -> Floats:
    """
    Draw the shocks of all flows.

    Parameters
    ----------
    shocks
        What there is, and how much.
    east, west
        The cities.
    n_months
        Number of months T.
    rng
        Source of randomness.

    Returns
    -------
    Log points, shape (2, T, east, west): exports of the east, then of the west.
    """
    shape = (len(east), len(west))
    east_of, west_of = (np.unique(side.province, return_inverse=True)[1] for side in (east, west))
    n_east, n_west = east_of.max() + 1, west_of.max() + 1
    spread = np.ones((len(east), 1))
    if shocks.uneven:
        spread = np.exp(SPREAD_OF_SPREADS * np.clip(rng.standard_normal(spread.shape), -2, 2))
    lasting = shocks.pair * spread * _standard(rng, shape, tails=shocks.uneven)
    lasting += shocks.city_province * rng.standard_normal((len(east), n_west))[:, west_of]
    lasting += shocks.city_province * rng.standard_normal((n_east, len(west)))[east_of]
    lasting += shocks.province * rng.standard_normal((n_east, n_west))[east_of][:, west_of]
    if shocks.smooth:
        lasting += shocks.smooth * smooth_field(east, west, rng)
    directed = lasting + shocks.flow * spread * _standard(rng, (2, *shape), tails=shocks.uneven)
    return np.asarray(directed[:, None] + shocks.month * rng.standard_normal((2, n_months, *shape)))


def _standard(rng: np.random.Generator, shape: tuple[int, ...], *, tails: bool) -> Floats:
    """Draws of variance 1, normal or with heavy tails (a little less than 1 for what is cut)."""
    if not tails:
        return rng.standard_normal(shape)
    draws = rng.standard_t(TAIL, shape) / np.sqrt(TAIL / (TAIL - 2))
    return np.asarray(np.clip(draws, -LARGEST, LARGEST))
