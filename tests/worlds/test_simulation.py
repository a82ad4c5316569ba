import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.worlds.conftest import SEED, TINY
from tradelift.worlds.baskets import draw_baskets
from tradelift.worlds.intensities import draw_world
from tradelift.worlds.simulation import simulate_at


@pytest.fixture(scope="session")
def log(written):
    months = [pq.ParquetFile(f).read().to_pandas() for f in sorted(written.folder.glob("log/*/*.parquet"))]
    return pd.concat(months, ignore_index=True)


@pytest.fixture(scope="session")
def sorted_log(log, written):
    """The log with the reason of each row, judged by rules that know nothing of how dirt is made."""
    cities = pd.read_csv(written.folder / "cities.csv", dtype={"city": str}).set_index("city")["side"]
    seller, buyer = log["seller_city"].astype("object").map(cities), log["buyer_city"].astype("object").map(cities)
    local = log["paid_at"].dt.tz_convert("Asia/Shanghai")
    keys = ["order_id", "seller_city", "buyer_city", "paid_at", "item_id"]
    signs = {
        "null key": log[keys].isna().any(axis=1),
        "unknown region": (seller.isna() & log["seller_city"].notna()) | (buyer.isna() & log["buyer_city"].notna()),
        "not between the two sides": seller.notna() & (seller == buyer),
        "duplicate line": log["order_id"].notna() & log.duplicated(["order_id", "item_id"]),
        "zero amount": log["amount"] == 0,
        "refund": log["amount"] < 0,
        "status": ~log["status"].isin(["paid", "done"]),
        "outside the window": ~local.dt.strftime("%Y-%m").isin(TINY.labels()),
        "unparsable": log["amount"].isna(),
    }
    return log.assign(month=local.dt.strftime("%Y-%m"), **signs), list(signs)


def fen(amounts):
    return int(np.rint(amounts * 100).sum())


def test_the_log_has_the_columns_and_types_of_a_shop(written):
    schema = pq.read_schema(written.folder / "log" / "month=2017-01" / "part-0.parquet")
    types = {field.name: str(field.type) for field in schema}
    text = "dictionary<values=string, indices=int32, ordered=0>"
    assert types == {
        "paid_at": "timestamp[us, tz=UTC]",
        "order_id": "int64",
        "item_id": "int32",
        "seller_city": text,
        "buyer_city": text,
        "seller_id": "int64",
        "buyer_id": "int64",
        "category": text,
        "status": text,
        "amount": "double",
    }


def test_no_row_is_dirty_in_two_ways(sorted_log):
    log, reasons = sorted_log
    assert log[reasons].sum(axis=1).max() == 1


def test_dirt_is_what_the_truth_says(sorted_log, written):
    log, reasons = sorted_log
    assert set(written.truth.dirt) == set(reasons)
    for reason in reasons:
        rows, tally = log[log[reason]], written.truth.dirt[reason]
        assert tally.rows == len(rows) > 0
        assert tally.amount == (None if reason == "unparsable" else fen(rows["amount"]))


def test_the_rest_is_kept(sorted_log, written):
    log, reasons = sorted_log
    clean = log[~log[reasons].any(axis=1)]
    assert (len(clean), fen(clean["amount"])) == (written.truth.kept.rows, written.truth.kept.amount)
    assert (len(log), fen(log["amount"].dropna())) == (written.truth.read.rows, written.truth.read.amount)


def test_clean_rows_are_the_flows_that_were_drawn(sorted_log):
    log, reasons = sorted_log
    clean = log[~log[reasons].any(axis=1)].astype({"seller_city": str, "buyer_city": str})
    cells = clean.groupby(["month", "seller_city", "buyer_city"]).agg(
        deals=("order_id", "nunique"), trade=("amount", fen)
    )
    world = draw_world(TINY, SEED)
    expected = {}
    for month, label in enumerate(TINY.labels()):
        for d, baskets in zip(world.directions, draw_baskets(world, month), strict=True):
            trade = baskets.trade()
            for i, j in zip(*np.nonzero(baskets.deals), strict=True):
                key = label, str(d.origins.city[i]), str(d.destinations.city[j])
                expected[key] = (int(baskets.deals[i, j]), int(trade[i, j]))
    assert {key: tuple(row) for key, row in zip(cells.index, cells.to_numpy().tolist(), strict=True)} == expected


