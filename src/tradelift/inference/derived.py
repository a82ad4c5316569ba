"""Numbers made of the coefficients of an estimate, with the covariance that those have: the delta method by pair."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tradelift.covariance import covariance
from tradelift.estimate import LEVEL, Estimate

Floats = NDArray[Any]


def derive(estimate: Estimate, terms: Sequence[str], values: Floats, gradient: Floats) -> Estimate:
    """
    Make an estimate of functions of the coefficients of another.

    Each directed pair moves a function by what it moves the coefficients times the gradient, so that every scheme that
    is made of the scores of pairs serves as before.

    Parameters
    ----------
    estimate
        With an influence by pair and a named scheme.
    terms
        Names of the functions, K of them.
    values
        Of the functions at the coefficients, shape (K,).
    gradient
        Shape (K, J), J the coefficients of the estimate.
    """
    unknown = np.full((len(terms), len(terms)), np.nan)
    own = estimate.influence
    influence = replace(
        own, pairs=own.pairs @ gradient.T, robust=unknown, iid=unknown, deleted=None, corrected=None,
        left_out=None if own.left_out is None else own.left_out @ gradient.T,
    )  # fmt: skip
    blank = replace(
        estimate,
        terms=tuple(terms),
        coefficients=np.asarray(values, dtype=np.float64),
        covariance=unknown,
        influence=influence,
        treatment=tuple(term for term in estimate.treatment if term in terms),
    )
    found = covariance(influence, estimate.se_type, estimate.correction)
    return blank.under(found, estimate.se_type, estimate.correction)


def ratio_interval(part: float, whole: float, matrix: Floats, dof: float) -> tuple[float, float]:
    """
    Give the ratio of two numbers its 95% interval by Fieller: the ratios r for which part - r whole may be 0.

    Parameters
    ----------
    part, whole
        The numbers.
    matrix
        Their covariance, shape (2, 2).
    dof
        Of the t distribution.

    Returns
    -------
    Its ends; infinite both where the whole is not told from 0, for then data allow for any ratio on some side, and NaN
    where the covariance is not known.

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
    """
    if not np.isfinite(matrix).all():
        return np.nan, np.nan
    q = float(stdtrit(dof, (1 + LEVEL) / 2)) ** 2
    a = whole**2 - q * matrix[1, 1]
    b = part * whole - q * matrix[0, 1]
    c = part**2 - q * matrix[0, 0]
    if a <= 0:
        return -np.inf, np.inf
    root = np.sqrt(max(b**2 - a * c, 0.0))
    return float((b - root) / a), float((b + root) / a)
