"""From any data frame to arrays: ids become codes, everything else numbers or text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.panel import loops
from tradelift.solve import compiled

Array = NDArray[Any]
Ints = NDArray[np.int64]

SMALL_SPAN = 2**12  # integers in so small a range are codes as they stand
RUN = 16  # from so many equal values in a row on, turns are found faster than values


def to_arrow(frame: Any, what: str) -> pa.Table:
    """Turn a pandas, Polars, PyArrow or DuckDB frame into an Arrow table, without a copy of numbers where it can be."""
    if isinstance(frame, pa.Table):
        return frame
    if nw.dependencies.is_pandas_dataframe(frame):
        return _from_pandas(frame, what)
    try:
        native = nw.from_native(frame)
    except TypeError:
        msg = f"{what} must be a data frame (pandas, Polars, PyArrow or DuckDB); found {type(frame).__name__}."
        raise DataError(msg) from None
    if isinstance(native, nw.LazyFrame):
        native = native.collect(backend="pyarrow")
    table: pa.Table = native.to_arrow()
    return table


def _from_pandas(frame: Any, what: str) -> pa.Table:
    """Take over the numbers of a pandas frame, NaN and all, and let Arrow convert the rest."""
    names = [str(name) for name in frame.columns]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"{what}: {Counter(names)[repeated[0]]} columns are called '{repeated[0]}'; rename all but one."
        raise DataError(msg)
    frame = frame.set_axis(names, axis=1)
    own = {}
    for name, kind in frame.dtypes.items():
        if isinstance(kind, np.dtype) and kind.kind in "iuf":
            own[name] = pa.array(frame[name].to_numpy())
        elif str(kind).startswith("period["):
            # periods of pandas become numbers in Arrow
            codes, labels = frame[name].factorize()
            texts = pa.array(labels.astype(str), pa.string())
            own[name] = pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)
    if len(own) == len(names) and all(name is None for name in frame.index.names):
        return pa.table(own)
    try:
        rest = pa.Table.from_pandas(frame[[name for name in names if name not in own]])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        msg = f"{what}: {'; '.join(map(str, error.args))}. Give each column one type."
        raise DataError(msg) from None
    columns = {n: rest[n] for n in rest.column_names if n in names or not n.startswith("__index_level_")} | own
    return pa.table({name: columns.pop(name) for name in names} | columns)


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
    try:
        return _whole(column).cast(pa.string())
    except pa.ArrowException:
        msg = f"Values of type {kind} cannot be read as text where ids or labels are wanted; give text or numbers."
        raise DataError(msg) from None


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats with NaN as null, and as integers where all are whole; any other column as it is."""
    if not pa.types.is_floating(column.type):
        return column
    with suppress(pa.ArrowInvalid):
        return column.cast(pa.int64())
    column = pc.if_else(pc.is_nan(column), None, column)
    whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2.0**63))
    return column if pc.all(whole).as_py() is False else column.cast(pa.int64())


class Coded(NamedTuple):
    """
    A column as codes of texts.

    Parameters
    ----------
    codes
        Shape (N,), -1 for null. They may be the column's own memory: they are not to be written to.
    texts
        The text of each code, None for a code that no row has.
    null
        Whether a row is null.
    """

    codes: Ints
    texts: list[str | None]
    null: bool


def encode(column: pa.ChunkedArray) -> Coded:
    """Code a column as text."""
    column = _whole(column)
    kind = column.type
    if pa.types.is_integer(kind):
        coded = _encode_integers(column)
        if coded is not None:
            return coded
    if pa.types.is_dictionary(kind):
        if any(chunk.dictionary.null_count for chunk in column.chunks):  # such dictionaries cannot be put into one
            return encode(column.cast(kind.value_type))
        return _encode_dictionary(_one(column.unify_dictionaries()))
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = as_text(column)
    return _encode_dictionary(_one(column).dictionary_encode())


