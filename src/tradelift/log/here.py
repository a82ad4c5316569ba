"""
The sums of a period in this process, from rows without ids: what `flows` and `concentration` say, in arrays.

An engine groups by tables that hold all flows of a month, and none of them fits into a processor's cache. Here rows are
put in order of their flows first, so that each table holds the people of one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.log.concentration import FIRST_RANKED
from tradelift.log.contract import CODE, KEPT, REFUND
from tradelift.log.grouping import Flows, Groups, Ids, Ints, NotHereError, group
from tradelift.log.sorting import sort_pairs, sort_within

LARGEST = 2**63 - 1
Order = Callable[[str, NDArray[np.uint64]], Ints]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """
    How the largest are found.

    Parameters
    ----------
    width
        The base of flows.
    share, rounding
        As in `concentrate`.
    order
        From "seller" or "buyer" and the keys of some people, all different, to their places by id as text.
    """

    width: int
    share: Fraction
    rounding: str
    order: Order

    def whole(self, count: Ints) -> Ints:
        """How many are wholly in the top."""
        p, q = self.share.numerator, self.share.denominator
        return (count * p + (q - 1 if self.rounding == "ceil" else 0)) // q

    def reach(self, count: Ints) -> Ints:
        """How many are in it, wholly or in part."""
        p, q = self.share.numerator, self.share.denominator
        return (count * p + (0 if self.rounding == "floor" else q - 1)) // q

    def part(self, count: Ints) -> NDArray[np.float64]:
        """Which part of the last one is in it."""
        p, q = self.share.numerator, self.share.denominator
        return (count * p % q).astype(np.float64) / float(q)


def sum_here(rows: pa.Table, how: Ranking) -> dict[str, pa.Table]:
    """
    Sum a period's rows.

    Parameters
    ----------
    rows
        As `narrow` gives them, one period.
    how
        How to rank.

    Returns
    -------
    By name what `months.sums` makes in the engine, with 0 in the place of nulls.

    Raises
    ------
    NotHereError
        If the engine must do it.
    """
    reason, amount = _numbers(rows, "reason"), _numbers(rows, "amount")
    size = max(int(amount.max(initial=0)), -int(amount.min(initial=0)))
    if len(rows) * max(size, how.share.denominator + how.share.numerator) > LARGEST:
        raise NotHereError
    sent, deals = _numbers(rows, "sent"), _ids(rows, "transaction")
    valid = np.flatnonzero((reason == KEPT) | (reason >= FIRST_RANKED))
    by_origin = _in_order(sent, valid)
    sales = _sales(by_origin, amount, deals)
    inside = _inside(sales["cell"], how.width)
    cells = {name: values[inside] for name, values in sales.items()}
    for who, flow in (("seller", "sent"), ("buyer", "received")):
        ids = _ids(rows, who)
        if ids is not None:
            at = by_origin if who == "seller" else _in_order(_numbers(rows, flow), valid)
            cells |= _ratios(who, group(at, ids, amount), how)
    back = _in_order(sent, np.flatnonzero(reason == CODE[REFUND]))
    out = {"cells": _with_refunds(cells, back, amount, how.width)}
    if "category" in rows.column_names:
        out["by_category"] = _by_category(rows, np.flatnonzero(reason == KEPT), sent, amount, deals)
    return out | {"reasons": _reasons(reason, amount)}


def _numbers(rows: pa.Table, name: str) -> Any:
    return rows[name].to_numpy()


def _ids(rows: pa.Table, name: str) -> Ids | None:
    if name not in rows.column_names:
        return None
    check = f"{name}_check"
    return Ids(key=_numbers(rows, name), check=_numbers(rows, check) if check in rows.column_names else None)


def _in_order(flow: Ints, rows: Ints) -> Flows:
    """Rows whose flow is known, by flow."""
    own = flow[rows]
    if own.min(initial=0) < 0:
        rows, own = rows[own >= 0], own[own >= 0]
    of, row = sort_pairs(own, rows)
    return Flows(flow=of, row=row)


def _starts(flow: Ints) -> Ints:
    """Where each flow begins."""
    return np.flatnonzero(np.concatenate(([True], flow[1:] != flow[:-1]))) if len(flow) else flow


def _inside(flow: Ints, width: int) -> Any:
    """Whether the panel holds the pair."""
    return flow % width != width - 1


def _sales(rows: Flows, amount: Ints, deals: Ids | None) -> dict[str, Any]:
    """Money, lines and deals by flow."""
    start = _starts(rows.flow)
    lines = np.diff(start, append=len(rows.flow))
    out = {"cell": rows.flow[start], "trade_minor": _sums(amount[rows.row], start), "lines": lines, "deals": lines}
    if deals is not None:
        found = group(rows, deals, amount).flow
        out["deals"] = np.diff(_starts(found), append=len(found))
    return out


def _sums(values: Any, start: Ints) -> Any:
    return np.add.reduceat(values, start) if len(start) else values[:0]


def _ratios(who: str, sales: Groups, how: Ranking) -> dict[str, Any]:
    """What the largest of each flow in the panel have, flows in order of cells."""
    width, start = how.width, _starts(sales.flow)
    n = np.diff(start, append=len(sales.flow))
    people = group(Flows(flow=np.repeat(sales.flow[start] // width, n)), sales.ids, sales.money, which=True)
    whole, part, count_city = _largest(who, people, how)
    assert people.of is not None, "it was asked for"
    ordered = sort_within(np.repeat(np.arange(len(n)), n), sales.money)
    below = np.concatenate(([0], np.cumsum(ordered)))
    end, top = start + n, how.whole(n)
    flow = sales.flow[start]
    out = {
        "count": n,
        "top_city": _sums(np.where(whole[people.of], sales.money, 0), start),
        "count_city": count_city[people.of[start]],
        "count_flow": n,
        "first": ordered[end - 1],
        "second": np.where(n > 1, ordered[np.maximum(end - 2, start)], 0),
        "top_flow": below[end] - below[end - top],
    }
    if how.rounding == "fraction":
        out["part_city"] = _sums(part[people.of] * sales.money, start)
        out["part_flow"] = how.part(n) * ordered[np.maximum(end - top - 1, start)]
    inside = np.flatnonzero(_inside(flow, width))
    if who == "buyer":  # by home and the other end, where cells are by origin and destination
        inside = inside[np.argsort(flow[inside] % width * width + flow[inside] // width)]
    return {f"{who}_{name}": values[inside] for name, values in out.items()}


def _largest(who: str, people: Groups, how: Ranking) -> tuple[NDArray[np.bool_], NDArray[np.float64], Ints]:
    """Who is in the top of a city, wholly or by which part, and how many are ranked there."""
    start = _starts(people.flow)
    n = np.diff(start, append=len(people.flow))
    city = np.repeat(np.arange(len(n)), n)
    ordered = sort_within(city, people.money)
    whole, reach = how.whole(n), how.reach(n)
    last = np.where(reach > 0, ordered[np.minimum(start + n - reach, len(ordered) - 1)], LARGEST)[city]
    inside, equal = people.money > last, np.flatnonzero(people.money == last)
    before = _sums(inside.astype(np.int64), start)
    rank = before[city[equal]]
    ties = np.bincount(city[equal], minlength=len(n))
    open_ = (ties > 1) & (before + ties > whole)
    asked = open_[city[equal]]
    if asked.any():
        keys, at = np.unique(people.ids.key[equal[asked]], return_inverse=True)
        place = np.zeros(len(equal), np.int64)
        place[asked] = how.order(who, keys)[at]
        equal = equal[np.lexsort((place, city[equal]))]
    rank = rank + np.arange(len(equal)) - (np.cumsum(ties) - ties)[city[equal]]
    inside[equal] = rank < whole[city[equal]]
    part = np.zeros(len(inside))
    partly = equal[(rank >= whole[city[equal]]) & (rank < reach[city[equal]])]
    part[partly] = how.part(n)[city[partly]]
    return inside, part, n[city]


def _with_refunds(cells: Mapping[str, Any], rows: Flows, amount: Ints, width: int) -> pa.Table:
    """Add refunds to the cells with sales, and the cells that have nothing else."""
    start = _starts(rows.flow)
    back, money = rows.flow[start], -_sums(amount[rows.row], start)
    inside = _inside(back, width)
    back, money = back[inside], money[inside]
    both = np.sort(np.concatenate((cells["cell"], back)))
    cell = both[_starts(both)]
    columns = {name: _at(cell, cells["cell"], values) for name, values in cells.items()}
    return pa.table(columns | {"cell": cell, "refunds_minor": _at(cell, back, money)})


def _at(cell: Ints, own: Ints, values: Any) -> Any:
    """Values where their cells are, 0 elsewhere."""
    out = np.zeros(len(cell), values.dtype)
    out[np.searchsorted(cell, own)] = values
    return out


def _by_category(rows: pa.Table, kept: Ints, sent: Ints, amount: Ints, deals: Ids | None) -> pa.Table:
    """Sum sales by cell and category."""
    text = rows["category"].combine_chunks().dictionary_encode()
    names = text.dictionary
    sales = _sales(_in_order(sent * len(names) + np.asarray(text.indices), kept), amount, deals)
    cell, category = np.divmod(sales.pop("cell"), max(len(names), 1))
    return pa.table({"cell": cell, "category": names.take(pa.array(category))} | sales)


def _reasons(reason: Any, amount: Ints) -> pa.Table:
    """Rows and money by reason of the rows that are not kept."""
    lost = np.flatnonzero(reason != KEPT)
    codes, at = np.unique(reason[lost], return_inverse=True)
    money = np.zeros(len(codes), np.int64)
    np.add.at(money, at, amount[lost])
    return pa.table({"reason": codes, "rows": np.bincount(at, minlength=len(codes)), "amount": money})
