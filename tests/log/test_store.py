"""Periods that have not changed are recalled, and give what summing them anew gives."""

import datetime as dt
import os
import time
from dataclasses import fields, replace
from fractions import Fraction
from types import SimpleNamespace

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.log.logs import dirty_log, regions, spec, write_csv
from tradelift.log import read_log, summing
from tradelift.log.contract import Columns
from tradelift.log.months import PeriodSums, Rules
from tradelift.log.store import DEFINITIONS, STALE_SECONDS, PeriodStore
from tradelift.panel.regions import Regions
from tradelift.pipeline.manifest import FileHashes

MONTHS = ["2017-01", "2017-02", "2017-03"]
EIGHT_HOURS = dt.timedelta(hours=8)


def write_months(folder, log, months=("2016-12", *MONTHS, "2017-04")):
    """A file for each local month, and one for the rows without a time."""
    folder.mkdir(exist_ok=True)
    local = pc.strftime(pc.add(log["paid_at"], EIGHT_HOURS), format="%Y-%m")
    for month in months:
        pq.write_table(log.filter(pc.equal(local, month)), folder / f"{month}.parquet")
    pq.write_table(log.filter(pc.is_null(local)), folder / "none.parquet")


@pytest.fixture(scope="module")
def log():
    return dirty_log(11, 500)


def recalling(folder, *, version="1", force=False, known=None, domestic=False, anew=False, **changes):
    """Read with a store, and compare with a reading without one; which periods were summed."""
    store = PeriodStore(folder / "kept", version=version, hash_file=FileHashes(), force=force)
    options = {"domestic": domestic, "spill": folder / "spill"}
    found = read_log(spec(**changes), folder, known or regions(), store=store, **options)
    assert not set(store.summed) & set(store.recalled)
    assert set(store.summed + store.recalled) == set(found.cells["period"].to_pylist())
    if anew:
        expected = read_log(spec(**changes), folder, known or regions(), **options)
        assert same(found.cells, expected.cells)
        assert same(found.by_category, expected.by_category)
        assert (found.stage, found.periods) == (expected.stage, expected.periods)
    return store.summed


def same(one, other):
    """Whether two tables are equal to the last bit; Arrow holds that NaN is not NaN."""
    return bits(one).equals(bits(other))


def bits(table):
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    return pa.table({n: c.view(pa.int64()) if pa.types.is_floating(c.type) else c for n, c in columns.items()})


def unique_lines(log, start):
    """Other ids for orders, so that no line repeats one of another month."""
    return log.set_column(5, "order", pa.array(np.arange(start, start + len(log))))


def test_a_new_month_is_summed_and_no_other(tmp_path, log):
    log = unique_lines(log, 0)
    write_months(tmp_path, log, MONTHS[:2])
    window = {"from": "2017-01", "to": None}
    assert recalling(tmp_path, **window) == MONTHS[:2]
    assert recalling(tmp_path, **window) == []
    write_months(tmp_path, log, MONTHS[2:])
    assert recalling(tmp_path, anew=True, **window) == MONTHS[2:]
    assert recalling(tmp_path, anew=True, **window) == []
    assert recalling(tmp_path, force=True, **window) == MONTHS


def test_a_changed_file_costs_the_months_that_it_touches(tmp_path, log):
    write_months(tmp_path, unique_lines(log, 0))
    assert recalling(tmp_path) == MONTHS
    path = tmp_path / "2017-02.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    assert recalling(tmp_path) == ["2017-02"]
    late = pq.read_table(path).slice(0, 1)
    pq.write_table(unique_lines(late, 10**6), tmp_path / "late.parquet")  # a line of February that comes late
    assert recalling(tmp_path, anew=True) == ["2017-02"]
    path.rename(tmp_path / "second.parquet")
    assert recalling(tmp_path) == []


def test_a_copy_in_another_month_costs_the_month_whose_duplicates_it_changes(tmp_path, log):
    write_months(tmp_path, unique_lines(log, 0))
    recalling(tmp_path)
    february = pq.read_table(tmp_path / "2017-02.parquet")
    usable = pc.and_(pc.greater(february["money"], 1.0), pc.less(february["money"], 1e6))
    for name in ("from_city", "to_city", "shop", "client", "item"):
        usable = pc.and_(usable, pc.is_valid(february[name]))
    line = february.filter(pc.and_(usable, pc.equal(february["state"], "paid"))).slice(0, 1)
    earlier = line.set_column(0, "paid_at", pa.array([dt.datetime(2017, 1, 3)], line["paid_at"].type))
    pq.write_table(earlier, tmp_path / "copy.parquet")
    assert (
        recalling(tmp_path, anew=True) == MONTHS[:2]
    )  # the copy stands in January, and February's line is a duplicate now


