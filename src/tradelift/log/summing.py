"""The course of a log's summing: find duplicates once, then sum one period after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from ibis.expr.types import Table

from tradelift.errors import DataError
from tradelift.log.cells import published
from tradelift.log.contract import REASONS, Columns
from tradelift.log.duplicates import find_duplicates, marks
from tradelift.log.engine import Engine, EngineError
from tradelift.log.files import LogFile
from tradelift.log.months import Rules, Sorter, by_role
from tradelift.log.periods import Period, periods_between, to_utc, zone
from tradelift.log.quality import minor_units, text_id
from tradelift.log.source import COPY_FROM_READS, COPY_FROM_ROWS, Bounds, Source, copied, open_source, overlaps
from tradelift.log.store import PeriodStore
from tradelift.panel.regions import Regions
from tradelift.study.currency import MINOR_DIGITS
from tradelift.study.inputs import TransactionsInput

LARGEST_SUM = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """
    All that leaves the engine.

    Parameters
    ----------
    cells, by_category
        As `Log` has them; None where no file lies in the window.
    account
        Reason to rows and money in minor units, without the rows that are kept.
    read_rows, read_amount
        Of the whole log, counted apart from the periods.
    periods
        Labels of the window.
    """

    cells: pa.Table | None
    by_category: pa.Table | None
    account: Mapping[str, tuple[int, int]]
    read_rows: int
    read_amount: int
    periods: tuple[str, ...]


def sum_log(
    engine: Engine,
    files: tuple[LogFile, ...],
    columns: Columns,
    spec: TransactionsInput,
    regions: Regions | None,
    *,
    domestic: bool,
    progress: Callable[[str, int, int], None],
    store: PeriodStore | None = None,
) -> Sums:
    """
    Sum a log by period, or recall from a store what has not changed.

    Raises
    ------
    DataError
        If the log is empty, mixes currencies or kinds of time, or a file of it cannot be read.
    EngineError
        If the engine fails.
    """
    source = open_source(engine, files, columns)
    digits = MINOR_DIGITS[spec.currency]
    _one_currency(source, spec.currency)
    read_rows, read_amount = _totals(source, digits)
    periods = _periods(source, spec)
    bounds = [_bounds(p.start, p.end, source, spec.time_zone) for p in periods]
    if source.copy is None and source.rows > COPY_FROM_ROWS and source.reads(bounds) > COPY_FROM_READS:
        source = copied(source)
    ids, places = _places(source, regions)
    rules = Rules(
        keep=dict(zip(spec.keep, spec.keep.values(), strict=True)),
        digits=digits,
        window=(bounds[0][0], bounds[-1][1]),
        two_sided=regions is not None and regions.sides is not None,
        domestic=domestic,
        share=Fraction(str(spec.concentration.share)),
        rounding=spec.concentration.rounding,
        width=len(ids) + 1,
    )
    roles = partial(by_role, columns=columns, rules=rules, raw=True)
    found = find_duplicates(engine, source.all, columns, roles, source.rows)
    edges = [start for start, _ in bounds[1:]] if engine.at_once else []
    sorter = Sorter(engine, columns, rules, found, places, edges)
    known = files[0].database is None or files[0].database.file is not None  # what a server holds has no hash
    kept = (
        None if store is None or engine.at_once or not known else store.open(_definition(source, rules, ids, regions))
    )
    marked = {} if kept is None else marks(engine, found, bounds)
    account: dict[str, tuple[int, int]] = {}
    tables, categories = [], []
    spans = [rules.window] if engine.at_once else bounds
    labels = [p.label for p in periods]
    engine.expect(source.rows // len(spans))
    for k, span in enumerate(spans):
        progress("log", k, len(periods))
        rows = source.within(span)
        if rows is None:
            continue
        if kept is None:
            sums = sorter.period(rows, span)
        else:
            reaching = [f for f in files if not f.spans or any(overlaps(s, span) for s in f.spans)]
            sums = kept.sums(labels[k], span, reaching, marked.get(k), partial(sorter.period, rows, span))
        _count(account, sums.reasons)
        tables.append(published(sums.cells, labels[k:], ids, digits, spec.concentration))
        if sums.by_category is not None:
            categories.append(published(sums.by_category, labels[k:], ids, digits, spec.concentration))
    rest = source.without(rules.window)
    if rest is not None:
        _count(account, sorter.rest(rest, rules.window))
    progress("log", len(periods), len(periods))
    return Sums(
        cells=pa.concat_tables(tables) if tables else None,
        by_category=pa.concat_tables(categories) if categories else None,
        account=account,
        read_rows=read_rows,
        read_amount=read_amount,
        periods=tuple(labels),
    )


def _definition(source: Source, rules: Rules, ids: list[str], regions: Regions | None) -> dict[str, Any]:
    """All that decides about the sums of a period, besides its rows and their duplicates elsewhere."""
    columns = source.columns
    decided = {f.name: getattr(rules, f.name) for f in fields(rules) if f.name != "window"}  # a period lies within it
    return decided | {
        "keep": sorted(rules.keep.items()),
        "columns": [sorted(columns.names.items()), sorted(columns.kinds.items()), columns.every],
        "schema": str(source.schema),
        "zoned": source.zoned,
        "engine": type(source.engine).__name__,
        "ids": ids,
        "side": None if regions is None or regions.side is None else regions.side.tolist(),
    }


def _bounds(start: datetime, end: datetime, source: Source, time_zone: str) -> Bounds:
    """Where a local period begins and ends on the log's clock."""
    if not source.zoned:
        return start, end
    where = zone(time_zone)
    first, last = to_utc(start, where), to_utc(end, where)
    return first.replace(tzinfo=None), last.replace(tzinfo=None)


