from dataclasses import dataclass
from pathlib import Path

import pytest

from tradelift.worlds.scale import Scale
from tradelift.worlds.simulation import simulate_at
from tradelift.worlds.truth import Truth

TINY = Scale(orders=30_000, months=3, break_at=("midyear", "2017-02"))
TINY_FLOWS = Scale(
    start=(2019, 11),
    months=4,
    break_at=("covid", "2020-01"),
    mean_trade={"east->west": 30_000.0, "west->east": 10_000.0},
    month_noise=0.3,
    as_flows=True,
)
SEED = 5


@dataclass(frozen=True)
class Written:
    folder: Path
    truth: Truth


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Written:
    """A world of some 50,000 lines over the first three months of 2017."""
    folder = tmp_path_factory.mktemp("world")
    return Written(folder=folder, truth=simulate_at(folder, TINY, SEED))


@pytest.fixture(scope="session")
def written_flows(tmp_path_factory) -> Written:
    """A world of flows over four months about the break, with some zero flows."""
    folder = tmp_path_factory.mktemp("flows")
    return Written(folder=folder, truth=simulate_at(folder, TINY_FLOWS, SEED))
