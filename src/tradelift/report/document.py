"""The report as a document: what stands in it, and the files that it is written to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradelift.account import Stage
from tradelift.exhibits import EXHIBITS, Column, DataTable, Figure, Headline, IntervalFigure, Shown, Table
from tradelift.panel import Panel
from tradelift.report.figures import figure_notes
from tradelift.report.files import Files, write_files, write_text
from tradelift.report.html import page
from tradelift.report.tables import table_html
from tradelift.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A table or figure as markup, with what stands below it."""

    name: str
    title: str
    html: str
    notes: tuple[str, ...]
    is_wide: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One exhibit in the page; what it found is its heading, and where that is empty its title."""

    name: str
    title: str
    finding: str
    sentences: tuple[str, ...]
    figures: tuple[Drawn, ...]
    tables: tuple[Drawn, ...]


def write_report(
    folder: Path,
    *,
    study: Study,
    panel: Panel,
    shown: Mapping[str, Shown],
    absent: Mapping[str, str],
    provenance: Mapping[str, Any],
    processes: int = 1,
) -> list[Path]:
    """
    Write report.html, and every table and figure as a file of its own with its CSV.

    Parameters
    ----------
    folder
        That exists.
    study, panel
        What the report is about.
    shown
        What each exhibit shows, in the order of the page.
    absent
        Why each other exhibit is absent.
    provenance
        Seed, engine, versions, hashes: names to values, or to further such mappings.
    processes
        How many draw.

    Returns
    -------
    The files written. Equal input gives equal bytes.
    """
    answer = _headline(shown)
    files = write_files(folder, shown.values(), processes=processes)
    sections = [_section(name, exhibit, answer, files) for name, exhibit in shown.items()]
    account = account_table(panel)
    html = page(
        "report.html.j2",
        study=study,
        headline=answer,
        subtitle=_subtitle(panel),
        sections=sections,
        absent={EXHIBITS[n].title if n in EXHIBITS else n: why for n, why in absent.items()},
        account=_draw_table(account, table_html(account)),
        balance=_balance(panel),
        provenance=list(_flat(provenance)),
    )
    return [write_text(folder / "report.html", html), *files.paths]


def _section(name: str, shown: Shown, answer: Headline | None, files: Files) -> Section:
    """Markup of one exhibit; a headline that does not stand at the top is its first sentence."""
    own = (shown.headline.text,) if shown.headline is not None and shown.headline is not answer else ()
    return Section(
        name=name,
        title=EXHIBITS[name].title if name in EXHIBITS else name,
        finding=shown.finding,
        sentences=(*own, *shown.sentences),
        figures=tuple(_draw_figure(figure, files.figures[figure.name]) for figure in shown.figures),
        tables=tuple(_draw_table(table, files.tables[table.name]) for table in shown.tables),
    )


def _draw_figure(figure: Figure, svg: str) -> Drawn:
    return Drawn(
        name=figure.name,
        title=figure.title,
        html=svg,
        notes=figure_notes(figure),
        is_wide=not isinstance(figure, IntervalFigure),
    )


def _draw_table(table: Table, html: str) -> Drawn:
    return Drawn(name=table.name, title=table.title, html=html, notes=table.notes)


def _headline(shown: Mapping[str, Shown]) -> Headline | None:
    """The answer of the last exhibit that has one: later exhibits compare more closely."""
    answers = [exhibit.headline for exhibit in shown.values() if exhibit.headline is not None]
    return answers[-1] if answers else None


def _subtitle(panel: Panel) -> str:
    """The size of the panel in a line."""
    first, last = panel.periods[0], panel.periods[-1]
    when = first if first == last else f"{first} to {last}"
    size = f"{len(panel.regions):,} regions, {len(panel.pairs):,} directed pairs, {panel.n_cells:,} cells"
    return f"{size}, {when}" if when != "all" else size


def account_table(panel: Panel) -> DataTable:
    """Every input row: read, kept, or excluded for a reason, with its money."""
    account = panel.account
    with_money = any(s.read_amount is not None for s in account.stages)
    columns = (
        Column(name="stage", label=""),
        Column(name="reason", label=""),
        Column(name="rows", label="Rows", kind="count"),
        *(
            [
                Column(
                    name="amount", label=f"Amount ({account.currency})" if account.currency else "Amount", kind="money"
                )
            ]
            if with_money
            else []
        ),
    )
    rows = [
        (stage.name, reason, count, *([account.money(amount)] if with_money else []))
        for stage in account.stages
        for reason, count, amount in _lines(stage)
    ]
    return DataTable(
        name="account",
        title="From input to panel",
        columns=columns,
        rows=tuple(rows),
        label="reason",
        group="stage",
        notes=("Read = kept + excluded, in rows and in money; no result is written where it is not.",),
    )


def _lines(stage: Stage) -> Iterator[tuple[str, int, int | None]]:
    yield "read", stage.read_rows, stage.read_amount
    for e in stage.exclusions:
        yield f"excluded: {e.reason}", e.rows, e.amount
    yield "kept", stage.kept_rows, stage.kept_amount


def _balance(panel: Panel) -> tuple[str, ...]:
    """One sentence a stage."""
    return tuple(
        f"{s.name}: {s.read_rows:,} rows read = {s.kept_rows:,} kept + {s.read_rows - s.kept_rows:,} excluded."
        for s in panel.account.stages
    )


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of nested mappings, with the names of those above."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}: ")
        else:
            yield f"{above}{name}", str(value)
