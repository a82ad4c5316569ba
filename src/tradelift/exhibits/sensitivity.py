"""How strong an omitted variable would have to be, for gravity and for spatial RD, beside observed covariates."""

from collections.abc import Iterator, Mapping

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.exhibits.about import about_column
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting
from tradelift.exhibits.gravity import OLS, OUTCOMES, Model, gravity_design, models
from tradelift.exhibits.headline import percent
from tradelift.exhibits.labels import direction_label, label, panel_title, plain, signed
from tradelift.exhibits.shown import Column, DataTable, Interval, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import direction_words, leading, model_label, rd_design
from tradelift.inference.sensitivity import Confounder, Robustness, Sensitivity
from tradelift.panel import Panel
from tradelift.study import Study

SPATIAL, GRAVITY = "Spatial RD", "Gravity"
OWN = ("domestic", "distance_km", "partner", "control_type", *OUTCOMES)
AS_IT_IS = "as it is"
NOTES = (
    "Robustness value: a variable that explains less of partnership and of the outcome leaves the estimate its sign.",
    "To 95%: the same, to let the interval reach zero.",
    "Shares are of the variance that effects and controls leave, by observation, weighted as the estimate.",
    "An omitted variable is one that is not related to the controls (Cinelli and Hazlett 2020).",
)


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan spatial RD where there are coordinates, and gravity on the same logs, in every direction."""
    lead = _model(study, panel)
    if lead is None:
        return {}
    observed = tuple(_observed(study, panel, lead))
    tasks: dict[str, Task] = {}
    for direction in panel.directions:
        if panel.regions.longitude is not None:
            design = rd_design(study, lead, direction)
            tasks[_key(SPATIAL, lead, direction)] = Sensitivity(design=design, observed=observed)
        tasks[_key(GRAVITY, lead, direction)] = Sensitivity(
            design=gravity_design(study, lead, direction), observed=observed
        )
    return tasks


def _model(study: Study, panel: Panel) -> Model | None:
    """The model that checks vary, where it is by OLS: partial R2 are of least squares."""
    lead = leading(models(study, panel))
    return lead if lead is not None and lead.estimator == OLS else None


def _key(design: str, model: Model, direction: str) -> str:
    return f"{design}, {model.key(direction)}"


def _observed(study: Study, panel: Panel, model: Model) -> Iterator[str]:
    """Columns of pairs that are numbers, and the study's mediators, but for what the model has already."""
    own = {*OWN, model.column, *(study.model.controls or ())}
    fixed = [name for name, values in panel.pairs.columns.items() if values.dtype.kind in "iufb"]
    for name in dict.fromkeys((*fixed, *study.mediators)):
        if name in panel.names and name not in own and f"log({name})" not in own:
            yield name


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show robustness values, and what the estimates would be beside variables as strong as observed ones."""
    lead = _model(study, panel)
    if lead is None:
        return Shown(sentences=("Left out: partial R2 are of least squares, and the study has no outcome by OLS.",))
    found = {
        design: {d: x for d in panel.directions if isinstance(x := results.get(_key(design, lead, d)), Robustness)}
        for design in (SPATIAL, GRAVITY)
    }
    found = {design: by_direction for design, by_direction in found.items() if by_direction}
    if not found:
        return Shown()
    beside = _beside(study, panel, lead, found)
    return Shown(
        tables=(_values(study, panel, lead, found), *([beside] if beside.rows else [])),
        figures=tuple(_figure(study, panel, lead, design, x) for design, x in found.items()),
        sentences=tuple(_sentences(study, panel, lead, found)),
        finding=_finding(found),
    )


def _rows(panel: Panel, found: Mapping[str, Mapping[str, Robustness]]) -> Iterator[tuple[str, str, Robustness]]:
    for direction in panel.directions:
        for design, by_direction in found.items():
            if direction in by_direction:
                yield direction, design, by_direction[direction]


def _values(study: Study, panel: Panel, lead: Model, found: Mapping[str, Mapping[str, Robustness]]) -> DataTable:
    rows: list[tuple[Value, ...]] = [
        (
            direction,
            design,
            x.estimate,
            x.std_error,
            100 * x.partial_r2,
            100 * x.robustness_value,
            100 * x.interval_value,
            x.n_obs,
        )
        for direction, design, x in _rows(panel, found)
    ]
    first = next(iter(found.values()))
    errors = "; ".join(f"{design}: {next(iter(x.values())).se_type}" for design, x in found.items())
    known = dict.fromkeys(note for x in found.values() for r in x.values() for note in r.notes)
    return DataTable(
        name="sensitivity",
        title=f"Robustness of {label(study, panel, next(iter(first.values())).term)} in "
        f"{label(study, panel, lead.outcome, short=True)} to omitted variables",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="design", label=""),
            Column(name="estimate", label="Estimate", kind="number", digits=3),
            Column(name="std_error", label="Std. error", kind="number", digits=3),
            Column(name="partial_r2", label="Partial R\N{SUPERSCRIPT TWO}, %", kind="number", digits=3),
            Column(name="robustness_value", label="Robustness value, %", kind="number", digits=2),
            Column(name="interval_value", label="to 95%, %", kind="number", digits=2),
            Column(name="n_obs", label="Observations", kind="count"),
        ),
        rows=tuple(rows),
        label="design",
        group="direction",
        notes=(*NOTES, f"Errors: {errors}.", *known, *_leading(study, panel, lead, found)),
    )


def _leading(study: Study, panel: Panel, lead: Model, found: Mapping[str, Mapping[str, Robustness]]) -> Iterator[str]:
    """What stands behind the first row."""
    design, by_direction = next(iter(found.items()))
    own = next(iter(by_direction.values()))
    make = rd_design if design == SPATIAL else gravity_design
    yield about_column(panel, own, model_label(study, panel, lead), make(study, lead, own.direction).formula)


def _beside(study: Study, panel: Panel, lead: Model, found: Mapping[str, Mapping[str, Robustness]]) -> DataTable:
    rows: list[tuple[Value, ...]] = [
        (
            direction,
            design,
            _words(study, panel, c),
            _share(c.r2_treatment),
            _share(c.r2_outcome),
            c.estimate,
            c.std_error,
            c.conf_low,
            c.conf_high,
        )
        for direction, design, x in _rows(panel, found)
        for c in x.confounders
    ]
    return DataTable(
        name="sensitivity_covariates",
        title=f"{label(study, panel, lead.outcome, short=True)}: estimates beside an omitted variable as strong as "
        f"observed covariates",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="design", label="Design"),
            Column(name="as_strong_as", label="As strong as"),
            Column(name="r2_treatment", label="of partnership, %", kind="number", digits=3),
            Column(name="r2_outcome", label="of outcome, %", kind="number", digits=3),
            Column(name="estimate", label="Estimate", kind="number", digits=3),
            Column(name="std_error", label="Std. error", kind="number", digits=3),
            Column(name="conf_low", label="95% from", kind="number", digits=3),
            Column(name="conf_high", label="to", kind="number", digits=3),
        ),
        rows=tuple(rows),
        label="as_strong_as",
        group="direction",
        notes=(
            "The variable takes from the estimate all that one of its strength can.",
            "Controls of the model: at most so strong; other covariates: as strong as where they are added.",
            "n/a: partnership has no room for a variable so strong.",
        ),
        fold=sum(row[0] == rows[0][0] for row in rows) if rows and len(panel.directions) > 1 else None,
    )


def _share(r2: float) -> float:
    return 100 * r2


def _words(study: Study, panel: Panel, c: Confounder) -> str:
    return f"{c.times:g} \N{MULTIPLICATION SIGN} {label(study, panel, c.name)}"


def _figure(study: Study, panel: Panel, lead: Model, design: str, found: Mapping[str, Robustness]) -> IntervalFigure:
    intervals = []
    for direction, x in found.items():
        half = x.critical * x.std_error
        series = direction_label(panel, direction)
        intervals.append(_interval(lead, AS_IT_IS, series, x.estimate, (x.estimate - half, x.estimate + half)))
        intervals += [
            _interval(lead, _words(study, panel, c), series, c.estimate, (c.conf_low, c.conf_high))
            for c in x.confounders
            if np.isfinite(c.estimate)
        ]
    said = [
        f"{panel_title(panel, d)}: robustness value {plain(100 * x.robustness_value, 2)}%" for d, x in found.items()
    ]
    return IntervalFigure(
        name=f"sensitivity_{design.lower().replace(' ', '_')}",
        title=f"{design}: with an omitted variable as strong as ...",
        description=f"Estimates, 95% intervals, beside omitted variables as strong as covariates. {'; '.join(said)}.",
        axis="Difference in percent, 95% interval" if _is_log(lead) else "Difference, 95% interval",
        intervals=tuple(intervals),
    )


def _is_log(lead: Model) -> bool:
    return lead.outcome.startswith("log(")


def _interval(lead: Model, row: str, series: str, value: float, ends: tuple[float, float]) -> Interval:
    turned = [percent(v) if _is_log(lead) else v for v in (value, *ends)]
    known = bool(np.isfinite(turned[2] - turned[1]))
    return Interval(
        row=row, series=series, value=turned[0], low=turned[1] if known else None, high=turned[2] if known else None
    )


def _finding(found: Mapping[str, Mapping[str, Robustness]]) -> str:
    """The robustness value of each design over all flows."""
    names = {SPATIAL: "spatial RD", GRAVITY: "gravity"}
    first = {names[design]: next(iter(x.values())) for design, x in found.items()}
    said = " and ".join(f"{plain(100 * x.robustness_value)}% ({name})" for name, x in first.items())
    return fitting(f"An omitted variable undoes the effect if it explains {said} of partnership and trade")


def _sentences(study: Study, panel: Panel, lead: Model, found: Mapping[str, Mapping[str, Robustness]]) -> Iterator[str]:
    """What it takes to undo each estimate, and the strongest observed covariate beside it."""
    for design, by_direction in found.items():
        direction, x = next(iter(by_direction.items()))
        where = f"{design}, {label(study, panel, lead.outcome, short=True)}, {direction_label(panel, direction)}"
        interval = _interval_words(x)
        others = "; ".join(
            f"{direction_label(panel, d)} {plain(100 * o.robustness_value, 2)}%"
            for d, o in by_direction.items()
            if d != direction
        )
        yield (
            f"{where}: to take the estimate to zero, an omitted variable must explain "
            f"{plain(100 * x.robustness_value, 2)}% of what is left of partnership and of the outcome both; {interval}"
            f"{f' (to zero: {others})' if others else ''}."
        )
        once = [c for c in x.confounders if c.times == 1 and np.isfinite(c.estimate)]
        if once:
            least = min(once, key=lambda c: c.estimate * np.sign(x.estimate))
            yield (
                f"{where}: the observed covariate that could take most is {label(study, panel, least.name)}: one as "
                f"strong explains {plain(_share(least.r2_treatment), 2)}% of partnership and "
                f"{plain(_share(least.r2_outcome), 2)}% of the outcome, and would leave "
                f"{_as_shown(lead, least.estimate)} of {_as_shown(lead, x.estimate)}. What nobody observed may be "
                f"stronger."
            )


def _interval_words(x: Robustness) -> str:
    if np.isnan(x.interval_value):
        return "its interval is not known"
    if x.interval_value > 0:
        return f"its interval reaches zero at {plain(100 * x.interval_value, 2)}%"
    return "its interval holds zero already"


def _as_shown(lead: Model, coefficient: float) -> str:
    return f"{signed(percent(coefficient))}%" if _is_log(lead) else signed(coefficient, 2)


EXHIBIT = Exhibit(
    name="sensitivity",
    title="What an omitted variable would have to do",
    needs=frozenset({"partners", "trade"}),
    plan=plan,
    show=show,
)
