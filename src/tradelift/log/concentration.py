"""
The share of the largest sellers, or buyers, of a cell, in both readings.

`flow` ranks them by their sales within the cell. `city` ranks the sellers of the origin (buyers of the destination) by
all their sales in the period, to whatever destination, also to regions that the panel does not hold.

Who is large in a city is found by counting how many stand on each step of money, and ranking only those on the step of
the last place, where ids decide ties. Within a flow it does not matter to the money of the top which of two equals is
in it, so there a sorted list of money says all.
"""

from fractions import Fraction
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from tradelift.log.contract import CODE, KEPT, UNKNOWN
from tradelift.log.engine import Engine, number, total

FIRST_RANKED = CODE[UNKNOWN]
"""With the reasons after it and none, the sales that count for a city's ranking: all that are valid by themselves."""


def concentrate(engine: Engine, rows: Table, who: str, flow: str, width: int, share: Fraction, rounding: str) -> Table:
    """
    The money of the largest sellers or buyers by cell.

    Parameters
    ----------
    rows
        Sorted rows: `amount`, `reason` and the columns `who` and `flow`.
    who
        "seller" or "buyer".
    flow
        "sent" for sellers, "received" for buyers.
    width
        The base of `flow`: its last digit is width - 1 for sales outside the panel, the others are the place.
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
    valid = rows.filter(((rows.reason == KEPT) | (rows.reason >= FIRST_RANKED)) & rows[flow].notnull())
    sales = valid.select(valid[who], valid.amount, flow=valid[flow])
    sales = sales.group_by(["flow", who]).agg(money=total(sales.amount))
    sales = sales.mutate(place=sales.flow // width)
    totals = sales.group_by(["place", who]).agg(total=total(sales.money))
    totals = totals.mutate(step=_step(totals.total))
    steps = totals.group_by(["place", "step"]).agg(n=totals.count())
    large = _largest(totals, steps, who, share, rounding)
    held = sales.filter(sales.flow % width != width - 1).left_join(large, ["place", who])
    sums: dict[str, Any] = {
        "place": held.place.max(),
        "count": held.count(),
        "top_city": total(ibis.ifelse(held.whole, held.money, 0)),
        "ordered": engine.in_order(held.money),
    }
    if rounding == "fraction":
        sums["part_city"] = (ibis.coalesce(held.part, number(0)) * held.money).sum()
    cells = held.group_by("flow").agg(**sums)
    cells = cells.join(steps.group_by("place").agg(count_city=total(steps.n)), "place")
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


def _step(money: Value) -> Value:
    """
    A step that grows with the money, some fifty to a factor of a thousand.

    IEEE wants square roots correctly rounded, so that more money never stands on a lower step.
    """
    return money.cast("float64").sqrt().sqrt().floor().cast("int64")


def _largest(totals: Table, steps: Table, who: str, share: Fraction, rounding: str) -> Table:
    """
    Who is in the top of a city, wholly or in part; ties by id as text.

    How many stand on each step says on which the last place lies, so that only those on it and above are ranked.
    """
    down = ibis.window(group_by="place", order_by=steps.step.desc(), preceding=None, following=0)
    steps = steps.mutate(through=total(steps.n).over(down), count=total(steps.n).over(ibis.window(group_by="place")))
    reach = _whole(steps["count"], share, "ceil" if rounding == "fraction" else rounding)
    steps = steps.mutate(reach=reach)
    last = steps.filter((steps.through - steps.n < steps.reach) & (steps.reach <= steps.through))
    last = last.select(
        "place", "reach", last="step",
        whole=_whole(last["count"], share, rounding), part=_part(last["count"], share),
    )  # fmt: skip
    near = totals.join(last, [totals.place == last.place, totals.step >= last["last"]])
    ids = near[who] if near[who].type().is_string() else near[who].cast("string")
    ties = ibis.ifelse(near.step == near["last"], ids, "")  # those above are in, in whatever order
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
