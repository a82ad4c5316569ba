"""What partnership may move outside of partner pairs: near against far controls, and pairs that are exposed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tradelift.designs import Finding, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.careful import careful
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, more, span
from tradelift.exhibits.gravity import PPML, Model, gravity_design, models
from tradelift.exhibits.headline import is_log, percent
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.money import amount_columns, unit_for
from tradelift.exhibits.shown import Column, DataTable, IntervalFigure, Shown, Value
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import NEEDS, direction_words, leading, leading_flow, model_label, rd_design
from tradelift.exhibits.split import line
from tradelift.inference.joint import joint
from tradelift.inference.spillovers import Exposed, Exposure
from tradelift.panel import Panel
from tradelift.study import Study

RINGS = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0))  # in bandwidths
NEAREST, FARTHEST = RINGS[0], RINGS[-1]
NEAR, BOTH = "near", "both"
PARTNER = "partner"
APART = "Nearest less farthest ring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A comparison: what it is called, and the difference in logs (or levels) with its error, interval and p-value."""

    direction: str
    name: str
    estimate: float
    std_error: float
    low: float
    high: float
    p_value: float


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan gravity with exposure, for the leading flow by OLS and PPML, and spatial RD with controls in rings."""
    found = models(study, panel)
    lead = leading(found)
    if lead is None:
        return {}
    tasks: dict[str, Task] = {}
    km = study.model.bandwidth_km
    for direction in panel.directions:
        for model in leading_flow(found):
            for kind in (NEAR, BOTH):
                tasks[_exposed_key(model, direction, kind)] = Exposure(
                    design=careful(gravity_design(study, model, direction)),
                    kind="near" if kind == NEAR else "both",
                    within_km=km,
                )
        for ring in RINGS:
            low, high = ring
            tasks[_ring_key(study, lead, direction, ring)] = rd_design(
                study, lead, direction, bandwidth_km=high * km, donut_km=low * km, kernel="uniform"
            )
    return tasks


def _exposed_key(model: Model, direction: str, kind: str) -> str:
    return f"exposed ({kind}), {model.key(direction)}"


def _ring_key(study: Study, model: Model, direction: str, ring: tuple[float, float]) -> str:
    return f"{_ring(study, ring)}, {model.key(direction)}"


def _ring(study: Study, ring: tuple[float, float]) -> str:
    """Name a ring: "controls 75 to 150 km away"."""
    low, high = (share * study.model.bandwidth_km for share in ring)
    return f"controls {low:g} to {high:g} km away" if low else f"controls within {high:g} km"


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show each comparison, the money that near pairs would have lost, and what both can and cannot say."""
    lead = leading(models(study, panel))
    if lead is None:
        return Shown()
    lines = [line for d in panel.directions for line in _lines(study, lead, d, results)]
    if not lines:
        return Shown()
    money = _money(study, panel, results)
    return Shown(
        tables=(_table(study, panel, lead, lines, results), *([money] if money.rows else [])),
        figures=(_figure(study, panel, lead, lines),),
        sentences=(*_sentences(study, panel, lead, lines), *_in_money(study, panel, results)),
        finding=_finding(study, panel, lead, lines),
    )


def _lines(study: Study, lead: Model, direction: str, results: Mapping[str, Finding]) -> Iterator[Line]:
    """Partners against far and near pairs, exposed pairs against others, and spatial RD ring by ring."""
    for kind in (NEAR, BOTH):
        exposed = results.get(_exposed_key(lead, direction, kind))
        if isinstance(exposed, Exposed):
            names = _names(kind)
            yield _combined(direction, names[0], exposed.found, {PARTNER: 1.0})
            yield _combined(direction, names[1], exposed.found, {PARTNER: 1.0, exposed.exposure: -1.0})
            yield _combined(direction, names[2], exposed.found, {exposed.exposure: 1.0})
    rings = {
        ring: x for ring in RINGS if isinstance(x := results.get(_ring_key(study, lead, direction, ring)), Estimate)
    }
    for ring, estimate in rings.items():
        yield _combined(direction, _of_ring(study, ring), estimate, {PARTNER: 1.0})
    if NEAREST in rings and FARTHEST in rings:
        both = joint({"near": rings[NEAREST], "far": rings[FARTHEST]}, controls=False)
        yield _combined(direction, APART, both, {"partner[near]": 1.0, "partner[far]": -1.0})


