"""PPML a few periods at a time: the steps of `profile`, each over one reading of the parts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.profile import (
    LONGEST,
    LOOSE,
    MAX_HALVINGS,
    MAX_STEPS,
    NEAR,
    SETTLED,
    SLACK,
    TIGHT,
    Solved,
    Step,
    _slabs,
    _start,
    _step,
    flows_of,
)
from tradelift.solve.slabs import Cut, Slab, each, periods

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
        each(partial(_step, state, self.spread, self.coefficients, TIGHT), slabs, each(flows_of, slabs))
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
    first = _newton(lambda: islice(cuts(), 1), zero, spread, rough=True) if len(spread) else None
    starts = [zero]
    if first is not None and np.abs(first.coefficients * spread).max(initial=0.0) <= FAR:
        starts.insert(0, first.coefficients)
    for start in starts:
        found = _newton(cuts, start, spread, rough=False)
        if found is not None:
            return found
    msg = (
        "PPML did not converge: the score does not vanish. Rescale the outcome or the regressors, drop regressors that "
        "are large or nearly collinear."
    )
    raise ConvergenceError(msg)


def _newton(cuts: Cuts, beta: Floats, spread: Floats, *, rough: bool) -> Streamed | None:
    """Newton steps until the score asks for none; the last that it asks for is taken too."""
    move, size, before, halvings = np.zeros_like(beta), 1.0, -np.inf, 0
    parts: list[Solved] = []
    for step in range(1, MAX_STEPS + 1):
        tight = not rough and (size <= NEAR or not len(beta))
        enough = TIGHT if tight else min(LOOSE, size / 10)
        here = _read(cuts, parts, beta, spread, enough)
        if not here.found:
            return None
        if here.likelihood < before - SLACK * abs(before) - (0 if tight else enough**2 * abs(before)):
            halvings += 1
            if halvings > MAX_HALVINGS:
                return None
            move = move / 2
            beta = beta - move
            _shift(parts, -move)
            continue
        before = here.likelihood
        asked = _move(here)
        if asked is None:
            return None
        size = float(np.abs(asked * spread).max(initial=0.0))
        move = asked * min(1.0, LONGEST / size) if size else asked
        beta = beta + move
        _shift(parts, move)
        if size <= (NEAR * 10 if rough else SETTLED) and (tight or rough):
            return Streamed(coefficients=beta, parts=parts, spread=spread, steps=step)
    return None


def _read(cuts: Cuts, parts: list[Solved], beta: Floats, spread: Floats, enough: float) -> Step:
    """Read all parts once: solve for their effects and sum up what a step needs."""
    k = len(beta)
    score, information, likelihood, found = np.zeros(k), np.zeros((k, k)), 0.0, True
    for n, pieces in enumerate(cuts()):
        if n == len(parts):
            parts.append(_start(pieces, k))
        slabs = _slabs(pieces, [periods(c.piece) for c in pieces])
        for s in each(partial(_step, parts[n], spread, beta, enough), slabs, each(flows_of, slabs)):
            score += s.score
            information += s.information
            likelihood += s.likelihood
            found &= s.found
    return Step(score=score, information=information, likelihood=likelihood, found=found)


def _move(step: Step) -> Floats | None:
    try:
        move = np.linalg.solve(step.information, step.score)
    except np.linalg.LinAlgError:
        return None
    return move if np.isfinite(move).all() else None


def _shift(parts: Sequence[Solved], move: Floats) -> None:
    """Move the effects along with the coefficients."""
    for part in parts:
        for effects, slopes in ((part.rows, part.row_parts), (part.columns, part.column_parts)):
            for own, slope in zip(effects, slopes, strict=True):
                np.multiply(own, np.exp(-(slope @ move)), out=own)
