"""What a user meets: real data, clear errors, no ids outside."""

import datetime as dt
import gzip
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import tradelift as tl
from tests.log.logs import (
    COLUMNS,
    HEADER,
    ROW,
    account,
    dirty_log,
    plain_log,
    read,
    regions,
    spec,
    split,
    table,
    write_csv,
)
from tradelift.errors import DataError
from tradelift.log import embedded, read_log, summing


def test_olist_lines_are_all_accounted_for(olist, tmp_path):
    columns = {
        "time": "order_purchase_timestamp", "origin": "origin_state", "destination": "dest_state", "seller": "seller_id",
        "buyer": "customer_unique_id", "transaction": "order_id", "line": "order_item_id", "amount": "amount",
        "category": "product_category_name", "status": "order_status",
    }  # fmt: skip
    changes = {"files": str(olist), "columns": columns, "time_zone": "America/Sao_Paulo", "currency": "BRL"}
    log = read_log(
        spec(**changes, keep={"status": "delivered"}, **{"from": None, "to": None}),
        tmp_path,
        None,
        domestic=True,
        spill=tmp_path,
    )
    raw = pq.read_table(olist)
    cents = [round(100 * amount) for amount in raw["amount"].to_pylist()]
    assert log.stage.read_rows == 8365
    assert log.stage.read_amount == sum(cents)
    delivered = pc.equal(raw["order_status"], "delivered").to_pylist()
    assert log.stage.kept_rows == sum(delivered)
    assert log.stage.kept_amount == sum(c for c, kept in zip(cents, delivered, strict=True) if kept)
    assert account(log) == {
        "status": (8365 - sum(delivered), sum(c for c, kept in zip(cents, delivered, strict=True) if not kept))
    }
    assert sum(log.by_category["trade_minor"].to_pylist()) == log.stage.kept_amount
    by_month = raw.filter(pa.array(delivered)).group_by("month").aggregate([("amount", "sum"), ("order_id", "count")])
    found = log.cells.group_by("period").aggregate([("trade", "sum"), ("lines", "sum")])
    assert dict(zip(found["period"].to_pylist(), found["lines_sum"].to_pylist(), strict=True)) == dict(
        zip(by_month["month"].to_pylist(), by_month["order_id_count"].to_pylist(), strict=True)
    )


def test_ids_leave_neither_in_cells_nor_messages(tmp_path):
    rows = [
        {"shop": f"SECRETSELLER{k}", "client": f"SECRETBUYER{k}", "order": k} for k in range(3000)
    ]  # fmt: skip
    split(plain_log(rows), tmp_path, 2)
    log = read_log(spec(), tmp_path, regions(), spill=tmp_path / "spill")
    texts = [str(value) for name in log.cells.column_names for value in log.cells[name].to_pylist()]
    assert not any("SECRET" in text for text in texts)
    (tmp_path / "part-0.parquet").write_bytes(_damaged((tmp_path / "part-0.parquet").read_bytes()))
    with pytest.raises(DataError) as error:
        read_log(spec(), tmp_path, regions(), spill=tmp_path / "spill")
    chain = error.value
    while chain is not None:
        assert "SECRET" not in str(chain)
        chain = chain.__context__
    assert not list((tmp_path / "spill").iterdir())


def test_spilled_data_are_unreadable_and_deleted(tmp_path):
    held = []
    with embedded.DuckDB(tmp_path, memory_limit="30MB") as small:
        rows = pa.table({"id": [f"SECRET{k:09d}" for k in range(400_000)]})
        big = small.memory("big", rows)
        small.gather("copy", [(None, big)] * 2, large=0)
        for k in range(3):
            small.keep(f"copy{k}", big)
        held += [path.read_bytes() for path in small.folder.iterdir()]
    assert sum(map(len, held)) > 1_000_000
    assert not any(b"SECRET" in content for content in held)
    assert not list(tmp_path.iterdir())


