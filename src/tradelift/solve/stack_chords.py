"""PPML on the parts of a stack with few factors: most steps reuse those of an earlier one, all periods side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.stack_bundle import Bundle, Layout, bundle, lay_out
from tradelift.solve.stack_parts import Part, Solved

Floats = NDArray[Any]
Bools = NDArray[Any]

STILL = 1e-10  # root mean square step of the index in a period at which the search ends
EXACT = 1e-12  # of the sums by effect that a projection leaves, relative to what they were sums of
FAR = 3.0  # a step of the index this long comes from a bad start
MOST_STEPS = 60
WORTH = 6  # steps that cost as much as new factors
MOST_ROUNDS = 8  # of correcting a projection with factors of nearby weights


@dataclass(slots=True, kw_only=True, eq=False)
class _State:
    """
    Where the search is on a part; arrays hold a row's periods side by side, and are changed in place.

    Parameters
    ----------
    layout
        How its rows are summed by effect.
    outcome, eta
        Shape (m, T).
    weights
        Shape (m, T) or (m, 1).
    regressors
        Shape (K, m, T) or (K, m, 1).
    mu
        Weights times fitted flows, shape (m, T).
    bundle
        Factors of all periods at some earlier weights.
    first, others
        What those weights' effects explain of the regressors, shapes (K, G, T) and (K, C, T).
    cross
        Cross products of the regressors net of them, shape (K, K).
    redundant
        By period, columns of the effects that are redundant in it alone.
    """

    layout: Layout
    outcome: Floats
    weights: Floats
    regressors: Floats
    eta: Floats
    mu: Floats
    bundle: Bundle | None = None
    first: Floats = field(default_factory=lambda: np.zeros(0))
    others: Floats = field(default_factory=lambda: np.zeros(0))
    cross: Floats = field(default_factory=lambda: np.zeros(0))
    redundant: dict[int, Bools] = field(default_factory=dict)

    def factor(self) -> bool:
        """Factor anew at the weights of now, and project the regressors; False where a period is in doubt."""
        self.bundle = bundle(self.layout, self.mu, self.redundant)
        if self.bundle is None:
            return False
        sums = [self.layout.sums(self.mu * x) for x in self.regressors]
        found = [self.bundle.solve(*pair) for pair in sums]
        k = len(self.regressors)
        self.first, self.others = _stacked([f[0] for f in found]), _stacked([f[1] for f in found])
        self.cross = np.empty((k, k))
        for a, (own, other) in enumerate(found):
            for b in range(a + 1):
                whole = float((self.mu * self.regressors[a] * self.regressors[b]).sum())
                self.cross[a, b] = self.cross[b, a] = whole - np.vdot(own, sums[b][0]) - np.vdot(other, sums[b][1])
        return True

    def net(self) -> Floats | None:
        """Regressors net of the effects at the weights of now, shape (K, m, T); None where factors are too far off."""
        assert self.bundle is not None, "it was factored"
        out = np.empty((len(self.regressors), *self.outcome.shape))
        for values, x, own, others in zip(out, self.regressors, self.first, self.others, strict=True):
            np.subtract(x, self.layout.spread(own, others), out=values)
            scale = [part.max(initial=0.0) for part in self.layout.sums(self.mu * np.abs(x))]
            for _ in range(MOST_ROUNDS):
                left = self.layout.sums(self.mu * values)
                if all(np.abs(s).max(initial=0.0) <= EXACT * most for s, most in zip(left, scale, strict=True)):
                    break
                values -= self.layout.spread(*self.bundle.solve(*left))
            else:
                return None
        return out


def with_few_factors(parts: Sequence[Part], beta: Floats, starts: Sequence[Floats]) -> tuple[Floats, list[Solved], int] | None:
    """
    Maximise the Poisson likelihood by steps that reuse factors.

    A step of Newton's method with the second derivatives of an earlier point costs one sum over the observations and a
    solution by known factors; it gains by as much as these derivatives are near. Where they gain too little, they are
    made anew. Every period's factors are summed and made together.

    Parameters
    ----------
    parts
        With several periods.
    beta
        Where to start, shape (K,).
    starts
        Index of each part, shape (T, m): a sum of effects, regressors and offset.

    Returns
    -------
    Coefficients, what is left of each part and the number of steps; None where the search leads nowhere: a slower one,
    which looks at each step, is wanted.
    """
    states = [_state(part, start) for part, start in zip(parts, starts, strict=True)]
    before, anew = np.inf, True
    for step in range(1, MOST_STEPS + 1):
        if anew and not all(state.factor() for state in states):
            return None
        move, worst = _step(states)
        beta = beta + move
        if not worst <= FAR:
            return None
        if worst <= STILL:
            return _finish(parts, states, beta, step)
        anew = _is_slow(worst, before, made=anew)
        before = worst
    return None


def _is_slow(worst: float, before: float, *, made: bool) -> bool:
    """Whether new factors cost less than the steps that the old ones still need; the first step says nothing of them."""
    if made and worst > before * 0.9:
        return True
    if not np.isfinite(before):
        return worst > 0.1
    rate = min(worst / before, 0.99)
    return bool(np.log(STILL / worst) / np.log(rate) > WORTH)


def _state(part: Part, start: Floats) -> _State:
    eta = np.ascontiguousarray(start.T)
    weights = np.ascontiguousarray(part.weights.T)
    return _State(
        layout=lay_out(part.block, part.redundant),
        outcome=np.ascontiguousarray(part.outcome.T),
        weights=weights,
        regressors=np.ascontiguousarray(part.regressors.transpose(0, 2, 1)),
        eta=eta,
        mu=weights * np.exp(eta),
    )


def _step(states: Sequence[_State]) -> tuple[Floats, float]:
    """Move the coefficients and the indices once; the change (K,), and the longest step of a period."""
    k = len(states[0].regressors)
    cross, score = np.zeros((k, k)), np.zeros(k)
    found = []
    for state in states:
        assert state.bundle is not None, "it was factored"
        error = state.weights * state.outcome - state.mu
        sums = state.layout.sums(error)
        found.append(state.bundle.solve(*sums))
        cross += state.cross
        plain = error.sum(axis=1)[:, None] if state.regressors.shape[2] == 1 else error
        score += [np.vdot(x, plain) for x in state.regressors]
        score -= [np.vdot(a, sums[0]) + np.vdot(b, sums[1]) for a, b in zip(state.first, state.others, strict=True)]
    move = np.asarray(np.linalg.solve(cross, score)) if k else score
    worst = 0.0
    for state, (own, others) in zip(states, found, strict=True):
        own = own - np.tensordot(move, state.first, 1)
        others = others - np.tensordot(move, state.others, 1)
        change = state.layout.spread(own, others)
        change += np.tensordot(move, state.regressors, 1)
        mass = state.mu.sum(axis=0)
        size = np.divide(np.einsum("mt,mt,mt->t", state.mu, change, change), mass, out=np.zeros_like(mass), where=mass > 0)
        worst = max(worst, float(np.sqrt(size.max(initial=0.0))))
        state.eta += change
        np.exp(state.eta, out=state.mu)
        state.mu *= state.weights
    return move, worst


def _finish(
    parts: Sequence[Part], states: Sequence[_State], beta: Floats, step: int
) -> tuple[Floats, list[Solved], int] | None:
    solved = []
    for part, state in zip(parts, states, strict=True):
        net = state.net()
        if net is None:
            net = state.net() if state.factor() else None
        if net is None or state.bundle is None:
            return None
        solved.append(
            Solved(
                fitted=np.exp(state.eta).T,
                net=net.transpose(0, 2, 1),
                weights=state.mu.T,
                rank=state.bundle.rank,
            )
        )
    return beta, solved, step


def _stacked(arrays: Sequence[Floats]) -> Floats:
    return np.stack(arrays) if arrays else np.zeros((0, 1, 1))
