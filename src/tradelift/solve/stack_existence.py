"""Zero flows of a stack that effects and regressors fit perfectly, so that no Poisson maximum exists with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array, eye_array, hstack

from tradelift.errors import ConvergenceError
from tradelift.solve.rank import PLAIN
from tradelift.solve.separation import CLOSE_TO_ONE, FULL_RANK, ZERO
from tradelift.solve.stack_effects import factor_of, factorize, free_columns
from tradelift.solve.stack_parts import Part
from tradelift.solve.stack_sample import without_trade

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

MOST_ZEROS = 200_000  # of the linear program, which takes seconds for tens of thousands


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Doubt:
    """Zero flows of a part in a period, shape (m0,), and how they move along what positive flows leave free."""

    part: int
    period: int
    zeros: Ints
    along_regressors: Floats
    along_effects: Floats


def not_separated(parts: Sequence[Part]) -> tuple[list[Part], bool]:
    """
    Drop separated observations.

    A combination of effects and regressors separates zero flows where it is 0 on all positive flows and nowhere
    positive. Where the effects of a period keep their rank on its positive flows, they separate nothing by themselves;
    where the regressors keep theirs net of the effects, neither do they. What this leaves open, a linear program
    settles over the few directions that positive flows leave free.

    Returns
    -------
    The parts without separated observations, and whether the regressors are plainly not collinear.

    References
    ----------
    Correia, Guimaraes and Zylkin (2021), Verifying the existence of maximum likelihood estimates for generalized
    linear models.

    Raises
    ------
    ConvergenceError
        If the linear program finds no answer, or would be too large.
    """
    parts = [part.with_weights(without_trade(part)) for part in parts]
    parts = [part for part in parts if part.n_obs]
    if not parts:
        return [], False
    plainly = _plain(parts)
    open_directions = np.zeros((len(parts[0].regressors), 0)) if plainly else _free_directions(parts)
    doubts = []
    for number, part in enumerate(parts):
        for period in range(len(part.outcome)):
            doubt = _doubt(part, number, period, open_directions)
            if doubt is not None:
                doubts.append(doubt)
    if doubts:
        gone = _program(doubts, open_directions.shape[1])
        parts = [_without(part, number, doubts, gone) for number, part in enumerate(parts)]
    return parts, plainly


def _positive(part: Part, period: int) -> Floats:
    """Weights of the positive flows of a period, shape (m,)."""
    return np.where(part.outcome[period] > 0, part.weights_at(period), 0.0)


def _plain(parts: Sequence[Part]) -> bool:
    """Whether one period of each part, that with the most positive flows, shows the regressors' rank already."""
    k = len(parts[0].regressors)
    cross, total, mass = np.zeros((k, k)), np.zeros(k), 0.0
    chosen = [(part, int((part.outcome > 0).sum(axis=1).argmax())) for part in parts]
    mean = np.zeros(k)
    for part, period in chosen:
        weights = _positive(part, period)
        mean, mass = mean + part.regressors_at(period) @ weights, mass + weights.sum()
    for part, period in chosen:
        weights = _positive(part, period)
        centred = part.regressors_at(period) - (mean / mass)[:, None]
        net = factor_of(part.block, weights, part.redundant).residual(centred)
        cross += net * weights @ net.T
        total += centred**2 @ weights
    if not k or not (total > 0).all():
        return not k
    return bool(np.linalg.eigvalsh(cross / np.sqrt(np.outer(total, total)))[0] > PLAIN)