def _damaged(content):
    """The same file with its pages overwritten, header and footer whole."""
    return content[:4] + b"\xa5" * 3000 + content[3004:]


def _write(name, content):
    def make(folder):
        (folder / name).write_bytes(content)

    return make


def _truncated(folder):
    split(dirty_log(1), folder, 1)
    path = folder / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-200])


def _corrupt(folder):
    split(dirty_log(1), folder, 2)
    path = folder / "part-1.parquet"
    path.write_bytes(_damaged(path.read_bytes()))


def _mixed(folder):
    log = dirty_log(1)
    split(log, folder, 1, "a-{}.parquet")
    split(log.set_column(9 - 2, "money", log["money"].cast(pa.string())), folder, 1, "b-{}.parquet")


def _csv(text):
    return _write("log.csv", text.encode())


CURRENCY = {"columns": COLUMNS | {"currency": "unit"}}


def _currencies(*codes):
    rows = [{"order": k, "unit": code} for k, code in enumerate(codes)]
    return lambda folder: split(plain_log(rows), folder, 1)


BAD = {
    "no match": (lambda _: None, {}, "No log file matches '\\*.parquet'"),
    "missing file": (lambda _: None, {"files": "log/none.parquet"}, "No log file matches 'log/none.parquet'"),
    "unknown column": (lambda f: split(dirty_log(1).rename_columns({"money": "amounts"}), f, 1), {"columns": COLUMNS | {"amount": "amount"}},
                       "part-0.parquet has no column 'amount'; found .*Did you mean 'amounts'"),
    "kind of time": (lambda f: split(dirty_log(1), f, 1), {"columns": COLUMNS | {"time": "money"}}, "'money' .* cannot be the time: it holds number"),
    "kind of amount": (lambda f: split(dirty_log(1), f, 1), {"columns": COLUMNS | {"amount": "paid_at"}}, "cannot be the amount: it holds instant"),
    "mixed types": (_mixed, {}, "'money' has mixed types .*: number in .*a-0.parquet, text in .*b-0.parquet"),
    "truncated": (_truncated, {}, "part-0.parquet is corrupt or truncated"),
    "corrupt pages": (_corrupt, {}, "part-1.parquet is corrupt or truncated: its rows"),
    "not Parquet": (_write("a.parquet", b"a,b\n1,2\n"), {}, "a.parquet is no Parquet file, or it is corrupt"),
    "other format": (_write("a.xlsx", b"PK\x03\x04"), {"files": "a.xlsx"}, "a.xlsx is neither Parquet nor CSV"),
    "empty Parquet": (lambda f: pq.write_table(dirty_log(1).slice(0, 0), f / "a.parquet"), {}, r"The log is empty: its 1 file\(s\) hold no rows"),
    "empty file": (_csv(""), {"files": "log.csv"}, "log.csv is empty: it has no header"),
    "header alone": (_csv(HEADER), {"files": "log.csv"}, "The log is empty"),
    "repeated column": (_csv("a,b,a\n1,2,3\n"), {"files": "log.csv"}, "two columns named 'a'"),
    "ragged line": (_csv(HEADER + ROW + "2017-01-05,e1\n"), {"files": "log.csv"}, "log.csv cannot be read: line 3 has another number"),
    "not UTF-8 in the header": (_write("log.csv", b"caf\xe9,b\n1,2\n"), {"files": "log.csv"}, "cannot be read as text in UTF-8"),
    "not UTF-8": (_write("log.csv", (HEADER + ROW).encode() + b"2017-01-05,e1,w1,caf\xe9,b1,1,2,5.00,food,paid\n"), {"files": "log.csv"}, "log.csv"),
    "truncated gzip": (_write("log.csv.gz", gzip.compress(b"x" * 999)[:20]), {"files": "log.csv.gz"}, "cannot be read as text in UTF-8"),
    "Parquet and CSV": (lambda f: (split(dirty_log(1), f, 1), write_csv(dirty_log(1), f / "a.csv")), {"files": ["*.csv", "*.parquet"]}, "both CSV files .* and Parquet"),
    "half zoned": (_csv(HEADER + ROW + ROW.replace("2017-01-05", "2017-01-05T10:00:00Z")), {"files": "log.csv"}, "mixed types: 1 times with a zone and 1 without"),
    "two currencies": (_currencies("CNY", "USD", "CNY"), CURRENCY, "mixes 2 currencies: CNY in 2 rows, USD in 1 rows"),
    "other currency": (_currencies("USD"), CURRENCY, "another currency than the study's CNY: USD in 1 rows"),
    "all rejected": (lambda f: split(plain_log([{"state": "void"}, {"money": 0.0, "order": 2}]), f, 1), {},
                     "None of the 2 rows of the log is usable \\(status: 1; zero amount: 1\\)"),
    "decimal commas": (_csv((HEADER + ROW).replace(",", ";").replace("5.00", "5,00")), {"files": "log.csv"},
                       "unparsable: 1.* and amounts that are not as 1234.56"),
    "outside": (lambda f: split(plain_log([{}]), f, 1), {"from": "2019-01", "to": "2019-02"}, "None of the 1 rows .*outside the window: 1"),
    "no time": (_csv(HEADER + ROW.replace("2017-01-05", "soon")), {"files": "log.csv", "from": None, "to": None}, "No time of the log can be read"),
    "too large": (lambda f: split(plain_log([{"money": 9e13, "order": k} for k in range(1100)]), f, 1), {}, "too large: a sum exceeds 9.2e18"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_message(tmp_path, name):
    make, changes, message = BAD[name]
    make(tmp_path)
    with pytest.raises(tl.DataError, match=message) as error:
        read_log(spec(**changes), tmp_path, regions(), spill=tmp_path / "spill")
    assert "\n" not in str(error.value)
    spill = tmp_path / "spill"
    assert not spill.exists() or not list(spill.iterdir())


def test_unreadable_file(tmp_path, monkeypatch):
    split(dirty_log(1), tmp_path, 1)

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"part-0.parquet cannot be read: Permission denied"):
        read(tmp_path)


def test_account_that_does_not_balance_is_refused(tmp_path, monkeypatch):
    split(dirty_log(2), tmp_path, 1)
    monkeypatch.setattr(summing, "_count", lambda *_: None)
    with pytest.raises(DataError, match="does not balance"):
        read(tmp_path)


def test_roles_that_a_log_needs(tmp_path):
    from tradelift.log.contract import check_roles

    with pytest.raises(DataError, match="need a column for 'amount'; mapped are time, origin, destination"):
        check_roles({"time": "t", "origin": "o", "destination": "d"}, {})
    with pytest.raises(DataError, match=r"`keep` names 'stat', which is not mapped .* Did you mean 'status'"):
        check_roles(COLUMNS, ["stat"])


def test_regions_are_those_that_the_log_names(tmp_path):
    split(plain_log([{"from_city": "x"}, {"order": 2, "to_city": "x", "from_city": "x"}]), tmp_path, 1)
    log = read_log(spec(), tmp_path, None, domestic=True, spill=tmp_path / "spill")
    assert log.cells.select(["origin", "destination"]).to_pylist() == [
        {"origin": "x", "destination": "w1"}, {"origin": "x", "destination": "x"},
    ]  # fmt: skip
    log = read_log(spec(), tmp_path, None, domestic=False, spill=tmp_path / "spill")
    assert account(log) == {"domestic": (1, 500)}


def test_columns_of_folders(tmp_path):
    for month in ("2017-01", "2017-02"):
        split(plain_log([{"order": int(month[-1])}]).drop(["kind"]), tmp_path, 1, f"kind={month}/part-{{}}.parquet")
    log = read(tmp_path, files="kind=*/*.parquet")
    assert set(log.by_category["category"].to_pylist()) == {"2017-01", "2017-02"}
    log = read(tmp_path, files="kind=*/*.parquet", columns=COLUMNS | {"time": "kind", "category": "state"})
    assert log.cells["period"].to_pylist() == ["2017-01", "2017-02"]


def test_folders_and_marks(tmp_path):
    split(plain_log([{}]), tmp_path / "log", 1, "day=1/part-{}.parquet")
    (tmp_path / "log" / "_SUCCESS").touch()
    (tmp_path / "log" / ".part.crc").touch()
    assert read(tmp_path, files="log").files == (tmp_path / "log" / "day=1" / "part-0.parquet",)
    assert read(tmp_path, files=str(tmp_path / "log" / "*" / "*.parquet")).stage.kept_rows == 1


def test_a_file_without_any_value_in_a_column(tmp_path):
    split(plain_log([{}, {"order": 2}]), tmp_path, 1, "a-{}.parquet")
    empty = plain_log([{"order": 3}, {"order": 4}])
    for k, name in enumerate(empty.column_names):
        if name in ("paid_at", "money", "shop"):
            empty = empty.set_column(k, name, pa.nulls(2))
    split(empty, tmp_path, 1, "b-{}.parquet")
    assert account(read(tmp_path)) == {"null key": (2, 0)}


def test_ids_of_any_type(tmp_path):
    rows = [{"shop": k % 12, "client": k, "order": k, "item": k % 3, "money": 1.0 + k % 2} for k in range(60)]
    base = plain_log(rows)
    expected = None
    for kind in (pa.int64(), pa.int32(), pa.uint64(), pa.float64(), pa.string(), pa.decimal128(19, 0)):
        log = table([row | {"shop": str(row["shop"])} for row in base.to_pylist()])
        for name in ("shop", "client", "order", "item"):
            column = log[name].cast(pa.int64()).cast(kind)
            log = log.set_column(log.column_names.index(name), name, column)
        path = tmp_path / str(kind).replace("(", "").replace(", ", "").replace(")", "")
        path.mkdir()
        split(log, path, 1)
        cells = read(path).cells.to_pylist()
        expected = expected or cells
        assert repr(cells) == repr(expected)  # repr, for NaN equals nothing


def test_dates_without_a_time(tmp_path):
    log = plain_log([{}])
    day = pa.array([dt.date(2017, 1, 5)])
    split(log.set_column(0, "paid_at", day), tmp_path, 1)
    assert read(tmp_path).cells["period"].to_pylist() == ["2017-01"]
    assert np.isnan(read(tmp_path).cells["seller_concentration"][0].as_py())


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("far", [10**18, -(10**17), 253_402_300_799_999_999])
def test_times_that_no_date_of_python_holds_are_outside_the_window(tmp_path, zone, far):
    """As logs write "never": the footer's bounds are of no use, and the rows are counted."""
    log = plain_log([{}, {"order": 2}])
    times = log["paid_at"].cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()
    column = pa.array([times[0], far]).cast(pa.timestamp("us", tz=zone))
    pq.write_table(log.set_column(log.column_names.index("paid_at"), "paid_at", column), tmp_path / "log.parquet")
    stage = read(tmp_path).stage
    assert (stage.read_rows, stage.kept_rows) == (2, 1)
    assert {e.reason: e.rows for e in stage.exclusions} == {"outside the window": 1}


def test_nothing_shows_progress_of_its_own_in_a_terminal(tmp_path):
    above, below = pty.openpty()
    ask = (
        "import sys; from pathlib import Path; from tradelift.log.embedded import DuckDB\n"
        "with DuckDB(Path(sys.argv[1])) as engine:\n"
        "    shown = engine.connection.con.execute(\"SELECT current_setting('enable_progress_bar')\").fetchone()[0]\n"
        "    sys.exit(int(shown or not sys.stdout.isatty()))"
    )
    done = subprocess.run([sys.executable, "-c", ask, tmp_path], stdin=below, stdout=below, stderr=below, check=False)
    os.close(below)
    os.close(above)
    assert done.returncode == 0
