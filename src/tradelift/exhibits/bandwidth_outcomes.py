"""Spatial RD of the other outcomes over bandwidths, without distance terms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tradelift.estimate import Estimate
from tradelift.exhibits.gravity import Model
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.labels import direction_label
from tradelift.exhibits.shown import Column, CurveFigure, DataTable, Value
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    direction_names,
    direction_words,
    effect_values,
    model_label,
)
from tradelift.exhibits.spatial_curves import MARKED, point, range_of
from tradelift.panel import Panel
from tradelift.study import Study

KINDS = {True: "flows", False: "ratios"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """
    Estimates by bandwidth, of each model and direction.

    Parameters
    ----------
    study, panel
        What was estimated on.
    found
        By model and direction, estimates by bandwidth in km; none is empty.
    """

    study: Study
    panel: Panel
    found: Mapping[tuple[Model, str], Mapping[float, Estimate]]

    def name(self, model: Model) -> str:
        """Name a model in words."""
        return model_label(self.study, self.panel, model)


def outcome_figures(curves: Curves) -> Iterator[CurveFigure]:
    """One figure of outcomes in percent, and one of those in units of their own."""
    for kind in KINDS:
        own = {key: c for key, c in curves.found.items() if is_log(next(iter(c.values()))) == kind}
        if own:
            yield _figure(curves, own, is_percent=kind)


def _figure(
    curves: Curves, own: Mapping[tuple[Model, str], Mapping[float, Estimate]], *, is_percent: bool
) -> CurveFigure:
    points = tuple(
        point(curves.name(model), direction, km, estimate)
        for (model, direction), curve in own.items()
        for km, estimate in curve.items()
    )
    said = "; ".join(
        f"{curves.name(model)}, {direction_label(curves.panel, d)}: {range_of(curve)}"
        for (model, d), curve in own.items()
    )
    unit = "Percent" if is_percent else "Units of the outcome"
    return CurveFigure(
        name=f"bandwidth_{KINDS[is_percent]}",
        title=f"Other {'flows' if is_percent else 'outcomes'}: partners against near pairs, by bandwidth",
        description=f"Estimates with 95% intervals over bandwidths, without distance terms. {said}.",
        x_axis="Bandwidth, km",
        y_axis=f"Difference{' in percent' if is_percent else ''}",
        points=points,
        mark=curves.study.model.bandwidth_km,
        choice="Bandwidth",
        unit="km",
        words=direction_words(curves.panel),
        notes=(f"{unit}, with 95% intervals. {MARKED}",),
    )


def outcome_table(curves: Curves) -> DataTable:
    """One row a bandwidth; a panel a model and direction."""
    rows: list[tuple[Value, ...]] = []
    names: dict[str, str] = {}
    for (model, direction), curve in curves.found.items():
        names[model.outcome] = curves.name(model).removesuffix(f", {model.estimator}")
        for km, estimate in curve.items():
            about = estimate.diagnostics.identification
            support = (None, None) if about is None else (about.groups, about.effective_partners)
            rows.append((model.outcome, model.estimator, direction, km, *effect_values(estimate), *support))
    return DataTable(
        name="bandwidth_outcomes",
        title="Spatial RD by bandwidth: other outcomes",
        columns=(
            Column(name="outcome", label="", words=names),
            Column(name="estimator", label=""),
            Column(name="direction", label="", words=direction_names(curves.panel)),
            Column(name="bandwidth_km", label="km", kind="number", digits=0),
            *EFFECT_COLUMNS,
            Column(name="groups", label="Groups", kind="count"),
            Column(name="effective_partners", label="Effective", kind="number", digits=1),
        ),
        rows=tuple(rows),
        label="bandwidth_km",
        group=("outcome", "estimator", "direction"),
        notes=("Without distance terms. Groups and effective partner pairs as in the table above.",),
        fold=len(next(iter(curves.found.values()))) if len(curves.found) > 1 else None,
    )


def outcome_sentences(curves: Curves) -> Iterator[str]:
    """The range of each other model over bandwidths, by direction."""
    for model in dict.fromkeys(model for model, _ in curves.found):
        said = [
            f"{direction_label(curves.panel, d)} {range_of(curve)}"
            for (own, d), curve in curves.found.items()
            if own == model
        ]
        yield f"{curves.name(model)}, over the same bandwidths without a distance term: {'; '.join(said)}."
