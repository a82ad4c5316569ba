"""The specification curve: every estimate that is at most two choices away from the study's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median

from tradelift.designs import Finding, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, way
from tradelift.exhibits.gravity import models
from tradelift.exhibits.headline import under
from tradelift.exhibits.labels import direction_label, label, panel_title, plain, readable
from tradelift.exhibits.shown import Column, DataTable, Shown, Value
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    NEEDS,
    direction_words,
    effect_values,
    leading_flow,
    model_label,
    size_of,
)
from tradelift.exhibits.specification_choices import (
    AWAY,
    DECISIONS,
    GRAVITY,
    LONG,
    OWN,
    SPATIAL,
    WORDS,
    Choices,
    alternatives,
    called,
    choose,
    departures,
    designs_of,
    key_of,
    task_of,
)
from tradelift.exhibits.specification_figure import Specification, SpecificationFigure
from tradelift.panel import Panel
from tradelift.study import Study

NOTHING = "nothing"
COUNTS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """A specification: its choices, the estimate under its errors, and the effect that it says."""

    choices: Choices
    estimate: Estimate
    size: Size
    is_main: bool


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan every specification in every direction; errors are chosen afterwards."""
    if not leading_flow(models(study, panel)):
        return {}
    return {
        key_of(study, panel, choices, direction): task_of(study, panel, choices, direction)
        for direction in panel.directions
        for design in designs_of(panel)
        for choices in choose(study, panel, design)
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the curve of each direction, every specification in a table, and how far they are apart."""
    found = {d: tuple(_found(study, panel, d, results)) for d in panel.directions}
    found = {d: own for d, own in found.items() if own}
    if not found:
        return Shown()
    return Shown(
        tables=(_table(study, panel, found),),
        figures=tuple(_figure(study, panel, d, own) for d, own in found.items()),
        sentences=tuple(_sentences(study, panel, found)),
        finding=_finding(panel, found),
    )


def _found(study: Study, panel: Panel, direction: str, results: Mapping[str, Finding]) -> Iterator[Found]:
    """What could be estimated, under each error that the data allow."""
    for design in designs_of(panel):
        own = {decision: values[0] for decision, values in alternatives(study, panel, design).items()}
        for choices in choose(study, panel, design):
            estimate = results.get(key_of(study, panel, choices, direction))
            if not isinstance(estimate, Estimate) or not estimate.treatment:
                continue
            variant = estimate if choices["errors"] == OWN else under(estimate, choices["errors"])
            if variant is not None:
                is_main = design == SPATIAL and choices == own
                yield Found(choices=choices, estimate=variant, size=size_of(variant), is_main=is_main)


def _table(study: Study, panel: Panel, found: Mapping[str, tuple[Found, ...]]) -> DataTable:
    rows: list[tuple[Value, ...]] = [
        (
            direction,
            x.choices["design"],
            ", ".join(departures(study, panel, x.choices)) or NOTHING,
            x.choices["errors"],
            *effect_values(x.estimate),
            x.estimate.n_obs,
            x.estimate.n_pairs,
        )
        for direction, own in found.items()
        for x in sorted(own, key=lambda x: x.size.value)
    ]
    return DataTable(
        name="specifications",
        title=f"{_outcome(study, panel)}: every specification, from the smallest effect to the largest",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="design", label="", words=WORDS),
            Column(name="differs", label="What differs"),
            Column(name="errors", label="Errors", words=WORDS | {OWN: "own"}),
            *EFFECT_COLUMNS,
            Column(name="n_obs", label="Observations", kind="count"),
            Column(name="n_pairs", label="Directed pairs", kind="count"),
        ),
        rows=tuple(rows),
        label="design",
        group="direction",
        notes=(
            f"Every combination of choices that differs from its design's own in at most {COUNTS[AWAY]}.",
            "Own: the errors that a design takes unless told otherwise.",
            "Of the spatial designs other than spatial RD only the errors differ.",
            "Specifications share data, and are no independent findings; the files of the figures hold every choice.",
            *_leading(study, panel, found),
        ),
        fold=12,
    )


def _leading(study: Study, panel: Panel, found: Mapping[str, tuple[Found, ...]]) -> Iterator[str]:
    """What stands behind the study's own specification."""
    own = next((x.estimate for x in next(iter(found.values())) if x.is_main), None)
    if own is not None:
        lead = leading_flow(models(study, panel))[0]
        yield about_column(panel, own, model_label(study, panel, lead), own.formula, own.dropped)


def _used(found: Mapping[str, tuple[Found, ...]]) -> list[str]:
    return [decision for decision in DECISIONS if any(decision in x.choices for own in found.values() for x in own)]


def _outcome(study: Study, panel: Panel) -> str:
    return label(study, panel, leading_flow(models(study, panel))[0].column, short=True)


def _figure(study: Study, panel: Panel, direction: str, own: tuple[Found, ...]) -> SpecificationFigure:
    unit = own[0].size.unit
    names = {
        decision: tuple(dict.fromkeys(x.choices[decision] for x in own if decision in x.choices))
        for decision in _used({direction: own})
    }
    low, high = min(x.size.value for x in own), max(x.size.value for x in own)
    suffix = direction.replace("->", "_to_")
    return SpecificationFigure(
        name=f"specifications_{suffix}",
        title=f"{_outcome(study, panel)}, {direction_label(panel, direction)}: {len(own):,} specifications",
        description=f"Estimates in order with 95% intervals, from {plain(low)}{unit} to {plain(high)}{unit}, and the "
        f"choices behind each.",
        axis="Difference in percent" if unit else "Difference",
        specifications=tuple(
            Specification(
                value=x.size.value,
                low=x.size.low if x.size.is_known else None,
                high=x.size.high if x.size.is_known else None,
                choices=x.choices,
                is_main=x.is_main,
            )
            for x in own
        ),
        decisions=names,
        words=WORDS | {name: called(study, name) for name in study.samples},
        notes=("Diamond: the study's own. Lines: 95% intervals; those that leave the panel go on beyond it.",),
    )


def _finding(panel: Panel, found: Mapping[str, tuple[Found, ...]]) -> str:
    """How many specifications leave out zero, and the middle one of spatial RD, over all flows."""
    direction, own = next(iter(found.items()))
    known = [x for x in own if x.size.is_known]
    clear = sum(x.size.is_clear for x in known)
    values = [x.size.value for x in own if x.choices["design"] == SPATIAL]
    where = f" ({way(panel, direction)})" if way(panel, direction) else ""
    start = f"{clear:,} of {len(known):,} specifications leave out 0{where}"
    return fitting(
        f"{start}; half of spatial RD's are above {plain(median(values))}{own[0].size.unit}" if values else start
    )


def _sentences(study: Study, panel: Panel, found: Mapping[str, tuple[Found, ...]]) -> Iterator[str]:
    """The range, the middle and what is clear of zero, by direction and design; then the choice that moves most."""
    for direction, own in found.items():
        parts = [
            f"{name} {_range(some)}"
            for name, some in (
                ("spatial RD", [x for x in own if x.choices["design"] == SPATIAL]),
                ("gravity", [x for x in own if x.choices["design"] == GRAVITY]),
                ("other spatial designs", [x for x in own if x.choices["design"] not in (SPATIAL, GRAVITY)]),
            )
            if some
        ]
        main = next((x for x in own if x.is_main), None)
        rank = sorted(x.size.value for x in own).index(main.size.value) + 1 if main is not None else 0
        where = f"; the study's own, {main.size}, is number {rank} of {len(own):,}" if main is not None else ""
        yield f"{panel_title(panel, direction)}, {_outcome(study, panel)}: {'; '.join(parts)}{where}."
        moved = _moves_most(study, [x for x in own if x.choices["design"] == SPATIAL])
        if moved is not None:
            yield moved


def _range(own: list[Found]) -> str:
    values = [x.size.value for x in own]
    unit = own[0].size.unit
    known = [x for x in own if x.size.is_known]
    clear = sum(x.size.is_clear for x in known)
    return (
        f"{plain(min(values))}{unit} to {plain(max(values))}{unit}, half of {len(own):,} above "
        f"{plain(median(values))}{unit}, zero outside of {clear:,} of {len(known):,} intervals"
    )


def _moves_most(study: Study, own: list[Found]) -> str | None:
    """The decision one of whose alternatives, all else the study's own, moves the estimate most."""
    main = next((x for x in own if x.is_main), None)
    if main is None:
        return None
    single = [(d, x) for x in own if len(d := [k for k in x.choices if x.choices[k] != main.choices[k]]) == 1]
    single = [(d, x) for d, x in single if d != ["errors"]]
    if not single:
        return None
    (decision,), far = max(single, key=lambda pair: abs(pair[1].size.value - main.size.value))
    chosen = _alternative(study, decision, far.choices[decision])
    inside = main.size.is_known and main.size.low <= far.size.value <= main.size.high
    where = ", inside the interval of the study's own" if inside else ""
    return (
        f"The single choice that moves spatial RD most is {DECISIONS[decision].lower()}: {chosen}, with which it finds "
        f"{plain(far.size.value)}{far.size.unit}{where}."
    )


def _alternative(study: Study, decision: str, chosen: str) -> str:
    """An alternative in a sentence: "a term in |d|"."""
    return LONG.get((decision, chosen), WORDS.get(chosen, called(study, chosen)))


def explain(_study: Study, panel: Panel, shown: Shown, refused: Mapping[str, str]) -> Shown:
    """Say each reason once, with how many specifications it holds for and the first of them."""
    reasons: dict[str, list[str]] = {}
    for key, why in refused.items():
        reasons.setdefault(why, []).append(readable(panel, key))
    said = [
        f"Not estimated: {keys[0]}{f' and {len(keys) - 1:,} more' if len(keys) > 1 else ''}: {why}"
        for why, keys in reasons.items()
    ]
    return replace(shown, sentences=(*shown.sentences, *said))


EXHIBIT = Exhibit(
    name="specifications",
    title="Every specification",
    needs=NEEDS,
    plan=plan,
    show=show,
    explain=explain,
)
