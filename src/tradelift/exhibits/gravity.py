"""Gravity by OLS and PPML: section 4 of the paper."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tradelift.designs import Gravity, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.headline import association, is_log, main_term, numbers, under
from tradelift.exhibits.labels import effect_label, label, panel_title, plain, signed
from tradelift.exhibits.shown import (
    Column,
    DataTable,
    Figure,
    Head,
    Interval,
    IntervalFigure,
    RegressionTable,
    Shown,
    Value,
)
from tradelift.panel import Panel
from tradelift.study import Study

OUTCOMES = ("trade", "deals", "seller_concentration", "buyer_concentration")
RATIOS = ("seller_concentration", "buyer_concentration")
FUNCTIONS = ("log(", "log1p(", "asinh(")
OLS, PPML = "OLS", "PPML"
SCHEMES = ("pair", "dyadic", "province")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One column of the table: an outcome, the plain column behind it, and the estimator."""

    outcome: str
    column: str
    estimator: str

    def key(self, direction: str) -> str:
        """Name of the column of estimates, as in estimates.csv."""
        return f"{self.outcome}, {self.estimator}, {direction}"


def models(study: Study, panel: Panel) -> list[Model]:
    """The outcomes that the panel has, flows by OLS on logs and by PPML, ratios by OLS."""
    out = []
    for outcome in study.model.outcomes or OUTCOMES:
        if outcome.startswith(FUNCTIONS):
            column = outcome.split("(", 1)[1].removesuffix(")")
            out += [Model(outcome=outcome, column=column, estimator=OLS)] if column in panel.names else []
        elif outcome not in panel.names:
            continue
        elif outcome.startswith(RATIOS):
            out.append(Model(outcome=outcome, column=outcome, estimator=OLS))
        else:
            out.append(Model(outcome=f"log({outcome})", column=outcome, estimator=OLS))
            out.append(Model(outcome=outcome, column=outcome, estimator=PPML))
    return list(dict.fromkeys(out))


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan every model in every direction."""
    controls = study.model.controls
    return {
        model.key(direction): Gravity(
            outcome=model.outcome,
            family="poisson" if model.estimator == PPML else "gaussian",
            controls=controls,
            direction=direction,
        )
        for direction in panel.directions
        for model in models(study, panel)
    }


def show(study: Study, panel: Panel, results: Mapping[str, Estimate]) -> Shown:
    """Show the estimates, and say what the first of them mean."""
    found = models(study, panel)
    leading = _leading(panel, found, results)
    absent = [o for o in study.model.outcomes or OUTCOMES if not any(o in (m.outcome, m.column) for m in found)]
    sentences = [f"Left out: the panel has no column {', '.join(absent)}."] if absent else []
    if panel.regions.longitude is None and study.model.controls is None:
        sentences.append("Distance is left out: give longitude and latitude of the regions to control for it.")
    if not leading:
        return Shown(sentences=tuple(sentences))
    headline = association(study, panel, leading)
    tables: tuple[RegressionTable | DataTable, ...] = (
        _table(study, panel, found, results),
        _errors(study, panel, leading),
    )
    return Shown(
        tables=tables,
        figures=tuple(_figures(study, panel, found, results)),
        sentences=tuple(sentences),
        headline=headline,
    )


def _leading(panel: Panel, found: list[Model], results: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The headline's estimates by direction: the first flow by PPML, else the first model that has terms."""
    for model in sorted(found, key=lambda m: m.estimator != PPML):
        by_direction = {d: results[model.key(d)] for d in panel.directions if model.key(d) in results}
        by_direction = {d: e for d, e in by_direction.items() if main_term(e) is not None}
        if by_direction:
            return by_direction
    return {}


def _table(study: Study, panel: Panel, found: list[Model], results: Mapping[str, Estimate]) -> RegressionTable:
    used = [m for m in found if any(m.key(d) in results for d in panel.directions)]
    estimates = {d: tuple(results.get(m.key(d)) for m in used) for d in panel.directions}
    every = [e for row in estimates.values() for e in row if e is not None]
    terms = dict.fromkeys(t for e in every for t in (*e.treatment, *e.terms))
    effects = dict.fromkeys(x for e in every for x in e.effects)
    return RegressionTable(
        name="gravity",
        title="Gravity estimates",
        heads=tuple(Head(outcome=label(study, panel, m.outcome, short=True), family=m.estimator) for m in used),
        panels={d: row for d, row in estimates.items() if any(row)},
        labels={t: label(study, panel, t) for t in terms}
        | {x: effect_label(x) for x in effects}
        | {d: panel_title(panel, d) for d in panel.directions},
        percent=frozenset(t for e in every for t in e.treatment),
        notes=tuple(_notes(every)),
    )


