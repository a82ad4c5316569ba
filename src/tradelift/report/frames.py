"""Tables as frames of text, which every format starts from."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tradelift.estimate import NO_PARTNER, REASONS, ZERO_WEIGHT, Estimate
from tradelift.exhibits import Column, DataTable, RegressionTable, Table
from tradelift.report.numbers import decimals, number, written

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 3
YES = "Yes"
UNSEEN = "\N{ZERO WIDTH SPACE}"  # keeps equal heads and equal panels apart; nobody sees it


def frame(table: Table) -> "pd.DataFrame":
    """
    Write a table as text.

    Parameters
    ----------
    table
        Of an exhibit.

    Returns
    -------
    Cells as readers see them, with lines parted by line breaks. The index holds the labels of the rows, below those of
    the panels where there are panels; columns have distinct heads.
    """
    return _regression_frame(table) if isinstance(table, RegressionTable) else _data_frame(table)


def stub(table: Table) -> str:
    """Head of the labels of rows."""
    if isinstance(table, RegressionTable):
        return ""
    return ", ".join(c.label for c in table.columns if c.name in table.labels and c.label)


def shown_columns(table: DataTable) -> tuple[Column, ...]:
    """Columns beside the labels of rows and panels."""
    return tuple(c for c in table.columns if c.name not in (*table.labels, *table.groups))


def _data_frame(table: DataTable) -> "pd.DataFrame":
    import pandas as pd

    places = {column.name: i for i, column in enumerate(table.columns)}
    shown = shown_columns(table)

    def texts(name: str) -> list[str]:
        return [written(row[places[name]], table.columns[places[name]]) for row in table.rows]

    def joined(names: tuple[str, ...]) -> list[str]:
        return [", ".join(filter(None, parts)) for parts in zip(*map(texts, names), strict=True)]

    index: Any = pd.Index(joined(table.labels))
    if table.groups:
        index = pd.MultiIndex.from_arrays([_runs(joined(table.groups)), joined(table.labels)])
    body = dict(enumerate(texts(c.name) for c in shown))
    return pd.DataFrame(body, index=index, dtype=str).set_axis(_distinct([c.label for c in shown]), axis="columns")


def _distinct(heads: list[str]) -> list[str]:
    """Heads of columns, which Great Tables wants to be distinct."""
    seen: dict[str, int] = {}
    out = []
    for head in heads:
        count = seen.setdefault(head, 0)
        seen[head] += 1
        out.append(head + UNSEEN * count)
    return out


def _runs(groups: list[str]) -> list[str]:
    """Names of panels, so that a second run of rows under the same name is a panel of its own."""
    names = [group for i, group in enumerate(groups) if i == 0 or groups[i - 1] != group]
    own = iter(_distinct(names))
    out: list[str] = []
    for i, group in enumerate(groups):
        out.append(next(own) if i == 0 or groups[i - 1] != group else out[-1])
    return out


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
        add(panel, "Mean of the outcome", [_mean(e) for e in estimates])
        for reason in (*REASONS, ZERO_WEIGHT, NO_PARTNER):
            lost = [0 if e is None else e.dropped.get(reason, 0) for e in estimates]
            add(panel, f"Not used: {reason.replace('_', ' ')}", [f"{n:,}" if n else "" for n in lost])
    every = list(zip(*table.panels.values(), strict=True))
    for effect, label in table.labels.items():
        marks = [YES if any(e is not None and effect in e.effects for e in column) else "" for column in every]
        add("In every panel", label, marks)
    add("In every panel", "Standard errors", [_errors(column) for column in every])
    heads = [(h.outcome, f"{h.family}\n({n})") for n, h in enumerate(table.heads, start=1)]
    index: Any = pd.MultiIndex.from_tuples(rows)
    if tuple(table.panels) == ("",):  # the only panel has no title, and neither has what holds in every panel
        index = index.droplevel(0)
    return pd.DataFrame(body, index=index, columns=pd.MultiIndex.from_tuples(heads), dtype=str)


def _mean(estimate: Estimate | None) -> str:
    """Mean of the outcome, blank where it is not known."""
    mean = np.nan if estimate is None else estimate.diagnostics.outcome_mean
    return "" if np.isnan(mean) else number(mean, decimals(mean))


def _errors(column: tuple[Estimate | None, ...]) -> str:
    """What the errors of a column allow for, in all its panels."""
    return ", ".join(dict.fromkeys(e.se_type for e in column if e is not None))


def _coefficient(estimate: Estimate | None, term: str) -> str:
    """Coefficient, error in parentheses, interval in brackets."""
    if estimate is None or term not in estimate.terms:
        return ""
    row = estimate.records()[estimate.terms.index(term)]
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
