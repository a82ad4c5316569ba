"""What may leave a panel, against rules applied by hand to the transactions themselves."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.log.logs import plain_log, read
from tradelift.errors import DataError
from tradelift.log.disclosure import LOGGED, Rules, disclose, public_cells

CELL = ("origin", "destination", "period")
SEEDS = range(3)
RULES = [
    Rules(),
    Rules(p=60, contributors=5, top=1),
    Rules(share=0.25, rounding="ceil", contributors=11, top=4),
    Rules(share=0.9, rounding="fraction", top=2),
]
SHARES = [f"{who}_share_{k}" for who in ("seller", "buyer") for k in (1, 2)]


def random_rows(seed, n=900):
    """Sales of few cells: many small traders, some that dominate, some cells with a handful of them."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        cell = rng.integers(0, 6)
        heavy = rng.random() < 0.08
        rows.append({
            "order": k,
            "from_city": ("e1", "e2", "e3", "w1", "w2", "w1")[cell],
            "to_city": ("w1", "w2", "w1", "e1", "e2", "e3")[cell],
            "shop": f"s{0 if heavy else rng.integers(0, (4, 12, 12, 30, 40, 60)[cell])}",
            "client": f"b{rng.integers(0, (60, 40, 12, 30, 14, 60)[cell])}",
            "money": float(np.round(rng.lognormal(2, 1) * (400 if heavy and cell == 3 else 1), 2)),
        })  # fmt: skip
    return rows


def by_hand(rows, rules):
    """Cell to what of it is masked, one seller and one buyer after the other, in exact arithmetic."""
    cells = defaultdict(lambda: {"seller": defaultdict(int), "buyer": defaultdict(int)})
    for row in rows:
        cell = cells[row["from_city"], row["to_city"], "2017-01"]
        cents = round(row["money"] * 100)
        cell["seller"][row["shop"]] += cents
        cell["buyer"][row["client"]] += cents
    return {place: _judged(cell, rules) for place, cell in cells.items()}


def _judged(cell, rules):
    for who in ("seller", "buyer"):
        if len(cell[who]) < rules.contributors:
            return "cell"
    for who in ("seller", "buyer"):
        money = sorted(cell[who].values(), reverse=True)
        if sum(money[2:]) < Fraction(rules.p, 100) * money[0]:
            return "cell"
    narrow = []
    for who in ("seller", "buyer"):
        n = len(cell[who])
        top = (floor if rules.rounding == "floor" else ceil)(Fraction(str(rules.share)) * n)
        if min(top, n - top) < rules.top:
            narrow.append(who)
    return f"{' and '.join(narrow)} ratios" if narrow else ""


def covariates(cells):
    return [name for name in cells.column_names if name not in LOGGED]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rules", RULES)
def test_equals_the_rules_applied_by_hand(tmp_path, seed, rules):
    rows = random_rows(seed)
    pq.write_table(plain_log(rows), tmp_path / "log.parquet")
    cells = read(tmp_path, concentration={"share": rules.share, "rounding": rules.rounding}).cells
    out, report = disclose(cells, rules, covariates(cells))
    expected = by_hand(rows, rules)
    found = {tuple(row[k] for k in CELL): row for row in out.to_pylist()}
    assert {place: row["masked"] for place, row in found.items()} == expected
    assert report.total.cells == len(expected)
    assert report.masked_cells == sum(mask == "cell" for mask in expected.values())
    money = {True: 0, False: 0}
    for row in cells.to_pylist():
        money[expected[tuple(row[k] for k in CELL)] == "cell"] += row["trade_minor"]
    assert report.released.trade == Decimal(money[False]).scaleb(-2)
    assert sum(count.trade for count in report.masked) == Decimal(money[True]).scaleb(-2)
    for place, row in found.items():
        shown = {name for name in set(row) - {*CELL, "masked"} if row[name] is not None}
        if expected[place] == "cell":
            assert shown == set()
        else:
            assert {"trade", "trade_minor", "deals", "lines", "sellers", "buyers"} <= shown
        for who in ("seller", "buyer"):
            ratios = {f"{who}_concentration", f"{who}_concentration_flow", f"top_{who}_trade", f"other_{who}_trade"}
            assert (ratios & shown == set()) if who in expected[place] else expected[place] == "cell" or ratios <= shown


def test_the_random_logs_have_every_kind_of_cell():
    seen = {mask for seed in SEEDS for rules in RULES for mask in by_hand(random_rows(seed), rules).values()}
    assert seen == {"", "cell", "seller ratios", "buyer ratios", "seller and buyer ratios"}
    lone = [by_hand(random_rows(seed), Rules(contributors=0, p=p)) for seed in SEEDS for p in (0, 10)]
    assert lone[0] != lone[1]  # the p% rule decides, too


def cells_of(money, *, buyers=40, **more):
    """One cell, from the money of its sellers in cents."""
    total = sum(money)
    first, second = (*sorted(money, reverse=True), 0)[:2]
    row = {
        "origin": "e1", "destination": "w1", "period": "2017-01", "trade": total / 100, "trade_minor": total,
        "sellers": len(money), "buyers": buyers, "seller_share_1": first / total, "seller_share_2": second / total,
        "buyer_share_1": 0.05, "buyer_share_2": 0.05,
    }  # fmt: skip
    return pa.table({name: [value] for name, value in (row | more).items()})


