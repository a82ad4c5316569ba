"""A table as one file a period."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tradelift.panel.frames import encode
from tradelift.threads import side_by_side


def write_periods(table: pa.Table, folder: Path, periods: Sequence[str]) -> None:
    """
    Write one Parquet file a period, named by its label.

    Parameters
    ----------
    table
        With a column `period`.
    folder
        That is made.
    periods
        Labels; one that no row has gets an empty file.
    """
    folder.mkdir()
    codes, texts = encode(table["period"])[:2]  # once: to compare millions of texts takes as long as to write them

    def write(label: str) -> None:
        own = np.flatnonzero(codes == texts.index(label)) if label in texts else np.empty(0, dtype=np.int64)
        pq.write_table(_rows(table, own), folder / f"{label.replace('/', '-')}.parquet", compression="zstd")

    side_by_side(write, table.num_rows, periods)


def _rows(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """Some rows in one piece; those that follow each other are cut out, which is faster where there are many pieces."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return table.slice(rows[0], len(rows)).combine_chunks()
    return table.take(pa.array(rows))