def test_dirty_logs_with_duplicates_everywhere(tmp_path, log):
    write_months(tmp_path, log, ("2016-12", *MONTHS[:2]))
    recalling(tmp_path)
    write_months(tmp_path, log, (MONTHS[2], "2017-04"))
    assert MONTHS[2] in recalling(tmp_path, anew=True)
    assert recalling(tmp_path, anew=True) == []


def test_a_changed_definition_costs_every_period(tmp_path, log):
    write_months(tmp_path, log)
    recalling(tmp_path)
    assert recalling(tmp_path, anew=True, time_zone="Europe/Berlin") == MONTHS
    known = Regions(ids=np.array(["e1", "w1"]), sides=("east", "west"), side=np.array([0, 1]), columns={})
    assert recalling(tmp_path, anew=True, known=known) == MONTHS
    assert recalling(tmp_path, version="2") == MONTHS
    city = {"concentration": {"ranking": "city"}}  # both readings stand in the sums
    assert recalling(tmp_path, anew=True, version="2", **city) == []


DECIDED = {
    "keep": {"status": ("paid",)}, "digits": 2, "window": (dt.datetime(2017, 1, 1), dt.datetime(2018, 1, 1)),
    "two_sided": True, "domestic": False, "share": Fraction(1, 10), "rounding": "floor",
}  # fmt: skip
RULES = Rules(**DECIDED, **{f.name: 1 for f in fields(Rules) if f.name not in DECIDED})
SCHEMA = ibis.schema({"paid_at": "timestamp", "money": "float64"})


def definition(*, names=None, kinds=None, zoned=True, schema=SCHEMA, ids=("e", "w"), side=(0, 1), **rules):
    columns = Columns(names=names or {"time": "paid_at"}, kinds=kinds or {"time": "instant"}, every=("paid_at",))
    source = SimpleNamespace(columns=columns, zoned=zoned, schema=schema, engine=None)
    known = None if side is None else Regions(ids=np.array(ids), sides=("a", "b"), side=np.array(side), columns={})
    return repr(sorted(summing._definition(source, replace(RULES, **rules), list(ids), known).items()))


@pytest.mark.parametrize(
    "change",
    [
        {"keep": {"status": ("paid", "done")}}, {"keep": {}}, {"digits": 0}, {"two_sided": False}, {"domestic": True},
        {"share": Fraction(1, 5)}, {"rounding": "ceil"}, {"names": {"time": "done_at"}}, {"kinds": {"time": "time"}},
        {"zoned": False}, {"schema": ibis.schema({"money": "int64"})}, {"ids": ("e", "x")}, {"side": (1, 0)},
        {"side": None},
    ],
    ids=str,
)  # fmt: skip
def test_every_part_of_a_definition_counts(change):
    assert definition(**change) != definition()


def test_the_window_does_not_count_since_a_period_lies_within_it():
    assert definition(window=(dt.datetime(2016, 1, 1), dt.datetime(2019, 1, 1))) == definition()


def test_another_window_costs_only_what_is_new(tmp_path, log):
    write_months(tmp_path, unique_lines(log, 0))
    assert recalling(tmp_path, to="2017-02") == MONTHS[:2]
    assert recalling(tmp_path) == MONTHS[2:]


def test_a_csv_log_is_summed_anew_where_a_file_changes(tmp_path, log):
    write_csv(log.slice(0, 400), tmp_path / "one.csv")
    assert recalling(tmp_path, files="*.csv") == MONTHS
    assert recalling(tmp_path, files="*.csv") == []
    write_csv(log.slice(400, 5), tmp_path / "two.csv")
    assert recalling(tmp_path, anew=True, files="*.csv") == MONTHS


def test_two_tables_of_one_database_are_told_apart(tmp_path, log):
    with duckdb.connect(tmp_path / "log.duckdb") as database:
        database.execute("SET TimeZone = 'UTC'")
        for name, rows in (("one", log), ("two", log.slice(100))):
            database.register("rows_", rows)
            database.execute(f"CREATE TABLE {name} AS SELECT * FROM rows_")
    one, two = (f"duckdb://log.duckdb?table={name}" for name in ("one", "two"))
    assert recalling(tmp_path, files=one) == MONTHS
    assert recalling(tmp_path, anew=True, files=two) == MONTHS
    assert recalling(tmp_path, files=two) == []


