"""The order of periods, and the place of a label among them."""

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tradelift as tl
from tests.panel.test_from_frame import flows, regions
from tradelift.errors import DataError
from tradelift.panel.period_order import gaps, order_periods, period_position

MONTHS = ["2019-01", "2019-02", "2019-04"]  # without March


@given(st.lists(st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31)), unique=True, min_size=1), st.randoms())
def test_labels_with_the_year_first_stand_in_the_order_of_time(days, random):
    for write in (
        lambda d: f"{d.year}-{d.month}-{d.day}",
        lambda d: f"{d:%Y-%m-%d}",
        lambda d: f"{d:%Y%m%d}",
        lambda d: f"{d.year}M{d.month}D{d.day}",
    ):
        labels = [write(d) for d in days]
        random.shuffle(labels)
        assert order_periods(labels) == [write(d) for d in sorted(days)]


def test_labels_that_are_no_dates():
    assert order_periods(["t10", "t9", "t2"]) == ["t2", "t9", "t10"]
    assert order_periods(["1", "-1", "0", "-10"]) == ["-10", "-1", "0", "1"]
    assert order_periods(["before", "after"]) == ["after", "before"]
    assert order_periods(["wave 2020", "wave 2019"]) == ["wave 2019", "wave 2020"]
    assert order_periods(["12/2019", "2/2019"]) == ["2/2019", "12/2019"]  # of one year


def test_gaps_are_months_quarters_and_years_that_are_no_period():
    assert gaps(["2018-11", "2019-02"]) == ["2018-12", "2019-01"]
    assert gaps(["2018-Q4", "2019-Q3"]) == ["2019-Q1", "2019-Q2"]
    assert gaps(["2001", "2004", "2005"]) == ["2002", "2003"]
    assert gaps(["2018-01", "2018-02"]) == gaps(["a", "c"]) == gaps(["2018-01", "2018-Q3"]) == gaps([]) == []


@pytest.mark.parametrize(
    "labels",
    [
        ["01/2019", "02/2019", "01/2020"],
        ["Q4 2019", "Q1 2020"],
        ["31.01.2019", "01.02.2019"],
        ["Jan 2019", "Feb 2019"],
        ["September 19", "October 19"],
    ],
)
def test_an_order_that_is_not_that_of_time_is_refused(labels):
    with pytest.raises(DataError, match=r"does not tell their order. Write the year first"):
        order_periods(labels)


@pytest.mark.parametrize(
    ("label", "periods", "first", "last"),
    [
        ("2019-02", MONTHS, 1, 1),
        ("2019-2", MONTHS, 1, 1),
        ("2019-03", MONTHS, 2, 1),
        ("2018-12", MONTHS, 0, -1),
        ("2019-05", MONTHS, 3, 2),
        ("2019", MONTHS, 0, 2),
        ("2019-02-01", MONTHS, 1, 1),  # the first day of a month begins it
        ("2019-02-15", MONTHS, 2, 1),
        ("2019-01", ["2018", "2019", "2020"], 1, 1),  # the first month of a year begins it
        ("2019-07", ["2018", "2019", "2020"], 2, 1),
        ("2019-9", ["2019-9", "2019-10"], 0, 0),
        ("9", ["8", "9", "10"], 1, 1),
        ("-1", ["-2", "-1", "0"], 1, 1),
        ("b", ["a", "c"], 1, 0),
        ("2019-04", ["2019-Q1", "2019-Q2", "2019-Q3"], 1, 1),  # the first month of a quarter begins it
        ("2019-02", ["2019-Q1", "2019-Q2", "2019-Q3"], 1, 0),
        ("2019-06", ["2019-Q1", "2019-Q2", "2019-Q3"], 2, 1),
        ("2019-05", ["2019-Q1", "2019-Q2", "2019-Q3"], 2, 1),
        ("2019-Q2", ["2019-03", "2019-04", "2019-06", "2019-07"], 1, 2),
        ("2019-Q2", ["2018", "2019"], 2, 1),
        ("2019-Q1", ["2018", "2019"], 1, 1),
    ],
)
def test_the_place_of_a_start_and_of_an_end(label, periods, first, last):
    assert period_position(label, periods, end=False, what="start") == first
    assert period_position(label, periods, end=True, what="end") == last


@pytest.mark.parametrize(
    ("label", "periods"),
    [
        ("January 2019", MONTHS),
        ("02/2019", MONTHS),
        ("2019-02", ["201901", "201902"]),
        ("2019", ["t1", "t2"]),
    ],
)
def test_a_label_that_is_written_otherwise_has_no_place(label, periods):
    with pytest.raises(DataError, match=rf"The start '{label}' is not written as the periods are.* {periods[0]} to"):
        period_position(label, periods, end=False, what="The start")


def test_a_programme_starts_with_the_year_of_its_first_month():
    partners = pd.DataFrame({"west": ["w0"], "east": ["e0"], "start": ["2018-01"]})
    panel = tl.Panel.from_frame(flows(regions(), ("2017", "2018", "2019")), regions=regions(), partners=partners)
    on = panel.cells.column("period")[panel.column("partner") == 1]
    assert sorted(set(on.tolist())) == [1, 2]
    with pytest.raises(DataError, match=r"The start of a partnership, 'spring 2018' is not written"):
        tl.Panel.from_frame(
            flows(regions(), ("2017", "2018")), regions=regions(), partners=partners.assign(start="spring 2018")
        )
