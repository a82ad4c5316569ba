"""Whether effects are equal, or 0, together: by F, or by the largest t where F would reject far too often."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.estimate import Estimate
from tradelift.inference.derived import derive

ENOUGH = 10  # degrees of freedom a restriction, below which F rejects what is true far too often


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTest:
    """
    A test of several effects.

    Parameters
    ----------
    test
        "F", or "largest t".
    statistic
        F, or the largest absolute t.
    restrictions
        Those of F, or how many values of t there are.
    p_value
        NaN where no error is known.
    """

    test: Literal["F", "largest t"]
    statistic: float
    restrictions: int
    p_value: float


def joint_test(estimate: Estimate, terms: Sequence[str] | None = None, *, equal: bool = True) -> JointTest:
    """
    Test that effects are all equal, or all 0.

    With few degrees of freedom a restriction, F asks of the clusters more than they can tell: with 59 restrictions and
    80 clusters it rejects nearly always what is true. Then the largest t counts, of each effect or of each less the
    mean of all, and Bonferroni's inequality allows for how many there are.

    Parameters
    ----------
    estimate
        With the joint covariance of its terms, by a scheme that is made of pairs.
    terms
        Names; None for the treatment's.
    equal
        Test that they are equal; else that they are 0.

    Raises
    ------
    DesignError
        If a term is unknown, or fewer than two are to be equal.

    References
    ----------
    Pustejovsky and Tipton (2018), Journal of Business and Economic Statistics 36, 672-683, on F with few clusters.
    """
    names = tuple(estimate.treatment if terms is None else terms)
    found = estimate.wald(names, equal=equal)  # refuses what is no test, too
    restrictions = len(names) - equal
    if restrictions <= 1 or estimate.dof >= ENOUGH * restrictions:
        return JointTest(test="F", statistic=found.statistic, restrictions=found.restrictions, p_value=found.p_value)
    share = 1.0 / len(names) if equal else 0.0
    contrasts = [[float(term == name) - share * (term in names) for term in estimate.terms] for name in names]
    return _largest(estimate, np.array(contrasts))


def _largest(estimate: Estimate, contrasts: NDArray[np.float64]) -> JointTest:
    """The largest t of sums that should be 0, each under errors of its own, and Bonferroni's p-value."""
    sums = [f"{n}" for n in range(len(contrasts))]
    tidy = derive(estimate, sums, contrasts @ estimate.coefficients, contrasts).tidy()
    found = tidy[np.isfinite(tidy["statistic"])]
    if not len(found):
        return JointTest(test="largest t", statistic=np.nan, restrictions=0, p_value=np.nan)
    return JointTest(
        test="largest t",
        statistic=float(found["statistic"].abs().max()),
        restrictions=len(found),
        p_value=min(1.0, len(found) * float(found["p_value"].min())),
    )