def spoil(path, how):
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "flipped":
        middle = bytearray(content)
        middle[100] ^= 1
        path.write_bytes(bytes(middle))
    elif how == "gone":
        path.unlink()
    else:  # another table under its name
        pq.write_table(pa.table({"x": [1]}), path)


def test_an_entry_that_is_spoilt_is_as_good_as_none(tmp_path, log):
    write_months(tmp_path, log)
    recalling(tmp_path)
    for kinds in (("truncated", "empty", "flipped"), ("gone", "foreign")):
        for month, how in zip(MONTHS, kinds, strict=False):
            spoil(next((tmp_path / "kept").glob(f"*/{month}.sums")), how)
        assert recalling(tmp_path, anew=True) == MONTHS[: len(kinds)]


def test_no_flipped_bit_is_read(tmp_path):
    cells = pa.table({"o": pa.array([0], pa.int32()), "trade_minor": [5]})
    sums = PeriodSums(cells=cells, by_category=None, reasons=pa.table({"reason": [-1], "rows": [1], "amount": [5]}))
    store = PeriodStore(tmp_path, version="1", hash_file=FileHashes())
    arguments = ("2017-01", (1, 2), [], None)
    store.open({}).sums(*arguments, lambda: sums)
    (path,) = tmp_path.glob("*/*.sums")
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        store.open({}).sums(*arguments, lambda: sums)
    assert store.recalled == []
    assert store.open({}).sums(*arguments, lambda: pytest.fail("summed")).cells.equals(cells)


def test_what_killed_runs_and_other_definitions_left_is_removed(tmp_path, log):
    write_months(tmp_path, log)
    olds = [f"{n:032x}" for n in range(DEFINITIONS + 3)]
    for n, name in enumerate(olds):
        old = tmp_path / "kept" / name
        old.mkdir(parents=True)
        (old / "2017-01.sums").write_text("")
        os.utime(old, (1000 + n, 1000 + n))
    recalling(tmp_path)
    recalling(tmp_path)
    names = {p.name for p in (tmp_path / "kept").iterdir()}
    assert names & {*olds} == {*olds[4:]}
    (current,) = names - {*olds}
    stale, fresh = (tmp_path / "kept" / current / name for name in ("a.sums.1.tmp", "b.sums.2.tmp"))
    for path in (stale, fresh):
        path.write_text("half")
    old = time.time() - STALE_SECONDS - 10
    os.utime(stale, (old, old))
    recalling(tmp_path)
    assert not stale.exists()
    assert fresh.exists()


def test_what_is_not_its_own_is_never_removed(tmp_path, log):
    """A study of others may bring a link in the place of the folder of sums: nothing behind it is lost."""
    write_months(tmp_path, log)
    home, linked = tmp_path / "home", tmp_path / "linked"
    long_ago = (1000, 1000)
    for n in range(DEFINITIONS + 3):
        for folder in (home / f"letters{n}", home / f"{n:032x}", linked / f"{n}"):
            folder.mkdir(parents=True)
            for name in ("letter.txt", "half.tmp"):
                (folder / name).write_text("dear")
                os.utime(folder / name, long_ago)
            os.utime(folder, long_ago)
    (home / f"{99:032x}").symlink_to(linked)
    (tmp_path / "kept").symlink_to(home)
    before = {p for p in [*home.rglob("*"), *linked.rglob("*")] if p.is_file()}
    recalling(tmp_path)
    recalling(tmp_path)
    assert before <= {p for p in [*home.rglob("*"), *linked.rglob("*")] if p.is_file()}


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path, log):
    write_months(tmp_path, log)
    (tmp_path / "kept").write_text("a file")
    assert recalling(tmp_path) == MONTHS


def test_nothing_of_a_person_is_kept(tmp_path, log):
    log = log.set_column(3, "shop", pa.array([f"Shop-{k}-Raw" for k in range(len(log))]))
    log = log.set_column(4, "client", pa.array([f"Client-{k}-Raw" for k in range(len(log))]))
    write_months(tmp_path, log)
    recalling(tmp_path)
    kept = [p for p in (tmp_path / "kept").rglob("*") if p.is_file()]
    assert len(kept) == len(MONTHS)
    for path in kept:
        stream = pa.BufferReader(path.read_bytes()[32:])
        tables = [pa.ipc.open_stream(stream).read_all() for _ in range(2)]
        assert "-Raw" not in path.read_bytes().decode("latin1") + str([t.to_pylist() for t in tables])
        for table in tables:
            assert not {"seller", "buyer", "transaction", "line"} & set(table.column_names)
