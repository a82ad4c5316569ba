"""What the exhibits of spatial RD share: the design that a study means, its effects in words, and rows of tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tradelift.designs import Correlogram, Finding, GroupInfluence, SpatialRD
from tradelift.diagnostics import Identification
from tradelift.estimate import Estimate
from tradelift.exhibits.gravity import PPML, Model
from tradelift.exhibits.headline import is_log, numbers
from tradelift.exhibits.labels import direction_label, label, panel_title, plain, signed
from tradelift.exhibits.shown import Column, Interval, Value
from tradelift.exhibits.size import Size
from tradelift.panel import Panel
from tradelift.study import Study

NEEDS = frozenset({"partners", "coordinates"})
WIDER_KM = 250.0
WIDER = {"d": "|d|", "d2": "d\N{SUPERSCRIPT TWO}"}
"""Terms in the distance from the partner pair, which stand beside the default within the wider bandwidth."""

ROUNDING = 1e-9  # of a coefficient: errors below it are what floats leave


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """
    Spatial RD and what stands beside it, by model and direction.

    Parameters
    ----------
    panel, study, models
        What was estimated on; the models of which there is an estimate.
    lead
        The model that leads.
    main, gravity, everywhere
        Spatial RD; gravity on the same flows; gravity on all pairs.
    wider
        By distance term: spatial RD within the wider bandwidth.
    single
        By direction: the leading model without single groups.
    residuals
        Of pairs that are not partners; None where they could not be looked at.
    """

    panel: Panel
    study: Study
    models: tuple[Model, ...]
    lead: Model
    main: Mapping[tuple[Model, str], Estimate]
    gravity: Mapping[tuple[Model, str], Estimate]
    everywhere: Mapping[tuple[Model, str], Estimate]
    wider: Mapping[str, Mapping[tuple[Model, str], Estimate]]
    single: Mapping[str, GroupInfluence]
    residuals: Correlogram | None

    def of(self, estimates: Mapping[tuple[Model, str], Estimate], model: Model | None = None) -> dict[str, Estimate]:
        """Estimates of a model (the leading one) by direction."""
        wanted = self.lead if model is None else model
        return {d: estimates[wanted, d] for d in self.panel.directions if (wanted, d) in estimates}


def rd_design(study: Study, model: Model, direction: str, **options: Any) -> SpatialRD:
    """
    Make the design that a study means.

    Parameters
    ----------
    study
        Its controls and bandwidth.
    model
        Outcome and estimator.
    direction
        Of the panel.
    options
        Of `SpatialRD`, in place of the study's or the default.
    """
    usual = {
        "outcome": model.outcome,
        "family": "poisson" if model.estimator == PPML else "gaussian",
        "controls": study.model.controls,
        "bandwidth_km": study.model.bandwidth_km,
        "direction": direction,
    }
    return SpatialRD(**(usual | options))


def leading(found: Sequence[Model]) -> Model | None:
    """The model that checks vary: OLS on the log of the first flow, else the first model; None without any."""
    logs = [m for m in found if m.outcome.startswith("log(")]
    return next(iter(logs or found), None)


def leading_flow(found: Sequence[Model]) -> tuple[Model, ...]:
    """Every model of the leading one's column, itself first: OLS on logs, and PPML beside it."""
    lead = leading(found)
    return () if lead is None else (lead, *(m for m in found if m.column == lead.column and m != lead))


def estimates_of(results: Mapping[str, Finding]) -> dict[str, Estimate]:
    """The findings that are estimates with a treatment."""
    return {key: x for key, x in results.items() if isinstance(x, Estimate) and x.treatment}


def size_of(estimate: Estimate) -> Size:
    """Take the effect of an estimate under its own errors."""
    return size_in(numbers(estimate, estimate.treatment[0]), in_logs=is_log(estimate))


