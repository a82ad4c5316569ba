"""
The share of the largest sellers, or buyers, of a cell, in both readings.

`flow` ranks them by their sales within the cell. `city` ranks the sellers of the origin (buyers of the destination) by
all their sales in the period, to whatever destination, also to regions that the panel does not hold.
"""

from fractions import Fraction
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from tradelift.log.contract import CODE, DOMESTIC, KEPT, SAME_SIDE, UNKNOWN

RANKED = (KEPT, CODE[UNKNOWN], CODE[SAME_SIDE], CODE[DOMESTIC])
"""Sales that count for a city's ranking: all that are valid by themselves."""

NOWHERE = -1
"""The other end of sales outside the panel."""


def concentrate(rows: Table, who: str, home: str, share: Fraction, rounding: str) -> Table:
    """
    The money of the largest sellers or buyers by cell.

    Parameters
    ----------
    rows
        Sorted rows of one period: `o`, `d`, `amount`, `reason` and the column `who`.
    who
        "seller" or "buyer".
    home
        "o" for sellers, "d" for buyers.
    share
        Which part of them is large: 1/10.
    rounding
        "floor": the floor(share N) largest, "ceil": that number rounded up, "fraction": a part of the next one as well.

    Returns
    -------
    By cell: `count` (how many), `first`, `second` (money of the largest two), and for each reading `count_flow`,
    `top_flow`, `part_flow` and `_city`: how many were ranked, the money of those wholly in the top, and of the part.
    """
    away = "d" if home == "o" else "o"
    valid = rows.filter(rows.reason.isin(list(RANKED)) & rows[home].notnull())
    far = ibis.ifelse(valid.reason == KEPT, valid[away], NOWHERE)
    flows = valid.select(valid[home], valid[who], valid.amount, far=far).group_by([home, "far", who])
    flows = flows.agg(money=ibis._.amount.sum())
    totals = flows.group_by([home, who]).agg(total=flows.money.sum())
    totals = _ranked(totals, [home], "total", who, "city").drop("total")
    held = _ranked(flows.filter(flows.far != NOWHERE), [home, "far"], "money", who, "flow")
    held = held.join(totals, [home, who])
    sums: dict[str, Any] = {
        "count": held.count(),
        "first": ibis.ifelse(held.rank_flow == 0, held.money, 0).sum(),
        "second": ibis.ifelse(held.rank_flow == 1, held.money, 0).sum(),
    }
    for reading in ("flow", "city"):
        rank, count = held[f"rank_{reading}"], held[f"ranked_{reading}"]
        sums[f"count_{reading}"] = count.max()
        sums[f"top_{reading}"] = ibis.ifelse(_whole(rank, count, share, rounding), held.money, 0).sum()
        sums[f"part_{reading}"] = (_part(rank, count, share, rounding) * held.money).sum()
    return held.group_by([home, "far"]).agg(**sums).rename({away: "far"})


def _ranked(rows: Table, group: list[str], by: str, who: str, reading: str) -> Table:
    """Add the rank (0 is the largest, ties by id as text) and how many there are."""
    ties = rows[who] if rows[who].type().is_string() else rows[who].cast("string")
    ordered = ibis.window(group_by=group, order_by=[rows[by].desc(), ties])
    return rows.mutate(
        **{
            f"rank_{reading}": ibis.row_number().over(ordered),
            f"ranked_{reading}": rows.count().over(ibis.window(group_by=group)),
        }
    )


def _whole(rank: Value, count: Value, share: Fraction, rounding: str) -> Value:
    """Whether one is wholly in the top; in integers, for .1 x 30 is above 3 in floats."""
    p, q = share.numerator, share.denominator
    if rounding == "ceil":
        return rank * q < count * p
    return (rank + 1) * q <= count * p


def _part(rank: Value, count: Value, share: Fraction, rounding: str) -> Value:
    """Which part of the marginal one is in the top; there is one in a ranking, so that no sum depends on its order."""
    if rounding != "fraction":
        return ibis.literal(0.0)
    p, q = share.numerator, share.denominator
    left = count * p - rank * q
    return ibis.ifelse((left > 0) & (left < q), left.cast("float64") / float(q), 0.0)
