"""Parquet files by row group: which there are, and their key columns as codes, a batch at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.panel.frames import Coded, as_text, need

Array = NDArray[Any]
Ints = NDArray[np.int64]

ROLES = ("origin", "destination", "period", "category")
BATCH = 2**17  # rows decoded at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Names of the key columns in the files; period and category may be None."""

    origin: str
    destination: str
    period: str | None
    category: str | None

    @property
    def by_role(self) -> dict[str, str]:
        """Those that there are, in order: origin, destination, period, category."""
        given = zip(ROLES, (self.origin, self.destination, self.period, self.category), strict=True)
        return {role: name for role, name in given if name is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns to read."""
        return tuple(self.by_role.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """
    A row group of a file.

    Parameters
    ----------
    path, number
        The file and the row group's place in it.
    rows
        How many it holds.
    stamp
        Size and time of change of the file when it was opened.
    """

    path: Path
    number: int
    rows: int
    stamp: tuple[int, int]


def find_files(source: Any) -> list[Path]:
    """
    List the Parquet files of a folder, in order of their names, or those that are given.

    Raises
    ------
    DataError
        If there are none, or one is missing.
    """
    given = [source] if isinstance(source, (str, Path)) else list(source)
    files: list[Path] = []
    for path in map(Path, given):
        files += sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    missing = [path for path in files if not path.is_file()]
    if missing:
        msg = f"There is no file '{missing[0]}'; give a folder of Parquet files, or the files."
        raise DataError(msg)
    if not files:
        found = ", ".join(map(str, given)) or "nothing"
        msg = f"No Parquet file was found in {found}; give a folder that holds *.parquet, or the files."
        raise DataError(msg)
    return files


def row_groups(files: Sequence[Path], keys: Keys) -> tuple[list[RowGroup], tuple[str, ...]]:
    """
    Find the row groups of the files that have rows, and the columns that all files share.

    Raises
    ------
    DataError
        If a file is not Parquet, lacks a key, or does not have the columns of the others.
    """
    groups: list[RowGroup] = []
    columns: tuple[str, ...] | None = None
    kinds: dict[str, str] = {}
    for path in files:
        try:
            about = pq.read_metadata(path)
        except pa.ArrowInvalid:
            msg = f"'{path}' is not a Parquet file."
            raise DataError(msg) from None
        schema = about.schema.to_arrow_schema()
        need(schema.empty_table(), keys.names, f"The file '{path.name}'")
        if columns is not None and set(schema.names) != set(columns):
            odd = min(set(schema.names) ^ set(columns))
            msg = f"The files differ in their columns: '{odd}' is in '{files[0].name}' or '{path.name}', not in both."
            raise DataError(msg)
        columns = columns or tuple(schema.names)
        for field in schema:
            kind = _kind(field.type)
            if kind is not None and kinds.setdefault(field.name, kind) != kind:
                msg = (
                    f"The column '{field.name}' is {kind} in '{path.name}' and {kinds[field.name]} in files before it."
                )
                raise DataError(msg)
        for number in range(about.num_row_groups):
            rows = about.row_group(number).num_rows
            if rows:
                groups.append(RowGroup(path=path, number=number, rows=rows, stamp=stamp(path)))
    if not groups:
        raise DataError("The flows files have no rows.")
    return groups, columns or ()


def _kind(kind: pa.DataType) -> str | None:
    """Numbers, dates or text; None where all is null."""
    if pa.types.is_null(kind):
        return None
    if is_date(kind):
        return "dates"
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "numbers" if number or pa.types.is_boolean(kind) else "text"


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of change, by which a file that was written again is noticed."""
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def read(group: RowGroup, names: Sequence[str], *, coded: bool = False) -> Iterator[pa.RecordBatch]:
    """
    Read columns of a row group in batches.

    Parameters
    ----------
    group
        The row group.
    names
        Columns.
    coded
        Leave text as the dictionary that the file keeps.
    """
    texts = list(names) if coded else None
    threads = group.rows > BATCH  # a small row group is read before threads are woken
    with pq.ParquetFile(group.path, read_dictionary=texts, pre_buffer=False) as file:
        yield from file.iter_batches(BATCH, row_groups=[group.number], columns=list(names), use_threads=threads)


def encode_batch(column: pa.Array, *, period: bool = False) -> Coded:
    """Code a column of a batch as text; dates as days."""
    if period and is_date(column.type):
        column = pc.strftime(column.cast(pa.date32()), format="%Y-%m-%d")
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    texts = as_text(pa.chunked_array([coded.dictionary])).to_pylist()
    return Coded(codes, texts, null=bool(codes.min(initial=0) < 0))


def is_date(kind: pa.DataType) -> bool:
    """Whether a type holds dates or times."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def shorten_days(days: Sequence[str]) -> Mapping[str, str]:
    """Labels of days: months where all stand on a first of the month, as `period_labels` has it."""
    if all(day.endswith("-01") for day in days):
        return {day: day[:-3] for day in days}
    return {day: day for day in days}
