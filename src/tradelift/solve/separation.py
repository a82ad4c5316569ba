"""Exact separation by regressors: zero flows that some combination of regressors and effects fits perfectly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, eye_array, hstack
from scipy.sparse.csgraph import connected_components

from tradelift.errors import ConvergenceError
from tradelift.solve.projection import two_way

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

FULL_RANK = 1e-9  # share of a scaled regressor's variation below which a direction counts as fitted
ZERO = 1e-7  # of a scaled combination at a zero flow
CLOSE_TO_ONE = 0.5


def separated_by_regressors(
    positive: Sequence[Bools], sample: Sequence[Bools], regressors: Sequence[Floats]
) -> list[Bools]:
    """
    Find separated zero flows.

    Only a combination that is a sum of effects on all positive flows can separate, so nothing is left to do where
    the regressors keep full rank on them: the usual case, settled on one period of each block. Otherwise a linear
    program finds the largest set of zero flows at which such a combination is negative and nowhere positive.

    Parameters
    ----------
    positive, sample
        Positive outcomes and observations by piece, shape (T, I, J); separation by effects is already gone.
    regressors
        By piece, shape (K, T, I, J) or (K, 1, I, J); not collinear on the sample.

    Returns
    -------
    The separated observations by piece, shape (T, I, J).

    References
    ----------
    Correia, Guimaraes and Zylkin (2021), Verifying the existence of maximum likelihood estimates for generalized
    linear models.
    """
    none = [np.zeros_like(s) for s in sample]
    if regressors[0].shape[0] == 0 or not any((s & ~p).any() for s, p in zip(sample, positive, strict=True)):
        return none
    scale = _scale(sample, regressors)
    scaled = [x / scale[:, None, None, None] for x in regressors]
    if _null_space(*_richest_period(positive, scaled)).shape[1] == 0:
        return none
    free = _null_space(positive, scaled)
    if free.shape[1] == 0:
        return none
    return _program(positive, sample, [np.tensordot(free.T, x, 1) for x in scaled])


def _scale(sample: Sequence[Bools], regressors: Sequence[Floats]) -> Floats:
    """Largest absolute value of each regressor on the sample, shape (K,)."""
    peaks = [np.abs(np.where(s, x, 0.0)).max(axis=(1, 2, 3)) for s, x in zip(sample, regressors, strict=True)]
    peak = np.max(peaks, axis=0)
    out: Floats = np.where(peak > 0, peak, 1.0)
    return out


def _richest_period(positive: Sequence[Bools], regressors: Sequence[Floats]) -> tuple[list[Bools], list[Floats]]:
    """The period of each piece with the most positive flows."""
    periods = [int(p.sum(axis=(1, 2)).argmax()) for p in positive]
    masks = [p[t : t + 1] for p, t in zip(positive, periods, strict=True)]
    values = [x if x.shape[1] == 1 else x[:, t : t + 1] for x, t in zip(regressors, periods, strict=True)]
    return masks, values


def _null_space(positive: Sequence[Bools], regressors: Sequence[Floats]) -> Floats:
    """Directions of the regressors that the effects explain on all positive flows, shape (K, d)."""
    k = regressors[0].shape[0]
    cross = np.zeros((k, k))
    count = sum(int(p.sum()) for p in positive)
    for mask, x in zip(positive, regressors, strict=True):
        w = mask.astype(np.float64)
        flat = two_way(w).residual(x).reshape(k, -1) * w.ravel()
        cross += flat @ flat.T / max(count, 1)
    values, vectors = np.linalg.eigh(cross)
    return np.asarray(vectors[:, values <= FULL_RANK])


def _program(positive: Sequence[Bools], sample: Sequence[Bools], directions: Sequence[Floats]) -> list[Bools]:
    """Maximise the number of zero flows at which a free combination is at most -1, none above 0."""
    from scipy.optimize import linprog  # slow to load, and seldom needed

    left, shifts, n_shifts = [], [], 0
    for mask, kept, x in zip(positive, sample, directions, strict=True):
        net = two_way(mask.astype(np.float64)).residual(x)
        zero = kept & ~mask
        left.append(np.moveaxis(net, 0, -1)[zero])
        shift, n_shifts = _shifts(mask, zero, n_shifts)
        shifts.append(shift)
    z = np.concatenate(left)
    n, d = z.shape
    ends = np.concatenate(shifts, axis=1)
    rows = np.tile(np.arange(n), 2)
    signs = np.repeat([1.0, -1.0], n)
    constants = coo_array((signs, (rows, ends.ravel())), shape=(n, max(n_shifts, 1)))
    constraints = hstack([csr_array(np.where(np.abs(z) > ZERO, z, 0.0)), constants, eye_array(n)], format="csr")
    bounds = [(None, None)] * (d + max(n_shifts, 1)) + [(0.0, 1.0)] * n
    cost = np.concatenate([np.zeros(d + max(n_shifts, 1)), -np.ones(n)])
    solution = linprog(cost, A_ub=constraints, b_ub=np.zeros(n), bounds=bounds, method="highs")
    if solution.x is None:
        msg = f"The search for separated observations failed: {solution.message}."
        raise ConvergenceError(msg)
    found = solution.x[-n:] > CLOSE_TO_ONE
    out, start = [], 0
    for mask, kept in zip(positive, sample, strict=True):
        zero = kept & ~mask
        flags = np.zeros_like(kept)
        stop = start + int(zero.sum())
        flags[zero] = found[start:stop]
        out.append(flags)
        start = stop
    return out


def _shifts(positive: Bools, zero: Bools, first: int) -> tuple[Ints, int]:
    """Component of the origin and of the destination of each zero flow, shape (2, n): each may move by a constant."""
    origin, destination = np.zeros(zero.shape, dtype=np.int64), np.zeros(zero.shape, dtype=np.int64)
    for t in range(len(positive)):
        i, j = np.nonzero(positive[t])
        n_rows, n_columns = positive.shape[1:]
        graph = coo_array((np.ones(len(i)), (i, j + n_rows)), shape=(n_rows + n_columns,) * 2)
        n, label = connected_components(graph, directed=False)
        origin[t] = (first + label[:n_rows])[:, None]
        destination[t] = (first + label[n_rows:])[None, :]
        first += n
    return np.stack([origin[zero], destination[zero]]), first
