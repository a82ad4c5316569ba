"""Weighted projection on origin-period and destination-period effects, exact, all periods at once."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError

Floats = NDArray[Any]

ROUNDS = 20
EXACT = 1e-13  # of the sums that a projection leaves, relative to what they were sums of
FLAT = 1e-14  # curvature of a direction, relative to its own weight
CLOSE = 1e-8  # of the residual of the conjugate gradients in one round; rounds refine it
MAX_ITERATIONS = 20  # of the conjugate gradients, times the number of destinations


class Projection(Protocol):
    """What nets effects out of values, for one set of weights."""

    def residual(self, values: Floats) -> Floats:
        """Values of shape (K, ...) net of the effects."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoWay:
    """
    The projection for one set of weights.

    The normal equations of the two effects are solved by conjugate gradients on their Schur complement on the
    destinations, all periods and regressors at once. Its null space (a constant a connected component) cancels between
    the two effects.

    Parameters
    ----------
    weights
        Shape (T, I, J), not negative; 0 off the sample.
    inverse_rows, inverse_columns
        One over the weights' sums by origin and by destination and period, 0 where they vanish, shapes (T, I) and
        (T, J).
    """

    weights: Floats
    inverse_rows: Floats
    inverse_columns: Floats

    def residual(self, values: Floats) -> Floats:
        """
        Net out the effects.

        Parameters
        ----------
        values
            Shape (K, T, I, J), or (K, 1, I, J) for values that do not move in time.

        Returns
        -------
        Shape (K, T, I, J).

        Raises
        ------
        ConvergenceError
            If the effects cannot be told apart to working precision.
        """
        w = self.weights
        out = np.empty((len(values), *w.shape))
        out[...] = values
        scale = [float(np.abs(w * v).sum(axis=1).max(initial=0.0)) for v in out]
        for _ in range(ROUNDS):
            rows = np.stack([np.einsum("tij,tij->ti", w, v) for v in out], axis=-1) if len(out) else np.zeros((0, 0, 0))
            columns = np.stack([np.einsum("tij,tij->tj", w, v) for v in out], axis=-1) if len(out) else rows
            left = [max(np.abs(rows[..., k]).max(), np.abs(columns[..., k]).max()) for k in range(len(out))]
            if all(a <= EXACT * b for a, b in zip(left, scale, strict=True)):
                return out
            rows = rows * self.inverse_rows[..., None]
            q = self._solve(columns - np.matmul(w.transpose(0, 2, 1), rows), EXACT / 4 * np.array(scale))
            p = rows - np.matmul(w, q) * self.inverse_rows[..., None]
            for k in range(len(out)):
                out[k] -= p[:, :, None, k]
                out[k] -= q[:, None, :, k]
        if all(a <= np.sqrt(EXACT) * b for a, b in zip(left, scale, strict=True)):
            return out  # as exact as these weights allow
        msg = "The fixed effects cannot be solved to working precision: flows of very different size meet in a period."
        raise ConvergenceError(msg)

    def _solve(self, target: Floats, enough: Floats) -> Floats:
        """Conjugate gradients for each period and regressor on its own, shape (T, J, K), to a residual of `enough`."""
        w, scaled = self.weights.transpose(0, 2, 1), self.weights * self.inverse_rows[:, :, None]
        inverse = self.inverse_columns[..., None]
        columns = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=inverse > 0)
        x, residual = np.zeros_like(target), target
        direction = z = residual * inverse
        power = (residual * z).sum(axis=1, keepdims=True)
        stop = np.maximum(CLOSE * np.abs(target).max(axis=1, keepdims=True, initial=0.0), enough)
        for _ in range(MAX_ITERATIONS * target.shape[1]):
            weight = direction * columns
            image = weight - np.matmul(w, np.matmul(scaled, direction))
            curve = (direction * image).sum(axis=1, keepdims=True)
            # a direction without curvature is a constant a component, which does not matter
            active = np.abs(residual).max(axis=1, keepdims=True, initial=0.0) > stop
            active &= curve > FLAT * (direction * weight).sum(axis=1, keepdims=True)
            if not active.any():
                break
            step = np.divide(power, curve, out=np.zeros_like(power), where=active)
            x += step * direction
            residual = residual - step * image
            z = residual * inverse
            before, power = power, (residual * z).sum(axis=1, keepdims=True)
            direction = z + np.divide(power, before, out=np.zeros_like(power), where=active) * direction
        return x


def two_way(weights: Floats) -> TwoWay:
    """
    Prepare the projection.

    Parameters
    ----------
    weights
        Shape (T, I, J), not negative; 0 off the sample.
    """
    rows, columns = weights.sum(axis=2), weights.sum(axis=1)
    return TwoWay(
        weights=weights,
        inverse_rows=np.divide(1.0, rows, out=np.zeros_like(rows), where=rows > 0),
        inverse_columns=np.divide(1.0, columns, out=np.zeros_like(columns), where=columns > 0),
    )
