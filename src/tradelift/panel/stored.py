"""Cells that stay in Parquet files: a few periods at a time are brought into memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.errors import DataError, DesignError
from tradelift.panel.cells import MAX_BLOCKS, PAIR, Array, Block, Ints, components, rank_by_first
from tradelift.panel.frames import numbers_or_text, recode
from tradelift.panel.row_groups import ROLES, Keys, RowGroup, encode_batch, read, stamp

PART_CELLS = 2**18  # cells brought into memory at once, but never less than a period

Rows = tuple[RowGroup, Ints]
"""Rows of a row group, by their place in it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """
    A connected component of origins x destinations.

    Parameters
    ----------
    origins, destinations
        Region codes, shapes (I,) and (J,), ascending.
    """

    origins: Ints
    destinations: Ints

    @property
    def size(self) -> int:
        """I x J."""
        return len(self.origins) * len(self.destinations)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartCells:
    """
    The cells of a few periods, in canonical order; columns are read when they are asked for.

    Parameters
    ----------
    columns
        Codes, as in `MemoryCells`, and the columns that were read.
    blocks
        Dense over these periods.
    names
        Every column that there is.
    source
        Where the rows stand.
    order
        Canonical order of these rows, shape (N,).
    """

    columns: dict[str, Array]
    blocks: tuple[Block, ...]
    names: tuple[str, ...]
    source: tuple[Rows, ...]
    order: Ints

    @property
    def n_rows(self) -> int:
        """Number of cells."""
        return len(self.order)

    def column(self, name: str) -> Array:
        """One column in canonical order, shape (N,)."""
        if name not in self.columns:
            self.columns[name] = _read_rows(self.source, name)[self.order]
        return self.columns[name]

    def parts(self) -> Iterator["PartCells"]:
        """Itself."""
        yield self


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredCells:
    """
    Cells in Parquet files.

    In memory are the pairs and where the periods stand; a period's rows are together where its row groups hold few
    other periods, else the files are read again for each part.

    Parameters
    ----------
    groups
        The row groups, and the periods in each, shape (n,) ascending.
    keys
        Names of the key columns.
    places
        Code of each text, by role; a period is coded as `encode_batch` spells it.
    side
        Side of each region, shape (R,), or None: rows within a side are not cells.
    n_rows
        Number of cells.
    names
        Columns that differ from cell to cell.
    lattices
        The components of the directed pairs.
    pair_of
        Directed pair by origin and destination, shape (R, R); -1 where the panel holds none.
    lattice, place
        Component of each directed pair, and its place in the flattened (I, J), shape (P,).
    part_cells
        Cells brought into memory at once, but never less than a period.
    """

    groups: tuple[tuple[RowGroup, Ints], ...]
    keys: Keys
    places: Mapping[str, Mapping[str, int]]
    side: Ints | None
    n_rows: int
    names: tuple[str, ...]
    lattices: tuple[Lattice, ...]
    pair_of: Ints
    lattice: Ints
    place: Ints
    part_cells: int = PART_CELLS
    blocks: None = field(default=None, init=False)

    def with_names(self, names: tuple[str, ...]) -> "StoredCells":
        """Give the same cells with other columns."""
        return replace(self, names=names)

    def column(self, name: str) -> Array:
        """
        Refuse: a whole column does not fit in memory.

        Raises
        ------
        DesignError
            Always; it names the way.
        """
        what = "the pair of each cell" if name == PAIR else f"all of '{name}'"
        msg = (
            f"The cells of this panel stay in their files, and this needs {what} in memory. Read the files into a "
            f"frame and build the panel with Panel.from_frame."
        )
        raise DesignError(msg)

    def parts(self) -> Iterator[PartCells]:
        """
        Bring the cells into memory, a few periods at a time, in order of the periods.

        Raises
        ------
        DataError
            If a file was changed after it was opened, or a cell stands twice.
        """
        for start, stop in self.spans():
            yield self.part(start, stop)

    def spans(self) -> list[tuple[int, int]]:
        """First period of each part, and the one after its last."""
        n_periods = len(self.places["period"])
        a_period = sum(lattice.size for lattice in self.lattices) * max(len(self.places["category"]), 1)
        step = max(self.part_cells // max(a_period, 1), 1)
        edges = [*range(0, n_periods, step), n_periods]
        return list(pairwise(edges))

    def part(self, start: int, stop: int) -> PartCells:
        """
        Bring the cells of periods into memory.

        Parameters
        ----------
        start, stop
            The first period and the one after the last.
        """
        source: list[Rows] = []
        found: list[dict[str, Ints]] = []
        for group, periods in self.groups:
            if not np.any((periods >= start) & (periods < stop)):
                continue
            if stamp(group.path) != group.stamp:
                msg = f"The file '{group.path}' was changed after the panel was opened; open it again."
                raise DataError(msg)
            kept, first = [], 0
            for codes in batch_codes(group, self.keys, self.places):
                inside = keep_rows(codes, self.side) & (codes["period"] >= start) & (codes["period"] < stop)
                rows = np.flatnonzero(inside)
                kept.append(first + rows)
                found.append({role: values[rows] for role, values in codes.items()})
                first += len(inside)
            source.append((group, np.concatenate(kept)))
        empty = np.empty(0, dtype=np.int64)
        columns = {role: np.concatenate([empty, *(f[role] for f in found)]) for role in ROLES}
        return self._arrange(columns, tuple(source), start, stop)

    def _arrange(self, columns: dict[str, Ints], source: tuple[Rows, ...], start: int, stop: int) -> PartCells:
        """Put the rows of some periods into canonical order: each has its slot in the dense blocks."""
        n_categories, t = max(len(self.places["category"]), 1), stop - start
        sizes = np.array([lattice.size for lattice in self.lattices])
        base = np.concatenate([[0], np.cumsum(np.tile(sizes * t, n_categories))])
        pair = self.pair_of[columns["origin"], columns["destination"]].astype(np.int64)
        own = self.lattice[pair]
        slot = base[columns["category"] * len(sizes) + own]
        slot += (columns["period"] - start) * sizes[own] + self.place[pair]
        row_of = np.full(base[-1], -1)
        row_of[slot] = np.arange(len(slot))
        filled = np.flatnonzero(row_of >= 0)
        order = row_of[filled]
        if len(order) < len(slot):
            raise DoubledError(len(slot) - len(order), _first_doubled(columns, row_of[slot]))
        columns[PAIR] = pair
        if self.keys.category is None:
            del columns["category"]
        return PartCells(
            columns={name: values[order] for name, values in columns.items()},
            blocks=self._blocks(filled, base, t),
            names=self.names,
            source=source,
            order=order,
        )

    def _blocks(self, filled: Ints, base: Ints, n_periods: int) -> tuple[Block, ...]:
        rows = np.searchsorted(filled, base)
        blocks = []
        for n, (first, last) in enumerate(pairwise(base)):
            lattice = self.lattices[n % len(self.lattices)]
            complete = rows[n + 1] - rows[n] == last - first
            blocks.append(
                Block(
                    origins=lattice.origins,
                    destinations=lattice.destinations,
                    start=int(rows[n]),
                    stop=int(rows[n + 1]),
                    n_periods=n_periods,
                    position=None if complete else filled[rows[n] : rows[n + 1]] - first,
                )
            )
        return tuple(blocks)


class DoubledError(DataError):
    """Cells that stand twice: how many, and the codes of the first (origin, destination, period, category)."""

    def __init__(self, count: int, first: tuple[int, ...]) -> None:
        super().__init__(f"{count:,} flows stand twice.")
        self.count = count
        self.first = first


def _first_doubled(columns: Mapping[str, Ints], row_of: Ints) -> tuple[int, ...]:
    row = int(np.flatnonzero(row_of != np.arange(len(row_of)))[0])
    return tuple(int(columns[name][row]) for name in ROLES)


def batch_codes(group: RowGroup, keys: Keys, places: Mapping[str, Mapping[str, int]]) -> Iterator[dict[str, Ints]]:
    """Codes of a row group's rows by role, a batch at a time: -1 null, -2 unknown; 0 for a role without a column."""
    for batch in read(group, keys.names, coded=True):
        codes = {role: np.zeros(batch.num_rows, dtype=np.int64) for role in ROLES}
        for role, name in keys.by_role.items():
            codes[role] = recode(encode_batch(batch[name], period=role == "period"), places[role])
        yield codes


def keep_rows(codes: Mapping[str, Ints], side: Ints | None) -> NDArray[np.bool_]:
    """Mark the rows that are cells: all keys known and, with sides, between the two, shape (N,)."""
    keep: NDArray[np.bool_] = np.logical_and.reduce([values >= 0 for values in codes.values()])
    if side is not None:
        keep &= side[np.maximum(codes["origin"], 0)] != side[np.maximum(codes["destination"], 0)]
    return keep


def find_lattices(
    origin: Ints, destination: Ints, n_regions: int, n_categories: int, side: Ints | None
) -> tuple[tuple[Lattice, ...], Ints, Ints]:
    """
    Find the components of the directed pairs, all in one where they are too many.

    Parameters
    ----------
    origin, destination
        Region codes of the pairs, shape (P,).
    n_regions, n_categories
        How many codes there are.
    side
        Side of each region, or None; the first side's exports stand first.

    Returns
    -------
    The components, the component of each pair, and its place in the flattened (I, J), shapes (P,).
    """
    component = components(origin, destination, n_regions)
    if side is not None:
        component = rank_by_first(component, side[origin])
    if (int(component.max()) + 1) * n_categories > MAX_BLOCKS:
        component = np.zeros(len(origin), dtype=np.int64)
    place = np.empty(len(origin), dtype=np.int64)
    lattices = []
    for n in range(int(component.max()) + 1):
        own = component == n
        origins, i = np.unique(origin[own], return_inverse=True)
        destinations, j = np.unique(destination[own], return_inverse=True)
        place[own] = i * len(destinations) + j
        lattices.append(Lattice(origins=origins, destinations=destinations))
    return tuple(lattices), component, place


def _read_rows(source: Sequence[Rows], name: str) -> Array:
    """One column at some rows of row groups, in their order."""
    chunks: list[Array] = []
    for group, rows in source:
        first = 0
        for batch in read(group, [name]):
            stop = np.searchsorted(rows, [first, first + batch.num_rows])
            inside = rows[stop[0] : stop[1]] - first
            if len(inside):
                values = batch[name] if len(inside) == batch.num_rows else batch[name].take(pa.array(inside))
                chunks.append(numbers_or_text(pa.chunked_array([values]), name, "The flows files"))
            first += batch.num_rows
    return np.concatenate(chunks) if chunks else np.empty(0)
