"""No effect as a finding: equivalence tests, and the smallest effect that would have been seen."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from tradelift.errors import DesignError

SIZE = 0.05  # of each of the two one-sided tests, and of the two-sided test that should have seen an effect
POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """
    What an estimate says about effects that are too small to matter.

    Parameters
    ----------
    estimate, std_error
        Of the effect.
    low, high
        Its 90% interval: an effect is equivalent to none, at 5%, where this lies within the margin.
    bound
        The smallest margin within which the effect is equivalent to none, at 5%.
    detectable
        The smallest effect that a two-sided test at 5% finds four times in five.
    margin
        Effects below it do not matter, or None.
    p_value
        Of the hypothesis that the effect is as large as the margin, or larger; None without one.
    """

    estimate: float
    std_error: float
    low: float
    high: float
    bound: float
    detectable: float
    margin: float | None
    p_value: float | None


def equivalence(estimate: float, std_error: float, dof: float, margin: float | None = None) -> Equivalence:
    """
    Test that an effect is too small to matter, by two one-sided tests.

    Parameters
    ----------
    estimate, std_error, dof
        Of the effect; NaN errors give NaN.
    margin
        The smallest effect that matters, positive, in the units of the estimate.

    Raises
    ------
    DesignError
        If the margin is not positive.

    References
    ----------
    Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.
    Bloom (1995), Evaluation Review 19, 547-556, for the smallest detectable effect.

    Examples
    --------
    >>> found = equivalence(0.1, 0.2, 100, margin=1.0)
    >>> round(found.bound, 2), round(found.detectable, 2), found.p_value < 0.05
    (0.43, 0.57, True)
    """
    if margin is not None and not margin > 0:
        msg = f"The margin is the smallest effect that matters, so it is positive; found {margin}."
        raise DesignError(msg)
    half = float(stdtrit(dof, 1 - SIZE)) * std_error
    low, high = estimate - half, estimate + half
    p_value = None
    if margin is not None:
        p_value = float(max(stdtr(dof, (estimate - margin) / std_error), stdtr(dof, -(estimate + margin) / std_error)))
    return Equivalence(
        estimate=estimate,
        std_error=std_error,
        low=low,
        high=high,
        bound=float(np.maximum(np.abs(low), np.abs(high))),
        detectable=float(stdtrit(dof, 1 - SIZE / 2) + stdtrit(dof, POWER)) * std_error,
        margin=margin,
        p_value=p_value,
    )
