"""Exact separation of rows: zero flows that some combination of regressors and effects fits perfectly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, eye_array, hstack

from tradelift.errors import ConvergenceError
from tradelift.solve.circulation import separated_flows
from tradelift.solve.row_projection import RowEffects
from tradelift.solve.separation import CLOSE_TO_ONE, FULL_RANK

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

FEW_ROWS = 1_000  # up to which the linear program is at least as fast as the search for a circulation
MOST_ROWS = 200_000  # of the linear program where the search does not end: 8 s for 28,000, no end for a million
MOST_EFFECTS = 2  # up to which the search by effects alone is exact, so that only regressors are left to ask about


def separated_rows(positive: Bools, regressors: Floats, codes: tuple[Ints, ...], known: Bools | None = None) -> Bools:
    """
    Find separated zero flows, as `separated_by_regressors` does on blocks.

    The search for a circulation settles it, whatever the size; a linear program serves where there is little to
    search, and where the search does not end.

    Parameters
    ----------
    positive
        Where the outcome is positive, shape (N,); separation by groups without trade is already gone.
    regressors
        Shape (N, K), not collinear.
    codes
        Codes of each effect, shape (N,) each.
    known
        Flows known not to be separated, shape (N,), if any.

    Returns
    -------
    Shape (N,).

    Raises
    ------
    ConvergenceError
        If neither finds an answer, or the linear program would be too large.
    """
    out = np.zeros(len(positive), dtype=bool)
    if positive.all():
        return out
    peak = np.abs(regressors).max(axis=0, initial=0.0)
    scaled = regressors / np.where(peak > 0, peak, 1.0)
    if len(codes) <= MOST_EFFECTS and _full_rank(positive, scaled, codes):
        return out
    if len(positive) > FEW_ROWS:
        asked = ~positive if known is None else ~(positive | known)
        found = separated_flows(positive, asked, scaled, codes)
        if found is not None:
            return found
    if len(positive) > MOST_ROWS:
        msg = (
            f"Whether some of {int(np.count_nonzero(~positive)):,} zero flows are separated could not be settled: the "
            f"search did not end, and the linear program takes at most {MOST_ROWS:,} observations; here are "
            f"{len(positive):,}. Leave out the regions and pairs that seldom trade, use coarser effects, or estimate "
            f"positive flows with log(...)."
        )
        raise ConvergenceError(msg)
    out[~positive] = _program(positive, scaled, codes)
    return out


def _full_rank(positive: Bools, scaled: Floats, codes: tuple[Ints, ...]) -> bool:
    """Whether no direction of the regressors is a sum of effects on all positive flows."""
    if not scaled.shape[1]:
        return True
    there = tuple(np.unique(c[positive], return_inverse=True)[1] for c in codes)
    net = RowEffects(codes=there, weights=np.ones(int(positive.sum()))).residual(scaled[positive].T)
    return bool(np.linalg.eigvalsh(net @ net.T / max(net.shape[1], 1)).min() > FULL_RANK)


def _program(positive: Bools, scaled: Floats, codes: tuple[Ints, ...]) -> Bools:
    """Maximise the number of zero flows at which a combination is at most -1, 0 on positive flows, none above 0."""
    from scipy.optimize import linprog  # slow to load, and seldom needed

    n = len(positive)
    first = np.cumsum([0, *(int(c.max(initial=-1)) + 1 for c in codes)])
    columns = np.concatenate([c + f for c, f in zip(codes, first, strict=False)])
    dummies = coo_array((np.ones(len(columns)), (np.tile(np.arange(n), len(codes)), columns)), shape=(n, first[-1]))
    design = hstack([csr_array(scaled), dummies], format="csr")
    zero = design[~positive]
    m, free = zero.shape
    solution = linprog(
        np.concatenate([np.zeros(free), -np.ones(m)]),
        A_ub=hstack([zero, eye_array(m)], format="csr"),
        b_ub=np.zeros(m),
        A_eq=hstack([design[positive], csr_array((n - m, m))], format="csr"),
        b_eq=np.zeros(n - m),
        bounds=[(None, None)] * free + [(0.0, 1.0)] * m,
        method="highs",
    )
    if solution.x is None:
        msg = f"The search for separated observations failed: {solution.message}."
        raise ConvergenceError(msg)
    return np.asarray(solution.x[-m:] > CLOSE_TO_ONE)
