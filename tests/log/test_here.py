"""Sums by the loops of this process against those of the engine, and when the engine must make them."""

import datetime as dt
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from tests.log.logs import COLUMNS, account, dirty_log, plain_log, read, regions, same_cells, split
from tradelift.log import embedded, months
from tradelift.log.embedded import DuckDB
from tradelift.log.grouping import Flows, Ids, NotHereError, group
from tradelift.panel.regions import Regions
from tradelift.solve import compiled

pytestmark = pytest.mark.skipif(not compiled.loaded(), reason="the loops are not compiled")
MASK = 2**64 - 1


@pytest.fixture
def calls(monkeypatch):
    """How often the loops have summed a period, and the engine."""
    counted = Counter()

    def counting(owner, name, method):
        def call(*given, **named):
            counted[name] += 1
            return method(*given, **named)

        monkeypatch.setattr(owner, name, call)

    counting(months, "sum_here", months.sum_here)
    counting(months, "sums", months.sums)
    return counted


def by_the_engine(folder, monkeypatch, **changes):
    with monkeypatch.context() as patch:
        patch.setattr(embedded.compiled, "loaded", lambda: False)
        return read(folder, **changes)


def same(one, two):
    same_cells(one, two)
    assert account(one) == account(two)
    assert (one.by_category is None) == (two.by_category is None)
    assert one.by_category is None or one.by_category.equals(two.by_category)


def with_ids(table, kind):
    """People as whole numbers, or as texts that differ in their ends and ties in money."""
    names = {"shop": table["shop"].to_pylist(), "client": table["client"].to_pylist()}
    for name, ids in names.items():
        new = [None if i is None else int(i[1:]) if kind == "integers" else f"{i}-Ø" for i in ids]
        table = table.set_column(table.column_names.index(name), name, pa.array(new))
    money = [None if m is None or not np.isfinite(m) or abs(m) > 1e6 else round(m) for m in table["money"].to_pylist()]
    return table.set_column(table.column_names.index("money"), "money", pa.array(money, pa.float64()))


@pytest.mark.parametrize(("ids", "rounding"), [("integers", "floor"), ("texts", "ceil"), ("integers", "fraction")])
def test_loops_sum_as_the_engine_does(tmp_path, monkeypatch, calls, ids, rounding):
    split(with_ids(dirty_log(31, 3000, sellers=150), ids), tmp_path, 2)
    how = {"rounding": rounding, "share": 0.3}
    here = read(tmp_path, concentration=how)
    assert (calls["sum_here"], calls["sums"]) == (3, 0)
    same(here, by_the_engine(tmp_path, monkeypatch, concentration=how))
    assert calls["sums"] == 1  # one plan for three months
    assert np.isfinite(here.cells["seller_concentration_city"].to_numpy()).mean() > 0.9


@pytest.mark.parametrize("left", [("seller",), ("buyer", "transaction", "line"), ("seller", "buyer", "category")])
def test_loops_sum_what_is_mapped(tmp_path, monkeypatch, calls, left):
    split(dirty_log(32, 500), tmp_path, 1)
    columns = {role: name for role, name in COLUMNS.items() if role not in left}
    here = read(tmp_path, columns=columns)
    assert calls["sums"] == 0
    same(here, by_the_engine(tmp_path, monkeypatch, columns=columns))


@pytest.mark.parametrize("domestic", [False, True])
def test_loops_sum_flows_within_regions(tmp_path, monkeypatch, domestic):
    split(dirty_log(33, 300), tmp_path, 1)
    known = Regions(ids=regions().ids, sides=None, side=None, columns={})
    given = {"known": known, "domestic": domestic}
    same(read(tmp_path, **given), by_the_engine(tmp_path, monkeypatch, **given))


def test_single_buyers_refunds_alone_and_empty_months(tmp_path, monkeypatch, calls):
    rows = [{"order": 1}, {"order": 2, "client": "b2", "to_city": "w2"}, {"order": 3, "money": -2.0, "from_city": "e2"}]
    march = dt.datetime(2017, 3, 3, tzinfo=dt.UTC)
    split(plain_log([*rows, {"order": 4, "paid_at": march, "money": 0.0}]), tmp_path, 1)
    here = read(tmp_path)
    assert calls == {"sum_here": 3}
    assert here.cells["trade_minor"].to_pylist() == [500, 500, 0]
    assert here.cells["refunds"].to_pylist() == [0.0, 0.0, 2.0]
    same(here, by_the_engine(tmp_path, monkeypatch))


