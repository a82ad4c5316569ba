"""Weidner and Zylkin's corrections of PPML: errors of pairs free of the noise of the effects, and the bias."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.bias import bias_of
from tradelift.covariance.dyads import Dyads
from tradelift.covariance.linear import larger
from tradelift.covariance.observed import Observed, components, observed, refuse_repeats
from tradelift.covariance.three_way import pair_terms
from tradelift.covariance.undirected import shared_terms
from tradelift.solve import DenseProblem, Fit, RowProblem

Floats = NDArray[Any]
Ints = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corrected:
    """
    What the corrections give.

    Parameters
    ----------
    covariance
        Clustered by directed pair, with G/(G-1), shape (K, K).
    bias
        To be subtracted from the coefficients, shape (K,); None with two-way effects, where there is none.
    alone
        Pairs that alone identify a combination of the coefficients, so that their noise is not seen.
    """

    covariance: Floats
    bias: Floats | None
    alone: int


def weidner_zylkin(problem: DenseProblem | RowProblem, found: Fit, dyads: Dyads) -> Corrected:
    """
    Correct the errors of PPML with two-way or three-way effects, and with three-way effects the coefficients.

    Parameters
    ----------
    problem
        As it was fitted, by Poisson.
    found
        The fit, with detail.
    dyads
        The directed pairs.

    Raises
    ------
    DesignError
        If the effects are not two-way by period, alone or with an effect of the pairs.

    References
    ----------
    Weidner and Zylkin (2021), Bias and consistency in three-way gravity models, Journal of International Economics
    132, 103513.
    """
    data = observed(problem, found, dyads)
    bread = found.bread
    refuse_repeats(components(data.first, data.second), data.pair)
    if data.group is None:
        c, m = _two_way_terms(data)
        bias = None
    else:
        c, m = shared_terms(data) if data.is_shared else pair_terms(data)
        bias = bread @ bias_of(data)
    a = pair_sums(data.net * data.score, data.pair)
    b, alone = inflated_scores(c, m, bread)
    meat = a.T @ b
    count = len(a)
    matrix = bread @ (meat + meat.T) @ bread / 2 * count / max(count - 1, 1)
    return Corrected(covariance=matrix, bias=bias, alone=alone)


def pair_sums(values: Floats, pair: Ints) -> Floats:
    """Sum values of shape (K, N) by pair, shape (P, K)."""
    count = int(pair.max(initial=-1)) + 1
    sums = [np.bincount(pair, weights=row, minlength=count) for row in values]
    return np.stack(sums, axis=1) if sums else np.zeros((count, 0))


def _two_way_terms(data: Observed) -> tuple[Floats, Floats]:
    """
    Scores and information of each pair, inflated by the leverage of the effects.

    The effects live within one period, so their leverage is diagonal within a pair.
    """
    left = 1 - effect_leverage(data.mass, data.first, data.second)
    factor = larger(left)
    c = pair_sums(data.net * (data.score * factor), data.pair)
    k = len(data.net)
    products = (data.net[:, None] * data.net).reshape(k * k, len(left)) * (data.mass * factor)
    return c, pair_sums(products, data.pair).reshape(len(c), k, k)


def effect_leverage(mass: Floats, first: Ints, second: Ints) -> Floats:
    """
    Leverage of each observation on its own fitted value through two effects, shape (N,).

    Parameters
    ----------
    mass
        Weights of the projection, positive, shape (N,).
    first, second
        Codes of the effects, shape (N,).
    """
    slot = components(first, second)
    out = np.empty(len(mass))
    order = np.argsort(slot, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(slot[order])) + 1):
        out[rows] = _leverage(mass[rows], first[rows], second[rows])
    return out


def _leverage(mass: Floats, first: Ints, second: Ints) -> Floats:
    """Leverage within one connected component, from the normal equations reduced to the side with fewer effects."""
    i, j = (np.unique(codes, return_inverse=True)[1] for codes in (first, second))
    if j.max() > i.max():
        i, j = j, i
    w = np.zeros((i.max() + 1, j.max() + 1))
    np.add.at(w, (i, j), mass)
    rows, columns = w.sum(axis=1), w.sum(axis=0)
    share = w / rows[:, None]
    scale = np.sqrt(columns)
    constant = scale / np.linalg.norm(scale)  # the one direction that both effects share
    reduced = np.diag(columns) - w.T @ share
    inverse = np.linalg.inv(reduced / np.outer(scale, scale) + np.outer(constant, constant)) / np.outer(scale, scale)
    spread = share @ inverse
    own = 1 / rows + np.einsum("ij,ij->i", spread, share)
    return np.asarray(mass * (own[i] + np.diag(inverse)[j] - 2 * spread[i, j]))


def inflated_scores(c: Floats, m: Floats, bread: Floats, *, power: float = 1.0) -> tuple[Floats, int]:
    """
    Add the leverage of the regressors: H (H - M)^+ c for each pair, H the inverse of the bread (Woodbury).

    Parameters
    ----------
    c, m
        Scores and information of pairs, inflated by the leverage of the effects, shapes (P, K) and (P, K, K).
    bread
        Shape (K, K).
    power
        Of the inflation; 1/2 for its square root.

    Returns
    -------
    Shape (P, K), and how many pairs have H - M singular.
    """
    if not bread.size:
        return c, 0
    root = np.linalg.cholesky(bread)  # H = root^-T root^-1
    own = root.T @ m @ root
    values, vectors = np.linalg.eigh((own + own.transpose(0, 2, 1)) / 2)
    factor = larger(1 - values)
    turned = np.einsum("pkl,pk->pl", vectors, c @ root) * factor**power
    return np.einsum("pkl,pl->pk", vectors, turned) @ np.linalg.inv(root), int((factor == 0).any(axis=1).sum())
