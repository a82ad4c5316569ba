"""The panel of a finished run, without its log."""

import pyarrow as pa

from tradelift.panel import Panel
from tradelift.pipeline.finished import FinishedRun
from tradelift.pipeline.inputs import panel_of_cells

OF_THE_PANEL = ("direction",)  # what the panel tells of each cell by itself


def reopen(run: FinishedRun) -> Panel:
    """
    Make the panel of a run from the cells that it wrote, and the study's regions, partners and neighbours.

    Parameters
    ----------
    run
        The study's files stand where they stood.

    Raises
    ------
    DataError
        If a file is missing or was changed since.
    """
    cells = pa.concat_tables(run.panel_parts())
    return panel_of_cells(run.study, cells.drop_columns([n for n in OF_THE_PANEL if n in cells.column_names]))
