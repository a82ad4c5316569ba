"""The effect over time: by month, quarter and year, around breaks, and by time since the start where starts vary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from tradelift.designs import Finding, Gravity, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.dynamics_tables import Changes, break_table, changes_of, event_table, period_table, trend_table
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, span, way
from tradelift.exhibits.gravity import PPML
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.leading import leading_notes
from tradelift.exhibits.shown import CurveFigure, CurvePoint, Figure, Shown
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import direction_words, size_of
from tradelift.exhibits.split import (
    GRAVITY,
    RD,
    Approach,
    estimates_by,
    flow_approaches,
    lacking,
    leading_approach,
    p_of,
    p_words,
    part_of,
    sizes,
    test_words,
    unit_of,
)
from tradelift.inference import EventStudy, Parted, joint_test
from tradelift.inference.calendar import are_months
from tradelift.inference.event_study import NO_PERIOD_BEFORE, starts_vary
from tradelift.inference.parted import can_part, periods_by
from tradelift.panel import Panel
from tradelift.study import Study

UNITS = ("period", "quarter", "year")
EVENT, COHORTS, PAIR = "time since the start", "time since the start, by cohort", "pair effects"
STEPS_BEFORE, STEPS_AFTER, N_COHORTS = 4, 8, 3
LEVEL = 0.05
DESIGNS = {GRAVITY: "Gravity", RD: "Spatial RD"}
MOST_TICKS = 6
MANY = 24  # periods, beyond which a step of the event study is several


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan both designs by OLS and PPML by period, quarter and year, and around breaks; event studies by PPML."""
    out: dict[str, Task] = {}
    for direction in panel.directions:
        for a in flow_approaches(study, panel):
            design = a.make(study, direction)
            for unit in _units(panel):
                out[a.key(f"by {unit}", direction)] = Parted(design=design, by=unit)
            for name, at in study.breaks.items():
                out[a.key(f"around {name}", direction)] = Parted(design=design, by="break", at=at)
            if isinstance(design, Gravity) and a.model.estimator == PPML and starts_vary(panel):
                out |= _with_pair_effects(panel, a, design, direction)
    return out


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the course of the effect, and what changes at breaks."""
    found = flow_approaches(study, panel)
    lead = leading_approach(found)
    absent = tuple(_absent(study, panel))
    if lead is None or not any(isinstance(x, Estimate) for x in results.values()):
        return Shown(sentences=absent)
    by_unit = {u: list(estimates_by(results, found, f"by {u}", panel.directions)) for u in _units(panel)}
    changes = {
        name: changes_of(panel, list(estimates_by(results, found, f"around {name}", panel.directions)))
        for name in study.breaks
    }
    events = {what: list(estimates_by(results, found, what, panel.directions)) for what in (EVENT, COHORTS, PAIR)}
    notes = {u: tuple(leading_notes(study, panel, own, lead, u)) for u, own in by_unit.items()}
    tables = (
        break_table(study, panel, changes),
        *(period_table(panel, unit, own, notes[unit], _called(panel, unit)) for unit, own in reversed(by_unit.items())),
        trend_table(panel, by_unit),
        event_table(panel, events),
    )
    return Shown(
        tables=tuple(table for table in tables if table.rows),
        figures=tuple(_figures(study, panel, by_unit, events, lead)),
        sentences=(
            *_of_breaks(study, panel, changes, lead),
            *_of_years(panel, by_unit, lead),
            *_of_starts(panel, events),
            *absent,
        ),
        finding=_finding(study, panel, changes, by_unit, lead),
    )


def _units(panel: Panel) -> list[str]:
    """Period, and quarter and year where the labels tell them and they are longer."""
    several = ["period"] if len(panel.periods) > 1 else []
    return [*several, *(unit for unit in UNITS[1:] if can_part(panel.periods, unit))]


def _with_pair_effects(panel: Panel, a: Approach, design: Gravity, direction: str) -> dict[str, Task]:
    """Event studies, and one effect with pair effects, which is the same in all periods and for all cohorts."""
    design = replace(design, correction="clusters")  # leverage is of effects within a period
    every = 1 if len(panel.periods) <= MANY else len(panel.periods) // (MANY // 2)
    study_of = partial(EventStudy, design=design, every=every, before=STEPS_BEFORE, after=STEPS_AFTER)
    effects = ("origin^period", "destination^period", "origin^destination")
    plain_effects = Gravity(
        outcome=design.outcome, family=design.family, controls=[], direction=direction, effects=effects
    )
    return {
        a.key(EVENT, direction): study_of(),
        a.key(COHORTS, direction): study_of(cohorts=N_COHORTS),
        a.key(PAIR, direction): plain_effects,
    }


def _absent(study: Study, panel: Panel) -> Iterator[str]:
    """What is left out, and which input would bring it."""
    if not study.breaks:
        yield "Breaks are left out: give `breaks`, the first period after each, such as covid: 2020-01."
    lost = [unit for unit in UNITS[1:] if unit not in _units(panel)]
    if lost:
        yield f"By {' and '.join(lost)} is left out: the periods are as long, or their names do not tell it."
    if not starts_vary(panel):
        yield f"Event studies are left out. {NO_PERIOD_BEFORE}"
    yield from lacking(panel)


def _figures(
    study: Study,
    panel: Panel,
    by_unit: Mapping[str, Sequence[tuple[str, Approach, Estimate]]],
    events: Mapping[str, Sequence[tuple[str, Approach, Estimate]]],
    lead: Approach,
) -> Iterator[Figure]:
    """The course by period, one panel a direction and design; and by time since the start."""
    finest = next(iter(by_unit), None)
    own = [(d, a, e) for d, a, e in by_unit.get(str(finest), ()) if a.model == lead.model]
    if own:
        starts = {name: t for t, name in enumerate(periods_by(panel.periods, str(finest)))}
        points = tuple(_point(d, a.design, starts[part], size) for d, a, e in own for part, size in sizes(e).items())
        marks = [panel.periods.index(at) for at in study.breaks.values() if at in panel.periods]
        first, last = panel.periods[0], panel.periods[-1]
        yield CurveFigure(
            name="dynamics",
            title=f"Effect by {_called(panel, str(finest))}, {lead.model.estimator}",
            description=f"Estimates with 95% intervals in each {finest} from {first} to {last}. {_spoken(panel, own)}",
            x_axis="",
            y_axis=unit_of([e for *_, e in own]),
            points=points,
            mark=float(marks[0]) if marks else None,
            words=direction_words(panel) | DESIGNS,
            notes=(f"{unit_of([e for *_, e in own])}, with 95% intervals.", *_marked(study, panel)),
            ticks=_ticks(panel),
        )
    own = list(events[EVENT])
    if own:
        points = tuple(
            _point(d, what, int(part), size)
            for what in (EVENT, COHORTS)
            for d, _, e in events[what]
            for part, size in sizes(e).items()
        )
        yield CurveFigure(
            name="dynamics_since_start",
            title="Effect by time since the start of the partnership, PPML with pair effects",
            description=f"Estimates with 95% intervals by step since the start. {_spoken(panel, own)}",
            x_axis="Steps since the start",
            y_axis=unit_of([e for *_, e in own]),
            points=points,
            mark=-1.0,
            words=direction_words(panel),
            notes=(
                f"{unit_of([e for *_, e in own])}, with 95% intervals.",
                "The line marks the step before the start, which the others are compared with.",
            ),
        )


def _ticks(panel: Panel) -> dict[float, str]:
    """Labels of the time axis: the first period of each year where there are several, else the first and the middle."""
    n = len(panel.periods)
    years = {t: p[:4] for t, p in reversed(list(enumerate(panel.periods)))}
    first = {year: t for t, year in years.items()}
    if 1 < len(first) < n and all(year.isdigit() for year in first):
        step = -(-len(first) // MOST_TICKS)
        return {float(first[year]): year for year in sorted(first)[::step]}
    return {float(t): panel.periods[t] for t in (0, n // 2)}


def _called(panel: Panel, unit: str) -> str:
    """A unit in words: periods such as 2017-01 are months."""
    return "month" if unit == "period" and are_months(panel.periods) else unit


def _marked(study: Study, panel: Panel) -> Iterator[str]:
    marks = [f"{name} ({at})" for name, at in study.breaks.items() if at in panel.periods]
    if marks:
        yield f"The vertical line marks {marks[0]}."


def _point(row: str, column: str, x: int, size: Size) -> CurvePoint:
    low, high = (size.low, size.high) if size.is_known else (None, None)
    return CurvePoint(row=row, column=column, x=float(x), value=size.value, low=low, high=high)


def _spoken(panel: Panel, own: Sequence[tuple[str, Approach, Estimate]]) -> str:
    """The first and last effect of each curve."""
    parts = []
    for d, a, e in own:
        found = list(sizes(e).items())
        ends = ", ".join(f"{part} {size.brief}" for part, size in (found[0], found[-1]))
        parts.append(f"{direction_label(panel, d)}, {a.design}: {ends}")
    return f"{'; '.join(parts)}."


def _finding(
    study: Study,
    panel: Panel,
    changes: Mapping[str, Changes],
    by_unit: Mapping[str, Sequence[tuple[str, Approach, Estimate]]],
    lead: Approach,
) -> str:
    """The effect over all flows before and after the first break; without one, whether it is the same at all times."""
    for name, found in changes.items():
        for d, a, e in found.around:
            change = found.change.get((a, d))
            if a == lead and change is not None:
                around = sizes(e).values()
                before, after = (
                    f"{plain(s.value)}{s.unit} ({span(s) if s.is_known else 'its error is not known'})" for s in around
                )
                said = f"change {p_words(p_of(change))}"
                start = f"Around {label(study, panel, name)} the effect is {before} before and {after} after"
                return fitting(f"{start} ({way(panel, d)}; {said})" if way(panel, d) else "", f"{start} ({said})")
    unit, own = next(reversed(list(by_unit.items())), ("", ()))
    first = next((e for _, a, e in own if a == lead and len(e.treatment) > 1), None)
    if first is None:
        return ""
    p = joint_test(first).p_value
    apart = "The effect changes" if p < LEVEL else "No change of the effect is seen"
    ends = [
        f"{plain(s.value)}{s.unit} in {part}" for part, s in list(sizes(first).items())[:: len(first.treatment) - 1]
    ]
    return fitting(f"{apart} by {unit} ({p_words(p)}): {' and '.join(ends)}", f"{apart} by {unit} ({p_words(p)})")


def _of_breaks(study: Study, panel: Panel, changes: Mapping[str, Changes], lead: Approach) -> Iterator[str]:
    """What changed at each break, by direction and between directions."""
    for name, found in changes.items():
        parts = []
        for direction, a, e in found.around:
            change = found.change.get((a, direction))
            if a != lead or change is None:
                continue
            before, after = sizes(e).values()
            parts.append(
                f"{direction_label(panel, direction)} {before.brief} before and {after.brief} after, change "
                f"{p_words(p_of(change))}"
            )
        if parts:
            yield f"Around {name} ({study.breaks[name]}; {lead.words}): {'; '.join(parts)}."
        between = found.between.get(lead)
        if between is not None:
            one, other = panel.directions[2], panel.directions[1]
            yield (
                f"The change of {direction_label(panel, one)} less that of {direction_label(panel, other)}: "
                f"{signed(size_of(between).value)}% ({p_words(p_of(between))})."
            )


def _of_years(
    panel: Panel, by_unit: Mapping[str, Sequence[tuple[str, Approach, Estimate]]], lead: Approach
) -> Iterator[str]:
    """The course by the longest unit, and whether it is flat."""
    unit = next(reversed(list(by_unit)), None)
    for direction, a, e in by_unit.get(str(unit), ()):
        if a != lead or len(e.treatment) < 2:
            continue
        parts = [f"{part} {signed(size.value)}{size.unit}" for part, size in sizes(e).items()]
        shown = parts if len(parts) <= 12 else [*parts[:3], "...", *parts[-3:]]
        yield (
            f"By {unit}, {direction_label(panel, direction)} ({lead.words}): {', '.join(shown)}; all equal: "
            f"{test_words(joint_test(e))}."
        )


def _of_starts(panel: Panel, events: Mapping[str, Sequence[tuple[str, Approach, Estimate]]]) -> Iterator[str]:
    """Whether effects are there before the start, and how large they are after it."""
    for direction, _, e in events[EVENT]:
        leads = [t for t in e.treatment if part_of(t).startswith("-")]
        last = list(sizes(e).values())[-1]
        text = f"By time since the start, {direction_label(panel, direction)} (PPML, pair effects): "
        if leads:
            text += f"steps before it are jointly 0 with {test_words(joint_test(e, leads, equal=False))}; "
        yield f"{text}from step {part_of(e.treatment[-1])} on {last.brief}."


EXHIBIT = Exhibit(
    name="dynamics",
    title="Effects over time",
    needs=frozenset({"partners", "periods"}),
    plan=plan,
    show=show,
)
