import numpy as np
import pytest

from tradelift.report.projection import HEIGHTS, WIDTH, fit_projection


def pixels(longitude, latitude):
    longitude, latitude = np.array(longitude, dtype=float), np.array(latitude, dtype=float)
    projection = fit_projection(longitude, latitude)
    return (projection, *projection.pixels(projection.unwrap(longitude), latitude))


@pytest.mark.parametrize(
    ("longitude", "latitude"),
    [
        ([87.6, 121.5, 110.3], [43.8, 31.2, 20.0]),
        ([-74.0, 139.7, 0.0, 151.2], [40.7, 35.7, 51.5, -33.9]),
        ([178.4, -171.8, 174.8], [-18.1, -13.8, -36.8]),
        ([8.7], [50.1]),
        ([10.0, 10.0], [-60.0, 70.0]),
    ],
)
def test_every_region_lies_inside_the_frame(longitude, latitude):
    projection, x, y = pixels(longitude, latitude)
    assert projection.width == WIDTH
    assert HEIGHTS[0] <= projection.height <= HEIGHTS[1]
    assert np.all((x >= 0) & (x <= projection.width))
    assert np.all((y >= 0) & (y <= projection.height))


def test_east_is_right_and_north_is_up():
    _, x, y = pixels([10.0, 20.0, 15.0], [50.0, 50.0, 55.0])
    assert x[1] > x[0]
    assert y[2] < y[0]


def test_the_date_line_does_not_part_neighbours():
    projection, x, _ = pixels([178.4, -171.8], [-18.1, -13.8])
    assert not projection.is_world
    assert x[1] > x[0]


def test_a_far_island_does_not_squeeze_the_rest():
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(100, 120, 99), rng.uniform(25, 45, 99)
    near = fit_projection(lon, lat)
    far, _, y = pixels([*lon, 112.0], [*lat, -10.0])
    assert far.scale == pytest.approx(near.scale, rel=0.01)
    assert y[-1] > far.height


def test_a_region_of_a_small_study_is_never_left_out():
    projection, x, y = pixels([5.0, 6.0, 7.0, 100.0], [45.0, 46.0, 47.0, -10.0])
    assert 0 <= x[-1] <= projection.width
    assert 0 <= y[-1] <= projection.height


@pytest.mark.parametrize("centre", [(110.0, 30.0), (0.0, 0.0)])
def test_areas_are_true(centre):
    """A square degree at the edge of the map is to one at its centre as on the sphere."""
    lon, lat = centre
    projection = fit_projection(np.array([lon - 20.0, lon + 20.0]), np.array([lat - 15.0, lat + 15.0]))

    def area(west, south):
        x, y = projection.pixels(
            np.array([west, west + 0.1, west + 0.1, west]), np.array([south, south, south + 0.1, south + 0.1])
        )
        return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2

    ratio = np.cos(np.radians(lat + 15.05)) / np.cos(np.radians(lat + 0.05))
    assert area(lon + 20, lat + 15) / area(lon, lat) == pytest.approx(ratio, rel=1e-3)


def test_a_cloud_of_regions_is_not_cut_at_its_edge():
    rng = np.random.default_rng(3)
    _, x, y = pixels(rng.normal(105, 5, 300), rng.normal(33, 4, 300))
    assert np.all((x >= 0) & (y >= 0))