def _names(kind: str) -> tuple[str, str, str]:
    """What the three differences of an exposure are called."""
    if kind == NEAR:
        return "Partners less far pairs", "Partners less near pairs", "Near pairs less far pairs"
    return "Partners less types 1 to 3", "Partners less type 4", "Type 4 less types 1 to 3"


def _of_ring(study: Study, ring: tuple[float, float]) -> str:
    low, high = (share * study.model.bandwidth_km for share in ring)
    return f"Spatial RD, {low:g} to {high:g} km"


def _combined(direction: str, name: str, estimate: Estimate, weights: Mapping[str, float]) -> Line:
    found = estimate.combine(weights)
    return Line(
        direction=direction,
        name=name,
        estimate=found.estimate,
        std_error=found.std_error,
        low=found.conf_low,
        high=found.conf_high,
        p_value=found.p_value,
    )


def _table(study: Study, panel: Panel, lead: Model, lines: list[Line], results: Mapping[str, Finding]) -> DataTable:
    is_percent = lead.outcome.startswith("log(")
    rows: list[tuple[Value, ...]] = [
        (
            x.direction,
            x.name,
            x.estimate,
            x.std_error,
            x.low,
            x.high,
            percent(x.estimate) if is_percent else None,
            x.p_value,
        )
        for x in lines
    ]
    return DataTable(
        name="spillovers",
        title=f"{label(study, panel, lead.outcome, short=True)}: near and far controls, and exposed pairs",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="comparison", label=""),
            Column(name="estimate", label="Estimate", kind="number", digits=3),
            Column(name="std_error", label="Std. error", kind="number", digits=3),
            Column(name="conf_low", label="95% from", kind="number", digits=3),
            Column(name="conf_high", label="to", kind="number", digits=3),
            Column(name="percent", label="Percent", kind="number", digits=1),
            Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
        ),
        rows=tuple(rows),
        label="comparison",
        group="direction",
        notes=tuple(_notes(study, panel, lead, results)),
    )


def _notes(study: Study, panel: Panel, lead: Model, results: Mapping[str, Finding]) -> Iterator[str]:
    km = study.model.bandwidth_km
    yield (
        f"By gravity: near pairs share a region with a partner pair, whose other region is within {km:g} km of theirs; "
        f"the rest is far. Type 4: both regions take part, but not with each other."
    )
    yield (
        "What partnership moves of all that a region sells or buys falls away with the effects of regions: seen is "
        "only what a pair gains or loses beside the other pairs of its regions."
    )
    yield "Spatial RD: controls in a ring around the partner, every one of which weighs the same."
    direction = panel.directions[0]
    for kind in (NEAR, BOTH):
        x = results.get(_exposed_key(lead, direction, kind))
        if isinstance(x, Exposed):
            what = f"within {km:g} km of a partner pair" if kind == NEAR else "of partnered regions"
            yield (
                f"{x.exposed_pairs:,} directed pairs {what}, {x.other_pairs:,} others that are no partners "
                f"({direction_label(panel, direction)}); errors: {x.se_type}."
            )
            if kind == NEAR:
                e = x.found
                yield about_column(panel, e, model_label(study, panel, lead), e.formula, e.dropped)


def _figure(study: Study, panel: Panel, lead: Model, lines: list[Line]) -> IntervalFigure:
    is_percent = lead.outcome.startswith("log(")
    intervals = tuple(
        line(x.name, direction_label(panel, x.direction), _size(lead, x))
        for name in dict.fromkeys(x.name for x in lines)
        for x in lines
        if x.name == name
    )
    said = [
        f"{i.row}, {i.series}: {signed(i.value)}"
        + (" (error not known)" if i.low is None or i.high is None else f" ({plain(i.low)} to {plain(i.high)})")
        for i in intervals
    ]
    return IntervalFigure(
        name="spillovers",
        title=f"{label(study, panel, lead.outcome, short=True)}: whom partners are compared with",
        description=f"Differences with 95% intervals. {'; '.join(said)}.",
        axis=f"Difference{' in percent' if is_percent else ''}, 95% interval",
        intervals=intervals,
    )


