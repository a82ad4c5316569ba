"""Mediators, against regressions by hand in which the truth must be found."""

import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY, TINY_FLOWS
from tradelift.worlds.intensities import PAIR_NOISE, draw_world
from tradelift.worlds.mediators import CHANNELS, draw_mediators

ERRORS = 4.0  # standard errors allowed


def without_cities(values):
    """What is left when the means of both cities are out, shape (..., I, J)."""
    return (
        values - values.mean(-1, keepdims=True) - values.mean(-2, keepdims=True) + values.mean((-1, -2), keepdims=True)
    )


def regress(y, *columns):
    """Least squares on columns net of city effects, with standard errors that take rows for independent."""
    x = np.stack([without_cities(c).ravel() for c in columns], axis=1)
    y = without_cities(y).ravel()
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    left = y - x @ beta
    return beta, np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * left.var())


@pytest.fixture(scope="module", params=[TINY, TINY_FLOWS], ids=["log", "flows"])
def drawn(request):
    world = draw_world(request.param, SEED)
    return world, draw_mediators(world)


@pytest.mark.parametrize("k", [0, 1])
def test_noise_moves_with_the_mediators_by_their_elasticities(drawn, k):
    world, mediators = drawn
    d = world.directions[k]
    migration = np.log(mediators.migration if k == 0 else mediators.migration.T)
    noise, search = np.log(d.noise), np.log(mediators.search[k]).mean(0)
    if d.shock is not None:
        noise = noise + np.log(d.shock).mean(0)
    beta, error = regress(noise, migration, search, d.log_distance, d.partner.astype(float))
    by_name = {name: own[d.name] for name, own in CHANNELS.items()}
    expected = [by_name["migration"].elasticity, by_name["search"].elasticity]
    assert (np.abs(beta[:2] - expected) < ERRORS * error[:2]).all()
    # held, partners trade less by what came through them: the noise itself knows nothing of partnership
    direct = -sum(c.mediated for c in by_name.values())
    assert abs(beta[3] - direct) < ERRORS * error[3]


def test_monthly_noise_moves_with_search():
    world = draw_world(TINY_FLOWS, SEED)
    search = draw_mediators(world).search
    for d, own in zip(world.directions, search, strict=True):
        months = np.log(own) - np.log(own).mean(0)
        shock = np.log(d.shock) - np.log(d.shock).mean(0)
        beta, error = regress(shock, months)
        assert abs(beta[0] - CHANNELS["search"][d.name].elasticity) < ERRORS * error[0]


def test_partnership_moves_the_mediators(drawn):
    world, mediators = drawn
    d = world.directions[0]
    cases = [(np.log(mediators.migration), d, CHANNELS["migration"]["west->east"].on_mediator)]
    for own, values in zip(world.directions, mediators.search, strict=True):
        cases.append((np.log(values).mean(0), own, CHANNELS["search"][own.name].on_mediator))
    for values, own, expected in cases:
        beta, error = regress(values, own.partner.astype(float), own.log_distance)
        assert abs(beta[0] - expected) < ERRORS * error[0]


def test_parts_share_the_noise_of_pairs(drawn):
    world, mediators = drawn
    d = world.directions[1]
    own = without_cities(np.log(mediators.migration).T - 0.2 * d.partner)
    distance = without_cities(d.log_distance)
    own = own - distance * np.vdot(distance, own) / np.vdot(distance, distance)
    channel = CHANNELS["migration"]["west->east"]
    assert own.std() == pytest.approx(PAIR_NOISE * np.sqrt(channel.share) / channel.elasticity, rel=0.03)


def test_flights_know_nothing_of_partners_and_trade(drawn):
    world, mediators = drawn
    d = world.directions[0]
    flights = np.log1p(mediators.flights).mean(0)
    beta, error = regress(flights, d.partner.astype(float), d.log_distance, np.log(d.noise))
    assert (np.abs(beta[[0, 2]]) < ERRORS * error[[0, 2]]).all()
    assert 0.3 < (mediators.flights == 0).mean() < 0.95


def test_flows_are_the_same_whether_or_not_mediators_are_drawn():
    world = draw_world(TINY, SEED)
    before = [d.expected().copy() for d in world.directions]
    draw_mediators(world)
    for d, own in zip(draw_world(TINY, SEED).directions, before, strict=True):
        np.testing.assert_array_equal(d.expected(), own)
