"""Other ways to compare partner pairs with near pairs, beside the default."""

from collections.abc import Iterator, Mapping
from typing import Any

from tradelift.designs import Finding, Matching, Task
from tradelift.designs.spatial.alternatives import Imputation, LocationPolynomial, PartnerTerritory, contiguous_cities
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import by_way, fitting
from tradelift.exhibits.gravity import OLS, PPML, Model, models
from tradelift.exhibits.headline import is_log, numbers
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.refused import told_once
from tradelift.exhibits.shown import Column, DataTable, Interval, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    NEEDS,
    direction_words,
    effect_values,
    estimates_of,
    interval,
    leading_flow,
    model_label,
    rd_design,
    size_of,
)
from tradelift.panel import Panel
from tradelift.study import Study

K = 3
DEFAULT, CORNERS, SAME_GROUP, NEAREST = "near controls", "corners", "same group", f"{K} nearest"
MATCHED, IMPUTED, LOCATION = "nearest match", "imputation", "location polynomial"
CONTIGUOUS, TERRITORY = "contiguous regions", "territory border"
HALF_WAY = 2 / 3  # of the bandwidth: simulations have held 100 km to the border beside 150 km between cities

ABOUT = {
    DEFAULT: "near controls: spatial RD as in its own section, the default",
    CORNERS: "corners: near controls may differ in both regions",
    SAME_GROUP: "same group: only near controls whose other region is of the partner's group (province)",
    NEAREST: f"{K} nearest: only so many controls a side",
    MATCHED: "nearest match: one control a side however far, adjusted for differences in the controls",
    IMPUTED: "imputation: effects fitted on pairs that are not partners, then mean differences within groups",
    LOCATION: "location polynomial: each near pair once, a cubic in both regions' coordinates (Dell 2010)",
    CONTIGUOUS: "contiguous regions: controls across a shared border, however far (Dube, Lester and Reich 2010)",
    TERRITORY: "territory border: distance to where a region's partners end, a slope on either side (Black 1999)",
}
LACKING = {
    SAME_GROUP: "Same group is left out: give regions a column group (their province).",
    CONTIGUOUS: (
        "Contiguous regions are left out: the panel does not know which regions share a border. Give "
        "`neighbours` in the study file: two columns of regions, or polygons in a .geojson file."
    ),
}
PPML_COLUMNS = (
    Column(name="ppml_estimate", label="PPML", kind="number", digits=3),
    Column(name="ppml_std_error", label="Std. error", kind="number", digits=3),
    Column(name="ppml_percent", label="Percent", kind="number", digits=1),
)


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan every design for the leading flow, by OLS and where the design can by PPML, in every direction."""
    return {
        _key(name, model, direction): task
        for direction in panel.directions
        for model in leading_flow(models(study, panel))
        for name, task in _designs(study, panel, model, direction).items()
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show them side by side, and say how far they are apart."""
    lacking = [LACKING[name] for name in _lacking(panel)]
    flow = leading_flow(models(study, panel))
    found = estimates_of(results)
    if not found:
        return Shown(sentences=tuple(lacking))
    lead = {d: {n: found[k] for n in ABOUT if (k := _key(n, flow[0], d)) in found} for d in panel.directions}
    lead = {d: estimates for d, estimates in lead.items() if estimates}
    return Shown(
        tables=(_table(study, panel, flow, found),),
        figures=(_figure(study, panel, flow[0], lead),) if lead else (),
        sentences=(*_sentences(panel, lead), *lacking),
        finding=_finding(panel, lead),
    )


