"""The files of a log: which they are, and what their headers and footers say."""

import csv
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tradelift.errors import DataError
from tradelift.study.databases import Database, is_database, read_address

CSV_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
DELIMITERS = (",", ";", "\t", "|")
LONGEST_SHOWN = 80  # letters of a pattern in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """
    Rows of a Parquet file that its footer describes together.

    Parameters
    ----------
    rows
        How many.
    low, high
        Bounds of the time column, local without a zone or in UTC; None where the footer does not say.
    holes
        Whether the time may be null in some of them.
    """

    rows: int
    low: datetime | None
    high: datetime | None
    holes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """
    One file.

    Parameters
    ----------
    path
        Where it stands.
    columns
        Name to kind: "text", "integer", "number", "time" (local), "instant" (with a zone), "date", "boolean", another
        type's name, or None where all is null.
    folders
        The columns that folders named key=value give.
    spans
        Its rows, if it is Parquet; those of a CSV file are counted when they are read.
    delimiter
        Of a CSV file; None for Parquet.
    types
        Name to Arrow's type, if it is Parquet.
    database
        The table, if it is none of a file.
    """

    path: Path
    columns: Mapping[str, str | None]
    folders: Mapping[str, str]
    spans: tuple[Span, ...] = ()
    delimiter: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    database: Database | None = None

    @property
    def rows(self) -> int:
        """Rows that the footer promises."""
        return sum(span.rows for span in self.spans)

    @property
    def short(self) -> str:
        """The last two steps of its path: part-0.parquet says little without its folder."""
        if self.database is not None:
            return self.database.name
        return "/".join(self.path.parts[-2:])


def find_files(patterns: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """
    All files that the patterns name, sorted, each once; none where the log is a table of a server.

    Parameters
    ----------
    patterns
        Paths or globs, absolute or from `folder`; a folder stands for all files below it.

    Raises
    ------
    DataError
        If a pattern matches no file.
    """
    database = find_database(patterns, folder)
    if database is not None:
        return () if database.file is None else (database.file,)
    found: set[Path] = set()
    for pattern in patterns:
        matches = _matches(pattern, folder)
        if not matches:
            msg = f"No log file matches '{pattern}' in {folder}. Check `files` under `transactions`."
            raise DataError(msg)
        found.update(matches)
    return tuple(sorted(found))


def find_database(patterns: Sequence[str], folder: Path) -> Database | None:
    """
    The table that stands in the place of files, if there is one.

    Raises
    ------
    DataError
        If there is anything beside it.
    """
    databases = [read_address(pattern) for pattern in patterns if is_database(pattern)]
    if not databases:
        return None
    if len(patterns) > 1:
        msg = (
            f"A log is either files or one table; found {databases[0].name} and {len(patterns) - 1} more under `files`."
        )
        raise DataError(msg)
    database = databases[0]
    return database if database.file is None else replace(database, file=folder / database.file)


def is_file(path: Path) -> bool:
    """Whether a file stands there; none does under a name that the system cannot have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder stands there."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _matches(pattern: str, folder: Path) -> list[Path]:
    try:
        return _found(pattern, folder)
    except (OSError, ValueError, NotImplementedError, RecursionError) as error:
        shown = pattern if len(pattern) < LONGEST_SHOWN else f"{pattern[:LONGEST_SHOWN]}..."
        reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        msg = f"'{shown}' is no name and no pattern of files: {reason}. Check `files` under `transactions`."
        raise DataError(msg) from None


def _found(pattern: str, folder: Path) -> list[Path]:
    path = folder / pattern
    if is_file(path):
        return [path]
    if path.is_dir():
        return [p for p in path.rglob("*") if p.is_file() and not _is_mark(p, path)]
    anchor = Path(path.anchor) if Path(pattern).is_absolute() else folder
    return [p for p in anchor.glob(str(path.relative_to(anchor))) if p.is_file() and not _is_mark(p, anchor)]


def _is_mark(path: Path, folder: Path) -> bool:
    """Whether a file is a writer's mark, such as _SUCCESS or .part-0.crc, and no data."""
    return any(part.startswith((".", "_")) and "=" not in part for part in path.relative_to(folder).parts)