def _notes(estimates: list[Estimate]) -> Iterator[str]:
    errors = ", ".join(dict.fromkeys(e.se_type for e in estimates))
    yield f"Standard errors ({errors}) in parentheses, 95% intervals in brackets; no stars."
    if any(e.treatment and is_log(e) for e in estimates):
        yield "Percent: 100 (exp(b) - 1)."
    if any(e.outcome.startswith(RATIOS) for e in estimates):
        yield "Concentration ratios are in percentage points."
    if any(np.isnan(e.std_errors).any() for e in estimates):
        yield "n/a: clusters overlap so much that the variance is not positive, and no error can be given."
    sides: dict[str, dict[str, None]] = {}
    for e in estimates:
        left, right = e.formula.split(" ~ ", 1)
        sides.setdefault(right, {})[left] = None
    for right, lefts in sides.items():
        yield f"In fixest: {', '.join(lefts)} ~ {right}; OLS by feols, PPML by fepois."
    omitted = dict.fromkeys(f"{t} in {e.outcome}, {e.direction}" for e in estimates for t in e.diagnostics.omitted)
    if omitted:
        yield f"Left out for want of variation: {'; '.join(omitted)}."
    yield from dict.fromkeys(note for e in estimates for note in e.diagnostics.notes)


def _errors(study: Study, panel: Panel, leading: Mapping[str, Estimate]) -> DataTable:
    """The headline's coefficient with errors by pair, dyadic and by province."""
    first = next(iter(leading.values()))
    term = str(main_term(first))
    estimator = PPML if first.family == "poisson" else OLS
    rows = []
    for direction, estimate in leading.items():
        for scheme in SCHEMES:
            variant = under(estimate, scheme)
            if variant is not None:
                rows.append((direction, scheme, *_error_row(variant, term)))
    return DataTable(
        name="gravity_errors",
        title=f"Standard errors of {label(study, panel, term)} in {first.outcome}, {estimator}",
        columns=(
            Column(name="direction", label="", words={d: panel_title(panel, d) for d in leading}),
            Column(name="errors", label=""),
            Column(name="estimate", label="Estimate", kind="number", digits=4),
            Column(name="std_error", label="Std. error", kind="number", digits=4),
            Column(name="conf_low", label="95% from", kind="number", digits=4),
            Column(name="conf_high", label="to", kind="number", digits=4),
            Column(name="clusters", label="Clusters"),
        ),
        rows=tuple(rows),
        label="errors",
        group="direction",
        notes=tuple(_about_errors({str(row[1]) for row in rows})),
    )


def _about_errors(schemes: set[str]) -> Iterator[str]:
    """What each scheme allows for, and which of them the headline takes."""
    yield "Errors by pair take flows of different pairs as independent."
    if "province" not in schemes:
        yield "Dyadic errors let all pairs that share a region move together; the headline's interval is theirs."
        return
    yield "Dyadic errors let all pairs that share a region move together, province errors all that share a province."
    yield "The headline's interval is the wider of the last two."


def _error_row(estimate: Estimate, term: str) -> tuple[Value, ...]:
    row = numbers(estimate.tidy(), term)
    clusters = " and ".join(f"{n:,}" for n in estimate.diagnostics.clusters) or None
    return (row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], clusters)


def _figures(study: Study, panel: Panel, found: list[Model], results: Mapping[str, Estimate]) -> Iterator[Figure]:
    """One figure for each flow: the treatment in percent, by direction and estimator."""
    words = {d: panel_title(panel, d) for d in panel.directions}
    for column in dict.fromkeys(m.column for m in found if not m.column.startswith(RATIOS)):
        intervals = tuple(_intervals(panel, [m for m in found if m.column == column], results))
        if not intervals:
            continue
        said = [f"{words[i.row]}, {i.series}: {signed(i.value)}%{_spoken(i)}" for i in intervals]
        yield IntervalFigure(
            name=f"gravity_{column}",
            title=f"{label(study, panel, column)}: partners against other pairs",
            description=f"Estimates with 95% intervals. {'; '.join(said)}.",
            axis="Difference in percent, 95% interval (dyadic)",
            intervals=intervals,
            words=words,
        )


def _spoken(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return " (error not known)"
    return f" ({plain(interval.low)} to {plain(interval.high)})"


def _intervals(panel: Panel, same: list[Model], results: Mapping[str, Estimate]) -> Iterator[Interval]:
    for direction in panel.directions:
        for model in same:
            estimate = results.get(model.key(direction))
            if estimate is None or not estimate.treatment or not is_log(estimate):
                continue
            row = numbers(estimate.percent(), estimate.treatment[0])
            low, high = (None if np.isnan(row[end]) else row[end] for end in ("conf_low", "conf_high"))
            yield Interval(row=direction, series=model.estimator, value=row["percent"], low=low, high=high)


EXHIBIT = Exhibit(
    name="gravity",
    title="Gravity",
    needs=frozenset({"explanation"}),
    plan=plan,
    show=show,
)
