"""Rows in any order to cells in canonical order: each row is put into its slot of the grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.panel import loops
from tradelift.panel.block_codes import BlockCodes
from tradelift.panel.cells import ABSENT, MAX_BLOCKS, MIN_FILL, PAIR, Block
from tradelift.panel.grid import Grid, lay_out
from tradelift.panel.regions import Regions
from tradelift.panel.row_codes import RowCodes, fits, positions
from tradelift.panel.screening import Kept
from tradelift.solve import compiled
from tradelift.threads import side_by_side

Array = NDArray[Any]
Ints = NDArray[np.int64]

FLOWS = frozenset({
    "trade", "trade_minor", "deals", "lines", "sellers", "buyers", "refunds",
    "top_seller_trade", "other_seller_trade", "top_buyer_trade", "other_buyer_trade",
})  # fmt: skip
"""Columns that are 0 where a cell is absent; integers among them stay integers."""
STRETCH = 2**16  # rows that a thread puts into order at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrangement:
    """
    Cells in canonical order, and the directed pairs that they know.

    Parameters
    ----------
    codes
        Of each cell and its pair, or what makes them.
    values
        Every other column, shape (N,) each.
    blocks
        Dense blocks, or None.
    origin, destination
        Region codes of the directed pairs, ordered by origin and destination, shape (P,).
    """

    codes: BlockCodes | Mapping[str, Ints]
    values: Mapping[str, Array]
    blocks: tuple[Block, ...] | None
    origin: Ints
    destination: Ints


def arrange(
    kept: Kept, values: Mapping[str, Array], regions: Regions, periods: Sequence[str],
    categories: Sequence[str] | None, *, complete: bool,
) -> Arrangement:  # fmt: skip
    """
    Put cells into canonical order and find their blocks and pairs.

    Parameters
    ----------
    kept
        The rows.
    values
        Every other column of all rows.
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
    n_categories = len(categories or ("",))
    known = _all_triples(kept, regions, n_categories) if complete else kept.triples
    pairs = known if n_categories == 1 else np.unique(known % (r * r))
    grid = lay_out(known, (n_categories, len(periods), r), regions.side)
    n_cells = len(known) * len(periods) if complete else kept.count
    size = int(grid.edges[-1])
    cut = complete or (len(grid.categories) <= MAX_BLOCKS and fits(size, n_cells))
    if cut and compiled.loaded() and fits(size, kept.count):
        order, (slots, cells) = None, _put(kept, values, grid, r)
    else:
        slots, order = _order(kept, grid, r)
        cells = {name: _take(column, order) for name, column in values.items()}
    if (size if slots is None else len(slots)) < kept.count:
        raise DataError(_repeated(kept, regions, periods, categories))
    if complete:
        slots, cells = _complete(grid, n_cells, slots, cells)
    blocks = grid.cut(slots) if cut else None
    codes: BlockCodes | dict[str, Ints]
    if blocks is None:
        assert order is not None, "values are put without their order only where there are blocks"
        codes = kept.codes.take(order)
        codes[PAIR] = positions(pairs, codes["origin"] * r + codes["destination"], r * r)
    else:
        own = None if categories is None else grid.categories
        codes = BlockCodes(blocks=blocks, categories=own, pairs=pairs, n_regions=r)
    return Arrangement(codes=codes, values=cells, blocks=_dense(blocks, grid), origin=pairs // r, destination=pairs % r)


def _all_triples(kept: Kept, regions: Regions, n_categories: int) -> Ints:
    """Keys of all that could trade, ascending; within a region where the rows have such a flow."""
    r = len(regions)
    side = np.arange(r) if regions.side is None else regions.side
    wanted = side[:, None] != side
    if regions.side is None and np.any(kept.triples // r % r == kept.triples % r):
        np.fill_diagonal(wanted, val=True)
    keys: Ints = np.arange(n_categories)[:, None] * (r * r) + np.flatnonzero(wanted)
    return keys.ravel()


def _put(kept: Kept, values: Mapping[str, Array], grid: Grid, n_regions: int) -> tuple[Ints | None, dict[str, Array]]:
    """
    Put the rows' values into slots at once, without their order.

    Returns
    -------
    The slots that have a row, ascending, None where all do; and the values of these.
    """
    numbers = {name: column for name, column in values.items() if column.dtype.kind in "if"}
    columns, codes = list(numbers.values()), kept.codes
    if len(numbers) < len(values):
        columns.append(np.arange(codes.n_rows))  # to look up what is text
    by_slot, seen = loops.place(
        codes.columns, codes.tables, grid.tables, n_regions, kept.rows, columns, int(grid.edges[-1])
    )
    slots = None if seen.all() else np.flatnonzero(seen)
    if slots is not None:
        by_slot = [_take(column, slots) for column in by_slot]
    cells = dict(zip(numbers, by_slot, strict=False))
    return slots, {name: cells[name] if name in cells else column[by_slot[-1]] for name, column in values.items()}


def _order(kept: Kept, grid: Grid, n_regions: int) -> tuple[Ints | None, Ints]:
    """
    Sort the rows by their slots.

    Returns
    -------
    The slots that have a row, ascending, None where all do; and the first row of each.
    """
    size, codes, tables = int(grid.edges[-1]), kept.codes, _slot_tables(grid, kept.codes)

    def of_part(start: int) -> tuple[Ints, Ints]:
        rows, part = codes.part(start, kept.rows)
        return _slots(part, tables, codes, n_regions), rows

    if fits(size, kept.count):
        row_of = np.full(size, -1)

        def put(start: int) -> None:
            slots, rows = of_part(start)
            row_of[slots] = rows

        side_by_side(put, kept.count, codes.starts)
        if kept.count == size and row_of.min() >= 0:
            return None, row_of
        filled = np.flatnonzero(row_of >= 0)
        return filled, row_of[filled]
    slots, rows = (np.concatenate(parts) for parts in zip(*map(of_part, codes.starts), strict=True))
    order = np.argsort(slots, kind="stable")
    filled, first = np.unique(slots[order], return_index=True)
    return filled, rows[order[first]]


def _take(column: Array, order: Ints) -> Array:
    """Values in another order."""
    out = np.empty(len(order), dtype=column.dtype)

    def put(start: int) -> None:
        out[start : start + STRETCH] = column[order[start : start + STRETCH]]

    side_by_side(put, len(order), range(0, len(order), STRETCH))
    return out


def _slot_tables(grid: Grid, codes: RowCodes) -> tuple[Ints, ...]:
    """Tables of the grid, without categories by the columns' own codes, to look up but once."""
    step, first, column = grid.tables
    if "category" in codes.tables:
        return step, first, column
    # no row of a null or unknown region is kept, so that any position does for these
    origin, destination = (np.maximum(codes.tables[role], 0) for role in ("origin", "destination"))
    return step[origin], first[origin], column[destination]


def _slots(part: Mapping[str, Ints], tables: tuple[Ints, ...], codes: RowCodes, n_regions: int) -> Ints:
    """Find the slot of each row of a part."""
    step, first, column = tables
    origin, destination = part["origin"], part["destination"]
    if "category" in part:
        own = codes.look_up(part)
        shift = own["category"] * n_regions
        origin, destination = shift + own["origin"], shift + own["destination"]
    slots = step[origin]
    slots *= codes.tables["period"][part["period"]]
    slots += first[origin]
    slots += column[destination]
    return slots


def _complete(
    grid: Grid, n_cells: int, slots: Ints | None, values: Mapping[str, Array]
) -> tuple[Ints | None, dict[str, Array]]:
    """
    Add the cells that no row names as zero flows, and mark them.

    Returns
    -------
    The slots of all cells, ascending, None where they are all slots; and the values of these.
    """
    size = int(grid.edges[-1])
    place = np.arange(size) if slots is None else slots
    every = None
    if n_cells < size:  # a block has slots for flows within regions, which are not wanted
        every = grid.slots_between()
        place = positions(every, place, size)
    cells = {name: _scatter(name, column, place, n_cells) for name, column in values.items()}
    cells[ABSENT] = np.ones(n_cells, dtype=bool)
    cells[ABSENT][place] = False
    return every, cells


def _scatter(name: str, values: Array, place: Ints, n_cells: int) -> Array:
    if values.dtype.kind == "U":
        out = np.full(n_cells, "", dtype=values.dtype)
    elif name in FLOWS:
        out = np.zeros(n_cells, dtype=values.dtype)
    else:
        out = np.full(n_cells, np.nan)
    out[place] = values
    return out


def _dense(blocks: Sequence[Block] | None, grid: Grid) -> tuple[Block, ...] | None:
    """The blocks, or None where there could be too many, or one is mostly empty."""
    if blocks is None or grid.n_possible > MAX_BLOCKS:
        return None
    if any(block.stop - block.start < MIN_FILL * block.n_periods * block.size for block in blocks):
        return None
    return tuple(blocks)


def _repeated(kept: Kept, regions: Regions, periods: Sequence[str], categories: Sequence[str] | None) -> str:
    """Say which cells stand twice: how many rows too many, and the first by category, period, origin, destination."""
    codes = kept.codes.take(np.arange(kept.codes.n_rows) if kept.rows is None else np.flatnonzero(kept.rows))
    keys = [codes[role] for role in ("category", "period", "origin", "destination") if role in codes]
    order = np.lexsort(keys[::-1])
    again = np.flatnonzero(np.logical_and.reduce([np.diff(key[order]) == 0 for key in keys]))
    row = order[again[0]]
    where = [regions.ids[codes["origin"][row]], regions.ids[codes["destination"][row]], periods[codes["period"][row]]]
    if categories is not None:
        where.append(categories[codes["category"][row]])
    return (
        f"{len(again):,} flows stand twice, the first of them {' -> '.join(where[:2])} in {', '.join(where[2:])}; "
        f"sum them, or name the column that tells them apart (period, category)."
    )
