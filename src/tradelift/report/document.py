"""The report as a document: what stands in it, and the files that it is written to."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tradelift.account import Stage
from tradelift.exhibits import EXHIBITS, Column, DataTable, Headline, Shown
from tradelift.panel import Panel
from tradelift.report.files import write_files, write_text
from tradelift.report.html import page, script, style
from tradelift.report.sections import chapters, doubts, draw_table
from tradelift.report.tables import table_html
from tradelift.study import Study


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
    files = write_files(folder, shown.values(), processes=processes)
    html = report_html(
        study=study,
        panel=panel,
        shown=shown,
        absent=absent,
        provenance=provenance,
        tables=files.tables,
        figures=files.figures,
    )
    return [write_text(folder / "report.html", html), *files.paths]


def report_html(
    *,
    study: Study,
    panel: Panel,
    shown: Mapping[str, Shown],
    absent: Mapping[str, str],
    provenance: Mapping[str, Any],
    tables: Mapping[str, str],
    figures: Mapping[str, str],
) -> str:
    """
    Fill the page.

    Parameters
    ----------
    study, panel, shown, absent, provenance
        As in `write_report`.
    tables, figures
        Markup of each, by name.
    """
    answer = headline_of(shown)
    account = account_table(panel)
    return page(
        "report.html.j2",
        style=style(),
        script=script(),
        study=study,
        headline=answer,
        doubts=doubts(shown),
        subtitle=_subtitle(panel),
        chapters=chapters(shown, answer, tables=tables, figures=figures),
        absent={EXHIBITS[n].title if n in EXHIBITS else n: why for n, why in absent.items()},
        account=draw_table(account, table_html(account), may_fold=False),
        balance=_balance(panel),
        provenance=list(_flat(provenance)),
    )


def headline_of(shown: Mapping[str, Shown]) -> Headline | None:
    """Find the answer of the last exhibit that has one: later exhibits compare more closely."""
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
