"""
The world before chance fills it: cities, partners, and the noise-free intensity of every flow.

The expected number of orders of origin i, destination j and month t, given the sizes of the cities, is

    supply_it x demand_jt x distance_ij^-0.8 x exp(affinity_ij + effect_ijt D_ij)

with the effect of partnership log 1.10 on average from west to east, where it differs with the traits of the pair, and
0 on average from east to west, where it falls at the break. Part of it works through migration and search (see
`mediators`). Pair noise multiplies it by a lognormal draw of mean 1 for each directed pair, the same in all months, so
that standard errors must be clustered; where a scale has it, so does a draw for each directed pair and month. Sizes are
drawn city by city: they are heavy-tailed and jump between neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.affinity import OVERSHOOT, draw_affinity
from tradelift.worlds.cities import Side, distances_km, read_side
from tradelift.worlds.completion import Partnership, complete, known_partners, partner_matrix
from tradelift.worlds.goods import order_value, relative_lifts
from tradelift.worlds.scale import Scale
from tradelift.worlds.seasons import day_weights
from tradelift.worlds.traits import draw_traits, pair_traits, trait_lift

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EFFECTS = {"west->east": float(np.log(1.1)), "east->west": 0.0}
"""True effects of partnership in logs: means over partner pairs and months."""
BREAK_CHANGE = {"west->east": 0.0, "east->west": -0.06}
"""By how many log points the effect changes at the break."""
SHARE = {"west->east": 1 / 3, "east->west": 2 / 3}
"""Of all orders: more is sold to the west than comes from it."""
DISTANCE_ELASTICITY = -0.8
PAIR_NOISE = 0.35  # standard deviation in logs of each directed pair
MONTH_SPREAD = 0.12  # and of a city's supply and demand in each month
PRICE_SPREAD = 0.3  # standard deviation in logs of a city's price level
TRAITS_STREAM, SHOCKS_STREAM = 4, 5


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
    effect
        Of partnership on all goods in logs, 0 for other pairs, shape (T, I, J).
    tilt
        What the effect on each category is beyond that, shape (8,).
    intensity
        Noise-free expected number of orders, shape (T, I, J).
    price
        Price level of each origin, shape (I,).
    noise
        What multiplies the intensity of each pair, of mean 1, shape (I, J).
    shock
        What multiplies it in each month besides, of mean 1, shape (T, I, J); None where there is none.
    """

    name: str
    origins: Side
    destinations: Side
    partner: Bools
    log_distance: Floats
    effect: Floats
    tilt: Floats
    intensity: Floats
    price: Floats
    noise: Floats
    shock: Floats | None

    def expected(self, month: int | slice = slice(None)) -> Floats:
        """Expected number of orders given all noise, shape (I, J) in a month and (T, I, J) in all."""
        orders = self.intensity[month] * self.noise
        return np.asarray(orders if self.shock is None else orders * self.shock[month])

    def money(self) -> Floats:
        """Noise-free expected trade in yuan, shape (T, I, J)."""
        return np.asarray(self.intensity * self.order_value()[:, None])

    def order_value(self) -> Floats:
        """Mean money of an order of each origin in yuan, shape (I,); it is that of partners, too."""
        return self.price * order_value(self.origins.name)


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
    cities
        Traits of the cities by side, as cities.csv has them.
    directions
        East to west, then west to east.
    """

    scale: Scale
    seed: int
    east: Side
    west: Side
    partners: tuple[Partnership, ...]
    affinity: Floats
    cities: Mapping[str, Mapping[str, Floats]]
    directions: tuple[Direction, Direction]

    def random(self, *stream: int) -> np.random.Generator:
        """Make a generator of its own for a month or a step, so that their order does not matter."""
        return np.random.default_rng([self.seed, *stream])


def draw_world(scale: Scale, seed: int, *, overshoot: float | None = OVERSHOOT) -> World:
    """
    Draw the cities' sizes, the affinity and the noise of a world.

    Parameters
    ----------
    scale
        How large it is.
    seed
        Non-negative integer.
    overshoot
        By how much gravity by OLS on noise-free logs is to overshoot; None for a world without affinity.
    """
    rng = np.random.default_rng([seed, 0])
    east, west = read_side("east"), read_side("west")
    partners = tuple(complete(known_partners(), east, west))
    partner = partner_matrix(list(partners), east, west)
    log_distance = np.log(distances_km(east, west))
    affinity = draw_affinity(east, west, partner, log_distance, rng, overshoot)
    takes_part = {side.name: np.isin(side.city, [getattr(p, side.name) for p in partners]) for side in (east, west)}
    size = {side.name: _size(scale, side, takes_part[side.name], rng) for side in (east, west)}
    other = np.random.default_rng([seed, TRAITS_STREAM])
    cities = {side.name: draw_traits(side, other) for side in (east, west)}
    by_pair = trait_lift(pair_traits(cities["east"], cities["west"]), partner)
    directions = (
        _direction(scale, east, west, size, partner, log_distance, affinity, np.zeros(partner.shape), rng),
        _direction(scale, west, east, size, partner.T, log_distance.T, affinity.T, by_pair.T, rng),
    )
    if scale.month_noise:
        directions = _shaken(directions, scale.month_noise, np.random.default_rng([seed, SHOCKS_STREAM]))
    return World(
        scale=scale,
        seed=seed,
        east=east,
        west=west,
        partners=partners,
        affinity=affinity,
        cities=cities,
        directions=directions,
    )


def _size(scale: Scale, side: Side, takes_part: Bools, rng: np.random.Generator) -> Floats:
    """Log sizes of a side's cities."""
    log_population = np.log(side.population)
    on_population = scale.size_on_population * (log_population - log_population.mean())
    return np.asarray(on_population + rng.normal(0, scale.size_spread, len(side)) + scale.partner_size * takes_part)


