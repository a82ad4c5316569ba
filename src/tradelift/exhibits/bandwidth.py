"""Spatial RD of every outcome over bandwidths; of the leading one with distance terms and beyond near controls, too."""

from collections.abc import Iterator, Mapping

from tradelift.designs import Correlogram, Finding, SpatialRD, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.bandwidth_outcomes import Curves, outcome_figures, outcome_sentences, outcome_table
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import by_way, fitting
from tradelift.exhibits.gravity import Model, models
from tradelift.exhibits.labels import direction_label, label, panel_title, plain
from tradelift.exhibits.shown import Column, CurveFigure, DataTable, Shown, Value
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    NEEDS,
    WIDER,
    direction_words,
    effect_values,
    estimates_of,
    leading,
    model_label,
    rd_design,
    size_of,
)
from tradelift.exhibits.spatial_curves import MARKED, point, range_of
from tradelift.exhibits.spatial_rd import RESIDUALS, residuals
from tradelift.panel import Panel
from tradelift.study import Study

NONE = "none"
TERMS = {NONE: "no distance term"} | {term: f"a term in {word}" for term, word in WIDER.items()}
DONUTS = (1 / 6, 1 / 3)  # of the bandwidth: controls nearer than this are left out

SUPPORT = (
    "Lost: partner pairs without a group. Controls: near pairs a group; reuse: in how many groups a near pair stands, "
    "on average. Effective: as many partner pairs of equal weight would say as much."
)


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan every model over the grid; the leading one with each distance term, too, and beyond a hole."""
    lead = leading(models(study, panel))
    if lead is None:
        return {}
    tasks: dict[str, Task] = {
        _key(lead, direction, km, term): _design(study, lead, direction, km, term)
        for direction in panel.directions
        for term in TERMS
        for km in _grid(study)
    }
    tasks |= {
        _donut_key(lead, direction, km): rd_design(study, lead, direction, donut_km=km)
        for direction in panel.directions
        for km in _donuts(study)
    }
    tasks |= {
        _key(model, direction, km, NONE): _design(study, model, direction, km, NONE)
        for model in models(study, panel)
        for direction in panel.directions
        for km in _grid(study)
    }
    return tasks | {f"{lead.outcome}, {RESIDUALS}": residuals(study, lead)}


def _grid(study: Study) -> tuple[float, ...]:
    """The study's grid, and the bandwidth that it starts from."""
    return tuple(sorted({*study.grid_km, study.model.bandwidth_km}))


def _donuts(study: Study) -> tuple[float, ...]:
    return tuple(round(share * study.model.bandwidth_km, 1) for share in DONUTS)


def _design(study: Study, model: Model, direction: str, km: float, term: str) -> SpatialRD:
    terms = () if term == NONE else (term,)
    return rd_design(study, model, direction, bandwidth_km=km, distance_terms=terms)


def _key(model: Model, direction: str, km: float, term: str) -> str:
    return f"{model.key(direction)}, {km:g} km" + ("" if term == NONE else f", {term}")


