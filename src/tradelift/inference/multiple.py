"""Several hypotheses at once: step-down tests from the same draws, and the false discovery rate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tradelift.errors import DesignError
from tradelift.inference.inversion import TIE
from tradelift.inference.randomized import Randomized

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]


def romano_wolf(results: Sequence[Randomized]) -> "pd.DataFrame":
    """
    Adjust p-values for that several effects are tested, by the largest statistic of each draw.

    Effects on outcomes of different scale are made comparable by the root mean square of their statistics over the
    draws and the programme as it is.

    Parameters
    ----------
    results
        From `randomize` with the same programme, scheme, seed and number of draws, one an outcome, category or sample;
        every treatment term of each is a hypothesis.

    Returns
    -------
    outcome, direction, sample, term, p_value, and adjusted: the chance that any of the effects would look as large if
    there were none, at least the one of those that look larger. In the order given.

    Raises
    ------
    DesignError
        If there is no result, the draws differ, or a statistic is not known.

    References
    ----------
    Westfall and Young (1993), Resampling-Based Multiple Testing.
    Romano and Wolf (2005), Econometrica 73, 1237-1282.
    """
    import pandas as pd

    _refuse_different(results)
    observed = np.concatenate([np.abs(r.statistics) for r in results])
    if np.isnan(observed).any():
        msg = f"{int(np.isnan(observed).sum())} of {len(observed)} statistics are not known; leave those results out."
        raise DesignError(msg)
    drawn = np.abs(np.concatenate([r.null_draws for r in results]))
    return pd.DataFrame(
        {
            "outcome": [r.outcome for r in results for _ in r.terms],
            "direction": [r.direction for r in results for _ in r.terms],
            "sample": [r.sample for r in results for _ in r.terms],
            "term": [term for r in results for term in r.terms],
            "p_value": np.concatenate([r.p_values for r in results]),
            "adjusted": step_down(observed, drawn),
        }
    )


def step_down(observed: Floats, draws: Floats) -> Floats:
    """
    Adjusted p-values of H hypotheses.

    Parameters
    ----------
    observed
        Absolute statistics, shape (H,).
    draws
        Those of the null draws, shape (H, B); NaN counts as larger than any.
    """
    known = np.where(np.isnan(draws), 0.0, draws)
    count = 1 + (~np.isnan(draws)).sum(axis=1)
    scale = np.sqrt((observed**2 + (known**2).sum(axis=1)) / count)
    scale = np.where(scale > 0, scale, 1.0)
    own, others = observed / scale, np.where(np.isnan(draws), np.inf, draws) / scale[:, None]
    order = np.argsort(-own, kind="stable")
    # the largest among the hypotheses that are not rejected before
    largest = np.maximum.accumulate(others[order][::-1], axis=0)[::-1]
    larger = largest >= (1 - TIE) * own[order][:, None]
    out = np.empty(len(own))
    out[order] = np.maximum.accumulate((1 + larger.sum(axis=1)) / (1 + draws.shape[1]))
    return out


def _refuse_different(results: Sequence[Randomized]) -> None:
    if not results:
        msg = "There is no result to adjust; give the results of randomize() in a list."
        raise DesignError(msg)
    for name, what in (("scheme", "schemes"), ("seed", "seeds"), ("n_draws", "numbers of draws")):
        found = list(dict.fromkeys(str(getattr(r, name)) for r in results))
        if len(found) > 1:
            msg = f"The results come from different {what}, {' and '.join(found[:2])}; randomize all with the same."
            raise DesignError(msg)
    if len({r.digest for r in results}) > 1:
        msg = "The results come from different programmes or groups; randomize all on panels of the same programme."
        raise DesignError(msg)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """
    Adjust p-values for the false discovery rate.

    Parameters
    ----------
    p_values
        Shape (H,).

    Returns
    -------
    For each, the smallest false discovery rate at which it is rejected, shape (H,).

    Raises
    ------
    DesignError
        If one is not between 0 and 1.

    References
    ----------
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    >>> import tradelift as tl
    >>> tl.benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(3).tolist()
    [0.04, 0.053, 0.053, 0.5]
    """
    from scipy.stats import false_discovery_control

    values = np.asarray(p_values, dtype=np.float64)
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        msg = f"p-values lie between 0 and 1; found {values[wrong][0]}. Leave out those that are not known."
        raise DesignError(msg)
    return np.asarray(false_discovery_control(values))
