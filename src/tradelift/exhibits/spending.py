"""Spending at the year's end and at Chinese New Year: whether the effect is larger in these months."""

from collections.abc import Iterator, Mapping

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column, errors_by
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, span
from tradelift.exhibits.gravity import Model, models
from tradelift.exhibits.headline import is_log, numbers
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.mediator_tables import DESIGNS
from tradelift.exhibits.mediators import designs_of
from tradelift.exhibits.shown import Column, DataTable, Interval, IntervalFigure, Shown, Value
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import direction_words, leading_flow, model_label
from tradelift.inference.calendar import new_years
from tradelift.inference.spending import MONTHS, TREATMENT, SpendingMonths
from tradelift.panel import Panel
from tradelift.study import Study

NAMES = {TREATMENT: "other months", MONTHS[0]: "more in December", MONTHS[1]: "more at Chinese New Year"}
LEVEL = 0.05

Found = Mapping[tuple[str, Model, str], Estimate]


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan the first flow by both designs and families, in every direction."""
    return {
        _key(name, model, direction): SpendingMonths(design=make(study, model, direction))
        for name, make in designs_of(panel).items()
        for model in leading_flow(models(study, panel))
        for direction in panel.directions
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the effect in other months, and by how much it differs in these."""
    flow = leading_flow(models(study, panel))
    found = {
        (name, model, d): x
        for name in designs_of(panel)
        for model in flow
        for d in panel.directions
        if isinstance(x := results.get(_key(name, model, d)), Estimate)
    }
    if not found:
        return Shown()
    return Shown(
        tables=(_table(study, panel, found),),
        figures=tuple(_figure(study, panel, flow[0], found)),
        sentences=tuple(_sentences(panel, flow[0], found)),
        finding=_finding(panel, flow[0], found),
    )


def _key(design: str, model: Model, direction: str) -> str:
    return f"{design}, {model.key(direction)}"


def _table(study: Study, panel: Panel, found: Found) -> DataTable:
    rows: list[tuple[Value, ...]] = []
    for (name, model, d), e in found.items():
        tidy, test = e.tidy(), e.wald(MONTHS)
        parts = [numbers(tidy, term) for term in NAMES]
        values = [row[column] for row in parts for column in ("estimate", "std_error")]
        rows.append((name, model.outcome, model.estimator, d, *values, test.statistic, test.p_value))
    errors = errors_by((e.se_type, DESIGNS[key[0]]) for key, e in found.items())
    outcomes = {model.outcome: label(study, panel, model.outcome) for _, model, _ in found}
    months = np.array(panel.periods)[new_years(panel.periods)]
    notes = [
        f"Errors: {errors}. F: that the effect differs in neither kind of month.",
        f"Chinese New Year's day falls in {', '.join(map(str, months))}.",
    ]
    if any(e.wald(MONTHS).clipped for e in found.values()):
        notes.append("Where the covariance of both has a negative eigenvalue, F is of the one direction that is left.")
    heads = zip(("other", "december", "new_year"), ("Other months", "December", "Chinese New Year"), strict=True)
    return DataTable(
        name="spending",
        title="The effect in other months, and how it differs in December and at Chinese New Year",
        columns=(
            Column(name="design", label="", words=DESIGNS),
            Column(name="outcome", label="Outcome", words=outcomes),
            Column(name="estimator", label="By"),
            Column(name="direction", label="Direction", words=direction_words(panel)),
            *(
                column
                for key, words in heads
                for column in (
                    Column(name=key, label=words, kind="number", digits=3),
                    Column(name=f"{key}_std_error", label="Std. error", kind="number", digits=3),
                )
            ),
            Column(name="f", label="F", kind="number", digits=2),
            Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
        ),
        rows=tuple(rows),
        label="direction",
        group="design",
        notes=(*notes, *_leading(study, panel, found)),
    )  # fmt: skip


def _leading(study: Study, panel: Panel, found: Found) -> Iterator[str]:
    """What stands behind the first row."""
    (_, model, _), own = next(iter(found.items()))
    yield about_column(panel, own, model_label(study, panel, model), own.formula, own.dropped)


