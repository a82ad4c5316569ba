"""The world at the scale of the paper: near its moments, in seconds and little memory."""

import json
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

SECONDS, MEGABYTES = 60, 3000  # promised: seconds, and under 3 GB; it takes some four seconds and 400 MB
MEAN, MEAN_EAST, SD = 6_710_611, 9_062_917, 35_489_376
QUARTILES, LARGEST = (81_174, 455_479, 1_298_605), 3.33e9
FACTOR = 3.0  # lognormal flows of the printed mean and deviation have a third quartile above twice the printed one
PARTNER_SHARE, SELLER, BUYER = 4.78, (88.56, 13.77), (82.32, 14.64)

RUN = """
import resource, sys
from pathlib import Path
from tradelift.worlds import simulate
simulate(Path(sys.argv[1]), scale="paper")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", RUN, str(folder)], capture_output=True, text=True, check=True)
    return folder, time.perf_counter() - began, int(done.stdout)


@pytest.fixture(scope="module")
def flows(paper):
    return pq.read_table(paper[0] / "flows.parquet").to_pandas()


def test_seconds_and_memory(paper):
    _, seconds, megabytes = paper
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


def test_cells(flows):
    assert len(flows) == 1_148_400
    assert not flows.duplicated(["origin", "destination", "period"]).any()
    assert flows["period"].nunique() == 60
    assert (flows["origin"].nunique(), flows["destination"].nunique()) == (197, 197)


def test_moments_of_trade(paper, flows):
    truth = json.loads((paper[0] / "truth.json").read_text())
    trade = flows["trade"].to_numpy()
    assert trade.mean() == pytest.approx(MEAN, rel=0.1)
    assert trade.std() == pytest.approx(SD, rel=0.3)
    for value, target in zip(np.quantile(trade, [0.25, 0.5, 0.75]), QUARTILES, strict=True):
        assert 1 / FACTOR < value / target < FACTOR
    assert 1 / FACTOR < trade.max() / LARGEST < FACTOR
    assert round(trade.sum() * 100) == truth["kept"]["amount"]
    assert len(flows) == truth["kept"]["rows"]


def test_moments_by_direction_and_of_partners(paper, flows):
    import pandas as pd

    cities = pd.read_csv(paper[0] / "cities.csv", dtype={"city": str}).set_index("city")["side"]
    from_east = flows["origin"].astype(str).map(cities).eq("east")
    assert flows.loc[from_east, "trade"].mean() == pytest.approx(MEAN_EAST, rel=0.1)
    partners = pd.read_csv(paper[0] / "partners.csv", dtype=str)
    pairs = set(zip(partners["east"], partners["west"], strict=True))
    keys = zip(flows["origin"].astype(str), flows["destination"].astype(str), strict=True)
    partner = np.fromiter(((a, b) in pairs or (b, a) in pairs for a, b in keys), dtype=bool, count=len(flows))
    assert partner.sum() == 256 * 60
    share = 100 * flows.loc[partner, "trade"].sum() / flows["trade"].sum()
    assert share == pytest.approx(PARTNER_SHARE, abs=1)


def test_moments_of_concentration(flows):
    for who, (mean, sd) in (("seller", SELLER), ("buyer", BUYER)):
        ratio = flows[f"{who}_concentration"]
        assert ratio.mean() == pytest.approx(mean, abs=1)
        assert ratio.std() == pytest.approx(sd, abs=1)
        assert 0.003 < ratio.isna().mean() < 0.02
        assert 0 < ratio.min() < ratio.max() < 100
        assert (flows[f"{who}_concentration_city"].dropna() <= ratio.dropna()).all()