def _donut_key(model: Model, direction: str, km: float) -> str:
    return f"{model.key(direction)}, beyond {km:g} km"


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the curves, what is lost at each bandwidth, and how far residuals reach."""
    lead = leading(models(study, panel))
    found = estimates_of(results)
    if lead is None or not found:
        return Shown()
    residual = results.get(f"{lead.outcome}, {RESIDUALS}")
    others = _others(study, panel, lead, found)
    return Shown(
        tables=(_table(study, panel, lead, found), *([outcome_table(others)] if others.found else [])),
        figures=(*_figures(study, panel, lead, found), *outcome_figures(others)),
        sentences=(
            *_sentences(study, panel, lead, found),
            *outcome_sentences(others),
            *([residual.sentence] if isinstance(residual, Correlogram) else []),
        ),
        finding=_finding(study, panel, lead, found),
    )


def _others(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Curves:
    """The other models over the grid."""
    curves = {
        (model, direction): _curve(study, model, direction, NONE, found)
        for model in models(study, panel)
        for direction in panel.directions
        if model != lead
    }
    return Curves(study=study, panel=panel, found={key: curve for key, curve in curves.items() if curve})


def _curve(
    study: Study, model: Model, direction: str, term: str, found: Mapping[str, Estimate]
) -> dict[float, Estimate]:
    """Estimates by bandwidth."""
    keys = {km: _key(model, direction, km, term) for km in _grid(study)}
    return {km: found[key] for km, key in keys.items() if key in found}


def _table(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> DataTable:
    rows: list[tuple[Value, ...]] = []
    for direction in panel.directions:
        for term in TERMS:
            for km in _grid(study):
                estimate = found.get(_key(lead, direction, km, term))
                rows.append((direction, km, term, None, *effect_values(estimate)[:-1], *_support(estimate)))
        for km in _donuts(study):
            estimate = found.get(_donut_key(lead, direction, km))
            around = study.model.bandwidth_km
            rows.append((direction, around, NONE, km, *effect_values(estimate)[:-1], *_support(estimate)))
    first = sum(1 for row in rows if row[0] == rows[0][0])
    return DataTable(
        name="bandwidth",
        title=f"Spatial RD by bandwidth: {model_label(study, panel, lead)}",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="bandwidth_km", label="km", kind="number", digits=0),
            Column(name="distance_term", label="Term", words={NONE: "none"} | dict(WIDER)),
            Column(name="donut_km", label="Beyond", kind="number", digits=0),
            *EFFECT_COLUMNS[:-1],
            Column(name="groups", label="Groups", kind="count"),
            Column(name="lost_groups", label="Lost", kind="count"),
            Column(name="controls", label="Controls", kind="number", digits=1),
            Column(name="reuse", label="Reuse", kind="number", digits=1),
            Column(name="effective_partners", label="Effective", kind="number", digits=1),
        ),
        rows=tuple(rows),
        label="bandwidth_km",
        group="direction",
        notes=(
            "Term: in the distance from the partner pair, one slope a side. Beyond: nearer controls are left out, km.",
            SUPPORT,
            "Blank: not estimated, for the reason above.",
            *_leading(study, panel, lead, found),
        ),
        fold=first if first < len(rows) else None,
    )


def _leading(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    """What stands behind the study's own bandwidth."""
    own = found.get(_key(lead, panel.directions[0], study.model.bandwidth_km, NONE))
    if own is not None:
        yield about_column(panel, own, model_label(study, panel, lead), own.formula, own.dropped)


def _support(estimate: Estimate | None) -> tuple[Value, ...]:
    """Groups, those lost, controls a group, groups a control, effective partners."""
    about = None if estimate is None else estimate.diagnostics.identification
    if estimate is None or about is None:
        return (None,) * 5
    controls = estimate.n_pairs - about.groups
    reuse = about.controls * about.groups / controls if controls > 0 else None
    return about.groups, sum(about.lost_groups.values()), about.controls, reuse, about.effective_partners


