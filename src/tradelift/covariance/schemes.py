"""Covariances from the influence of directed pairs: one function a scheme, arrays only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.dyads import Dyads
from tradelift.errors import DesignError

Floats = NDArray[Any]
Ints = NDArray[Any]

SCHEMES = ("none", "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province")
CORRECTIONS = ("none", "clusters", "full")
LATER = ("spatial", "jackknife", "weidner-zylkin")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covariance:
    """
    A covariance and what belongs to it.

    Parameters
    ----------
    matrix
        Shape (K, K). With several dimensions it need not be positive semi-definite; a variance that is not positive
        is NaN, with its row and column.
    dof
        Degrees of freedom of the t distribution.
    clusters
        Number of clusters in each dimension; empty without clusters.
    """

    matrix: Floats
    dof: float
    clusters: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Influence:
    """
    What every scheme starts from.

    Parameters
    ----------
    pairs
        Influence of each directed pair on the coefficients: scores times bread, shape (P, K).
    dyads
        What the pairs share.
    robust
        Heteroskedasticity-robust covariance without correction, shape (K, K).
    iid
        Covariance under independent errors of one variance, shape (K, K).
    n_obs
        Observations of the uncollapsed sample.
    rank
        Rank of all effects and regressors.
    """

    pairs: Floats
    dyads: Dyads
    robust: Floats
    iid: Floats
    n_obs: int
    rank: int


def check_scheme(scheme: str, correction: str) -> None:
    """
    Refuse what is no scheme or correction.

    Raises
    ------
    DesignError
        With the list of what there is.
    """
    for value, known, what in ((scheme, SCHEMES, "vcov"), (correction, CORRECTIONS, "correction")):
        if value in LATER:
            msg = f"{what}='{value}' is not in this version; use one of {', '.join(known)}."
            raise DesignError(msg)
        if value not in known:
            column = (
                f" To cluster by a column of that name, give it in a list: vcov=['{value}']." if what == "vcov" else ""
            )
            msg = f"There is no {what} '{value}'; use one of {', '.join(known)}.{column}"
            raise DesignError(msg)


def check_columns(columns: Sequence[str], correction: str) -> None:
    """
    Refuse more than two columns to cluster by, and the name of a scheme in their place.

    Raises
    ------
    DesignError
        Saying what a string and what a list mean.
    """
    check_scheme("robust", correction)
    if not 1 <= len(columns) <= 2:
        msg = f"vcov takes one or two columns to cluster by; found {len(columns)}."
        raise DesignError(msg)


def covariance(influence: Influence, scheme: str, correction: str) -> Covariance:
    """
    Covariance of the coefficients under a named scheme.

    Parameters
    ----------
    influence
        What the estimation left.
    scheme
        "none", "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way" or "province".
    correction
        "none"; "clusters": G/(G-1), with several dimensions the smallest G; "full": also (N-1)/(N-K).

    Raises
    ------
    DesignError
        If the scheme is unknown, or the regions have no groups for "province".

    References
    ----------
    Aronow, Samii and Assenova (2015), Political Analysis 23, 564-577.
    Cameron, Gelbach and Miller (2011), Journal of Business and Economic Statistics 29, 238-249.
    """
    check_scheme(scheme, correction)
    n, k = influence.n_obs, influence.rank
    if scheme == "none":
        return Covariance(matrix=influence.iid, dof=max(n - k, 1), clusters=())
    if scheme == "robust":
        factor = 1.0 if correction == "none" else n / max(n - 1, 1)
        return Covariance(
            matrix=influence.robust * factor * _full(influence, correction), dof=max(n - k, 1), clusters=()
        )
    dyads, pairs = influence.dyads, influence.pairs
    if scheme == "dyadic":
        return _settle(influence, correction, _dyadic(pairs, dyads.origin, dyads.destination), (_regions(dyads),))
    if scheme == "province":
        return _province(influence, correction)
    if scheme == "max-two-way":
        return _max_two_way(influence, correction)
    codes: dict[str, tuple[Ints, ...]] = {
        "directed-pair": (np.arange(len(dyads.origin)),),
        "pair": (dyads.dyad,),
        "two-way": (dyads.origin, dyads.destination),
    }
    return _settle(influence, correction, clustered(pairs, codes[scheme]), _counts(dyads, codes[scheme]))


def by_groups(influence: Influence, correction: str, sums: Sequence[Floats], counts: tuple[int, ...]) -> Covariance:
    """
    Covariance clustered by one or two columns of the user.

    Parameters
    ----------
    influence
        What the estimation left.
    correction
        As in `covariance`.
    sums
        Influence by cluster: one array, or three for two columns and their intersection, shape (G, K) each.
    counts
        Number of clusters of each column.
    """
    check_scheme("robust", correction)
    meat = sums[0].T @ sums[0]
    if len(sums) > 1:
        meat = meat + sums[1].T @ sums[1] - sums[2].T @ sums[2]
    return _settle(influence, correction, meat, counts)


def clustered(values: Floats, codes: Sequence[Ints]) -> Floats:
    """
    Sum of outer products of cluster sums, over one dimension, or two less their intersection.

    Parameters
    ----------
    values
        Shape (P, K).
    codes
        One or two arrays of cluster codes, shape (P,).
    """
    total = _outer(values, codes[0])
    if len(codes) == 2:
        both = codes[0] * (int(codes[1].max(initial=0)) + 1) + codes[1]
        total = total + _outer(values, codes[1]) - _outer(values, np.unique(both, return_inverse=True)[1])
    return total


def _outer(values: Floats, codes: Ints) -> Floats:
    sums = np.zeros((int(codes.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, codes, values)
    return np.asarray(sums.T @ sums)


def _dyadic(values: Floats, origin: Ints, destination: Ints) -> Floats:
    """N'N - P'P: pairs covary when they share a region; a domestic flow counts once."""
    n = int(max(origin.max(initial=-1), destination.max(initial=-1))) + 1
    sums = np.zeros((n, values.shape[1]))
    np.add.at(sums, origin, values)
    between = origin != destination
    np.add.at(sums, destination[between], values[between])
    low, high = np.minimum(origin, destination)[between], np.maximum(origin, destination)[between]
    same = np.unique(low * n + high, return_inverse=True)[1]
    return np.asarray(sums.T @ sums - _outer(values[between], same))


def _province(influence: Influence, correction: str) -> Covariance:
    """Dyadic over the regions' groups: with two sides, two-way by the group of either region."""
    dyads = influence.dyads
    if dyads.group is None:
        msg = "vcov='province' needs the group of each region: give the regions a column `group`."
        raise DesignError(msg)
    first, second = (dyads.group[end] for end in dyads.ends)
    counts: tuple[int, ...] = _counts(dyads, (first, second))
    if dyads.side is None:
        counts = (len(np.union1d(first[dyads.used], second[dyads.used])),)
        return _settle(influence, correction, _dyadic(influence.pairs, first, second), counts)
    return _settle(influence, correction, clustered(influence.pairs, (first, second)), counts)