def size_in(row: Mapping[str, float], *, in_logs: bool) -> Size:
    """
    Take an effect from its row.

    Parameters
    ----------
    row
        With estimate, std_error, conf_low and conf_high, as in `Estimate.tidy` and in estimates.csv.
    in_logs
        Whether it is a difference in logs, which is said in percent.
    """
    ends = np.array([row["estimate"], row["conf_low"], row["conf_high"]])
    with np.errstate(over="ignore"):  # an effect beyond the largest float is infinite
        value, low, high = (100 * np.expm1(ends) if in_logs else ends).tolist()
    if not np.isfinite(high - low) or _fits_whole(row):
        low = high = np.nan
    return Size(value=value, low=low, high=high, unit="%" if in_logs else "")


def _fits_whole(row: Mapping[str, float]) -> bool:
    """Whether an error is no more than rounding, or NaN: the equation fits every flow, and the error is not known."""
    return not row["std_error"] > ROUNDING * max(abs(row["estimate"]), 1.0)  # nor is one known that is NaN


def by_direction(panel: Panel, found: Mapping[str, Estimate]) -> str:
    """Say the effect of each direction: "both directions +4.8% (95% interval 1.0 to 8.7); ..."."""
    return "; ".join(f"{direction_label(panel, d)} {size_of(e)}" for d, e in found.items())


def interval(row: str, series: str, estimate: Estimate) -> Interval:
    """An estimate as a line of a figure."""
    size = size_of(estimate)
    low, high = (size.low, size.high) if size.is_known else (None, None)
    return Interval(row=row, series=series, value=size.value, low=low, high=high)


def spoken(line: Interval) -> str:
    """Say a line of a figure for those who do not see it."""
    span = "error not known" if line.low is None or line.high is None else f"{plain(line.low)} to {plain(line.high)}"
    return f"{signed(line.value)} ({span})"


def model_label(study: Study, panel: Panel, model: Model) -> str:
    """Name a model: "ln(Trade), OLS"."""
    return f"{label(study, panel, model.outcome, short=True)}, {model.estimator}"


def what_identifies(about: Identification) -> str:
    """Say what identifies an estimate, in a sentence."""
    return (
        f"{about.variance_left:.0%} of the treatment's variation is left after the effects; {about.contributing:,} of "
        f"{about.groups:,} groups contribute, with {plain(about.controls)} near controls each, and partner pairs count "
        f"as {plain(about.effective_partners)} of equal weight"
    )


def lost(counts: Mapping[str, int]) -> str:
    """Say what was lost, by reason; "none" where nothing was."""
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items() if count) or "none"


def direction_words(panel: Panel) -> dict[str, str]:
    """Directions as titles of panels, for the `words` of columns and figures."""
    return {d: panel_title(panel, d) for d in panel.directions}


def direction_names(panel: Panel) -> dict[str, str]:
    """Directions inside the title of a panel, for the `words` of columns."""
    return {d: direction_label(panel, d) for d in panel.directions}


EFFECT_COLUMNS = (
    Column(name="estimate", label="Estimate", kind="number", digits=3),
    Column(name="std_error", label="Std. error", kind="number", digits=3),
    Column(name="conf_low", label="95% from", kind="number", digits=3),
    Column(name="conf_high", label="to", kind="number", digits=3),
    Column(name="percent", label="Percent", kind="number", digits=1),
    Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
)
"""Columns of a table with one estimate a row; `effect_values` fills them."""


def effect_values(estimate: Estimate | None) -> tuple[Value, ...]:
    """Fill `EFFECT_COLUMNS`; blank where there is no estimate, percent only of differences in logs."""
    if estimate is None:
        return (None,) * len(EFFECT_COLUMNS)
    row = numbers(estimate, estimate.treatment[0])
    size = size_of(estimate)
    percent = size.value if is_log(estimate) else None
    if _fits_whole(row):
        return (row["estimate"], None, None, None, percent, None)
    return (row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], percent, row["p_value"])
