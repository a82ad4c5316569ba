"""How far a Poisson fit is from the data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


def poisson_deviance(outcome: Floats, fitted: Floats, weights: Floats) -> float:
    """
    Poisson deviance; where the weight is 0, outcome and fitted values do not matter.

    Parameters
    ----------
    outcome, fitted, weights
        Of one shape; outcomes not negative.
    """
    ratio = np.divide(outcome, fitted, out=np.ones_like(fitted), where=(outcome > 0) & (weights > 0))
    terms = outcome * np.log(ratio) - (outcome - fitted)
    return float(2 * np.where(weights > 0, weights * terms, 0.0).sum())


def mean_outcome(outcome: Floats, weights: Floats) -> float:
    """Weighted mean of the outcome; NaN where nothing has weight."""
    mass = float(weights.sum())
    return float((weights * outcome).sum()) / mass if mass else np.nan


def null_deviance(outcome: Floats, weights: Floats, family: str) -> float:
    """Deviance of a constant alone: a sum of squares for "gaussian"."""
    mean = mean_outcome(outcome, weights) if weights.any() else 0.0
    if family == "poisson":
        return poisson_deviance(outcome, np.full(outcome.shape, mean), weights) if mean else 0.0
    return float((weights * (outcome - mean) ** 2).sum())
