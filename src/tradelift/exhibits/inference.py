"""Every error and randomization side by side, for the leading estimates of gravity and of spatial RD."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tradelift.designs import Finding, Gravity, SpatialRD, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, way
from tradelift.exhibits.gravity import PPML, Model, gravity_design, models
from tradelift.exhibits.headline import is_log, numbers, percent, under
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.shown import Column, DataTable, Interval, IntervalFigure, Shown
from tradelift.exhibits.spatial import direction_words, leading, model_label, rd_design
from tradelift.inference import Randomization, Randomized
from tradelift.panel import Panel
from tradelift.study import Study

GRAVITY, SPATIAL = "gravity", "spatial RD"
SCHEMES = ("none", "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province", "spatial")
JACKKNIFE, CORRECTED = "jackknife", "weidner-zylkin"
RELABEL, SWAP, FREE, WITHIN = "relabel", "swap", "free", "within-group"
ABOUT = {
    "none": "none: all observations independent, with one variance",
    "robust": "robust: all observations independent",
    "directed-pair": "directed-pair: flows of a pair in one direction move together",
    "pair": "pair: flows of a pair move together",
    "two-way": "two-way: flows of an origin, and of a destination, move together",
    "dyadic": "dyadic: pairs that share a region move together",
    "max-two-way": "max-two-way: the largest of errors by region of either side, by both, and by pair",
    "province": "province: pairs that share a province move together",
    "spatial": "spatial: pairs of near regions move together, the less the farther",
    JACKKNIFE: "jackknife: each region left out once",
    CORRECTED: "weidner-zylkin: directed-pair, corrected for what the effects fit",
    RELABEL: "relabel: regions of a province change places",
    SWAP: "swap: partnerships of the same two provinces exchange an end",
    FREE: "free: any two partnerships do, a benchmark, for the programme was assigned by province",
    WITHIN: "within-group: partner pair and near controls change places",
}
NAMES = {GRAVITY: "Gravity", SPATIAL: "Spatial RD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An effect under one error: coefficient, standard error if any, 95% interval, p-value, clusters."""

    direction: str
    errors: str
    estimate: float
    std_error: float | None
    low: float
    high: float
    p_value: float
    clusters: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is an interval, be it without bounds."""
        return not np.isnan(self.high - self.low)

    @property
    def is_drawn(self) -> bool:
        """Whether it is by randomization."""
        return self.errors in (RELABEL, SWAP, FREE, WITHIN)


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """
    Plan the leading estimates with what needs the data again: jackknife, leverage correction, randomizations.

    What takes long stands beside the first direction alone, and draws beside the default ones are tests alone.
    """
    tasks: dict[str, Task] = {}
    for name, model in _models(study, panel).items():
        for direction in panel.directions:
            is_first = direction == panel.directions[0]
            if name == SPATIAL:
                tasks |= _of_spatial_rd(study, model, direction)
            else:
                tasks |= _of_gravity(study, model, direction, is_first=is_first)
    return tasks


def _models(study: Study, panel: Panel) -> dict[str, Model]:
    """Of gravity the model of the headline, PPML first; of spatial RD that which checks vary."""
    found = models(study, panel)
    lead = leading(found)
    if lead is None:
        return {}
    out = {GRAVITY: next((m for m in found if m.estimator == PPML), found[0])}
    return out | ({SPATIAL: lead} if panel.regions.longitude is not None else {})


def _of_gravity(study: Study, model: Model, direction: str, *, is_first: bool) -> dict[str, Task]:
    design: Gravity = gravity_design(study, model, direction)
    start = f"{GRAVITY}, {model.key(direction)}"
    out: dict[str, Task] = {start: design, f"{start}, {RELABEL}": Randomization(design=design, seed=study.seed)}
    if model.estimator == PPML:
        out[f"{start}, {CORRECTED}"] = replace(design, vcov="directed-pair", correction=CORRECTED)
    if is_first:
        out[f"{start}, {JACKKNIFE}"] = replace(design, vcov=JACKKNIFE)
        for scheme in (SWAP, FREE):
            out[f"{start}, {scheme}"] = Randomization(design=design, scheme=scheme, seed=study.seed, interval=False)
    return out


def _of_spatial_rd(study: Study, model: Model, direction: str) -> dict[str, Task]:
    design: SpatialRD = rd_design(study, model, direction)
    start = f"{SPATIAL}, {model.key(direction)}"
    return {
        start: design,
        f"{start}, {JACKKNIFE}": replace(design, vcov=JACKKNIFE),
        f"{start}, {WITHIN}": Randomization(design=design, scheme=WITHIN, seed=study.seed),
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show each design's coefficient under every error, and say how far they are apart."""
    tables, figures, sentences, found, firsts = [], [], [], {}, {}
    for name, model in _models(study, panel).items():
        lines = [line for d in panel.directions for line in _lines(name, model, d, results)]
        if not lines:
            continue
        first = next(x for d in panel.directions if isinstance(x := results.get(f"{name}, {model.key(d)}"), Estimate))
        tables.append(_table(study, panel, name, model, first, lines, results))
        figures.append(_figure(panel, name, model, first, lines))
        sentences += list(_sentences(panel, name, model_label(study, panel, model), first, lines))
        firsts[name] = first
        found[name] = [x for x in lines if x.direction == panel.directions[0] and x.is_known]
    return Shown(
        tables=tuple(tables),
        figures=tuple(figures),
        sentences=tuple(sentences),
        finding=_finding(panel, found),
        doubt=_doubt(panel, found, firsts),
    )


