"""Gravity by OLS and PPML: section 4 of the paper."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tradelift.designs import Finding, Gravity, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column, fixest_lines
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import LINK, compared, fitting, told
from tradelift.exhibits.headline import DISTANCE, association, cautious, is_log, main_term, numbers
from tradelift.exhibits.labels import direction_label, effect_label, label, panel_title, plain, signed
from tradelift.exhibits.shown import (
    DataTable,
    Figure,
    Head,
    Interval,
    IntervalFigure,
    RegressionTable,
    Shown,
)
from tradelift.exhibits.size import Size
from tradelift.exhibits.standard_errors import errors_table
from tradelift.inference import Randomization, Randomized
from tradelift.panel import Panel
from tradelift.study import Study

OUTCOMES = ("trade", "deals", "seller_concentration", "buyer_concentration")
RATIOS = ("seller_concentration", "buyer_concentration")
FUNCTIONS = ("log(", "log1p(", "asinh(")
OLS, PPML = "OLS", "PPML"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One column of the table: an outcome, the plain column behind it, and the estimator."""

    outcome: str
    column: str
    estimator: str

    def key(self, direction: str) -> str:
        """Name of the column of estimates, as in estimates.csv."""
        return f"{self.outcome}, {self.estimator}, {direction}"

    def randomized_key(self, direction: str) -> str:
        """The same, of its randomization."""
        return f"{self.key(direction)}, randomization"


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


def gravity_design(study: Study, model: Model, direction: str) -> Gravity:
    """Make the design of a model that a study means."""
    return Gravity(
        outcome=model.outcome,
        family="poisson" if model.estimator == PPML else "gaussian",
        controls=study.model.controls,
        direction=direction,
    )


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan every model in every direction, and where there is a programme randomize the one that leads."""
    found = models(study, panel)
    designs = {
        model.key(direction): gravity_design(study, model, direction)
        for direction in panel.directions
        for model in found
    }
    if panel.programme is None or not found:
        return dict(designs)
    lead = _ranked(found)[0]
    return designs | {
        lead.randomized_key(direction): Randomization(design=designs[lead.key(direction)], seed=study.seed)
        for direction in panel.directions
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the estimates, and say what the first of them mean."""
    found = models(study, panel)
    estimates = {key: x for key, x in results.items() if isinstance(x, Estimate)}
    leading, randomized = _leading(panel, found, results)
    absent = [o for o in study.model.outcomes or OUTCOMES if not any(o in (m.outcome, m.column) for m in found)]
    sentences = [f"Left out: the panel has no column {', '.join(absent)}."] if absent else []
    if panel.regions.longitude is None and study.model.controls is None:
        sentences.append("Distance is left out: give longitude and latitude of the regions to control for it.")
    if not leading:
        return Shown(sentences=tuple(sentences))
    headline = association(study, panel, leading, randomized)
    direction, first = next(iter(leading.items()))
    sentences += _by_other(found, direction, first, estimates)
    more = (
        *_p_values(study, panel, leading, randomized),
        about_column(panel, first, _words(study, panel, first), first.formula, first.dropped),
    )
    tables: tuple[RegressionTable | DataTable, ...] = (
        _table(study, panel, found, estimates, more),
        errors_table(study, panel, leading, randomized),
    )
    return Shown(
        tables=tables,
        figures=tuple(_figures(study, panel, found, estimates)),
        sentences=tuple(sentences),
        headline=headline,
        finding=_finding(study, panel, leading, randomized),
    )


def _finding(study: Study, panel: Panel, leading: Mapping[str, Estimate], randomized: Mapping[str, Randomized]) -> str:
    """How much more partners trade than gravity expects, or the distance elasticity, by the headline's intervals."""
    first = next(iter(leading.values()))
    term = str(main_term(first))
    effects = {d: cautious(e, randomized.get(d)) for d, e in leading.items()}
    unit = "%" if term in first.treatment and is_log(first) else ""
    sizes = {d: Size(value=e.value, low=e.low, high=e.high, unit=unit) for d, e in effects.items()}
    whole = next(iter(sizes.values()))
    if np.isinf(whole.high - whole.low) and whole.low <= 0 <= whole.high:
        return fitting(f"Randomization does not tell from 0 what {label(study, panel, term)} goes with")
    if term in first.treatment:
        column = first.outcome.removeprefix("log(").removesuffix(")")
        return compared(study, panel, column, sizes, than="than gravity expects", what=LINK)
    what = "The distance elasticity" if term == DISTANCE and is_log(first) else label(study, panel, term)
    return fitting(f"{what} is {told(whole, 2)}") if whole.is_known else ""


def _ranked(found: list[Model]) -> list[Model]:
    """Models as they may lead: flows by PPML first."""
    return sorted(found, key=lambda m: m.estimator != PPML)


def _leading(
    panel: Panel, found: list[Model], results: Mapping[str, Finding]
) -> tuple[dict[str, Estimate], dict[str, Randomized]]:
    """The headline's estimates by direction, of the first model that has terms, and what randomizing it gave."""
    for model in _ranked(found):
        of_model = {d: results.get(model.key(d)) for d in panel.directions}
        leading = {d: e for d, e in of_model.items() if isinstance(e, Estimate) and main_term(e) is not None}
        if leading:
            drawn = {d: results.get(model.randomized_key(d)) for d in leading}
            return leading, {d: r for d, r in drawn.items() if isinstance(r, Randomized)}
    return {}, {}


def _by_other(found: list[Model], direction: str, lead: Estimate, estimates: Mapping[str, Estimate]) -> Iterator[str]:
    """What the other estimator of the same flow finds, which other sections may lead with."""
    column = lead.outcome.removeprefix("log(").removesuffix(")")
    for model in found:
        other = estimates.get(model.key(direction))
        if model.column != column or model.outcome == lead.outcome or other is None or main_term(other) is None:
            continue
        row = numbers(other.percent(), str(main_term(other)))
        if is_log(other) and np.isfinite(row["conf_high"]):
            said = f"{plain(row['conf_low'])} to {plain(row['conf_high'])} by {other.se_type} errors"
            by = f"{OLS} on logs" if model.estimator == OLS else PPML
            yield f"By {by} the difference is {signed(row['percent'])}% (95% interval {said})."


def _words(study: Study, panel: Panel, estimate: Estimate) -> str:
    """Outcome and estimator of an estimate."""
    return f"{label(study, panel, estimate.outcome, short=True)}, {PPML if estimate.family == 'poisson' else OLS}"


def _p_values(
    study: Study, panel: Panel, leading: Mapping[str, Estimate], randomized: Mapping[str, Randomized]
) -> Iterator[str]:
    """The p-values of randomization in a sentence."""
    if not randomized:
        return
    first = next(iter(leading.values()))
    term = str(main_term(first))
    found = [f"{direction_label(panel, d)} {plain(numbers(r, term)['p_value'], 3)}" for d, r in randomized.items()]
    yield f"Randomization p-values of {label(study, panel, term)} in {_words(study, panel, first)}: {'; '.join(found)}."


def _table(
    study: Study, panel: Panel, found: list[Model], results: Mapping[str, Estimate], more: tuple[str, ...]
) -> RegressionTable:
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
        notes=(*_notes(every), *more),
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
    yield f"In fixest: {'; '.join(fixest_lines(estimates))}."
    omitted = dict.fromkeys(f"{t} in {e.outcome}, {e.direction}" for e in estimates for t in e.diagnostics.omitted)
    if omitted:
        yield f"Left out for want of variation: {'; '.join(omitted)}."
    yield from dict.fromkeys(note for e in estimates for note in e.diagnostics.notes)


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
