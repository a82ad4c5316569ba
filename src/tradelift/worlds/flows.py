"""Flows without a log: the panel's cells and the same by category, as tables of a month, and as a panel."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.worlds.cells import READINGS, SMALLEST_CROWD, Cells, CrowdRatios, Crowds, draw_cells
from tradelift.worlds.goods import CATEGORIES
from tradelift.worlds.intensities import Direction, World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MonthFlows:
    """
    All flows of a month, both directions.

    Parameters
    ----------
    cells
        One row a directed pair, zero flows too: origin, destination, period, trade, deals, sellers, buyers, the
        concentration ratios in both readings, and the money of top sellers and buyers and of the others.
    by_category
        One row a directed pair and category that trades: origin, destination, period, category, trade, deals.
    fen
        All money of the month.
    """

    cells: pa.Table
    by_category: pa.Table
    fen: int


def draw_flows(world: World) -> Iterator[MonthFlows]:
    """Draw the flows of each month in turn."""
    crowds = Crowds(world)
    ids = [*world.east.city.tolist(), *world.west.city.tolist()]
    for month in range(world.scale.months):
        drawn = draw_cells(world, month)
        ratios = crowds.draw(month, drawn)
        parts = list(zip(world.directions, drawn, ratios, strict=True))
        yield MonthFlows(
            cells=pa.concat_tables([_cells(world, ids, month, *part) for part in parts]),
            by_category=pa.concat_tables([_by_category(world, ids, month, d, cells) for d, cells, _ in parts]),
            fen=sum(int(cells.fen.sum()) for cells in drawn),
        )


def _keys(world: World, ids: list[str], month: int, direction: Direction, pair: Ints) -> dict[str, pa.Array]:
    """Key columns of rows, from their pairs in the flattened (I, J)."""
    n_east = len(world.east)
    first = (0, n_east) if direction.origins.name == "east" else (n_east, 0)
    codes = np.divmod(pair, direction.partner.shape[1])
    of_origin, of_destination = (start + code for start, code in zip(first, codes, strict=True))
    return {
        "origin": _text(of_origin, ids),
        "destination": _text(of_destination, ids),
        "period": _text(np.full(len(pair), month), list(world.scale.labels())),
    }


def _cells(
    world: World, ids: list[str], month: int, direction: Direction, cells: Cells, crowds: dict[str, CrowdRatios]
) -> pa.Table:
    fen = cells.fen.sum(axis=0).ravel()
    columns: dict[str, pa.Array | Floats | Ints] = dict(
        _keys(world, ids, month, direction, np.arange(direction.partner.size))
    )
    columns |= {"trade": fen / 100, "deals": cells.deals.sum(axis=0).ravel()}
    for who, own in crowds.items():
        count = own.count.ravel()
        counted = count >= SMALLEST_CROWD
        top = {reading: own.top[reading].ravel() for reading in READINGS}
        ratio = {reading: np.where(counted, 100.0 * top[reading] / np.maximum(fen, 1), np.nan) for reading in READINGS}
        columns |= {f"{who}s": count, f"{who}_concentration": ratio["flow"]}
        columns |= {f"{who}_concentration_{reading}": ratio[reading] for reading in READINGS}
        columns |= {f"top_{who}_trade": top["flow"] / 100, f"other_{who}_trade": (fen - top["flow"]) / 100}
    return pa.table(columns)


def _by_category(world: World, ids: list[str], month: int, direction: Direction, cells: Cells) -> pa.Table:
    deals, fen = (values.reshape(len(CATEGORIES), -1).T.ravel() for values in (cells.deals, cells.fen))
    found = np.flatnonzero(deals)
    pair, category = np.divmod(found, len(CATEGORIES))
    keys = _keys(world, ids, month, direction, pair)
    return pa.table(
        keys | {"category": _text(category, list(CATEGORIES)), "trade": fen[found] / 100, "deals": deals[found]}
    )


def _text(codes: Ints, values: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(values, pa.string()))
