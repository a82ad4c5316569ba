"""
The rows of a log by period: read from Parquet files in place where their footers say what lies where, else copied once.

A file belongs to a period if the bounds of its time column overlap it, whatever its folder is called: a folder of one
month may hold rows of its neighbours. Text times, CSV files and large Parquet files without order in time are copied
into the engine first, since every period would otherwise read all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import ibis
from ibis.expr.types import Table

from tradelift.errors import DataError
from tradelift.log.contract import Columns, check_column, check_kind, common_kind
from tradelift.log.engine import Engine
from tradelift.log.files import LogFile
from tradelift.log.quality import INSTANT, LOCAL, PARSED, moment, parse_times, text_id
from tradelift.study.databases import Database

COPY = "log_rows"
EXACT = "decimal(38, 18)"  # money of a database, which has as many digits as it likes
COPY_FROM_ROWS = 1_000_000
COPY_FROM_READS = 3.0
"""A Parquet log above so many rows, of which the periods would read each so many times, is copied."""

Bounds = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    Where the rows are.

    Parameters
    ----------
    files
        The Parquet files to read in place; none of them where the rows were copied.
    columns
        Roles, names and kinds.
    zoned
        Whether times are instants; bounds are then in UTC, else local.
    rows
        Rows of the log.
    folders
        Whether folders named key=value give columns.
    schema
        Types of the columns over all files that are read in place.
    copy
        The rows, where they were copied.
    """

    engine: Engine
    files: tuple[LogFile, ...]
    columns: Columns
    zoned: bool
    rows: int
    folders: bool = False
    schema: Any = None
    copy: Table | None = None

    @property
    def all(self) -> Table:
        """Every row."""
        return self.copy if self.copy is not None else self._read(self.files)

    @property
    def _time(self) -> str:
        return PARSED if self.copy is not None else self.columns.names["time"]

    def within(self, bounds: Bounds) -> Table | None:
        """Rows with a time from the first bound to before the second; None where no file has any."""
        files = [f for f in self.files if any(overlaps(s, bounds) for s in f.spans)]
        if self.copy is None and not files:
            return None
        rows = self.copy if self.copy is not None else self._read(files)
        time = rows[self._time]
        return rows.filter(time >= moment(bounds[0], rows, self._time), time < moment(bounds[1], rows, self._time))

    def without(self, bounds: Bounds) -> Table | None:
        """All other rows."""
        files = [f for f in self.files if any(_leaves(s, bounds) for s in f.spans)]
        if self.copy is None and not files:
            return None
        rows = self.copy if self.copy is not None else self._read(files)
        time = rows[self._time]
        if not (time.type().is_timestamp() or time.type().is_date()):
            return rows
        low, high = (moment(b, rows, self._time) for b in bounds)
        return rows.filter(time.isnull() | (time < low) | (time >= high))

    def span(self) -> tuple[datetime | None, datetime | None]:
        """The first and the last time."""
        rows = self.all
        time = rows[self._time].cast("timestamp")
        row = self.engine.one(rows.agg(low=time.min(), high=time.max()))
        return row["low"], row["high"]

    def reads(self, periods: Sequence[Bounds]) -> float:
        """How many times a row is read in place, on average."""
        spans = [s for f in self.files for s in f.spans]
        read = sum(s.rows for s in spans for bounds in periods if overlaps(s, bounds))
        return read / max(self.rows, 1)

    def _read(self, files: Sequence[LogFile]) -> Table:
        """Some of the files, with the columns of all."""
        rows = self.engine.parquet(files, folders=self.folders)
        if len(files) == len(self.files):
            return rows
        if rows.schema() == self.schema:
            return rows
        return rows.select(**{name: _as(rows, name, kind) for name, kind in self.schema.items()})


def _as(rows: Table, name: str, kind: Any) -> Any:
    """A column in the type that it has over all files; one without any value has no type of its own."""
    if name not in rows.columns or (kind.is_temporal() and not rows[name].type().is_temporal()):
        return ibis.null(kind)
    return rows[name].cast(kind)


def overlaps(span: Any, bounds: Bounds) -> bool:
    """Whether rows that a footer describes together may lie between two bounds; where it does not say, they may."""
    return span.low is None or span.high is None or (span.low < bounds[1] and span.high >= bounds[0])


def _leaves(span: Any, bounds: Bounds) -> bool:
    return span.holes or span.low is None or span.high is None or span.low < bounds[0] or span.high >= bounds[1]


def columns_of(files: Sequence[LogFile], names: Mapping[str, str]) -> Columns:
    """
    Find the mapped columns in every file, and check that each is of one kind.

    Raises
    ------
    DataError
        If a column is missing, of a type that its role cannot have, or of different types, or there are both Parquet
        and CSV files.
    """
    csv = [f for f in files if f.delimiter is not None]
    if csv and len(csv) < len(files):
        msg = (
            f"The log holds both CSV files ({csv[0].short}) and Parquet files; give one kind, "
            "or a narrower pattern under `files`."
        )
        raise DataError(msg)
    kinds: dict[str, str] = {}
    for role, name in names.items():
        found: dict[str, str] = {}
        for file in files:
            if name not in file.columns and name in file.folders:
                found[file.short] = "text"
                continue
            check_column(name, [*file.columns, *file.folders], str(file.path))
            kind = file.columns[name]
            if kind is not None:
                check_kind(role, name, kind, str(file.path))
                found[file.short] = kind
        kinds[role] = common_kind(role, name, found)
    every = tuple(dict.fromkeys(name for file in files for name in file.columns))
    return Columns(names=names, kinds=kinds, every=every)


