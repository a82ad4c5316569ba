"""Covariances from the influence of directed pairs: one function a scheme, arrays only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.dyads import Dyads, compact
from tradelift.covariance.jackknife import Deleted, jackknife
from tradelift.covariance.spatial import read_spatial, spatial_meat
from tradelift.covariance.weidner_zylkin import Corrected
from tradelift.errors import DesignError

Floats = NDArray[Any]
Ints = NDArray[Any]

SCHEMES = (
    "none", "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province", "spatial", "jackknife",
)  # fmt: skip
CORRECTIONS = ("none", "clusters", "full", "leverage", "weidner-zylkin")
NO_PAIRS = ("none", "robust", "jackknife")  # schemes that are not made of the influence of pairs
ROUNDING = 1e-10  # of the robust variance: below it, sums by cluster are zero but for rounding and convergence


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
    deleted
        The estimates without each region, where "jackknife" was asked for.
    corrected
        The leverage-corrected covariance, where "weidner-zylkin" was asked for.
    left_out
        Influence of each directed pair as if it had not been fitted, where "leverage" was asked for, shape (P, K).
    """

    pairs: Floats
    dyads: Dyads
    robust: Floats
    iid: Floats
    n_obs: int
    rank: int
    deleted: Deleted | None = None
    corrected: Corrected | None = None
    left_out: Floats | None = None


def check_scheme(scheme: str, correction: str) -> None:
    """
    Refuse what is no scheme or correction.

    Raises
    ------
    DesignError
        With the list of what there is.
    """
    for value, known, what in ((scheme, SCHEMES, "vcov"), (correction, CORRECTIONS, "correction")):
        if value not in known and not (what == "vcov" and read_spatial(value)):
            column = (
                f" To cluster by a column of that name, give it in a list: vcov=['{value}']." if what == "vcov" else ""
            )
            msg = f"There is no {what} '{value}'; use one of {', '.join(known)}.{column}"
            raise DesignError(msg)
    if correction == "weidner-zylkin" and scheme != "directed-pair":
        msg = f"correction='weidner-zylkin' is for vcov='directed-pair'; found '{scheme}'. Use one with the other."
        raise DesignError(msg)
    if correction == "leverage" and scheme in NO_PAIRS:
        msg = f"correction='leverage' is for errors made of the scores of pairs; found '{scheme}'. Use 'pair', say."
        raise DesignError(msg)


def check_columns(columns: Sequence[str], correction: str) -> None:
    """
    Refuse more than two columns to cluster by, and the name of a scheme in their place.

    Raises
    ------
    DesignError
        Saying what a string and what a list mean.
    """
    check_scheme("directed-pair", correction)
    if correction in ("leverage", "weidner-zylkin"):
        fit = "a named scheme, as 'pair'" if correction == "leverage" else "vcov='directed-pair'"
        msg = f"correction='{correction}' is for {fit}; found columns. Use one with the other."
        raise DesignError(msg)
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
        "none", "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province", "spatial", this also
        as "spatial(union, uniform, 400)", or "jackknife".
    correction
        "none"; "clusters": G/(G-1), with several dimensions the smallest G, for "dyadic" and "spatial" the regions;
        "full": also (N-1)/(N-K); "leverage": also each pair's scores as if it had not been fitted (see `left_out`).
        "weidner-zylkin" for directed pairs. "none" and "jackknife" have their own factors.

    Raises
    ------
    DesignError
        If the scheme is unknown, the regions lack groups for "province" or coordinates for "spatial", or "jackknife",
        "leverage" or "weidner-zylkin" were not asked for when the data were at hand.

    References
    ----------
    Aronow, Samii and Assenova (2015), Political Analysis 23, 564-577.
    Cameron, Gelbach and Miller (2011), Journal of Business and Economic Statistics 29, 238-249.
    """
    check_scheme(scheme, correction)
    if correction == "weidner-zylkin":
        return _corrected(influence)
    if correction == "leverage":
        influence = _left_out(influence)
    spatial = read_spatial(scheme)
    if spatial is not None:
        meat = spatial_meat(influence.pairs, influence.dyads, spatial)
        return _settle(influence, correction, meat, (_regions(influence.dyads),))
    if scheme in PARTS:
        codes = PARTS[scheme](influence.dyads)
        return _settle(influence, correction, clustered(influence.pairs, codes), _counts(influence.dyads, codes))
    return OTHERS[scheme](influence, correction)


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
    return _together(values, codes, [_outer(values, own) for own in codes])


def _together(values: Floats, codes: Sequence[Ints], each: Sequence[Floats]) -> Floats:
    """What `clustered` gives, from the outer products of each dimension."""
    if len(codes) < 2:
        return each[0]
    both = codes[0] * (int(codes[1].max(initial=0)) + 1) + codes[1]
    return each[0] + each[1] - _outer(values, compact(both))


def _outer(values: Floats, codes: Ints) -> Floats:
    sums = _sums(values, codes, int(codes.max(initial=-1)) + 1)
    return np.asarray(sums.T @ sums)


def _sums(values: Floats, codes: Ints, n: int) -> Floats:
    """Sums of values by code, shape (n, K)."""
    columns = [np.bincount(codes, weights=column, minlength=n) for column in values.T]
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0))


def _dyadic(values: Floats, origin: Ints, destination: Ints) -> Floats:
    """N'N - P'P: pairs covary when they share a region; a domestic flow counts once."""
    n = int(max(origin.max(initial=-1), destination.max(initial=-1))) + 1
    between = origin != destination
    sums = _sums(values, origin, n) + _sums(values[between], destination[between], n)
    low, high = np.minimum(origin, destination)[between], np.maximum(origin, destination)[between]
    return np.asarray(sums.T @ sums - _outer(values[between], compact(low * n + high)))


def _iid(influence: Influence, _: str) -> Covariance:
    return Covariance(matrix=influence.iid, dof=max(influence.n_obs - influence.rank, 1), clusters=())


def _robust(influence: Influence, correction: str) -> Covariance:
    n = influence.n_obs
    factor = 1.0 if correction == "none" else n / max(n - 1, 1)
    matrix = influence.robust * factor * _full(influence, correction)
    return Covariance(matrix=matrix, dof=max(n - influence.rank, 1), clusters=())


def _by_regions(influence: Influence, correction: str) -> Covariance:
    dyads = influence.dyads
    return _settle(influence, correction, _dyadic(influence.pairs, dyads.origin, dyads.destination), (_regions(dyads),))


def _jackknife(influence: Influence, _: str) -> Covariance:
    if influence.deleted is None:
        msg = "The jackknife needs the data: estimate again with vcov='jackknife'."
        raise DesignError(msg)
    count = len(influence.deleted.coefficients)
    return Covariance(matrix=jackknife(influence.deleted), dof=count - 1, clusters=(count,))


def _left_out(influence: Influence) -> Influence:
    """The same with each pair's influence as if it had not been fitted."""
    if influence.left_out is None:
        msg = "correction='leverage' needs the data: estimate again with correction='leverage'."
        raise DesignError(msg)
    return replace(influence, pairs=influence.left_out)


