"""Mediators of earlier periods beside the flows of a period."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tradelift.errors import DesignError
from tradelift.panel import Panel
from tradelift.panel.cells import MemoryCells
from tradelift.panel.cutting import cut_periods


def columns_of(mediator: str) -> tuple[str, ...]:
    """Columns that a mediator is made of: "log(search):migration" of "search" and "migration"."""
    return tuple(part.strip().removeprefix("log(").removesuffix(")") for part in mediator.split(":"))


def lagged(panel: Panel, mediators: Sequence[str], lag: int) -> Panel:
    """
    A panel in which mediators that move are those of some periods before; the first periods, which have none, are cut.

    Parameters
    ----------
    panel
        In memory.
    mediators
        Columns, log(x) or x:y.
    lag
        Periods; a value that is missing there is missing here.

    Raises
    ------
    DesignError
        If no mediator moves, or there are not more periods than that.
    """
    moving = [c for m in mediators for c in columns_of(m) if c in panel.cells.names]
    if not moving:
        msg = (
            f"lag={lag} is for mediators that move in time, which {', '.join(mediators)} does not; use lag=0, or give "
            f"it by period."
        )
        raise DesignError(msg)
    if lag >= len(panel.periods):
        msg = f"lag={lag} needs more periods than that; the panel has {len(panel.periods)}."
        raise DesignError(msg)
    cells = panel.cells
    columns = {name: cells.column(name) for name in cells.names}
    n_goods = 1 if panel.categories is None else len(panel.categories)
    row = panel.pair_of_cell * n_goods + (columns["category"] if n_goods > 1 else 0)
    period = columns["period"]
    for name in dict.fromkeys(moving):
        table = np.full((len(panel.periods) + lag, len(panel.pairs) * n_goods), np.nan)
        table[period + lag, row] = columns[name]
        columns[name] = table[period, row]
    whole = replace(panel, cells=MemoryCells(columns=columns, blocks=cells.blocks))
    return cut_periods(whole, lag, len(panel.periods) - 1)
