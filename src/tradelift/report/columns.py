"""Rows and columns of a table on paper: which stand apart, which under their decimal points, how wide they are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Literal

from tradelift.exhibits import DataTable, Table
from tradelift.report.frames import shown_columns, stub
from tradelift.report.numbers import MINUS

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(rf"\(?[<{MINUS}]?[\d,]+(\.\d+)?%?\)?")
WIDTHS = (
    dict.fromkeys(".,:;'|!il", 0.28)
    | dict.fromkeys("[]() -ftr", 0.36)
    | dict.fromkeys(f"{MINUS}<", 0.78)
    | {"%": 0.83, "m": 0.83, "w": 0.72}
)
"""In em, in Computer Modern; other small letters and digits take half an em, capitals three quarters, Chinese one."""
GAP = 0.7  # between columns, in em
WIDEST = 20.0  # em of a column of words; more stands on several lines, ...
PAGE = 45.0  # ... wider ones where columns leave room on a page of so many em
LEAST = 8.0  # em that words keep where a table is made narrower
STEP = 0.25  # em by which it is, each time
FIRST_WIDE = "\N{CJK RADICAL REPEAT}"

Kind = Literal["words", "decimal", "whole", "mark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table: its panel, label and cells, whether there is room above it, and whether its row goes on."""

    panel: str
    label: str
    cells: tuple[str, ...]
    apart: bool
    goes_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """
    A column.

    Parameters
    ----------
    head
        As a reader sees it.
    kind
        "words" stand left, "whole" numbers right, a "mark" in the middle, and "decimal" numbers under their points.
    width
        Of its widest cell, or its line where it has several, in em.
    word
        Width of the longest word, in em.
    wraps
        Whether its cells have several lines.
    left, right
        Width before and after the decimal points, in em.
    centred
        Whether whole numbers stand in the middle of a decimal column.
    """

    head: str
    kind: Kind
    width: float
    word: float = 0.0
    wraps: bool = False
    left: float = 0.0
    right: float = 0.0
    centred: bool = False

    def aligns(self, text: str) -> bool:
        """Tell whether a cell stands under the decimal points."""
        return self.kind == "decimal" and _aligns(text, centred=self.centred)


def rows(cells: "pd.DataFrame") -> Iterator[Row]:
    """Part rows whose cells have several lines, and keep such rows apart from others."""
    panelled = cells.index.nlevels > 1
    last = 1
    for key, values in zip(cells.index, cells.to_numpy(), strict=True):
        panel, label = key if panelled else ("", key)
        parts = [value.split("\n") for value in values]
        n = max(map(len, parts), default=1)
        for i in range(n):
            line = tuple(part[i] if i < len(part) else "" for part in parts)
            apart, goes_on = i == 0 and max(n, last) > 1, i < n - 1
            yield Row(panel=panel, label=label if i == 0 else "", cells=line, apart=apart, goes_on=goes_on)
        last = n


def columns(table: Table, cells: "pd.DataFrame", lines: Sequence[Row]) -> list[Column]:
    """
    Find out how columns stand.

    Parameters
    ----------
    table
        Of an exhibit.
    cells, lines
        Its frame, and the rows of that.

    Returns
    -------
    The column of labels, and those beside it.
    """
    heads = [stub(table), *(head[-1] if isinstance(head, tuple) else head for head in cells.columns)]
    bodies = [[line.label for line in lines], *([line.cells[k] for line in lines] for k in range(len(cells.columns)))]
    words = [True] * len(heads)
    if isinstance(table, DataTable):
        words[1:] = [c.kind == "text" for c in shown_columns(table)]
        return _spread([_column(*about, centred=False) for about in zip(heads, bodies, words, strict=True)])
    words[1:] = [False] * len(table.heads)
    return [_column(*about, centred=True) for about in zip(heads, bodies, words, strict=True)]