def _sentences(study: Study, panel: Panel, lead: Model, lines: list[Line]) -> Iterator[str]:
    """How exposed pairs trade beside others, and whether the ring of controls matters."""
    about = {NEAR: f"within {study.model.bandwidth_km:g} km of a partner pair", BOTH: "of two partnered regions"}
    for kind, what in about.items():
        own = [x for x in lines if x.name == _names(kind)[2]]
        if own:
            said = "; ".join(f"{direction_label(panel, x.direction)} {_size(lead, x)}" for x in own)
            yield f"Pairs {what} that are no partners, against others by gravity: {said}."
    if any(x.name == _names(NEAR)[2] for x in lines):
        yield (
            "Below zero, trade may have been drawn from them to partners; above zero, they share in the effect, or in "
            "what made their neighbours partners."
        )
    apart = [x for x in lines if x.name == APART]
    if apart:
        said = "; ".join(
            f"{direction_label(panel, x.direction)} {_size(lead, x)}, p = {plain(x.p_value, 3)}" for x in apart
        )
        yield (
            f"Spatial RD with {_ring(study, NEAREST)} less that with {_ring(study, FARTHEST)}: {said}. Trade drawn "
            f"from the nearest pairs would put it above zero; an effect that reaches them, or an affinity that fades "
            f"with distance, below."
        )


def _finding(study: Study, panel: Panel, lead: Model, lines: list[Line]) -> str:
    """How near pairs that are no partners trade beside far ones, over all flows."""
    near = next((x for x in lines if x.name == _names(NEAR)[2] and x.direction == panel.directions[0]), None)
    if near is None:
        return ""
    size = _size(lead, near)
    if not size.is_clear:
        return fitting(f"Near pairs are not told from far ones: {span(size)}") if size.is_known else ""
    what = more(study, panel, lead.column, size)
    return fitting(f"Near pairs that are no partners {what} than far ones ({span(size)})")


def _size(lead: Model, line: Line) -> Size:
    """A difference in percent where the outcome is in logs."""
    is_percent = lead.outcome.startswith("log(")
    value, low, high = (percent(v) if is_percent else v for v in (line.estimate, line.low, line.high))
    return Size(value=value, low=low, high=high, unit="%" if is_percent else "")


def _priced(study: Study, panel: Panel, results: Mapping[str, Finding]) -> dict[str, Exposed]:
    """Gravity by PPML on trade with near pairs told apart, by direction; else on logs."""
    flow = leading_flow(models(study, panel))
    for model in sorted(flow, key=lambda m: m.estimator != PPML):
        keys = {d: _exposed_key(model, d, NEAR) for d in panel.directions}
        found = {d: x for d, key in keys.items() if isinstance(x := results.get(key), Exposed) and is_log(x.found)}
        if found and model.column == "trade":
            return found
    return {}


def _money(study: Study, panel: Panel, results: Mapping[str, Finding]) -> DataTable:
    rows: list[tuple[Value, ...]] = []
    amounts: list[float] = []
    for direction, x in _priced(study, panel, results).items():
        for name, terms in _parts(study, x):
            base = sum(x.bases[t] for t in terms)
            total = x.money(*terms)
            amounts.append(total.conf_high)
            rows.append((direction, name, base, total.value, total.std_error, total.conf_low, total.conf_high))
    unit = unit_for(amounts, panel.account.currency).finer
    return DataTable(
        name="spillovers_money",
        title=f"If what parts near pairs from others were spillover: money, {unit.name}",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="part", label=""),
            *amount_columns(unit, "Trade"),
        ),
        rows=tuple(rows),
        label="part",
        group="direction",
        notes=(
            f"Gravity, {panel.periods[0]} to {panel.periods[-1]}: trade less trade times exp(-b).",
            f"b is against pairs beyond {study.model.bandwidth_km:g} km; errors by the delta method.",
        ),
    )


def _parts(study: Study, x: Exposed) -> tuple[tuple[str, tuple[str, ...]], ...]:
    near = f"Pairs within {study.model.bandwidth_km:g} km"
    return ("Partner pairs", (PARTNER,)), (near, (x.exposure,)), ("Both", (PARTNER, x.exposure))


def _in_money(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Iterator[str]:
    found = _priced(study, panel, results)
    if not found:
        return
    direction, x = next(iter(found.items()))
    own, near, both = (x.money(*terms) for _, terms in _parts(study, x))
    unit = unit_for([v.conf_high for v in (own, near, both)], panel.account.currency)
    said = [
        f"{signed(v.value / unit.size)} ({plain(v.conf_low / unit.size)} to {plain(v.conf_high / unit.size)})"
        for v in (own, near, both)
    ]
    yield (
        f"In {unit.name} over all periods ({direction_label(panel, direction)}, gravity): partner pairs {said[0]} "
        f"against pairs that are not near any; near pairs {said[1]}. If all of that were spillover, both together "
        f"would be {said[2]}."
    )


EXHIBIT = Exhibit(
    name="spillovers",
    title="Beyond partner pairs: spillovers",
    needs=NEEDS,
    plan=plan,
    show=show,
)
