"""A treatment by the levels of a column: one effect each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.effects import blanks
from tradelift.designs.terms import Column, quoted
from tradelift.panel import Panel

Bools = NDArray[Any]


def spelled(treatment: str, by: str) -> str:
    """Write a treatment by levels as fixest does."""
    return f"i({quoted(by)}, {quoted(treatment)})"


def split_by_levels(panel: Panel, column: Column, by: str, pairs: Bools, sample: Bools) -> list[Column]:
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
    """
    fixed = column.fixed and panel.is_fixed(by)
    levels = panel.pair_column(by) if fixed else panel.column(by)
    values = column.values if fixed or not column.fixed else column.by_cell(panel.pair_of_cell)
    unknown = blanks(levels)
    names = np.unique(levels[(pairs if fixed else sample) & ~unknown])
    if by in ("origin", "destination", "period", "category"):
        labels = {"period": panel.periods, "category": panel.categories or ()}.get(by, panel.regions.ids)
    else:
        labels = None
    return [
        Column(
            name=f"{column.name}[{labels[level] if labels is not None else level}]",
            values=np.where(unknown & (values != 0), np.nan, np.where(levels == level, values, 0.0)),
            fixed=fixed,
            spelled=spelled(column.name, by),
        )
        for level in names
    ]
