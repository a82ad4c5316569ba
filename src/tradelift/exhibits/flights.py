"""Direct flights: whether partners have more of them, and the effect on trade with flights held."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tradelift.designs import Finding, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column, errors_by
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import compared
from tradelift.exhibits.gravity import OLS, PPML, Model
from tradelift.exhibits.labels import label
from tradelift.exhibits.mechanism import Mechanism
from tradelift.exhibits.mediator_names import FLIGHTS, flight_mediators
from tradelift.exhibits.mediator_tables import DESIGNS
from tradelift.exhibits.mediators import GRAVITY, RD, designs_of
from tradelift.exhibits.shown import Column, DataTable, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    by_direction,
    direction_words,
    effect_values,
    interval,
    model_label,
    size_of,
)
from tradelift.panel import Panel
from tradelift.study import Study

THAN = {RD: "than near pairs", GRAVITY: "than gravity expects"}
MECHANISM = Mechanism(name="flights", mediators=flight_mediators)


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan flights as an outcome by both families, and as a mediator."""
    outcomes: dict[str, Task] = {
        _key(name, estimator, direction): make(study, _model(estimator), direction)
        for name, make in designs_of(panel).items()
        for estimator in (OLS, PPML)
        for direction in panel.directions
    }
    return outcomes | MECHANISM.plan(study, panel)


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show both, and say what they allow for."""
    held = MECHANISM.show(study, panel, results)
    found = {
        (name, estimator, d): x
        for name in designs_of(panel)
        for estimator in (OLS, PPML)
        for d in panel.directions
        if isinstance(x := results.get(_key(name, estimator, d)), Estimate)
    }
    if not found:
        return held
    return replace(
        held,
        tables=(_table(study, panel, found), *held.tables),
        figures=(*_figure(study, panel, found), *held.figures),
        sentences=(*_sentences(study, panel, found), *held.sentences),
        finding=_finding(study, panel, found),
    )


def _model(estimator: str) -> Model:
    return Model(outcome=FLIGHTS, column=FLIGHTS, estimator=estimator)


def _key(design: str, estimator: str, direction: str) -> str:
    return f"{design}, {_model(estimator).key(direction)}"


def _table(study: Study, panel: Panel, found: Mapping[tuple[str, str, str], Estimate]) -> DataTable:
    rows: list[tuple[Value, ...]] = [(*key, e.n_obs, *effect_values(e)) for key, e in found.items()]
    errors = errors_by((e.se_type, DESIGNS[key[0]]) for key, e in found.items())
    lost = max(e.dropped["separated"] for e in found.values())
    notes = [f"Errors: {errors}.", "OLS: in flights; PPML: in logs, and percent."]
    if lost:
        notes.append("PPML leaves out regions and periods without a flight, for which any effect would do (separated).")
    return DataTable(
        name="flights_outcome",
        title=f"{label(study, panel, FLIGHTS)} between partners",
        columns=(
            Column(name="design", label="", words=DESIGNS),
            Column(name="estimator", label="By"),
            Column(name="direction", label="Direction", words=direction_words(panel)),
            Column(name="n_obs", label="Observations", kind="count"),
            *EFFECT_COLUMNS,
        ),
        rows=tuple(rows),
        label="direction",
        group="design",
        notes=(*notes, *_leading(study, panel, found)),
    )


def _leading(study: Study, panel: Panel, found: Mapping[tuple[str, str, str], Estimate]) -> Iterator[str]:
    """What stands behind the first row by PPML."""
    own = next((e for (_, by, _), e in found.items() if by == PPML), None)
    if own is not None:
        yield about_column(panel, own, model_label(study, panel, _model(PPML)), own.formula, own.dropped)


def _figure(study: Study, panel: Panel, found: Mapping[tuple[str, str, str], Estimate]) -> Iterator[IntervalFigure]:
    lines = tuple(interval(d, DESIGNS[name], e) for (name, by, d), e in found.items() if by == PPML)
    if lines:
        said = "; ".join(f"{DESIGNS[n]}, {d}: {size_of(e)}" for (n, by, d), e in found.items() if by == PPML)
        yield IntervalFigure(
            name="flights_outcome",
            title=f"{label(study, panel, FLIGHTS)}: partners against other pairs",
            description=f"Estimates with 95% intervals. {said}.",
            axis="Difference in percent, 95% interval",
            intervals=lines,
            words=direction_words(panel),
        )


def _finding(study: Study, panel: Panel, found: Mapping[tuple[str, str, str], Estimate]) -> str:
    """By how much partners have more flights, over all pairs, by the closest design."""
    for name in designs_of(panel):
        e = found.get((name, PPML, panel.directions[0]))
        if e is not None:
            return compared(study, panel, FLIGHTS, {panel.directions[0]: size_of(e)}, than=THAN[name])
    return ""


def _sentences(study: Study, panel: Panel, found: Mapping[tuple[str, str, str], Estimate]) -> Iterator[str]:
    """What partnership does to flights, with what the intervals allow for."""
    for name in designs_of(panel):
        own = {d: e for (n, by, d), e in found.items() if (n, by) == (name, PPML)}
        if not own:
            continue
        sizes = {str(size_of(e)) for e in own.values()}
        found_in = f"in every direction {sizes.pop()}" if len(sizes) == 1 < len(own) else by_direction(panel, own)
        said = f"{label(study, panel, FLIGHTS)}, {DESIGNS[name]}, {PPML}: {found_in}."
        if not any(size_of(e).is_clear for e in own.values()):
            said += (
                " No effect is told from 0; that is no proof of none, and the intervals say what the data allow for."
            )
        yield said


EXHIBIT = Exhibit(
    name="flights",
    title="Mechanisms: direct flights",
    needs=frozenset({"partners", "flights"}),
    plan=plan,
    show=show,
)
