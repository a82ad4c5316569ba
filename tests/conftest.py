import importlib
import os
import sys
from pathlib import Path

# tests run side by side: threads of linear algebra that wait for each other would take what the next one needs
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# a machine that judges a change draws the same examples each time; at the desk new ones are looked for
settings.register_profile("judge", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("judge")

PROJECT = Path(__file__).parents[1]


def real_data(name: str) -> Path:
    """A file of real data that the project may not ship; tests of it skip only where it is absent."""
    folder = Path(os.environ.get("TRADELIFT_DATA", PROJECT.parent / "shared" / "data"))
    path = folder / name
    if not path.exists():
        pytest.skip(f"{name} may not be shipped with the project; point TRADELIFT_DATA at a folder that holds it")
    return path


@pytest.fixture(scope="session")
def olist() -> Path:
    return real_data("olist/transactions.parquet")


@pytest.fixture(scope="session")
def yotov() -> Path:
    return real_data("yotov/trade.parquet")


@pytest.fixture(scope="module")
def paper_page():
    """The script that fills docs/paper.md."""
    sys.path.insert(0, str(PROJECT / "scripts"))
    names = ("paper_page", "paper_claims", "spatial_rd_page")
    yield importlib.import_module(names[0])
    sys.path.remove(str(PROJECT / "scripts"))
    for name in names:
        sys.modules.pop(name, None)