def inspect(path: Path, folder: Path, time: str) -> LogFile:
    """
    Read the header of a CSV file or the footer of a Parquet file.

    Parameters
    ----------
    path
        The file.
    folder
        Where the study lies; folders below it named key=value give columns.
    time
        Name of the time column, whose bounds are wanted.

    Raises
    ------
    DataError
        If the file cannot be read or is neither Parquet nor CSV.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        msg = f"The log file {path} cannot be read: {error.strerror}."
        raise DataError(msg) from None
    folders = _folders(path, folder)
    if start == b"PAR1":
        return _parquet(path, folders, time)
    if path.suffix == ".parquet":
        msg = f"The log file {path} is no Parquet file, or it is corrupt: it does not begin with PAR1. Write it anew."
        raise DataError(msg)
    if path.name.lower().endswith(CSV_ENDINGS):
        return _csv(path, folders)
    msg = f"The log file {path} is neither Parquet nor CSV; give files that end in .parquet, .csv or .csv.gz."
    raise DataError(msg)


def _folders(path: Path, folder: Path) -> dict[str, str]:
    parts = path.relative_to(folder).parts[:-1] if path.is_relative_to(folder) else path.parts[1:-1]
    return {key: value for key, sep, value in (part.partition("=") for part in parts) if sep and key}


def _csv(path: Path, folders: Mapping[str, str]) -> LogFile:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = file.readline()
    except (OSError, UnicodeDecodeError, EOFError):
        msg = f"The log file {path} cannot be read as text in UTF-8; convert it, or check that it is whole."
        raise DataError(msg) from None
    if not header.strip():
        msg = f"The log file {path} is empty: it has no header line."
        raise DataError(msg)
    delimiter = delimiter_of(header)
    names = next(csv.reader([header.rstrip("\r\n")], delimiter=delimiter))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"The log file {path} has two columns named '{repeated[0]}'; rename one."
        raise DataError(msg)
    return LogFile(path=path, columns=dict.fromkeys(names, "text"), folders=folders, delimiter=delimiter)


def delimiter_of(header: str) -> str:
    """What parts the fields of a CSV file, by its header outside of quotes."""
    return max(DELIMITERS, key=re.sub(r'"[^"]*"', "", header).count)


def _parquet(path: Path, folders: Mapping[str, str], time: str) -> LogFile:
    try:
        with pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
            leaf = {metadata.schema.column(k).path: k for k in range(metadata.num_columns)}.get(time)
            spans = tuple(_span(metadata.row_group(k), leaf) for k in range(metadata.num_row_groups))
    except (pa.ArrowException, OSError):
        msg = f"The log file {path} is corrupt or truncated: its Parquet footer cannot be read. Write it anew."
        raise DataError(msg) from None
    return LogFile(
        path=path,
        columns={f.name: kind_of(f.type) for f in schema},
        folders=folders,
        spans=spans,
        types={f.name: str(f.type) for f in schema},
    )


KINDS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("text", (pt.is_string, pt.is_large_string, pt.is_string_view, pt.is_binary, pt.is_large_binary)),
    ("integer", (pt.is_integer,)),
    ("number", (pt.is_floating, pt.is_decimal)),
    ("boolean", (pt.is_boolean,)),
    ("date", (pt.is_date,)),
)


def kind_of(kind: pa.DataType) -> str | None:
    """What messages call a type."""
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if pt.is_null(kind):
        return None
    if pt.is_timestamp(kind):
        return "time" if kind.tz is None else "instant"
    return next((name for name, tests in KINDS if any(test(kind) for test in tests)), str(kind))


def _span(group: Any, leaf: int | None) -> Span:
    """What the footer says of a row group."""
    statistics = group.column(leaf).statistics if leaf is not None else None
    if statistics is None or not statistics.has_min_max:
        empty = statistics is not None and statistics.has_null_count and statistics.null_count == group.num_rows
        never = datetime.max if empty else None  # noqa: DTZ901 - no period overlaps
        return Span(rows=group.num_rows, low=never, high=never, holes=True)
    low, high = _bounds(statistics)
    return Span(
        rows=group.num_rows,
        low=low,
        high=high,
        holes=not statistics.has_null_count or statistics.null_count > 0,
    )


def _bounds(statistics: Any) -> tuple[datetime | None, datetime | None]:
    """The first moment and one after the last; None where it is not known, or in a year that no date here holds."""
    try:
        low, high = _moment(statistics.min), _moment(statistics.max)
        return low, None if high is None else high + timedelta(microseconds=1)  # for nanoseconds are cut off
    except (OverflowError, ValueError):
        return None, None


def _moment(value: Any) -> datetime | None:
    """A bound as a moment without a zone: local, or UTC where it had a zone."""
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a local day
    return None
