from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tradelift.geography import great_circle_km
from tradelift.worlds.affinity_panels import (
    DECAY,
    N_EAST,
    N_PARTNERS,
    N_WEST,
    PLANE_ERROR,
    AffinityWorld,
    Places,
    draw_affinity_world,
    draw_field,
)

WORLD = AffinityWorld()
QUIET = AffinityWorld(spread=0.0, noise=1e-9)
DRAWS = 300  # of the field
ERRORS = 4.0  # Monte Carlo errors allowed, where many numbers are looked at
ROUNDING = 1e-6  # of least squares on flows whose noise is 1e-9


@pytest.fixture(scope="module")
def drawn():
    return draw_affinity_world(WORLD, 1)


def logs(panel):
    """Log flows of the first period, exports of the east, shape (east, west)."""
    east = panel.pair_direction("east->west")[panel.pair_of_cell] & (panel.cells.column("period") == 0)
    return np.log(panel.outcome("trade")[east]).reshape(N_EAST, N_WEST)


def test_the_geometry_is_that_of_the_programme(drawn):
    panel = drawn.panel
    assert (panel.n_cells, panel.directions) == (2 * N_EAST * N_WEST, ("both", "east->west", "west->east"))
    assert panel.pair_column("partner").sum() == 2 * drawn.partner.sum() == 2 * N_PARTNERS
    assert (drawn.partner.any(axis=1).sum() <= 56, drawn.partner.any(axis=0).sum()) == (True, 81)
    assert set(np.unique(panel.pairs.control_type)) == {0, 1, 2, 3, 4}


def test_a_seed_gives_its_world(drawn):
    again, other = draw_affinity_world(WORLD, 1), draw_affinity_world(WORLD, 2)
    assert again.panel.digest == drawn.panel.digest
    assert other.panel.digest != drawn.panel.digest


def test_the_effect_moves_partners_alone(drawn):
    more = draw_affinity_world(replace(WORLD, effect=0.6), 1)
    np.testing.assert_allclose(logs(more.panel) - logs(drawn.panel), 0.5 * drawn.partner, atol=1e-9)


def test_great_circles_are_those_of_the_plane():
    x, y = np.meshgrid(np.linspace(0, 2300, 24), np.linspace(0, 1800, 19))
    places = Places(x=x.ravel(), y=y.ravel())
    plane = places.plane_km()
    sphere = great_circle_km(places.longitude[:, None], places.latitude[:, None], places.longitude, places.latitude)
    apart = plane > 0
    assert np.abs(sphere[apart] / plane[apart] - 1).max() < PLANE_ERROR


def test_without_affinity_and_noise_gravity_has_the_truth():
    found = tl.Gravity(outcome="log(trade)").estimate(draw_affinity_world(QUIET, 3).panel)
    np.testing.assert_allclose(found.coefficients, [QUIET.effect, -DECAY], atol=ROUNDING)


@pytest.mark.parametrize("length", [250.0, 500.0])
def test_affinity_has_the_correlation_of_its_kernel(length):
    rng = np.random.default_rng(5)
    x = np.array([0.0, 100.0, 150.0, 250.0, 500.0, 1000.0])
    east, west = (Places(x=x, y=np.zeros(6)) for _ in range(2))
    fields = np.array([draw_field(east, west, length, rng) for _ in range(DRAWS)])
    first, kernel = fields[:, :, 0], np.exp(-((x[:, None] - x) ** 2) / (2 * length**2))
    # the error of a mean product of two normals of variance 1 and correlation r
    error = np.sqrt((1 + kernel**2) / DRAWS)
    assert np.all(np.abs(first.T @ first / DRAWS - kernel) < ERRORS * error)
    # pairs without a common city: the product of both ends
    both = (fields[:, 0, 0] * fields[:, 3, 2]).mean()
    assert abs(both - kernel[0, 3] * kernel[0, 2]) < ERRORS * np.sqrt(2 / DRAWS)


def test_moments_of_spreads():
    draws = [draw_affinity_world(replace(WORLD, periods=2), seed) for seed in range(20)]
    assert np.sqrt(np.mean([d.affinity.var() + d.affinity.mean() ** 2 for d in draws])) == pytest.approx(0.6, rel=0.1)
    d = draws[0]
    east = d.panel.pair_direction("east->west")[d.panel.pair_of_cell]
    flows = np.log(d.panel.outcome("trade"))
    first, second = flows[east].reshape(2, -1)
    assert (first - second).std() == pytest.approx(np.sqrt(2) * WORLD.period_noise, rel=0.05)
    back = flows[~east].reshape(2, N_WEST, N_EAST).mean(axis=0).T  # the other direction
    noise = (flows[east].reshape(2, N_EAST, N_WEST).mean(axis=0) - back).std()
    assert noise == pytest.approx(np.sqrt(2 * (WORLD.noise**2 + WORLD.period_noise**2 / 2)), rel=0.05)


@pytest.mark.parametrize(("selection", "low", "high"), [(2.0, 0.6, 2.0), (0.0, -0.3, 0.3)])
def test_partners_are_selected_by_affinity_or_not(selection, low, high):
    draws = [draw_affinity_world(replace(WORLD, selection=selection), seed) for seed in range(20)]
    gaps = [(d.affinity[d.partner].mean() - d.affinity[~d.partner].mean()) / WORLD.spread for d in draws]
    assert low < np.mean(gaps) < high


def test_gravity_overshoots_where_partners_are_selected():
    found = [tl.Gravity(outcome="log(trade)").estimate(draw_affinity_world(WORLD, seed).panel) for seed in range(10)]
    assert np.mean([f.coefficients[0] for f in found]) > WORLD.effect + 0.15
