"""
Which zero flows are separated, at any size: a circulation proves that none is, a combination that some are.

A combination of effects and regressors separates zero flows if it is 0 on all positive flows, nowhere negative, and
positive on those. A circulation gives weights to the flows, of either sign where they are positive, such that the
weighted sums over every group of every effect, and of every regressor, vanish. Either a circulation is positive on all
zero flows, or a combination separates some of them, and never both (Farkas). So the search minimises the squares of
what weights lack of 1: what a circulation must lack is a combination that separates.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.row_projection import RowEffects
from tradelift.solve.sample import code_separated
from tradelift.solve.separation import FULL_RANK

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

FREE = 10.0  # how much more readily the weights of free flows change, which are fewer and make up for the others
ROUGH = 1e-4  # of the sums that a projection leaves, while the search goes on
MARGIN = 0.05  # weight of every zero flow that proves a circulation, whose sums vanish to 1e-12 of their parts
SETTLED = 1e-2  # share of what is lacking that a step can still mend, below which a combination may be read off
HARDLY = 1e-12  # the same, below which nothing more will be learned
ZERO = 1e-7  # of a combination's largest value: what it may miss 0 by
EXACT = 1e-9  # of a combination's size: what polishing leaves of it
POSITIVE = 1e-5  # of its largest value: what separates a flow
LONGEST = 100.0  # step, where 1 is enough if nothing hinders: longer ones follow noise
LARGEST = 1e6  # weight of a flow beyond which the sums of a circulation prove nothing
MAX_STEPS = 400
MAX_POLISH = 200
MAX_CUTS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Circulations:
    """
    The plane of all circulations, and the way to the nearest.

    Parameters
    ----------
    effects
        With weights that say how readily each flow's weight changes.
    net
        Regressors net of the effects, orthonormal in these weights, shape (K, N).
    """

    effects: RowEffects
    net: Floats

    def of(self, values: Floats, rough: float = 0.0) -> Floats:
        """Take what effects and regressors leave of values (N,), weighted: a circulation, 0 for a combination."""
        left = self.effects.residual(values[None], rough)[0]
        left -= (self.net @ (self.effects.weights * left)) @ self.net
        return np.asarray(self.effects.weights * left)


def separated_flows(positive: Bools, asked: Bools, regressors: Floats, codes: tuple[Ints, ...]) -> Bools | None:
    """
    Find separated zero flows.

    Parameters
    ----------
    positive
        Where the outcome is positive, shape (N,).
    asked
        Zero flows that may be separated, shape (N,); those neither positive nor asked about are known not to be.
    regressors
        Shape (N, K), of size about 1.
    codes
        Codes of each effect, shape (N,) each.

    Returns
    -------
    Shape (N,), or None where the search does not settle it.

    References
    ----------
    Correia, Guimaraes and Zylkin (2021), Verifying the existence of maximum likelihood estimates for generalized
    linear models.
    """
    out = np.zeros(len(positive), dtype=bool)
    while True:
        left = np.flatnonzero(~out)
        empty = code_separated(positive[left].astype(np.float64), tuple(c[left] for c in codes))
        out[left[empty]] = True
        left = left[~empty]
        if not asked[left].any():
            return out
        try:
            found = _search(asked[left], regressors[left], tuple(_without_gaps(c[left]) for c in codes))
        except ConvergenceError:  # the effects cannot be told apart to working precision
            return None
        if found is None:
            return None
        if not found.any():
            return out
        out[left[found]] = True


def _plane(weights: Floats, regressors: Floats, codes: tuple[Ints, ...]) -> Circulations:
    effects = RowEffects(codes=codes, weights=weights)
    net = effects.residual(regressors.T)
    values, vectors = np.linalg.eigh((net * weights) @ net.T)
    seen = values > FULL_RANK * len(weights)  # what separated flows alone told apart from the effects is gone with them
    return Circulations(effects=effects, net=(vectors[:, seen] / np.sqrt(values[seen])).T @ net)


def _without_gaps(codes: Ints) -> Ints:
    used = np.bincount(codes) > 0
    return np.asarray((np.cumsum(used) - 1)[codes])


def _search(asked: Bools, regressors: Floats, codes: tuple[Ints, ...]) -> Bools | None:
    """Conjugate gradients towards a circulation of at least 1 on what is asked; flows found separated, or None."""
    weights = np.where(asked, 1.0, FREE)
    plane, even = (_plane(w, regressors, codes) for w in (weights, np.ones(len(asked))))  # even: sooner exact
    w = plane.of(np.where(asked, 1.0, -asked.sum() / (~asked * weights).sum()), ROUGH)
    towards, before, gain_before, enough = np.zeros_like(w), np.zeros_like(w), 1.0, SETTLED
    for _ in range(MAX_STEPS):
        if w[asked].min() > MARGIN:
            w = even.of(w)
            if w[asked].min() > MARGIN and np.abs(w).max() < LARGEST:
                return np.zeros_like(asked)
        lack = np.where(asked, np.maximum(1 - w, 0.0), 0.0)
        step = plane.of(lack, ROUGH * enough / SETTLED)
        gain = max(float(step @ lack), 0.0)
        if gain <= enough * float(lack @ lack):
            found = _combination(even, lack, np.sqrt(gain))
            enough *= 0.1
            if found is not None or enough < HARDLY:
                return found
            w, towards = even.of(w), np.zeros_like(w)  # without what rough projections left
        turn = float(step @ (lack - before)) / gain_before if gain_before > 0 else 0.0
        towards = step + max(turn, 0.0) * towards
        w = w + _length(1 - w[asked], towards[asked]) * towards
        before, gain_before = lack, gain
    return None


def _length(lack: Floats, towards: Floats) -> float:
    """Length of the step that leaves the least lacking: Newton's method on a piecewise quadratic."""
    length = 0.0
    for _ in range(MAX_CUTS):
        rest = np.maximum(lack - length * towards, 0.0)
        curvature = float(np.square(towards, where=rest > 0, out=np.zeros_like(rest)).sum())
        if curvature == 0:
            break
        length += float(rest @ towards) / curvature
    return min(max(length, 0.0), LONGEST)


def _combination(plane: Circulations, lack: Floats, noise: float) -> Bools | None:
    """Make what is lacking an exact combination that is 0 elsewhere; where it is positive, or None if it is none."""
    among = lack > max(noise, POSITIVE * float(lack.max()))
    values = np.where(among, lack, 0.0)

    def missed(own: Floats) -> Floats:
        return np.where(among, plane.of(own), 0.0)

    # conjugate gradients to the nearest combination that is 0 off these flows
    left = missed(values)
    towards, size = left, float(left @ left)
    for _ in range(MAX_POLISH):
        if size <= EXACT**2 * float(values @ values):
            break
        along = missed(towards)
        length = size / float(towards @ along)
        values, left = values - length * towards, left - length * along
        before, size = size, float(left @ left)
        towards = left + size / before * towards
    peak = float(values.max(initial=0.0))
    if peak <= noise or values.min() < -ZERO * peak or float(np.abs(plane.of(values)).max()) > ZERO * peak:
        return None
    return np.asarray(values > POSITIVE * peak)
