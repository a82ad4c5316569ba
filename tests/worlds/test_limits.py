import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY
from tradelift.worlds.affinity import OVERSHOOT, overshoot_weights
from tradelift.worlds.intensities import EFFECTS, SHARE, draw_world
from tradelift.worlds.limits import OUTCOMES, gravity, limit, limits
from tradelift.worlds.scale import Scale

WORLD = draw_world(TINY, SEED)
LIMITS = {(x.outcome, x.direction): x for x in limits(WORLD)}


def test_every_estimator_has_a_limit():
    assert set(LIMITS) == {(o, d) for o in OUTCOMES for d in ("both", "east->west", "west->east")}


@pytest.mark.parametrize("direction", ["east->west", "west->east"])
def test_ols_tends_to_the_effect_and_what_the_affinity_adds(direction):
    d = WORLD.directions[direction == "west->east"]
    weights = overshoot_weights(d.partner, d.log_distance)  # the effect differs between pairs: OLS weighs them so
    effect = np.vdot(weights, d.effect.mean(axis=0))
    assert effect == pytest.approx(EFFECTS[direction], abs=0.002)
    assert LIMITS["log(deals)", direction].partner == pytest.approx(effect + OVERSHOOT, abs=1e-9)
    assert LIMITS["log(trade)", direction].partner == pytest.approx(effect + OVERSHOOT, abs=1e-9)


def test_ols_of_both_directions_is_their_mean():
    each = [LIMITS["log(trade)", d.name].partner for d in WORLD.directions]
    assert LIMITS["log(trade)", "both"].partner == pytest.approx(np.mean(each), abs=1e-9)


@pytest.mark.parametrize("seed", range(1, 6))
def test_gravity_overshoots_in_every_world(seed):
    world = draw_world(Scale(orders=1_000, months=1), seed)
    for d in world.directions:
        assert 0.08 < limit((d,), d.name, "trade").partner - EFFECTS[d.name] < 0.32


def test_ppml_solves_its_equations_at_the_noise_free_intensities():
    direction = WORLD.directions[1]
    partner, log_distance = gravity((direction,), [direction.money()], "trade")
    y, x = direction.money(), partner * direction.partner + log_distance * direction.log_distance
    mu = np.exp(x) * np.ones_like(y)
    for _ in range(500):
        mu *= (y.sum(2) / mu.sum(2))[:, :, None]
        mu *= (y.sum(1) / mu.sum(1))[:, None, :]
    assert np.abs(((y - mu) * direction.partner).sum()) < 1e-6 * (y * direction.partner).sum()
    assert np.abs(((y - mu) * direction.log_distance).sum()) < 1e-6 * y.sum()


def test_more_is_sold_to_the_west():
    assert SHARE["east->west"] + SHARE["west->east"] == pytest.approx(1)
    assert WORLD.directions[0].money().sum() > 2 * WORLD.directions[1].money().sum()
