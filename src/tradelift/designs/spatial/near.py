"""Partner pairs with their near controls: one group a partner pair and direction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.spatial.cities import NearCities, near_cities
from tradelift.designs.spatial.kernels import kernel_weight
from tradelift.designs.spatial.options import CORNERS, Near, replaced_sides
from tradelift.errors import DesignError
from tradelift.panel import Panel
from tradelift.programme import BOTH, PARTNER, Programme

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

NOT_IN_PANEL = "not in the panel"
DENSE = 8  # pairs of regions a directed pair of the panel up to which all of them are listed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearPairs:
    """
    Partner pairs and their near controls, n of them in G groups; a pair that controls for several stands in each.

    Rows are ordered by group, the partner pair first, then by side, origin and destination. Directions have groups of
    their own.

    Parameters
    ----------
    group
        Shape (n,), from 0 without gaps.
    pair
        Directed pair of the panel, shape (n,).
    origin, destination
        Region codes, shape (n,).
    side
        Where the row's cities are not the partners', shape (n,): 0 nowhere, 1 on the first side, 2 on the second, 3 on
        both. Without sides the first is the origin.
    distances_km
        Distance between the row's city and the partner's city on each side, shape (n, 2); 0 where it is the same.
    weight
        Kernel weight, shape (n,); 1 for partner pairs.
    partnership
        Row of the partner list of the row's own pair, shape (n,), -1 where it is none. A control that has one is
        treated in some periods, and a control only before them.
    partner_pair, partner_row
        Directed pair and row of the partner list of each group, shape (G,).
    lost_groups
        Directed partner pairs of the direction that are no group, by reason.
    lost_pairs
        Pairs with near cities that are no control in their group, by reason.
    """

    group: Ints
    pair: Ints
    origin: Ints
    destination: Ints
    side: Ints
    distances_km: Floats
    weight: Floats
    partnership: Ints
    partner_pair: Ints
    partner_row: Ints
    lost_groups: Mapping[str, int]
    lost_pairs: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.group)

    @property
    def n_groups(self) -> int:
        """G."""
        return len(self.partner_pair)

    @property
    def is_partner(self) -> Bools:
        """Whether the row is its group's partner pair, shape (n,)."""
        return np.asarray(self.side == 0)

    @property
    def distance_km(self) -> Floats:
        """Distance from the partner pair, shape (n,): of a corner, the root of the squares at both ends."""
        return _together(self.distances_km)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Partners:
    """The directed partner pairs of a direction: pair, row of the partner list and both ends, shape (G,) each."""

    pair: Ints
    row: Ints
    origin: Ints
    destination: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Candidates: position of their partner, both ends, and which ends differ, shape (m,) each."""

    of: Ints
    origin: Ints
    destination: Ints
    other_origin: Bools
    other_destination: Bools

    def take(self, kept: Bools | Ints) -> "_Rows":
        """Some of them."""
        return _Rows(
            of=self.of[kept],
            origin=self.origin[kept],
            destination=self.destination[kept],
            other_origin=self.other_origin[kept],
            other_destination=self.other_destination[kept],
        )


def near_pairs(panel: Panel, options: Near, direction: str = "both") -> NearPairs:
    """
    Put the near controls beside each partner pair.

    Parameters
    ----------
    panel
        With a programme, and coordinates of the regions.
    options
        What near means.
    direction
        "both", or one as "west->east".

    Raises
    ------
    DesignError
        If there is no programme, coordinates or groups are missing, a side is unknown, or no partner pair has a near
        control.
    """
    programme = panel.programme
    if programme is None or not len(programme.first):
        msg = "Near controls stand beside partner pairs: give `partners` to Panel.from_frame."
        raise DesignError(msg)
    ends = replaced_sides(panel, options.neighbours)
    cities = near_cities(panel, options)
    partners, lost_groups = _partners(panel, programme, direction)
    rows, lost_pairs = _candidates(panel, partners, cities, ends, corners=options.neighbours == CORNERS)
    rows, pair, lost = _controls(panel, partners, rows, options)
    lost_pairs |= lost
    weight = _weights(options, _together(_ends_km(partners, rows, cities)))
    lost_pairs["corner beyond the bandwidth"] = int((weight == 0).sum())
    rows, pair = rows.take(weight > 0), pair[weight > 0]
    if options.nearest is not None:
        kept = _nearest(partners, rows, cities, options.nearest)
        lost_pairs["not among the nearest"] = int((~kept).sum())
        rows, pair = rows.take(kept), pair[kept]
    alone = np.bincount(rows.of, minlength=len(partners.pair)) == 0
    located = cities.located[partners.origin] & cities.located[partners.destination]
    unplaced = alone & ~located & (options.bandwidth_km is not None or options.nearest is not None)
    lost_groups |= {"no coordinates": int(unplaced.sum()), "no near control": int((alone & ~unplaced).sum())}
    if alone.all():
        raise DesignError(_nothing_near(options, direction, lost_groups, lost_pairs))
    return replace(
        _arrange(panel, partners, ~alone, rows, pair, cities, options), lost_groups=lost_groups, lost_pairs=lost_pairs
    )


def _partners(panel: Panel, programme: Programme, direction: str) -> tuple[_Partners, dict[str, int]]:
    """Directed partner pairs of a direction that the panel holds and that are treated within its periods."""
    pairs = panel.pairs
    held = np.flatnonzero((pairs.partnership >= 0) & panel.pair_direction(direction))
    row = pairs.partnership[held]
    treated = programme.start[row] <= programme.end[row]
    listed = len(programme.first) * (2 if direction == "both" else 1)
    kept = held[treated]
    found = _Partners(pair=kept, row=row[treated], origin=pairs.origin[kept], destination=pairs.destination[kept])
    return found, {NOT_IN_PANEL: listed - len(held), "not treated in these periods": int((~treated).sum())}


def _candidates(
    panel: Panel, partners: _Partners, cities: NearCities, ends: tuple[bool, bool], *, corners: bool
) -> tuple[_Rows, dict[str, int]]:
    """Pairs with a near city in place of a partner's own, at the ends that may differ; and near cities not taken."""
    side = panel.regions.side
    first = np.zeros(len(partners.pair), dtype=np.int64) if side is None else side[partners.origin]
    may = np.stack([np.array(ends)[first], np.array(ends)[1 - first]])  # at the origin, at the destination
    at_origin = cities.near[partners.origin] & may[0][:, None]
    at_destination = cities.near[partners.destination] & may[1][:, None]
    parts = []
    of, city = np.nonzero(at_origin)
    parts.append((of, city, partners.destination[of], True, False))
    of, city = np.nonzero(at_destination)
    parts.append((of, partners.origin[of], city, False, True))
    if corners:
        of, origin, destination = _corners(at_origin, at_destination)
        parts.append((of, origin, destination, True, True))
    lost = {
        reason: int(
            (where[partners.origin] & may[0][:, None]).sum() + (where[partners.destination] & may[1][:, None]).sum()
        )
        for reason, where in cities.lost.items()
    }
    rows = _Rows(
        of=np.concatenate([p[0] for p in parts]),
        origin=np.concatenate([p[1] for p in parts]),
        destination=np.concatenate([p[2] for p in parts]),
        other_origin=np.concatenate([np.full(len(p[0]), p[3]) for p in parts]),
        other_destination=np.concatenate([np.full(len(p[0]), p[4]) for p in parts]),
    )
    return rows, lost


