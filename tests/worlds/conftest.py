from dataclasses import dataclass
from pathlib import Path

import pytest

from tradelift.worlds.scale import Scale
from tradelift.worlds.simulation import simulate_at
from tradelift.worlds.truth import Truth

TINY = Scale(orders=30_000, months=3)
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
