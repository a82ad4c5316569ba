"""The grid of a panel: the dense blocks that its cells fall into, and the slot that each cell has in them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.panel.cells import Block, components, rank_by_first
from tradelift.panel.row_codes import distinct

Array = NDArray[Any]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """
    Blocks of origins x destinations, dense over all periods, with one slot a cell.

    Slots count in the canonical order of cells: category, block, period, origin, destination.

    Parameters
    ----------
    n_possible
        How many blocks there could be: one a component and category.
    n_periods
        T.
    categories
        Category of each block, shape (B,).
    origins, destinations
        Region codes of all blocks' rows and columns, ascending in each block, one block after another.
    heights, widths
        How many of them each block has, I and J, shape (B,).
    block, row, column
        By category and region, shape (C, R): the block in which a region exports, and its place among the block's
        origins and destinations; anything where it has none.
    """

    n_possible: int
    n_periods: int
    categories: Ints
    origins: Ints
    destinations: Ints
    heights: Ints
    widths: Ints
    block: Ints
    row: Ints
    column: Ints

    @property
    def edges(self) -> Ints:
        """First slot of each block, and the number of slots, shape (B + 1,)."""
        return _edges(self.n_periods * self.heights * self.widths)

    @property
    def tables(self) -> tuple[Ints, Ints, Ints]:
        """
        What a cell's slot is made of.

        Returns
        -------
        By category and origin, the slots of a period of the block and the slot of the origin in the first period; by
        category and destination, its place; shape (C x R,) each.
        """
        step = (self.heights * self.widths)[self.block]
        first = self.edges[self.block] + self.row * self.widths[self.block]
        return step.ravel(), first.ravel(), self.column.ravel()

    def slots_between(self) -> Ints:
        """Slots of flows from one region to another, ascending."""
        between = [(block.origins[:, None] != block.destinations).ravel() for block in self.cut(None)]
        return np.flatnonzero(np.concatenate([np.tile(pattern, self.n_periods) for pattern in between]))

    def cut(self, slots: Ints | None) -> list[Block]:
        """
        Cut cells into blocks.

        Parameters
        ----------
        slots
            The slots that hold a cell, ascending, shape (N,); None where all do.
        """
        edges = self.edges
        rows = edges if slots is None else np.searchsorted(slots, edges)
        i, j = _edges(self.heights), _edges(self.widths)
        blocks = []
        for b in range(len(self.categories)):
            complete = slots is None or rows[b + 1] - rows[b] == edges[b + 1] - edges[b]
            blocks.append(
                Block(
                    origins=self.origins[i[b] : i[b + 1]],
                    destinations=self.destinations[j[b] : j[b + 1]],
                    start=int(rows[b]),
                    stop=int(rows[b + 1]),
                    n_periods=self.n_periods,
                    position=None if complete or slots is None else slots[rows[b] : rows[b + 1]] - edges[b],
                )
            )
        return blocks


def lay_out(triples: Ints, shape: tuple[int, int, int], side: Ints | None) -> Grid:
    """
    Find the blocks.

    Parameters
    ----------
    triples
        Keys of the categories, origins and destinations that have a cell, ascending.
    shape
        How many categories, periods and regions there are.
    side
        Side of each region, shape (R,), or None; with sides the blocks follow the side that exports.
    """
    n_categories, n_periods, r = shape
    category, origin, destination = triples // (r * r), triples // r % r, triples % r
    component = components(origin, destination, r)
    if side is not None:
        # blocks of the first side's exports stand first
        component = rank_by_first(component, side[origin])
    n = int(component.max()) + 1
    group = category * n + component
    # regions by the block in which they export, and by that in which they import
    size = n * n_categories * r
    exports = distinct(group * r + origin, size)
    imports = distinct(group * r + destination, size)
    groups, heights = np.unique(exports // r, return_counts=True)
    widths = np.unique(imports // r, return_counts=True)[1]
    block, row, column = (np.zeros((n_categories, r), dtype=np.int64) for _ in range(3))
    of_row, of_column = (np.repeat(np.arange(len(groups)), sizes) for sizes in (heights, widths))
    categories, origins, destinations = groups // n, exports % r, imports % r
    block[categories[of_row], origins] = of_row
    row[categories[of_row], origins] = np.arange(len(of_row)) - _edges(heights)[of_row]
    column[categories[of_column], destinations] = np.arange(len(of_column)) - _edges(widths)[of_column]
    return Grid(
        n_possible=n * n_categories,
        n_periods=n_periods,
        categories=categories,
        origins=origins,
        destinations=destinations,
        heights=heights,
        widths=widths,
        block=block,
        row=row,
        column=column,
    )


def _edges(sizes: Ints) -> Ints:
    """First place of each of several runs, and the place after the last."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