def _designs(study: Study, panel: Panel, model: Model, direction: str) -> dict[str, Task]:
    """The default and its alternatives by name; averages of differences are of logs or levels, and no PPML."""
    h, family = study.model.bandwidth_km, "poisson" if model.estimator == PPML else "gaussian"
    usual: dict[str, Any] = {"outcome": model.outcome, "controls": study.model.controls, "direction": direction}
    out: dict[str, Task] = {
        DEFAULT: rd_design(study, model, direction),
        CORNERS: rd_design(study, model, direction, neighbours="corners"),
        SAME_GROUP: rd_design(study, model, direction, same_group=True),
        NEAREST: rd_design(study, model, direction, nearest=K),
        LOCATION: LocationPolynomial(bandwidth_km=h, family=family, **usual),
        TERRITORY: PartnerTerritory(bandwidth_km=_border_km(study), family=family, **usual),
        CONTIGUOUS: contiguous_cities(family=family, **usual),
    }
    if model.estimator == OLS:
        out |= {MATCHED: Matching(**usual), IMPUTED: Imputation(bandwidth_km=h, **usual)}
    lacking = _lacking(panel)
    return {name: out[name] for name in ABOUT if name in out and name not in lacking}


def _border_km(study: Study) -> float:
    """How near a border is near."""
    return round(HALF_WAY * study.model.bandwidth_km, 1)


def _lacking(panel: Panel) -> list[str]:
    """Designs for which the panel lacks an input."""
    return [SAME_GROUP] * (panel.regions.group is None) + [CONTIGUOUS] * (panel.neighbours is None)


def _key(name: str, model: Model, direction: str) -> str:
    return f"{name}, {model.outcome}, {model.estimator}, {direction}"


def _words(name: str) -> str:
    return f"{name[:1].upper()}{name[1:]}"


def _table(study: Study, panel: Panel, flow: tuple[Model, ...], found: Mapping[str, Estimate]) -> DataTable:
    ppml = next((m for m in flow if m.estimator == PPML), None)
    rows: list[tuple[Value, ...]] = []
    shown: dict[str, None] = {}
    for direction in panel.directions:
        for name in ABOUT:
            estimate = found.get(_key(name, flow[0], direction))
            other = None if ppml is None else found.get(_key(name, ppml, direction))
            if estimate is None and other is None:
                continue
            shown[name] = None
            beside = () if ppml is None else _ppml_values(other)
            pairs = next(e.n_pairs for e in (estimate, other) if e is not None)
            rows.append((direction, name, *effect_values(estimate), *beside, _partners(estimate or other), pairs))
    return DataTable(
        name="rd_alternatives",
        title=f"{label(study, panel, flow[0].outcome)}: spatial designs side by side",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="design", label="Design", words={name: _words(name) for name in ABOUT}),
            *EFFECT_COLUMNS,
            *(PPML_COLUMNS if ppml is not None else ()),
            Column(name="partner_pairs", label="Partner pairs", kind="count"),
            Column(name="pairs", label="Directed pairs", kind="count"),
        ),
        rows=tuple(rows),
        label="design",
        group="direction",
        notes=(*_notes(study, list(shown), found, ppml), *_leading(study, panel, flow[0], found)),
    )


