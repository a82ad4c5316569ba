"""What the solvers take and give: arrays only, no column names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[Any]
Ints = NDArray[Any]
Family = Literal["poisson", "gaussian"]
Path = Literal["sums", "tensor", "rows"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """
    One dense block: origins x destinations over periods, with origin-period and destination-period effects.

    Parameters
    ----------
    outcome
        Shape (T, I, J); anything finite where the weight is 0.
    regressors
        Shape (K, T, I, J), or (K, 1, I, J) where none moves in time; finite everywhere.
    weights
        Shape (T, I, J), 0 off the sample, or truth values where the sample is all there is to say; None where every
        cell counts once.
    offset
        Shape (T, I, J) or (1, I, J), or None.
    pair
        Code of each directed pair, shape (I, J); -1 where the panel does not hold the pair.
    group
        Code of a third effect that does not move in time, shape (I, J): each pair its own for directed pair effects,
        the same code in both directions for undirected ones. Codes are shared by the pieces. None for two-way effects.
    """

    outcome: Floats
    regressors: Floats
    weights: Floats | None = None
    offset: Floats | None = None
    pair: Ints
    group: Ints | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseProblem:
    """
    Two-way effects by period on dense blocks, and a third effect of the pairs where the pieces have `group`.

    Parameters
    ----------
    pieces
        The blocks; their effects are separate, their coefficients are shared.
    family
        "poisson" or "gaussian".
    n_pairs
        P, the number of directed pairs that `pair` codes count.
    """

    pieces: tuple[Piece, ...]
    family: Family
    n_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowProblem:
    """
    Any fixed effects, one row an observation.

    Parameters
    ----------
    outcome
        Shape (N,).
    regressors
        Shape (N, K).
    weights, offset
        Shape (N,), or None.
    effects
        Codes of each fixed effect, shape (N,) each; empty for an intercept alone.
    pair
        Directed pair of each row, shape (N,).
    family, n_pairs
        As in `DenseProblem`.
    """

    outcome: Floats
    regressors: Floats
    weights: Floats | None = None
    offset: Floats | None = None
    effects: tuple[Ints, ...]
    pair: Ints
    family: Family
    n_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detail:
    """
    What a fit leaves at every observation of a piece, on request; rows are one piece of shape (N,).

    Parameters
    ----------
    sample
        Observations used, shape (T, I, J) or (N,).
    fitted
        Expected outcome, offset included; of any value off the sample.
    net
        Kept regressors net of the effects, with the weights of the last step (the problem's, times the fitted outcome
        for Poisson), shape (K, T, I, J) or (K, N).
    """

    sample: NDArray[np.bool_]
    fitted: Floats
    net: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """
    What every solver returns; K counts the regressors that were kept.

    Parameters
    ----------
    coefficients
        Shape (K,).
    bread
        Inverse of the (weighted) cross product of the regressors net of effects, shape (K, K).
    scores
        Sums over periods of weight x residual x regressor net of effects, by directed pair, shape (P, K).
    meat_rows
        Sum of the outer products of the rows' scores, shape (K, K).
    group_scores
        Score sums by the groups that the caller asked for, shape (G, K) each, in the order asked.
    kept
        Positions of the kept regressors among those given; the others are collinear with the effects or with
        regressors before them.
    effect_rank
        Rank of the effects on the sample.
    n_obs
        Observations used.
    pairs_used
        Directed pairs with at least one observation used, shape (P,), boolean.
    excluded
        Observations that the solver dropped: "separated", "singleton".
    path
        "sums", "tensor" or "rows": how the numbers were computed.
    iterations
        Newton steps; 1 for OLS.
    deviance, total
        Deviance (sum of squared residuals for OLS), and the same with effects for nothing but a constant.
    mean
        Of the outcome over the observations used, weighted as they are.
    detail
        By piece, where the caller asked for it; else empty.
    """

    coefficients: Floats
    bread: Floats
    scores: Floats
    meat_rows: Floats
    group_scores: tuple[Floats, ...] = ()
    kept: tuple[int, ...]
    effect_rank: int
    n_obs: int
    pairs_used: NDArray[np.bool_]
    excluded: Mapping[str, int] = field(default_factory=dict)
    path: Path
    iterations: int
    deviance: float
    total: float
    mean: float
    detail: tuple[Detail, ...] = ()
