import numpy as np

from tradelift.report.basemap import MARGIN, outlines, polygons
from tradelift.report.projection import fit_projection


def covered(rings, x, y):
    """Whether a point lies in a polygon, by counting crossings."""
    inside = False
    for ring in rings:
        a = np.array(ring)
        b = np.roll(a, -1, axis=0)
        spans = (a[:, 1] > y) != (b[:, 1] > y)
        a, b = a[spans], b[spans]
        inside ^= bool(np.count_nonzero(x < (b[:, 0] - a[:, 0]) * (y - a[:, 1]) / (b[:, 1] - a[:, 1]) + a[:, 0]) % 2)
    return inside


def is_land(projection, shapes, longitude, latitude):
    x, y = projection.pixels(np.array([longitude]), np.array([latitude]))
    return any(covered(rings, float(x[0]), float(y[0])) for rings in shapes)


def test_polygons_are_closed_and_within_the_world():
    for rings in polygons():
        for ring in rings:
            assert np.allclose(ring[0], ring[-1])
            assert np.abs(ring[:, 1]).max() <= 90


def test_land_is_land_and_sea_is_sea():
    projection = fit_projection(np.array([87.6, 121.5, 110.3]), np.array([43.8, 31.2, 20.0]))
    shapes = outlines(projection)
    assert is_land(projection, shapes, 104.0, 30.7)  # Chengdu
    assert is_land(projection, shapes, 121.0, 24.0)  # Taiwan
    assert not is_land(projection, shapes, 124.0, 35.0)  # the Yellow Sea


def test_land_is_land_on_a_map_of_the_world():
    projection = fit_projection(np.array([-74.0, 139.7, 0.0, 77.2, 174.8]), np.array([40.7, 35.7, 51.5, 28.6, -41.3]))
    shapes = outlines(projection)
    assert is_land(projection, shapes, 60.0, 60.0)  # Russia, whose outline crosses the date line
    assert not is_land(projection, shapes, -30.0, 40.0)  # the Atlantic
    assert not is_land(projection, shapes, 51.0, 42.0)  # the Caspian Sea


def test_outlines_are_cut_to_the_frame():
    projection = fit_projection(np.array([5.0, 15.0]), np.array([45.0, 55.0]))
    for rings in outlines(projection):
        points = np.concatenate([np.array(r) for r in rings])
        assert points.min() >= -MARGIN - 0.05
        assert points[:, 0].max() <= projection.width + MARGIN + 0.05
        assert points[:, 1].max() <= projection.height + MARGIN + 0.05
