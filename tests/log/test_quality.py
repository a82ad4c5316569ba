"""Times and money as the reader of a row takes them."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.log.logs import account, plain_log, read, split

SHANGHAI_FEBRUARY = dt.datetime(2017, 1, 31, 16, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def with_column(log, name, values):
    return log.set_column(log.column_names.index(name), name, values)


def money_by_period(log):
    return dict(zip(log.cells["period"].to_pylist(), log.cells["trade"].to_pylist(), strict=True))


TIMES = {
    "UTC": pa.array([SHANGHAI_FEBRUARY - SECOND, SHANGHAI_FEBRUARY], pa.timestamp("us", tz="UTC")),
    "zone": pa.array([SHANGHAI_FEBRUARY - SECOND, SHANGHAI_FEBRUARY], pa.timestamp("ms", tz="America/New_York")),
    "nanoseconds": pa.array([SHANGHAI_FEBRUARY - SECOND, SHANGHAI_FEBRUARY], pa.timestamp("ns", tz="Asia/Shanghai")),
    "local": pa.array([dt.datetime(2017, 1, 31, 23, 59, 59), dt.datetime(2017, 2, 1)], pa.timestamp("us")),
    "local nanoseconds": pa.array([dt.datetime(2017, 1, 31, 23, 59, 59), dt.datetime(2017, 2, 1)], pa.timestamp("ns")),
    "date": pa.array([dt.date(2017, 1, 31), dt.date(2017, 2, 1)]),
    "text": pa.array(["2017-01-31 23:59:59.9", "2017/2/1"]),
    "text with zone": pa.array(["2017-01-31T15:59:59Z", "2017-02-01 00:00:00+08:00"]),
    "month": pa.array(["2017-01", "2017-02"]),
}


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("size", [1, 10])
def test_months_are_local_months(tmp_path, kind, size):
    log = with_column(plain_log([{"money": 1.0}, {"money": 2.0, "order": 2}]), "paid_at", TIMES[kind])
    split(log, tmp_path, 1, row_group_size=size)
    assert money_by_period(read(tmp_path)) == {"2017-01": 1.0, "2017-02": 2.0}


def test_window_ends_at_local_midnight(tmp_path):
    times = [dt.datetime(2016, 12, 31, 16, tzinfo=dt.UTC), dt.datetime(2017, 3, 31, 16, tzinfo=dt.UTC)]
    rows = [
        {"paid_at": t - d, "order": k} for k, (t, d) in enumerate((t, d) for t in times for d in (SECOND, 0 * SECOND))
    ]
    split(plain_log(rows), tmp_path, 1)
    log = read(tmp_path)
    assert account(log) == {"outside the window": (2, 1000)}
    assert log.cells["period"].to_pylist() == ["2017-01", "2017-03"]


def test_clocks_that_change(tmp_path):
    # Sao Paulo skipped midnight of 15 October 2017, and its months begin at -2 and at -3 hours
    times = [dt.datetime(2017, 10, 1, 3), dt.datetime(2017, 11, 1, 1, 59, 59), dt.datetime(2017, 11, 1, 2)]
    rows = [{"paid_at": t.replace(tzinfo=dt.UTC), "order": k, "money": float(2**k)} for k, t in enumerate(times)]
    split(plain_log(rows), tmp_path, 1)
    log = read(tmp_path, time_zone="America/Sao_Paulo", **{"from": "2017-10", "to": "2017-11"})
    assert money_by_period(log) == {"2017-10": 3.0, "2017-11": 4.0}


@pytest.mark.parametrize(
    "text", ["yesterday", "2017-13-01", "1483228800", "2017-02-30", "infinity", "2017-01-05 25:00"]
)
def test_times_that_cannot_be_read_are_counted(tmp_path, text):
    log = with_column(plain_log([{}, {"order": 2}, {"order": 3}]), "paid_at", pa.array(["2017-01-05", text, " "]))
    split(log, tmp_path, 1)
    assert account(read(tmp_path)) == {"unparsable": (1, 500), "null key": (1, 500)}


@pytest.mark.parametrize(("period", "labels"), [("quarter", ("2017-Q1", "2017-Q2")), ("year", ("2017",))])
def test_longer_periods(tmp_path, period, labels):
    times = [dt.datetime(2017, m, 20, tzinfo=dt.UTC) for m in (2, 3, 4)]
    split(plain_log([{"paid_at": t, "order": k} for k, t in enumerate(times)]), tmp_path, 1)
    log = read(tmp_path, period=period, **{"from": None, "to": None})
    assert log.periods == labels
    assert sum(log.cells["lines"].to_pylist()) == 3


MONEY = {
    "float": (pa.array([0.1, 0.285, -0.285, 2.675, 1e13]), [10, 29, -29, 268, 10**15]),
    "float32": (pa.array([0.5, 1.25], pa.float32()), [50, 125]),
    "integer": (pa.array([1, -2, 3], pa.int64()), [100, -200, 300]),
    "small integer": (pa.array([127, -2], pa.int8()), [12700, -200]),
    "decimal": (pa.array([Decimal("1.005"), Decimal("-1.005"), Decimal("1.0049")]), [101, -101, 100]),
    "wide decimal": (pa.array([Decimal("1.5"), Decimal("0.005")], pa.decimal128(38, 20)), [150, 1]),
    "text": (pa.array(["1.5", " 2 ", "+3.25", "-.5", "1e2"]), [150, 200, 325, -50, 10000]),
}


@pytest.mark.parametrize("kind", MONEY)
def test_money_becomes_minor_units(tmp_path, kind):
    amounts, minor = MONEY[kind]
    log = with_column(plain_log([{"order": k} for k in range(len(amounts))]), "money", amounts)
    split(log, tmp_path, 1)
    found = read(tmp_path)
    if kind == "float":  # products in double precision: 0.285 x 100 lies below 28.5
        minor = [10, 28, -28, 268, 10**15]
    assert found.stage.kept_amount == sum(m for m in minor if m > 0)
    assert account(found) == ({"refund": (1, min(minor))} if min(minor) < 0 else {})


UNREADABLE = {
    "float": pa.array([float("nan"), float("inf"), -float("inf"), None, 1e300, 1e14]),
    "integer": pa.array([None, 2**62, -(2**62)], pa.int64()),
    "unsigned": pa.array([None, 2**64 - 1], pa.uint64()),
    "decimal": pa.array([None, Decimal(10) ** 30], pa.decimal128(38, 2)),
    "text": pa.array([None, "", "abc", "1,234.50", "1_000", "0x1F", "nan", "inf", "1e400", "12 34", "--1"]),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_money_that_cannot_be_read_is_counted(tmp_path, kind):
    bad = UNREADABLE[kind]
    log = plain_log([{"order": k} for k in range(len(bad) + 1)])
    split(with_column(log, "money", pa.concat_arrays([bad, pa.array([5]).cast(bad.type)])), tmp_path, 1)
    found = read(tmp_path)
    assert account(found) == {"unparsable": (len(bad), 0)}
    assert found.stage.kept_amount == 500


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 5), ("CNY", 500), ("KWD", 5000)])
def test_digits_of_the_currency(tmp_path, currency, minor):
    split(plain_log([{}]), tmp_path, 1)
    log = read(tmp_path, currency=currency)
    assert log.cells["trade_minor"].to_pylist() == [minor]
    assert log.cells["trade"].to_pylist() == [5.0]
    assert (log.currency, 10**log.digits * 5) == (currency, minor)
