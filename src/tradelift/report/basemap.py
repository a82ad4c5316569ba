"""Outlines of countries, cut to the extent of a map."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.report.projection import Projection

Floats = NDArray[Any]
Ring = list[list[float]]

MARGIN = 8.0  # pixels around the frame that are drawn and then hidden, with the edges of the cut
FINEST = 1.8  # pixels: the side of the squares that an outline is thinned to
SIDE = 90.0  # degrees of longitude on either side of the centre that a local map can show


@cache
def polygons() -> tuple[tuple[Floats, ...], ...]:
    """Polygons of the world in degrees: the outer ring, then holes, shape (n, 2) each, closed."""
    raw = json.loads((files("tradelift.report") / "data" / "basemap.json").read_text(encoding="utf-8"))
    arcs = [np.cumsum(np.array(arc).reshape(-1, 2), axis=0) * raw["step"] for arc in raw["arcs"]]
    return tuple(_beside([_join(ring, arcs) for ring in polygon]) for polygon in raw["polygons"])


def _join(ring: list[int], arcs: list[Floats]) -> Floats:
    """Chain the arcs of a ring; ~n is arc n backwards. Longitudes run on over 180 degrees."""
    points = np.concatenate([arcs[a] if a >= 0 else arcs[~a][::-1] for a in ring])
    return np.column_stack([np.unwrap(points[:, 0], period=360.0), points[:, 1]])


def _beside(rings: list[Floats]) -> tuple[Floats, ...]:
    """Turn holes to where their outer ring is."""
    middle = np.mean([rings[0][:, 0].min(), rings[0][:, 0].max()])
    return tuple(r - np.array([360.0 * np.round((r[:, 0].mean() - middle) / 360.0), 0.0]) for r in rings)


def outlines(projection: Projection, shapes: Sequence[tuple[Floats, ...]] | None = None) -> list[list[Ring]]:
    """
    Cut polygons to a map.

    Parameters
    ----------
    projection
        Of the map.
    shapes
        Polygons in degrees, as `polygons` has them: the default.

    Returns
    -------
    Polygons in pixels, each a list of rings. Pixels are planar, so that no ring is taken for its outside.
    """
    out = []
    reach = 180.0 if projection.is_world else SIDE
    west, east = projection.longitude - reach, projection.longitude + reach
    for polygon in polygons() if shapes is None else shapes:
        for turn in (-720.0, -360.0, 0.0, 360.0, 720.0):
            low, high = polygon[0][:, 0].min() + turn, polygon[0][:, 0].max() + turn
            if high <= west or low >= east:
                continue
            shift = np.array([turn, 0.0])
            rings = [ring for part in polygon for ring in _cut(part + shift, west, east, projection)]
            if rings:
                out.append(rings)
    return out


def _cut(ring: Floats, west: float, east: float, projection: Projection) -> Iterator[Ring]:
    """Cut one ring by meridians, project it, and cut it by the frame."""
    ring = _clip(_clip(ring, 0, lambda v: v >= west, west), 0, lambda v: v <= east, east)
    if not len(ring):
        return
    points = np.stack(projection.pixels(ring[:, 0], ring[:, 1]), axis=1)
    for axis, end in ((0, projection.width), (1, projection.height)):
        low, high = -MARGIN, end + MARGIN
        points = _clip(points, axis, lambda v, low=low: v >= low, low)  # type: ignore[misc]
        points = _clip(points, axis, lambda v, high=high: v <= high, high)  # type: ignore[misc]
    points = _thin(points)
    if len(points) > 2:
        yield [*points.tolist(), points[0].tolist()]


def _thin(points: Floats) -> Floats:
    """Keep one of the points that share a square, and a tenth of a pixel of each."""
    square = np.floor(points / FINEST)
    kept = np.any(square != np.roll(square, 1, axis=0), axis=1)
    return np.asarray(np.round(points[kept], 1))


def _clip(ring: Floats, axis: int, inside: Callable[[Floats], Any], bound: float) -> Floats:
    """Cut a closed ring by a line parallel to an axis (Sutherland and Hodgman 1974)."""
    if not len(ring):
        return ring
    here = inside(ring[:, axis])
    if here.all():
        return ring
    after, there = np.roll(ring, -1, axis=0), np.roll(here, -1)
    crossing = here != there
    step = after[:, axis] - ring[:, axis]
    weight = np.divide(bound - ring[:, axis], step, out=np.zeros(len(ring)), where=step != 0)
    cut = ring + weight[:, None] * (after - ring)
    cut[:, axis] = bound
    # each edge gives its crossing, if any, and then its end, if that is inside
    points = np.stack([cut, after], axis=1).reshape(-1, 2)
    return np.asarray(points[np.stack([crossing, there], axis=1).ravel()])
