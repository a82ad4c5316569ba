"""Tables of spatial RD: the estimates, gravity and wider bandwidths beside them, and what identifies them."""

from collections.abc import Iterator

import numpy as np

from tradelift.estimate import NO_PARTNER, Estimate
from tradelift.exhibits.about import fixest_lines
from tradelift.exhibits.gravity import RATIOS, Model
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.labels import effect_label, label, panel_title
from tradelift.exhibits.shown import Column, DataTable, Head, RegressionTable, Value
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    WIDER,
    WIDER_KM,
    Compared,
    direction_words,
    effect_values,
    lost,
    model_label,
)

SAME_FLOWS = (
    "Same flows: the flows that spatial RD uses, each once, without groups and weights, with the effects of either "
    "region by period."
)


def main_table(found: Compared) -> RegressionTable:
    """Every model of spatial RD, one a column."""
    study, panel = found.study, found.panel
    panels = {d: tuple(found.main.get((m, d)) for m in found.models) for d in panel.directions}
    every = list(found.main.values())
    terms = dict.fromkeys(t for e in every for t in (*e.treatment, *e.terms))
    effects = dict.fromkeys(x for e in every for x in e.effects)
    return RegressionTable(
        name="spatial_rd",
        title="Spatial RD: partner pairs beside near pairs",
        heads=tuple(Head(outcome=label(study, panel, m.outcome, short=True), family=m.estimator) for m in found.models),
        panels={d: row for d, row in panels.items() if any(row)},
        labels={t: label(study, panel, t) for t in terms}
        | {x: effect_label(x) for x in effects}
        | {d: panel_title(panel, d) for d in panel.directions},
        percent=frozenset(t for e in every for t in e.treatment),
        notes=tuple(_notes(every)),
    )


def _notes(estimates: list[Estimate]) -> Iterator[str]:
    first = estimates[0]
    yield f"Sample: {first.sample}. A group is a partner pair with its near controls; a pair may stand in several."
    yield (
        "Triangular: weights fall evenly from 1 beside the partner to 0 at the bandwidth. Neighbours both: a control "
        "differs from the partner pair in its first or in its second region, corners: also in both."
    )
    errors = ", ".join(dict.fromkeys(e.se_type for e in estimates))
    yield f"Standard errors ({errors}, corrected for degrees of freedom) in parentheses, 95% intervals in brackets."
    if any(is_log(e) for e in estimates):
        yield "Percent: 100 (exp(b) - 1)."
    if any(e.outcome.startswith(RATIOS) for e in estimates):
        yield "Concentration ratios are in percentage points."
    if any(np.isnan(e.std_errors).any() for e in estimates):
        yield "n/a: the variance is not positive, and no error can be given."
    if any(e.exclusions.get(NO_PARTNER) for e in estimates):
        yield "No partner: controls in a period in which their partner pair has no value, and takes its group with it."
    yield f"In fixest, on the rows of the stack with their weights: {'; '.join(fixest_lines(estimates))}."
    omitted = dict.fromkeys(f"{t} in {e.outcome}, {e.direction}" for e in estimates for t in e.diagnostics.omitted)
    if omitted:
        yield f"Left out for want of variation: {'; '.join(omitted)}."
    yield from dict.fromkeys(note for e in estimates for note in e.diagnostics.notes)


