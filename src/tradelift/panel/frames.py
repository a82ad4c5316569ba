"""From any data frame to arrays: text ids become codes, everything else numbers or text."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tradelift.errors import DataError

Array = NDArray[Any]
Ints = NDArray[np.int64]


def to_arrow(frame: Any, what: str) -> pa.Table:
    """Turn a pandas, Polars, PyArrow or DuckDB frame into an Arrow table."""
    if isinstance(frame, pa.Table):
        return frame
    if nw.dependencies.is_pandas_dataframe(frame):
        # periods of pandas become numbers in Arrow
        periods = [name for name, kind in frame.dtypes.items() if str(kind).startswith("period[")]
        frame = frame.astype(dict.fromkeys(periods, str))
    try:
        native = nw.from_native(frame)
    except TypeError:
        msg = f"{what} must be a data frame (pandas, Polars, PyArrow or DuckDB); found {type(frame).__name__}."
        raise DataError(msg) from None
    if isinstance(native, nw.LazyFrame):
        native = native.collect(backend="pyarrow")
    table: pa.Table = native.to_arrow()
    return table.select([name for name in table.column_names if not name.startswith("__index_level_")])


def need(table: pa.Table, names: Sequence[str], what: str) -> None:
    """Refuse a table without the named columns, suggesting what was perhaps meant."""
    for name in names:
        if name in table.column_names:
            continue
        close = get_close_matches(name, table.column_names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        msg = f"{what} has no column '{name}'; found {', '.join(table.column_names) or 'no columns'}.{hint}"
        raise DataError(msg)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as text: 7, 7.0 and "7" are the same region."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.equal(column, pc.floor(column))
        if pc.all(whole).as_py() is not False:
            column = column.cast(pa.int64())
    return column.cast(pa.string())


def encode(column: pa.ChunkedArray) -> tuple[Ints, list[str | None]]:
    """
    Code a column as text.

    Returns
    -------
    Codes, shape (N,), -1 for null, and the text of each code in order of appearance.
    """
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = as_text(column)
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, as_text(pa.chunked_array([coded.dictionary])).to_pylist()


def recode(codes: Ints, texts: Sequence[str | None], place: Mapping[str, int]) -> Ints:
    """Translate codes of `encode` to positions in `place`; -1 null, -2 not in it."""
    table = np.array([-1 if t is None else place.get(t, -2) for t in texts] + [-1], dtype=np.int64)
    return table[codes]


def numbers_or_text(column: pa.ChunkedArray, name: str, what: str) -> Array:
    """A column as float64 (integers stay integers where none is missing) or as text."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return np.asarray(column.cast(pa.int8()).cast(pa.float64()).to_numpy())
    if pa.types.is_integer(kind) and not column.null_count:
        return np.asarray(column.cast(pa.int64()).to_numpy())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy())
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    try:
        return np.asarray(pc.fill_null(as_text(column), "").to_numpy(zero_copy_only=False), dtype=np.str_)
    except pa.ArrowInvalid:
        msg = f"{what}: column '{name}' is of type {kind}, which is neither a number nor text."
        raise DataError(msg) from None


def period_labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Periods as text; dates that all stand on a first of the month become months: 2017-01."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.date32())
        first = pc.all(pc.equal(pc.day(column), 1)).as_py()
        return pc.strftime(column, format="%Y-%m" if first else "%Y-%m-%d")
    return as_text(column)


def order_periods(labels: Sequence[str]) -> list[str]:
    """Sort period labels: as integers where all are, else as text."""
    if all(label.lstrip("-").isdigit() for label in labels):
        return sorted(labels, key=int)
    return sorted(labels)


def period_position(label: str, periods: Sequence[str], *, end: bool) -> int:
    """
    Position of the first period at or after a start, or of the last at or before an end.

    A start after the data is T, an end before them -1.
    """
    numeric = all(p.lstrip("-").isdigit() for p in (*periods, label))
    keys: list[Any] = [int(p) for p in periods] if numeric else list(periods)
    key: Any = int(label) if numeric else label
    if end:
        # text: an end "2019" covers "2019-12"
        return sum(1 for k in keys if k <= key or (not numeric and k.startswith(label))) - 1
    return sum(1 for k in keys if k < key)
