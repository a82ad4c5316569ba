"""From null draws to p-values, and to the effects that the draws do not reject."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError

Floats = NDArray[Any]

SIZE = 0.05  # of the test that the interval inverts
TIE = 1e-9  # relative: a draw smaller by less is as large, for rounding alone parts equal programmes
SETTLED = 1e-6  # of half the interval
MAX_STEPS = 40
DAMPED = 10  # steps after which they are halved
STRETCH = 2.0  # by which the secant may lengthen or shorten a step


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Null:
    """
    Coefficients under one hypothetical effect, less that effect, and how they go on from there.

    Parameters
    ----------
    observed
        Of the programme as it is.
    draws
        Of the relabelled programmes, shape (B,); NaN where not defined.
    slopes
        By how much they fall as the effect rises by 1, shape (B,); the observed one falls by 1.
    observed_error, errors
        Standard errors, a number and shape (B,), NaN where not known; None where the statistic is the coefficient.
    """

    observed: float
    draws: Floats
    slopes: Floats
    observed_error: float | None = None
    errors: Floats | None = None

    @property
    def statistic(self) -> float:
        """Of the programme as it is: its coefficient, or that over its standard error."""
        return self.observed if self.observed_error is None else self.observed / self.observed_error

    @property
    def statistics(self) -> Floats:
        """Of the relabelled programmes, shape (B,)."""
        return self.draws if self.errors is None else self.draws / self.errors


def p_value(null: Null) -> float:
    """
    Share of programmes whose statistic is at least as large, the programme as it is among them.

    Draws without a statistic count as larger: so they never make an effect look surer.
    """
    if np.isnan(null.statistic):
        return float("nan")
    larger = ~(np.abs(null.statistics) < (1 - TIE) * abs(null.statistic))
    return float((1 + larger.sum()) / (1 + len(null.draws)))


def invert(evaluate: Callable[[float], Null], estimate: float) -> tuple[float, float]:
    """
    Find the smallest interval that holds every effect whose p-value is above .05.

    Each draw's statistic is taken as linear in the effect, which settles the ends at once where it is, and else leads
    to them in steps.

    Parameters
    ----------
    evaluate
        Statistics under a hypothetical effect.
    estimate
        The effect that is not rejected, where the search starts.

    Returns
    -------
    Its ends, infinite where no effect on that side is rejected; NaN where the observed statistic is.

    Raises
    ------
    ConvergenceError
        If the ends do not settle.
    """
    start = evaluate(estimate)
    if np.isnan(start.statistic):
        return float("nan"), float("nan")
    return _end(evaluate, estimate, start, upper=False), _end(evaluate, estimate, start, upper=True)


def _end(evaluate: Callable[[float], Null], estimate: float, null: Null, *, upper: bool) -> float:
    effect, taken, before = estimate, 0.0, np.nan
    for step in range(MAX_STEPS):
        move = _reach(null, upper=upper)
        if np.isinf(move):
            return move
        if step and abs(move) <= SETTLED * abs(effect + move - estimate):
            return effect + move
        # the secant's step, where it is near what the line says; moves alone go to and fro, ever smaller
        secant = taken / (before - move) if step and before != move else 1.0
        taken, before = move * (secant if 1 / STRETCH < secant < STRETCH else 1.0), move
        taken = taken if step < DAMPED else move / 2
        effect += taken
        null = evaluate(effect)
    msg = (
        f"The {'upper' if upper else 'lower'} end of the randomization interval did not settle near {effect:.4g} after "
        f"{MAX_STEPS} steps. Use interval=False, or studentized={null.errors is None}."
    )
    raise ConvergenceError(msg)


def _reach(null: Null, *, upper: bool) -> float:
    """
    How far the effect may move until it is rejected for good.

    A draw counts where |draw - slope x| / error >= (1 - TIE) |observed - x| / observed error: between the two roots, or
    outside them where it is the steeper of the two.
    """
    sign = 1.0 if upper else -1.0
    known = ~np.isnan(null.statistics) & ~np.isnan(null.slopes)
    needed = int(np.floor(SIZE * (1 + len(known)) + TIE)) - int((~known).sum())
    if needed <= 0:
        return sign * np.inf
    draw, slope = sign * null.draws[known], null.slopes[known]
    if null.errors is not None and null.observed_error is not None:
        ratio = null.observed_error / null.errors[known]
        draw, slope = draw * ratio, slope * ratio
    observed, tau = sign * null.observed, 1 - TIE
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([(draw - tau * observed) / (slope - tau), (draw + tau * observed) / (slope + tau)])
    low, high = np.fmin(*roots), np.fmax(*roots)
    inside = np.abs(slope) < tau
    # where a draw starts and ceases to count, from far below to far above
    place = np.concatenate([low, high])
    change = np.concatenate([np.where(inside, 1, -1), np.where(inside, -1, 1)])
    order = np.lexsort((-change, place))
    place, change = place[order], change[order]
    count = int((~inside).sum()) + np.cumsum(change)
    if count[-1] >= needed:
        return sign * np.inf
    ends = (change < 0) & (count + 1 >= needed)
    return sign * float(place[ends].max())
