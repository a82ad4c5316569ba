"""OLS with two-way effects on dense blocks, slab by slab."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled, kernel
from tradelift.solve.profile import Solved, slabs_of
from tradelift.solve.projection import CannotTellError, net_limits, net_of_effects
from tradelift.solve.slabs import Cut, Slab, each

Floats = NDArray[Any]


def solve(cuts: Sequence[Cut]) -> Solved:
    """
    Estimate; the effects of the outcome and of the regressors are found once.

    Parameters
    ----------
    cuts
        The pieces.

    Raises
    ------
    ConvergenceError
        If the effects cannot be told apart to working precision.
    """
    k = len(cuts[0].regressors)
    shapes = [c.piece.outcome.shape for c in cuts]
    rows = [np.zeros((t, i, k + 1)) for t, i, _ in shapes]
    columns = [np.zeros((t, j, k + 1)) for t, _, j in shapes]
    slabs = slabs_of(cuts)
    crosses = each(partial(cross, rows, columns), slabs)
    total = sum(crosses, np.zeros((k + 1, k + 1)))
    beta = np.linalg.solve(total[:k, :k], total[:k, k]) if k else np.zeros(0)
    return solved_at(beta, rows, columns)


def solved_at(beta: Floats, rows: Sequence[Floats], columns: Sequence[Floats]) -> Solved:
    """
    Take the regressors' part out of the effects of the outcome.

    Parameters
    ----------
    beta
        Coefficients, shape (K,).
    rows, columns
        By piece, effects in the K regressors and, last, the outcome: shapes (T, I, K + 1) and (T, J, K + 1).
    """
    k = len(beta)
    return Solved(
        coefficients=beta,
        rows=[r[..., k] - r[..., :k] @ beta for r in rows],
        columns=[c[..., k] - c[..., :k] @ beta for c in columns],
        row_parts=[r[..., :k] for r in rows],
        column_parts=[c[..., :k] for c in columns],
        steps=1,
        path="tensor",
    )


def cross(rows: Sequence[Floats], columns: Sequence[Floats], slab: Slab) -> Floats:
    """Cross products of the regressors and the outcome net of effects; the effects are kept."""
    if compiled.loaded():
        return _compiled_cross(rows, columns, slab)
    values = np.empty((len(slab.regressors) + 1, *slab.shape))
    for out, x in zip(values, slab.regressors, strict=False):
        out[...] = x
    values[-1] = slab.raw if slab.offset is None else slab.raw - slab.offset
    weights = np.ones(slab.shape) if slab.weights is None else slab.weights
    p, q = net_of_effects(weights, values)
    rows[slab.piece][slab.periods], columns[slab.piece][slab.periods] = p, q
    flat = values.reshape(len(values), -1)
    weighted = flat if slab.weights is None else flat * slab.weights.ravel()
    return np.asarray(weighted @ flat.T)


def _compiled_cross(rows: Sequence[Floats], columns: Sequence[Floats], slab: Slab) -> Floats:
    found = kernel.least_squares(slab, net_limits(slab))
    if found is None:
        raise CannotTellError
    rows[slab.piece][slab.periods], columns[slab.piece][slab.periods], products = found
    return products
