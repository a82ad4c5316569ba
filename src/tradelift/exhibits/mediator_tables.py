"""Tables and figures of effects without and with mediators held."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tradelift.exhibits.about import about_column, errors_by
from tradelift.exhibits.gravity import PPML, Model
from tradelift.exhibits.headline import is_log, numbers, percent
from tradelift.exhibits.labels import direction_label, in_words, label, plain
from tradelift.exhibits.mediators import GRAVITY, RD, Held
from tradelift.exhibits.shown import Column, CurveFigure, CurvePoint, DataTable, Interval, IntervalFigure, Value
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import direction_names, direction_words, model_label
from tradelift.inference import Mediated
from tradelift.inference.mediated import DIRECT, MEDIATED, OF, ON, TOTAL

DESIGNS = {RD: "Spatial RD", GRAVITY: "Gravity"}
LAGS = {"0": "", "1": "held as of the period before"}
PANELS = ("design", "outcome", "estimator", "mediator", "lag")
CORRELATIONS = tuple(round(float(x), 1) for x in np.linspace(-0.8, 0.8, 17))
SHARE_COLUMNS = (
    Column(name="share", label="Share of effect", kind="number", digits=2),
    Column(name="share_low", label="95% from", kind="number", digits=2),
    Column(name="share_high", label="to", kind="number", digits=2),
)


def held_table(held: Held) -> DataTable:
    """One row an effect: without the mediator, with it held, and the difference."""
    rows: list[tuple[Value, ...]] = []
    both = [(0, key, x) for key, x in held.single.items()] + [(1, key, x) for key, x in held.earlier.items()]
    for lag, (design, m, model, direction), found in sorted(both, key=lambda row: _place(held, row[0], row[1])):
        shown = (found.value(term) for term in (f"{ON}[{m}]", f"{OF}[{m}]", TOTAL, DIRECT))
        hidden = found.hidden[m].correlation if found.hidden else None
        about = (design, m, lag, model.outcome, model.estimator, direction)
        rows.append((*about, *shown, *_part(found, MEDIATED), *_share(found, MEDIATED), hidden))
    table = DataTable(
        name=f"{held.name}_held",
        title=f"The effect without and with {_names(held)} held",
        columns=(
            Column(name="design", label="", words=DESIGNS),
            Column(name="mediator", label="", words={m: label(held.study, held.panel, m) for m in held.mediators}),
            Column(name="lag", label="", words=LAGS),
            Column(name="outcome", label="", words=_outcomes(held)),
            Column(name="estimator", label=""),
            Column(name="direction", label="Direction", words=direction_words(held.panel)),
            Column(name="on_mediator", label="On mediator", kind="number", digits=3),
            Column(name="of_mediator", label="Of mediator", kind="number", digits=3),
            Column(name="total", label="Without", kind="number", digits=3),
            Column(name="direct", label="Held", kind="number", digits=3),
            *_part_columns("Difference"),
            *SHARE_COLUMNS,
            Column(name="hidden_correlation", label="Undone by", kind="number", digits=2),
        ),
        rows=tuple(rows),
        label="direction",
        group=PANELS,
        notes=(*_notes(held), *_leading(held)),
    )
    alone = ["mediator"] * (len(held.mediators) == 1) + ["lag"] * (not held.earlier)
    return _without(table, alone)


def _place(held: Held, lag: int, key: tuple[str, str, Model, str]) -> tuple[int, ...]:
    """Where a row stands: panels one after the other, directions in each."""
    design, m, model, direction = key
    directions = held.panel.directions
    return (
        held.designs.index(design), held.models.index(model), held.mediators.index(m), lag, directions.index(direction)
    )  # fmt: skip


def _without(table: DataTable, names: list[str]) -> DataTable:
    """The table without columns in which there is nothing to tell."""
    kept = [k for k, column in enumerate(table.columns) if column.name not in names]
    return replace(
        table,
        columns=tuple(table.columns[k] for k in kept),
        rows=tuple(tuple(row[k] for k in kept) for row in table.rows),
        group=tuple(name for name in table.groups if name not in names),
    )


def parts_table(held: Held) -> DataTable:
    """One row a part of the difference with all mediators held."""
    rows: list[tuple[Value, ...]] = []
    names: dict[str, str] = {}
    for (design, model, direction), found in held.every.items():
        about = (design, model.outcome, model.estimator, direction)
        for m in found.mediators:
            names[m] = label(held.study, held.panel, m)
            term = f"{MEDIATED}[{m}]"
            rows.append((*about, m, *_part(found, term), *_share(found, term)))
        rows.append((*about, MEDIATED, *_part(found, MEDIATED), *_share(found, MEDIATED)))
    return DataTable(
        name=f"{held.name}_parts",
        title="The difference by mediator, all of them held",
        columns=(
            Column(name="design", label="", words=DESIGNS),
            Column(name="outcome", label="", words=_outcomes(held)),
            Column(name="estimator", label=""),
            Column(name="direction", label="", words=direction_names(held.panel)),
            Column(name="part", label="Through", words=names | {MEDIATED: "All"}),
            *_part_columns("Part"),
            *SHARE_COLUMNS,
        ),
        rows=tuple(rows),
        label="part",
        group=("design", "outcome", "estimator", "direction"),
        notes=(
            "A part is the effect on a mediator times its coefficient (Gelbach 2016), whatever the order of mediators.",
        ),
    )


def held_figure(held: Held, mediator: str) -> IntervalFigure | None:
    """The effect of the leading model without the mediator and with it held."""
    name = in_words(held.study, held.panel, mediator)
    series = {TOTAL: f"without {name}", DIRECT: f"{name} held"}
    lines: list[Interval] = []
    logs = True
    for design in held.designs:
        for d, found in held.of(design, mediator).items():
            logs = logs and is_log(found.estimate)
            for term, words in series.items():
                size = size_of(found, term)
                low, high = (size.low, size.high) if size.is_known else (None, None)
                row = f"{DESIGNS[design]}, {direction_label(held.panel, d)}"
                lines.append(Interval(row=row, series=words, value=size.value, low=low, high=high))
    if not lines:
        return None
    said = "; ".join(f"{x.row}, {x.series}: {plain(x.value)}" for x in lines)
    return IntervalFigure(
        name=f"{held.name}_{_file(mediator)}",
        title=f"{label(held.study, held.panel, held.models[0].column)}: the effect without and with {name} held",
        description=f"Estimates with 95% intervals. {said}.",
        axis=f"Difference{' in percent' if logs else ''}, 95% interval",
        intervals=tuple(lines),
    )


def held_curve(held: Held, mediator: str) -> CurveFigure | None:
    """The mediated part by the correlation of errors that a cause which is not seen would bring."""
    points: list[CurvePoint] = []
    for design in held.designs:
        for d, found in held.of(design, mediator).items():
            if not found.hidden:
                continue
            for x in CORRELATIONS:
                part = found.under_hidden(mediator, x)
                value, low, high = (_shown(found, v) for v in (part.estimate, part.conf_low, part.conf_high))
                known = bool(np.isfinite(high - low))
                points.append(
                    CurvePoint(row=d, column=design, x=x, value=value, low=low if known else None,
                               high=high if known else None)
                )  # fmt: skip
    if not points:
        return None
    points.sort(key=lambda p: held.panel.directions.index(p.row))
    name = in_words(held.study, held.panel, mediator)
    return CurveFigure(
        name=f"{held.name}_{_file(mediator)}_hidden",
        title=f"The part through {name} if a cause of both were not seen",
        description=(
            f"The part of the effect through {name} by the correlation of the errors of mediator and outcome; at 0 it "
            f"is as estimated."
        ),
        x_axis="Correlation of the errors",
        y_axis="Part of the effect, percent",
        points=tuple(points),
        mark=0.0,
        words=direction_words(held.panel) | DESIGNS,
        notes=(
            "The part of the effect, in percent, with 95% intervals.",
            "Imai, Keele and Yamamoto (2010); the spreads of the errors are taken as known.",
        ),
    )


def size_of(found: Mediated, term: str) -> Size:
    """One of the numbers under its own errors, in percent where the outcome is in logs."""
    row = numbers(found, term)
    value, low, high = (_shown(found, row[name]) for name in ("estimate", "conf_low", "conf_high"))
    if not np.isfinite(high - low):
        low = high = np.nan
    return Size(value=value, low=low, high=high, unit="%" if is_log(found.estimate) else "")


def _shown(found: Mediated, coefficient: float) -> float:
    return percent(coefficient) if is_log(found.estimate) else coefficient


def _part(found: Mediated, term: str) -> tuple[Value, ...]:
    row = numbers(found, term)
    return tuple(row[name] for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"))


def _share(found: Mediated, term: str) -> tuple[Value, ...]:
    """Share and ends; blank where the interval has none: a share never stands alone."""
    share, low, high = found.share(term)
    return (share, low, high) if np.isfinite(high - low) else (None, None, None)


def _part_columns(name: str) -> tuple[Column, ...]:
    return (
        Column(name="mediated", label=name, kind="number", digits=3),
        Column(name="std_error", label="Std. error", kind="number", digits=3),
        Column(name="conf_low", label="95% from", kind="number", digits=3),
        Column(name="conf_high", label="to", kind="number", digits=3),
        Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
    )


def _outcomes(held: Held) -> dict[str, str]:
    return {m.outcome: label(held.study, held.panel, m.outcome, short=True) for m in held.models}


def _names(held: Held) -> str:
    return " or ".join(in_words(held.study, held.panel, m) for m in held.mediators)


def _file(mediator: str) -> str:
    """A mediator as part of a file's name."""
    return "_".join("".join(c if c.isalnum() else " " for c in mediator).split())


def _leading(held: Held) -> Iterator[str]:
    """What stands behind the effect with the first mediator held, by the closest design, in the first direction."""
    found = next(iter(held.of(held.designs[0], held.mediators[0]).values()), None)
    if found is not None:
        model, e = held.models[0], found.estimate
        yield about_column(held.panel, e, model_label(held.study, held.panel, model), e.formula, e.dropped)


def _notes(held: Held) -> Iterator[str]:
    errors = errors_by((x.se_type, DESIGNS[key[0]]) for key, x in held.single.items())
    yield f"Errors: {errors}; that of the difference from the scores of both estimates by pair."
    yield "Without and with the mediator held: the same observations, those on which it is known."
    yield "On mediator: the effect on it on these observations; of mediator: its coefficient beside the effect."
    yield "Share: difference over effect, its interval by Fieller; blank where the effect is not told from 0."
    if any(x.hidden for x in held.single.values()):
        yield (
            "Undone by: the correlation of the errors of mediator and outcome, from a cause that is not seen, at which "
            "nothing of the part is left; by OLS."
        )
    if any(key[2].estimator == PPML for key in held.single):
        yield "By PPML the effect on the mediator is weighted by expected flows, as if these were known."
