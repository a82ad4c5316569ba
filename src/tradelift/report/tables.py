"""Tables as HTML."""

import re
from html import escape
from typing import TYPE_CHECKING

from tradelift.exhibits import DataTable, RegressionTable, Table
from tradelift.report.columns import columns, rows, table_width
from tradelift.report.frames import frame, shown_columns, stub

if TYPE_CHECKING:
    import pandas as pd

LONGEST_WORD = 40  # letters that stand on one line
LONGEST_LABEL = 28  # letters of a row's label that stand on one line
ROOMY = 44.0  # em up to which columns of a table stand apart
ID = re.compile(r'\b(id|headers)="([^"]*)"')
STYLE = re.compile(r'\sstyle="[^"]*"')


def table_html(table: Table) -> str:
    """
    Render a table by maketables and Great Tables.

    Parameters
    ----------
    table
        Of an exhibit.

    Returns
    -------
    A `table` element with a caption, without style, its ids under the table's name; rows that are folded follow in
    a `details` element.
    """
    cells = frame(table)
    if isinstance(table, RegressionTable):
        return element(cells, table.name, table.title, classes="regression")
    n, classes, head = table.fold, _classes(table, cells), stub(table)
    if n is None or len(table.rows) <= n:
        return element(cells, table.name, table.title, classes=classes, head=head)
    rest = len(table.rows) - n
    first = element(cells[:n], table.name, f"{table.title}: the first {n}", classes=classes, head=head)
    more = element(cells[n:], f"{table.name}-rest", f"{table.title}: the other {rest:,}", classes=classes, head=head)
    return f"{first}<details><summary>Show the other {rest:,}</summary>{more}</details>"


def element(cells: "pd.DataFrame", name: str, caption: str, *, classes: str, head: str = "") -> str:
    """Render a frame of text as a table element that can scroll, and nothing else of what Great Tables makes."""
    import pandas as pd
    from maketables import MTable

    with pd.option_context("mode.string_storage", "python"):  # Great Tables sets cell by cell, Arrow copies
        html = str(MTable(cells).make(type="gt").as_raw_html())
    start, stop = html.index("<table"), html.index("</table>") + len("</table>")
    table = _isolate(STYLE.sub("", html[start:stop]), f"tab-{name}")
    table = re.sub(r"<tfoot.*?</tfoot>", "", table, flags=re.DOTALL).replace("></th>", f">{escape(head)}</th>", 1)
    opening = table[: table.index(">") + 1]
    inside = table.removeprefix(opening)
    box = f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
    return f'{box}<table class="{classes}"><caption>{escape(caption)}</caption>{inside}</div>'


def _isolate(html: str, name: str) -> str:
    """Renumber ids, and what refers to them, under the table's name."""
    numbers: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        # a cell's `headers` joins ids that may hold blanks themselves, so it cannot be taken apart again
        if match[1] == "headers":
            return ""
        return f'id="{numbers.setdefault(match[2], f"{name}-{len(numbers)}")}"'

    return ID.sub(renamed, html)


def _classes(table: DataTable, cells: "pd.DataFrame") -> str:
    """Words stand left, numbers right; long words may break, short labels may not; many columns stand close."""
    shown = shown_columns(table)
    if not all(c.kind == "text" for c in shown):
        words = [f"w{n}" for n, c in enumerate(shown, start=2) if c.kind == "text"]
        labels = cells.index.get_level_values(-1)
        short = ["short"] if max(map(len, labels), default=0) <= LONGEST_LABEL else []
        every = columns(table, cells, list(rows(cells)))
        close = ["close"] if table_width(every) > ROOMY else []
        return " ".join(["numbers", *short, *close, *words])
    longest = max((len(str(value)) for row in table.rows for value in row), default=0)
    return "words" if longest <= LONGEST_WORD else "words long"
