"""The same line seen again, in whatever file and month."""

import datetime as dt

import pyarrow as pa
import pytest

from tests.log.logs import COLUMNS, account, plain_log, read, split

JANUARY, FEBRUARY, MARCH = (dt.datetime(2017, m, 10, tzinfo=dt.UTC) for m in (1, 2, 3))
LATE = dt.datetime(2018, 1, 10, tzinfo=dt.UTC)


def cells(log):
    return {
        (p, o): t for p, o, t in zip(*(log.cells[n].to_pylist() for n in ("period", "origin", "trade")), strict=True)
    }


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_earliest_copy_stands(tmp_path, parts, order):
    rows = [{"paid_at": FEBRUARY, "money": 2.0}, {"paid_at": JANUARY, "money": 3.0}, {"paid_at": MARCH, "money": 4.0}]
    split(plain_log([rows[k] for k in order]), tmp_path, parts)
    log = read(tmp_path)
    assert cells(log) == {("2017-01", "e1"): 3.0}
    assert account(log) == {"duplicate line": (2, 600)}


def test_of_copies_at_one_time_the_smallest_stands(tmp_path):
    split(plain_log([{"money": 7.0}, {"money": 3.0, "from_city": "e2"}, {"money": 3.0}]), tmp_path, 1)
    assert cells(read(tmp_path)) == {("2017-01", "e1"): 3.0}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"state": "void"}, "status"), ({"money": 0.0}, "zero amount"), ({"money": None}, "unparsable"),
        ({"shop": ""}, "null key"), ({"paid_at": dt.datetime(2016, 1, 1, tzinfo=dt.UTC)}, "outside the window"),
        ({"money": -5.0}, "refund"),
    ],
)  # fmt: skip
def test_an_unusable_copy_takes_no_line_away(tmp_path, broken, reason):
    split(plain_log([{"paid_at": JANUARY} | broken, {"paid_at": FEBRUARY}]), tmp_path, 1)
    log = read(tmp_path)
    assert cells(log)["2017-02", "e1"] == 5.0
    assert {name: rows for name, (rows, _) in account(log).items()} == {reason: 1}


def test_refunds_are_duplicates_of_refunds(tmp_path):
    split(plain_log([{}, {"money": -2.0}, {"money": -2.0, "paid_at": MARCH}]), tmp_path, 1)
    log = read(tmp_path)
    assert account(log) == {"duplicate line": (1, -200), "refund": (1, -200)}
    assert log.cells["refunds"].to_pylist() == [2.0]


def test_copies_in_regions_unknown_do_not_rank_twice(tmp_path):
    rows = [{"to_city": "far", "shop": f"s{k}", "order": k, "money": 9.0} for k in range(9)]
    rows += [{"to_city": "far", "shop": "s0", "order": 0, "money": 9.0}] * 5
    rows += [{"shop": "s0", "order": 50, "money": 1.0}, {"shop": "s9", "order": 51, "money": 10.5}]
    split(plain_log(rows), tmp_path, 1)
    log = read(tmp_path)
    # s9 sells 10.5 in all, s0 10 and not 55
    assert log.cells["seller_concentration_city"].to_pylist() == [100 * 10.5 / 11.5]
    assert account(log) == {"duplicate line": (5, 4500), "unknown region": (9, 8100)}


def test_other_columns_tell_rows_apart_where_there_are_no_line_ids(tmp_path):
    log = plain_log([{}, {}, {}]).append_column("note", pa.array(["a", "b", "b"]))
    split(log, tmp_path, 1)
    columns = {role: name for role, name in COLUMNS.items() if role != "line"}
    assert account(read(tmp_path, columns=columns)) == {"duplicate line": (1, 500)}
    assert account(read(tmp_path)) == {"duplicate line": (2, 1000)}


def test_equal_rows_in_files_of_other_widths(tmp_path):
    log = plain_log([{}, {"order": 2}])
    split(log, tmp_path, 1, "a-{}.parquet")
    narrow = log.set_column(log.column_names.index("order"), "order", log["order"].cast(pa.int16()))
    whole = narrow.set_column(log.column_names.index("money"), "money", pa.array([5, 5], pa.int32()))
    split(whole, tmp_path, 1, "b-{}.parquet")
    columns = {role: name for role, name in COLUMNS.items() if role != "line"}
    for mapped in (COLUMNS, columns):
        assert account(read(tmp_path, columns=mapped)) == {"duplicate line": (2, 1000)}


def test_late_copies_after_the_window(tmp_path):
    split(plain_log([{"paid_at": LATE}, {"paid_at": LATE}, {"paid_at": MARCH}]), tmp_path, 2)
    assert account(read(tmp_path)) == {"outside the window": (2, 1000)}


def test_columns_of_any_name_and_type(tmp_path):
    log = plain_log([{"order": 1}, {"order": 1}, {"order": 2}])
    names = ["hash" if n == "order" else "reason" if n == "item" else n for n in log.column_names]
    nested = pa.array([{"a": [1]}, {"a": [1]}, {"a": [2]}])
    log = log.rename_columns(names).append_column("instant", nested).append_column("o", pa.array([b"x", b"x", b"y"]))
    split(log, tmp_path, 1)
    mapped = COLUMNS | {"transaction": "hash", "line": "reason"}
    for columns in (mapped, {role: name for role, name in mapped.items() if role != "line"}):
        assert account(read(tmp_path, columns=columns)) == {"duplicate line": (1, 500)}


def test_a_log_of_copies_alone(tmp_path):
    split(plain_log([{}] * 40), tmp_path, 2)
    log = read(tmp_path)
    assert account(log) == {"duplicate line": (39, 19500)}
    assert log.cells["lines"].to_pylist() == [1]
