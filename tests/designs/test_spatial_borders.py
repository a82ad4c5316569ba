"""Shared borders from polygons."""

import json

import pytest

import tradelift as tl
from tradelift.designs.spatial import shared_borders


def square(name, x, y, size=1.0):
    ring = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    return {"type": "Feature", "properties": {"region": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def test_sides_are_borders_and_corners_are_not(tmp_path):
    grid = collection(*(square(f"{x}{y}", x, y) for x in range(2) for y in range(2)))
    wanted = [["00", "01"], ["00", "10"], ["01", "11"], ["10", "11"]]
    assert shared_borders(grid).to_numpy().tolist() == wanted
    path = tmp_path / "grid.geojson"
    path.write_text(json.dumps(grid))
    assert shared_borders(path).to_numpy().tolist() == wanted


def test_a_region_of_several_parts():
    two = square("a", 0, 0)
    two["geometry"] = {
        "type": "MultiPolygon",
        "coordinates": [two["geometry"]["coordinates"], square("a", 5, 0)["geometry"]["coordinates"]],
    }
    assert shared_borders(collection(two, square("b", 6, 0), square("c", 9, 9))).to_numpy().tolist() == [["a", "b"]]
    apart = collection(square("a", 0, 0), square("a", 5, 0), square("b", 1, 0), square("c", 9, 9))
    assert shared_borders(apart).to_numpy().tolist() == [["a", "b"]]


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        (collection(square("a", 500_000, 4_000_000)), r"outline of 'a' has the point \(500000, 4e\+06\).*another projection.*EPSG:4326"),
        (collection(), "hold no feature"),
        ([1], "hold no feature"),
        (collection(square(None, 0, 0)), "Feature 1 of the polygons has no property 'region'"),
        (collection({"properties": {"region": "a"}, "geometry": {"type": "Point", "coordinates": [0, 0]}}), "The region 'a' is a Point, not one of Polygon, MultiPolygon"),
        ("/nowhere.geojson", "/nowhere.geojson cannot be read as GeoJSON"),
    ],
)  # fmt: skip
def test_what_is_no_map_is_refused(polygons, message):
    with pytest.raises(tl.DataError, match=message):
        shared_borders(polygons)
