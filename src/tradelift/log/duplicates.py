"""
Duplicates over the whole log, whatever file or month they stand in.

One pass hashes what tells rows apart and keeps the hashes that occur more than once; only rows with such a hash, the
suspects, are compared and ranked, exactly. All other rows are unique, so that a period need not look at another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table, Value

from tradelift.log.contract import KEPT, Columns
from tradelift.log.engine import Engine
from tradelift.log.quality import identifier

RAW = "raw_"
HASH = "tradelift_hash"
ORDER = ("time", "amount", "origin", "destination", "seller", "buyer", "category", "status", "currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """
    What was found.

    Parameters
    ----------
    suspects
        All rows whose hash another row has as well, by role, with that `HASH`, `own_reason` and `duplicate`; None where
        no two rows are alike.
    """

    suspects: Table | None = None


def row_hash(engine: Engine, rows: Table, columns: Columns) -> Value:
    """A hash that is equal for duplicates."""
    if columns.has_line_ids:
        return engine.hash_two(*_line(rows, columns))
    total = engine.hash_two(ibis.literal(0), rows[columns.every[0]])
    for name in columns.every[1:]:
        total = engine.hash_two(total, rows[name])
    return total


def _line(rows: Table, columns: Columns) -> tuple[Value, Value]:
    """The ids of a row."""
    return identifier(rows[columns.names["transaction"]]), identifier(rows[columns.names["line"]])


def find_duplicates(
    engine: Engine, rows: Table, columns: Columns, by_role: Callable[[Table], Table], count: int
) -> Duplicates:
    """
    Find the duplicates among all rows of a log.

    Parameters
    ----------
    rows
        The log as it stands in the files.
    by_role
        From such rows to ids, money, `time` and `own_reason`, with the columns of the files beside if those tell rows
        apart, named raw_0 and so on, and `HASH`.
    count
        How many rows there are.
    """
    known = rows
    if columns.has_line_ids:  # without both ids a row is no copy
        known = rows.filter(*[value.notnull() for value in _line(rows, columns)])
    hashed = known.select(**{HASH: row_hash(engine, known, columns)})
    hashes = engine.repeated("repeated_hashes", hashed, count)
    if hashes is None:
        return Duplicates()
    some = rows.mutate(**{HASH: row_hash(engine, rows, columns)}).semi_join(hashes, HASH)
    return Duplicates(suspects=engine.keep("suspects", _marked(by_role(some), columns)))


def _marked(rows: Table, columns: Columns) -> Table:
    """Mark all but the first copy among the rows that are usable by themselves."""
    usable = rows.own_reason == KEPT
    raw = [name for name in rows.columns if name.startswith(RAW)]
    keys: list[Any] = [usable]
    keys += [rows.transaction, rows.line, rows.amount < 0] if columns.has_line_ids else [rows[name] for name in raw]
    order = [rows[name] for name in ORDER if name in rows.columns]
    place = ibis.row_number().over(ibis.window(group_by=keys, order_by=order))
    return rows.mutate(duplicate=usable & (place > 0)).drop(raw)


def marks(engine: Engine, found: Duplicates, spans: Sequence[tuple[datetime, datetime]]) -> dict[int, tuple[int, int]]:
    """
    What tells the duplicates of each period from others: how many there are, and the sum of their hashes.

    Parameters
    ----------
    spans
        First moment of each period and the first after it.

    Returns
    -------
    By the period's position; periods without duplicates are not in it.
    """
    if found.suspects is None:
        return {}
    starts, ends = zip(*spans, strict=True)
    bounds = pa.table({"period": range(len(spans)), "start": starts, "end": ends})
    periods = engine.memory("period_bounds", bounds)
    rows = found.suspects.filter(found.suspects.duplicate)
    total = ibis.literal(0)
    for name in (*ORDER, "transaction", "line"):
        total = engine.hash_two(total, rows[name]) if name in rows.columns else total
    rows = rows.select("time", hash=total.cast("decimal(38, 0)"))
    inside = rows.join(periods, [rows.time >= periods.start, rows.time < periods.end])
    counted = engine.fetch(inside.group_by("period").agg(rows=inside.count(), hash=inside.hash.sum()))
    return {row["period"]: (row["rows"], int(row["hash"])) for row in counted.to_pylist()}
