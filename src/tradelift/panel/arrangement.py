"""Rows in any order to cells in canonical order: each row is put into its slot of the grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.panel.cells import ABSENT, PAIR, MemoryCells
from tradelift.panel.grid import Grid, lay_out
from tradelift.panel.regions import Regions

Array = NDArray[Any]
Ints = NDArray[np.int64]
Columns = Mapping[str, Array]

ROLES = ("category", "period", "origin", "destination")
ROOM = 8  # a table this many times as long as the rows is faster than to sort them
FLOWS = frozenset({
    "trade", "trade_minor", "deals", "lines", "sellers", "buyers", "refunds",
    "top_seller_trade", "other_seller_trade", "top_buyer_trade", "other_buyer_trade",
})  # fmt: skip
"""Columns that are 0 where a cell is absent; integers among them stay integers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrangement:
    """
    Cells in canonical order, and the directed pairs that they know.

    Parameters
    ----------
    cells
        With the pair of each cell.
    origin, destination
        Region codes of the directed pairs, ordered by origin and destination, shape (P,).
    """

    cells: MemoryCells
    origin: Ints
    destination: Ints


def arrange(
    columns: Columns, regions: Regions, periods: tuple[str, ...], categories: tuple[str, ...] | None, *, complete: bool
) -> Arrangement:
    """
    Put cells into canonical order and find their blocks and pairs.

    Parameters
    ----------
    columns
        Name to values, shape (N,); codes under `origin`, `destination`, `period`, and `category` if any.
    regions, periods, categories
        What the codes count.
    complete
        Add the cells that the rows do not name, as zero flows, and mark them.

    Raises
    ------
    DataError
        If a cell stands twice.
    """
    r = len(regions)
    shape = (len(categories or ("",)), len(periods), r)
    codes = {name: columns[name] for name in ROLES if name in columns}
    values = {name: column for name, column in columns.items() if name not in codes}
    if complete:
        pairs = _possible_pairs(regions, domestic=bool(np.any(codes["origin"] == codes["destination"])))
        triples = (np.arange(shape[0])[:, None] * (r * r) + pairs).ravel()
    else:
        triples = _distinct(_triple(codes, r), shape[0] * r * r)
        pairs = triples if categories is None else np.unique(triples % (r * r))
    grid, n_possible = lay_out(triples // (r * r), triples // r % r, triples % r, shape, regions.side)
    slots = grid.slots(codes)
    placed = _complete(grid, len(triples) * shape[1], slots, values) if complete else _sort(grid, slots, codes, values)
    if placed is None:
        raise DataError(_repeated(codes, regions, periods, categories))
    filled, cells = placed
    if categories is None:
        cells.pop("category", None)
    cells[PAIR] = _positions(pairs, cells["origin"] * r + cells["destination"], r * r)
    return Arrangement(
        cells=MemoryCells(columns=cells, blocks=grid.blocks(filled, n_possible)),
        origin=pairs // r,
        destination=pairs % r,
    )


def _triple(codes: Columns, n_regions: int) -> Ints:
    """Key of the category, origin and destination of each row."""
    key: Ints = codes["origin"] * n_regions
    key += codes["destination"]
    if "category" in codes:
        key += codes["category"] * n_regions**2
    return key


def _possible_pairs(regions: Regions, *, domestic: bool) -> Ints:
    """Keys of all directed pairs that could trade, ascending."""
    side = np.arange(len(regions)) if regions.side is None else regions.side
    wanted = side[:, None] != side
    if regions.side is None and domestic:
        np.fill_diagonal(wanted, val=True)
    return np.flatnonzero(wanted)


def _fits(size: int, n: int) -> bool:
    """Whether a table of all keys is worth its memory for so many rows."""
    return size <= ROOM * n + 2**16


def _distinct(keys: Ints, size: int) -> Ints:
    """Distinct keys below a size, ascending."""
    if not _fits(size, len(keys)):
        return np.unique(keys)
    seen = np.zeros(size, dtype=bool)
    seen[keys] = True
    return np.flatnonzero(seen)


def _positions(known: Ints, keys: Ints, size: int) -> Ints:
    """Position of each key among those that are known, which ascend."""
    if not _fits(size, len(keys)):
        return np.searchsorted(known, keys)
    place = np.empty(size, dtype=np.int64)
    place[known] = np.arange(len(known))
    return place[keys]


def _sort(grid: Grid, slots: Ints, codes: Columns, values: Columns) -> tuple[Ints, dict[str, Array]] | None:
    """Sort rows by their slots; None where two share one."""
    n, size = len(slots), int(grid.edges[-1])
    if np.all(slots[1:] > slots[:-1]):
        # a frame that is changed later does not change the panel
        return slots, {**codes, **{name: column.copy() for name, column in values.items()}}
    if _fits(size, n):
        row = np.full(size, -1)
        row[slots] = np.arange(n)
        filled = np.flatnonzero(row >= 0)
        if len(filled) < n:
            return None
        order = row if n == size else row[filled]
        return filled, {**grid.codes(filled), **{name: column[order] for name, column in values.items()}}
    order = np.argsort(slots, kind="stable")
    filled = slots[order]
    if np.any(filled[1:] == filled[:-1]):
        return None
    return filled, {name: column[order] for name, column in {**codes, **values}.items()}


def _complete(grid: Grid, n_cells: int, slots: Ints, values: Columns) -> tuple[Ints, dict[str, Array]] | None:
    """Add the cells that no row names as zero flows, and mark them; None where two rows share a slot."""
    filled, rows = np.arange(grid.edges[-1]), slots
    cells: dict[str, Array] = {**grid.codes(filled)}
    if len(filled) > n_cells:  # a block has the regions' own flows, which are not wanted
        filled = np.flatnonzero(cells["origin"] != cells["destination"])
        rows = _positions(filled, slots, int(grid.edges[-1]))
        cells = {**grid.codes(filled)}
    absent = np.ones(n_cells, dtype=bool)
    absent[rows] = False
    if n_cells - np.count_nonzero(absent) < len(rows):
        return None
    cells |= {name: _scatter(name, column, rows, n_cells) for name, column in values.items()}
    return filled, cells | {ABSENT: absent}


def _scatter(name: str, values: Array, rows: Ints, n: int) -> Array:
    if values.dtype.kind == "U":
        out = np.full(n, "", dtype=values.dtype)
    elif name in FLOWS:
        out = np.zeros(n, dtype=values.dtype)
    else:
        out = np.full(n, np.nan)
    out[rows] = values
    return out


def _repeated(codes: Columns, regions: Regions, periods: tuple[str, ...], categories: tuple[str, ...] | None) -> str:
    """Say which cells stand twice: how many rows too many, and the first by category, period, origin, destination."""
    order = np.lexsort([codes[name] for name in reversed(ROLES) if name in codes])
    ordered = np.stack([codes[name][order] for name in ROLES if name in codes])
    again = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).all(axis=0))
    row = order[again[0]]
    where = [regions.ids[codes["origin"][row]], regions.ids[codes["destination"][row]], periods[codes["period"][row]]]
    if categories is not None:
        where.append(categories[codes["category"][row]])
    return (
        f"{len(again):,} flows stand twice, the first of them {' -> '.join(where[:2])} in {', '.join(where[2:])}; "
        f"sum them, or name the column that tells them apart (period, category)."
    )
