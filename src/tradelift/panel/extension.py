"""A panel with further columns."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.panel.cells import MemoryCells
from tradelift.panel.digest import Fingerprint
from tradelift.panel.panel import Panel

Array = NDArray[Any]


class Extended(Mapping[str, Array]):
    """Columns of cells, and further ones that stand before them where they have the same name."""

    __slots__ = ("_further", "_names", "_whole")

    def __init__(self, whole: Mapping[str, Array], further: Mapping[str, Array]) -> None:
        self._whole, self._further = whole, further
        self._names = dict.fromkeys((*whole, *further))

    def __getitem__(self, name: str) -> Array:
        return self._further[name] if name in self._further else self._whole[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


def with_columns(
    panel: Panel, *, pairs: Mapping[str, Array] | None = None, cells: Mapping[str, Array] | None = None
) -> Panel:
    """
    Add columns to a panel; nothing is copied.

    Parameters
    ----------
    panel
        In memory, where cells get columns.
    pairs
        Fixed columns by directed pair, shape (P,) each.
    cells
        Columns by cell, shape (N,) each.

    Raises
    ------
    DesignError
        If cells stay in files.
    """
    further, own = dict(cells or {}), dict(pairs or {})
    held = panel.cells
    if further:
        if not isinstance(held, MemoryCells):
            msg = f"This panel stays in its files; '{next(iter(further))}' needs it in memory, from Panel.from_frame."
            raise DesignError(msg)
        held = MemoryCells(columns=Extended(held.columns, further), blocks=held.blocks)
    return replace(
        panel,
        pairs=replace(panel.pairs, columns={**panel.pairs.columns, **own}),
        cells=held,
        fingerprint=Fingerprint(parts=(panel.fingerprint, own, further)),
    )
