"""Partner pairs matched to their nearest controls."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tradelift.designs import Finding, Matching, Task
from tradelift.designs.spatial import near_pairs
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import compared
from tradelift.exhibits.gravity import OLS, RATIOS, Model, models
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.labels import direction_label, label, plain
from tradelift.exhibits.refused import told_once
from tradelift.exhibits.shown import Column, DataTable, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    NEEDS,
    direction_words,
    effect_values,
    estimates_of,
    interval,
    leading,
    lost,
    model_label,
    size_of,
)
from tradelift.panel import Panel
from tradelift.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way to match: how many controls a side, whether only within the bandwidth, whether adjusted."""

    name: str
    nearest: int
    limited: bool = False
    adjusted: bool = True


NEAREST = Variant(name="1 nearest", nearest=1)
VARIANTS = (
    NEAREST,
    Variant(name="3 nearest", nearest=3),
    Variant(name="5 nearest", nearest=5),
    Variant(name="1 nearest, within the bandwidth", nearest=1, limited=True),
    Variant(name="1 nearest, not adjusted", nearest=1, adjusted=False),
)
IN_FIGURE = VARIANTS[:3]
MATCHES = (
    "Without a match: partner pairs that are lost. Sides with fewer: sides with fewer controls than asked for.",
    "Effective controls: as many of equal weight would say as much.",
    "Distances: between the control's region and the partner's.",
)


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan every variant for each outcome in every direction; all of them average differences, of logs or ratios."""
    return {
        _key(variant, model, direction): _design(study, model, variant, direction)
        for direction in panel.directions
        for model in _models(study, panel)
        for variant in VARIANTS
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the estimates, and how far and how often the matches are used."""
    found = estimates_of(results)
    used = [m for m in _models(study, panel) if any(_key(v, m, d) in found for v in VARIANTS for d in panel.directions)]
    lead = leading(used)
    if lead is None:
        return Shown()
    return Shown(
        tables=(_effects(study, panel, used, found), _matches(study, panel, lead, found)),
        figures=tuple(_figures(study, panel, used, found)),
        sentences=tuple(_sentences(study, panel, lead, found)),
        finding=_finding(study, panel, lead, found),
    )


def _models(study: Study, panel: Panel) -> list[Model]:
    return [m for m in models(study, panel) if m.estimator == OLS]


def _key(variant: Variant, model: Model, direction: str) -> str:
    return f"{variant.name}, {model.outcome}, {direction}"


def _design(study: Study, model: Model, variant: Variant, direction: str) -> Matching:
    return Matching(
        outcome=model.outcome,
        nearest=variant.nearest,
        bandwidth_km=study.model.bandwidth_km if variant.limited else None,
        controls=study.model.controls if variant.adjusted else (),
        direction=direction,
    )


def _effects(study: Study, panel: Panel, used: list[Model], found: Mapping[str, Estimate]) -> DataTable:
    rows: list[tuple[Value, ...]] = []
    for direction in panel.directions:
        for model in used:
            for variant in VARIANTS:
                estimate = found.get(_key(variant, model, direction))
                if estimate is not None:
                    rows.append((direction, variant.name, model.outcome, *effect_values(estimate)))
    return DataTable(
        name="matching",
        title="Partner pairs beside their nearest controls",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="matches", label="Controls a side"),
            Column(name="outcome", label="Outcome", words={m.outcome: label(study, panel, m.outcome) for m in used}),
            *EFFECT_COLUMNS,
        ),
        rows=tuple(rows),
        label="matches",
        group="direction",
        notes=(*_notes(study, panel, used, found), *_leading(study, panel, used, found)),
        fold=sum(row[0] == rows[0][0] for row in rows),  # the first direction stands open
    )


def _leading(study: Study, panel: Panel, used: list[Model], found: Mapping[str, Estimate]) -> Iterator[str]:
    """What stands behind the nearest controls of the first outcome; the line is of the flows that are no partners."""
    own = found.get(_key(NEAREST, used[0], panel.directions[0]))
    if own is not None:
        yield about_column(panel, own, model_label(study, panel, used[0]), own.formula, own.dropped)
        yield from (note for note in own.diagnostics.notes if note.startswith("The formula"))


def _notes(study: Study, panel: Panel, used: list[Model], found: Mapping[str, Estimate]) -> Iterator[str]:
    yield (
        "Effects of regions by period are fitted on pairs that are not partners and taken out of all; then each "
        "partner pair stands beside the controls that differ in one region, the nearest on each side. All partner "
        "pairs count the same. Errors: max-two-way."
    )
    controls = dict.fromkeys(t for e in found.values() if e.diagnostics.matches for t in e.diagnostics.matches.slopes)
    if controls:
        names = ", ".join(label(study, panel, c) for c in controls)
        yield f"Differences in {names} are adjusted by the slopes of the controls."
    yield f"The bandwidth is {study.model.bandwidth_km:g} km."
    if any(is_log(e) for e in found.values()):
        yield "Percent: 100 (exp(b) - 1)."
    if any(m.outcome.startswith(RATIOS) for m in used):
        yield "Concentration ratios are in percentage points."


