"""The directed pairs of a panel, with what is known of them from the regions and the programme."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.geography import domestic_km, great_circle_km
from tradelift.panel.regions import Pairs, Regions
from tradelift.panel.row_codes import distinct, positions
from tradelift.programme import Programme

Array = NDArray[Any]
Ints = NDArray[np.int64]


def computed_columns(regions: Regions, origin: Ints, destination: Ints) -> dict[str, Array]:
    """What the regions say of pairs, shape (P,) each: `domestic`, and `distance_km` where coordinates are known."""
    columns: dict[str, Array] = {"domestic": (origin == destination).astype(np.float64)}
    distance = _distance_km(regions, origin, destination)
    if distance is not None:
        columns["distance_km"] = distance
    return columns


def directed_pairs(
    regions: Regions, origin: Ints, destination: Ints, programme: Programme | None, columns: Mapping[str, Array]
) -> Pairs:
    """
    Put together the directed pairs.

    Parameters
    ----------
    regions
        What the codes count.
    origin, destination
        Region codes of the pairs, shape (P,).
    programme
        The partnerships, or None.
    columns
        Everything fixed about the pairs, shape (P,) each.
    """
    n = len(regions)
    dyad = np.minimum(origin, destination) * n + np.maximum(origin, destination)
    return Pairs(
        origin=origin,
        destination=destination,
        dyad=positions(distinct(dyad, n * n), dyad, n * n),
        partnership=np.full(len(origin), -1) if programme is None else programme.lookup(origin, destination),
        control_type=None if programme is None else programme.control_type(origin, destination, regions.side),
        columns=columns,
    )


def _distance_km(regions: Regions, origin: Ints, destination: Ints) -> NDArray[np.float64] | None:
    """Great-circle distance of pairs; within a region by its area where known, else missing."""
    if regions.longitude is None or regions.latitude is None:
        return None
    lon, lat = regions.longitude, regions.latitude
    distance = great_circle_km(lon[origin], lat[origin], lon[destination], lat[destination])
    own = np.full(len(regions), np.nan)
    area: Mapping[str, Array] = regions.columns
    if "area_km2" in area and area["area_km2"].dtype.kind in "if":
        own = domestic_km(area["area_km2"])
    return np.where(origin == destination, own[origin], distance)