def _corners(at_origin: Bools, at_destination: Bools) -> tuple[Ints, Ints, Ints]:
    """Every near origin with every near destination of the same partner pair."""
    of, origin = np.nonzero(at_origin)
    owner, city = np.nonzero(at_destination)
    count = at_destination.sum(axis=1)
    start = np.cumsum(count) - count
    repeated = np.repeat(np.arange(len(of)), count[of])
    within = np.arange(len(repeated)) - np.repeat(np.cumsum(count[of]) - count[of], count[of])
    place = start[of[repeated]] + within
    assert np.array_equal(owner[place], of[repeated]), "both ends belong to one partner pair"
    return of[repeated], origin[repeated], city[place]


def _controls(panel: Panel, partners: _Partners, rows: _Rows, options: Near) -> tuple[_Rows, Ints, dict[str, int]]:
    """The candidates that are pairs of the panel and may be controls, with their pairs; and why others are not."""
    lost = {}
    apart = rows.origin != rows.destination
    lost["within a region"] = int((~apart).sum())
    rows = rows.take(apart)
    pair = _pairs_of(panel, rows.origin, rows.destination)
    lost["near pair not in the panel"] = int((pair < 0).sum())
    rows, pair = rows.take(pair >= 0), pair[pair >= 0]
    partnership = panel.pairs.partnership[pair]
    taken = partnership >= 0
    if options.not_yet is True and panel.programme is not None:
        before = panel.programme.start[partnership] > 0
        taken &= ~(before & (partnership != partners.row[rows.of]))
    lost["partners themselves"] = int(taken.sum())
    rows, pair = rows.take(~taken), pair[~taken]
    assert panel.pairs.control_type is not None, "there is a programme"
    kind = panel.pairs.control_type[pair]
    wanted = np.isin(np.where(kind == PARTNER, BOTH, kind), list(options.control_types))
    lost["of another control type"] = int((~wanted).sum())
    return rows.take(wanted), pair[wanted], lost


