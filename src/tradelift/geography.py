"""Distances on the globe, in kilometres."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_RADIUS_KM = 6371.0088  # mean radius of the WGS 84 ellipsoid, (2a + b) / 3
DOMESTIC_FACTOR = 0.67  # of the radius of a disc with the region's area (Head and Mayer 2010)


def great_circle_km(longitude_a: Floats, latitude_a: Floats, longitude_b: Floats, latitude_b: Floats) -> Floats:
    """
    Great-circle distance by the haversine formula, which stays accurate for near points.

    Parameters
    ----------
    longitude_a, latitude_a, longitude_b, latitude_b
        Degrees, of shapes that broadcast.

    Returns
    -------
    Kilometres, of the broadcast shape; NaN where a coordinate is missing.
    """
    lon_a, lat_a, lon_b, lat_b = (np.radians(x) for x in (longitude_a, latitude_a, longitude_b, latitude_b))
    chord = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
    distance: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return distance


def domestic_km(area_km2: Floats) -> Floats:
    """
    Mean distance of trade within a region of an area, as if it were a disc with its traders at the centre.

    Parameters
    ----------
    area_km2
        Area in square kilometres, any shape.

    Returns
    -------
    Kilometres, of the same shape.

    References
    ----------
    Head and Mayer (2010), in van Bergeijk and Brakman (eds.), The Gravity Model in International Trade.
    """
    distance: Floats = DOMESTIC_FACTOR * np.sqrt(np.asarray(area_km2, dtype=float) / np.pi)
    return distance
