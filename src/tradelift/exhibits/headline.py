"""The answer that an estimate gives, in words: a number, its widest interval, and no word of cause."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tradelift.designs import Finding, Gravity, SpatialRD, records
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.shown import Fact, Headline
from tradelift.inference import Randomized
from tradelift.panel import Panel
from tradelift.study import Study

if TYPE_CHECKING:
    import pandas as pd

DISTANCE = "log(distance_km)"
CAUTIOUS = ("dyadic", "province")  # the interval is the widest of these and of randomization
RANDOMIZATION = "randomization"
LAST_RESORT = "pair"  # has a positive variance where the others may not: then it stands in
ASSOCIATION = "It is an association."
NO_CAUSE = "Gravity does not say why: it is an association, and partners were not drawn by lot."


def main_term(estimate: Estimate) -> str | None:
    """The treatment, else distance, else the first control."""
    for term in (*estimate.treatment, DISTANCE, *estimate.terms):
        if term in estimate.terms:
            return term
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """
    A number of the headline with its interval.

    Parameters
    ----------
    value, low, high
        In percent where the coefficient is a difference in logs; ends infinite where randomization rejects no effect
        on that side, NaN where they are not known.
    errors
        What the interval stands on: a scheme, or "randomization".
    beside
        Where randomization sets no bound: the interval that does.
    """

    value: float
    low: float
    high: float
    errors: str
    beside: "Effect | None" = None

    @property
    def width(self) -> float:
        """Length of the interval."""
        return self.high - self.low

    @property
    def is_known(self) -> bool:
        """Whether there is an interval, be it without bounds."""
        return not np.isnan(self.width)

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return not self.low <= 0 <= self.high


def under(estimate: Estimate, scheme: str) -> Estimate | None:
    """Give an estimate another covariance; None where the data do not allow it (no provinces, say)."""
    try:
        return estimate.with_vcov(scheme)
    except DesignError:
        return None


def cautious(estimate: Estimate, randomized: Randomized | None = None) -> Effect:
    """
    Take the widest of the dyadic, province and randomization intervals of the main term.

    For errors that are not known errors by pair stand in. An interval without bounds is the widest, and has beside it
    the widest that has bounds.

    Parameters
    ----------
    estimate
        With a treatment: percent; without: the coefficient itself, an elasticity for log distance.
    randomized
        The same design randomized, where it could be.
    """
    found = [effect for scheme in CAUTIOUS if (effect := _effect(estimate, scheme)) is not None]
    if not all(effect.is_known for effect in found):
        found += [effect for effect in [_effect(estimate, LAST_RESORT)] if effect is not None]
    known = [effect for effect in found if effect.is_known]
    widest = max(known, key=lambda e: e.width) if known else found[0]
    drawn = None if randomized is None else _drawn(estimate, widest.value, randomized)
    if drawn is None or not drawn.is_known:
        return widest
    if np.isinf(drawn.width):
        return replace(drawn, beside=widest if widest.is_known else None)
    return drawn if not widest.is_known or drawn.width > widest.width else widest


def _effect(estimate: Estimate, scheme: str) -> Effect | None:
    """The main term under a scheme; None where the data do not allow it."""
    variant = under(estimate, scheme)
    if variant is None:
        return None
    term = str(main_term(variant))
    if term in variant.treatment and is_log(variant):
        row, value = numbers(variant.percent(), term), "percent"
    else:
        row, value = numbers(variant, term), "estimate"
    low, high = row["conf_low"], row["conf_high"]
    if not np.isfinite(high - low):
        low = high = np.nan
    return Effect(value=row[value], low=low, high=high, errors=variant.se_type)


def _drawn(estimate: Estimate, value: float, randomized: Randomized) -> Effect | None:
    """The main term by randomization; None where it is not what was drawn."""
    term = main_term(estimate)
    if term not in randomized.terms:
        return None
    low, high = map(float, randomized.intervals[randomized.terms.index(term)])
    if is_log(estimate):
        # without a lower bound in logs there is none in percent, though no flow falls by more than 100
        low, high = low if np.isinf(low) else percent(low), percent(high)
    return Effect(value=value, low=low, high=high, errors=RANDOMIZATION)


def percent(coefficient: float) -> float:
    """A difference in logs as 100 (exp(b) - 1); beyond the largest float infinite."""
    with np.errstate(over="ignore"):
        return float(100 * np.expm1(coefficient))


def numbers(about: "Finding | pd.DataFrame", term: str) -> dict[str, float]:
    """Take the numbers of one term from an estimate, or from a tidy frame."""
    import pandas as pd

    rows = about.to_dict("records") if isinstance(about, pd.DataFrame) else records(about)
    row = rows[[row["term"] for row in rows].index(term)]
    return {str(name): float(value) for name, value in row.items() if name != "term"}


def is_log(about: Estimate | Gravity | SpatialRD) -> bool:
    """Whether a coefficient of an estimate, or of a design, is a difference in logs."""
    return about.family == "poisson" or about.outcome.startswith("log(")


def association(
    study: Study, panel: Panel, leading: Mapping[str, Estimate], randomized: Mapping[str, Randomized]
) -> Headline:
    """
    Say what gravity finds: how much more partners trade, or the distance elasticity, by direction.

    Parameters
    ----------
    study, panel
        Names of columns and directions.
    leading
        Direction to its estimate, all of one model; the first leads.
    randomized
        Direction to the same design randomized, where it could be.
    """
    first = next(iter(leading.values()))
    effects = {d: cautious(e, randomized.get(d)) for d, e in leading.items()}
    term = str(main_term(first))
    if term in first.treatment and is_log(first):
        answer, beside, condition = _partners(panel, first, effects)
        digits, unit, what = 1, "%", ""
    else:
        name = label(study, panel, term)
        answer, beside, condition = _elasticity(name, term, first, effects), "", ASSOCIATION
        digits, unit, what = 2, "", f"{name}, "
    facts = [
        Fact(
            value=f"{signed(e.value, digits)}{unit}", label=f"{what}{direction_label(panel, d)}, {_interval(e, digits)}"
        )
        for d, e in effects.items()
    ]
    return Headline(
        answer=answer,
        beside=beside,
        condition=condition,
        facts=(*facts, Fact(value=f"{first.n_obs:,}", label=_size(first))),
    )


def _partners(panel: Panel, first: Estimate, effects: Mapping[str, Effect]) -> tuple[str, str, str]:
    """Partners trade so much more or less; the same by direction; no word of cause."""
    what = "have" if first.outcome.startswith("deals") else "trade"
    unit = " deals" if what == "have" else ""
    given = "what each region exports and imports in a period"
    if DISTANCE in first.terms:
        given = f"distance and {given}"
    main = next(iter(effects.values()))
    text = (
        f"Partner pairs {what} {plain(abs(main.value))}% {'more' if main.value >= 0 else 'fewer' if unit else 'less'}"
        f"{unit} than {given} lead one to expect ({_interval(main)})."
    )
    others = [f"{direction_label(panel, d)} {signed(e.value)}% ({_span(e)})" for d, e in effects.items() if d != "both"]
    return text, f"By direction: {', '.join(others)}." if others else "", NO_CAUSE


def _elasticity(name: str, term: str, first: Estimate, effects: Mapping[str, Effect]) -> str:
    """What a coefficient that is no treatment says: for distance, an elasticity."""
    main = next(iter(effects.values()))
    if term == DISTANCE and is_log(first):
        return (
            f"The distance elasticity of {first.outcome.removeprefix('log(').removesuffix(')')} is "
            f"{signed(main.value, 2)} ({_interval(main, 2)}): over a distance that is 1% longer, flows are "
            f"{plain(abs(main.value), 2)}% {'smaller' if main.value < 0 else 'larger'}, given what each region exports "
            f"and imports in a period."
        )
    return f"{name}: {signed(main.value, 2)} ({_interval(main, 2)})."


def _interval(effect: Effect, digits: int = 1) -> str:
    if not effect.is_known:
        return "its error is not known"
    clear = "" if effect.is_clear else ", not distinguishable from 0"
    if np.isfinite(effect.width):
        return f"95% interval {_span(effect, digits)} {by(effect)}{clear}"
    other = "" if effect.beside is None else f"; 95% interval {_span(effect.beside, digits)} {by(effect.beside)}"
    if np.isinf(effect.low) and np.isinf(effect.high):
        return f"{effect.errors} does not bound it and does not tell it from 0{other}"
    side = "below" if np.isinf(effect.low) else "above"
    return f"95% interval {_span(effect, digits)}{clear}: {effect.errors} does not bound it {side}{other}"


def by(effect: Effect) -> str:
    """Say what an interval stands on."""
    return f"by {effect.errors}" if effect.errors == RANDOMIZATION else f"by {effect.errors} errors"


def _size(estimate: Estimate) -> str:
    return f"observations of {estimate.n_pairs:,} directed pairs"


def _span(effect: Effect, digits: int = 1) -> str:
    if not effect.is_known:
        return "error not known"
    if np.isinf(effect.width):
        low, high = (None if np.isinf(end) else plain(end, digits) for end in (effect.low, effect.high))
        return f"from {low} upward" if low else f"up to {high}" if high else "not bounded"
    return f"{plain(effect.low, digits)} to {plain(effect.high, digits)}"
