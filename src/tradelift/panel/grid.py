"""The grid of a panel: the dense blocks that its cells fall into, and the slot that each cell has in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.panel.cells import MAX_BLOCKS, MIN_FILL, Block, components, rank_by_first

Array = NDArray[Any]
Ints = NDArray[np.int64]
Codes = Mapping[str, Ints]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """
    Blocks of origins x destinations, dense over all periods, with one slot a cell.

    Slots count in the canonical order of cells: category, block, period, origin, destination.

    Parameters
    ----------
    n_regions, n_periods
        R and T.
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

    n_regions: int
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

    def slots(self, codes: Codes) -> Ints:
        """
        Find the slot of each cell, shape (N,).

        Parameters
        ----------
        codes
            `origin`, `destination`, `period` and, where the panel has them, `category`, shape (N,) each.
        """
        step = (self.heights * self.widths)[self.block]
        first = self.edges[self.block] + self.row * self.widths[self.block]
        origin, destination = codes["origin"], codes["destination"]
        if "category" in codes:
            shift = codes["category"] * self.n_regions
            origin, destination = shift + origin, shift + destination
        slots: Ints = step.ravel()[origin]
        slots *= codes["period"]
        slots += first.ravel()[origin]
        slots += self.column.ravel()[destination]
        return slots

    def codes(self, slots: Ints) -> dict[str, Ints]:
        """
        Tell what stands in slots.

        Parameters
        ----------
        slots
            Ascending, shape (N,).

        Returns
        -------
        `origin`, `destination`, `period`, `category`, shape (N,) each.
        """
        # a line is what one origin exports in one period
        lines = self.n_periods * self.heights
        block = np.repeat(np.arange(len(lines)), lines)
        period, row = np.divmod(np.arange(len(block)) - _edges(lines)[block], self.heights[block])
        first = _edges(self.widths[block])
        held = np.diff(np.searchsorted(slots, first))
        destination = np.repeat(_edges(self.widths)[block] - first[:-1], held)
        destination += slots
        return {
            "origin": np.repeat(self.origins[_edges(self.heights)[block] + row], held),
            "destination": self.destinations[destination],
            "period": np.repeat(period, held),
            "category": np.repeat(self.categories[block], held),
        }

    def blocks(self, slots: Ints, n_possible: int) -> tuple[Block, ...] | None:
        """
        Cut cells into blocks; None where there are too many blocks, or one would be mostly empty.

        Parameters
        ----------
        slots
            The slots that hold a cell, ascending, shape (N,).
        n_possible
            How many blocks there could be: one a component and category.
        """
        if n_possible > MAX_BLOCKS:
            return None
        edges = self.edges
        rows = np.searchsorted(slots, edges)
        if np.any(np.diff(rows) < MIN_FILL * np.diff(edges)):
            return None
        origins = np.split(self.origins, np.cumsum(self.heights)[:-1])
        destinations = np.split(self.destinations, np.cumsum(self.widths)[:-1])
        return tuple(
            Block(
                origins=origins[b],
                destinations=destinations[b],
                start=int(start),
                stop=int(stop),
                n_periods=self.n_periods,
                position=None if stop - start == edges[b + 1] - edges[b] else slots[start:stop] - edges[b],
            )
            for b, (start, stop) in enumerate(pairwise(rows))
        )


def lay_out(
    category: Ints, origin: Ints, destination: Ints, shape: tuple[int, int, int], side: Ints | None
) -> tuple[Grid, int]:
    """
    Find the blocks.

    Parameters
    ----------
    category, origin, destination
        Which directed pairs trade in which category, each once, shape (M,).
    shape
        How many categories, periods and regions there are.
    side
        Side of each region, shape (R,), or None; with sides the blocks follow the side that exports.

    Returns
    -------
    The grid, and how many blocks there could be: one a component and category.
    """
    n_categories, n_periods, n_regions = shape
    component = components(origin, destination, n_regions)
    if side is not None:
        # blocks of the first side's exports stand first
        component = rank_by_first(component, side[origin])
    n = int(component.max()) + 1
    group = category * n + component
    # regions by the block in which they export, and by that in which they import
    exports, imports = np.unique(group * n_regions + origin), np.unique(group * n_regions + destination)
    groups, heights = np.unique(exports // n_regions, return_counts=True)
    widths = np.unique(imports // n_regions, return_counts=True)[1]
    block, row, column = (np.zeros((n_categories, n_regions), dtype=np.int64) for _ in range(3))
    of_row, of_column = (np.repeat(np.arange(len(groups)), sizes) for sizes in (heights, widths))
    origins, destinations = exports % n_regions, imports % n_regions
    block[groups[of_row] // n, origins] = of_row
    row[groups[of_row] // n, origins] = np.arange(len(of_row)) - _edges(heights)[of_row]
    column[groups[of_column] // n, destinations] = np.arange(len(of_column)) - _edges(widths)[of_column]
    grid = Grid(
        n_regions=n_regions,
        n_periods=n_periods,
        categories=groups // n,
        origins=origins,
        destinations=destinations,
        heights=heights,
        widths=widths,
        block=block,
        row=row,
        column=column,
    )
    return grid, n * n_categories


def _edges(sizes: Ints) -> Ints:
    """First place of each of several runs, and the place after the last."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