def _finding(panel: Panel, found: Mapping[str, list[Line]]) -> str:
    """Under how many errors the interval leaves out zero, over all flows, the closer design first."""
    said = [
        f"{sum(not x.low <= 0 <= x.high for x in found[name])} of {len(found[name])} intervals of {name}"
        for name in (SPATIAL, GRAVITY)
        if found.get(name)
    ]
    where = f" ({way(panel, panel.directions[0])})" if way(panel, panel.directions[0]) else ""
    return fitting(f"Zero lies outside of {' and '.join(said)}{where}") if said else ""


def _doubt(panel: Panel, found: Mapping[str, list[Line]], firsts: Mapping[str, Estimate]) -> str:
    """The widest interval of the closer design over all flows, and what randomization says."""
    name = next((n for n in (SPATIAL, GRAVITY) if found.get(n)), None)
    if name is None:
        return ""
    lines, first = found[name], firsts[name]
    widest = max(lines, key=lambda x: x.high - x.low)
    where = way(panel, panel.directions[0])
    said = [f"{NAMES[name]}{f' {where}' if where else ''}: {_widest(widest, first, len(lines))}"]
    draws = [f"{x.errors} p = {plain(x.p_value, 3)}" for x in lines if x.is_drawn and not np.isnan(x.p_value)]
    if draws:
        said.append(f"By randomization, {', '.join(draws)}.")
    clear = sum(not x.low <= 0 <= x.high for x in lines)
    return " ".join([*said, f"{clear} of the {len(lines)} intervals leave out 0."])


def _widest(line: Line, first: Estimate, count: int) -> str:
    if np.isinf(line.high - line.low):
        return f"under {line.errors} the effect is not bounded."
    low, high = (plain(_shown(first, end)) for end in (line.low, line.high))
    return (
        f"the widest of {count} intervals at 95% is {low} to {high}{'%' if is_log(first) else ''}, under {line.errors}."
    )


