"""The reason of every row: from the columns of a log to ids as text, integer money and one code."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import ibis
from ibis.expr.types import Table, Value

from tradelift.log.contract import (
    CODE,
    DOMESTIC,
    DUPLICATE,
    KEPT,
    KEYS,
    LABELS,
    LARGEST,
    NO_CATEGORY,
    NULL_KEY,
    OUTSIDE,
    REFUND,
    SAME_SIDE,
    STATUS,
    UNKNOWN,
    UNPARSABLE,
    ZERO,
    Columns,
)
from tradelift.log.engine import number

WHOLE_NUMBER = 2**63 - 2**10  # the largest float that fits into 64 bits
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
DAY = r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
LOCAL_TEXT = rf"^{DAY}([ T]{CLOCK})?$"
INSTANT_TEXT = rf"^{DAY}[ T][0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?(Z| UTC|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$"
PARSED, LOCAL, INSTANT = "tradelift_time", "tradelift_local", "tradelift_instant"
"""Columns of times that were read from text; no column of a user has such a name."""

MONTH_TEXT = r"^[0-9]{4}-[0-9]{2}$"


def identifier(column: Value) -> Value:
    """An id that tells rows apart: integers as they are, all else as text."""
    kind = column.type()
    return column.cast("int64") if kind.is_integer() and kind != ibis.dtype("uint64") else text_id(column)


def text_id(column: Value) -> Value:
    """An id as text: 7 and 7.0 are "7", and the empty text is null."""
    kind = column.type()
    if kind.is_floating():
        column = ibis.ifelse(column.isnan(), ibis.null(kind), column)
        whole = (column == column.floor()) & (column.abs() <= number(WHOLE_NUMBER))
        small = ibis.ifelse(whole, column, ibis.null(kind)).cast("int64")
        return ibis.coalesce(small.cast("string"), column.cast("string"))
    if not kind.is_string():
        column = column.cast("string")
    return ibis.ifelse(column == "", ibis.null("string"), column)


def minor_units(column: Value, digits: int) -> Value:
    """
    Money as integers, halves rounded away from zero; null where it cannot be read, is not finite or is above 2^53.

    Floats and text are rounded after the product with 10^digits in double precision, decimals exactly.
    """
    kind, scale = column.type(), 10**digits
    if kind.is_integer():
        fits = column.between(-(LARGEST // scale), LARGEST // scale)
        return ibis.ifelse(fits, column, ibis.null(kind)).cast("int64") * scale
    if kind.is_decimal():
        fits = column.between(-(LARGEST // scale), LARGEST // scale)
        exact = ibis.ifelse(fits, column, ibis.null(kind)).cast(f"decimal(20, {digits})")
        return (exact * scale).cast("int64")
    if kind.is_string():
        text = column.strip()
        text = ibis.ifelse(text.re_search(NUMBER), text, ibis.null("string"))
        column = text.try_cast("float64")
    product = column.cast("float64") * number(scale)
    fits = product.abs() <= number(LARGEST)  # to engines NaN is larger than any number
    return ibis.ifelse(fits, product, ibis.null("float64")).round().cast("int64")


def parse_times(column: Value) -> dict[str, Value]:
    """
    Read times that are text.

    Returns
    -------
    `LOCAL` for "2017-01-05", "2017-01-05 10:30:00", "2017-01" and their like, and `INSTANT` in UTC where the text ends
    in a zone; null where it is of another form.
    """
    text = column.strip().replace("/", "-")
    month = ibis.ifelse(text.re_search(MONTH_TEXT), text + "-01", text)
    local = ibis.ifelse(month.re_search(LOCAL_TEXT), month, ibis.null("string"))
    zoned = ibis.ifelse(text.re_search(INSTANT_TEXT), text, ibis.null("string"))
    return {
        LOCAL: local.try_cast("timestamp"),
        INSTANT: zoned.try_cast("timestamp('UTC')").cast("timestamp"),
    }


def normalise(rows: Table, columns: Columns, digits: int, window: tuple[datetime, datetime]) -> dict[str, Value]:
    """
    The columns of a log by role.

    Returns
    -------
    Ids (regions, categories and status as text, which may be empty), `amount` in minor units (null where it cannot be
    read), `time` without a zone (local, or UTC where the log has zones; null where it cannot be read), `time_given`,
    `time_read` and `outside` of the window.
    """
    texts = {"origin", "destination", "category", "status", "currency"}
    out = {}
    for role in (*KEYS, *LABELS):
        if role in columns:
            column = rows[columns.names[role]]
            as_it_is = column.type().is_string()  # what is empty is told by `own_reason`: to rewrite texts takes longer
            out[role] = column if as_it_is else (text_id if role in texts else identifier)(column)
    if "category" in columns:
        out["category"] = ibis.coalesce(text_id(out["category"]), NO_CATEGORY)
    out["amount"] = minor_units(rows[columns.names["amount"]], digits)
    given = rows[columns.names["time"]]
    name = PARSED if PARSED in rows.columns else columns.names["time"]
    # a file may hold no time at all, and then its column has no type of time
    timely = rows[name].type().is_timestamp() or rows[name].type().is_date()
    out["time"] = rows[name].cast("timestamp") if timely else ibis.null("timestamp")
    out["time_given"] = given.notnull() & (given.strip() != "") if given.type().is_string() else given.notnull()
    out["time_read"] = rows[name].notnull() if timely else ibis.literal(False)
    # the column as it is, since to take a zone off costs more than all else
    low, high = (moment(bound, rows, name) for bound in window)
    out["outside"] = (rows[name] < low) | (rows[name] >= high) if timely else ibis.literal(False)
    return out


def moment(bound: datetime, rows: Table, column: str) -> Value:
    """A bound of a period as the time column is typed, so that files' statistics serve."""
    zoned = rows[column].type().is_timestamp() and rows[column].type().timezone is not None
    return ibis.literal(bound.replace(tzinfo=UTC) if zoned else bound)