@pytest.mark.parametrize("form", ["minor units", "floats"])
@pytest.mark.parametrize(("rest", "masked"), [(12, True), (99, True), (101, False), (400, False)])
def test_the_second_largest_may_not_come_within_ten_percent(rest, masked, form):
    """Total - x1 - x2 is what the second largest does not know; 10% of the largest is 100."""
    cells = cells_of([1000, 900, *[1] * 11, rest - 11])
    if form == "floats":
        cells = cells.drop_columns("trade_minor")
    out, _ = disclose(cells, Rules(), [])
    assert (out["masked"].to_pylist() == ["cell"]) is masked
    assert (out["trade"].to_pylist() == [None]) is masked


def test_a_tie_is_decided_in_integers_and_for_masking_in_floats():
    tie = cells_of([1000, 900, *[10] * 10])
    assert disclose(tie, Rules(), [])[1].masked_cells == 0
    assert disclose(tie.drop_columns("trade_minor"), Rules(), [])[1].masked_cells == 1
    large = cells_of([10**15, 9 * 10**14, *[10**13] * 10])  # ten times each: products of 64 bits overflow above 2^63
    assert disclose(large, Rules(), [])[1].masked_cells == 0
    less = cells_of([10**15 + 1, 9 * 10**14, *[10**13] * 10])
    assert disclose(less, Rules(), [])[1].masked_cells == 1


def test_a_large_buyer_is_protected_as_a_seller_is():
    cells = cells_of([100] * 30, buyer_share_1=0.9, buyer_share_2=0.05)
    assert disclose(cells, Rules(), [])[1].record()["masked"][4]["cells"] == 1


def test_cells_without_sales_stay():
    nothing = {"trade": 0.0, "trade_minor": 0, "sellers": 0, "buyers": 0} | dict.fromkeys(SHARES, float("nan"))
    out, report = disclose(cells_of([1], **nothing), Rules(), [])
    assert (out["trade"].to_pylist(), out["masked"].to_pylist(), report.masked_cells) == ([0.0], [""], 0)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"sellers": None}, "contributors unknown"),
        ({"buyers": 9}, "fewer than 10 buyers"),
        ({"seller_share_1": None}, "p% rule at 10: sellers"),
        # nobody is said to have traded, yet a flow that no rule knows is there
        ({"trade": 0.0, "trade_minor": 0, "sellers": 0, "buyers": 0, "exports": 5.0}, "fewer than 10 sellers"),
        ({"trade": 0.0, "trade_minor": 0, "sellers": 0, "buyers": 0, "who": "x"}, "fewer than 10 sellers"),
    ],
)
def test_what_is_not_known_is_masked(more, reason):
    out, report = disclose(cells_of([100] * 30, **more), Rules(), None)
    assert {c.reason: c.cells for c in report.masked if c.cells} == {reason: 1}
    assert {out[name][0].as_py() for name in out.column_names if name not in (*CELL, "masked")} == {None}


def test_covariates_stay_beside_masked_flows_only_where_they_are_known_to_be_such():
    cells = cells_of([1] * 3, migration=7.0, distance_km=3.0)
    assert disclose(cells, Rules(), ["migration"])[0]["migration"].to_pylist() == [7.0]
    out, _ = disclose(cells, Rules(), None)
    assert (out["migration"].to_pylist(), out["distance_km"].to_pylist()) == ([None], [3.0])


def test_city_rankings_are_withheld():
    """How many of a city's largest sellers sell within the cell does not stand in the panel."""
    more = {
        f"{name}": 50.0 for name in ("seller_concentration", "seller_concentration_city", "top_seller_trade", "refunds")
    }
    out, report = disclose(cells_of([100] * 60, **more), Rules(ranking="city"), [])
    assert not set(more) & set(out.column_names)
    assert {name for name, _ in report.withheld} == {*more, *SHARES}
    assert "seller_concentration" in disclose(cells_of([100] * 60, **more), Rules(), [])[0].column_names


def test_parts_add_up():
    _, few = disclose(cells_of([100] * 3), Rules(), [])
    _, many = disclose(cells_of([200] * 30), Rules(), [])
    both = few + many
    assert (both.total.cells, both.released.cells, both.masked_cells) == (2, 1, 1)
    assert (both.total.trade, both.released.trade) == (Decimal("63.00"), Decimal("60.00"))
    assert not both.complete
    assert "trade" not in str(both.record(money=False))


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(DataError, match=r"no column seller_share_1.*--public"):
        disclose(cells_of([100] * 30).drop_columns("seller_share_1"), Rules(), [])
    with pytest.raises(DataError, match="column 'masked' already"):
        disclose(cells_of([100] * 30, masked=1), Rules(), [])


def test_public_flows_stay_as_they_are():
    cells = cells_of([100] * 2, ratio=float("nan"))
    out, report = public_cells(cells, Rules())
    assert out.drop_columns("ratio").equals(cells.drop_columns("ratio"))
    assert out["ratio"].null_count == 1
    assert report.public
    assert report.complete
