"""Which cities are near a city: distances, the filters on them, and why others are not near."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import codes_of
from tradelift.designs.effects import blanks
from tradelift.designs.spatial.kernels import kernel_weight
from tradelift.designs.spatial.options import Near
from tradelift.errors import DesignError
from tradelift.geography import great_circle_km
from tradelift.panel import Panel

Floats = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearCities:
    """
    For every two regions of a side, whether one may stand for the other; R counts the regions.

    Parameters
    ----------
    distance_km
        Shape (R, R); NaN where a coordinate is not known.
    near
        Where a region may stand for another, shape (R, R), symmetric.
    lost
        By reason, where a region within the bandwidth may not, shape (R, R) each; the first reason counts.
    located
        Regions of which coordinates are known, shape (R,).
    """

    distance_km: Floats
    near: Bools
    lost: Mapping[str, Bools]
    located: Bools


def near_cities(panel: Panel, options: Near) -> NearCities:
    """
    Find the near regions of each region, on its own side.

    Parameters
    ----------
    panel
        With coordinates of the regions, and groups or neighbours where the options ask for them.
    options
        What near means.

    Raises
    ------
    DesignError
        If the panel has no coordinates, groups or neighbours where they are needed.
    """
    distance = distances_km(panel, needed=_needs_distance(options))
    regions = panel.regions
    n = len(regions)
    side = np.zeros(n, dtype=np.int64) if regions.side is None else regions.side
    others = (side[:, None] == side) & ~np.eye(n, dtype=bool)
    left = others
    if options.bandwidth_km is not None:
        left = left & (kernel_weight(options.kernel, distance / options.bandwidth_km) > 0)
    lost: dict[str, Bools] = {}
    for reason, allowed in _filters(panel, options, distance).items():
        lost[reason] = left & ~allowed
        left = left & allowed
    return NearCities(distance_km=distance, near=left, lost=lost, located=~np.isnan(np.diag(distance)))


def distances_km(panel: Panel, *, needed: bool = True) -> Floats:
    """
    Great-circle distances between all regions, shape (R, R); NaN where a coordinate is not known.

    Raises
    ------
    DesignError
        If they are needed and fewer than two regions have coordinates.
    """
    longitude, latitude = panel.regions.longitude, panel.regions.latitude
    n = len(panel.regions)
    known = 0
    if longitude is not None and latitude is not None:
        known = int((~np.isnan(longitude) & ~np.isnan(latitude)).sum())
    if needed and known < 2:
        msg = (
            f"Near pairs need coordinates; {known:,} of {n:,} regions have them. Give the regions longitude and "
            f"latitude in degrees, or use contiguous=True with bandwidth_km=None and a list of neighbours."
        )
        raise DesignError(msg)
    if longitude is None or latitude is None:
        return np.full((n, n), np.nan)
    return great_circle_km(longitude[:, None], latitude[:, None], longitude, latitude)


def _needs_distance(options: Near) -> bool:
    free = options.contiguous and options.bandwidth_km is None
    return not free or bool(options.donut_km) or options.nearest is not None


def _filters(panel: Panel, options: Near, distance: Floats) -> dict[str, Bools]:
    """By reason, where a region may stand for another, shape (R, R) each."""
    allowed: dict[str, Bools] = {}
    if options.nearest is not None and options.bandwidth_km is None:
        allowed["without coordinates"] = ~np.isnan(distance)  # nobody knows whether they are the nearest
    if options.donut_km:
        allowed["within the donut"] = distance > options.donut_km
    if options.same_group:
        group = panel.regions.group
        if group is None:
            msg = "same_group=True needs the group of each region: give the regions a column `group` (their province)."
            raise DesignError(msg)
        codes, unknown = codes_of(group), blanks(group)
        assert codes is not None, "there are groups"
        allowed["in another group"] = (codes[:, None] == codes) & ~unknown[:, None] & ~unknown
    if options.contiguous:
        if panel.neighbours is None:
            msg = (
                "contiguous=True needs to know which regions share a border: give `neighbours` to Panel.from_frame, a "
                "frame of two columns; tl.shared_borders makes it of polygons."
            )
            raise DesignError(msg)
        border = np.zeros(distance.shape, dtype=bool)
        border[panel.neighbours[:, 0], panel.neighbours[:, 1]] = True
        allowed["without a shared border"] = border | border.T
    return allowed