def open_source(engine: Engine, files: tuple[LogFile, ...], columns: Columns) -> Source:
    """
    Look at the log; copy it where its times are text.

    Raises
    ------
    DataError
        If the log has no rows, or a file cannot be read.
    """
    if files[0].database is not None:
        return _nonempty(_from_database(engine, files[0], files[0].database, columns), files)
    csv = files[0].delimiter is not None
    folders = not csv and any(name not in f.columns for f in files for name in columns.names.values())
    source = Source(
        engine=engine,
        files=files,
        columns=columns,
        zoned=columns.kinds["time"] == "instant",
        rows=sum(f.rows for f in files),
        folders=folders,
        schema=None if csv else engine.parquet(files, folders=folders).schema(),
    )
    if csv or columns.kinds["time"] == "text":
        source = copied(source)
    return _nonempty(source, files)


def _nonempty(source: Source, files: Sequence[LogFile]) -> Source:
    if not source.rows:
        msg = f"The log is empty: its {len(files)} file(s) hold no rows."
        raise DataError(msg)
    return source


def copied(source: Source) -> Source:
    """
    Copy the rows into the engine, with their times read.

    Raises
    ------
    DataError
        If a file cannot be read, or some times name a zone and others do not.
    """
    engine, columns, csv = source.engine, source.columns, source.files[0].delimiter is not None
    table = engine.gather(COPY, _parts(source, csv=csv), large=COPY_FROM_ROWS)
    rows = engine.one(table.agg(rows=table.count()))["rows"] if csv else source.rows
    return _with_times(engine, table, columns, rows)


def _with_times(engine: Engine, table: Table, columns: Columns, rows: int) -> Source:
    """Rows whose times have been read, as `_times` does."""
    zoned = columns.kinds["time"] == "instant"
    if columns.kinds["time"] == "text":
        zoned = _text_is_zoned(engine, table, columns.names["time"])
        table = table.mutate(**{PARSED: table[INSTANT if zoned else LOCAL]})
    return Source(engine=engine, files=(), columns=columns, zoned=zoned, rows=rows, copy=table)


def _from_database(engine: Engine, file: LogFile, database: Database, columns: Columns) -> Source:
    """A table of a database: DuckDB's is read in place, unless its times are text; any other is copied."""
    name = columns.names["amount"]
    with engine.database(database, name) as (table, rows):
        chosen = table.select(**_needed(table, columns), **_times(table, columns))
        if table[name].type().is_string() and file.columns[name] == "number":
            chosen = chosen.mutate(**{name: chosen[name].try_cast(EXACT)})
        if database.file is None or columns.kinds["time"] == "text":
            chosen = engine.gather(COPY, [(None, chosen)], large=COPY_FROM_ROWS)
        return _with_times(engine, chosen, columns, rows)


def _text_is_zoned(engine: Engine, table: Table, name: str) -> bool:
    """Whether times in text carry a zone; some with and some without is an error."""
    counts = engine.one(table.agg(zoned=table[INSTANT].count(), local=table[LOCAL].count()))
    if counts["zoned"] and counts["local"]:
        msg = (
            f"The time column '{name}' has mixed types: {counts['zoned']:,} times with a zone and "
            f"{counts['local']:,} without. Write all of them with a zone, or all in local time."
        )
        raise DataError(msg)
    return bool(counts["zoned"])


def _parts(source: Source, *, csv: bool) -> Iterator[tuple[Path | None, Table]]:
    """The rows to copy: all Parquet files together, CSV files one by one."""
    columns = source.columns
    for file in source.files if csv else source.files[:1]:
        rows = _read_csv(source.engine, file, columns) if csv else source.all
        yield file.path if csv else None, rows.select(**_needed(rows, columns), **_times(rows, columns))


def _read_csv(engine: Engine, file: LogFile, columns: Columns) -> Table:
    """A CSV file with the columns of all files and of its folders."""
    rows = engine.csv(file.path, list(file.columns), file.delimiter or ",")
    mapped = columns.names.values()
    extra = {
        name: ibis.literal(value) for name, value in file.folders.items() if name in mapped and name not in file.columns
    }
    absent = {name: ibis.null("string") for name in columns.every if name not in file.columns}
    return rows.mutate(**absent, **extra)


def _needed(rows: Table, columns: Columns) -> dict[str, Any]:
    """The mapped columns, or all where a duplicate is a row that equals another."""
    names = set(columns.names.values()) if columns.has_line_ids else {*columns.names.values(), *columns.every}
    return {name: rows[name] for name in sorted(names)}


def _times(rows: Table, columns: Columns) -> dict[str, Any]:
    time = rows[columns.names["time"]]
    if columns.kinds["time"] == "text":
        return parse_times(text_id(time))
    return {PARSED: time.cast("timestamp")}
