"""Tables as Word files: a page with a numbered caption, a table with the rules of a paper, and its notes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tradelift.exhibits import Table
from tradelift.report.columns import GAP, Column, Row, columns, rows, table_width
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
WIDTH, HEIGHT = 451, 697  # points of an A4 page between margins of an inch
LARGEST, SMALLEST = 10.0, 6.0  # points of letters
UPRIGHT = 8.0  # points of letters down to which a table stands upright
ROOM = 0.6  # em beside what a column needs: the letters of Word are not those of LaTeX
TWENTIETHS = 20  # of a point, in which Word counts
ON_ONE_PAGE = 40  # rows that stay together
BORN = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can hold: equal tables give equal bytes
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ALIGN = {"words": "left", "whole": "right", "decimal": "right", "mark": "center"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row as the template sets it: the panel that begins above it, its cells, and whether there is room above it."""

    panel: str
    texts: tuple[str, ...]
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
    every = columns(table, cells, lines)
    width = table_width(every) + ROOM * len(every)
    turned = WIDTH / width < UPRIGHT
    size = max(SMALLEST, min(LARGEST, (HEIGHT if turned else WIDTH) / width))
    centred = any(column.centred or column.kind == "mark" for column in every)
    return {
        "title": table.title,
        "widths": [round((column.width + GAP + ROOM) * size * TWENTIETHS) for column in every],
        "aligns": ["center" if centred and i else ALIGN[column.kind] for i, column in enumerate(every)],
        "spans": list(_spans([key[0] for key in cells.columns] if cells.columns.nlevels > 1 else [])),
        "heads": _heads(every),
        "lines": list(_lines(lines)),
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


def _lines(lines: Sequence[Row]) -> Iterator[Line]:
    panel = ""
    for line in lines:
        new = line.panel if line.panel != panel else ""
        panel = line.panel
        yield Line(panel=new, texts=(line.label, *line.cells), apart=line.apart and not new)
