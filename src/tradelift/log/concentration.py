"""
The share of the largest sellers, or buyers, of a cell, in both readings.

`flow` ranks them by their sales within the cell. `city` ranks the sellers of the origin (buyers of the destination) by
all their sales in the period, to whatever destination, also to regions that the panel does not hold.

Who is large is found by sorting money alone, in one list a flow and one a city. Ids decide only among those who tie for
the last place of a city, since within a flow it does not matter to the money of the top which of two equals is in it.
"""

from fractions import Fraction
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from tradelift.log.contract import CODE, DOMESTIC, KEPT, SAME_SIDE, UNKNOWN
from tradelift.log.engine import number, total

RANKED = (KEPT, CODE[UNKNOWN], CODE[SAME_SIDE], CODE[DOMESTIC])
"""Sales that count for a city's ranking: all that are valid by themselves."""


def concentrate(rows: Table, who: str, home: str, width: int, share: Fraction, rounding: str) -> Table:
    """
    The money of the largest sellers or buyers by cell.

    Parameters
    ----------
    rows
        Sorted rows: `p`, `o`, `d`, `amount`, `reason` and the column `who`.
    who
        "seller" or "buyer".
    home
        "o" for sellers, "d" for buyers.
    width
        More than any code of a region; the last one below it stands for sales outside the panel.
    share
        Which part of them is large: 1/10.
    rounding
        "floor": the floor(share N) largest, "ceil": that number rounded up, "fraction": a part of the next one as well.

    Returns
    -------
    By `flow` (period, home and the other end as one number): `count` (how many), `first`, `second` (money of the
    largest two), and for each reading `count_flow`, `top_flow`, `part_flow` and `_city`: how many were ranked, the
    money of those wholly in the top, and, with "fraction", of the part.
    """
    away = "d" if home == "o" else "o"
    valid = rows.filter(rows.reason.isin(list(RANKED)) & rows[home].notnull())
    far = ibis.ifelse(valid.reason == KEPT, valid[away], width - 1)
    place = valid.p * width + valid[home]
    sales = valid.select(valid[who], valid.amount, flow=place * width + far)
    sales = sales.group_by(["flow", who]).agg(money=total(sales.amount))
    sales = sales.mutate(place=sales.flow // width)
    totals = sales.group_by(["place", who]).agg(total=total(sales.money))
    large = _largest(totals, who, share, rounding)
    held = sales.filter(sales.flow % width != width - 1).left_join(large, ["place", who])
    sums: dict[str, Any] = {
        "place": held.place.max(),
        "count": held.count(),
        "top_city": ibis.ifelse(held.whole, held.money, 0).sum(),
        "ordered": held.money.collect().sort(),
    }
    if rounding == "fraction":
        sums["part_city"] = (ibis.coalesce(held.part, number(0)) * held.money).sum()
    cells = held.group_by("flow").agg(**sums)
    cells = cells.join(totals.group_by("place").agg(count_city=totals.count()), "place")
    return cells.select(
        "flow", "count", "top_city", "count_city",
        *(["part_city"] if rounding == "fraction" else []),
        count_flow=cells["count"],
        first=_at(cells.ordered, cells["count"] - 1),
        second=ibis.ifelse(cells["count"] > 1, _at(cells.ordered, cells["count"] - 2), 0),
        **_of_flow(cells.ordered, cells["count"], share, rounding),
    )  # fmt: skip


def _of_flow(ordered: Value, count: Value, share: Fraction, rounding: str) -> dict[str, Value]:
    """The money of the largest of a flow, of their amounts in order."""
    whole = _whole(count, share, rounding)
    top = ordered[(count - whole).cast("int32") : count.cast("int32")]
    out = {"top_flow": ibis.coalesce(top.sums(), 0)}
    if rounding == "fraction":
        out["part_flow"] = _part(count, share) * _at(ordered, count - whole - 1)
    return out


def _at(ordered: Value, place: Value) -> Value:
    """One amount of a list, counted from 0; the first where the place is before it."""
    return ordered[ibis.greatest(place, 0).cast("int32")]


def _largest(totals: Table, who: str, share: Fraction, rounding: str) -> Table:
    """Who is in the top of a city, wholly or in part; ties by id as text."""
    places = totals.group_by("place").agg(ordered=totals.total.collect().sort(), count=totals.count())
    whole = _whole(places["count"], share, rounding)
    reach = _whole(places["count"], share, "ceil" if rounding == "fraction" else rounding)
    places = places.mutate(whole=whole, reach=reach, part=_part(places["count"], share))
    places = places.filter(places.reach > 0)
    places = places.select("place", "whole", "reach", "part", least=_at(places.ordered, places["count"] - places.reach))
    near = totals.join(places, "place")
    near = near.filter(near.total >= near.least)
    ties = near[who] if near[who].type().is_string() else near[who].cast("string")
    near = near.mutate(rank=ibis.row_number().over(ibis.window(group_by="place", order_by=[near.total.desc(), ties])))
    near = near.filter(near["rank"] < near.reach)
    inside = near["rank"] < near.whole
    part = {"part": ibis.ifelse(inside, number(0), near.part)} if rounding == "fraction" else {}
    return near.select("place", who, whole=inside, **part)


def _whole(count: Value, share: Fraction, rounding: str) -> Value:
    """How many are wholly in the top; in integers, for .1 x 30 is above 3 in floats."""
    p, q = share.numerator, share.denominator
    return (count * p + (q - 1 if rounding == "ceil" else 0)) // q


def _part(count: Value, share: Fraction) -> Value:
    """Which part of the next one is in the top; there is one in a ranking, so that no sum depends on its order."""
    p, q = share.numerator, share.denominator
    return (count * p % q).cast("float64") / number(q)
