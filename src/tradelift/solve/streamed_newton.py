"""PPML a few periods at a time: the steps of `profile`, each over one reading of the parts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.newton import Step, add, climb
from tradelift.solve.profile import TIGHT, Solved, effects_of, slabs_of, start_of
from tradelift.solve.slabs import Cut, Slab

Floats = NDArray[Any]
Cuts = Callable[[], Iterator[list[Cut]]]

FAR = 20.0  # of a linear index: the first part alone does not tell where to start


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Streamed:
    """
    A solution with effects by part, each as `Solved` has them.

    Parameters
    ----------
    coefficients
        Shape (K,).
    parts
        Their effects, near those at the coefficients: `settle` finds them.
    spread
        Largest absolute value of each regressor about its centre, shape (K,).
    steps
        Newton steps, each a reading.
    """

    coefficients: Floats
    parts: list[Solved]
    spread: Floats
    steps: int

    def settle(self, n: int, slabs: Sequence[Slab]) -> Solved:
        """Solve for the effects of a part at the coefficients."""
        state = replace(self.parts[n], coefficients=self.coefficients)
        effects_of(list(slabs), state, self.spread).solve(self.coefficients, TIGHT)
        return state


def solve_streamed(cuts: Cuts, spread: Floats) -> Streamed:
    """
    Maximise the Poisson likelihood.

    Parameters
    ----------
    cuts
        Gives the pieces of each part, the same at each call.
    spread
        As in `Streamed`.

    Raises
    ------
    ConvergenceError
        If Newton's method does not settle.
    """
    zero = np.zeros(len(spread))
    first = Parts(cuts=lambda: islice(cuts(), 1), parts=[], spread=spread)
    rough = climb(first, zero, spread, TIGHT, rough=True) if len(spread) else None
    starts = [zero]
    if rough is not None and np.abs(rough.coefficients * spread).max(initial=0.0) <= FAR:
        starts.insert(0, rough.coefficients)
    for start in starts:
        effects = Parts(cuts=cuts, parts=[], spread=spread)
        found = climb(effects, start, spread, TIGHT)
        if found is not None:
            return Streamed(coefficients=found.coefficients, parts=effects.parts, spread=spread, steps=found.steps)
    msg = (
        "PPML did not converge: the score does not vanish. Rescale the outcome or the regressors, drop regressors that "
        "are large or nearly collinear."
    )
    raise ConvergenceError(msg)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """
    The effects of parts that are read anew at each step, as Newton's method wants them.

    Parameters
    ----------
    cuts
        Gives the pieces of each part.
    parts
        The effects of those read before, changed in place.
    spread
        As in `Streamed`.
    """

    cuts: Cuts
    parts: list[Solved]
    spread: Floats

    def solve(self, beta: Floats, enough: float) -> Step | None:
        """Read all parts once and solve for their effects."""
        return add(self._steps(beta, enough), len(beta))

    def _steps(self, beta: Floats, enough: float) -> Iterator[Step | None]:
        for n, pieces in enumerate(self.cuts()):
            if n == len(self.parts):
                self.parts.append(start_of(pieces, len(beta)))
            yield effects_of(slabs_of(pieces), self.parts[n], self.spread).solve(beta, enough)

    def shift(self, move: Floats) -> None:
        """Move the effects along with the coefficients."""
        for part in self.parts:
            for effects, slopes in ((part.rows, part.row_parts), (part.columns, part.column_parts)):
                for own, slope in zip(effects, slopes, strict=True):
                    np.multiply(own, np.exp(-(slope @ move)), out=own)
