"""From degrees to the pixels of a map that fits its regions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

WIDTH = 960
HEIGHTS = (420, 720)
PADDING = 0.05  # of the longer side
SMALLEST_SPAN = 0.02  # radians, about 130 km: a study of one town is still a map
LOCAL_SPAN = 100.0  # degrees of longitude up to which the azimuthal projection serves
OUTLYING_SHARE = 0.02  # of the regions may lie outside, where that ...
OUTLYING_GAIN = 0.2  # ... makes the extent smaller by this share for each of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """
    An equal-area projection: Lambert's azimuthal one about the centre, or Equal Earth for the world.

    Parameters
    ----------
    longitude, latitude
        Centre, degrees.
    is_world
        Whether Equal Earth serves.
    scale, left, top
        Pixels a unit of the projection, and the projected corner that is pixel (0, 0).
    width, height
        Of the map, pixels.

    References
    ----------
    Snyder (1987), Map Projections: A Working Manual, 182-190.
    Savric, Patterson and Jenny (2019), International Journal of Geographical Information Science 33, 454-465.
    """

    longitude: float
    latitude: float
    is_world: bool
    scale: float
    left: float
    top: float
    width: int
    height: int

    def pixels(self, longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
        """
        Place points on the map.

        Parameters
        ----------
        longitude, latitude
            Degrees, shape (N,); longitudes may run over 180 to stay on their side of the centre.

        Returns
        -------
        x to the right and y downward, pixels, shape (N,) each.
        """
        x, y = _project(longitude, latitude, self.longitude, self.latitude, is_world=self.is_world)
        return (x - self.left) * self.scale, (self.top - y) * self.scale

    def unwrap(self, longitude: Floats) -> Floats:
        """Turn longitudes to within 180 degrees of the centre."""
        return np.asarray((longitude - self.longitude + 180.0) % 360.0 - 180.0 + self.longitude)


def fit_projection(
    longitude: Floats,
    latitude: Floats,
    *,
    width: int = WIDTH,
    heights: tuple[int, int] = HEIGHTS,
    smallest_span: float = SMALLEST_SPAN,
) -> Projection:
    """
    Fit a projection to regions; a few that lie far outside do not squeeze the rest.

    Parameters
    ----------
    longitude, latitude
        Degrees, shape (N,), N > 0.
    width, heights
        Of the map, pixels: its width, and between what its height lies.
    smallest_span
        What the map shows at least, radians.
    """
    lon = _together(longitude)
    keep = _main_extent(lon, latitude)
    west, east = float(lon[keep].min()), float(lon[keep].max())
    south, north = float(latitude[keep].min()), float(latitude[keep].max())
    is_world = east - west > LOCAL_SPAN
    centre = ((west + east) / 2, (south + north) / 2)
    x, y = _project(lon[keep], latitude[keep], *centre, is_world=is_world)
    span_x, span_y = max(np.ptp(x), smallest_span), max(np.ptp(y), smallest_span)
    padding = PADDING * max(span_x, span_y)
    span_x, span_y = span_x + 2 * padding, span_y + 2 * padding
    height = int(np.clip(round(width * span_y / span_x), *heights))
    scale = min(width / span_x, height / span_y)
    return Projection(
        longitude=centre[0],
        latitude=centre[1],
        is_world=is_world,
        scale=float(scale),
        left=float((x.min() + x.max() - width / scale) / 2),
        top=float((y.min() + y.max() + height / scale) / 2),
        width=width,
        height=height,
    )


def _together(longitude: Floats) -> Floats:
    """Turn longitudes so that they do not cross the widest gap between them."""
    around = np.sort(longitude % 360.0)
    gaps = np.diff(around, append=around[0] + 360.0)
    start = around[(int(np.argmax(gaps)) + 1) % len(around)]
    turned = (longitude - start) % 360.0 + start
    return np.asarray(turned - 360.0 * np.round(np.median(turned) / 360.0))


def _main_extent(longitude: Floats, latitude: Floats) -> NDArray[np.bool_]:
    """Mark the regions that the map must hold: all but a few whose absence makes it much smaller."""
    keep = np.ones(len(longitude), dtype=bool)
    left = int(OUTLYING_SHARE * len(longitude))
    while left > 0:
        size = _extent(longitude, latitude, keep)
        tried = []
        for order in (np.argsort(s * v, kind="stable") for v in (longitude, latitude) for s in (1, -1)):
            ends = order[keep[order]]
            for count in range(1, left + 1):  # the outermost on one side: islands that are near each other go together
                less = keep.copy()
                less[ends[:count]] = False
                tried.append((_extent(longitude, latitude, less) / (1 - OUTLYING_GAIN) ** count, count, less))
        best, count, less = min(tried, key=lambda t: t[:2])
        if best >= size:
            break
        keep, left = less, left - count
    return keep


def _extent(longitude: Floats, latitude: Floats, keep: NDArray[np.bool_]) -> float:
    return float(np.ptp(longitude[keep]) * np.ptp(latitude[keep]))


def _project(
    longitude: Floats, latitude: Floats, centre_lon: float, centre_lat: float, *, is_world: bool
) -> tuple[Floats, Floats]:
    lam, phi = np.radians(np.asarray(longitude) - centre_lon), np.radians(latitude)
    if is_world:
        return _equal_earth(lam, phi)
    phi0 = np.radians(centre_lat)
    cosine = np.sin(phi0) * np.sin(phi) + np.cos(phi0) * np.cos(phi) * np.cos(lam)
    k = np.sqrt(2 / np.maximum(1 + cosine, 1e-6))
    x = k * np.cos(phi) * np.sin(lam)
    y = k * (np.cos(phi0) * np.sin(phi) - np.sin(phi0) * np.cos(phi) * np.cos(lam))
    return x, y


def _equal_earth(lam: Floats, phi: Floats) -> tuple[Floats, Floats]:
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(phi))
    t2 = theta**2
    slope = 9 * a4 * t2**4 + 7 * a3 * t2**3 + 3 * a2 * t2 + a1
    x = 2 * np.sqrt(3) * lam * np.cos(theta) / (3 * slope)
    y = theta * (a4 * t2**4 + a3 * t2**3 + a2 * t2 + a1)
    return x, y