def _lines(name: str, model: Model, direction: str, results: Mapping[str, Finding]) -> Iterator[Line]:
    """The treatment of one estimate under each error that there is."""
    start = f"{name}, {model.key(direction)}"
    estimate = results.get(start)
    if not isinstance(estimate, Estimate) or not estimate.treatment:
        return
    for scheme in SCHEMES:
        if scheme == "none" and estimate.family == "poisson":
            continue  # a variance equal to the mean depends on the currency
        variant = under(estimate, scheme)
        if variant is not None:
            yield _by_errors(scheme, variant)
    for scheme in (CORRECTED, JACKKNIFE):
        other = results.get(f"{start}, {scheme}")
        if isinstance(other, Estimate):
            yield _by_errors(scheme, other)
    for scheme in (RELABEL, SWAP, FREE, WITHIN):
        drawn = results.get(f"{start}, {scheme}")
        if isinstance(drawn, Randomized):
            row = numbers(drawn, estimate.treatment[0])
            yield Line(
                direction=direction,
                errors=scheme,
                estimate=row["estimate"],
                std_error=None,
                low=row["conf_low"],
                high=row["conf_high"],
                p_value=row["p_value"],
            )


def _by_errors(scheme: str, estimate: Estimate) -> Line:
    row = numbers(estimate, estimate.treatment[0])
    return Line(
        direction=estimate.direction,
        errors=scheme,
        estimate=row["estimate"],
        std_error=row["std_error"],
        low=row["conf_low"],
        high=row["conf_high"],
        p_value=row["p_value"],
        clusters=" and ".join(f"{n:,}" for n in estimate.diagnostics.clusters) or None,
    )


def _table(
    study: Study,
    panel: Panel,
    name: str,
    model: Model,
    first: Estimate,
    lines: list[Line],
    results: Mapping[str, Finding],
) -> DataTable:
    own = {x.direction: x.std_error for x in lines if x.errors == first.se_type}
    rows = tuple(
        (
            x.direction,
            x.errors,
            x.estimate,
            x.std_error,
            _ratio(x.std_error, own.get(x.direction)),
            *((x.low, x.high) if x.is_known or not x.is_drawn else (None, None)),
            x.p_value,
            x.clusters,
        )
        for x in lines
    )
    term = label(study, panel, first.treatment[0])
    return DataTable(
        name=f"inference_{name.lower().replace(' ', '_')}",
        title=f"{NAMES[name]}: {term} in {model_label(study, panel, model)}, under every error",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="errors", label=""),
            Column(name="estimate", label="Estimate", kind="number", digits=4),
            Column(name="std_error", label="Std. error", kind="number", digits=4),
            Column(name="ratio", label=f"over {first.se_type}", kind="number", digits=2),
            Column(name="conf_low", label="95% from", kind="number", digits=4),
            Column(name="conf_high", label="to", kind="number", digits=4),
            Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
            Column(name="clusters", label="Clusters"),
        ),
        rows=rows,
        label="errors",
        group="direction",
        notes=(
            *_notes(panel, name, model, first, lines, results),
            about_column(panel, first, model_label(study, panel, model), first.formula, first.dropped),
        ),
        fold=sum(x.direction == lines[0].direction for x in lines) if len(panel.directions) > 1 else None,
    )


def _ratio(error: float | None, own: float | None) -> float | None:
    return error / own if error is not None and own is not None and own > 0 else None


def _notes(
    panel: Panel, name: str, model: Model, first: Estimate, lines: list[Line], results: Mapping[str, Finding]
) -> Iterator[str]:
    """What each error allows for, and how the draws were made."""
    shown = dict.fromkeys(x.errors for x in lines)
    errors = "; ".join(ABOUT[e] for e in shown if e not in (RELABEL, SWAP, FREE, WITHIN))
    yield f"{errors[:1].upper()}{errors[1:]}."
    drawn = "; ".join(ABOUT[e] for e in shown if e in (RELABEL, SWAP, FREE, WITHIN))
    if drawn:
        yield f"Randomization, which has no standard error: {drawn}."
    own = " and ".join(f"the {e}" if e == JACKKNIFE else e for e in (JACKKNIFE, CORRECTED) if e in shown)
    yield f"Corrections: {first.correction}{f', but {own}, with a correction of its kind' if own else ''}."
    lead = panel.directions[0]
    alone = [e for e in shown if {x.direction for x in lines if x.errors == e} == {lead}]
    if alone and len(panel.directions) > 1:
        yield f"For {direction_label(panel, lead)} alone, since each asks for many estimates: {', '.join(alone)}."
    if any(x.is_drawn and not x.is_known for x in lines):
        yield f"By {SWAP} and {FREE} there is a p-value alone."
    start = f"{name}, {model.key(panel.directions[0])}"
    for scheme in (RELABEL, SWAP, FREE, WITHIN):
        found = results.get(f"{start}, {scheme}")
        if isinstance(found, Randomized):
            yield (
                f"{scheme}: {found.n_draws:,} draws of the {found.statistic}, in which on average {found.moved:.0%} of "
                f"the partner pairs are partners no longer."
            )
    every = [x for key, x in results.items() if key.startswith(f"{name}, {model.outcome}, {model.estimator},")]
    known = dict.fromkeys(
        note
        for x in every
        for note in (x.diagnostics.notes if isinstance(x, Estimate) else x.notes if isinstance(x, Randomized) else ())
    )
    yield from known


