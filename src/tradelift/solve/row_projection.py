"""Weighted projection on any fixed effects of rows, through pyfixest: the only place that knows it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError

Floats = NDArray[Any]
Ints = NDArray[Any]

ROUNDS = 10
EXACT = 1e-12  # of the group sums that a projection leaves, relative to what they were sums of
ENOUGH = 1e-9  # the same, where rounding allows no more
FAST_ROUNDS = 2
FAST_TOLERANCE = 1e-10
FAST_STEPS = 1_000
ROUGHLY = 1e-2  # of a rough projection's share, as the tolerance of its steps
STEADY_TOLERANCE = 1e-12
MAX_STEPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowEffects:
    """
    The projection for one set of weights.

    Parameters
    ----------
    codes
        Codes of each effect without gaps, shape (N,) each; at least one.
    weights
        Shape (N,), positive.
    """

    codes: tuple[Ints, ...]
    weights: Floats

    def residual(self, values: Floats, rough: float = 0.0) -> Floats:
        """
        Net out the effects.

        Parameters
        ----------
        values
            Shape (K, N).
        rough
            Share of the group sums that may be left; 0 for as exact as can be.

        Returns
        -------
        Shape (K, N).

        Raises
        ------
        ConvergenceError
            If the effects cannot be told apart to working precision.
        """
        out = np.array(values, dtype=np.float64)
        if not out.size:
            return out
        scale = self._largest_sums(np.abs(out))
        for turn in range(ROUNDS):
            todo = self._largest_sums(out) > max(rough, EXACT) * scale
            if not todo.any():
                return out
            # one size for all columns, for the solver's tolerance is partly absolute
            size = np.abs(out[todo]).max(axis=1, keepdims=True)
            columns = np.ascontiguousarray((out[todo] / size).T)
            out[todo] = self._demean(columns, rough=rough, steady=turn >= FAST_ROUNDS).T * size
        if np.all(self._largest_sums(out) <= ENOUGH * scale):
            return out
        msg = (
            "The fixed effects cannot be solved to working precision: observations of very different weight meet in "
            "them. Use coarser effects or a sample without the smallest flows."
        )
        raise ConvergenceError(msg)

    def _demean(self, columns: Floats, *, rough: float, steady: bool) -> Floats:
        """Alternating projections, which are fast where effects mix well, or least squares with a preconditioner."""
        from pyfixest.core.demean import demean, demean_within

        factors = np.stack(self.codes, axis=1)
        if steady:
            net = demean_within(columns, factors.astype(np.uint32), self.weights, STEADY_TOLERANCE, MAX_STEPS)[0]
        else:
            net = demean(
                columns, factors.astype(np.uint64), self.weights, max(rough * ROUGHLY, FAST_TOLERANCE), FAST_STEPS
            )[0]
        return np.asarray(net)

    def _largest_sums(self, values: Floats) -> Floats:
        """Largest absolute weighted sum by group of any effect, shape (K,)."""
        sums = [[np.abs(np.bincount(c, weights=self.weights * v)).max() for c in self.codes] for v in values]
        return np.asarray(np.max(sums, axis=1))
