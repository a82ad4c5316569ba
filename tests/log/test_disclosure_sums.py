"""Sums that leave are safe by the rules applied to the transactions of all their cells together."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.log.logs import plain_log, read
from tests.log.test_disclosure import _judged, cells_of, random_rows
from tradelift.errors import DataError
from tradelift.log.disclosure import Rules
from tradelift.log.disclosure_sums import contributions, telling_extremes, telling_sums

SEEDS = range(6)
RULES = [Rules(), Rules(contributors=5, p=40), Rules(contributors=13, p=2), Rules(contributors=0, p=80)]
GROUPS = 40


@pytest.fixture(scope="module", params=SEEDS)
def log(request, tmp_path_factory):
    """Transactions, and the cells that they sum to."""
    folder = tmp_path_factory.mktemp("log")
    rows = random_rows(request.param, n=200 + 150 * request.param)
    pq.write_table(plain_log(rows), folder / "log.parquet")
    return request.param, rows, read(folder).cells


def together(rows, places):
    """What the rules say of the transactions of some cells, taken as one."""
    cell = {"seller": defaultdict(int), "buyer": defaultdict(int)}
    for row in rows:
        if (row["from_city"], row["to_city"]) in places:
            cell["seller"][row["shop"]] += round(row["money"] * 100)
            cell["buyer"][row["client"]] += round(row["money"] * 100)
    return cell


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("form", ["minor units", "floats"])
def test_what_leaves_is_safe_by_hand_and_what_is_dangerous_never_leaves(log, rules, form):
    seed, rows, cells = log
    cells = cells if form == "minor units" else cells.drop_columns("trade_minor")
    rng = np.random.default_rng(seed)
    known = contributions(cells)
    names = list(zip(cells["origin"].to_pylist(), cells["destination"].to_pylist(), strict=True))
    left = 0
    for _ in range(GROUPS):
        group = rng.integers(-1, 3, len(names))
        tells = telling_sums(known, group, 3, rules)
        for g in range(3):
            places = {name for name, own in zip(names, group, strict=True) if own == g}
            if places and _judged(together(rows, places), rules) == "cell":
                assert tells[g], (places, rules)
            left += bool(places) and not tells[g]
    assert left or seed < 2  # of small logs nothing leaves


def test_of_one_cell_a_sum_is_judged_as_the_cell_is(log):
    _, rows, cells = log
    for rules in RULES:
        found = telling_sums(contributions(cells), np.arange(cells.num_rows), cells.num_rows, rules)
        for k, place in enumerate(zip(cells["origin"].to_pylist(), cells["destination"].to_pylist(), strict=True)):
            assert found[k] == (_judged(together(rows, {place}), rules) == "cell")


def test_small_cells_make_a_sum_that_leaves_only_if_one_of_them_has_enough_contributors():
    few, many = cells_of([100] * 9), cells_of([100] * 10)
    for cells, tells in (([few] * 50, True), ([few] * 49 + [many], False)):
        table = pa.concat_tables(cells)
        assert telling_sums(contributions(table), np.zeros(50, dtype=int), 1, Rules())[0] == tells


def test_one_seller_may_be_the_largest_of_all_cells():
    """Each cell alone is near the rule's edge; what the bounds say of both is that one seller dominates."""
    safe, near = cells_of([1000, 900, *[10] * 10]), cells_of([1000, 900, *[9] * 11])
    both = [contributions(pa.concat_tables([safe, x])) for x in (safe, near)]
    assert [bool(telling_sums(known, np.zeros(2, dtype=int), 1, Rules())[0]) for known in both] == [False, True]


def test_nothing_traded_tells_of_nobody_and_unknown_contributors_of_all():
    none = cells_of(
        [100] * 20, trade=0.0, trade_minor=0, sellers=0, buyers=0, seller_share_1=np.nan, seller_share_2=np.nan
    )
    assert not telling_sums(contributions(none), np.zeros(1, dtype=int), 2, Rules()).any()
    unknown = cells_of([100] * 20, seller_share_1=np.nan)
    assert telling_sums(contributions(unknown), np.zeros(1, dtype=int), 1, Rules()).all()
    with pytest.raises(DataError, match="cannot be judged"):
        contributions(none.drop_columns("sellers"))


@pytest.mark.parametrize(("like_it", "hides", "tells"), [(9, True, True), (10, True, False), (1, False, False)])
def test_an_extreme_tells_of_a_hidden_cell_unless_ten_are_like_it(like_it, hides, tells):
    values = np.array([5.0] * like_it + [1.0] * 30)
    hidden = np.zeros(len(values), dtype=bool)
    hidden[0] = hides
    hidden[-1] = True  # another one
    assert telling_extremes(values, hidden, 5.0, Rules()) is tells
