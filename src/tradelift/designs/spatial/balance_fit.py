"""One covariate as the outcome of a stack, and the scores of several side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import Dyads, Influence, codes_of
from tradelift.designs.spatial.near import NearPairs
from tradelift.panel import Panel
from tradelift.solve import Fit
from tradelift.solve.stack import StackProblem, fit_stack

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

NOTHING = 1e-9  # of a covariate's spread: what effects that explain it leave, for rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """
    A covariate's equation, in units of its spread.

    Parameters
    ----------
    fit
        Of the stack, with the partner pair as its one regressor.
    weights, outcome
        Shape (n,) each; the weight is 0 where the covariate is not known.
    partners, controls, spread, absorbed, missing
        As in `CovariateBalance`.
    """

    fit: Fit
    weights: Floats
    outcome: Floats
    partners: float
    controls: float
    spread: float
    absorbed: bool
    missing: int


def compare_covariate(panel: Panel, near: NearPairs, codes: tuple[Ints, ...], values: Floats) -> Compared | None:
    """
    Fit a covariate.

    Parameters
    ----------
    panel, near
        The stack.
    codes
        Of each effect, shape (n,) each.
    values
        The covariate by directed pair, shape (P,), NaN where missing.

    Returns
    -------
    None where it is the same everywhere, or is known of no partner pair or of no control.
    """
    mine = values[near.pair]
    may = near.is_partner | (near.partnership < 0)  # a pair that is a partner later is no control of what is fixed
    known = np.isfinite(mine) & may
    partner_known = known[near.is_partner][near.group]
    used = known & partner_known
    weights = np.where(used, near.weight, 0.0)
    own, other = used & near.is_partner, used & ~near.is_partner
    if not own.any() or not other.any():
        return None
    (mean, variance), (mean_other, variance_other) = _moments(mine, weights, own), _moments(mine, weights, other)
    spread = float(np.sqrt((variance + variance_other) / 2))
    if spread <= NOTHING * float(np.abs(mine[used]).max()):
        return None
    centred = np.where(used, (mine - mean_other) / spread, 0.0)
    fit = fit_stack(
        StackProblem(
            outcome=centred[None],
            regressors=near.is_partner.astype(np.float64)[None, None],
            weights=weights[None],
            effects=codes,
            pair=near.pair,
            group=near.group,
            is_partner=near.is_partner,
            family="gaussian",
            n_pairs=len(panel.pairs),
        )
    )
    mass = float(weights[fit.detail[0].sample[0]].sum())
    fitted = fit.deviance <= NOTHING**2 * mass
    return Compared(
        fit=fit,
        weights=weights,
        outcome=centred,
        partners=mean,
        controls=mean_other,
        spread=spread,
        absorbed=bool(fitted and fit.kept and abs(fit.coefficients[0]) <= np.sqrt(NOTHING)),
        missing=int((may & ~used).sum()),
    )


def _moments(values: Floats, weights: Floats, of: Bools) -> tuple[float, float]:
    """Weighted mean and variance of some rows."""
    mean = float(np.average(values[of], weights=weights[of]))
    return mean, float(np.average((values[of] - mean) ** 2, weights=weights[of]))


def joint_influence(panel: Panel, near: NearPairs, found: Sequence[Compared]) -> Influence:
    """
    Put the scores of several covariates side by side, as those of one equation.

    Parameters
    ----------
    panel, near
        The stack.
    found
        K equations.

    Returns
    -------
    With `pairs` of shape (P, K).
    """
    fits = [one.fit for one in found]
    n, k = len(near), len(found)
    net, error = np.zeros((k, n)), np.zeros((k, n))
    for place, one in enumerate(found):
        detail = one.fit.detail[0]
        net[place] = detail.net[0, 0] * np.sqrt(one.weights)
        error[place] = np.where(detail.sample[0], np.sqrt(one.weights) * (one.outcome - detail.fitted[0]), 0.0)
    bread = np.array([float(fit.bread[0, 0]) for fit in fits])
    rows = bread[:, None] * net * error
    count = min((fit.n_obs for fit in fits), default=0)
    rank = max((fit.effect_rank + 1 for fit in fits), default=0)
    used = np.zeros(len(panel.pairs), dtype=bool)
    for fit in fits:
        used |= fit.pairs_used
    return Influence(
        pairs=np.stack([fit.scores[:, 0] for fit in fits], axis=1) * bread if k else np.zeros((len(panel.pairs), 0)),
        dyads=Dyads(
            origin=panel.pairs.origin,
            destination=panel.pairs.destination,
            dyad=panel.pairs.dyad,
            used=used,
            side=panel.regions.side,
            group=codes_of(panel.regions.group),
            longitude=panel.regions.longitude,
            latitude=panel.regions.latitude,
        ),
        robust=rows @ rows.T,
        iid=np.outer(bread, bread) * (net @ net.T) * (error @ error.T) / max(count - rank, 1),
        n_obs=count,
        rank=rank,
    )
