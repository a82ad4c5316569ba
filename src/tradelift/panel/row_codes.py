"""The keys of rows as codes, looked up a part of the rows at a time, so that what is made on the way stays small."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.threads import side_by_side

Array = NDArray[Any]
Ints = NDArray[np.int64]

PART = 2**15  # rows whose codes fit in a processor's cache
ROOM = 8  # a table this many times as long as the rows is faster than to sort them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowCodes:
    """
    Codes of the origin, destination, period and, where there is one, category of rows.

    Parameters
    ----------
    columns
        By role, the codes that a column has for its own texts, shape (N,); -1 for null.
    tables
        By role, the code of each of the column's own codes, and last that of null: -1 null, -2 unknown.
    clean
        Whether no row has a null or unknown key.
    """

    columns: Mapping[str, Ints]
    tables: Mapping[str, Ints]
    clean: bool

    @property
    def n_rows(self) -> int:
        """N."""
        return len(self.columns["origin"])

    def parts(self, keep: NDArray[np.bool_] | None = None) -> Iterator[tuple[Ints, dict[str, Ints]]]:
        """
        Go through the rows, a part at a time.

        Parameters
        ----------
        keep
            The rows that matter, shape (N,); None for all.

        Yields
        ------
        Rows, and their columns' own codes by role.
        """
        for start in self.starts:
            yield self.part(start, keep)

    @property
    def starts(self) -> range:
        """The first row of each part."""
        return range(0, self.n_rows, PART)

    def part(self, start: int, keep: NDArray[np.bool_] | None = None) -> tuple[Ints, dict[str, Ints]]:
        """Give the part that begins at a row, as `parts` yields it."""
        rows = np.arange(start, min(start + PART, self.n_rows))
        return rows if keep is None else rows[keep[start : start + PART]], self.part_codes(start, keep)

    def part_codes(self, start: int, keep: NDArray[np.bool_] | None = None) -> dict[str, Ints]:
        """Give the columns' own codes by role of the part that begins at a row."""
        part = {role: column[start : start + PART] for role, column in self.columns.items()}
        if keep is None:
            return part
        kept = keep[start : start + PART]
        return {role: values[kept] for role, values in part.items()}

    def take(self, rows: Ints) -> dict[str, Ints]:
        """Look up the codes of some rows."""
        return self.look_up({role: column[rows] for role, column in self.columns.items()})

    def look_up(self, part: Mapping[str, Ints]) -> dict[str, Ints]:
        """Translate the columns' own codes."""
        return {role: self.tables[role][values] for role, values in part.items()}


def add_up(part: Mapping[str, Ints], tables: Mapping[str, Ints]) -> Ints:
    """Sum over roles of what a table has for each code: keys that are sums need no other pass over the rows."""
    (first, table), *others = tables.items()
    total: Ints = table[part[first]]
    for role, more in others:
        total += more[part[role]]
    return total


def fits(size: int, n_rows: int) -> bool:
    """Tell whether a table of all keys is worth its memory for so many rows."""
    return size <= ROOM * n_rows + 2**16


def distinct(keys: Ints, size: int) -> Ints:
    """Find the distinct keys, ascending; they are below a size."""
    return distinct_parts(lambda _: keys, range(1), size, len(keys))


def distinct_parts(keys_at: Callable[[int], Ints], starts: Sequence[int], size: int, n_rows: int) -> Ints:
    """
    Find the distinct keys of many rows, ascending, some parts in other threads.

    Parameters
    ----------
    keys_at
        Gives the keys of the part that begins at a row.
    starts
        Where the parts begin.
    size
        Keys are below it.
    n_rows
        How many rows there are.
    """
    if not fits(size, n_rows):
        return np.unique(np.concatenate([np.unique(keys_at(start)) for start in starts]))
    seen = np.zeros(size, dtype=bool)

    def see(start: int) -> None:
        seen[keys_at(start)] = True

    side_by_side(see, n_rows, starts)
    return np.flatnonzero(seen)


def positions(known: Ints, keys: Ints, size: int) -> Ints:
    """Position of each key among those that are known, which ascend; keys are below a size."""
    if not fits(size, len(keys)):
        return np.searchsorted(known, keys)
    place = np.empty(size, dtype=np.int64)
    place[known] = np.arange(len(known))
    return place[keys]
