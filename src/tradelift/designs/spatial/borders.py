"""Polygons of regions: their outlines, and which share a border."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradelift.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FILES = (".geojson", ".json")
Ring = tuple[tuple[float, float], ...]
SHAPES = ("Polygon", "MultiPolygon")
DIGITS = 6  # of a degree, a tenth of a metre: points that are this near are one
LEAST = 2  # points that two regions share where they share a border; one is a corner


def shared_borders(polygons: Mapping[str, Any] | str | Path, region: str = "region") -> "pd.DataFrame":
    """
    Find the regions that share a border.

    Two regions do when their outlines have two points in common: outlines of one source, whose neighbours are drawn
    with the same points.

    Parameters
    ----------
    polygons
        A GeoJSON feature collection of polygons in degrees, or the path of one.
    region
        Property of a feature that holds the region's id; several features may be one region.

    Returns
    -------
    Columns region_1 and region_2, each pair once: what `Panel.from_frame` takes as `neighbours`.

    Raises
    ------
    DataError
        If this is no feature collection, a feature is no polygon or lacks the id, or points are not in degrees.

    Examples
    --------
    >>> import tradelift as tl
    >>> def square(x):
    ...     return {"type": "Polygon", "coordinates": [[[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]]}
    >>> features = [
    ...     {"type": "Feature", "properties": {"region": name}, "geometry": square(x)} for x, name in enumerate("abc")
    ... ]
    >>> tl.shared_borders({"type": "FeatureCollection", "features": features}).to_numpy().tolist()
    [['a', 'b'], ['b', 'c']]
    """
    import pandas as pd

    holders: dict[tuple[float, float], set[str]] = {}
    for name, rings in outlines(polygons, region):
        for point in (point for ring in rings for point in ring):
            holders.setdefault(point, set()).add(name)
    shared: dict[tuple[str, str], int] = {}
    for names in holders.values():
        ordered = sorted(names)
        for place, one in enumerate(ordered):
            for other in ordered[place + 1 :]:
                shared[one, other] = shared.get((one, other), 0) + 1
    found = sorted(pair for pair, count in shared.items() if count >= LEAST)
    return pd.DataFrame(found, columns=["region_1", "region_2"], dtype=str)


def outlines(
    polygons: Mapping[str, Any] | str | Path, region: str = "region"
) -> Iterator[tuple[str, tuple[Ring, ...]]]:
    """
    Yield the polygons of the regions: each with its region's id, its outer ring, and holes.

    Parameters
    ----------
    polygons, region
        As `shared_borders` takes them.

    Raises
    ------
    DataError
        As `shared_borders` does.
    """
    return _parts(_features(polygons), region)


def is_polygons(file: str) -> bool:
    """Whether a file's name says that it holds polygons."""
    return Path(file).suffix.lower() in FILES


def _features(polygons: Mapping[str, Any] | str | Path) -> list[Mapping[str, Any]]:
    source = "the polygons"
    if isinstance(polygons, (str, Path)):
        source = str(polygons)
        try:
            polygons = json.loads(Path(polygons).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = f"{source} cannot be read as GeoJSON: {error}. Give a feature collection of polygons in degrees."
            raise DataError(msg) from error
    features = polygons.get("features") if isinstance(polygons, Mapping) else None
    if not isinstance(features, list) or not features:
        msg = f"{source} hold no feature; give a GeoJSON feature collection, one polygon or more a region."
        raise DataError(msg)
    return features


def _parts(features: list[Mapping[str, Any]], region: str) -> Iterator[tuple[str, tuple[Ring, ...]]]:
    """Each region with each polygon of it."""
    for number, feature in enumerate(features, 1):
        name = (feature.get("properties") or {}).get(region)
        if name is None:
            msg = f"Feature {number} of the polygons has no property '{region}'; name the property that holds the id."
            raise DataError(msg)
        shape = feature.get("geometry") or {}
        if shape.get("type") not in SHAPES:
            msg = f"The region '{name}' is a {shape.get('type')}, not one of {', '.join(SHAPES)}; give outlines."
            raise DataError(msg)
        for part in shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]:
            yield str(name), tuple(tuple(_points(str(name), ring)) for ring in part)


def _points(name: str, ring: list[Any]) -> Iterator[tuple[float, float]]:
    for x, y in (point[:2] for point in ring):
        if not (abs(x) <= 180 and abs(y) <= 90):
            msg = (
                f"The outline of '{name}' has the point ({x:g}, {y:g}), which is not in degrees: the polygons "
                f"are in another projection. Give longitude and latitude (EPSG:4326)."
            )
            raise DataError(msg)
        yield round(float(x), DIGITS), round(float(y), DIGITS)
