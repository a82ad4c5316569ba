"""
What each pair moves when it is left out: its influence, inflated by how much it pulls the fit to itself.

A fit goes through what weighs most in it. Under PPML few large flows weigh most, so that their residuals, and the
errors made of them, come out too small. The remedy is that of the cluster jackknife (CV3) in one step, as Weidner
and Zylkin (2021) have it for pairs: residuals are divided by one less the leverage of the effects, and the sums of a
pair by the identity less the leverage of the regressors; here by the roots of both. The sums then serve any scheme.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.linear import inverse_on_range, larger
from tradelift.covariance.observed import components
from tradelift.covariance.weidner_zylkin import inflated_scores
from tradelift.errors import DesignError
from tradelift.solve import DenseProblem, Detail, Fit, RowProblem
from tradelift.solve.stack import StackProblem

Floats = NDArray[Any]
Ints = NDArray[Any]
Problem = DenseProblem | RowProblem | StackProblem

HALF = 0.5  # the square root, which leaves the variance of a pair unbiased where residuals are as PPML or OLS has them
LARGE = 1_000  # levels of the smaller effect from which on a matrix of them is not inverted
WISH = "correction='leverage' is for effects that live within a period"


def left_out(problem: Problem, found: Fit, like: Fit | None = None) -> Floats:
    """
    Influence of each directed pair as it would be if the pair had not been fitted, shape (P, K).

    The leverage of the effects is that of all periods together: of the weights summed over time. It is exact for one
    period, and where the weights of a period are those of another times factors of origins and destinations, nearly so.

    Parameters
    ----------
    problem
        As it was fitted.
    found
        The fit, with detail.
    like
        A fit of the same observations whose leverage of the effects is to count, so that the difference between its
        coefficients and these has an error of its own; None for the fit's own.

    Raises
    ------
    DesignError
        If there is an effect of pairs over periods.
    """
    details = (found if like is None else like).detail
    if isinstance(problem, StackProblem):
        scores, information = _of_stack(problem, found, details)
    elif isinstance(problem, RowProblem):
        scores, information = _of_rows(problem, found, details)
    else:
        scores, information = _of_blocks(problem, found, details)
    used, out = np.flatnonzero(found.pairs_used), np.zeros(scores.shape)
    out[used] = inflated_scores(scores[used], information[used], found.bread, power=HALF)[0] @ found.bread
    return out


def leverage(mass: Floats, effects: Sequence[Ints]) -> Floats:
    """
    Leverage of each row on its own fitted value through effects, shape (n,).

    Parameters
    ----------
    mass
        Weights of the projection, shape (n,); rows of weight 0 have none.
    effects
        Codes of each effect, shape (n,) each.
    """
    out = np.zeros(len(mass))
    rows = np.flatnonzero(mass > 0)
    if not len(rows) or not effects:
        return out
    codes = [np.unique(e[rows], return_inverse=True)[1] for e in effects]
    slot = np.zeros(len(rows), dtype=np.int64) if len(codes) == 1 else components(codes[0], codes[1])
    for more in codes[2:]:
        slot = components(slot, more)
    order = np.argsort(slot, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(slot[order])) + 1):
        out[rows[own]] = _within(mass[rows[own]], [np.unique(c[own], return_inverse=True)[1] for c in codes])
    return out


def _within(mass: Floats, codes: list[Ints]) -> Floats:
    """Leverage of rows that share effects: that with the most levels is solved away, the others are inverted."""
    first, *others = sorted(codes, key=lambda c: -int(c.max()))
    total = np.bincount(first, weights=mass)
    if not others:
        return np.asarray(mass / total[first])
    sizes = np.array([int(c.max()) + 1 for c in others])
    if sizes.sum() > LARGE:
        return _one_by_one(mass, codes)
    columns = [c + start for c, start in zip(others, np.cumsum(sizes) - sizes, strict=True)]
    count = int(sizes.sum())
    joint = np.bincount(
        np.concatenate([first * count + a for a in columns]), np.tile(mass, len(columns)), len(total) * count
    ).reshape(len(total), count)
    square = np.bincount(
        np.concatenate([a * count + b for a in columns for b in columns]), np.tile(mass, len(columns) ** 2), count**2
    ).reshape(count, count)
    share = joint / total[:, None]
    inverse = inverse_on_range(square - joint.T @ share, np.diag(square))
    spread = share @ inverse
    own = (1 / total + np.einsum("gc,gc->g", spread, share))[first]
    own += sum(inverse[a, b] for a in columns for b in columns)
    own -= 2 * sum(spread[first, a] for a in columns)
    return np.asarray(mass * own)


def _one_by_one(mass: Floats, codes: list[Ints]) -> Floats:
    """What is left after each effect alone, for panels so large that no effect is of few rows."""
    left = np.ones(len(mass))
    for c in codes:
        left *= 1 - mass / np.bincount(c, weights=mass)[c]
    return np.asarray(1 - left)


def _of_blocks(problem: DenseProblem, found: Fit, details: Sequence[Detail]) -> tuple[Floats, Floats]:
    """Scores (P, K) and information (P, K, K) of pairs, inflated; a pair is one place of one block."""
    k = len(found.kept)
    scores, information = found.scores.copy(), np.zeros((problem.n_pairs, k, k))
    for piece, part, like in zip(problem.pieces, found.detail, details, strict=True):
        if piece.group is not None:
            raise DesignError(_refusal())
        mass = _mass(problem.family, piece.weights, part)
        pooled = _mass(problem.family, piece.weights, like).sum(axis=0)
        i, j = np.nonzero(pooled)
        factor = larger(1 - leverage(pooled[i, j], (i, j)))
        pair = piece.pair[i, j]
        scores[pair] *= factor[:, None] ** HALF
        for a in range(k):
            weighed = part.net[a] * mass
            for b in range(a + 1):
                own = (weighed * part.net[b]).sum(axis=0)[i, j] * factor
                information[pair, a, b] = information[pair, b, a] = own
    return scores, information


def _of_stack(problem: StackProblem, found: Fit, details: Sequence[Detail]) -> tuple[Floats, Floats]:
    """The same of a stack, where a pair may stand in several rows."""
    (part,), (like,) = found.detail, details
    mass = _mass(problem.family, problem.weights, part)
    pooled = _mass(problem.family, problem.weights, like).sum(axis=0)
    factor = larger(1 - leverage(pooled, problem.effects))
    error = np.where(part.sample, problem.weights * (problem.outcome - part.fitted), 0.0)
    return _by_pair(part.net, error, mass, problem.pair, problem.n_pairs, factor)


def _of_rows(problem: RowProblem, found: Fit, details: Sequence[Detail]) -> tuple[Floats, Floats]:
    """The same of rows, each an observation."""
    if len(problem.effects) > 2 or any(_lasts(codes, problem.pair) for codes in problem.effects):
        raise DesignError(_refusal())
    (part,), (like,) = found.detail, details
    weights = np.ones(len(part.sample)) if problem.weights is None else problem.weights
    mass = _mass(problem.family, weights, part)
    factor = larger(1 - leverage(_mass(problem.family, weights, like), problem.effects))
    error = np.where(part.sample, weights * (problem.outcome - part.fitted), 0.0)
    return _by_pair(part.net[:, None], error[None], mass[None], problem.pair, problem.n_pairs, factor)


def _lasts(codes: Ints, pair: Ints) -> bool:
    """Whether two observations of a pair share an effect."""
    order = np.lexsort((codes, pair))
    return bool(np.any((np.diff(pair[order]) == 0) & (np.diff(codes[order]) == 0)))


def _mass(family: str, weights: Floats | None, part: Detail) -> Floats:
    """Weights of the last projection, 0 off the sample."""
    mass = part.fitted if family == "poisson" else np.ones(part.fitted.shape)
    return np.where(part.sample, mass if weights is None else mass * weights, 0.0)


def _by_pair(
    net: Floats, error: Floats, mass: Floats, pair: Ints, n_pairs: int, factor: Floats
) -> tuple[Floats, Floats]:
    """Sums over periods and rows: `net` has the shape (K, T, n) or (K, 1, n), error and mass (T, n)."""
    k = len(net)
    scores, information = np.zeros((n_pairs, k)), np.zeros((n_pairs, k, k))
    for a in range(k):
        scores[:, a] = np.bincount(pair, weights=(net[a] * error).sum(axis=0) * factor**HALF, minlength=n_pairs)
        for b in range(a + 1):
            own = (net[a] * net[b] * mass).sum(axis=0) * factor
            information[:, a, b] = information[:, b, a] = np.bincount(pair, weights=own, minlength=n_pairs)
    return scores, information


def _refusal() -> str:
    return f"{WISH}; pairs have an effect over periods here. Use correction='clusters', or 'weidner-zylkin' for PPML."