def test_rows_stand_in_the_file_of_their_local_month(written):
    for file in sorted(written.folder.glob("log/*/*.parquet")):
        paid = pq.ParquetFile(file).read(["paid_at"]).to_pandas()["paid_at"]
        assert paid.is_monotonic_increasing
        local = paid.dt.tz_convert("Asia/Shanghai").dt.strftime("%Y-%m")
        assert (local == file.parent.name.removeprefix("month=")).mean() > 0.99  # the rest is outside the window


def test_an_order_has_one_seller_one_buyer_and_one_time(sorted_log):
    log, reasons = sorted_log
    clean = log[~log[reasons].any(axis=1)]
    whose = clean.groupby("order_id")[["seller_id", "buyer_id", "paid_at", "category", "status"]].nunique()
    assert (whose == 1).all(axis=None)


def test_traders_live_in_one_city(sorted_log):
    log, reasons = sorted_log
    clean = log[~log[reasons].any(axis=1)]
    for role in ("seller", "buyer"):
        cities = clean.astype({f"{role}_city": str}).groupby(f"{role}_id")[f"{role}_city"].nunique()
        assert (cities == 1).all()


def test_few_sellers_sell_much(sorted_log):
    log, reasons = sorted_log
    sold = log[~log[reasons].any(axis=1)].groupby("seller_id")["amount"].sum().sort_values(ascending=False)
    assert sold.head(len(sold) // 10).sum() > 0.4 * sold.sum()


def test_simulated_partners_are_marked(written):
    partners = pd.read_csv(written.folder / "partners.csv", dtype=str)
    assert Counter(partners["simulated"]) == {"no": 88, "yes": 40}
    assert partners.loc[partners["simulated"] == "yes", "evidence"].isna().all()


def test_truth_is_written_as_it_is_returned(written):
    record = json.loads((written.folder / "truth.json").read_text())
    assert record["effects"] == {"west->east": np.log(1.1), "east->west": 0.0}
    assert record["kept"] == {"rows": written.truth.kept.rows, "amount": written.truth.kept.amount}
    assert record["dirt"]["unparsable"]["amount"] is None
    assert len(record["limits"]) == 12
    found = next(x for x in record["limits"] if (x["outcome"], x["direction"]) == ("trade", "west->east"))
    assert found["partner"] == written.truth.limit("trade", "west->east").partner


def test_same_seed_same_bytes(written, tmp_path):
    simulate_at(tmp_path, TINY, SEED)
    files = sorted(p.relative_to(written.folder) for p in written.folder.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(files) == 8 + TINY.months
    for file in files:
        assert (tmp_path / file).read_bytes() == (written.folder / file).read_bytes(), file


TELL_HASH = """
import hashlib, sys
from pathlib import Path
from tradelift.worlds.scale import Scale
from tradelift.worlds.simulation import simulate_at
folder = Path(sys.argv[1])
simulate_at(folder, Scale(orders=30_000, months=12), 7)
print(hashlib.sha256(b"".join(f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file())).hexdigest())
"""


def test_same_bytes_on_any_number_of_threads(tmp_path):
    found = set()
    for threads in ("1", "2"):
        command = [sys.executable, "-c", TELL_HASH, str(tmp_path / threads)]
        settings = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_progress_counts_months(tmp_path):
    seen = []
    simulate_at(tmp_path, TINY, SEED + 1, lambda *step: seen.append(step))
    assert seen == [("simulate", 1, 3), ("simulate", 2, 3), ("simulate", 3, 3)]