def _leading(study: Study, panel: Panel, model: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    """What stands behind the default."""
    own = found.get(_key(DEFAULT, model, panel.directions[0]))
    if own is not None:
        yield about_column(panel, own, model_label(study, panel, model), own.formula, own.dropped)


def _ppml_values(estimate: Estimate | None) -> tuple[Value, ...]:
    if estimate is None:
        return (None,) * len(PPML_COLUMNS)
    row = numbers(estimate, estimate.treatment[0])
    return (row["estimate"], row["std_error"], size_of(estimate).value)


def _partners(estimate: Estimate | None) -> int | None:
    """Partner pairs that are compared, where the design says so."""
    about = None if estimate is None else estimate.diagnostics.identification or estimate.diagnostics.matches
    return None if about is None else about.groups


def _notes(study: Study, shown: list[str], found: Mapping[str, Estimate], ppml: Model | None) -> Iterator[str]:
    """What each design compares, and what could not be compared."""
    h = study.model.bandwidth_km
    about = "; ".join(ABOUT[name] for name in shown)
    yield f"{about[:1].upper()}{about[1:]}."
    yield f"Near is within {h:g} km, near a border within {_border_km(study):g} km. Errors: max-two-way."
    if ppml is not None and any(name in shown for name in (MATCHED, IMPUTED)):
        yield "Nearest match and imputation average differences, and have no PPML."
    if any(is_log(e) for e in found.values()):
        yield "Percent: 100 (exp(b) - 1)."
    yield from dict.fromkeys(
        f"{_words(key.split(', ')[0])}, {e.direction}: {note}"
        for key, e in found.items()
        if e.family == "gaussian"
        for note in e.diagnostics.notes
        if note.startswith("Partner pairs that are not compared")
    )


def _figure(study: Study, panel: Panel, model: Model, lead: Mapping[str, Mapping[str, Estimate]]) -> IntervalFigure:
    words = {name: _words(name) for name in ABOUT}
    intervals: list[Interval] = [
        interval(name, direction_label(panel, d), estimates[name])
        for name in ABOUT
        for d, estimates in lead.items()
        if name in estimates
    ]
    first = next(iter(next(iter(lead.values())).values()))
    said = [
        f"{direction_label(panel, d)}: " + ", ".join(f"{words[n]} {size_of(e)}" for n, e in estimates.items())
        for d, estimates in lead.items()
    ]
    unit = "Difference in percent" if is_log(first) else "Difference"
    return IntervalFigure(
        name="rd_alternatives",
        title=f"{label(study, panel, model.outcome)}: spatial designs side by side",
        description=f"Estimates with 95% intervals by design. {'; '.join(said)}.",
        axis=f"{unit}, 95% interval (max-two-way)",
        intervals=tuple(intervals),
        words=words,
    )


def _finding(panel: Panel, lead: Mapping[str, Mapping[str, Estimate]]) -> str:
    """The range of the other designs, by direction, beside the default over all flows."""
    others = {d: [size_of(e) for n, e in x.items() if n != DEFAULT] for d, x in lead.items()}
    said = {
        d: f"{plain(min(s.value for s in x))} to {plain(max(s.value for s in x))}{x[0].unit}"
        for d, x in others.items()
        if x
    }
    if not said:
        return ""
    count = max(len(x) for x in others.values())
    start = f"{count} other spatial design{'s find' if count > 1 else ' finds'}"
    return fitting(f"{start} {by_way(panel, said)}", f"{start} {next(iter(said.values()))}")


def _sentences(panel: Panel, lead: Mapping[str, Mapping[str, Estimate]]) -> Iterator[str]:
    """How far the alternatives are from the default, by direction."""
    apart = []
    for direction, estimates in lead.items():
        default = estimates.get(DEFAULT)
        others = {name: size_of(e) for name, e in estimates.items() if name != DEFAULT}
        where = direction_label(panel, direction)
        if default is None or not others:
            continue
        here = size_of(default)
        low, high = (choose(others, key=lambda name: others[name].value) for choose in (min, max))
        clear = sum(size.is_clear for size in others.values())
        yield (
            f"{_words(where)}: near controls find {here}; the {len(others)} other designs find from "
            f"{signed(others[low].value)}{here.unit} ({low}) to {signed(others[high].value)}{here.unit} ({high}), and "
            f"{clear} of their intervals leave{'s' if clear == 1 else ''} out 0."
        )
        apart += [
            f"{name} ({where})"
            for name, size in others.items()
            if size.is_known and not size.low <= here.value <= size.high
        ]
    if any(len(estimates) > 1 for estimates in lead.values()):
        held = f"These intervals do not hold the default's estimate: {', '.join(apart)}."
        yield held if apart else "Every interval holds the default's estimate."
        yield (
            "The designs share partner pairs and most near pairs, so that their agreement says less than as many "
            "studies would; none of them sees what only a partner pair has."
        )


EXHIBIT = Exhibit(
    name="rd_alternatives",
    title="Other spatial designs",
    needs=NEEDS,
    plan=plan,
    show=show,
    explain=told_once(3),  # outcome, estimator, direction
)