def own_reason(rows: Table, columns: Columns, keep: Mapping[str, tuple[str, ...]]) -> Value:
    """The code of the first reason that a row gives by itself; `KEPT` where there is none."""
    cases: list[tuple[Any, int]] = []
    missing = ~rows.time_given
    for role in columns.keys:
        missing |= rows[role].isnull()
        if rows[role].type().is_string():
            missing |= rows[role] == ""
    cases.append((missing, CODE[NULL_KEY]))
    cases.append((~rows.time_read | rows.amount.isnull(), CODE[UNPARSABLE]))
    cases.append((rows.outside, CODE[OUTSIDE]))
    for role, values in keep.items():
        wanted = [value for value in values if value]  # an empty text is none
        cases.append((~ibis.coalesce(rows[role].isin(wanted), False), CODE[STATUS]))
    cases.append((rows.amount == 0, CODE[ZERO]))
    return ibis.cases(*cases, else_=KEPT).cast("int8")


def panel_pair(rows: Table, *, two_sided: bool, domestic: bool) -> Value:
    """Whether the panel holds a row's pair of regions; what is unknown is null, and so is a comparison with it."""
    if two_sided:
        return ibis.coalesce(rows.o_side != rows.d_side, False)
    if domestic:
        return rows.o.notnull() & rows.d.notnull()
    return ibis.coalesce(rows.o != rows.d, False)


def final_reason(rows: Table, *, two_sided: bool) -> Value:
    """Add to `own_reason` and `duplicate` what `panel_pair` says; see `REASONS` for the order."""
    return ibis.cases(
        (rows.own_reason != KEPT, rows.own_reason),
        (rows.duplicate, CODE[DUPLICATE]),
        (rows.amount < 0, CODE[REFUND]),
        (rows.o.isnull() | rows.d.isnull(), CODE[UNKNOWN]),
        (~rows.in_panel, CODE[SAME_SIDE] if two_sided else CODE[DOMESTIC]),
        else_=KEPT,
    ).cast("int8")
