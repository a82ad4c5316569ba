"""Flows by category beside a panel of all goods: only cells with a flow are kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.panel.arrangement import FLOWS
from tradelift.panel.cells import PAIR, MemoryCells
from tradelift.panel.digest import Fingerprint
from tradelift.panel.frames import code_table, encode, encode_periods, need, numbers_or_text, recode
from tradelift.panel.panel import RATIOS, Panel
from tradelift.panel.row_codes import fits
from tradelift.threads import side_by_side

Array = NDArray[Any]
Floats = NDArray[Any]
Ints = NDArray[np.int64]

KEYS = ("origin", "destination", "period", "category")
UNKNOWN = "unknown"
NO_CELL = "no cell of the panel"
STRETCH = 2**18  # rows that a thread looks up at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Goods:
    """
    Flows by category, M of them, ordered by category and cell.

    Parameters
    ----------
    names
        Of the categories, C of them.
    edges
        Where each category begins, and the end, shape (C + 1,).
    cell
        Cell of the panel of each flow, shape (M,).
    columns
        Flows (`trade`, `deals`), shape (M,) each.
    about
        What is known of the categories (`name`, `priority`), shape (C,) each; NaN or "" where it is not.
    excluded
        Rows that are not here, by reason.
    """

    names: tuple[str, ...]
    edges: Ints
    cell: Ints
    columns: Mapping[str, Floats]
    about: Mapping[str, Array]
    excluded: Mapping[str, int]

    def total(self, name: str, categories: Sequence[int], n_cells: int) -> Floats:
        """Flows of some categories together by cell, shape (N,)."""
        out = np.zeros(n_cells)
        for c in categories:
            own = slice(self.edges[c], self.edges[c + 1])
            out[self.cell[own]] += self.columns[name][own]
        return out


def with_goods(panel: Panel, table: pa.Table, about: pa.Table | None = None) -> Panel:
    """
    Put flows by category beside a panel.

    Parameters
    ----------
    panel
        Of all goods, in memory.
    table
        One row a flow: `origin`, `destination`, `period`, `category`, and `trade`, `deals` or other flows; cells
        without a flow are left out. A missing category is "unknown".
    about
        One row a category: `category`, and `name`, `priority` or other traits.

    Raises
    ------
    DataError
        If a column is missing, a flow stands twice, or a category is listed twice.
    """
    need(table, KEYS, "The flows by category")
    coded = encode(table["category"])
    used = {coded.texts[code] for code in np.unique(coded.codes) if code >= 0}
    names = tuple(sorted({*(str(text) for text in used), *([UNKNOWN] if coded.null else [])}))
    place = code_table(coded.texts, {name: c for c, name in enumerate(names)})
    place[place < 0] = names.index(UNKNOWN) if UNKNOWN in names else -1
    order, places = _order(_places(panel, table, place[coded.codes].astype(np.int32)), len(names) * panel.n_cells)
    twice = int((np.diff(places) == 0).sum())
    if twice:
        msg = f"{twice:,} flows by category stand twice; sum them."
        raise DataError(msg)
    edges = np.searchsorted(places, np.arange(len(names) + 1) * panel.n_cells)
    columns = {name: _flow(table, name)[order] for name in table.column_names if name in FLOWS}
    goods = Goods(
        names=names,
        edges=edges,
        cell=places - np.repeat(np.arange(len(names)) * panel.n_cells, np.diff(edges)),
        columns=columns,
        about={} if about is None else _about(about, names),
        excluded={NO_CELL: table.num_rows - len(order)},
    )
    made_of = (panel.fingerprint, list(names), goods.edges, goods.cell, columns, goods.about)
    return replace(panel, goods=goods, fingerprint=Fingerprint(parts=made_of))


def goods_panel(panel: Panel, categories: Sequence[int]) -> Panel:
    """
    Take the flows of some categories together as a panel; columns of other flows of all goods are left out.

    Parameters
    ----------
    panel
        With flows by category beside it.
    categories
        Positions in `panel.goods.names`.
    """
    goods, cells = panel.goods, panel.cells
    assert goods is not None, "the caller has looked"
    assert isinstance(cells, MemoryCells), "flows by category stand beside panels in memory"
    flows = {name: goods.total(name, categories, panel.n_cells) for name in goods.columns}
    whose = ", ".join(goods.names[c] for c in categories)
    return replace(
        panel,
        cells=MemoryCells(columns=Replaced(cells.columns, flows), blocks=cells.blocks),
        goods=None,
        fingerprint=Fingerprint(parts=(panel.fingerprint, f"goods {whose}")),
    )


class Replaced(Mapping[str, Array]):
    """Columns with other flows in place of those of all goods."""

    __slots__ = ("_flows", "_names", "_whole")

    def __init__(self, whole: Mapping[str, Array], flows: Mapping[str, Array]) -> None:
        self._whole, self._flows = whole, flows
        kept = (name for name in whole if not (name in FLOWS or name.startswith(RATIOS)))
        self._names = dict.fromkeys((*kept, *flows))

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        return self._flows[name] if name in self._flows else self._whole[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _flow(table: pa.Table, name: str) -> Array:
    """A column of flows as numbers, 0 where it is missing."""
    values = numbers_or_text(table[name], name, "The flows by category")
    if values.dtype.kind == "U":
        msg = f"The flows by category: column '{name}' holds text; give numbers."
        raise DataError(msg)
    return np.nan_to_num(values.astype(np.float64, copy=False))


def _places(panel: Panel, table: pa.Table, category: Ints) -> Ints:
    """Category x N + cell of each row, -1 where the panel has no such cell; rows are many, so their codes are short."""
    n, periods = len(panel.regions), len(panel.periods)
    of_region = {str(region): code for code, region in enumerate(panel.regions.ids)}
    of_period = {label: t for t, label in enumerate(panel.periods)}
    ends = [recode(encode(table[end]), of_region).astype(np.int32) for end in ("origin", "destination")]
    period = recode(encode_periods(table["period"]), of_period).astype(np.int32)
    pair_of = np.full((n, n), -1)
    pair_of[panel.pairs.origin, panel.pairs.destination] = np.arange(len(panel.pairs))
    cell_of = np.full((len(panel.pairs), periods), -1)
    cell_of[panel.cells.column(PAIR), panel.cells.column("period")] = np.arange(panel.n_cells)
    out = np.empty(table.num_rows, dtype=np.int64)

    def place(start: int) -> None:
        own = slice(start, start + STRETCH)
        origin, destination, when = ends[0][own], ends[1][own], period[own]
        # an unknown place is no position
        pair = pair_of[np.maximum(origin, 0), np.maximum(destination, 0)]
        cell = cell_of[np.maximum(pair, 0), np.maximum(when, 0)]
        known = (origin >= 0) & (destination >= 0) & (pair >= 0) & (when >= 0) & (cell >= 0)
        out[own] = np.where(known, category[own] * np.int64(panel.n_cells) + cell, -1)

    side_by_side(place, table.num_rows, range(0, table.num_rows, STRETCH))
    return out


def _order(places: Ints, size: int) -> tuple[Ints, Ints]:
    """Rows that have a place, ordered by it, and their places; these are below a size."""
    known = np.flatnonzero(places >= 0)
    if fits(size, len(known)):
        row_of = np.full(size, -1)
        row_of[places[known]] = known
        filled = np.flatnonzero(row_of >= 0)
        if len(filled) == len(known):
            return row_of[filled], filled
    order = known[np.argsort(places[known], kind="stable")]
    return order, places[order]


def _about(table: pa.Table, names: Sequence[str]) -> dict[str, Array]:
    """What is known of each category, shape (C,) by column."""
    need(table, ("category",), "The categories")
    listed = [str(name) for name in table["category"].to_pylist()]
    if not listed:
        raise DataError("The categories have no rows; list each category once, or leave `categories` out.")
    if len(set(listed)) < len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        msg = f"The categories list '{twice}' twice; list each once."
        raise DataError(msg)
    row = np.array([listed.index(name) if name in listed else -1 for name in names])
    out: dict[str, Array] = {}
    for column in table.column_names:
        if column == "category":
            continue
        values = numbers_or_text(table[column], column, "The categories")
        if values.dtype.kind == "U":
            out[column] = np.where(row >= 0, values[row], "")
        else:
            out[column] = np.where(row >= 0, values.astype(np.float64)[row], np.nan)
    return out
