"""
How far residuals of pairs reach on the map: half squared differences by distance, and the curve that fits them.

Two regions i and j of a side trade with the same partner k. The half squared difference of the residuals of (i,k) and
(j,k), averaged over k, is the variogram of a side. An effect of k cancels in each difference, and what the effects of i
and j take from a residual that is smooth on the map is the same factor at every distance: the shape in distance is that
of the smooth part itself, where the correlation of the residuals, whose mean the effects set to 0, falls too early.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

HALVED = float(np.sqrt(2 * np.log(2)))  # exp(-x^2 / 2) is a half there
SHORTEST = 0.5  # of the lengths that are tried, in bins
LONGEST = 2.0  # in reaches: a longer one has not halved within the reach either way
N_LENGTHS = 25  # tried before the best is refined
LENGTH_TOLERANCE = 1e-4  # of the log of the length
ROUNDS, SETTLED = 200, 1e-10  # of filling gaps in turn, and when their changes are small, in residual deviations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ends:
    """
    One matrix of residuals, seen from the regions of its rows.

    Parameters
    ----------
    residual
        Shape (I, J), 0 where there is none.
    known
        Where there is one, shape (I, J).
    distance_km
        Between the regions of the rows, shape (I, I).
    """

    residual: Floats
    known: Bools
    distance_km: Floats

    def products(self) -> tuple[Floats, Floats]:
        """Sums over columns that both rows know: of the products of residuals, and their number, (I, I) each."""
        known = self.known.astype(float)
        return self.residual @ self.residual.T, known @ known.T

    def half_squares(self) -> tuple[Floats, Floats]:
        """Sums over columns of half squared differences, and their number, shape (I, I) each."""
        products, count = self.products()
        squares = (self.residual**2) @ self.known.astype(float).T
        return (squares + squares.T) / 2 - products, count


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variogram:
    """
    Half squared differences of a side by distance, shape (B,) each.

    Parameters
    ----------
    distance_km
        Mean of a bin; NaN where it is empty.
    level
        Mean half squared difference; NaN where it is empty.
    count
        Number of differences.
    """

    distance_km: Floats
    level: Floats
    count: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """
    The level noise + smooth[s] (1 - exp(-d^2 / (2 length^2))) at distance d on side s.

    Parameters
    ----------
    length_km
        Of the kernel.
    noise
        Level at distance 0: what near pairs do not share.
    smooth
        By how much the level of each side rises.
    """

    length_km: float
    noise: float
    smooth: tuple[float, ...]

    @property
    def half_km(self) -> float:
        """Where the correlation has halved."""
        return HALVED * self.length_km


def without_effects(values: Floats, known: Bools) -> Floats:
    """
    Take row and column means out of a matrix with gaps, by filling the gaps with their fit in turn.

    Returns
    -------
    Shape (I, J); 0 in the gaps.
    """
    filled = np.where(known, values, 0.0)
    for _ in range(ROUNDS):
        means = filled.mean(axis=0) + filled.mean(axis=1, keepdims=True) - filled.mean()
        change = np.where(known, 0.0, means - filled)
        filled = filled + change
        if np.abs(change).max(initial=0.0) <= SETTLED * filled.std():
            break
    return np.asarray(np.where(known, filled - means, 0.0))


def variogram(parts: Sequence[Ends], edges_km: Floats) -> Variogram:
    """
    Average half squared differences by distance.

    Parameters
    ----------
    parts
        Matrices of the same side: its regions as origins, and as destinations.
    edges_km
        Of the bins, ascending, shape (B + 1,). What is farther is left out.
    """
    bins = len(edges_km) - 1
    totals = np.zeros((3, bins))
    for part in parts:
        sums, number = part.half_squares()
        upper = np.triu_indices(len(sums), 1)
        km, sums, number = part.distance_km[upper], sums[upper], number[upper]
        own = np.searchsorted(edges_km, km, side="right") - 1
        here = (own >= 0) & (own < bins) & (number > 0)
        totals += [np.bincount(own[here], weights=x[here], minlength=bins) for x in (sums, number, number * km)]
    level, count, distance = totals
    filled = np.where(count > 0, count, np.nan)
    return Variogram(distance_km=distance / filled, level=level / filled, count=count)


def fit_curve(sides: Sequence[Variogram], bin_km: float, reach_km: float) -> Curve:
    """
    Fit a curve with one length and one noise to the variograms of all sides.

    Least squares, weighted by the number of differences over the squared level, as their variances are; noise and
    smooth parts are not negative.

    Parameters
    ----------
    sides
        Variograms.
    bin_km, reach_km
        Width and end of the bins: lengths from half a bin to twice the reach are tried.

    References
    ----------
    Cressie (1985), Mathematical Geology 17, 563-586, on the weights.
    """
    side = np.repeat(np.arange(len(sides)), [len(s.level) for s in sides])
    level, km, count = (np.concatenate([getattr(s, f) for s in sides]) for f in ("level", "distance_km", "count"))
    usable = (count > 0) & (level > 0)
    side, level, km, count = side[usable], level[usable], km[usable], count[usable]
    weight = np.sqrt(count) / level

    def solve(log_length: float) -> tuple[Floats, float]:
        rise = -np.expm1(-(km**2) / (2 * np.exp(2 * log_length)))
        x = np.column_stack([np.ones_like(km), *(rise * (side == s) for s in range(len(sides)))])
        found = nnls(x * weight[:, None], level * weight)
        return found[0], float(found[1])

    tried = np.linspace(np.log(SHORTEST * bin_km), np.log(LONGEST * reach_km), N_LENGTHS)
    best = int(np.argmin([solve(x)[1] for x in tried]))
    around = tried[max(best - 1, 0)], tried[min(best + 1, N_LENGTHS - 1)]
    refined = minimize_scalar(
        lambda x: solve(x)[1], bounds=around, method="bounded", options={"xatol": LENGTH_TOLERANCE}
    ).x
    noise, *smooth = solve(refined)[0]
    return Curve(length_km=float(np.exp(refined)), noise=float(noise), smooth=tuple(map(float, smooth)))


def likeness(parts: Sequence[Ends], near_km: float) -> float:
    """
    How much more alike the residuals of near regions are than those of any two, in standard deviations.

    Mantel's statistic: the sum of mean products of residuals, weighted by 1 - d / near, against its mean and variance
    over all relabellings of the regions.

    Parameters
    ----------
    parts
        Matrices whose rows are the same regions.
    near_km
        Distance from which on two regions are not near.

    Returns
    -------
    About normal where place does not matter; NaN where no two regions are near, or all are.

    References
    ----------
    Mantel (1967), Cancer Research 27, 209-220.
    """
    alike = np.zeros_like(parts[0].distance_km)
    for part in parts:
        products, count = part.products()
        alike += products / np.maximum(count, 1)
    near = np.clip(1 - parts[0].distance_km / near_km, 0.0, 1.0)
    for matrix in (alike, near):
        np.fill_diagonal(matrix, 0.0)
    n = len(near)
    mean = near.sum() * alike.sum() / (n * (n - 1))
    (a, b, c), (d, e, f) = _moments(near), _moments(alike)
    variance = 2 * b * e / (n * (n - 1)) + 4 * (c - b) * (f - e) / (n * (n - 1) * (n - 2))
    variance += (a + 2 * b - 4 * c) * (d + 2 * e - 4 * f) / (n * (n - 1) * (n - 2) * (n - 3)) - mean**2
    scale = np.sqrt(2 * b * e / (n * (n - 1)))
    if not variance > (1e-9 * scale) ** 2:  # rounding: no relabelling changes the sum
        return np.nan
    return float(((near * alike).sum() - mean) / np.sqrt(variance))


def _moments(matrix: Floats) -> tuple[float, float, float]:
    """Square of the sum, sum of squares, and sum of squared row sums."""
    return float(matrix.sum() ** 2), float((matrix**2).sum()), float((matrix.sum(axis=1) ** 2).sum())
