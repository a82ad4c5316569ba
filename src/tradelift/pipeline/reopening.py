"""The panel of a finished run, without its log."""

from collections.abc import Sequence

import pyarrow as pa

from tradelift.panel import Panel
from tradelift.pipeline.finished import FinishedRun
from tradelift.pipeline.inputs import panel_of_cells

OF_THE_PANEL = ("direction",)  # what the panel tells of each cell by itself
IDS = ("origin", "destination", "period")
KEYS = (*IDS, "category", "domestic", "distance_km")
"""What says whose flows a cell is."""


def reopen(run: FinishedRun, columns: Sequence[str] | None = None) -> Panel:
    """
    Make the panel of a run from the cells that it wrote, and the study's regions, partners and neighbours.

    Parameters
    ----------
    run
        The study's files stand where they stood.
    columns
        Columns to read beside those that say whose flows a cell is; None for all.

    Raises
    ------
    DataError
        If a file is missing or was changed since.
    """
    wanted = None if columns is None else {*KEYS, *columns}
    cells = pa.concat_tables(
        run.panel_parts(lambda name: name not in OF_THE_PANEL and (wanted is None or name in wanted), coded=IDS)
    )
    return panel_of_cells(run.study, cells.unify_dictionaries())
