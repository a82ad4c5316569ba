"""Sellers and buyers of each city: how many there are, and power laws of who trades how much."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.intensities import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SELLERS_PER_ORDER, BUYERS_PER_ORDER = 0.03, 0.4  # of a city's expected orders over the window
FEWEST = 5
SELLER_EXPONENT, BUYER_EXPONENT = 1.1, 0.5
"""The trader of rank r has a share proportional to r ** -exponent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crowd:
    """
    Traders of one role; their ids count on from city to city.

    Parameters
    ----------
    first
        Id of the first trader of each city, shape (R,).
    count
        Number of traders of each city, shape (R,).
    exponent
        Of the power law.
    """

    first: Ints
    count: Ints
    exponent: float

    def draw(self, city: Ints, rng: np.random.Generator) -> Ints:
        """
        Draw a trader of each given city.

        Parameters
        ----------
        city
            Codes, shape (N,).
        rng
            Source of randomness.

        Returns
        -------
        Ids, shape (N,), by inverting the distribution function of a power law on [1, count + 1).
        """
        power = 1 - self.exponent
        reach = ((self.count + 1.0) ** power - 1)[city]
        rank = (1 + reach * rng.random(len(city))) ** (1 / power)
        return np.asarray(self.first[city] + np.clip(rank.astype(np.int64), 1, self.count[city]) - 1)


def crowds(world: World) -> tuple[Crowd, Crowd]:
    """Sellers and buyers of a world; eastern cities come first in its city codes."""
    east_west, west_east = (d.intensity.sum(axis=0) for d in world.directions)
    sold = np.concatenate([east_west.sum(axis=1), west_east.sum(axis=1)])
    bought = np.concatenate([west_east.sum(axis=0), east_west.sum(axis=0)])
    return _crowd(sold * SELLERS_PER_ORDER, SELLER_EXPONENT), _crowd(bought * BUYERS_PER_ORDER, BUYER_EXPONENT)


def _crowd(expected: Floats, exponent: float) -> Crowd:
    count = np.maximum(expected.astype(np.int64), FEWEST)
    return Crowd(first=1 + np.cumsum(count) - count, count=count, exponent=exponent)
