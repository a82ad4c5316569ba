"""
What partnership works through, in part: migration from west to east, and how often people search for a city; and direct
flights, through which it does not.

A mediator's log is

    what is known of its cities (and month) + distance + a D + deviation of the pair (and month),

and trade grows by an elasticity times the deviation, and times a D. So of the effect of partnership, elasticity x a
works through it. The deviations are parts of the noise of trade: given the noise of a pair, its parts are drawn from
their joint normal distribution with the noise as their sum. So flows are what they would be if nobody wrote the
mediators.

Migration moves trade from west to east alone (migrants buy from home), search moves both; partnership raises the search
of eastern buyers for their western partners, not the reverse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.intensities import PAIR_NOISE, Direction, World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STREAM = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """
    A mediator's part in a direction of trade.

    Parameters
    ----------
    on_mediator
        What partnership adds to the log of the mediator.
    elasticity
        Of trade to the mediator.
    share
        Of the variance of a pair's noise that moves with the mediator.
    """

    on_mediator: float
    elasticity: float
    share: float

    @property
    def mediated(self) -> float:
        """What partnership adds to the log of trade through the mediator."""
        return self.on_mediator * self.elasticity


CHANNELS = MappingProxyType(
    {
        "migration": {
            "west->east": Channel(on_mediator=0.2, elasticity=0.15, share=0.2),
            "east->west": Channel(on_mediator=0.2, elasticity=0.0, share=0.0),
        },
        "search": {
            "west->east": Channel(on_mediator=0.12, elasticity=0.2, share=0.15),
            "east->west": Channel(on_mediator=0.0, elasticity=0.2, share=0.15),
        },
    }
)
"""Of the log of trade, log 1.1 from west to east, .03 comes through migration and .024 through search."""
PEOPLE, SEARCHES = 3000.0, 400.0  # medians
FLIGHTS = -1.0  # log of direct flights a month of two middling cities
FLIGHT_SPREAD = 0.5  # standard deviations in logs, of a city and of a pair


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mediators:
    """
    Dyadic inputs of a world.

    Parameters
    ----------
    migration
        People who moved from the western to the eastern city, shape (east, west).
    search
        Searches in the destination for the origin: from east to west, then from west to east, shape (T, I, J) each.
    flights
        Direct flights of a pair and month, either way, shape (T, east, west).
    """

    migration: Ints
    search: tuple[Floats, Floats]
    flights: Ints


def draw_mediators(world: World) -> Mediators:
    """Draw migration, search and flights given the noise of a world's flows."""
    rng = world.random(STREAM)
    parts = [_parts(world, d, rng) for d in world.directions]
    partner, log_distance = world.directions[0].partner, world.directions[0].log_distance
    months = (world.scale.months, 1, 1)
    n_east, n_west = partner.shape

    channel = CHANNELS["migration"]["west->east"]
    cities = rng.normal(0, 0.5, (n_east, 1)) + rng.normal(0, 0.5, n_west) - _centred(log_distance)
    log_people = np.log(PEOPLE) + cities + channel.on_mediator * partner + parts[1]["migration"].T
    migration = np.maximum(np.rint(np.exp(log_people)), 1).astype(np.int64)

    search = []
    for d, own in zip(world.directions, parts, strict=True):
        n_from, n_to = d.partner.shape
        known = rng.normal(0, 0.5, (n_from, 1)) + rng.normal(0, 0.5, n_to)
        seasons = rng.normal(0, 0.1, (*months[:2], n_to)) + rng.normal(0, 0.1, (months[0], n_from, 1))
        lasting = known - 0.3 * _centred(d.log_distance) + CHANNELS["search"][d.name].on_mediator * d.partner
        log_search = np.log(SEARCHES) + lasting + seasons + own["search"]
        search.append(np.maximum(np.round(np.exp(log_search), 2), 0.01))

    routes = rng.normal(0, FLIGHT_SPREAD, (n_east, 1)) + rng.normal(0, FLIGHT_SPREAD, n_west)
    routes = routes - 0.5 * _centred(log_distance) + rng.normal(0, FLIGHT_SPREAD, partner.shape)
    flights = rng.poisson(np.exp(FLIGHTS + routes + rng.normal(0, 0.1, (months[0], n_east, n_west))))
    return Mediators(migration=migration, search=(search[0], search[1]), flights=flights)


def _parts(world: World, direction: Direction, rng: np.random.Generator) -> dict[str, Floats]:
    """Deviations of each mediator's log, shape (I, J), or (T, I, J) where there is monthly noise and it is searched."""
    channels = {name: by_direction[direction.name] for name, by_direction in CHANNELS.items()}
    lasting = _split(np.log(direction.noise), PAIR_NOISE, channels, rng)
    if direction.shock is None:
        return lasting
    searched = {"search": channels["search"]}  # migration lasts: it is in the noise of pairs alone
    monthly = _split(np.log(direction.shock), world.scale.month_noise, searched, rng)
    return lasting | {"search": lasting["search"] + monthly["search"]}


def _split(
    log_noise: Floats, spread: float, channels: Mapping[str, Channel], rng: np.random.Generator
) -> dict[str, Floats]:
    """Split noise of mean 1 into what moves with each mediator and the rest, given the noise; in logs of mediators."""
    noise = log_noise + spread**2 / 2
    moving = {name: c for name, c in channels.items() if c.elasticity}
    free = {name: rng.normal(0, spread * np.sqrt(c.share), noise.shape) for name, c in moving.items()}
    others = 1 - sum(c.share for c in moving.values())
    gap = noise - sum(free.values()) - rng.normal(0, spread * np.sqrt(others), noise.shape)
    return {name: (free[name] + c.share * gap) / c.elasticity for name, c in moving.items()}


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean())
