"""Weighted projection on origin-period and destination-period effects, exact, a few periods at a time."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve import compiled, kernel
from tradelift.solve.slabs import CELLS, Slab, by_column, by_row, inverse, row_sums

Floats = NDArray[Any]

ROUNDS = 20
EXACT = 1e-13  # of the sums that a projection leaves, relative to what they were sums of
FLAT = 1e-14  # curvature of a direction, relative to its own weight
CLOSE = 1e-13  # of the residual of the conjugate gradients in one round; rounds refine it
MAX_ITERATIONS = 20  # of the conjugate gradients, times the number of destinations


class CannotTellError(ConvergenceError):
    """The effects of a period cannot be told apart."""

    def __init__(self) -> None:
        super().__init__(
            "The fixed effects cannot be solved to working precision: flows of very different size meet in a period."
        )


def net_limits(slab: Slab) -> tuple[float, float, float, int, int]:
    """How near the compiled loops net effects out: as `net_of_effects` does."""
    return EXACT, CLOSE, FLAT, MAX_ITERATIONS * slab.shape[2], ROUNDS


class Projection(Protocol):
    """What nets effects out of values, for one set of weights."""

    def residual(self, values: Floats) -> Floats:
        """Values of shape (K, ...) net of the effects."""
        ...


def solve_effects(
    weights: Floats,
    margins: tuple[Floats, Floats],
    rows: Floats,
    columns: Floats,
    start: Floats,
    enough: Floats,
    relative: float = 0.0,
) -> tuple[Floats, Floats]:
    """
    Solve the normal equations of origin and destination effects, for each period and right side on its own.

    Conjugate gradients on the Schur complement on the destinations. Its null space (a constant a connected component)
    cancels between the two effects.

    Parameters
    ----------
    weights
        Shape (t, I, J), not negative.
    margins
        Their sums by origin and by destination, shapes (t, I) and (t, J).
    rows, columns
        Weighted sums of the values by origin and by destination, shapes (t, I, K) and (t, J, K).
    start
        Destination effects to start from, shape (t, J, K).
    enough
        Residual of the equations at which a right side is solved, shape (K,) or (t, 1, K); not below rounding, since
        noise has a part in the null space.
    relative
        The same, as a share of the right side's largest value in each period.

    Returns
    -------
    Origin and destination effects, shapes (t, I, K) and (t, J, K).
    """
    if compiled.loaded():
        given = np.ascontiguousarray(weights), (np.ascontiguousarray(margins[0]), np.ascontiguousarray(margins[1]))
        sums = np.ascontiguousarray(rows), np.ascontiguousarray(columns)
        return kernel.effects(*given, sums, start, enough, relative, (FLAT, MAX_ITERATIONS))
    column_weight = margins[1][..., None]
    row_inverse, column_inverse = inverse(margins[0])[..., None], inverse(column_weight)
    turned = weights.transpose(0, 2, 1)
    scaled = rows * row_inverse
    target = columns - np.matmul(turned, scaled)
    x = start.copy()
    residual = target
    if x.any():
        residual = target - (x * column_weight - np.matmul(turned, np.matmul(weights, x) * row_inverse))
    stop = np.maximum(relative * np.abs(target).max(axis=1, keepdims=True, initial=0.0), enough)
    direction = z = residual * column_inverse
    power = (residual * z).sum(axis=1, keepdims=True)
    for _ in range(MAX_ITERATIONS * target.shape[1]):
        active = np.abs(residual).max(axis=1, keepdims=True, initial=0.0) > stop
        if not active.any():
            break
        weight = direction * column_weight
        image = weight - np.matmul(turned, np.matmul(weights, direction) * row_inverse)
        curve = (direction * image).sum(axis=1, keepdims=True)
        # a direction without curvature is a constant a component, which does not matter
        active &= curve > FLAT * (direction * weight).sum(axis=1, keepdims=True)
        if not active.any():
            break
        step = np.divide(power, curve, out=np.zeros_like(power), where=active)
        x += step * direction
        residual = residual - step * image
        z = residual * column_inverse
        before, power = power, (residual * z).sum(axis=1, keepdims=True)
        direction = z + np.divide(power, before, out=np.zeros_like(power), where=active) * direction
    return scaled - np.matmul(weights, x) * row_inverse, x


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoWay:
    """
    The projection for one set of weights.

    Parameters
    ----------
    weights
        Shape (T, I, J), not negative; 0 off the sample.
    """

    weights: Floats

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
        step = max(1, CELLS // max(w[:1].size, 1))
        if len(out):
            for t in range(0, len(w), step):
                net_of_effects(w[t : t + step], out[:, t : t + step])
        return out


def net_of_effects(weights: Floats, values: Floats) -> tuple[Floats, Floats]:
    """
    Net out the effects of a few periods in place, in rounds until the sums that should vanish do.

    Parameters
    ----------
    weights
        Shape (t, I, J), not negative.
    values
        Shape (K, t, I, J); net of the effects afterwards.

    Returns
    -------
    The effects of origins and destinations, shapes (t, I, K) and (t, J, K).

    Raises
    ------
    ConvergenceError
        If the effects cannot be told apart to working precision.
    """
    scale = np.array([by_column(weights, np.abs(v)).max(initial=0.0) for v in values])
    margins = row_sums(weights), weights.sum(axis=1)
    nothing = np.zeros((len(weights), weights.shape[2], len(values)))
    rows, columns = np.zeros((*weights.shape[:2], len(values))), nothing.copy()
    for _ in range(ROUNDS):
        of_rows = np.stack([by_row(weights, v) for v in values], axis=-1)
        of_columns = np.stack([by_column(weights, v) for v in values], axis=-1)
        left = np.maximum(_peak(of_rows), _peak(of_columns))
        if np.all(left <= EXACT * scale):
            return rows, columns
        p, q = solve_effects(weights, margins, of_rows, of_columns, nothing, EXACT / 4 * scale, CLOSE)
        rows += p
        columns += q
        for k in range(len(values)):
            values[k] -= p[:, :, None, k]
            values[k] -= q[:, None, :, k]
    if not np.all(left <= np.sqrt(EXACT) * scale):  # else it is as exact as these weights allow
        raise CannotTellError
    return rows, columns


def _peak(sums: Floats) -> Floats:
    """Largest absolute value of each right side, shape (K,)."""
    return np.asarray(np.abs(sums).max(axis=(0, 1), initial=0.0))


def two_way(weights: Floats) -> TwoWay:
    """
    Prepare the projection.

    Parameters
    ----------
    weights
        Shape (T, I, J), not negative; 0 off the sample.
    """
    return TwoWay(weights=weights)