def _periods(source: Source, spec: TransactionsInput) -> tuple[Period, ...]:
    """The window that the study gives, or from the log's first period to its last."""
    if spec.from_ is not None and spec.to is not None:
        return periods_between(spec.from_, spec.to, spec.period)
    low, high = source.span()
    if low is None or high is None:
        name = source.columns.names["time"]
        msg = f"No time of the log can be read (column '{name}'). Write times as 2017-01-05 10:30:00."
        raise DataError(msg)
    first, last = (_local(moment, source, spec.time_zone) for moment in (low, high))
    return periods_between(spec.from_ or f"{first:%Y-%m}", spec.to or f"{last:%Y-%m}", spec.period)


def _local(moment: datetime, source: Source, time_zone: str) -> datetime:
    if not source.zoned:
        return moment
    return moment.replace(tzinfo=UTC).astimezone(zone(time_zone))


def _totals(source: Source, digits: int) -> tuple[int, int]:
    """
    Rows as the files promise them, and money over all rows that can be read.

    Engines that sum all periods at once may let a sum of 64 bits overflow unseen. None can where the sum of all amounts
    without their signs fits, so that one is taken in decimals.
    """
    rows = source.all
    amount = minor_units(rows[source.columns.names["amount"]], digits)
    sums = {"amount": amount.sum()}
    if source.engine.at_once:
        sums["size"] = amount.abs().cast("decimal(38, 0)").sum()
    found = source.engine.one(rows.agg(**sums))
    if int(found.get("size") or 0) > LARGEST_SUM:
        raise EngineError("overflow")
    return source.rows, int(found["amount"] or 0)


def _one_currency(source: Source, currency: str) -> None:
    """Refuse a log in another currency than the study's, or in several."""
    if "currency" not in source.columns:
        return
    rows = source.all
    codes = rows.select(code=text_id(rows[source.columns.names["currency"]]))
    found = source.engine.fetch(codes.group_by("code").agg(rows=codes.count()).order_by("code")).to_pylist()
    counts = {row["code"]: row["rows"] for row in found if row["code"] is not None}
    if set(counts) <= {currency}:
        return
    text = ", ".join(f"{code} in {n:,} rows" for code, n in list(counts.items())[:5])
    if len(counts) == 1:
        msg = f"The log is in another currency than the study's {currency}: {text}. Set `currency`, or convert it."
    else:
        msg = f"The log mixes {len(counts)} currencies: {text}. Convert the amounts to {currency} first."
    raise DataError(msg)


def _places(source: Source, regions: Regions | None) -> tuple[list[str], Table]:
    """The regions' ids, and a table of them for the engine."""
    if regions is None:
        rows = source.all
        roles = [rows.select(place=text_id(rows[source.columns.names[r]])) for r in ("origin", "destination")]
        named = source.engine.fetch(roles[0].distinct().union(roles[1].distinct(), distinct=True))
        ids = sorted(place for place in named["place"].to_pylist() if place is not None)
        side = np.zeros(len(ids), dtype=np.int64)
    else:
        ids = [str(region) for region in regions.ids]
        side = regions.side if regions.side is not None else np.zeros(len(ids), dtype=np.int64)
    table = pa.table(
        {
            "place": pa.array(ids, pa.string()),
            "code": pa.array(np.arange(len(ids)), pa.int32()),
            "side": pa.array(side, pa.int8()),
        }
    )
    return ids, source.engine.memory("places", table)


def _count(account: dict[str, tuple[int, int]], reasons: pa.Table) -> None:
    """Add a period's rows and money to those of the periods before it."""
    for row in reasons.to_pylist():
        reason = REASONS[row["reason"]]
        rows, amount = account.get(reason, (0, 0))
        account[reason] = (rows + row["rows"], amount + int(row["amount"]))
