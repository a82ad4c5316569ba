"""How two files differ: by cells where they are tables, else by the first byte."""

import csv
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def describe(then: Path, now: Path) -> str:
    """
    Say how a file differs from an earlier one of its kind.

    Parameters
    ----------
    then, now
        Two files with different bytes.
    """
    if then.suffix == ".csv":
        return _csv(then, now)
    if then.suffix == ".parquet":
        return _parquet(then, now)
    return _bytes(then, now)


def _bytes(then: Path, now: Path) -> str:
    one, other = then.read_bytes(), now.read_bytes()
    shared = min(len(one), len(other))
    unequal = np.flatnonzero(np.frombuffer(one[:shared], np.uint8) != np.frombuffer(other[:shared], np.uint8))
    place = int(unequal[0]) if len(unequal) else shared
    line = one[:place].count(b"\n") + 1
    size = "" if len(one) == len(other) else f"; {len(one):,} bytes, now {len(other):,}"
    return f"differs from byte {place + 1:,} on, in line {line:,}{size}"


def _csv(then: Path, now: Path) -> str:
    one, other = _rows(then), _rows(now)
    nothing: list[str] = []
    unequal = [
        (row, column, *cells)
        for row, lines in enumerate(zip_longest(one, other, fillvalue=nothing), start=1)
        for column, cells in enumerate(zip_longest(*lines, fillvalue=""), start=1)
        if cells[0] != cells[1]
    ]
    if not unequal:
        return _bytes(then, now)
    row, column, a, b = unequal[0]
    name = one[0][column - 1] if one and column <= len(one[0]) else str(column)
    largest = _largest([(x, y) for _, _, x, y in unequal])
    rows = "" if len(one) == len(other) else f"; {len(one):,} lines, now {len(other):,}"
    return f"{_cells(len(unequal))}{largest}, the first in line {row:,}, column '{name}': '{a}', now '{b}'{rows}"


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _largest(pairs: list[tuple[str, str]]) -> str:
    """The largest relative difference among cells that are numbers."""
    found = 0.0
    for a, b in pairs:
        try:
            x, y = float(a), float(b)
        except ValueError:
            continue
        if np.isfinite(x) and np.isfinite(y):
            found = max(found, abs(x - y) / max(abs(x), abs(y), np.finfo(float).tiny))
    return f" by at most {found:.1e} of their size where they are numbers" if found else ""


def _cells(n: int) -> str:
    return "1 cell differs" if n == 1 else f"{n:,} cells differ"


def _parquet(then: Path, now: Path) -> str:
    one, other = pq.read_table(then), pq.read_table(now)
    if one.column_names != other.column_names:
        gone = [n for n in one.column_names if n not in other.column_names]
        new = [n for n in other.column_names if n not in one.column_names]
        return f"has other columns: without {', '.join(gone) or 'none'}, with {', '.join(new) or 'none'} more"
    if one.num_rows != other.num_rows:
        return f"has {one.num_rows:,} rows, now {other.num_rows:,}"
    counts = {name: _unequal(one[name], other[name]) for name in one.column_names}
    said = ", ".join(f"'{name}' in {n:,}" for name, n in counts.items() if n)
    return f"differs in the columns {said} of {one.num_rows:,} rows" if said else _bytes(then, now)


def _unequal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    """How many cells differ; NaN is NaN."""
    if one.type != other.type:
        return len(one)
    a, b = (np.asarray(x.to_numpy(zero_copy_only=False)) for x in (one.combine_chunks(), other.combine_chunks()))
    different: Any = a != b
    if a.dtype.kind == "f":
        different &= ~(np.isnan(a) & np.isnan(b))
    return int(np.count_nonzero(different))
