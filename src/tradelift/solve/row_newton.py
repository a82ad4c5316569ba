"""OLS, and Newton's method for PPML, on rows with any fixed effects."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.deviance import poisson_deviance
from tradelift.solve.row_projection import RowEffects

Floats = NDArray[Any]
Ints = NDArray[Any]

MAX_STEPS = 100
MAX_HALVINGS = 20
SCORE_TOLERANCE = 1e-9  # of the absolute values that the score sums
ROUGH = 1e-3  # of a projection's sums, while steps are long
NEAR = 1e-3  # relative fall of the deviance below which projections are exact


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """
    The rows of a problem that are used.

    Parameters
    ----------
    outcome, weights, offset
        Shape (N,).
    regressors
        Shape (K, N).
    codes
        Codes of each effect without gaps, shape (N,) each.
    """

    outcome: Floats
    weights: Floats
    offset: Floats
    regressors: Floats
    codes: tuple[Ints, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowSolution:
    """Coefficients (K,), fitted outcome (N,), regressors net of effects (K, N), working weights (N,), Newton steps."""

    coefficients: Floats
    fitted: Floats
    net: Floats
    weights: Floats
    steps: int


def ordinary(rows: Rows) -> RowSolution:
    """OLS."""
    effects = RowEffects(codes=rows.codes, weights=rows.weights)
    net = effects.residual(rows.regressors)
    left = effects.residual((rows.outcome - rows.offset)[None])[0]
    beta = _regress(net, left, rows.weights)
    return RowSolution(
        coefficients=beta, fitted=rows.outcome - (left - beta @ net), net=net, weights=rows.weights, steps=1
    )


def poisson(rows: Rows, tolerance: float) -> RowSolution:
    """
    Newton steps on coefficients and effects at once.

    Raises
    ------
    ConvergenceError
        If the scores do not vanish.
    """
    y, w, x = rows.outcome, rows.weights, rows.regressors
    eta = np.log((y + y.mean()) / 2 if len(y) else y)
    before = poisson_deviance(y, np.exp(eta), w)
    beta, net, rough, inside = np.zeros(len(x)), x, ROUGH, False
    for step in range(1, MAX_STEPS + 1):
        mu = np.exp(eta)
        effects = RowEffects(codes=rows.codes, weights=w * mu)
        # what effects explained before they explain now: the less is left to project
        net = effects.residual(net, rough)
        working = (y - mu) / mu
        target = working + beta @ x if inside else working + eta - rows.offset
        left = effects.residual(target[None], rough)[0]
        new_beta = _regress(net, left, w * mu)
        new_eta, deviance, share = _halve(rows, eta, eta + working - (left - new_beta @ net), before, first=step == 1)
        inside = inside or share == 1  # the index is a sum of effects, regressors and offset
        move = share * (new_beta - beta)
        fall = abs(before - deviance) / (abs(deviance) + 0.1)
        beta, eta, before = beta + move, new_eta, deviance
        small = tolerance * 10 + 1e-9 * np.abs(beta).max(initial=0.0)
        if not rough and fall <= tolerance and np.abs(move).max(initial=0.0) <= small:
            break
        rough = ROUGH if rough and fall > NEAR else 0.0
    mu = np.exp(eta)
    net = RowEffects(codes=rows.codes, weights=w * mu).residual(net)
    _judge(net, y, mu, w)
    return RowSolution(coefficients=beta, fitted=mu, net=net, weights=w * mu, steps=step)


def _regress(net: Floats, left: Floats, weights: Floats) -> Floats:
    if not len(net):
        return np.zeros(0)
    weighted = net * weights
    return np.asarray(np.linalg.solve(weighted @ net.T, weighted @ left))


def _halve(rows: Rows, old: Floats, new: Floats, before: float, *, first: bool) -> tuple[Floats, float, float]:
    """Shorten a step that makes the fit worse; the index, its deviance and the share of the step that was taken."""
    share = 1.0
    for _ in range(MAX_HALVINGS):
        with np.errstate(over="ignore", invalid="ignore"):
            deviance = poisson_deviance(rows.outcome, np.exp(new), rows.weights)
        if np.isfinite(deviance) and (first or deviance <= before * (1 + 1e-9) + 1e-9):
            return new, deviance, share
        new, share = (old + new) / 2, share / 2
    return new, deviance, share


def _judge(net: Floats, outcome: Floats, mu: Floats, weights: Floats) -> None:
    """Accept a solution by its score, not by its last step alone."""
    score = net @ (weights * (outcome - mu))
    scale = np.abs(net) @ (weights * (outcome + mu))
    for k in np.flatnonzero(~(np.abs(score) <= SCORE_TOLERANCE * scale)):
        msg = (
            f"PPML did not converge: after {MAX_STEPS} steps the score of regressor {k + 1} is {score[k]:.3g} where "
            f"{SCORE_TOLERANCE * scale[k]:.3g} is allowed. Rescale the outcome or the regressors, or drop regressors "
            f"that are large or nearly collinear."
        )
        raise ConvergenceError(msg)
