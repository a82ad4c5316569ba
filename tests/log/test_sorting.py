"""Sorts in this process against Python's own, and duplicates that are looked for in several passes."""

from collections import Counter

import ibis
import numpy as np
import pyarrow as pa
import pytest

from tests.log.logs import dirty_log, read, split
from tradelift.log import embedded
from tradelift.log.embedded import DuckDB, in_bytes
from tradelift.log.sorting import repeated_values, sort_lists


@pytest.mark.parametrize("expected", [1, 50, 5000])
@pytest.mark.parametrize("kinds", [3, 400, 2**63])
def test_repeated_values_are_those_counted_more_than_once(kinds, expected):
    rng = np.random.default_rng(kinds % 1000 + expected)
    batches = [rng.integers(0, kinds, n).astype(np.uint64) for n in (0, 1, 700, 20, 900)]
    batches.append(batches[2][:5])
    counts = Counter(np.concatenate(batches).tolist())
    found = repeated_values(iter(batches), expected)
    assert found.tolist() == sorted(value for value, n in counts.items() if n > 1)
    assert len(found) >= min(kinds, 5)


def test_no_values_repeat_where_there_are_none():
    assert repeated_values(iter([]), 10).tolist() == []


@pytest.mark.parametrize(("low", "high"), [(0, 9), (1, 2**50), (0, 2**50 + 2), (-5, 5), (-(2**63), 2**63 - 1)])
def test_lists_are_sorted_one_by_one(low, high):
    rng = np.random.default_rng(7)
    rows = [rng.integers(low, high, n, dtype=np.int64).tolist() for n in (3, 0, 1, 40, 7)]
    lists = pa.chunked_array([pa.array(rows[:2], pa.list_(pa.int64())), pa.array(rows[2:], pa.list_(pa.int64()))])
    assert sort_lists(lists).to_pylist() == [sorted(row) for row in rows]
    assert sort_lists(lists.combine_chunks().slice(2, 2)).to_pylist() == [sorted(row) for row in rows[2:4]]
    assert sort_lists(pa.array([], pa.list_(pa.int64()))).to_pylist() == []


def test_more_lists_than_have_room_above_their_values_are_sorted_as_well():
    rows = [[2, 1]] * 9000
    assert sort_lists(pa.array(rows, pa.list_(pa.int64()))).to_pylist() == [[1, 2]] * 9000


def test_engine_sorts_what_it_groups(tmp_path):
    rng = np.random.default_rng(8)
    table = pa.table({"g": rng.integers(0, 3000, 9000), "x": rng.integers(0, 10**12, 9000)})
    with DuckDB(tmp_path) as engine:
        rows = engine.memory("given", table)
        found = engine.fetch(rows.group_by("g").agg(x=engine.in_order(rows.x))).to_pylist()
    x, g = table["x"].to_numpy(), table["g"].to_numpy()
    assert {row["g"]: row["x"] for row in found} == {int(k): np.sort(x[g == k]).tolist() for k in np.unique(g)}


def test_plan_gives_each_expression_its_own_rows(tmp_path):
    with DuckDB(tmp_path) as engine:
        rows = engine.memory("given", pa.table({"a": [1, 2, 3], "b": ["x", "x", "y"]}))
        parts = {
            "sums": rows.group_by("b").agg(a=rows.a.sum()).order_by("b"),
            "none": rows.filter(rows.a > 5),
            "all": rows.select(c=rows.a * 2),
        }
        found = engine.fetch_all(engine.plan(parts))
        alone = {name: engine.fetch(part) for name, part in parts.items()}
    for name, table in alone.items():
        keys = [(column, "ascending") for column in table.column_names]
        assert found[name].sort_by(keys).equals(table.sort_by(keys)), name
        assert found[name].schema == table.schema


def test_duplicates_are_the_same_in_one_pass_and_in_many(tmp_path, monkeypatch):
    split(dirty_log(31, 900), tmp_path, 3)
    one = read(tmp_path)
    passes = []

    def counted(batches, expected):
        passes.append(expected)
        return repeated_values(batches, expected)

    monkeypatch.setattr(embedded, "repeated_values", counted)
    monkeypatch.setattr(embedded, "in_bytes", lambda _: 100 * 8 * embedded.HASHES_OF_MEMORY)
    many = read(tmp_path)
    assert len(passes) > 5
    assert many.cells.to_pandas().equals(one.cells.to_pandas())  # where NaN equals itself
    assert many.stage == one.stage
    assert any(e.reason == "duplicate line" and e.rows for e in one.stage.exclusions)


@pytest.mark.parametrize(
    ("size", "number"), [("500MB", 5e8), ("1GB", 1e9), ("1.5 GiB", 1.5 * 2**30), ("2TB", 2e12), ("3MiB", 3 * 2**20)]
)
def test_sizes_of_memory_are_read(size, number):
    assert in_bytes(size) == number


def test_steps_of_money_never_fall():
    from tradelift.log.concentration import _step

    rng = np.random.default_rng(9)
    roots = np.arange(2, 3000, dtype=np.int64)
    near = np.concatenate([roots**4 + k for k in (-1, 0, 1)])
    money = np.unique(np.concatenate([near, rng.integers(1, 2**62, 5000), 2**53 + np.arange(-3, 4)]))
    rows = ibis.memtable({"x": money})
    steps = rows.select(rows.x, step=_step(rows.x)).to_pyarrow().sort_by("x")["step"].to_numpy()
    assert np.all(np.diff(steps) >= 0)
    assert len(np.unique(steps)) > 5000
