"""A table of a user's own estimates, in every format that the tables of a report have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.exhibits import Head, RegressionTable
from tradelift.exhibits.about import fixest_lines
from tradelift.exhibits.labels import effect_label
from tradelift.report.files import TABLE_KINDS, table_bytes
from tradelift.report.tables import table_html

ESTIMATORS = {"poisson": "PPML", "gaussian": "OLS"}
Panels = Mapping[str, Sequence[Estimate | None]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaperTable:
    """
    Estimates side by side, as a paper prints them. A notebook shows it.

    Parameters
    ----------
    content
        What stands in it.
    """

    content: RegressionTable

    def latex(self) -> str:
        """LaTeX that compiles as it is; its first line names the packages that the paper must load."""
        return table_bytes(self.content, "tex").decode()

    def save(self, path: str | Path) -> Path:
        """
        Write the table; the end of the name says how: .html, .tex, .docx (Word) or .csv.

        Parameters
        ----------
        path
            Replaced if it is there.

        Raises
        ------
        DesignError
            If the name ends otherwise.
        """
        path = Path(path)
        kind = path.suffix.removeprefix(".")
        if kind not in TABLE_KINDS:
            msg = f"A table is saved as {', '.join(f'.{k}' for k in TABLE_KINDS)}; found '{path.name}'."
            raise DesignError(msg)
        path.write_bytes(table_bytes(self.content, kind))
        return path

    def _repr_html_(self) -> str:
        notes = "<br>".join(map(escape, self.content.notes))
        return f"<div>{table_html(self.content)}<p>{notes}</p></div>"


def table(
    estimates: Estimate | Sequence[Estimate] | Panels,
    *,
    title: str = "Estimates",
    name: str = "estimates",
    labels: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> PaperTable:
    r"""
    Put estimates side by side: coefficients, errors, intervals, the sample and its losses, effects, kinds of errors.

    Parameters
    ----------
    estimates
        One, or one a column; or panels of rows, each under its title with one estimate a column, None where it has
        none.
    title, name
        The caption, and the name that LaTeX refers to: `tab:estimates`.
    labels
        What outcomes, terms and effects are called; terms stand in this order before the others.
    notes
        Sentences below the table, after those on errors and on the lines for fixest.

    Returns
    -------
    A table that `save` writes as HTML, LaTeX, Word or CSV.

    Raises
    ------
    DesignError
        If there is no estimate, something else stands among them, or panels differ in the number of columns.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> rows = [(a, b, 1.0 + (i * j) % 5, i + j) for i, a in enumerate("abcd") for j, b in enumerate("wxyz")]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "trade", "km"])
    >>> panel = tl.Panel.from_frame(flows)
    >>> every = [tl.Gravity(controls=["km"], vcov=vcov).estimate(panel) for vcov in ("robust", "pair")]
    >>> print(tl.table(every, labels={"km": "Distance (km)"}).latex().splitlines()[0])
    % Needs \usepackage{booktabs,dcolumn}; compile with pdflatex, xelatex or lualatex.
    """
    panels = _panels(estimates)
    words = dict(labels or {})
    every = [e for row in panels.values() for e in row if e is not None]
    terms = dict.fromkeys(
        (*(t for t in words if any(t in e.terms for e in every)), *(t for e in every for t in e.terms))
    )
    effects = dict.fromkeys(effect for e in every for effect in e.effects)
    called = {t: words.get(t, t) for t in terms} | {x: words.get(x, effect_label(x)) for x in effects}
    content = RegressionTable(
        name=name,
        title=title,
        heads=tuple(_heads(panels, words)),
        panels=panels,
        labels=called | {panel: panel for panel in panels},
        notes=(*_notes(every), *notes),
    )
    return PaperTable(content=content)


def _panels(estimates: Estimate | Sequence[Estimate] | Panels) -> dict[str, tuple[Estimate | None, ...]]:
    """Rows of estimates by the title of their panel; one without a title where there are no panels."""
    given: Mapping[str, Any] = estimates if isinstance(estimates, Mapping) else {"": estimates}
    panels = {str(title): (row,) if isinstance(row, Estimate) else tuple(row) for title, row in given.items()}
    for e in (e for row in panels.values() for e in row):
        if e is not None and not isinstance(e, Estimate):
            msg = f"A table holds estimates; found {type(e).__name__}. Give what a design's estimate(panel) returns."
            raise DesignError(msg)
    lengths = {title: len(row) for title, row in panels.items()}
    if len(set(lengths.values())) > 1:
        msg = f"Every panel has one estimate a column, None where there is none; found {lengths}."
        raise DesignError(msg)
    if not any(any(e is not None for e in column) for column in zip(*panels.values(), strict=True)):
        msg = "A table needs an estimate; found none."
        raise DesignError(msg)
    return panels


def _heads(panels: Mapping[str, Sequence[Estimate | None]], words: Mapping[str, str]) -> Iterator[Head]:
    for column in zip(*panels.values(), strict=True):
        first = next((e for e in column if e is not None), None)
        outcome = "" if first is None else words.get(first.outcome, first.outcome)
        yield Head(outcome=outcome, family="" if first is None else ESTIMATORS[first.family])


def _notes(every: Sequence[Estimate]) -> Iterator[str]:
    yield "Standard errors in parentheses, 95% intervals in brackets."
    yield f"In fixest: {'; '.join(fixest_lines(every))}."
    yield from dict.fromkeys(note for e in every for note in e.diagnostics.notes)
