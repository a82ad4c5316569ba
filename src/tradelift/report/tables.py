"""Tables as frames of text, and these as HTML."""

import re
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from tradelift.estimate import NO_PARTNER, REASONS, ZERO_WEIGHT, Estimate
from tradelift.exhibits import Column, DataTable, RegressionTable, Table
from tradelift.report.numbers import number, written

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 3
LONGEST_WORD = 40  # letters that stand on one line
YES = "Yes"
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
    if isinstance(table, RegressionTable):
        return element(_regression_frame(table), table.name, table.title, classes="regression")
    about = {"classes": _classes(table), "stub": next(c.label for c in table.columns if c.name == table.label)}
    if table.fold is None or len(table.rows) <= table.fold:
        return element(_data_frame(table, table.rows), table.name, table.title, **about)
    n, rest = table.fold, len(table.rows) - table.fold
    head = element(_data_frame(table, table.rows[:n]), table.name, f"{table.title}: the first {n}", **about)
    more = element(
        _data_frame(table, table.rows[n:]), f"{table.name}-rest", f"{table.title}: the other {rest:,}", **about
    )
    return f"{head}<details><summary>Show the other {rest:,}</summary>{more}</details>"


def element(frame: "pd.DataFrame", name: str, caption: str, *, classes: str, stub: str = "") -> str:
    """Render a frame of text as a table element that can scroll, and nothing else of what Great Tables makes."""
    from maketables import MTable

    html = str(MTable(frame).make(type="gt").as_raw_html())
    start, stop = html.index("<table"), html.index("</table>") + len("</table>")
    table = _isolate(STYLE.sub("", html[start:stop]), f"tab-{name}")
    table = re.sub(r"<tfoot.*?</tfoot>", "", table, flags=re.DOTALL).replace("></th>", f">{escape(stub)}</th>", 1)
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


def _classes(table: DataTable) -> str:
    """Words stand left, numbers right; long words may break."""
    shown = [c for c in table.columns if c.name not in (table.label, table.group)]
    if not all(c.kind == "text" for c in shown):
        return "numbers"
    longest = max((len(str(value)) for row in table.rows for value in row), default=0)
    return "words" if longest <= LONGEST_WORD else "words long"


def _data_frame(table: DataTable, rows: tuple[tuple[Any, ...], ...]) -> "pd.DataFrame":
    import pandas as pd

    names = [c.name for c in table.columns]
    label = names.index(table.label)
    shown = [i for i, n in enumerate(names) if n not in (table.label, table.group)]
    body = [[written(row[i], table.columns[i]) for i in shown] for row in rows]
    labels = [written(row[label], table.columns[label]) for row in rows]
    index: Any = pd.Index(labels)
    if table.group is not None:
        group = names.index(table.group)
        index = pd.MultiIndex.from_arrays([[written(row[group], table.columns[group]) for row in rows], labels])
    return pd.DataFrame(body, index=index, columns=_heads([table.columns[i] for i in shown]), dtype=str)


def _heads(columns: list[Column]) -> "pd.Index[Any]":
    """Heads of columns; Great Tables wants them distinct, so that equal ones get blanks that nobody sees."""
    import pandas as pd

    seen: dict[str, int] = {}
    out = []
    for column in columns:
        count = seen.setdefault(column.label, 0)
        seen[column.label] += 1
        out.append(column.label + "\N{ZERO WIDTH SPACE}" * count)
    return pd.Index(out)


def _regression_frame(table: RegressionTable) -> "pd.DataFrame":
    import pandas as pd

    rows: list[tuple[str, str]] = []
    body: list[list[str]] = []

    def add(panel: str, label: str, cells: list[str]) -> None:
        if any(cells):
            rows.append((panel, label))
            body.append(cells)

    for direction, estimates in table.panels.items():
        panel = table.labels.get(direction, direction)
        for term, label in table.labels.items():
            add(panel, label, [_coefficient(e, term) for e in estimates])
            if term in table.percent:
                add(panel, f"{label}, percent", [_percent(e, term) for e in estimates])
        add(panel, "Observations", ["" if e is None else f"{e.n_obs:,}" for e in estimates])
        add(panel, table.unit, ["" if e is None else f"{e.n_pairs:,}" for e in estimates])
        for reason in (*REASONS, ZERO_WEIGHT, NO_PARTNER):
            lost = [0 if e is None else e.dropped.get(reason, 0) for e in estimates]
            add(panel, f"Not used: {reason.replace('_', ' ')}", [f"{n:,}" if n else "" for n in lost])
    every = list(zip(*table.panels.values(), strict=True))
    for effect, label in table.labels.items():
        marks = [YES if any(e is not None and effect in e.effects for e in column) else "" for column in every]
        add("In every panel", label, marks)
    heads = [(h.outcome, f"{h.family}\n({n})") for n, h in enumerate(table.heads, start=1)]
    return pd.DataFrame(
        body, index=pd.MultiIndex.from_tuples(rows), columns=pd.MultiIndex.from_tuples(heads), dtype=str
    )


def _coefficient(estimate: Estimate | None, term: str) -> str:
    """Coefficient, error in parentheses, interval in brackets."""
    if estimate is None or term not in estimate.terms:
        return ""
    row = estimate.tidy().to_dict("records")[estimate.terms.index(term)]
    b, se, low, high = (number(float(row[k]), DIGITS) for k in ("estimate", "std_error", "conf_low", "conf_high"))
    return f"{b}\n({se})\n[{low}, {high}]"


def _percent(estimate: Estimate | None, term: str) -> str:
    """Percent effect and its interval, where a coefficient is a difference in logs."""
    if estimate is None or term not in estimate.terms:
        return ""
    if estimate.family != "poisson" and not estimate.outcome.startswith("log("):
        return ""
    row = estimate.percent().to_dict("records")[estimate.terms.index(term)]
    value, low, high = (number(float(row[k]), 1) for k in ("percent", "conf_low", "conf_high"))
    return f"{value}%\n[{low}, {high}]" if np.isfinite(row["percent"]) else ""
