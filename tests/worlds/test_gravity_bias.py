import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY
from tradelift.worlds.intensities import draw_world

SCRIPT = Path(__file__).parents[2] / "scripts" / "gravity_bias.py"
SEEDS = range(101, 107)  # not those of the committed table
# standard deviations of one seed, from that table: Monte Carlo error times the root of its 20 seeds
SD_PPML = 0.07  # of the west -> east PPML estimate for trade about its limit
SD_COUNTS = 0.018  # of what counting orders does to OLS on log deals, west -> east; its mean is -.030
ERRORS = 3.0  # Monte Carlo errors allowed


@pytest.fixture(scope="module")
def bias():
    spec = importlib.util.spec_from_file_location("gravity_bias", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["gravity_bias"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gravity_bias"]


def test_flows_are_those_of_the_log(bias, written):
    flows = bias.draw_flows(draw_world(TINY, SEED))
    assert round(sum(f["trade"].sum() for f in flows.values()) * 100) == written.truth.kept.amount


def test_compression_of_logs_by_simulation(bias):
    counts = np.random.default_rng(1).poisson(0.5, 400_000)
    logs = np.log(counts[counts > 0])
    assert bias.compression(0.5) == pytest.approx(logs.mean() - np.log(0.5), abs=4 * logs.std() / np.sqrt(len(logs)))


def test_a_broken_promise_is_named(bias):
    draws = [
        bias.Draw(
            seed=s, outcome=o, direction="west->east", estimate=0.05 + s / 1000, limit=0.2, causal=0.1, zero_share=0.0
        )
        for s in range(3)
        for o in ("trade", bias.NOISE_ONLY)
    ]
    found = bias.failures(bias.summarize(draws))
    assert found[0].startswith("PPML of trade is -0.1490 from its limit")
    assert found[1] == "PPML of trade is not above the causal effect."


@pytest.mark.slow
def test_gravity_tends_to_its_limit_and_overshoots(bias):
    draws = [draw for seed in SEEDS for draw in bias.compare(seed)]
    found = {(s.outcome, s.direction): s for s in bias.summarize(draws)}
    ppml, deals = found["trade", "west->east"], found["log(deals)", "west->east"]
    assert abs(ppml.gap) < ERRORS * SD_PPML / np.sqrt(len(SEEDS))
    assert ppml.estimate - ppml.causal > ERRORS * SD_PPML / np.sqrt(len(SEEDS))
    assert deals.counts < -ERRORS * SD_COUNTS / np.sqrt(len(SEEDS))
