"""A panel in a few lines, for a terminal and for a notebook."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tradelift.account import Stage

if TYPE_CHECKING:
    import pandas as pd

    from tradelift.panel.panel import Panel


def summary(panel: "Panel") -> tuple[list[str], "pd.DataFrame", list[str]]:
    """
    Say how large a panel is, what became of its input, and what a design can name.

    Parameters
    ----------
    panel
        Any.

    Returns
    -------
    Lines, a table with the columns stage, reason and rows, and lines.
    """
    import pandas as pd

    lines = [(stage.name, *row) for stage in panel.account.stages for row in _rows(stage)]
    table = pd.DataFrame(lines, columns=["stage", "reason", "rows"])
    return [", ".join(_sizes(panel))], table, [f"Columns: {', '.join(panel.names)}"]


def _sizes(panel: "Panel") -> Iterator[str]:
    regions = panel.regions
    sides = ""
    if regions.sides is not None and regions.side is not None:
        counts = [int(np.count_nonzero(regions.side == k)) for k in range(len(regions.sides))]
        sides = f" ({', '.join(f'{n:,} {side}' for side, n in zip(regions.sides, counts, strict=True))})"
    yield f"{len(regions):,} regions{sides}"
    if len(panel.periods) > 1:
        yield f"{len(panel.periods):,} periods from {panel.periods[0]} to {panel.periods[-1]}"
    if panel.categories is not None:
        yield f"{len(panel.categories):,} categories"
    yield f"{len(panel.pairs):,} directed pairs"
    yield f"{panel.n_cells:,} cells"
    if panel.programme is not None:
        yield f"{len(panel.programme.first):,} partner pairs"


def _rows(stage: Stage) -> Iterator[tuple[str, int]]:
    yield "read", stage.read_rows
    for exclusion in stage.exclusions:
        yield f"excluded: {exclusion.reason}", exclusion.rows
    yield "kept", stage.kept_rows
