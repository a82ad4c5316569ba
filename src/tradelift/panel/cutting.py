"""Parts of a panel as panels of their own: some periods, or the flows of a category."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.panel.cells import Block, MemoryCells
from tradelift.panel.digest import Fingerprint
from tradelift.panel.panel import Panel

Array = NDArray[Any]
Ints = NDArray[np.int64]
Ranges = Sequence[tuple[int, int]]


class CutColumns(Mapping[str, Array]):
    """
    Columns of some of the cells, cut when they are first asked for.

    Parameters
    ----------
    whole
        Columns of all cells.
    ranges
        First row and the row after the last, in order.
    first_period
        Position of the period that becomes the first.
    without
        Names that are no longer there.
    """

    __slots__ = ("_first_period", "_held", "_names", "_ranges", "_whole")

    def __init__(self, whole: Mapping[str, Array], ranges: Ranges, first_period: int, without: Sequence[str]) -> None:
        self._whole, self._ranges, self._first_period = whole, ranges, first_period
        self._names = dict.fromkeys(name for name in whole if name not in without)
        self._held: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._held:
            column = self._whole[name]
            parts = [column[a:b] for a, b in self._ranges]
            own = parts[0] if len(parts) == 1 else np.concatenate([column[:0], *parts])
            self._held[name] = own - self._first_period if name == "period" else own
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


def cut_periods(panel: Panel, first: int, last: int) -> Panel:
    """
    Take the periods from one to another as a panel; partnerships start and end as before.

    Flows by category do not stand beside it.

    Parameters
    ----------
    panel
        In memory.
    first, last
        Positions of periods, both inside.

    Raises
    ------
    DesignError
        If the panel stays in its files.
    """
    cells = _in_memory(panel)
    count = last - first + 1
    if cells.blocks is None:
        rows = (cells.column("period") >= first) & (cells.column("period") <= last)
        ranges, blocks = _ranges(rows), None
    else:
        ranges, made = [], []
        for block in cells.blocks:
            start, stop, position = _window(block, first, last)
            done = sum(b - a for a, b in ranges)
            own = None if position is None else position - first * block.size
            made.append(replace(block, start=done, stop=done + stop - start, n_periods=count, position=own))
            ranges.append((start, stop))
        blocks = tuple(made)
    programme = panel.programme
    if programme is not None:
        programme = replace(
            programme,
            start=np.clip(programme.start - first, 0, count),
            end=np.clip(programme.end - first, -1, count - 1),
        )
    return replace(
        panel,
        periods=panel.periods[first : last + 1],
        cells=MemoryCells(columns=CutColumns(cells.columns, ranges, first, ()), blocks=blocks),
        programme=programme,
        goods=None,
        fingerprint=Fingerprint(parts=(panel.fingerprint, f"periods {first} to {last}")),
    )


def cut_category(panel: Panel, category: int) -> Panel:
    """
    Take the flows of one category as a panel without categories.

    Parameters
    ----------
    panel
        In memory, with categories.
    category
        Its position.

    Raises
    ------
    DesignError
        If the panel stays in its files.
    """
    cells = _in_memory(panel)
    rows = np.searchsorted(cells.column("category"), [category, category + 1])  # they are in the order of categories
    start, stop = int(rows[0]), int(rows[1])
    blocks = None
    if cells.blocks is not None:
        own = [block for block in cells.blocks if start <= block.start < stop]
        blocks = tuple(replace(block, start=block.start - start, stop=block.stop - start) for block in own)
    return replace(
        panel,
        categories=None,
        cells=MemoryCells(columns=CutColumns(cells.columns, [(start, stop)], 0, ("category",)), blocks=blocks),
        fingerprint=Fingerprint(parts=(panel.fingerprint, f"category {category}")),
    )


def _in_memory(panel: Panel) -> MemoryCells:
    if not isinstance(panel.cells, MemoryCells):
        msg = "This panel stays in its files; to take a part of it, make it with Panel.from_frame or read that part."
        raise DesignError(msg)
    return panel.cells


def _window(block: Block, first: int, last: int) -> tuple[int, int, Array | None]:
    """Rows of a block in some periods, and their places in its tensor, None where it is complete."""
    low, high = first * block.size, (last + 1) * block.size
    if block.position is None:
        return block.start + low, block.start + high, None
    a, b = np.searchsorted(block.position, [low, high])
    return block.start + int(a), block.start + int(b), block.position[a:b]


def _ranges(rows: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of marked rows."""
    edges = np.flatnonzero(np.diff(np.r_[False, rows, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
