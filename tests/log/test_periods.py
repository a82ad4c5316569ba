"""Labels and edges of periods."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tradelift.errors import DataError
from tradelift.log.periods import periods_between, to_utc, zone


def test_months_cross_years():
    found = periods_between("2017-11", "2018-02", "month")
    assert [p.label for p in found] == ["2017-11", "2017-12", "2018-01", "2018-02"]
    assert all(a.end == b.start for a, b in pairwise(found))
    assert (found[0].start, found[-1].end) == (dt.datetime(2017, 11, 1), dt.datetime(2018, 3, 1))


@pytest.mark.parametrize(
    ("start", "end", "every", "labels"),
    [
        ("2017-02", "2017-04", "quarter", ["2017-Q1", "2017-Q2"]),
        ("2017-Q4", "2018-Q1", "quarter", ["2017-Q4", "2018-Q1"]),
        ("2017", "2018", "year", ["2017", "2018"]),
        ("2017", "2017", "quarter", ["2017-Q1", "2017-Q2", "2017-Q3", "2017-Q4"]),
        ("2017-01-15", "2017-Q1", "month", ["2017-01", "2017-02", "2017-03"]),
    ],
)
def test_labels(start, end, every, labels):
    assert [p.label for p in periods_between(start, end, every)] == labels


@pytest.mark.parametrize("label", ["2017-13", "17-01", "2017-Q5", "January", "0000-01"])
def test_no_period(label):
    with pytest.raises(DataError, match=f"'{label}' is not a period"):
        periods_between(label, "2018-01", "month")


def test_window_that_ends_before_it_begins():
    with pytest.raises(DataError, match="ends before it begins: from 2018-01 to 2017-01"):
        periods_between("2018-01", "2017-01", "month")


def test_no_time_zone():
    with pytest.raises(DataError, match="no time zone 'Asia/Atlantis'"):
        zone("Asia/Atlantis")


@pytest.mark.parametrize("name", ["Asia/Shanghai", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Cairo"])
def test_every_hour_falls_into_the_month_that_its_clock_shows(name):
    where = ZoneInfo(name)
    found = periods_between("2016-12", "2018-02", "month")
    edges = [to_utc(p.start, where) for p in found]
    moment = dt.datetime(2017, 1, 1, tzinfo=dt.UTC)
    while moment.year < 2018:
        label = found[sum(edge <= moment for edge in edges) - 1].label
        assert label == moment.astimezone(where).strftime("%Y-%m")
        moment += dt.timedelta(hours=5, minutes=30)
