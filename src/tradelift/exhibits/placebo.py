"""Placebos: pairs, periods and outcomes in which there is no effect to find."""

from collections.abc import Iterator, Mapping

from tradelift.designs import Finding, Gravity, SpatialRD, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column, errors_by
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, span
from tradelift.exhibits.gravity import FUNCTIONS, OLS, PPML, Model, models
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.labels import direction_label, label, signed
from tradelift.exhibits.placebo_words import meaning
from tradelift.exhibits.refused import told_once
from tradelift.exhibits.shown import Column, DataTable, IntervalFigure, Shown, Value
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
from tradelift.inference import PlaceboPartners, PlaceboPeriods
from tradelift.inference.placebo import has_periods_before
from tradelift.panel import Panel
from tradelift.study import Study

RD, GRAVITY = "spatial RD", "gravity"
PARTNERS, PERIODS, OUTCOMES, TRUE = "placebo partners", "periods before", "placebo outcomes", "true partners"
TITLES = {
    PARTNERS: "Placebo partners: the nearest control plays the partner",
    PERIODS: "Periods before the start",
    OUTCOMES: "Placebo outcomes, which partnership cannot move",
}
DISTANCE = "log(distance_km)"


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan the leading flow of placebo partners and of earlier periods, and the placebo outcomes."""
    out: dict[str, Task] = {}
    flow = leading_flow(models(study, panel))
    for direction in panel.directions:
        for model in flow:
            rd, gravity = rd_design(study, model, direction), _gravity(study, model, direction)
            for name, design in ((RD, rd), (GRAVITY, gravity)):
                out[_key(TRUE, name, model.outcome, model.estimator, direction)] = design
                played = PlaceboPartners(design=design, near=rd.near)
                out[_key(PARTNERS, name, model.outcome, model.estimator, direction)] = played
            if has_periods_before(panel):
                out[_key(PERIODS, RD, model.outcome, model.estimator, direction)] = PlaceboPeriods(design=rd)
    for outcome in placebo_outcomes(study):
        for direction in _directions(panel, outcome):
            out[_key(OUTCOMES, RD, outcome, OLS, direction)] = _of_outcome(study, outcome, direction)
    return out


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the placebos beside what they are placebos of, and say what they mean."""
    found = estimates_of(results)
    if not any(not key.startswith(TRUE) for key in found):
        return Shown(sentences=_no_periods(panel))
    flow = leading_flow(models(study, panel))
    return Shown(
        tables=(_table(study, panel, flow, found),),
        figures=tuple(_figures(study, panel, flow, found)),
        sentences=(*_sentences(study, panel, flow, found), *_no_periods(panel)),
        finding=_finding(panel, flow, found),
    )


def placebo_outcomes(study: Study) -> tuple[str, ...]:
    """Distance, and what the study names."""
    return tuple(dict.fromkeys((DISTANCE, *study.placebo_outcomes)))


def _directions(panel: Panel, outcome: str) -> tuple[str, ...]:
    """Distance is the same both ways: one estimate."""
    return panel.directions[:1] if outcome == DISTANCE else panel.directions


def _gravity(study: Study, model: Model, direction: str) -> Gravity:
    return Gravity(
        outcome=model.outcome,
        family="poisson" if model.estimator == PPML else "gaussian",
        controls=study.model.controls,
        direction=direction,
    )


def _of_outcome(study: Study, outcome: str, direction: str) -> SpatialRD:
    """The default with another outcome, which is no control of its own."""
    plain = outcome.split("(", 1)[-1].removesuffix(")") if outcome.startswith(FUNCTIONS) else outcome
    controls = (DISTANCE,) if study.model.controls is None else study.model.controls
    return rd_design(
        study,
        Model(outcome=outcome, column=plain, estimator=OLS),
        direction,
        controls=tuple(c for c in controls if c not in (plain, outcome, f"log({plain})")),
    )


def _key(kind: str, design: str, outcome: str, estimator: str, direction: str) -> str:
    return f"{kind}, {design}, {outcome}, {estimator}, {direction}"


def _rows(
    study: Study, panel: Panel, flow: tuple[Model, ...], found: Mapping[str, Estimate]
) -> Iterator[tuple[str, str, str, str, str, Estimate, Estimate | None]]:
    """Kind, design, outcome, estimator, direction, placebo, and the estimate of true partners."""
    for kind, designs in ((PARTNERS, (RD, GRAVITY)), (PERIODS, (RD,))):
        for design in designs:
            for model in flow:
                for d in panel.directions:
                    placebo = found.get(_key(kind, design, model.outcome, model.estimator, d))
                    if placebo is not None:
                        true = found.get(_key(TRUE, design, model.outcome, model.estimator, d))
                        yield kind, design, model.outcome, model.estimator, d, placebo, true
    for outcome in placebo_outcomes(study):
        for d in _directions(panel, outcome):
            placebo = found.get(_key(OUTCOMES, RD, outcome, OLS, d))
            if placebo is not None:
                yield OUTCOMES, RD, outcome, OLS, d, placebo, None