def _figures(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[CurveFigure]:
    points = tuple(
        point(direction, term, km, estimate)
        for direction in panel.directions
        for term in TERMS
        for km, estimate in _curve(study, lead, direction, term, found).items()
    )
    if not points:
        return
    unit = size_of(next(iter(found.values()))).unit
    said = [
        f"{panel_title(panel, direction)}, {TERMS[term]}: {range_of(curve)}"
        for direction in panel.directions
        for term in TERMS
        if (curve := _curve(study, lead, direction, term, found))
    ]
    yield CurveFigure(
        name="bandwidth",
        title=f"{label(study, panel, lead.outcome, short=True)}: partners against near pairs, by bandwidth",
        description=f"Estimates with 95% intervals over bandwidths. {'; '.join(said)}.",
        x_axis="Bandwidth, km",
        y_axis="Difference in percent" if unit else "Difference",
        points=points,
        mark=study.model.bandwidth_km,
        choice="Bandwidth",
        unit="km",
        words=direction_words(panel) | TERMS,
        notes=(f"{'Percent' if unit else 'Units of the outcome'}, with 95% intervals. {MARKED}",),
    )


def _finding(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> str:
    """The range of the estimates over bandwidths without a distance term, by direction."""
    curves = {d: _curve(study, lead, d, NONE, found) for d in panel.directions}
    said = {d: range_of(curve) for d, curve in curves.items() if curve}
    grid = _grid(study)
    if not said or len(grid) < 2:
        return ""
    over = f"Over {grid[0]:g} to {grid[-1]:g} km partners differ by"
    return fitting(f"{over} {by_way(panel, said)}", f"{over} {next(iter(said.values()))}")


def _sentences(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    grid = _grid(study)
    for direction in panel.directions:
        curves = {term: _curve(study, lead, direction, term, found) for term in TERMS}
        said = [f"{range_of(curve)} with {TERMS[term]}" for term, curve in curves.items() if curve]
        if said:
            yield (
                f"Over {grid[0]:g} to {grid[-1]:g} km, {model_label(study, panel, lead)}, "
                f"{direction_label(panel, direction)}: {', '.join(said)}{_agreement(study, curves)}."
            )
    yield from _lost(study, panel, lead, found)
    yield from _beyond(study, panel, lead, found)


def _agreement(study: Study, curves: Mapping[str, Mapping[float, Estimate]]) -> str:
    """Which estimates lie outside the interval at the study's bandwidth."""
    km = study.model.bandwidth_km
    start = curves[NONE].get(km)
    if start is None or not size_of(start).is_known:
        return ""
    size = size_of(start)
    outside = [
        f"{other:g} km with {TERMS[term]}"
        for term, curve in curves.items()
        for other, estimate in curve.items()
        if not size.low <= size_of(estimate).value <= size.high
    ]
    if outside:
        return f"; outside the 95% interval at {km:g} km: {', '.join(outside)}"
    return f"; all lie in the 95% interval at {km:g} km"


def _lost(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    """What a narrow bandwidth costs."""
    direction = panel.directions[0]
    curve = _curve(study, lead, direction, NONE, found)
    known = [(km, about) for km, e in curve.items() if (about := e.diagnostics.identification) is not None]
    if len(known) < 2:
        return
    said = []
    for km, about in (known[0], known[-1]):
        lost = sum(about.lost_groups.values())
        groups = (
            f"{lost:,} of {lost + about.groups:,} directed partner pairs have no group, and the others"
            if lost
            else "all have a group, and"
        )
        said.append(f"at {km:g} km {groups} count as {plain(about.effective_partners)} of equal weight")
    yield (
        f"A narrow bandwidth loses groups, a wide one compares pairs that are less alike: {'; '.join(said)} "
        f"({direction_label(panel, direction)})."
    )


def _beyond(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    """Without the nearest controls, whose trade partnership may have moved itself."""
    for km in _donuts(study):
        here = {d: found[k] for d in panel.directions if (k := _donut_key(lead, d, km)) in found}
        whole = {d: found.get(_key(lead, d, study.model.bandwidth_km, NONE)) for d in here}
        if not here:
            continue
        if all(e is not None and e.n_pairs == here[d].n_pairs for d, e in whole.items()):
            yield f"No control is nearer than {km:g} km."
            continue
        said = "; ".join(f"{direction_label(panel, d)} {size_of(e).brief}" for d, e in here.items())
        yield f"Without controls nearer than {km:g} km, whose own trade partnership may have changed: {said}."


EXHIBIT = Exhibit(
    name="bandwidth",
    title="How near is near: bandwidths",
    needs=NEEDS,
    plan=plan,
    show=show,
)