def _figure(panel: Panel, name: str, model: Model, first: Estimate, lines: list[Line]) -> IntervalFigure:
    drawn = [x for x in lines if x.is_known or not x.is_drawn]
    intervals = tuple(_interval(panel, first, x) for x in sorted(drawn, key=lambda x: list(ABOUT).index(x.errors)))
    said = [f"{i.row}, {i.series}: {signed(i.value)}{_spoken(i)}" for i in intervals]
    unit = " in percent" if is_log(first) else ""
    return IntervalFigure(
        name=f"inference_{name.lower().replace(' ', '_')}",
        title=f"{NAMES[name]}, {model.estimator}: one effect under every error",
        description=f"Effects with 95% intervals. {'; '.join(said)}.",
        axis=f"Difference{unit}, 95% interval",
        intervals=intervals,
    )


def _interval(panel: Panel, first: Estimate, line: Line) -> Interval:
    ends = [_shown(first, end) if np.isfinite(end) else None for end in (line.low, line.high)]
    low, high = ends if None not in ends else (None, None)
    return Interval(
        row=line.errors,
        series=direction_label(panel, line.direction),
        value=_shown(first, line.estimate),
        low=low,
        high=high,
    )


def _shown(first: Estimate, coefficient: float) -> float:
    return percent(coefficient) if is_log(first) else coefficient


def _spoken(line: Interval) -> str:
    if line.low is None or line.high is None:
        return " (not bounded, or not known)"
    return f" ({plain(line.low)} to {plain(line.high)})"


def _sentences(panel: Panel, name: str, model: str, first: Estimate, lines: list[Line]) -> Iterator[str]:
    """How far the errors are apart, and under how many of them the interval leaves out zero, by direction."""
    unit = "%" if is_log(first) else ""
    for direction in panel.directions:
        own = [x for x in lines if x.direction == direction]
        errors = [x for x in own if x.std_error is not None and x.is_known]
        if not errors:
            continue
        least, most = (f(errors, key=lambda x: x.std_error or 0.0) for f in (min, max))
        known = [x for x in own if x.is_known]
        clear = sum(not x.low <= 0 <= x.high for x in known)
        draws = [f"{x.errors} p = {plain(x.p_value, 3)}" for x in own if x.is_drawn and not np.isnan(x.p_value)]
        span = (
            f"{plain(_shown(first, most.low))} to {plain(_shown(first, most.high))} under {most.errors}, "
            f"{plain(_shown(first, least.low))} to {plain(_shown(first, least.high))} under {least.errors}"
        )
        yield (
            f"{NAMES[name]}, {model}, {direction_label(panel, direction)}: "
            f"{signed(_shown(first, most.estimate))}{unit}. The 95% interval is {span}; zero lies outside of "
            f"{clear} of {len(known)} intervals{'; randomization: ' + ', '.join(draws) if draws else ''}."
        )


EXHIBIT = Exhibit(
    name="inference",
    title="Every error side by side",
    needs=frozenset({"partners"}),
    plan=plan,
    show=show,
)