def _table(study: Study, panel: Panel, flow: tuple[Model, ...], found: Mapping[str, Estimate]) -> DataTable:
    rows: list[tuple[Value, ...]] = []
    outcomes: dict[str, str] = {}
    notes: dict[str, None] = {}
    for kind, design, outcome, estimator, direction, placebo, true in _rows(study, panel, flow, found):
        outcomes[outcome] = label(study, panel, outcome)
        values = (None, None) if true is None else (float(true.coefficients[0]), float(true.std_errors[0]))
        rows.append((kind, design, outcome, estimator, direction, *effect_values(placebo), *values))
        if kind in (PARTNERS, PERIODS):
            notes[placebo.diagnostics.notes[-1]] = None
    return DataTable(
        name="placebo",
        title="Where there is no effect to find",
        columns=(
            Column(name="placebo", label="", words=TITLES),
            Column(name="design", label="", words={RD: "Spatial RD", GRAVITY: "Gravity"}),
            Column(name="outcome", label="Outcome", words=outcomes),
            Column(name="estimator", label="By"),
            Column(name="direction", label="Direction", words=direction_words(panel)),
            *EFFECT_COLUMNS,
            Column(name="true_estimate", label="True partners", kind="number", digits=3),
            Column(name="true_std_error", label="Std. error", kind="number", digits=3),
        ),
        rows=tuple(rows),
        label="design",
        group="placebo",
        notes=(*_notes(found), *notes, *_leading(study, panel, flow, found)),
    )


def _leading(study: Study, panel: Panel, flow: tuple[Model, ...], found: Mapping[str, Estimate]) -> Iterator[str]:
    """What stands behind spatial RD of placebo partners."""
    own = found.get(_key(PARTNERS, RD, flow[0].outcome, flow[0].estimator, panel.directions[0])) if flow else None
    if own is not None:
        yield about_column(panel, own, model_label(study, panel, flow[0]), own.formula, own.dropped)


def _notes(found: Mapping[str, Estimate]) -> Iterator[str]:
    errors = errors_by((e.se_type, RD if e.design == "SpatialRD" else GRAVITY) for e in found.values())
    yield f"Errors: {errors}."
    yield "With placebo partners the true partner pairs are left out, and all else is as in the design."
    if any(is_log(e) for e in found.values()):
        yield "Percent: 100 (exp(b) - 1)."


def _figures(
    study: Study, panel: Panel, flow: tuple[Model, ...], found: Mapping[str, Estimate]
) -> Iterator[IntervalFigure]:
    """The leading model: placebo partners and earlier periods beside true partners, by direction."""
    here = []
    for kind, design, outcome, estimator, direction, placebo, true in _rows(study, panel, flow, found):
        if kind == OUTCOMES or (outcome, estimator) != (flow[0].outcome, flow[0].estimator):
            continue
        row = f"{design[:1].upper()}{design[1:]}, {direction_label(panel, direction)}"
        here += [] if true is None else [(row, TRUE, true)]
        here.append((row, kind, placebo))
    if here:
        said = "; ".join(f"{row}, {series}: {size_of(e)}" for row, series, e in here)
        yield IntervalFigure(
            name="placebo",
            title=f"{label(study, panel, flow[0].outcome)}: placebos beside partners",
            description=f"Estimates with 95% intervals of true partners and of placebos. {said}.",
            axis=f"Difference{' in percent' if is_log(here[0][2]) else ''}, 95% interval",
            intervals=tuple(dict.fromkeys(interval(row, series, e) for row, series, e in here)),
        )


def _finding(panel: Panel, flow: tuple[Model, ...], found: Mapping[str, Estimate]) -> str:
    """What both designs find where placebo partners play, over all flows, by the leading model."""
    sizes = {
        name: size_of(found[key])
        for name in (RD, GRAVITY)
        if flow and (key := _key(PARTNERS, name, flow[0].outcome, flow[0].estimator, panel.directions[0])) in found
    }
    said = [f"{name} finds {signed(s.value)}{s.unit} ({span(s)})" for name, s in sizes.items() if s.is_known]
    return fitting(f"For placebo partners {', '.join(said)}") if said else ""


def _sentences(study: Study, panel: Panel, flow: tuple[Model, ...], found: Mapping[str, Estimate]) -> Iterator[str]:
    """What the placebos of the leading model find, what that means, and what no placebo can show."""
    for kind, design in ((PARTNERS, RD), (PARTNERS, GRAVITY), (PERIODS, RD)):
        placebos = {
            d: found[key]
            for d in panel.directions
            if flow and (key := _key(kind, design, flow[0].outcome, flow[0].estimator, d)) in found
        }
        if placebos:
            said = "; ".join(f"{direction_label(panel, d)} {size_of(e)}" for d, e in placebos.items())
            yield meaning(kind, design, said, {direction_label(panel, d): size_of(e) for d, e in placebos.items()})
    clear: list[str] = []
    unclear: list[str] = []
    for outcome in placebo_outcomes(study):
        for d in _directions(panel, outcome):
            if (key := _key(OUTCOMES, RD, outcome, OLS, d)) in found:
                size = size_of(found[key])
                said = f"{label(study, panel, outcome)} ({direction_label(panel, d)}) {size}"
                (clear if size.is_clear else unclear).append(said)
    if clear:
        yield (
            f"Partner pairs differ from near pairs in what partnership cannot move: {'; '.join(clear)}. They may "
            f"differ in what moves flows, too; where that is known, control for it."
        )
    if unclear:
        yield f"In these placebo outcomes no difference is found: {'; '.join(unclear)}."
    yield (
        "A placebo that is 0 is no proof: no placebo shows what only the partner pairs themselves have, and one that "
        "is imprecise finds nothing even where there is much. Of intervals around a true 0, 1 in 20 leaves it out."
    )


def _no_periods(panel: Panel) -> tuple[str, ...]:
    if has_periods_before(panel):
        return ()
    return ("Partnerships were there from the first period on: there are no periods before them to look at.",)


EXHIBIT = Exhibit(
    name="placebo",
    title="Placebos",
    needs=NEEDS,
    plan=plan,
    show=show,
    explain=told_once(3),  # outcome, estimator, direction
)
