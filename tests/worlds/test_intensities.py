import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY, TINY_FLOWS
from tradelift.worlds import intensities
from tradelift.worlds.intensities import DISTANCE_ELASTICITY, EFFECTS, PAIR_NOISE, SHARE, draw_world

WORLD = draw_world(TINY, SEED)


def double_difference(values):
    """What is left of logs when origin-month and destination-month effects are out."""
    return (
        values - values.mean(-1, keepdims=True) - values.mean(-2, keepdims=True) + values.mean((-1, -2), keepdims=True)
    )


def test_effects_are_ten_percent_and_none():
    assert np.exp(EFFECTS["west->east"]) == pytest.approx(1.1)
    assert EFFECTS["east->west"] == 0
    for d in WORLD.directions:
        assert d.effect[:, d.partner].mean() == pytest.approx(EFFECTS[d.name], abs=1e-12)
        assert (d.effect[:, ~d.partner] == 0).all()


def test_the_effect_falls_at_the_break_from_east_to_west_alone():
    forth, back = (d.effect[:, d.partner] for d in WORLD.directions)
    np.testing.assert_allclose(forth, np.repeat([[0.04], [-0.02], [-0.02]], 128, axis=1), atol=1e-12)
    assert (back == back[0]).all()


def test_intensities_hold_the_effect(monkeypatch):
    """Against the same draws without a programme: what partners gain beyond other pairs, the whole being scaled."""
    monkeypatch.setattr(intensities, "EFFECTS", {"west->east": 0.0, "east->west": 0.0})
    monkeypatch.setattr(intensities, "BREAK_CHANGE", {"west->east": 0.0, "east->west": 0.0})
    monkeypatch.setattr(intensities, "trait_lift", lambda _traits, partner: np.zeros(partner.shape))
    without = draw_world(TINY, SEED)
    for d, other in zip(WORLD.directions, without.directions, strict=True):
        gain = np.log(d.intensity / other.intensity)
        np.testing.assert_allclose(gain - gain[:, ~d.partner].mean(), d.effect, atol=1e-9)
        np.testing.assert_array_equal(d.noise, other.noise)


@pytest.mark.parametrize("k", [0, 1])
def test_intensity_is_city_months_distance_affinity_and_effect(k):
    d = WORLD.directions[k]
    affinity = WORLD.affinity if k == 0 else WORLD.affinity.T
    expected = DISTANCE_ELASTICITY * d.log_distance + affinity + d.effect
    left = double_difference(np.log(d.intensity)) - double_difference(expected)
    assert np.abs(left).max() < 1e-9
    assert d.intensity.sum() == pytest.approx(SHARE[d.name] * TINY.orders)


def test_pair_noise_has_mean_one_and_is_not_quiet():
    noise = np.concatenate([d.noise.ravel() for d in WORLD.directions])
    assert PAIR_NOISE >= 0.3
    assert np.log(noise).std() == pytest.approx(PAIR_NOISE, rel=0.03)  # error .5% at 19,140 draws
    assert noise.mean() == pytest.approx(1, abs=0.01)


def test_pair_noise_is_independent_over_pairs():
    forth, back = (np.log(d.noise) for d in WORLD.directions)
    assert abs(np.corrcoef(forth.ravel(), back.T.ravel())[0, 1]) < 0.04  # four errors of 9,570 pairs
    assert abs(np.corrcoef(forth[:, 1:].ravel(), forth[:, :-1].ravel())[0, 1]) < 0.04


def test_sizes_are_heavy_tailed_and_not_smooth_on_the_map():
    sold = WORLD.directions[0].intensity.sum((0, 2))
    assert np.sort(sold)[-9:].sum() > 0.3 * sold.sum()
    km = np.hypot(
        np.subtract.outer(WORLD.east.longitude, WORLD.east.longitude),
        np.subtract.outer(WORLD.east.latitude, WORLD.east.latitude),
    )
    nearest = (km + 1e9 * np.eye(len(km))).argmin(1)
    assert np.abs(np.log(sold) - np.log(sold[nearest])).mean() > 0.5


def test_monthly_noise_has_mean_one():
    world = draw_world(TINY_FLOWS, SEED)
    shock = np.concatenate([d.shock.ravel() for d in world.directions])
    assert np.log(shock).std() == pytest.approx(TINY_FLOWS.month_noise, rel=0.02)  # error .3% at 76,560 draws
    assert shock.mean() == pytest.approx(1, abs=0.005)
    d = world.directions[1]
    np.testing.assert_array_equal(d.expected(2), d.intensity[2] * d.noise * d.shock[2])
    assert all(d.shock is None for d in WORLD.directions)


def test_a_scale_of_money_has_its_mean_trade():
    for d in draw_world(TINY_FLOWS, SEED).directions:
        assert d.money().mean() == pytest.approx(TINY_FLOWS.mean_trade[d.name])


def test_another_seed_is_another_world():
    assert not np.allclose(draw_world(TINY, SEED + 1).affinity, WORLD.affinity)