def _direction(
    scale: Scale,
    origins: Side,
    destinations: Side,
    size: dict[str, Floats],
    partner: Bools,
    log_distance: Floats,
    affinity: Floats,
    by_pair: Floats,
    rng: np.random.Generator,
) -> Direction:
    name = f"{origins.name}->{destinations.name}"
    season = np.array([days.sum() for days in day_weights(scale)])
    supply, demand = (
        size[side.name]
        + rng.normal(0, scale.role_spread, len(side))
        + rng.normal(0, MONTH_SPREAD, (scale.months, len(side)))
        for side in (origins, destinations)
    )
    effect = np.where(partner, EFFECTS[name] + by_pair + _at_break(scale, name)[:, None, None], 0.0)
    pull = np.exp(DISTANCE_ELASTICITY * log_distance + affinity + effect)
    raw = season[:, None, None] * np.exp(supply)[:, :, None] * np.exp(demand)[:, None, :] * pull
    price = np.exp(rng.normal(0, PRICE_SPREAD, len(origins)))
    noise = np.exp(rng.normal(-(PAIR_NOISE**2) / 2, PAIR_NOISE, partner.shape))
    if name in scale.mean_trade:
        money = (raw * price[:, None]).mean() * order_value(origins.name)
        factor = scale.mean_trade[name] / money
    else:
        factor = SHARE[name] * scale.orders / raw.sum()
    return Direction(
        name=name,
        origins=origins,
        destinations=destinations,
        partner=partner,
        log_distance=log_distance,
        effect=effect,
        tilt=relative_lifts(name, EFFECTS[name]),
        intensity=raw * factor,
        price=price,
        noise=noise,
        shock=None,
    )


def _at_break(scale: Scale, name: str) -> Floats:
    """What the break does to the effect in each month, of mean zero over the months, shape (T,)."""
    after = np.array(scale.after_break(), dtype=float)
    return np.asarray(BREAK_CHANGE[name] * (after - after.mean()))


def _shaken(
    directions: tuple[Direction, Direction], spread: float, rng: np.random.Generator
) -> tuple[Direction, Direction]:
    """Add the noise of each directed pair in each month, of mean 1."""
    first, second = (
        replace(d, shock=np.exp(rng.normal(-(spread**2) / 2, spread, d.intensity.shape))) for d in directions
    )
    return first, second