def test_texts_that_share_a_key_are_left_to_the_engine(tmp_path, monkeypatch, calls):
    split(plain_log([{"order": k, "shop": f"{'ab'[k % 2]}1", "money": 1.0 + k} for k in range(30)]), tmp_path, 1)
    expected = read(tmp_path)
    calls.clear()
    monkeypatch.setattr(DuckDB, "key", lambda _, v: embedded._hash_one(v.substr(1) if v.type().is_string() else v))
    same(read(tmp_path), expected)
    assert calls == {"sum_here": 1, "sums": 1}
    assert expected.cells["sellers"].to_pylist() == [2]


def test_months_that_do_not_fit_are_left_to_the_engine(tmp_path, monkeypatch, calls):
    split(dirty_log(34, 600), tmp_path, 1)
    expected = read(tmp_path)
    calls.clear()
    monkeypatch.setattr(embedded, "BYTES_A_ROW", 10**7)  # 50 rows in half a GB
    same(read(tmp_path), expected)
    assert calls == {"sums": 1}


def test_sums_that_could_overflow_are_left_to_the_engine(tmp_path, monkeypatch, calls):
    rows = [{"order": k, "client": f"b{k % 7}"} for k in range(1100)]
    split(plain_log([*rows, {"order": -1, "money": 9e13}]), tmp_path, 1)
    here = read(tmp_path)
    assert calls == {"sum_here": 1, "sums": 1}
    assert here.cells["trade_minor"].to_pylist() == [1100 * 500 + 9 * 10**15]
    same(here, by_the_engine(tmp_path, monkeypatch))


def mixed(value):
    """Steps on 64 bits each of which can be undone, so that no two integers share what comes out."""
    for _ in range(2):
        value = (value ^ value >> 32) * 0xD6E8FEB86659FD93 & MASK
    return value ^ value >> 32


def test_keys_of_whole_numbers_are_all_different(tmp_path):
    rng = np.random.default_rng(9)
    some = np.concatenate([rng.integers(-(2**63), 2**63 - 1, 500), [0, 1, -1, 2**63 - 1, -(2**63)]])
    with DuckDB(tmp_path) as engine:
        rows = engine.memory("given", pa.table({"x": some}))
        found = engine.fetch(rows.select("x", key=engine.key(rows.x)))
    assert found["key"].to_pylist() == [mixed(x & MASK) for x in found["x"].to_pylist()]


@pytest.mark.parametrize("kinds", [1, 5, 3000])
def test_groups_are_those_of_a_counter(kinds):
    rng = np.random.default_rng(kinds)
    flow, key = rng.integers(0, 4, 2000), rng.integers(0, kinds, 2000).astype(np.uint64) << np.uint64(20)
    row = np.argsort(flow, kind="stable")
    money = rng.integers(-9, 99, 2000)
    found = group(Flows(flow=flow[row], row=row), Ids(key=key, check=key + np.uint64(1)), money, which=True)
    sums = Counter()
    for f, k, m in zip(flow.tolist(), key.tolist(), money.tolist(), strict=True):
        sums[f, k] += m
    pairs = list(zip(found.flow.tolist(), found.ids.key.tolist(), strict=True))
    assert dict(zip(pairs, found.money.tolist(), strict=True)) == sums
    assert [pairs[k] for k in found.of] == list(zip(flow[row].tolist(), key[row].tolist(), strict=True))


def test_two_checks_under_one_key_are_refused():
    one, two = np.zeros(3, np.int64), np.array([7, 7, 8], np.uint64)
    for check, fits in ((two, True), (np.array([1, 2, 3], np.uint64), False)):
        if fits:
            assert group(Flows(flow=one), Ids(key=two, check=check), one).ids.key.tolist() == [7, 8]
        else:
            with pytest.raises(NotHereError):
                group(Flows(flow=one), Ids(key=two, check=check), one)


def test_people_are_ordered_by_id_as_text(tmp_path):
    with DuckDB(tmp_path) as engine:
        rows = engine.memory("given", pa.table({"x": pa.array([10, 9, None, 100, 9], pa.int32())}))
        wanted = rows.filter(rows.x.isin([9, 10, 100])).select(key=engine.key(rows.x.cast("int64"))).distinct()
        found = engine.fetch(months.places_by_id(engine, rows.x, rows, wanted))
    places = dict(zip(found["key"].to_pylist(), found["place"].to_pylist(), strict=True))
    assert places == {mixed(10): 0, mixed(100): 1, mixed(9): 2}
