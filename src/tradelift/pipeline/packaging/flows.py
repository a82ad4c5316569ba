"""The flows of a run for its package: what may leave, without the columns that other packed files hold."""

from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tradelift.log.disclosure_report import DisclosureReport
from tradelift.pipeline.exporting import disclosed
from tradelift.pipeline.finished import FinishedRun
from tradelift.pipeline.tables import read_table


def write_flows(run: FinishedRun, path: Path, *, public: bool) -> DisclosureReport:
    """
    Write the flows as a study reads them under `flows`.

    Covariates of pairs stay in their own files, so that a run from the package takes the same way to each number as the
    run from the log.
    """
    elsewhere = {"direction"}
    for source in run.study.pairs:
        elsewhere |= {*read_table(run.study.resolve(source.file), source.columns, f"pairs: {source.file}").column_names}
    elsewhere -= {"origin", "destination", "period", "category"}
    reports = []
    writer: Any = None
    for part in run.panel_parts():
        cells, report = disclosed(run, part, public=public)
        cells = cells.drop_columns([name for name in cells.column_names if name in elsewhere])
        writer = writer or pq.ParquetWriter(path, cells.schema, compression="zstd")
        writer.write_table(cells)
        reports.append(report)
    writer.close()
    return reduce(add, reports)


def write_categories(run: FinishedRun, path: Path) -> None:
    """Write flows by category, of flows that are public."""
    pq.write_table(pa.concat_tables(run.category_parts()), path, compression="zstd")