def _corrected(influence: Influence) -> Covariance:
    if influence.corrected is None:
        msg = (
            "correction='weidner-zylkin' needs the data: estimate again with vcov='directed-pair', "
            "correction='weidner-zylkin'."
        )
        raise DesignError(msg)
    count = int(influence.dyads.used.sum())
    return Covariance(matrix=_known(influence.corrected.covariance, 0.0), dof=count - 1, clusters=(count,))


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
    dimensions = (*ends, dyads.dyad)
    each = [_outer(pairs, codes) for codes in dimensions]
    two = _settle(influence, correction, _together(pairs, ends, each), _counts(dyads, ends))
    variances = [np.diag(two.matrix)]
    for codes, meat in zip(dimensions, each, strict=True):
        variances.append(np.diag(_settle(influence, correction, meat, _counts(dyads, (codes,))).matrix))
    best = np.max(np.nan_to_num(variances, nan=-np.inf), axis=0)
    best[np.isneginf(best)] = np.nan  # no variance is positive: the effects fit every flow
    own = np.nan_to_num(np.diag(two.matrix))
    scale = np.sqrt(np.divide(best, own, out=np.zeros_like(best), where=own > 0))
    matrix = np.nan_to_num(two.matrix) * np.outer(scale, scale)
    np.fill_diagonal(matrix, best)
    unknown = np.isnan(best)
    matrix[unknown] = matrix[:, unknown] = np.nan
    return Covariance(matrix=matrix, dof=two.dof, clusters=two.clusters)


def _regions(dyads: Dyads) -> int:
    return len(np.union1d(dyads.origin[dyads.used], dyads.destination[dyads.used]))


def _counts(dyads: Dyads, codes: Sequence[Ints]) -> tuple[int, ...]:
    return tuple(int(np.count_nonzero(np.bincount(c[dyads.used]))) for c in codes)


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
    matrix = _known(meat * factor * _full(influence, correction), ROUNDING * np.diag(influence.robust))
    return Covariance(matrix=matrix, dof=smallest - 1, clusters=counts)


def _known(matrix: Floats, least: Floats | float) -> Floats:
    """
    The matrix with NaN for coefficients whose variance is no larger than the least: zero would be a claim of certainty.

    Effects and regressors that fit every cluster's sum leave nothing to learn its error from.
    """
    # fmax: across estimates the robust variance is not known, and bounds nothing
    unknown = ~(np.diag(matrix) > np.fmax(least, 0.0))
    out = matrix.copy()
    out[unknown] = out[:, unknown] = np.nan
    return out


PARTS: dict[str, Callable[[Dyads], tuple[Ints, ...]]] = {
    "directed-pair": lambda dyads: (np.arange(len(dyads.origin)),),
    "pair": lambda dyads: (dyads.dyad,),
    "two-way": lambda dyads: (dyads.origin, dyads.destination),
}
OTHERS: dict[str, Callable[[Influence, str], Covariance]] = {
    "none": _iid,
    "robust": _robust,
    "dyadic": _by_regions,
    "max-two-way": _max_two_way,
    "province": _province,
    "jackknife": _jackknife,
}
