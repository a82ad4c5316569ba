"""Long arrays of cells in canonical order, and the dense blocks that they fall into."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Array = NDArray[Any]
Ints = NDArray[np.int64]

PAIR, ABSENT = "#pair", "#absent"  # names that no column of a user has
MAX_BLOCKS = 64  # a block is a Python object with matrices: beyond a few, rows are faster
MIN_FILL = 0.125  # below an eighth, a dense block is mostly air


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """
    A connected component of origins x destinations, dense over all periods.

    Parameters
    ----------
    origins, destinations
        Region codes of the rows and columns, shapes (I,) and (J,), ascending.
    start, stop
        The block's rows in the canonical order of the cells.
    n_periods
        T.
    position
        Place of each row in the flattened (T, I, J) tensor, shape (stop - start,); None where the block is
        complete and rows reshape to the tensor without a copy.
    """

    origins: Ints
    destinations: Ints
    start: int
    stop: int
    n_periods: int
    position: Ints | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, I, J)."""
        return self.n_periods, len(self.origins), len(self.destinations)

    @property
    def size(self) -> int:
        """I x J."""
        return len(self.origins) * len(self.destinations)

    def tensor(self, values: Array, fill: float = 0.0) -> Array:
        """
        Arrange a column of all cells as this block's tensor.

        Parameters
        ----------
        values
            Shape (N,), canonical order.
        fill
            Value of the cells that the panel does not hold.

        Returns
        -------
        Shape (T, I, J); a view where the block is complete.
        """
        own = values[self.start : self.stop]
        if self.position is None:
            return own.reshape(self.shape)
        out = np.full(int(np.prod(self.shape)), fill, dtype=np.result_type(own.dtype, type(fill)))
        out[self.position] = own
        return out.reshape(self.shape)


class Cells(Protocol):
    """What a panel needs of its cells, wherever they live."""

    @property
    def n_rows(self) -> int:
        """Number of cells."""
        ...

    @property
    def blocks(self) -> tuple[Block, ...] | None:
        """The dense blocks, or None where only rows serve."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that differ from cell to cell."""
        ...

    def column(self, name: str) -> Array:
        """One column in canonical order, shape (N,)."""
        ...

    def parts(self) -> Iterator["Cells"]:
        """The cells in memory, a few periods at a time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryCells:
    """
    Cells in memory, in canonical order: category, block, period, origin, destination.

    Parameters
    ----------
    columns
        Name to values, shape (N,) each. Always holds `origin`, `destination`, `period` and the directed pair as
        codes (and `category` where the panel has them).
    blocks
        Dense blocks, or None.
    """

    columns: Mapping[str, Array]
    blocks: tuple[Block, ...] | None

    @property
    def n_rows(self) -> int:
        """Number of cells."""
        return self.blocks[-1].stop if self.blocks else len(self.columns["origin"])

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that differ from cell to cell."""
        return tuple(self.columns)

    def column(self, name: str) -> Array:
        """One column in canonical order, shape (N,)."""
        return self.columns[name]

    def parts(self) -> Iterator["MemoryCells"]:
        """All at once: they are in memory."""
        yield self


def components(origin: Ints, destination: Ints, n_regions: int) -> Ints:
    """Connected component of each pair in the graph of exporting and importing regions, in order of their origins."""
    graph = coo_array((np.ones(len(origin)), (origin, destination + n_regions)), shape=(2 * n_regions, 2 * n_regions))
    label = connected_components(graph, directed=False)[1][origin]
    seen = np.zeros(2 * n_regions, dtype=bool)
    seen[label] = True
    return np.cumsum(seen)[label] - 1


def rank_by_first(component: Ints, side: Ints) -> Ints:
    """Renumber components so that those of side 0 come first."""
    sides = np.zeros(int(component.max()) + 1, dtype=np.int64)
    sides[component] = side
    rank = np.empty_like(sides)
    rank[np.argsort(sides, kind="stable")] = np.arange(len(sides))
    return rank[component]
