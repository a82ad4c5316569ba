import numpy as np

from tests.worlds.conftest import SEED, TINY
from tradelift.study import trait_columns
from tradelift.worlds.intensities import draw_world
from tradelift.worlds.traits import GAINS, TRAITS, pair_traits, trait_lift

WORLD = draw_world(TINY, SEED)
PARTNER = WORLD.directions[0].partner


def test_traits_are_made_of_columns_that_cities_have():
    assert set(TRAITS) == set(GAINS)
    for expression in TRAITS.values():
        for column, side in trait_columns(expression):
            assert len(WORLD.cities[side][column]) == {"east": 87, "west": 110}[side]


def test_the_east_is_richer_and_has_more_roads_and_lines():
    for column in ("gdp", "road_density", "broadband", "ecommerce_firms"):
        assert np.median(WORLD.cities["east"][column]) > np.median(WORLD.cities["west"][column])


def test_minorities_live_in_autonomous_areas():
    share = WORLD.cities["west"]["minority_share"]
    assert share[WORLD.west.autonomous].mean() > 0.4
    assert share[~WORLD.west.autonomous].mean() < 0.15
    assert ((share >= 0) & (share <= 1)).all()


def test_what_traits_add_is_linear_in_each_and_nothing_on_average():
    traits = pair_traits(WORLD.cities["east"], WORLD.cities["west"])
    lift = trait_lift(traits, PARTNER)
    assert abs(lift[PARTNER].mean()) < 1e-12
    assert (lift[~PARTNER] == 0).all()
    x = np.stack([traits[name][PARTNER] / traits[name][PARTNER].std() for name in GAINS] + [np.ones(PARTNER.sum())], 1)
    beta, *_ = np.linalg.lstsq(x, lift[PARTNER], rcond=None)
    np.testing.assert_allclose(beta[:-1], list(GAINS.values()), atol=1e-10)