def _pairs_of(panel: Panel, origin: Ints, destination: Ints) -> Ints:
    """Directed pair of the panel between two regions, shape (m,); -1 where it has none."""
    n = len(panel.regions)
    keys = panel.pairs.origin.astype(np.int64) * n + panel.pairs.destination
    wanted = origin.astype(np.int64) * n + destination
    if n * n <= DENSE * len(keys):  # a list of all pairs of regions costs less than to sort those of the panel
        every = np.full(n * n, -1)
        every[keys] = np.arange(len(keys))
        return every[wanted]
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = order[place]
    return np.where(keys[found] == wanted, found, -1)


def _ends_km(partners: _Partners, rows: _Rows, cities: NearCities) -> Floats:
    """Distance between the candidate's city and the partner's at the origin and at the destination, shape (m, 2)."""
    at_origin = cities.distance_km[rows.origin, partners.origin[rows.of]]
    at_destination = cities.distance_km[rows.destination, partners.destination[rows.of]]
    return np.stack(
        [np.where(rows.other_origin, at_origin, 0.0), np.where(rows.other_destination, at_destination, 0.0)], axis=1
    )


def _together(ends_km: Floats) -> Floats:
    """One distance of those at both ends, shape (m,) from (m, 2)."""
    return np.asarray(np.hypot(ends_km[:, 0], ends_km[:, 1]))


def _weights(options: Near, distance_km: Floats) -> Floats:
    """Kernel weights of pairs by their distance from the partner pair."""
    if options.bandwidth_km is None:
        return np.ones(len(distance_km))
    return kernel_weight(options.kernel, distance_km / options.bandwidth_km)


def _nearest(partners: _Partners, rows: _Rows, cities: NearCities, k: int) -> Bools:
    """Mark the k nearest controls of each group and side; of two as near, the one whose regions have lower ids."""
    where = rows.of * 4 + rows.other_origin + 2 * rows.other_destination
    distance = _together(_ends_km(partners, rows, cities))
    order = np.lexsort((rows.destination, rows.origin, distance, where))
    ordered = where[order]
    first = np.searchsorted(ordered, ordered)
    kept = np.zeros(len(where), dtype=bool)
    kept[order] = np.arange(len(where)) - first < k
    return kept


def _arrange(
    panel: Panel, partners: _Partners, used: Bools, rows: _Rows, pair: Ints, cities: NearCities, options: Near
) -> NearPairs:
    """Partner pairs and controls in order, with groups renumbered."""
    group = np.cumsum(used) - 1
    own = np.flatnonzero(used)
    none = np.zeros(len(own), dtype=bool)
    every = _Rows(
        of=np.concatenate([own, rows.of]),
        origin=np.concatenate([partners.origin[own], rows.origin]),
        destination=np.concatenate([partners.destination[own], rows.destination]),
        other_origin=np.concatenate([none, rows.other_origin]),
        other_destination=np.concatenate([none, rows.other_destination]),
    )
    pair = np.concatenate([partners.pair[own], pair])
    ends = np.stack([every.other_origin, every.other_destination], axis=1)
    distance = _ends_km(partners, every, cities)
    if panel.regions.side is not None:  # ends by side, whichever exports
        turned = panel.regions.side[every.origin] == 1
        ends[turned], distance[turned] = ends[turned][:, ::-1], distance[turned][:, ::-1]
    side = ends[:, 0] + 2 * ends[:, 1]
    order = np.lexsort((every.destination, every.origin, side, group[every.of]))
    return NearPairs(
        group=group[every.of][order],
        pair=pair[order],
        origin=every.origin[order],
        destination=every.destination[order],
        side=side[order],
        distances_km=distance[order],
        weight=_weights(options, _together(distance))[order],
        partnership=panel.pairs.partnership[pair[order]],
        partner_pair=partners.pair[own],
        partner_row=partners.row[own],
        lost_groups={},
        lost_pairs={},
    )


def _nothing_near(options: Near, direction: str, groups: Mapping[str, int], pairs: Mapping[str, int]) -> str:
    """Say that no partner pair has a near control, and why."""
    why = ", ".join(f"{reason} {count:,}" for reason, count in groups.items() if count)
    lost = ", ".join(f"{reason} {count:,}" for reason, count in pairs.items() if count)
    lost = f" Near pairs not used: {lost}." if lost else ""
    return (
        f"No partner pair has a near control ({direction}, {options.describe()}): partner pairs lost: {why or 'all'}."
        f"{lost} Use a larger bandwidth, or fewer filters."
    )