def _figure(study: Study, panel: Panel, lead: Model, found: Found) -> Iterator[IntervalFigure]:
    lines: list[Interval] = []
    of_lead = {(name, d): e for (name, model, d), e in found.items() if model == lead}
    for (name, d), e in of_lead.items():
        for term, words in NAMES.items():
            size = _size(e, term)
            low, high = (size.low, size.high) if size.is_known else (None, None)
            row = f"{DESIGNS[name]}, {direction_label(panel, d)}"
            lines.append(Interval(row=row, series=words, value=size.value, low=low, high=high))
    if lines:
        said = "; ".join(f"{x.row}, {x.series}: {plain(x.value)}" for x in lines)
        logs = all(is_log(e) for e in of_lead.values())
        yield IntervalFigure(
            name="spending",
            title=f"{label(study, panel, lead.column)}: the effect by month of spending",
            description=f"Estimates with 95% intervals. {said}.",
            axis=f"Difference{' in percent' if logs else ''}, 95% interval",
            intervals=tuple(lines),
        )


def _finding(panel: Panel, lead: Model, found: Found) -> str:
    """By how much the effect differs in these months, over all flows, by the closest design."""
    for name in designs_of(panel):
        e = found.get((name, lead, panel.directions[0]))
        if e is not None:
            december, new_year = (_size(e, term) for term in MONTHS)
            if not (december.is_known and new_year.is_known):
                return ""
            said = [f"{signed(s.value)}{s.unit} ({span(s)})" for s in (december, new_year)]
            if e.wald(MONTHS).p_value < LEVEL:
                return fitting(f"The effect differs in December by {said[0]}, at Chinese New Year by {said[1]}")
            spans = f"in December ({span(december)}) or at Chinese New Year ({span(new_year)})"
            others = "".join(
                f"; by {model.estimator} p = {plain(p, 3)}"
                for (n, model, d), x in found.items()
                if (n, d) == (name, panel.directions[0]) and model != lead and (p := x.wald(MONTHS).p_value) < LEVEL
            )
            return fitting(f"No difference is seen {spans}{others}")
    return ""


def _sentences(panel: Panel, lead: Model, found: Found) -> Iterator[str]:
    """By design: the effect in other months, the differences, and their joint test."""
    differs: list[str] = []
    alike: list[str] = []
    for name in designs_of(panel):
        own = {d: e for (n, model, d), e in found.items() if (n, model) == (name, lead)}
        parts = []
        for d, e in own.items():
            test = e.wald(MONTHS)
            where = direction_label(panel, d)
            joint = "no joint test, for an error is not known"
            if np.isfinite(test.p_value):
                (differs if test.p_value < LEVEL else alike).append(f"{DESIGNS[name]}, {where}")
                joint = f"both 0: F {plain(test.statistic, 2)}, p {plain(test.p_value, 3)}"
            parts.append(
                f"{where} {_size(e, TREATMENT)} in other months, differing in December by {_size(e, MONTHS[0])} and at "
                f"Chinese New Year by {_size(e, MONTHS[1])} ({joint})"
            )
        if parts:
            yield f"{DESIGNS[name]}: {'; '.join(parts)}."
    yield (
        "If the effect were what public bodies spend at the end of the year or give at Chinese New Year, it would be "
        "larger in these months."
    )
    others = [
        f"{DESIGNS[name]} by {model.estimator}, {direction_label(panel, d)} (p {plain(p, 3)})"
        for (name, model, d), e in found.items()
        if model != lead and (p := e.wald(MONTHS).p_value) < LEVEL
    ]
    if others:
        yield f"By another estimator it differs in these months at the 5% level in {'; '.join(others)}."
    if differs:
        yield f"It differs in these months at the 5% level in {'; '.join(differs)}; the signs above say which way."
    if alike:
        yield (
            f"No difference is told from 0 by the joint test in {'; '.join(alike)}. That is no proof: intervals say "
            f"what the data allow for, and spending that is spread over the year does not show here; give public "
            f"purchases to look at that."
        )


def _size(estimate: Estimate, term: str) -> Size:
    """A term in percent where the outcome is in logs."""
    table, name = (estimate.percent(), "percent") if is_log(estimate) else (estimate.tidy(), "estimate")
    row = numbers(table, term)
    low, high = row["conf_low"], row["conf_high"]
    if not np.isfinite(high - low):
        low = high = np.nan
    return Size(value=row[name], low=low, high=high, unit="%" if is_log(estimate) else "")


EXHIBIT = Exhibit(
    name="spending",
    title="Mechanisms: spending at the year's end and at Chinese New Year",
    needs=frozenset({"partners", "months"}),
    plan=plan,
    show=show,
)
