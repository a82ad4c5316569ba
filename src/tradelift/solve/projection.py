"""Weighted projection on origin-period and destination-period effects, exact, all periods at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

RIDGE = 1e-9  # makes the singular Schur complement invertible; what it leaves, the next sweep removes
ROUNDS = 12
EXACT = 1e-13  # of the column sums that a projection leaves, relative to what they were sums of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoWay:
    """
    The projection for one set of weights.

    The normal equations of the two effects are solved by their Schur complement on the destinations: one small
    matrix a period. Its null space (a constant a connected component) cancels between the two effects.

    Parameters
    ----------
    weights
        Shape (T, I, J), not negative; 0 off the sample.
    inverse_rows
        One over the weights' sums by origin and period, 0 where they vanish, shape (T, I).
    inverse_schur
        Inverse of the Schur complement, shape (T, J, J).
    """

    weights: Floats
    inverse_rows: Floats
    inverse_schur: Floats

    def residual(self, values: Floats) -> Floats:
        """
        Net out the effects.

        Parameters
        ----------
        values
            Shape (..., T, I, J), or (..., 1, I, J) for values that do not move in time.

        Returns
        -------
        Shape (..., T, I, J).

        Raises
        ------
        FloatingPointError
            If the effects cannot be told apart to working precision.
        """
        out = np.empty((*values.shape[:-3], *self.weights.shape))
        for index in np.ndindex(values.shape[:-3]):
            out[index] = self._one(values[index])
        return out

    def _one(self, values: Floats) -> Floats:
        w = self.weights
        scale = np.abs(w * values).sum(axis=1).max(initial=0.0)
        rest = values
        for _ in range(ROUNDS):
            weighted = w * rest
            rows, columns = weighted.sum(axis=2), weighted.sum(axis=1)
            if np.abs(columns).max(initial=0.0) <= EXACT * scale and np.abs(rows).max(initial=0.0) <= EXACT * scale:
                break
            rows = rows * self.inverse_rows
            q = np.matmul(self.inverse_schur, (columns - np.matmul(rows[:, None, :], w)[:, 0])[..., None])[..., 0]
            p = rows - np.matmul(w, q[..., None])[..., 0] * self.inverse_rows
            rest = rest - p[:, :, None] - q[:, None, :]
        if rest is values:
            rest = np.broadcast_to(values, w.shape).copy()
        return rest


def two_way(weights: Floats) -> TwoWay:
    """
    Prepare the projection.

    Parameters
    ----------
    weights
        Shape (T, I, J), not negative; 0 off the sample.
    """
    rows, columns = weights.sum(axis=2), weights.sum(axis=1)
    inverse_rows = np.divide(1.0, rows, out=np.zeros_like(rows), where=rows > 0)
    schur = -np.matmul(weights.transpose(0, 2, 1), weights * inverse_rows[:, :, None])
    diagonal = np.where(columns > 0, columns, 1.0)
    index = np.arange(weights.shape[2])
    schur[:, index, index] += diagonal * (1 + RIDGE)
    return TwoWay(weights=weights, inverse_rows=inverse_rows, inverse_schur=np.linalg.inv(schur))
