"""Several effects of one estimate at once: p-values that allow for how many are tested, and how they move together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.inference.multiple import benjamini_hochberg, step_down

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]

DRAWS = 9_999


def simultaneous(
    estimate: Estimate, terms: Sequence[str] | None = None, *, draws: int = DRAWS, seed: int = 1
) -> "pd.DataFrame":
    """
    Adjust p-values of the effects of an estimate for that several are tested.

    The step-down of Romano and Wolf, with statistics drawn from the t distribution that the estimate's own covariance
    gives them where all effects are 0.

    Parameters
    ----------
    estimate
        With a joint covariance: from `joint`, or a design with `by`.
    terms
        The hypotheses; None for the treatment's terms.
    draws, seed
        Of the t distribution.

    Returns
    -------
    term, p_value, step_down (the chance that any of those that look smaller would look as large if there were no
    effect) and false_discovery (Benjamini and Hochberg); NaN where an error is not known, which counts nowhere.

    Raises
    ------
    DesignError
        If there is no such term.

    References
    ----------
    Romano and Wolf (2005), Econometrica 73, 1237-1282.
    Hothorn, Bretz and Westfall (2008), Biometrical Journal 50, 346-363.
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.
    """
    import pandas as pd

    names = list(estimate.treatment if terms is None else terms)
    unknown = [name for name in names if name not in estimate.terms]
    if unknown or not names:
        msg = f"The estimate has no term '{(unknown or ['?'])[0]}'; it has {', '.join(estimate.terms) or 'none'}."
        raise DesignError(msg)
    tidy = estimate.tidy().set_index("term").loc[names]
    statistic = np.abs(tidy["statistic"].to_numpy())
    at = np.array([estimate.terms.index(name) for name in names])
    known = np.flatnonzero(np.isfinite(statistic))
    adjusted, discovered = np.full(len(names), np.nan), np.full(len(names), np.nan)
    if len(known):
        own = estimate.covariance[np.ix_(at[known], at[known])]
        null = np.abs(_draw(own, estimate.dof, draws, np.random.default_rng(seed)))
        adjusted[known] = step_down(statistic[known], null)
        discovered[known] = benjamini_hochberg(tidy["p_value"].to_numpy()[known])
    return pd.DataFrame(
        {"term": names, "p_value": tidy["p_value"].to_numpy(), "step_down": adjusted, "false_discovery": discovered}
    )


def _draw(covariance: Floats, dof: float, draws: int, rng: np.random.Generator) -> Floats:
    """Statistics of effects that are all 0, shape (H, B); eigenvalues below 0 count as 0."""
    error = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(error, error)
    values, vectors = np.linalg.eigh((np.nan_to_num(correlation) + np.nan_to_num(correlation).T) / 2)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    root /= np.sqrt((root**2).sum(axis=1, keepdims=True))  # clipping makes variances larger than 1
    normal = root @ rng.standard_normal((len(error), draws))
    return np.asarray(normal / np.sqrt(rng.chisquare(dof, draws) / dof))
