"""Where places stand on a map: in its frame, or in an inset where they lie so far away that they would squeeze it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.geography import great_circle_km
from tradelift.report.projection import Projection, fit_projection

Floats = NDArray[Any]

INSET = (156, 128)  # pixels
EDGE = 10  # pixels between an inset and the edge of the map
INSET_SPAN = 0.1  # radians, about 640 km: so much of its surroundings an inset shows at least
TOGETHER_KM = 1500.0  # places that are nearer than this to one another share an inset
MOST_INSETS = 4  # one a corner; what is left is named below the map


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """A map or an inset: its projection, where its corner lies on the map, pixels, and the positions of its places."""

    projection: Projection
    left: float
    top: float
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """
    Places on a map.

    Parameters
    ----------
    main, insets
        The map, and its insets.
    x, y
        Pixels on the map, shape (N,); NaN where a place is left out.
    left_out
        Positions of the places for which there is no inset left.
    """

    main: Frame
    insets: tuple[Frame, ...]
    x: Floats
    y: Floats
    left_out: tuple[int, ...]


def lay_out(longitude: Floats, latitude: Floats) -> Layout:
    """
    Fit a map to places, with insets for those that lie outside its frame.

    Parameters
    ----------
    longitude, latitude
        Degrees, shape (N,), N > 0.
    """
    projection = fit_projection(longitude, latitude)
    x, y = projection.pixels(projection.unwrap(longitude), latitude)
    is_out = (x < 0) | (x > projection.width) | (y < 0) | (y > projection.height)
    out = np.flatnonzero(is_out)
    main = Frame(projection=projection, left=0.0, top=0.0, places=tuple(map(int, np.flatnonzero(~is_out))))
    x[out] = y[out] = np.nan
    groups = list(_groups(out, longitude, latitude))
    corners = _corners(projection, x, y)
    insets = []
    for group, (left, top) in zip(groups, corners, strict=False):
        own = fit_projection(
            longitude[group],
            latitude[group],
            width=INSET[0],
            heights=(INSET[1], INSET[1]),
            smallest_span=INSET_SPAN,
        )
        across, down = own.pixels(own.unwrap(longitude[group]), latitude[group])
        x[group], y[group] = across + left, down + top
        insets.append(Frame(projection=own, left=left, top=top, places=tuple(group)))
    left_out = tuple(i for group in groups[MOST_INSETS:] for i in group)
    return Layout(main=main, insets=tuple(insets), x=x, y=y, left_out=left_out)


def _groups(out: NDArray[np.int64], longitude: Floats, latitude: Floats) -> Iterator[list[int]]:
    """Part places so that no two groups are near each other."""
    left = [int(i) for i in out]
    while left:
        group = [left.pop(0)]
        for own in group:  # the group grows while it is walked along
            near = [i for i in left if _km(own, i, longitude, latitude) < TOGETHER_KM]
            group += near
            left = [i for i in left if i not in near]
        yield sorted(group)


def _km(i: int, j: int, longitude: Floats, latitude: Floats) -> float:
    return float(great_circle_km(longitude[[i]], latitude[[i]], longitude[[j]], latitude[[j]])[0])


def _corners(projection: Projection, x: Floats, y: Floats) -> Sequence[tuple[float, float]]:
    """Corners of insets, those that hide fewest places first."""
    right, low = projection.width - INSET[0] - EDGE, projection.height - INSET[1] - EDGE
    corners = [(float(a), float(b)) for b in (low, EDGE) for a in (EDGE, right)]

    def hidden(corner: tuple[float, float]) -> int:
        a, b = corner
        return int(np.sum((x >= a) & (x <= a + INSET[0]) & (y >= b) & (y <= b + INSET[1])))

    return sorted(corners, key=hidden)