def _max_two_way(influence: Influence, correction: str) -> Covariance:
    """The largest of the two-way, one-way and pair variances per coefficient, on the two-way correlations."""
    dyads, pairs = influence.dyads, influence.pairs
    ends = dyads.ends
    two = _settle(influence, correction, clustered(pairs, ends), _counts(dyads, ends))
    variances = [np.diag(two.matrix)]
    for codes in (*ends, dyads.dyad):
        one = _settle(influence, correction, clustered(pairs, (codes,)), _counts(dyads, (codes,)))
        variances.append(np.diag(one.matrix))
    best = np.nanmax(variances, axis=0)
    own = np.nan_to_num(np.diag(two.matrix))
    scale = np.sqrt(np.divide(best, own, out=np.zeros_like(best), where=own > 0))
    matrix = np.nan_to_num(two.matrix) * np.outer(scale, scale)
    np.fill_diagonal(matrix, best)
    return Covariance(matrix=matrix, dof=two.dof, clusters=two.clusters)


def _regions(dyads: Dyads) -> int:
    return len(np.union1d(dyads.origin[dyads.used], dyads.destination[dyads.used]))


def _counts(dyads: Dyads, codes: Sequence[Ints]) -> tuple[int, ...]:
    return tuple(len(np.unique(c[dyads.used])) for c in codes)


def _full(influence: Influence, correction: str) -> float:
    if correction != "full":
        return 1.0
    return (influence.n_obs - 1) / max(influence.n_obs - influence.rank, 1)


def _settle(influence: Influence, correction: str, meat: Floats, counts: tuple[int, ...]) -> Covariance:
    """Apply the correction; a variance that is not positive is not known."""
    smallest = min(counts)
    if smallest < 2:
        msg = f"Clustering needs at least two clusters in each dimension; found {', '.join(map(str, counts))}."
        raise DesignError(msg)
    factor = 1.0 if correction == "none" else smallest / (smallest - 1)
    matrix = meat * factor * _full(influence, correction)
    unknown = np.diag(matrix) <= 0
    if unknown.any():
        # zero would be a claim of certainty
        matrix[unknown] = matrix[:, unknown] = np.nan
    return Covariance(matrix=matrix, dof=smallest - 1, clusters=counts)