def narrowed(every: Sequence[Column], lines: Sequence[Row], room: float) -> tuple[list[Column], list[Row]]:
    """
    Set words on several lines, those of the widest columns first, until a table fits.

    Parameters
    ----------
    every, lines
        The columns, that of the labels first, and the rows.
    room
        For the table, in em.

    Returns
    -------
    Columns and rows that fit, or those that were given where even the narrowest words leave the table too wide. Labels
    stand on the lines that their rows have, so that numbers stay together.
    """
    out = list(every)
    while table_width(out) > room:
        wide = [c for c in out if c.kind == "words" and c.width - STEP >= max(LEAST, c.word)]
        if not wide:
            return list(every), list(lines)
        widest = max(wide, key=lambda c: c.width)
        out[out.index(widest)] = replace(widest, width=widest.width - STEP, wraps=True)
    if out[0].wraps and not every[0].wraps:
        out[0] = replace(out[0], wraps=False)
        return out, list(_wrapped(lines, out[0].width))
    return out, list(lines)


def _wrapped(lines: Sequence[Row], width: float) -> Iterator[Row]:
    """Rows whose labels stand on as many lines as they need."""
    blank = ("",) * max((len(line.cells) for line in lines), default=0)
    row: list[Row] = []
    for line in lines:
        row.append(line)
        if line.goes_on:
            continue
        parts = in_lines(row[0].label, width)
        n = max(len(row), len(parts))
        for i in range(n):
            cells = row[i].cells if i < len(row) else blank
            yield replace(
                row[0],
                label=parts[i] if i < len(parts) else "",
                cells=cells,
                apart=row[0].apart and i == 0,
                goes_on=i < n - 1,
            )
        row = []


def in_lines(text: str, width: float) -> list[str]:
    """A text in lines that are no wider than so many em, where its words allow it."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def table_width(every: Sequence[Column], gap: float = GAP) -> float:
    """Width of columns side by side, in em."""
    return sum(c.width + gap for c in every) - gap


def text_width(text: str) -> float:
    """Width of a text in one line, in em."""
    return sum(WIDTHS.get(c, 0.75 if c.isupper() else 1.0 if c >= FIRST_WIDE else 0.5) for c in text)


def height(every: Sequence[Column], line: Row) -> int:
    """How many lines a row takes, since words of some columns stand on several."""
    texts = zip(every, (line.label, *line.cells), strict=True)
    return max(ceil(text_width(text) / column.width) if column.wraps else 1 for column, text in texts)


def _spread(every: list[Column]) -> list[Column]:
    """Give the room that is left to the columns whose words stand on several lines."""
    wrapping = sum(column.wraps for column in every)
    more = max(PAGE - table_width(every), 0.0) / max(wrapping, 1)
    return [replace(column, width=column.width + more) if column.wraps else column for column in every]


def _column(head: str, cells: Sequence[str], text: bool, *, centred: bool) -> Column:  # noqa: FBT001 - one of a row
    width = max((text_width(part) for part in (*cells, *head.split())), default=0.0)
    if text:
        word = max((text_width(part) for cell in (*cells, head) for part in cell.split(" ")), default=0.0)
        return Column(head=head, kind="words", width=min(width, WIDEST), word=word, wraps=width >= WIDEST)
    aligned = [cell for cell in cells if _aligns(cell, centred=centred)]
    if not any("." in number for number in aligned):
        return Column(head=head, kind="mark" if centred else "whole", width=width)
    parts = [number.partition(".") for number in aligned]
    left, right = (max(text_width(part[i]) for part in parts) for i in (0, 2))
    width = max(width, left + text_width(".") + right)
    return Column(head=head, kind="decimal", width=width, left=left, right=right, centred=centred)


def _aligns(cell: str, *, centred: bool) -> bool:
    """Beside coefficients, in the middle, whole numbers and those of thousands stand in the middle themselves."""
    return NUMBER.fullmatch(cell) is not None and (not centred or ("." in cell and "," not in cell))
