"""Every table and figure of a report as files of its own."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from tradelift.exhibits import DataTable, Figure, RegressionTable, Shown, Table
from tradelift.exhibits.shown import Record
from tradelift.processes import in_processes
from tradelift.report.figures import figure_svg, page_svg
from tradelift.report.html import page, style
from tradelift.report.images import pdf, png
from tradelift.report.latex import table_latex
from tradelift.report.legible import legible
from tradelift.report.numbers import is_unknown
from tradelift.report.tables import table_html
from tradelift.report.word import table_docx
from tradelift.spreadsheet import plain_record

TABLE_KINDS = ("html", "tex", "docx", "csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """
    What was written.

    Parameters
    ----------
    paths
        The files.
    tables, figures
        Markup for the page, by name.
    """

    paths: tuple[Path, ...]
    tables: Mapping[str, str]
    figures: Mapping[str, str]


def write_files(folder: Path, shown: Iterable[Shown], *, processes: int = 1) -> Files:
    """
    Write tables into the folder `tables` and figures into the folder `figures`, each in every format.

    Parameters
    ----------
    folder
        That exists.
    shown
        What exhibits show.
    processes
        How many draw.

    Returns
    -------
    The files and the markup. Equal input gives equal bytes.
    """
    for name in ("tables", "figures"):
        (folder / name).mkdir(exist_ok=True)
    items: list[Table | Figure] = [item for exhibit in shown for item in (*exhibit.figures, *exhibit.tables)]
    tables: dict[str, str] = {}
    figures: dict[str, str] = {}
    paths: list[Path] = []
    done = in_processes(_write, items, folder, min(processes, len(items)), called="tables and figures")
    for item, (markup, files) in zip(items, done, strict=True):
        (tables if isinstance(item, DataTable | RegressionTable) else figures)[item.name] = markup
        paths += files
    return Files(paths=tuple(paths), tables=tables, figures=figures)


def _write(item: Table | Figure, folder: Path) -> tuple[str, list[Path]]:
    """Markup for the page, and the files."""
    if isinstance(item, DataTable | RegressionTable):
        markup = table_html(item)
        return markup, _write_table(folder / "tables", item, markup)
    svg = figure_svg(item)
    return page_svg(item, svg), _write_figure(folder / "figures", item, svg)


def write_text(path: Path, text: str) -> Path:
    """Write a text in UTF-8."""
    path.write_text(text, encoding="utf-8")
    return path


def table_bytes(table: Table, kind: str, markup: str | None = None) -> bytes:
    """
    Write a table as the bytes of a file.

    Parameters
    ----------
    table
        Of an exhibit.
    kind
        One of `TABLE_KINDS`.
    markup
        In a page, where it was made before.
    """
    if kind == "docx":
        return table_docx(table)
    if kind == "csv":
        return _csv(table.records())
    if kind == "tex":
        return table_latex(table).encode()
    return page(
        "table.html.j2", style=style(), table=table, markup=table_html(table) if markup is None else markup
    ).encode()


def _write_table(folder: Path, table: Table, markup: str) -> list[Path]:
    return [_write_bytes(folder / f"{table.name}.{kind}", table_bytes(table, kind, markup)) for kind in TABLE_KINDS]


def _write_figure(folder: Path, figure: Figure, svg: str) -> list[Path]:
    shown = legible(figure, svg)
    drawing = svg if shown is figure else figure_svg(shown)
    return [
        write_text(folder / f"{figure.name}.svg", svg + "\n"),
        _write_bytes(folder / f"{figure.name}.pdf", pdf(drawing)),
        _write_bytes(folder / f"{figure.name}.png", png(drawing)),
        _write_bytes(folder / f"{figure.name}.csv", _csv(figure.records())),
    ]


def _write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _csv(records: Iterable[Record]) -> bytes:
    """Write records; what is not known is blank."""
    rows = [plain_record(record) for record in records]
    file = StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: None if is_unknown(value) else value for name, value in row.items()} for row in rows)
    return file.getvalue().encode()
