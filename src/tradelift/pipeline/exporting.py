"""The panel of a finished run for other hands."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tradelift.errors import DataError
from tradelift.log.disclosure import LOGGED, Rules, disclose, public_cells
from tradelift.log.disclosure_report import DisclosureReport
from tradelift.pipeline.finished import FinishedRun, open_run
from tradelift.spreadsheet import FORMULA, NUMBER, plain_text
from tradelift.study import MINOR_DIGITS

FORMS = (".parquet", ".csv")


def export(
    folder: str | Path, to: str | Path, *, public: bool = False, study: str | Path | None = None
) -> DisclosureReport:
    """
    Write the panel of a finished run to one file, without what would tell others about one seller or buyer.

    Parameters
    ----------
    folder
        Of the run.
    to
        The file to write; it ends in .parquet or .csv. In CSV, texts that a spreadsheet would evaluate get an
        apostrophe before them.
    public
        The flows are public already: nothing is judged and nothing masked.
    study
        The study file, where it no longer stands where it stood at the run.

    Returns
    -------
    What was masked, by reason.

    Raises
    ------
    DataError
        If there is no finished run, its panel cannot be judged, or the file cannot be written.
    """
    run = open_run(folder, study)
    to = Path(to)
    if to.suffix.lower() not in FORMS:
        msg = f"{to}: the panel is written as {' or '.join(FORMS)}; give a name that ends so."
        raise DataError(msg)
    if to.absolute().is_relative_to(run.folder.absolute()):
        msg = f"{to} lies in the folder of the run, which holds only what the run wrote; choose another place."
        raise DataError(msg)
    with replaced(to) as path:
        return write_panel(run, path, public=public)


def write_panel(run: FinishedRun, path: Path, *, public: bool) -> DisclosureReport:
    """Write what may leave of a run's panel, a period at a time; a name that ends in .csv is CSV, else Parquet."""
    reports = []
    writer: Any = None
    for part in run.panel_parts():
        cells, report = disclosed(run, part, public=public)
        reports.append(report)
        if path.suffix.lower() == ".csv":
            cells = for_spreadsheets(cells)
            writer = writer or pa_csv.CSVWriter(path, cells.schema)
        else:
            writer = writer or pq.ParquetWriter(path, cells.schema, compression="zstd")
        writer.write_table(cells)
    writer.close()
    return reduce(add, reports)


def disclosed(run: FinishedRun, cells: pa.Table, *, public: bool) -> tuple[pa.Table, DisclosureReport]:
    """Judge some cells by the rules, with ratios as the run's study ranks and cuts them."""
    rules = rules_of(run)
    log = run.study.transactions
    if public:
        return public_cells(cells, rules)
    # of flows that were summed elsewhere nobody knows which columns are made of transactions
    covariates = None if log is None else [name for name in cells.column_names if name not in LOGGED]
    return disclose(cells, rules, covariates)


def rules_of(run: FinishedRun) -> Rules:
    """What may leave, with ratios as the run's study ranks and cuts them."""
    log = run.study.transactions
    if log is None:
        return Rules()
    how = log.concentration
    return Rules(share=how.share, ranking=how.ranking, rounding=how.rounding, digits=MINOR_DIGITS[log.currency])


def for_spreadsheets(cells: pa.Table) -> pa.Table:
    """Texts, and names of columns, that no spreadsheet evaluates."""
    columns = {}
    for name in cells.column_names:
        column = cells[name]
        if pa.types.is_string(column.type):
            number = pc.match_substring_regex(column, NUMBER)
            formula = pc.and_not(pc.match_substring_regex(column, FORMULA), number)
            column = pc.if_else(formula, pc.binary_join_element_wise("'", column, ""), column)
        columns[plain_text(name)] = column
    return pa.table(columns)


@contextmanager
def replaced(to: Path) -> Iterator[Path]:
    """Give a file to write that takes the place of another when it is whole, and vanishes when it is not."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent)
    except OSError as error:
        msg = f"Cannot write to {to}: {error.strerror or error}. Choose another place with --to."
        raise DataError(msg) from None
    with folder as inside:
        path = Path(inside) / to.name
        try:
            yield path
            path.replace(to)
        except OSError as error:
            msg = f"Cannot write to {to}: {error.strerror or error}. Choose another place with --to."
            raise DataError(msg) from None
