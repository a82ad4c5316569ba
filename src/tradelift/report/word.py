"""Tables as Word files: a page with a numbered caption, a table with the rules of a paper, and its notes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tradelift.exhibits import Table
from tradelift.report.columns import GAP, Column, Row, columns, narrowed, rows, table_width
from tradelift.report.frames import UNSEEN, frame
from tradelift.report.html import page

PARTS = {
    "[Content_Types].xml": "content_types.xml.j2",
    "_rels/.rels": "package.rels.j2",
    "docProps/core.xml": "core.xml.j2",
    "word/_rels/document.xml.rels": "document.rels.j2",
    "word/styles.xml": "styles.xml.j2",
    "word/document.xml": "document.xml.j2",
}
WIDTH, HEIGHT = 481, 728  # points of an A4 page between margins of 2 cm
LARGEST, SMALLEST = 10.0, 6.0  # points of letters
UPRIGHT = (7.5, 7.0)  # points of letters down to which a table stands upright: the smaller where it else would not
ROOM = 0.6  # em beside what a column needs: the letters of Word are not those of LaTeX
POINT = 0.25  # em of a decimal point
MARGIN = 60  # twentieths of a point at either side of a cell, as the template has it
TWENTIETHS = 20  # of a point, in which Word counts
ON_ONE_PAGE = 40  # rows that stay together
BORN = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can hold: equal tables give equal bytes
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ALIGN = {"words": "left", "whole": "right", "decimal": "right", "mark": "center"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """
    A row as the template sets it.

    Parameters
    ----------
    panel
        What begins above it, or nothing.
    cells
        Texts, and where their decimal points stand from the edge of the cell, in twentieths of a point; None where a
        text has none that stands below others.
    apart
        Whether there is room above it.
    """

    panel: str
    cells: tuple[tuple[str, int | None], ...]
    apart: bool


def table_docx(table: Table) -> bytes:
    """
    Write a table as a Word file.

    Parameters
    ----------
    table
        Of an exhibit.

    Returns
    -------
    The bytes of the file; the same for the same table.
    """
    content = _content(table)
    file = BytesIO()
    with ZipFile(file, "w") as package:
        for name, template in PARTS.items():
            text = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", page(f"word/{template}", **content)).replace(UNSEEN, "")
            package.writestr(ZipInfo(name, BORN), text.encode(), compress_type=ZIP_DEFLATED)
    return file.getvalue()


def _content(table: Table) -> dict[str, Any]:
    """What the templates name."""
    cells = frame(table)
    lines = list(rows(cells))
    natural = columns(table, cells, lines)
    spare = ROOM * len(natural)
    fits = (narrowed(natural, lines, WIDTH / p - spare) for p in UPRIGHT)
    upright = next((x for x, p in zip(fits, UPRIGHT, strict=True) if table_width(x[0]) + spare <= WIDTH / p), None)
    every, lines = upright or (natural, lines)
    turned = upright is None
    width = table_width(every) + spare
    size = max(SMALLEST, min(LARGEST, (HEIGHT if turned else WIDTH) / width))
    centred = any(column.centred or column.kind == "mark" for column in every)
    widths = [round((column.width + GAP + ROOM) * size * TWENTIETHS) for column in every]
    points = [_point(column, width, size) for column, width in zip(every, widths, strict=True)]
    return {
        "title": table.title,
        "widths": widths,
        "aligns": ["center" if centred and i else ALIGN[column.kind] for i, column in enumerate(every)],
        "spans": list(_spans([key[0] for key in cells.columns] if cells.columns.nlevels > 1 else [])),
        "heads": _heads(every),
        "lines": list(_lines(lines, every, points)),
        "notes": table.notes,
        "size": round(2 * size),
        "turned": turned,
        "keep": len(lines) <= ON_ONE_PAGE,
    }


def _spans(heads: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Equal heads of neighbours: the head, its first column and the number of columns."""
    starts = [i for i, head in enumerate(heads) if i == 0 or heads[i - 1] != head]
    for start, stop in zip(starts, [*starts[1:], len(heads)][: len(starts)], strict=True):
        yield heads[start], start + 1, stop - start


def _heads(every: Sequence[Column]) -> list[list[str]]:
    """Heads in the rows that their line breaks make."""
    parts = [column.head.split("\n") for column in every]
    n = max(map(len, parts))
    return [list(line) for line in zip(*([""] * (n - len(part)) + part for part in parts), strict=True)]


def _point(column: Column, width: int, size: float) -> int:
    """Where the decimal points of a column stand: numbers reach its right edge, or stand in its middle."""
    free = width - 2 * MARGIN - (column.left + POINT + column.right) * size * TWENTIETHS
    return round(column.left * size * TWENTIETHS + (free / 2 if column.centred else free))


def _lines(lines: Sequence[Row], every: Sequence[Column], points: Sequence[int]) -> Iterator[Line]:
    panel = ""
    for line in lines:
        new = line.panel if line.panel != panel else ""
        panel = line.panel
        texts = zip(every, points, (line.label, *line.cells), strict=True)
        cells = tuple((text, point if column.aligns(text) else None) for column, point, text in texts)
        yield Line(panel=new, cells=cells, apart=line.apart and not new)
