"""The list of partnerships: Table A.1 of the paper."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Finding
from tradelift.exhibits.exhibit import Exhibit, nothing
from tradelift.exhibits.finding import fitting
from tradelift.exhibits.labels import plain
from tradelift.exhibits.shown import Column, DataTable, Shown, Value
from tradelift.panel import Panel
from tradelift.programme import Programme
from tradelift.study import Study

OPEN_ROWS = 12
YES = ("yes", "true", "1", "1.0")


def show(study: Study, panel: Panel, _results: Mapping[str, Finding]) -> Shown:
    """List the partnerships with what is known of them."""
    programme = panel.programme
    assert programme is not None, "the exhibit needs partners"
    columns, values = _columns(study, panel)
    order = np.lexsort((programme.second, programme.first))
    rows = tuple(tuple(column[i] for column in values) for i in order)
    table = DataTable(
        name="partners",
        title="Partnerships",
        columns=columns,
        rows=rows,
        label="first_name",
        fold=OPEN_ROWS,
    )
    return Shown(tables=(_without_repeats(table),), sentences=(_sentence(panel),), finding=_finding(panel))


def _columns(study: Study, panel: Panel) -> tuple[tuple[Column, ...], list[list[Value]]]:
    """Both regions with id and group, start, and end, dose and more where they say something."""
    programme, regions = panel.programme, panel.regions
    assert programme is not None, "the exhibit needs partners"
    sides = regions.sides or ("first", "second")
    columns: list[Column] = []
    values: list[list[Value]] = []

    def add(column: Column, of_rows: list[Value]) -> None:
        columns.append(column)
        values.append(of_rows)

    heads = [_capital(side if regions.sides else f"{side} region") for side in sides]
    for key, codes, head in zip(("first", "second"), (programme.first, programme.second), heads, strict=True):
        add(Column(name=f"{key}_name", label=head), [str(regions.names[c]) for c in codes])
        if regions.names is not regions.ids:
            add(Column(name=f"{key}_id", label=f"{head} id"), [str(regions.ids[c]) for c in codes])
        if regions.group is not None:
            add(Column(name=f"{key}_group", label=f"{head} group"), [str(regions.group[c]) for c in codes])
    n = len(panel.periods)
    add(Column(name="start", label="Start"), [_period(panel, t) for t in programme.start])
    if np.any(programme.end < n - 1):
        add(Column(name="end", label="End"), [_period(panel, t) if t < n - 1 else None for t in programme.end])
    if np.any(programme.dose != 1):
        add(Column(name="dose", label="Dose", kind="number"), [float(d) for d in programme.dose])
    for name, column in programme.columns.items():
        number = column.dtype.kind in "iuf"
        add(
            Column(name=name, label=_capital(study.label(name)), kind="number" if number else "text"),
            [_number(v) if number else str(v) for v in column],
        )
    return tuple(columns), values


def _capital(text: str) -> str:
    """Begin with a capital, and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _period(panel: Panel, position: int) -> str:
    """Label of a period; a start after the data has none of its own."""
    return panel.periods[position] if 0 <= position < len(panel.periods) else "outside the data"


def _without_repeats(table: DataTable) -> DataTable:
    """Drop ids and further columns that only repeat a column before them."""
    own = {"first_name", "first_group", "second_name", "second_group", "start", "end"}
    values = list(zip(*table.rows, strict=True))
    keep = [i for i, c in enumerate(table.columns) if c.name in own or values[i] not in values[:i]]
    return replace(
        table,
        columns=tuple(table.columns[i] for i in keep),
        rows=tuple(tuple(row[i] for i in keep) for row in table.rows),
    )


def simulated(programme: Programme) -> NDArray[np.bool_]:
    """Mark the partnerships that the list's column `simulated` says are made up, shape (L,)."""
    marks = programme.columns.get("simulated", np.zeros(len(programme.first)))
    return np.array([str(mark).lower() in YES for mark in marks], dtype=bool)


def _sentence(panel: Panel) -> str:
    programme, regions = panel.programme, panel.regions
    assert programme is not None, "the exhibit needs partners"
    n = len(programme.first)
    partners, pairs = int(np.count_nonzero(panel.pairs.partnership >= 0)), len(panel.pairs)
    made_up = int(np.count_nonzero(simulated(programme)))
    also = f" Simulated: {made_up:,} of them." if made_up else ""
    share = f"{partners:,} of {pairs:,} directed pairs in the panel ({plain(100 * partners / pairs, 2)}%)"
    count = _count(n)
    if regions.sides is None:
        who = len(np.union1d(programme.first, programme.second))
        return f"{count} between {who:,} of {len(regions):,} regions: {share}.{also}"
    a, b = (len(np.unique(x)) for x in (programme.first, programme.second))
    of_a, of_b = (int(np.count_nonzero(regions.side == s)) for s in (0, 1))
    first, second = regions.sides
    return (
        f"{count} join {a:,} of {of_a:,} regions on the {first} side with {b:,} of {of_b:,} on the {second} side: "
        f"{share}.{also}"
    )


def _count(n: int) -> str:
    return "1 partnership" if n == 1 else f"{n:,} partnerships"


def _finding(panel: Panel) -> str:
    """How many of how many regions take part."""
    programme, regions = panel.programme, panel.regions
    assert programme is not None, "the exhibit needs partners"
    first, second = (len(np.unique(x)) for x in (programme.first, programme.second))
    start = f"{_count(len(programme.first))} pair{'s' * (len(programme.first) == 1)}"
    if regions.sides is None:
        who = len(np.union1d(programme.first, programme.second))
        return fitting(f"{start} {who:,} of {len(regions):,} regions")
    a, b = (int(np.count_nonzero(regions.side == s)) for s in (0, 1))
    one, other = regions.sides
    return fitting(f"{start} {first:,} of {a:,} {one} regions with {second:,} of {b:,} {other} regions")


EXHIBIT = Exhibit(
    name="partners", title="Who is paired with whom", needs=frozenset({"partners"}), plan=nothing, show=show
)
