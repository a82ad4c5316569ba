"""
The world before chance fills it: cities, partners, and the noise-free intensity of every flow.

The expected number of orders of origin i, destination j and month t, given the sizes of the cities, is

    supply_it x demand_jt x distance_ij^-0.8 x exp(affinity_ij + effect_d D_ij)

with the effect of partnership log 1.10 from west to east and 0 from east to west. Pair noise multiplies it by a
lognormal draw of mean 1 for each directed pair, the same in all months, so that standard errors must be clustered.
Sizes are drawn city by city: they are heavy-tailed and jump between neighbours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.affinity import draw_affinity
from tradelift.worlds.cities import Side, distances_km, read_side
from tradelift.worlds.completion import Partnership, complete, known_partners, partner_matrix
from tradelift.worlds.goods import order_value
from tradelift.worlds.scale import Scale
from tradelift.worlds.seasons import day_weights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EFFECTS = {"west->east": float(np.log(1.1)), "east->west": 0.0}
"""True effects of partnership in logs."""
SHARE = {"west->east": 1 / 3, "east->west": 2 / 3}
"""Of all orders: more is sold to the west than comes from it."""
DISTANCE_ELASTICITY = -0.8
PAIR_NOISE = 0.35  # standard deviation in logs of each directed pair
SIZE_ON_POPULATION = 0.5
SIZE_SPREAD = 0.7  # standard deviation in logs of a city's size about its population
ROLE_SPREAD = 0.3  # and of its supply and its demand about its size
MONTH_SPREAD = 0.12  # and of each month's about that
PRICE_SPREAD = 0.3  # standard deviation in logs of a city's price level


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Direction:
    """
    Flows from one side to the other; I origins, J destinations, T months.

    Parameters
    ----------
    name
        "east->west" or "west->east".
    origins, destinations
        The two sides.
    partner, log_distance
        Shape (I, J).
    intensity
        Noise-free expected number of orders, shape (T, I, J).
    price
        Price level of each origin, shape (I,).
    noise
        What multiplies the intensity of each pair, of mean 1, shape (I, J).
    """

    name: str
    origins: Side
    destinations: Side
    partner: Bools
    log_distance: Floats
    intensity: Floats
    price: Floats
    noise: Floats

    def money(self) -> Floats:
        """Noise-free expected trade in yuan, shape (T, I, J)."""
        return np.asarray(self.intensity * (self.price * order_value(self.origins.name))[:, None])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """
    All that chance draws once.

    Parameters
    ----------
    seed
        Non-negative; every later draw derives from it.
    east, west
        The two sides.
    partners
        The 128 partnerships.
    affinity
        Log points that the data do not show, shape (east, west).
    directions
        East to west, then west to east.
    """

    scale: Scale
    seed: int
    east: Side
    west: Side
    partners: tuple[Partnership, ...]
    affinity: Floats
    directions: tuple[Direction, Direction]

    def random(self, *stream: int) -> np.random.Generator:
        """Make a generator of its own for a month or a step, so that their order does not matter."""
        return np.random.default_rng([self.seed, *stream])


def draw_world(scale: Scale, seed: int) -> World:
    """
    Draw the cities' sizes, the affinity and the pair noise of a world.

    Parameters
    ----------
    scale
        How large it is.
    seed
        Non-negative integer.
    """
    rng = np.random.default_rng([seed, 0])
    east, west = read_side("east"), read_side("west")
    partners = tuple(complete(known_partners(), east, west))
    partner = partner_matrix(list(partners), east, west)
    log_distance = np.log(distances_km(east, west))
    affinity = draw_affinity(east, west, partner, log_distance, rng)
    size = {side.name: _size(side, rng) for side in (east, west)}
    directions = (
        _direction(scale, east, west, size, partner, log_distance, affinity, rng),
        _direction(scale, west, east, size, partner.T, log_distance.T, affinity.T, rng),
    )
    return World(
        scale=scale, seed=seed, east=east, west=west, partners=partners, affinity=affinity, directions=directions
    )


def _size(side: Side, rng: np.random.Generator) -> Floats:
    """Log sizes of a side's cities."""
    log_population = np.log(side.population)
    return np.asarray(
        SIZE_ON_POPULATION * (log_population - log_population.mean()) + rng.normal(0, SIZE_SPREAD, len(side))
    )


def _direction(
    scale: Scale,
    origins: Side,
    destinations: Side,
    size: dict[str, Floats],
    partner: Bools,
    log_distance: Floats,
    affinity: Floats,
    rng: np.random.Generator,
) -> Direction:
    name = f"{origins.name}->{destinations.name}"
    season = np.array([days.sum() for days in day_weights(scale)])
    supply, demand = (
        size[side.name] + rng.normal(0, ROLE_SPREAD, len(side)) + rng.normal(0, MONTH_SPREAD, (scale.months, len(side)))
        for side in (origins, destinations)
    )
    pull = np.exp(DISTANCE_ELASTICITY * log_distance + affinity + EFFECTS[name] * partner)
    raw = season[:, None, None] * np.exp(supply)[:, :, None] * np.exp(demand)[:, None, :] * pull
    return Direction(
        name=name,
        origins=origins,
        destinations=destinations,
        partner=partner,
        log_distance=log_distance,
        intensity=raw * (SHARE[name] * scale.orders / raw.sum()),
        price=np.exp(rng.normal(0, PRICE_SPREAD, len(origins))),
        noise=np.exp(rng.normal(-(PAIR_NOISE**2) / 2, PAIR_NOISE, partner.shape)),
    )