def _matches(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> DataTable:
    """How many are matched, how often controls serve, and how far they are."""
    rows: list[tuple[Value, ...]] = []
    for direction in panel.directions:
        for variant in VARIANTS:
            estimate = found.get(_key(variant, lead, direction))
            about = None if estimate is None else estimate.diagnostics.matches
            if about is None or not variant.adjusted:
                continue
            km = _distances(study, panel, lead, variant, direction)
            rows.append(
                (
                    direction,
                    variant.name,
                    about.groups,
                    sum(about.lost_groups.values()),
                    about.short,
                    about.pairs,
                    about.most_used,
                    about.effective_controls,
                    *km,
                )
            )
    return DataTable(
        name="matching_controls",
        title=f"The matches of {label(study, panel, lead.outcome)}",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="matches", label="Controls a side"),
            Column(name="partner_pairs", label="Partner pairs", kind="count"),
            Column(name="without", label="Without a match", kind="count"),
            Column(name="short", label="Sides with fewer", kind="count"),
            Column(name="controls", label="Control pairs", kind="count"),
            Column(name="most_used", label="Most often used", kind="count"),
            Column(name="effective_controls", label="Effective controls", kind="number", digits=1),
            Column(name="median_km", label="Median km", kind="number", digits=0),
            Column(name="p90_km", label="90%", kind="number", digits=0),
            Column(name="farthest_km", label="Farthest", kind="number", digits=0),
        ),
        rows=tuple(rows),
        label="matches",
        group="direction",
        notes=MATCHES,
    )


def _distances(study: Study, panel: Panel, lead: Model, variant: Variant, direction: str) -> tuple[float, ...]:
    """Median, ninth decile and largest distance of the matches in km."""
    near = near_pairs(panel, _design(study, lead, variant, direction).near, direction)
    return tuple(float(q) for q in np.quantile(near.distance_km[~near.is_partner], [0.5, 0.9, 1.0]))


def _figures(study: Study, panel: Panel, used: list[Model], found: Mapping[str, Estimate]) -> Iterator[IntervalFigure]:
    """One figure for each flow: the effect by direction and number of controls."""
    words = direction_words(panel)
    for model in used:
        here = {
            (d, v.name): found[key]
            for d in panel.directions
            for v in IN_FIGURE
            if (key := _key(v, model, d)) in found and not model.outcome.startswith(RATIOS)
        }
        if not here:
            continue
        first = next(iter(here.values()))
        said = "; ".join(f"{words[d]}, {name}: {size_of(e)}" for (d, name), e in here.items())
        yield IntervalFigure(
            name=f"matching_{model.column}",
            title=f"{label(study, panel, model.column)}: partners matched to near pairs",
            description=f"Estimates with 95% intervals by direction and number of controls a side. {said}.",
            axis=f"Difference{' in percent' if is_log(first) else ''}, 95% interval (max-two-way)",
            intervals=tuple(interval(d, name, e) for (d, name), e in here.items()),
            words=words,
        )


def _finding(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> str:
    """By how much partners differ from the nearest control on each side."""
    sizes = {d: size_of(found[key]) for d in panel.directions if (key := _key(NEAREST, lead, d)) in found}
    return compared(study, panel, lead.column, sizes, than="than the nearest pairs")


def _sentences(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    """What the nearest say, what more of them change, and how near they are."""
    h = study.model.bandwidth_km
    for direction in panel.directions:
        estimate = found.get(_key(NEAREST, lead, direction))
        if estimate is None:
            continue
        where = direction_label(panel, direction)
        more = [
            f"with {v.nearest} {size_of(found[key])}"
            for v in IN_FIGURE[1:]
            if (key := _key(v, lead, direction)) in found
        ]
        yield (
            f"{where[:1].upper()}{where[1:]}, {label(study, panel, lead.outcome)}: beside the nearest control on each "
            f"side partner pairs have {', '.join([str(size_of(estimate)), *more])}."
        )
    first = next((d for d in panel.directions if _key(NEAREST, lead, d) in found), None)
    if first is None:
        return
    near = near_pairs(panel, _design(study, lead, NEAREST, first).near, first)
    km = near.distance_km[~near.is_partner]
    about = found[_key(NEAREST, lead, first)].diagnostics.matches
    without = "none" if about is None else lost(about.lost_groups)
    beyond = int((km > h).sum())
    yield (
        f"Half of the nearest controls are within {plain(float(np.median(km)), 0)} km, the farthest at "
        f"{plain(float(km.max()), 0)} km; {beyond:,} of {len(km):,} are beyond the bandwidth of {h:g} km. Partner "
        f"pairs without a match: {without}."
    )
    yield (
        "More controls make the comparison steadier, and take them from farther: where the effect moves with their "
        "number, near and far controls differ."
    )


EXHIBIT = Exhibit(
    name="matching",
    title="Matching to the nearest",
    needs=NEEDS,
    plan=plan,
    show=show,
    explain=told_once(2),  # outcome, direction
)
