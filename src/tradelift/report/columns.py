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

NUMBER = re.compile(rf"\(?{MINUS}?[\d,]+(\.\d+)?%?\)?")
WIDTHS = (
    dict.fromkeys(".,:;'|!il", 0.28) | dict.fromkeys("[]() -ftr", 0.36) | {MINUS: 0.78, "%": 0.83, "m": 0.83, "w": 0.72}
)
"""In em, in Computer Modern; other small letters and digits take half an em, capitals three quarters, Chinese one."""
GAP = 0.7  # between columns, in em
WIDEST = 20.0  # em of a column of words; more stands on several lines, ...
PAGE = 45.0  # ... wider ones where columns leave room on a page of so many em
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
    left, right
        Width before and after the decimal points, in em.
    centred
        Whether whole numbers stand in the middle of a decimal column.
    """

    head: str
    kind: Kind
    width: float
    left: float = 0.0
    right: float = 0.0
    centred: bool = False

    @property
    def wraps(self) -> bool:
        """Whether its cells have several lines."""
        return self.kind == "words" and self.width >= WIDEST

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


def table_width(every: Sequence[Column]) -> float:
    """Width of columns side by side, in em."""
    return sum(c.width + GAP for c in every) - GAP


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
        return Column(head=head, kind="words", width=min(width, WIDEST))
    aligned = [cell for cell in cells if _aligns(cell, centred=centred)]
    if not any("." in number for number in aligned):
        return Column(head=head, kind="mark" if centred else "whole", width=width)
    parts = [number.partition(".") for number in aligned]
    left, right = (max(text_width(part[i]) for part in parts) for i in (0, 2))
    width = max(width, left + text_width(".") + right)
    return Column(head=head, kind="decimal", width=width, left=left, right=right, centred=centred)


def _aligns(cell: str, *, centred: bool) -> bool:
    return NUMBER.fullmatch(cell) is not None and ("." in cell or not centred)
