"""
The compiled loops over rows of a frame (rows.c), in the library of the solvers' loops.

Where `compiled.loaded()` says that they are not there, the plain code beside each caller does the same.
"""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled
from tradelift.threads import side_by_side

Array = NDArray[Any]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

STRETCH = 2**17  # rows that a thread takes at once: a call costs some microseconds
ROLES = ("origin", "destination", "period", "category")


def present(codes: Ints, size: int) -> Mask | None:
    """Tell which of 0, 1, ... are among codes, shape (size,); None where a code is none of these."""
    seen = np.zeros(size, dtype=bool)
    arguments = *map(ctypes.c_int64, (len(codes), size)), compiled.at(codes), compiled.at(seen)
    return seen if compiled.call("tl_present", *arguments) else None


def mark(codes: Mapping[str, Ints], tables: Mapping[str, Ints], kept: Mask | None, size: int) -> Mask:
    """
    Find the keys that rows have.

    Parameters
    ----------
    codes
        By role, at least two, shape (N,).
    tables
        What the key has for each code of a role; a key is their sum.
    kept
        Rows to look at, shape (N,), or None for all.
    size
        Keys are below it.
    """
    seen = np.zeros(size, dtype=bool)
    columns, own = [_whole(codes[role]) for role in tables], list(map(_whole, tables.values()))
    where, at = compiled.pointers(columns), compiled.pointers(own)

    def stretch(start: int, stop: int) -> None:
        bounds = map(ctypes.c_int64, (start, stop, len(columns)))
        compiled.call("tl_mark", *bounds, *map(compiled.at, (where, at, kept, seen)))

    _each(stretch, len(columns[0]))
    return seen


def place(
    codes: Mapping[str, Ints], tables: Mapping[str, Ints], grid: tuple[Ints, Ints, Ints], n_regions: int,
    kept: Mask | None, values: Sequence[Array], size: int,
) -> tuple[list[Array], Mask]:  # fmt: skip
    """
    Put columns of rows into slots.

    Parameters
    ----------
    codes, tables
        By role, shape (N,), and what each code stands for.
    grid
        `Grid.tables`.
    n_regions
        R.
    kept
        Rows to put, shape (N,), or None for all.
    values
        Columns of eight bytes a row.
    size
        How many slots there are.

    Returns
    -------
    The columns by slot, shape (size,) each, with anything where no row is put, and which slots have a row.
    """
    seen = np.zeros(size, dtype=bool)
    columns = {role: _whole(codes[role]) for role in ROLES if role in codes}
    own = {role: _whole(tables[role]) for role in columns}
    held, out = [np.ascontiguousarray(column) for column in values], [np.empty(size, c.dtype) for c in values]
    lists = [_by_role(columns), _by_role(own)]
    ends = compiled.pointers(held), compiled.pointers(out)

    def stretch(start: int, stop: int) -> None:
        compiled.call(
            "tl_place",
            *map(ctypes.c_int64, (start, stop)),
            *map(compiled.at, lists),
            ctypes.c_int64(n_regions),
            *map(compiled.at, (*grid, kept)),
            ctypes.c_int64(len(held)),
            *map(compiled.at, (*ends, seen)),
        )

    _each(stretch, len(columns["origin"]))
    return out, seen


def _each(stretch: Any, n_rows: int) -> None:
    starts = range(0, n_rows, STRETCH)
    side_by_side(stretch, n_rows, starts, [min(start + STRETCH, n_rows) for start in starts])


def _whole(values: Ints) -> Ints:
    return np.ascontiguousarray(values, dtype=np.int64)


def _by_role(columns: Mapping[str, Ints]) -> Array:
    return np.array([columns[role].ctypes.data if role in columns else 0 for role in ROLES], dtype=np.uintp)
