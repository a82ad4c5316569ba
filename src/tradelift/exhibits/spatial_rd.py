"""Spatial RD with gravity on the same flows beside it: section 5 of the paper."""

from collections.abc import Mapping

from tradelift.designs import Correlogram, Finding, GroupInfluence, ResidualCorrelogram, SameFlows, SingleGroups, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import compared
from tradelift.exhibits.gravity import RATIOS, Model, gravity_design, models
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.labels import label, panel_title
from tradelift.exhibits.rd_headline import comparison
from tradelift.exhibits.rd_tables import beside_table, identification_table, main_table
from tradelift.exhibits.rd_words import sentences
from tradelift.exhibits.shown import Interval, IntervalFigure, Shown
from tradelift.exhibits.spatial import (
    NEEDS,
    WIDER,
    WIDER_KM,
    Compared,
    direction_words,
    estimates_of,
    interval,
    leading,
    leading_flow,
    rd_design,
    size_of,
    spoken,
)
from tradelift.panel import Panel
from tradelift.study import Study

SINGLE, RESIDUALS = "single groups", "residuals"
GRAVITY = "gravity"
ALL_PAIRS = "gravity, all pairs"


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """
    Plan every model in every direction, with gravity on the same flows.

    The first flow also within the wider bandwidth, with terms in distance, and by gravity on all pairs; its leading
    model without single groups, and the residuals of pairs that are not partners.
    """
    found = models(study, panel)
    lead = leading(found)
    tasks: dict[str, Task] = {}
    for direction in panel.directions:
        for model in found:
            design = rd_design(study, model, direction)
            tasks[model.key(direction)] = design
            tasks[f"{model.key(direction)}, {GRAVITY}"] = SameFlows(design=design)
        for model in leading_flow(found):
            key = model.key(direction)
            for term in WIDER:
                tasks[f"{key}, {WIDER_KM:g} km, {term}"] = rd_design(
                    study, model, direction, bandwidth_km=WIDER_KM, distance_terms=(term,)
                )
            tasks[f"{key}, {ALL_PAIRS}"] = gravity_design(study, model, direction)
    if lead is not None:
        for direction in panel.directions:
            tasks[f"{lead.key(direction)}, {SINGLE}"] = SingleGroups(design=rd_design(study, lead, direction))
        tasks[f"{lead.outcome}, {RESIDUALS}"] = residuals(study, lead)
    return tasks


def residuals(study: Study, model: Model) -> ResidualCorrelogram:
    """Plan to look at the residuals of a model, which judge the study's bandwidth."""
    design = gravity_design(study, model, "both")
    return ResidualCorrelogram(
        outcome=design.outcome,
        family=design.family,
        controls=design.controls,
        bandwidth_km=study.model.bandwidth_km,
    )


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the estimates, what identifies them, and gravity beside them."""
    estimates = estimates_of(results)
    used = [m for m in models(study, panel) if any(m.key(d) in estimates for d in panel.directions)]
    lead = leading(used)
    if lead is None:
        return Shown()
    found = Compared(
        panel=panel,
        study=study,
        models=tuple(used),
        lead=lead,
        main=_pick(panel, used, estimates, ""),
        gravity=_pick(panel, used, estimates, f", {GRAVITY}"),
        wider={term: _pick(panel, used, estimates, f", {WIDER_KM:g} km, {term}") for term in WIDER},
        everywhere=_pick(panel, used, estimates, f", {ALL_PAIRS}"),
        single={
            d: x for d in panel.directions if isinstance(x := results.get(f"{lead.key(d)}, {SINGLE}"), GroupInfluence)
        },
        residuals=x if isinstance(x := results.get(f"{lead.outcome}, {RESIDUALS}"), Correlogram) else None,
    )
    return Shown(
        tables=(main_table(found), beside_table(found), identification_table(found)),
        figures=tuple(_figures(found)),
        sentences=tuple(sentences(found)),
        headline=comparison(found),
        finding=_finding(found),
    )


def _finding(found: Compared) -> str:
    """By how much partners differ from near pairs, by the leading model."""
    sizes = {d: size_of(e) for d, e in found.of(found.main).items()}
    return compared(found.study, found.panel, found.lead.column, sizes, than="than near pairs")


def _pick(
    panel: Panel, used: list[Model], estimates: Mapping[str, Estimate], ending: str
) -> dict[tuple[Model, str], Estimate]:
    """Estimates by model and direction, of the columns with an ending."""
    return {
        (m, d): estimates[f"{m.key(d)}{ending}"]
        for m in used
        for d in panel.directions
        if f"{m.key(d)}{ending}" in estimates
    }


def _figures(found: Compared) -> list[IntervalFigure]:
    """One figure a flow: spatial RD and gravity on the same flows, by direction and family."""
    out = []
    panel, words = found.panel, direction_words(found.panel)
    for column in dict.fromkeys(m.column for m in found.models if not m.column.startswith(RATIOS)):
        intervals: list[Interval] = []
        for direction in panel.directions:
            for model in (m for m in found.models if m.column == column):
                for name, of in (("Gravity", found.gravity), ("Spatial RD", found.main)):
                    estimate = of.get((model, direction))
                    if estimate is not None and is_log(estimate):
                        intervals.append(interval(direction, f"{name}, {model.estimator}", estimate))
        if not intervals:
            continue
        said = [f"{panel_title(panel, i.row)}, {i.series}: {spoken(i)}" for i in intervals]
        out.append(
            IntervalFigure(
                name=f"spatial_rd_{column}",
                title=f"{label(found.study, panel, column)}: partners against near pairs",
                description=f"Estimates with 95% intervals. {'; '.join(said)}.",
                axis="Difference in percent, 95% interval",
                intervals=tuple(intervals),
                words=words,
            )
        )
    return out


EXHIBIT = Exhibit(
    name="spatial_rd",
    title="Spatial regression discontinuity",
    needs=NEEDS,
    plan=plan,
    show=show,
)