def beside_table(found: Compared) -> DataTable:
    """Spatial RD, the same flows by gravity, and for the first flow wider bandwidths and gravity on all pairs."""
    study, panel = found.study, found.panel
    km = study.model.bandwidth_km
    kinds = {"rd": f"spatial RD, {km:g} km"}
    kinds |= {f"rd_{t}": f"spatial RD, {WIDER_KM:g} km, {word}" for t, word in WIDER.items()}
    kinds |= {"gravity": "gravity, same flows", "gravity_all": "gravity, all pairs"}
    by_kind = {"rd": found.main} | {f"rd_{t}": found.wider[t] for t in WIDER}
    by_kind |= {"gravity": found.gravity, "gravity_all": found.everywhere}
    rows: list[tuple[Value, ...]] = [
        (d, m.outcome, m.estimator, kind, *effect_values(e), e.se_type, e.n_obs)
        for d in panel.directions
        for m in found.models
        for kind, of in by_kind.items()
        if (e := of.get((m, d))) is not None
    ]
    outcomes = {m.outcome: label(study, panel, m.outcome, short=True) for m in found.models}
    open_rows = sum(1 for row in rows if row[0] == rows[0][0] and row[1:3] in _first_flow(found))
    return DataTable(
        name="spatial_rd_beside",
        title="Spatial RD, and gravity beside it",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="outcome", label="Outcome", words=outcomes),
            Column(name="estimator", label="By"),
            Column(name="comparison", label="", words=kinds),
            *EFFECT_COLUMNS,
            Column(name="se_type", label="Errors"),
            Column(name="n_obs", label="Observations", kind="count"),
        ),
        rows=tuple(rows),
        label="comparison",
        group="direction",
        notes=(
            SAME_FLOWS,
            "|d|, d\N{SUPERSCRIPT TWO}: with a term in the distance from the partner pair, one slope a side.",
        ),
        fold=open_rows if open_rows < len(rows) else None,
    )


def _first_flow(found: Compared) -> set[tuple[str, str]]:
    return {(m.outcome, m.estimator) for m in found.models if m.column == found.lead.column}


def identification_table(found: Compared) -> DataTable:
    """What identifies each estimate of spatial RD."""
    study, panel = found.study, found.panel
    rows = tuple(_identified(found, m, d) for d in panel.directions for m in found.models if (m, d) in found.main)
    return DataTable(
        name="spatial_rd_identification",
        title="What identifies spatial RD",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="model", label="", words={_key(m): model_label(study, panel, m) for m in found.models}),
            Column(name="variance_left", label="Variance left, %", kind="number", digits=1),
            Column(name="groups", label="Groups", kind="count"),
            Column(name="contributing", label="Contribute", kind="count"),
            Column(name="lost_groups", label="Lost", kind="count"),
            Column(name="controls", label="Controls", kind="number", digits=1),
            Column(name="effective_partners", label="Effective", kind="number", digits=1),
            Column(name="partners", label="Partners", kind="count"),
            Column(name="no_partner", label="No partner", kind="count"),
        ),
        rows=tuple(row for row in rows if row is not None),
        label="model",
        group="direction",
        notes=tuple(_lost_notes(found)),
    )


def _key(model: Model) -> str:
    return f"{model.outcome}, {model.estimator}"


def _identified(found: Compared, model: Model, direction: str) -> tuple[Value, ...] | None:
    estimate = found.main[model, direction]
    about = estimate.diagnostics.identification
    if about is None:
        return None
    return (
        direction, _key(model), 100 * about.variance_left, about.groups, about.contributing,
        sum(about.lost_groups.values()), about.controls, about.effective_partners, len(about.partners),
        estimate.exclusions.get(NO_PARTNER, 0),
    )  # fmt: skip


def _lost_notes(found: Compared) -> Iterator[str]:
    """Why groups and near pairs are not there."""
    yield (
        "Variance left: the share of the treatment's variation that the effects leave. Groups contribute where the "
        "effects do not fit the partner pair whole; lost are partner pairs without one. Controls: near pairs a group. "
        "Effective: as many partner pairs of equal weight would say as much; they count by the square of what is left "
        "of their treatment. No partner: observations of controls that are lost with their partner pair."
    )
    for title, name in (("Partner pairs without a group", "lost_groups"), ("Near pairs left out", "lost_pairs")):
        said: dict[str, list[str]] = {}
        for (model, direction), estimate in found.main.items():
            if model == found.lead and estimate.diagnostics.identification is not None:
                text = lost(getattr(estimate.diagnostics.identification, name))
                said.setdefault(text, []).append(panel_title(found.panel, direction))
        if said:
            parts = [f"{text} ({', '.join(where)})" if len(said) > 1 else text for text, where in said.items()]
            yield f"{title}: {'; '.join(parts)}."
