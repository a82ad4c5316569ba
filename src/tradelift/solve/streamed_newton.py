"""PPML a few periods at a time: each pass over the parts is a Newton step on coefficients and effects at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.deviance import poisson_deviance
from tradelift.solve.parts import Flags, StreamedProblem, samples_of, weights_of
from tradelift.solve.problem import Piece
from tradelift.solve.projection import two_way
from tradelift.solve.survey import Survey, near

Floats = NDArray[Any]
Bools = NDArray[Any]

MAX_STEPS = 100
MAX_HALVINGS = 20
SWEEPS = 30  # of proportional fitting before each step: cheap, and it saves readings of the data
BALANCED = 1e-9  # relative change of the multipliers below which sweeps stop
SETTLED = 1e-10  # relative change of the deviance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effects:
    """Effects of origins and destinations of a piece, shapes (T, I) and (T, J)."""

    p: Floats
    q: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """
    Where the estimation stands.

    Parameters
    ----------
    beta
        Coefficients, shape (K,).
    effects
        By part and piece.
    """

    beta: Floats
    effects: list[list[Effects]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """
    What one pass finds at a state.

    Parameters
    ----------
    deviance
        There.
    cross, moment
        Normal equations of the step, shapes (K, K) and (K,).
    at
        The effects there, balanced, by part and piece.
    target, slopes
        The step's effects are `target` less `slopes` times its coefficients, by part and piece: of the working
        outcome, and of the regressors with a last axis K.
    """

    deviance: float
    cross: Floats
    moment: Floats
    at: list[list[Effects]]
    target: list[list[Effects]]
    slopes: list[list[Effects]]

    def step(self) -> State:
        """The next state."""
        beta = np.linalg.solve(self.cross, self.moment) if len(self.moment) else self.moment
        effects = [
            [Effects(p=z.p - x.p @ beta, q=z.q - x.q @ beta) for z, x in zip(*both, strict=True)]
            for both in zip(self.target, self.slopes, strict=True)
        ]
        return State(beta=beta, effects=effects)


def solve_streamed(problem: StreamedProblem, found: Survey, kept: tuple[int, ...], flags: Flags) -> tuple[State, int]:
    """
    Maximise the Poisson likelihood.

    Parameters
    ----------
    problem, found
        The parts, and what the first pass found.
    kept
        Positions of the regressors.
    flags
        Observations that regressors separate, or None.

    Returns
    -------
    The last state, and the number of steps.

    Raises
    ------
    ConvergenceError
        If the steps do not settle.

    References
    ----------
    Correia, Guimaraes and Zylkin (2020), The Stata Journal 20, 95-115, for the working outcome.
    """
    state = State(beta=np.zeros(len(kept)), effects=[])
    turn = _turn(problem, found, kept, flags, state)
    for step in range(1, MAX_STEPS + 1):
        new = turn.step()
        before = State(beta=state.beta, effects=turn.at)
        for _ in range(MAX_HALVINGS):
            next_turn = _turn(problem, found, kept, flags, new)
            if next_turn.deviance <= turn.deviance * (1 + 1e-9) + 1e-9:
                break
            new = _halfway(before, new)
        settled = abs(turn.deviance - next_turn.deviance) <= SETTLED * (abs(next_turn.deviance) + 0.1)
        change = np.abs(new.beta - state.beta).max(initial=0.0)
        state, turn = State(beta=new.beta, effects=next_turn.at), next_turn
        if settled and change <= 1e-9 * (1 + np.abs(state.beta).max(initial=0.0)):
            return turn.step(), step
    msg = (
        f"PPML did not converge in {MAX_STEPS} steps. Rescale the outcome or the regressors, or drop regressors that "
        f"are large or nearly collinear."
    )
    raise ConvergenceError(msg)


def _halfway(a: State, b: State) -> State:
    effects = [
        [Effects(p=(x.p + y.p) / 2, q=(x.q + y.q) / 2) for x, y in zip(*both, strict=True)]
        for both in zip(a.effects, b.effects, strict=True)
    ]
    return State(beta=(a.beta + b.beta) / 2, effects=effects)


def _turn(problem: StreamedProblem, found: Survey, kept: tuple[int, ...], flags: Flags, state: State) -> Turn:
    """Read all parts once."""
    k = len(kept)
    deviance, cross, moment = 0.0, np.zeros((k, k)), np.zeros(k)
    at: list[list[Effects]] = []
    target: list[list[Effects]] = []
    slopes: list[list[Effects]] = []
    for n, part in enumerate(problem.parts()):
        for collected in (at, target, slopes):
            collected.append([])
        for m, piece in enumerate(part.pieces):
            used = samples_of(piece, "poisson", None if flags is None else flags[n][m]).used
            own = state.effects[n][m] if state.effects else None
            w, y, x = weights_of(piece, used), np.where(used, piece.outcome, 0.0), near(piece, kept, found)
            now, mu = fit_effects(piece, used, w, x, state.beta, own)
            deviance += poisson_deviance(y, mu, w)
            # the working outcome net of offset: effects and regressors are fitted to it
            working = np.where(used, np.tensordot(state.beta, x, 1) + now.p[:, :, None] + now.q[:, None, :], 0.0)
            working += np.where(used, (y - mu) / np.where(used, mu, 1.0), 0.0)
            values = np.concatenate([np.broadcast_to(x, (k, *w.shape)), working[None]])
            net, both = _project(values, w * mu)
            flat = net.reshape(k + 1, w.size)
            left = flat[:k] * (w * mu).ravel()
            cross += left @ flat[:k].T
            moment += left @ flat[k]
            at[-1].append(now)
            target[-1].append(Effects(p=both.p[..., k], q=both.q[..., k]))
            slopes[-1].append(Effects(p=both.p[..., :k], q=both.q[..., :k]))
    return Turn(deviance=deviance, cross=cross, moment=moment, at=at, target=target, slopes=slopes)


def fit_effects(
    piece: Piece, used: Bools, w: Floats, x: Floats, beta: Floats, effects: Effects | None
) -> tuple[Effects, Floats]:
    """
    Improve the effects of a piece at given coefficients by proportional fitting.

    Parameters
    ----------
    piece
        The block.
    used, w
        Its observations and weights, shape (T, I, J).
    x, beta
        Kept regressors and their coefficients.
    effects
        Where to start; None: at zero.

    Returns
    -------
    The effects, and the fitted outcome, 0 off the sample.
    """
    eta = np.tensordot(beta, x, 1) + (0.0 if piece.offset is None else piece.offset)
    if effects is None:
        effects = Effects(p=np.zeros(w.shape[:2]), q=np.zeros(w.shape[::2]))
    eta = np.where(used, eta + effects.p[:, :, None] + effects.q[:, None, :], 0.0)
    with np.errstate(over="ignore"):
        mu = np.where(used, np.exp(eta), 0.0)
    y = w * np.where(used, piece.outcome, 0.0)
    a, b = _balance(w * mu, y.sum(axis=2), y.sum(axis=1))
    return (
        Effects(p=effects.p + np.log(a), q=effects.q + np.log(b)),
        mu * a[:, :, None] * b[:, None, :],
    )


def _balance(mu: Floats, rows: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """Multipliers that bring fitted flows near the sums of the outcome, 1 where nothing is fitted."""
    a, b = np.ones_like(rows), np.ones_like(columns)
    for _ in range(SWEEPS):
        fitted = np.matmul(mu, b[:, :, None])[:, :, 0]
        a = np.divide(rows, fitted, out=np.ones_like(rows), where=(rows > 0) & (fitted > 0))
        fitted = np.matmul(a[:, None, :], mu)[:, 0]
        new = np.divide(columns, fitted, out=np.ones_like(columns), where=(columns > 0) & (fitted > 0))
        change = np.abs(new - b).max(initial=0.0)
        b = new
        if change <= BALANCED * np.abs(b).max(initial=0.0):
            break
    return a, b


def _project(values: Floats, weights: Floats) -> tuple[Floats, Effects]:
    """Values (K, T, I, J) net of effects, and the effects, with a last axis K."""
    net = two_way(weights).residual(values)
    p = values[..., 0] - net[..., 0]
    q = values[:, :, 0, :] - net[:, :, 0, :] - p[:, :, :1]
    return net, Effects(p=np.moveaxis(p, 0, -1), q=np.moveaxis(q, 0, -1))
