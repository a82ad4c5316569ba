"""Tables of effects over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tradelift.estimate import Estimate
from tradelift.exhibits.shown import Column, DataTable, Value
from tradelift.exhibits.spatial import EFFECT_COLUMNS, direction_names, direction_words, effect_values
from tradelift.exhibits.split import (
    APPROACH_COLUMNS,
    TEST_COLUMNS,
    TEST_NOTE,
    Approach,
    approach_values,
    difference,
    effects_of,
    equal_values,
    part_of,
    together,
    weighed,
)
from tradelift.panel import Panel
from tradelift.study import Study

Estimates = Sequence[tuple[str, Approach, Estimate]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """
    What changed at a break.

    Parameters
    ----------
    around
        Effects before and after, by direction and approach.
    change
        After less before, by approach and direction.
    between
        The second side's exports' change less the first's, by approach; where there are two sides.
    """

    around: Estimates
    change: Mapping[tuple[Approach, str], Estimate]
    between: Mapping[Approach, Estimate]


def changes_of(panel: Panel, around: Estimates) -> Changes:
    """Take differences after less before, and their difference between directions."""
    whole = {(a, d): e for d, a, e in around if len(e.treatment) == 2}
    change = {key: difference(e, e.treatment[1], e.treatment[0], "change") for key, e in whole.items()}
    between: dict[Approach, Estimate] = {}
    ways = panel.directions[1:]
    for a in dict.fromkeys(a for a, _ in whole):
        own = {d: whole[a, d] for d in ways if (a, d) in whole}
        joint = together(own) if len(own) == 2 else None
        if joint is not None:
            first, second = ([f"{term}[{d}]" for term in own[d].treatment] for d in ways)
            weights = {second[1]: 1.0, second[0]: -1.0, first[1]: -1.0, first[0]: 1.0}
            between[a] = weighed(joint, weights, "difference of changes")
    return Changes(around=around, change=change, between=between)


def _direction(panel: Panel) -> Column:
    return Column(name="direction", label="", words=direction_words(panel))


def break_table(study: Study, panel: Panel, changes: Mapping[str, Changes]) -> DataTable:
    """Before, after and change by direction; and the change of one direction less that of the other."""
    rows: list[tuple[Value, ...]] = []
    for name, found in changes.items():
        for direction, a, e in found.around:
            for term, effect in effects_of(e).items():
                rows.append((name, direction, *approach_values(a), part_of(term).split(" ")[0], *effect))
            if (a, direction) in found.change:
                values = effect_values(found.change[a, direction])
                rows.append((name, direction, *approach_values(a), "change", *values))
        for a, e in found.between.items():
            rows.append((name, "between", *approach_values(a), "difference of changes", *effect_values(e)))
    words = direction_names(panel)
    if panel.regions.sides is not None:
        one, other = (words[d] for d in panel.directions[:0:-1])
        words |= {"between": f"{one}, less {other}"}
    return DataTable(
        name="dynamics_breaks",
        title="Effects before and after",
        columns=(
            Column(name="break", label="", words={n: f"{n} ({at})" for n, at in study.breaks.items()}),
            Column(name="direction", label="", words=words),
            *APPROACH_COLUMNS,
            Column(name="when", label="", words={"from": "after"}),
            *EFFECT_COLUMNS,
        ),
        rows=tuple(rows),
        label=("design", "estimator"),
        group=("break", "direction"),
        notes=(
            "Before and after have effects and a distance elasticity of their own.",
            "Change: after less before, in logs, with the error of one regression; percent: of one over the other.",
        ),
    )


def period_table(panel: Panel, unit: str, own: Estimates, more: tuple[str, ...], called: str) -> DataTable:
    """One row a period, design and estimator."""
    refused = dict.fromkeys(n for *_, e in own for n in e.diagnostics.notes if n.startswith("Not estimated"))
    rows = [
        (direction, part_of(term), *approach_values(a), *effect)
        for direction, a, e in own
        for term, effect in effects_of(e).items()
    ]
    return DataTable(
        name=f"dynamics_{unit}",
        title=f"Effect by {called}",
        columns=(
            _direction(panel),
            Column(name=unit, label=called.capitalize()),
            *APPROACH_COLUMNS,
            *EFFECT_COLUMNS,
        ),
        rows=tuple(rows),
        label=unit,
        group=("direction", "design", "estimator"),
        notes=(*refused, *more),
        fold=20,
    )


def trend_table(panel: Panel, by_unit: Mapping[str, Estimates]) -> DataTable:
    """Whether all periods, quarters or years have the same effect."""
    rows = [
        (direction, unit, *approach_values(a), len(e.treatment), *equal_values(e))
        for unit, own in by_unit.items()
        for direction, a, e in own
    ]
    rows.sort(key=lambda row: panel.directions.index(str(row[0])))
    return DataTable(
        name="dynamics_tests",
        title="Is the effect the same at all times?",
        columns=(
            _direction(panel),
            Column(name="unit", label="By"),
            *APPROACH_COLUMNS,
            Column(name="effects", label="Effects", kind="count"),
            *TEST_COLUMNS,
        ),
        rows=tuple(rows),
        label="unit",
        group="direction",
        notes=(
            "All have the same effect. F leaves out restrictions without a positive variance, as their number says.",
            TEST_NOTE,
        ),
    )


def event_table(panel: Panel, events: Mapping[str, Estimates]) -> DataTable:
    """Effects by time since the start."""
    rows = [
        (direction, what, part_of(term), *effect)
        for what, own in events.items()
        for direction, _, e in own
        for term, effect in effects_of(e).items()
    ]
    rows.sort(key=lambda row: panel.directions.index(str(row[0])))
    every = [e for own in events.values() for *_, e in own]
    notes = dict.fromkeys(n for e in every for n in e.diagnostics.notes if n.startswith("Time since"))
    return DataTable(
        name="dynamics_starts",
        title="Effect by time since the start: PPML with pair effects",
        columns=(
            _direction(panel),
            Column(name="what", label="", words={"pair effects": "one effect"}),
            Column(name="step", label="Step", words={"partner": "all"}),
            *EFFECT_COLUMNS,
        ),
        rows=tuple(rows),
        label="what",
        group="direction",
        notes=(
            *notes,
            "By cohort: early, middle and late starters have effects of their own, averaged over their flows.",
        ),
        fold=40,
    )
