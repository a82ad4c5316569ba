"""
A programme drawn anew by the way in which the East-West programme was made: provinces are paired, then their cities.

The cities that take part and their provinces are those of the completed list; who is paired with whom is drawn:

1. Each western province is linked with two eastern provinces, drawn at random; an eastern province that is left over,
   with one western province. (In the completed list a western province has 1 to 6 links, two on average.)
2. Each western city, in random order, is paired with a city of the fewest partners among those of linked provinces, at
   random among equals. Then each eastern city that is still alone is paired likewise.
3. Until there are 128: one more partner for a western city, drawn at random.

The rule treats the cities of a province alike. So given the number of partners in each pair of provinces, every
relabelling of cities within provinces is as likely as the programme itself.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.cities import Side, read_side
from tradelift.worlds.completion import N_PAIRS, complete, known_partners, partner_matrix

Bools = NDArray[np.bool_]

LINKS = 2  # eastern provinces of a western one


def read_participants() -> tuple[Side, Side]:
    """The 56 eastern and 81 western cities of the completed list."""
    east, west = read_side("east"), read_side("west")
    partner = partner_matrix(complete(known_partners(), east, west), east, west)
    return _keep(east, np.flatnonzero(partner.any(axis=1))), _keep(west, np.flatnonzero(partner.any(axis=0)))


def draw_programme(east: Side, west: Side, rng: np.random.Generator) -> Bools:
    """
    Draw who is paired with whom, by the rule above.

    Parameters
    ----------
    east, west
        The cities that take part.
    rng
        Source of randomness.

    Returns
    -------
    Partner pairs, shape (east, west): 128 of them, at least one in each row and column.
    """
    linked = _link_provinces(east, west, rng)
    partner = np.zeros(linked.shape, dtype=bool)
    for city in rng.permutation(len(west)):
        _pair(partner[:, city], partner.sum(axis=1), linked[:, city], rng)
    for city in rng.permutation(len(east)):
        if not partner[city].any():
            _pair(partner[city], partner.sum(axis=0), linked[city], rng)
    while partner.sum() < N_PAIRS:
        city = rng.integers(len(west))
        _pair(partner[:, city], partner.sum(axis=1), linked[:, city], rng)
    return partner


def _link_provinces(east: Side, west: Side, rng: np.random.Generator) -> Bools:
    """Mark the pairs of cities whose provinces are linked, shape (east, west)."""
    east_names, east_of = np.unique(east.province, return_inverse=True)
    west_names, west_of = np.unique(west.province, return_inverse=True)
    linked = np.zeros((len(east_names), len(west_names)), dtype=bool)
    for province in range(len(west_names)):
        linked[rng.choice(len(east_names), LINKS, replace=False), province] = True
    for left_over in np.flatnonzero(~linked.any(axis=1)):
        linked[left_over, rng.integers(len(west_names))] = True
    return np.asarray(linked[east_of][:, west_of])


def _pair(own: Bools, count: NDArray[np.int64], linked: Bools, rng: np.random.Generator) -> None:
    """Give a city, whose partners `own` marks, one more: of the fewest partners among the linked, if there is one."""
    free = np.flatnonzero(linked & ~own)
    if len(free):
        own[rng.choice(free[count[free] == count[free].min()])] = True


def _keep(side: Side, rows: NDArray[np.int64]) -> Side:
    return replace(
        side,
        city=side.city[rows],
        province=side.province[rows],
        longitude=side.longitude[rows],
        latitude=side.latitude[rows],
        population=side.population[rows],
        autonomous=side.autonomous[rows],
    )
