import numpy as np
import pytest

from tradelift.worlds.pairing import read_participants
from tradelift.worlds.shocks import LARGEST, SPREAD_OF_SPREADS, Shocks, draw_shocks

EAST, WEST = read_participants()
MONTHS = 3
ROUNDING = 1e-12  # of sums and differences of a few numbers near 1
SPREAD = 0.07  # of a correlation or a relative standard deviation over 4,536 pairs: more than four standard errors


def draw(seed=1, **sizes):
    return draw_shocks(Shocks(**({"month": 0.0} | sizes)), EAST, WEST, MONTHS, np.random.default_rng(seed))


def within(values, side, axis):
    """Whether all cities of a province have the same values."""
    cities = [np.compress(side.province == p, values, axis=axis) for p in side.province]
    return max(np.ptp(c, axis=axis).max() for c in cities) < ROUNDING


def test_shape_and_months():
    y = draw(pair=1.0)
    assert y.shape == (2, MONTHS, 56, 81)
    assert np.ptp(y, axis=(0, 1)).max() == 0  # lasts, and is the same in both directions


@pytest.mark.parametrize("part", ["pair", "flow", "month"])
def test_size_of_a_part(part):
    y = draw(**{part: 0.5})[:, 0]
    assert y.std() == pytest.approx(0.5, rel=SPREAD)
    shared = np.corrcoef(y[0].ravel(), y[1].ravel())[0, 1]
    assert shared == pytest.approx(1.0 if part == "pair" else 0.0, abs=SPREAD)


def test_flow_shocks_last_and_months_do_not():
    assert np.ptp(draw(flow=1.0), axis=1).max() == 0
    y = draw(month=1.0)
    assert np.corrcoef(y[0, 0].ravel(), y[0, 1].ravel())[0, 1] == pytest.approx(0, abs=SPREAD)


def test_province_shocks_are_the_same_within_pairs_of_provinces():
    y = draw(province=1.0)[0, 0]
    assert within(y, EAST, 0)
    assert within(y, WEST, 1)
    assert len(np.unique(y)) == len(set(EAST.province)) * len(set(WEST.province))


def test_city_province_shocks_are_tastes_of_both_sides():
    y = draw(city_province=1.0)[0, 0]
    first, last = (np.flatnonzero(WEST.province == "Sichuan")[k] for k in (0, -1))
    # two cities of one province differ by a taste of theirs that is the same for all cities of an eastern province
    assert within((y[:, first] - y[:, last])[:, None], EAST, 0)
    assert not within(y, EAST, 0)
    assert not within(y, WEST, 1)


def test_smooth_shocks_are_near_where_cities_are_near():
    y = draw(smooth=1.0)[0, 0]
    cities = np.flatnonzero(EAST.province == "Jiangsu")
    far = np.flatnonzero(EAST.province == "Liaoning")
    assert np.abs(y[cities[0]] - y[cities[1]]).mean() < 0.5 * np.abs(y[cities[0]] - y[far[0]]).mean()


def test_uneven_shocks_have_tails_and_differ_by_city():
    even, uneven = draw(pair=1.0)[0, 0], draw(pair=1.0, uneven=True)[0, 0]
    ratios = [y.std(axis=1).max() / y.std(axis=1).min() for y in (even, uneven)]
    assert ratios[1] > 2 * ratios[0]
    tails = [((y / y.std(axis=1, keepdims=True)) ** 4).mean() for y in (even, uneven)]
    assert tails[1] > tails[0] + 1  # the kurtosis of a normal is 3
    assert np.abs(uneven).max() <= LARGEST * np.exp(2 * SPREAD_OF_SPREADS)
