"""Random small logs with all kinds of dirt, and reading them as a study would."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tradelift.log import read_log
from tradelift.panel.regions import Regions
from tradelift.study.inputs import TransactionsInput

EAST, WEST = ("e1", "e2", "e3"), ("w1", "w2")
COLUMNS = {
    "time": "paid_at", "origin": "from_city", "destination": "to_city", "seller": "shop", "buyer": "client",
    "transaction": "order", "line": "item", "amount": "money", "category": "kind", "status": "state",
}  # fmt: skip
HEADER = "paid_at,from_city,to_city,shop,client,order,item,money,kind,state\n"
ROW = "2017-01-05,e1,w1,s1,b1,1,1,5.00,food,paid\n"
ZONE = "Asia/Shanghai"
KEEP = ("paid", "done")
CELL = ["period", "origin", "destination"]


def dirty_log(seed, n=1200, *, sellers=30):
    """Rows of January to March and around, in UTC, each kind of dirt at random and thus also together."""
    rng = np.random.default_rng(seed)
    start = dt.datetime(2016, 12, 25, tzinfo=dt.UTC)
    seconds = rng.integers(0, 105 * 86400, n)
    edge = rng.random(n) < 0.1  # around local midnight of the first of February
    seconds[edge] = 38 * 86400 - 8 * 3600 + rng.integers(-5, 5, edge.sum())
    east, west = rng.choice(EAST, n), rng.choice(WEST, n)
    flip = rng.random(n) < 0.6
    columns = {
        "paid_at": [start + dt.timedelta(seconds=int(s)) for s in seconds],
        "from_city": np.where(flip, east, west).tolist(),
        "to_city": np.where(flip, west, east).tolist(),
        "shop": [f"s{k}" for k in np.minimum(rng.zipf(1.3, n), sellers)],
        "client": [f"b{k}" for k in rng.integers(0, 25, n)],
        "order": rng.integers(0, n, n).tolist(),
        "item": rng.integers(1, 4, n).tolist(),
        "money": np.round(rng.lognormal(2, 1.5, n), 2).tolist(),
        "kind": rng.choice(["food", "craft"], n).tolist(),
        "state": rng.choice(["paid", "done", "void"], n, p=[0.6, 0.3, 0.1]).tolist(),
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for row in rows:
        _soil(row, rng)
    rows += [dict(rows[k]) for k in rng.integers(0, n, n // 20)]  # the same row again
    for k in rng.integers(0, n, n // 20):  # the same line at another time and for other money
        late = rng.integers(-40, 40) * 86400
        moved = rows[k]["paid_at"] and rows[k]["paid_at"] + dt.timedelta(seconds=int(late))
        rows.append(rows[k] | {"paid_at": moved, "money": float(rng.integers(1, 9))})
    for k in rng.integers(0, n, n // 30):  # a refund under the ids of what it takes back
        rows.append(rows[k] | {"money": -abs(rows[k]["money"] or 1.0)})
    order = rng.permutation(len(rows))
    return table([rows[k] for k in order])


def _soil(row, rng):
    for name in ("paid_at", "from_city", "to_city", "shop", "client", "order", "item", "kind", "state"):
        if rng.random() < 0.01:
            row[name] = None
    if rng.random() < 0.03:
        row["from_city"] = "nowhere"
    if rng.random() < 0.05:
        row["to_city"] = rng.choice([*EAST, *WEST, "elsewhere"])
    row["money"] = rng.choice(
        [row["money"], -row["money"], 0.0, None, float("nan"), float("inf"), 1e17],
        p=[0.93, 0.02, 0.02, 0.01, 0.01, 0.005, 0.005],
    )


def table(rows):
    """Rows as an Arrow table with the log's types."""
    types = {name: pa.string() for name in rows[0]} | {
        "paid_at": pa.timestamp("us", tz="UTC"), "order": pa.int64(), "item": pa.int32(), "money": pa.float64(),
    }  # fmt: skip
    return pa.table({name: pa.array([row[name] for row in rows], types[name]) for name in rows[0]})


def regions():
    ids = np.array([*EAST, *WEST])
    return Regions(ids=ids, sides=("east", "west"), side=np.array([0, 0, 0, 1, 1]), columns={})


def spec(**changes):
    base = {
        "files": "*.parquet", "columns": COLUMNS, "keep": {"status": KEEP}, "time_zone": ZONE, "currency": "CNY",
        "from": "2017-01", "to": "2017-03",
    }  # fmt: skip
    return TransactionsInput.model_validate(base | changes)


def read(folder, known=None, *, domestic=False, progress=None, **changes):
    spill = folder / "spill"
    log = read_log(spec(**changes), folder, known or regions(), domestic=domestic, spill=spill, progress=progress)
    assert not list(spill.iterdir())
    return log


def account(log):
    return {e.reason: (e.rows, e.amount) for e in log.stage.exclusions}


def same_cells(one, two):
    pd.testing.assert_frame_equal(one.cells.to_pandas(), two.cells.to_pandas(), check_exact=True)


def split(table, folder, parts, name="part-{}.parquet", row_group_size=200):
    """Write a table as several files."""
    size = -(-len(table) // parts)
    for k in range(parts):
        path = folder / name.format(k)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.slice(k * size, size), path, row_group_size=row_group_size)


def write_csv(table, path, **changes):
    times = pc.strftime(table["paid_at"], format="%Y-%m-%dT%H:%M:%SZ")
    table = table.set_column(0, "paid_at", times)
    pa_csv.write_csv(table, path, pa_csv.WriteOptions(**changes))


def plain_log(rows):
    """Clean rows that differ from a standard sale only by what is given."""
    standard = {
        "paid_at": dt.datetime(2017, 1, 5, tzinfo=dt.UTC), "from_city": "e1", "to_city": "w1", "shop": "s1", "client": "b1",
        "order": 1, "item": 1, "money": 5.0, "kind": "food", "state": "paid",
    }  # fmt: skip
    return table([standard | {k: str(v) if k in ("shop", "client") else v for k, v in row.items()} for row in rows])