def _free_directions(parts: Sequence[Part]) -> Floats:
    """Directions of the regressors that the effects explain on all positive flows, shape (K, d)."""
    k = len(parts[0].regressors)
    scale = np.max([np.abs(p.regressors).max(axis=(1, 2)) for p in parts], axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    cross, count = np.zeros((k, k)), 0
    for part in parts:
        for period in range(len(part.outcome)):
            positive = (_positive(part, period) > 0).astype(np.float64)
            x = part.regressors_at(period) / scale[:, None]
            net = factor_of(part.block, positive, part.redundant).residual(x, exact=True)
            cross, count = cross + net * positive @ net.T, count + int(positive.sum())
    values, vectors = np.linalg.eigh(cross / max(count, 1))
    return np.asarray(vectors[:, values <= FULL_RANK] / scale[:, None])


def _doubt(part: Part, number: int, period: int, directions: Floats) -> _Doubt | None:
    """What may separate zero flows of a period; None where nothing can."""
    weights = part.weights_at(period)
    positive = _positive(part, period)
    zeros = np.flatnonzero((weights > 0) & (positive == 0))
    if not len(zeros):
        return None
    keeps_rank = factorize(part.block, positive, part.redundant) is not None
    if keeps_rank and not directions.shape[1]:
        return None
    ones = (positive > 0).astype(np.float64)
    along = np.zeros((len(zeros), directions.shape[1]))
    if directions.shape[1]:
        values = directions.T @ part.regressors_at(period)
        along = factor_of(part.block, ones, part.redundant).residual(values, exact=True)[:, zeros].T
    free = np.zeros((len(zeros), 0)) if keeps_rank else _effects_at(part, ones, zeros)
    moves = np.asarray((np.abs(along) > ZERO).any(axis=1)) | np.asarray((np.abs(free) > ZERO).any(axis=1))
    if not moves.any():
        return None
    return _Doubt(
        part=number, period=period, zeros=zeros[moves], along_regressors=along[moves], along_effects=free[moves]
    )


def _effects_at(part: Part, ones: Floats, zeros: Ints) -> Floats:
    """Values at zero flows of the combinations of effects that vanish on positive flows, shape (m0, d)."""
    block = part.block
    free = free_columns(block, ones)
    values = np.asarray(block.dummies.T @ free)
    count = np.add.reduceat(ones, block.starts)
    means = np.add.reduceat(values * ones[:, None], block.starts, axis=0) / count.clip(1.0)[:, None]
    left = (values - means[block.first])[zeros]
    _, sizes, turned = np.linalg.svd(left, full_matrices=False)
    return np.asarray(left @ turned[sizes > ZERO].T)


def _program(doubts: Sequence[_Doubt], d: int) -> list[Bools]:
    """Maximise the number of zero flows at which a combination is at most -1, none above 0."""
    from scipy.optimize import linprog  # slow to load, and seldom needed

    n = sum(len(doubt.zeros) for doubt in doubts)
    if n > MOST_ZEROS:
        msg = (
            f"Whether {n:,} zero flows of the stack are separated is left open by the quick checks, and the exact "
            f"search takes at most {MOST_ZEROS:,}. Leave out the regions that seldom trade, or estimate positive flows "
            f"with log(...)."
        )
        raise ConvergenceError(msg)
    regressors = np.concatenate([doubt.along_regressors for doubt in doubts])
    effects: Any = block_diag([np.where(np.abs(x.along_effects) > ZERO, x.along_effects, 0.0) for x in doubts])
    free = d + effects.shape[1]
    moves: Any = hstack(
        [csr_array(np.where(np.abs(regressors) > ZERO, regressors, 0.0)), effects, eye_array(n)], format="csr"
    )
    for presolve in (True, False):  # HiGHS breaks off now and then where it simplifies rows that are nearly redundant
        solution = linprog(
            np.concatenate([np.zeros(free), -np.ones(n)]),
            A_ub=moves,
            b_ub=np.zeros(n),
            bounds=[(None, None)] * free + [(0.0, 1.0)] * n,
            method="highs",
            options={"presolve": presolve},
        )
        if solution.x is not None:
            break
    if solution.x is None:
        msg = f"The search for separated observations of the stack failed: {solution.message}."
        raise ConvergenceError(msg)
    found = solution.x[-n:] > CLOSE_TO_ONE
    return np.split(found, np.cumsum([len(doubt.zeros) for doubt in doubts])[:-1])


def _without(part: Part, number: int, doubts: Sequence[_Doubt], gone: Sequence[Bools]) -> Part:
    """The part without the flows that were found."""
    if not any(doubt.part == number and lost.any() for doubt, lost in zip(doubts, gone, strict=True)):
        return part
    weights = np.array(np.broadcast_to(part.weights, part.outcome.shape))
    for doubt, lost in zip(doubts, gone, strict=True):
        if doubt.part == number:
            weights[doubt.period, doubt.zeros[lost]] = 0.0
    return part.with_weights(weights)
