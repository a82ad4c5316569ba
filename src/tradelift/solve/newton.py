"""Newton's method on the coefficients, for every path of PPML: the effects are solved for at each step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

MAX_STEPS = 60
LOOSE = 1e-2  # how near the effects are solved for while steps are long
NEAR = 1e-4  # a step that short, in units of the linear index, is followed by a tight one
SETTLED = 1e-10  # last step, in the same units: the effects are shifted along, what is net of them is off by as much
LONGEST = 2.0  # first step, in the same units; each that goes up may be followed by one twice as long
BEYOND = 600.0  # of a linear index: its exponential overflows, and no data ask for it
SLACK = 1e-10  # fall of the likelihood that rounding explains, relative


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """What a step needs at some coefficients: score (K,), information (K, K), log likelihood but for constants."""

    score: Floats
    information: Floats
    likelihood: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summit:
    """Coefficients (K,) at which the score asks for no step, the information there (K, K), and the steps taken."""

    coefficients: Floats
    information: Floats
    steps: int


class Effects(Protocol):
    """Effects that can be solved for at given coefficients."""

    def solve(self, beta: Floats, enough: float) -> Step | None:
        """Solve for the effects as near as `enough`, from where they are; None where that fails."""
        ...

    def shift(self, move: Floats) -> None:
        """Move the effects along with the coefficients."""
        ...


def add(steps: Iterable[Step | None], k: int) -> Step | None:
    """Sum up what parts add, in their order; None where one of them failed."""
    score, information, likelihood, found = np.zeros(k), np.zeros((k, k)), 0.0, True
    for step in steps:
        if step is None:
            found = False
            continue
        score += step.score
        information += step.information
        likelihood += step.likelihood
    return Step(score=score, information=information, likelihood=likelihood) if found else None


def climb(effects: Effects, start: Floats, spread: Floats, tightest: float, *, rough: bool = False) -> Summit | None:
    """
    Step until the score asks for no step, or for one that rounding explains.

    Parameters
    ----------
    effects
        Changed in place.
    start
        Coefficients, shape (K,).
    spread
        Largest absolute value of each regressor, shape (K,): what a step means for the linear index.
    tightest
        How near the effects are solved for at the end.
    rough
        Stop early, for a start elsewhere.

    Returns
    -------
    Where it ends, or None where it does not settle.
    """
    beta, move, size, before, careful = start, np.zeros_like(start), 1.0, -np.inf, not len(start)
    limit, last = LONGEST, np.inf
    for step in range(1, MAX_STEPS + 1):
        tight = careful or (not rough and size <= NEAR)
        enough = tightest if tight else min(LOOSE, size / 10)
        here = effects.solve(beta, enough)
        if here is None:
            return None
        if here.likelihood < before - (SLACK + (0.0 if tight else enough**2)) * abs(before):
            move, careful, limit = move / 2, True, LONGEST
            beta = beta - move
            effects.shift(-move)
            continue
        if not tight and np.linalg.eigvalsh(here.information)[0] <= 0:
            careful = True  # the effects are not near enough to tell where to go
            continue
        before = here.likelihood
        asked = _asked(here)
        if asked is None:
            return None
        size = float(np.abs(asked * spread).max(initial=0.0))
        if tight and not rough and (size <= SETTLED or last / 2 <= size <= NEAR):
            effects.shift(asked)  # so short that the effects need not be solved for again
            return Summit(coefficients=beta + asked, information=here.information, steps=step)
        last = size if tight else np.inf  # two tight steps of one size: rounding asks for no less
        move = asked * min(1.0, limit / size) if size else asked
        limit *= 2  # the last step went up
        beta = beta + move
        if float(np.abs(beta) @ spread) > BEYOND:
            return None
        effects.shift(move)
        if rough and size <= LOOSE:
            return Summit(coefficients=beta, information=here.information, steps=step)
    return None


def _asked(here: Step) -> Floats | None:
    try:
        move = np.linalg.solve(here.information, here.score)
    except np.linalg.LinAlgError:
        return None
    return move if np.isfinite(move).all() else None