def _encode_integers(column: pa.ChunkedArray) -> Coded | None:
    """Code integers by their distance from the smallest; None where they are too far apart for a table."""
    array = _one(column)
    if array.null_count == len(array):
        return None
    if not array.null_count and compiled.loaded():
        values = array.to_numpy().astype(np.int64, copy=False)  # beyond their range unsigned ones become negative
        seen = loops.present(values, SMALL_SPAN)
        if seen is not None:
            used = np.flatnonzero(seen)
            return Coded(values, _sparse_texts(used, int(used[-1]) + 1), null=False)
    if array.null_count:
        limits = pc.min_max(array)
        smallest, largest = limits["min"].as_py(), limits["max"].as_py()
    else:
        values = array.to_numpy()
        smallest, largest = int(values.min()), int(values.max())  # a third of the time of Arrow's
    low = 0 if smallest >= 0 and largest < SMALL_SPAN else smallest
    span = largest - low + 1
    if span > max(SMALL_SPAN, len(array)) or largest >= 2**63:
        return None
    whole = pc.fill_null(array, smallest) if array.null_count else array
    codes: Ints = whole.to_numpy().astype(np.int64, copy=False)
    if low:
        codes = codes - low
    used = _present(codes, span)
    if span <= SMALL_SPAN:
        texts = _sparse_texts(used, span, low)
    else:
        texts = list(map(str, (used + low).tolist()))
        place = np.empty(span, dtype=np.int64)
        place[used] = np.arange(len(used))
        codes = place[codes]
    if array.null_count:
        codes = np.where(array.is_null().to_numpy(zero_copy_only=False), -1, codes)
    return Coded(codes, texts, null=bool(array.null_count))


def _sparse_texts(used: Ints, size: int, low: int = 0) -> list[str | None]:
    """Texts of integers by their distance from `low`, None for those that are not used."""
    texts: list[str | None] = [None] * size
    for code in used.tolist():
        texts[code] = str(code + low)
    return texts


def _present(codes: Ints, size: int) -> Ints:
    """Distinct codes, ascending."""
    seen = np.zeros(size, dtype=bool)
    turns = codes[1:] != codes[:-1]
    if RUN * np.count_nonzero(turns) < len(codes):
        codes = np.append(codes[:-1][turns], codes[-1])  # in runs: the last of each
    seen[codes] = True
    return np.flatnonzero(seen)


def _encode_dictionary(column: pa.DictionaryArray) -> Coded:
    """Code a column by its dictionary, less the values that no row has, such as unused categories."""
    codes: Ints = pc.fill_null(column.indices.cast(pa.int64()), -1).to_numpy()
    used = np.zeros(len(column.dictionary) + 1, dtype=bool)
    used[codes] = True
    dictionary = column.dictionary
    if not used[:-1].all():
        dictionary = pc.if_else(pa.array(used[:-1]), dictionary, None)
    texts = as_text(pa.chunked_array([dictionary])).to_pylist()
    null = np.array([text is None for text in texts] + [True])
    if np.any(null[:-1] & used[:-1]):
        codes = np.where(null[codes], -1, codes)
    return Coded(codes, texts, null=bool(np.any(null & used)))


def _one(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, without a copy where it is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def recode(coded: Coded, place: Mapping[str, int]) -> Ints:
    """Translate codes to positions in `place`; -1 null, -2 not in it."""
    return code_table(coded.texts, place)[coded.codes]


def code_table(texts: Sequence[str | None], place: Mapping[str, int]) -> Ints:
    """Position in `place` of each code of `encode`, and -1 at the end for null."""
    return np.array([-1 if t is None else place.get(t, -2) for t in texts] + [-1], dtype=np.int64)


def numbers_or_text(column: pa.ChunkedArray, name: str, what: str) -> Array:
    """A column as float64 (integers stay integers where none is missing) or as text."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return np.asarray(column.cast(pa.int8()).cast(pa.float64()).to_numpy())
    if pa.types.is_integer(kind):
        wanted = pa.float64() if column.null_count else pa.int64()
        try:
            return np.asarray(column.cast(wanted).to_numpy())
        except pa.ArrowInvalid:
            limit = "2^53, the largest beside missing values" if column.null_count else "2^63"
            msg = f"{what}: column '{name}' holds whole numbers beyond {limit}; give them in a larger unit, or as text."
            raise DataError(msg) from None
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy())
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    try:
        codes, texts, _ = encode(column)
    except (pa.ArrowException, DataError):
        msg = f"{what}: column '{name}' is of type {kind}, which is neither a number nor text."
        raise DataError(msg) from None
    return np.array([*(text or "" for text in texts), ""], dtype=np.str_)[codes]


def period_labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Periods as text; dates that all stand on a first of the month become months: 2017-01."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.date32())
        first = pc.all(pc.equal(pc.day(column), 1)).as_py()
        return pc.strftime(column, format="%Y-%m" if first else "%Y-%m-%d")
    return as_text(column)


def encode_periods(column: pa.ChunkedArray) -> Coded:
    """Code a column of periods as `encode` does, by the labels of `period_labels`."""
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        return encode(column)
    codes, days, null = encode(column.cast(pa.date32()).cast(pa.int32()))
    dates = pa.array([None if day is None else int(day) for day in days], pa.int32()).cast(pa.date32())
    return Coded(codes, period_labels(pa.chunked_array([dates])).to_pylist(), null)
