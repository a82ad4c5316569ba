"""Rows of a period without ids: what the loops of this process are given of an engine."""

from typing import Any

import ibis
from ibis.expr.types import Table, Value

from tradelift.log.engine import Near
from tradelift.log.quality import identifier

WHO = ("seller", "buyer", "transaction")
OTHER = "~"  # before a text, for a second key of it
NOWHERE = -1


def narrow(near: Near, rows: Table) -> Table:
    """
    The numbers of rows that have been sorted out.

    Parameters
    ----------
    near
        The engine.
    rows
        As `sort_out` gives them.

    Returns
    -------
    `reason`; `amount`, 0 where there is none; `sent` and `received`, `NOWHERE` where an end is unknown; a key for each
    id, and `_check` beside it where ids are text; `category` where it is mapped.
    """
    keys: dict[str, Value] = {}
    for who in WHO:
        if who in rows.columns:
            keys[who] = near.key(rows[who])
            if rows[who].type().is_string():
                keys[f"{who}_check"] = near.key(ibis.literal(OTHER) + rows[who])
    return rows.select(
        "reason", *(["category"] if "category" in rows.columns else []),
        amount=ibis.coalesce(rows.amount, 0),
        sent=ibis.coalesce(rows.sent, NOWHERE),
        received=ibis.coalesce(rows.received, NOWHERE),
        **keys,
    )  # fmt: skip


def places_by_id(near: Near, column: Any, rows: Table, some: Table) -> Table:
    """
    Order people by their ids as text.

    Parameters
    ----------
    near
        The engine.
    column
        Their ids as they stand in the files.
    rows
        The column's.
    some
        `key` of those to order.

    Returns
    -------
    `key` and `place`, one row a person.
    """
    ids = identifier(column)
    people = rows.select(id=ids).filter(ids.notnull()).mutate(key=lambda t: near.key(t.id)).semi_join(some, "key")
    people = people.distinct()
    text = people.id if people.id.type().is_string() else people.id.cast("string")
    return people.select("key", place=ibis.row_number().over(ibis.window(order_by=text)))
