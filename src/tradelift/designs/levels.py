"""A treatment by the levels of a column: one effect each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.effects import blanks
from tradelift.designs.terms import Column, quoted
from tradelift.panel import Panel

Bools = NDArray[Any]

NAMED = 5  # levels that a note names


def spelled(treatment: str, by: str) -> str:
    """Write a treatment by levels as fixest does."""
    return f"i({quoted(by)}, {quoted(treatment)})"


def split_by_levels(
    panel: Panel, column: Column, by: str, pairs: Bools, sample: Bools
) -> tuple[list[Column], tuple[str, ...]]:
    """
    Make one treatment for each level of a column; where the level of a treated cell is not known, it is missing.

    Parameters
    ----------
    panel
        The flows.
    column
        The treatment.
    by
        The column whose levels part it.
    pairs, sample
        Directed pairs and cells whose levels count, shapes (P,) and (N,).

    Returns
    -------
    The treatments of the levels in which something is treated (all where nothing is), and a note on the others.
    """
    fixed = column.fixed and panel.is_fixed(by)
    levels = panel.pair_column(by) if fixed else panel.column(by)
    values = column.values if fixed or not column.fixed else column.by_cell(panel.pair_of_cell)
    unknown = blanks(levels)
    inside = (pairs if fixed else sample) & ~unknown
    names = np.unique(levels[inside])
    on = np.isin(names, levels[inside & (values != 0)])
    some = names[on] if on.any() else names
    if by in ("origin", "destination", "period", "category"):
        labels = {"period": panel.periods, "category": panel.categories or ()}.get(by, panel.regions.ids)
    else:
        labels = None
    called = {level: str(labels[level] if labels is not None else level) for level in names}
    lost = [called[level] for level in names if level not in some]
    columns = [
        Column(
            name=f"{column.name}[{called[level]}]",
            values=np.where(unknown & (values != 0), np.nan, np.where(levels == level, values, 0.0)),
            fixed=fixed,
            spelled=spelled(column.name, by),
        )
        for level in some
    ]
    shown = f"{', '.join(lost[:NAMED])}{' ...' if len(lost) > NAMED else ''}"
    return columns, (f"No effect of '{column.name}' by '{by}' in {shown}: nothing is treated there.",) if lost else ()
