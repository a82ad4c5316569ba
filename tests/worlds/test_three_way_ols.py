import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
SEEDS = range(10_000, 10_100)  # not those of the committed table
ERRORS = 3.0  # Monte Carlo errors allowed
MISLED = 0.3  # bias without pair effects: over .5 in the committed table
# coverage of `agreement` where noise is of pairs, mean of the committed table: what the short run must find again
COVERAGE = {"pair": 0.935, "dyadic": 0.915}
ROBUST = 0.80  # robust errors stay below


@pytest.fixture(scope="module")
def simulation():
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("three_way_ols")
    sys.path.remove(str(SCRIPTS))
    del sys.modules["three_way_ols"]


def setting(simulation, **values):
    return simulation.Setting(**({"panel": "countries", "missing": 0.0, "noise": "pair"} | values))


def frame_of(simulation, **values):
    return simulation.draw_panel(setting(simulation, **values), 1).to_arrow().to_pandas()


def test_agreements_start_in_different_periods_and_last_both_ways(simulation):
    frame = frame_of(simulation)
    n = simulation.PANELS["countries"][0]
    assert len(frame) == simulation.PERIODS * n * (n - 1)
    wide = frame.pivot_table(index=["origin", "destination"], columns="period", values="agreement")
    steps = np.diff(wide.to_numpy(), axis=1)
    assert (wide.iloc[:, 0] == 0).all()
    assert (steps >= 0).all()
    assert (steps.sum(axis=0) > 0).sum() >= 5
    assert wide.iloc[:, -1].mean() == pytest.approx(simulation.TREATED, abs=0.01)
    swapped = wide.reorder_levels([1, 0]).reindex(wide.index)
    assert (swapped.to_numpy() == wide.to_numpy()).all()


def test_cities_trade_between_sides_and_a_tenth_is_missing(simulation):
    full, some = (frame_of(simulation, panel="cities", missing=m) for m in (0.0, 0.1))
    east, west = simulation.PANELS["cities"]
    assert len(full) == simulation.PERIODS * 2 * east * west
    assert len(some) / len(full) == pytest.approx(0.9, abs=0.01)


def test_noise_persists_and_is_shared_by_directions(simulation):
    agreement = np.zeros((400, 30, 30), dtype=bool)
    noise = simulation._noise(agreement, np.random.default_rng(1))
    i, j = np.triu_indices(30, 1)
    one, other = noise[:, i, j], noise[:, j, i]
    spread = one.std(axis=0)
    scaled, back = one / spread, other / other.std(axis=0)
    error = 4 / np.sqrt(one.size / 4)  # four, and persistence leaves a quarter of the draws
    assert np.mean(scaled[1:] * scaled[:-1]) == pytest.approx(simulation.PERSISTENCE, abs=error)
    assert np.mean(scaled * back) == pytest.approx(0.5, abs=error)
    assert spread.max() > 2 * spread.min()
    after = simulation._noise(~agreement, np.random.default_rng(1))
    np.testing.assert_allclose(after, simulation.AFTER * noise)


def test_bias_and_coverage_by_hand(simulation):
    held = dict.fromkeys(simulation.ERRORS, True)
    draws = [
        simulation.Fitted(coefficient="x", estimate=b, without=0.7, held=held | {"two-way": b > 0.5})
        for b in (0.4, 0.5, 0.9)
    ]
    row = simulation.judge(setting(simulation), draws)
    sd = np.std([0.4, 0.5, 0.9], ddof=1)
    assert (row.bias, row.sd, row.bias_error) == pytest.approx((0.1, sd, sd / np.sqrt(3)))
    assert (row.without, row.two_way, row.pair, row.draws) == pytest.approx((0.2, 1 / 3, 1.0, 3))
    assert simulation.coverage_error(0.2, 16) == pytest.approx(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("panel", ["countries", "cities"])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_three_way_ols_finds_the_truth(simulation, panel, missing):
    rows = simulation.simulate(setting(simulation, panel=panel, missing=missing), SEEDS)
    for row in rows:
        assert abs(row.bias) < ERRORS * row.bias_error
    agreement = rows[0]
    assert agreement.without > MISLED
    assert agreement.robust < ROBUST
    for name, expected in COVERAGE.items():
        allowed = ERRORS * simulation.coverage_error(expected, len(SEEDS))
        assert abs(getattr(agreement, name) - expected) < allowed
