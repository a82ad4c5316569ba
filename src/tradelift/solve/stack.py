"""Stacks: groups of pairs over periods, where every effect is by period, so that periods are small exact problems."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.deviance import mean_outcome, null_deviance, poisson_deviance
from tradelift.solve.problem import Detail, Family, Fit
from tradelift.solve.rank import independent
from tradelift.solve.stack_blocks import cut_blocks
from tradelift.solve.stack_existence import not_separated
from tradelift.solve.stack_newton import poisson
from tradelift.solve.stack_parts import Part, Solved, cut_part
from tradelift.solve.stack_sample import without_singletons
from tradelift.solve.stack_squares import ordinary, regressor_cross
from tradelift.threads import one_blas_thread

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StackProblem:
    """
    A stack of n rows, each a pair in a group, over T periods; every effect is interacted with the period.

    Parameters
    ----------
    outcome
        Shape (T, n); finite where the weight is not 0.
    regressors
        Shape (K, T, n), or (K, 1, n) where none moves in time; finite everywhere.
    weights
        Shape (T, n), or (1, n) where all periods have the same; 0 off the sample.
    offset
        Shape (T, n) or (1, n), or None.
    effects
        Codes of each effect within a period, shape (n,) each; at least one.
    pair
        Directed pair of each row, shape (n,).
    group
        Group of each row, shape (n,).
    is_partner
        Whether a row is the partner pair of its group, shape (n,).
    family
        "poisson" or "gaussian".
    n_pairs
        P, the number of directed pairs that `pair` codes count.
    """

    outcome: Floats
    regressors: Floats
    weights: Floats
    offset: Floats | None = None
    effects: tuple[Ints, ...]
    pair: Ints
    group: Ints
    is_partner: Bools
    family: Family
    n_pairs: int


def fit_stack(problem: StackProblem, groups: Sequence[Ints] = ()) -> Fit:
    """
    Estimate a stack by OLS or PPML.

    Given the coefficients the periods share nothing, so each is projected exactly on its own effects: the group effects
    are solved away, the others by a Cholesky factor. Periods of the same weights share it. Where no regressor moves
    and OLS has the same sample in every period, this is the regression of the means over time.

    Parameters
    ----------
    problem
        The stack.
    groups
        Codes by which scores are summed for clustering, shape (T, n) or (1, n) each, from 0 without gaps.

    Returns
    -------
    The fit, with its detail as one piece of shape (T, n); `net` has the shape (K, 1, n) where all periods share it.

    Raises
    ------
    ConvergenceError
        If PPML does not reach a point where the scores vanish, or weights differ so much that effects cannot be told
        apart.
    """
    with one_blas_thread():
        return _fit(problem, groups)


def _fit(problem: StackProblem, groups: Sequence[Ints]) -> Fit:
    is_poisson = problem.family == "poisson"
    used = np.flatnonzero((problem.weights > 0).any(axis=0))
    parts = [cut_part(problem, block) for block in cut_blocks(problem.effects, used)] if len(used) else []
    start = _count(parts)
    plainly = False
    if is_poisson:
        parts, plainly = not_separated(parts)
    existing = _count(parts)
    parts = [part.with_weights(without_singletons(part)) for part in parts]
    k = problem.regressors.shape[0]
    if is_poisson:
        kept = tuple(range(k)) if plainly else _independent(parts, k)
        coefficients, solved, steps = poisson(
            [part.of(kept) for part in parts], len(kept), [problem.is_partner[part.block.rows] for part in parts]
        )
    else:
        kept, coefficients, solved, steps = ordinary(parts, k)
    excluded = {"separated": start - existing, "singleton": existing - _count(parts)}
    return _gather(problem, groups, kept, coefficients, parts, solved, steps, excluded)


def _count(parts: Sequence[Part]) -> int:
    """Observations with a weight."""
    return sum(part.n_obs for part in parts)


def _independent(parts: Sequence[Part], k: int) -> tuple[int, ...]:
    """Positions of regressors that neither the effects nor earlier regressors explain."""
    if not k or not _count(parts):
        return ()
    return independent(*regressor_cross(parts, k))


def _gather(
    problem: StackProblem,
    groups: Sequence[Ints],
    kept: tuple[int, ...],
    coefficients: Floats,
    parts: Sequence[Part],
    solved: Sequence[Solved],
    steps: int,
    excluded: dict[str, int],
) -> Fit:
    """Put the parts together again, and sum scores."""
    shape, k = problem.outcome.shape, len(kept)
    shared = all(s.net.shape[1] == 1 and s.weights.shape[0] == 1 for s in solved)
    weights = np.zeros((1 if shared else shape[0], shape[1]))
    net = np.zeros((k, *weights.shape))
    prior, fitted = np.zeros((1 if all(len(p.weights) == 1 for p in parts) else shape[0], shape[1])), np.zeros(shape)
    for part, found in zip(parts, solved, strict=True):
        rows = part.block.rows
        weights[:, rows], prior[:, rows], fitted[:, rows] = found.weights, part.weights, found.fitted
        net[:, :, rows] = found.net
    sample = np.broadcast_to(prior > 0, shape)
    fitted = np.where(sample, fitted, 0.0)
    net = np.where(weights > 0, net, 0.0)
    outcome = np.where(sample, problem.outcome, 0.0)
    error = prior * (outcome - fitted)
    meat, sums, by_group = _scores(net, error, problem.pair, problem.n_pairs, groups)
    cross = sum((np.einsum("ktm,tm,ltm->kl", s.net, s.weights, s.net) * s.repeats for s in solved), np.zeros((k, k)))
    full = np.broadcast_to(prior, shape)
    deviance = float((error * (outcome - fitted)).sum())
    if problem.family == "poisson":
        deviance = poisson_deviance(outcome, fitted, full)
    there = np.zeros(problem.n_pairs, dtype=bool)
    there[problem.pair[sample.any(axis=0)]] = True
    return Fit(
        coefficients=coefficients,
        bread=np.linalg.inv(cross) if k else cross,
        scores=sums,
        meat_rows=meat,
        group_scores=by_group,
        kept=kept,
        effect_rank=sum(s.rank for s in solved),
        n_obs=int(sample.sum()),
        pairs_used=there,
        excluded=excluded,
        path="sums" if shared and problem.family == "gaussian" else "tensor",
        iterations=steps,
        deviance=deviance,
        total=null_deviance(outcome, full, problem.family),
        mean=mean_outcome(outcome, full),
        detail=(Detail(sample=sample, fitted=fitted, net=net),),
    )


def _scores(
    net: Floats, error: Floats, pair: Ints, n_pairs: int, groups: Sequence[Ints]
) -> tuple[Floats, Floats, tuple[Floats, ...]]:
    """Outer products of the observations' scores (K, K), and sums by pair (P, K) and by each group (G, K)."""
    k = len(net)
    meat = np.zeros((k, k))
    sums = np.zeros((n_pairs, k))
    by_group = [np.zeros((int(codes.max(initial=-1)) + 1, k)) for codes in groups]
    scores = [x * error for x in net]
    for a, one in enumerate(scores):
        sums[:, a] = np.bincount(pair, weights=one.sum(axis=0), minlength=n_pairs)
        for codes, found in zip(groups, by_group, strict=True):
            flat = np.broadcast_to(codes, one.shape).ravel()
            found[:, a] = np.bincount(flat, weights=one.ravel(), minlength=len(found))
        for b, other in enumerate(scores[: a + 1]):
            meat[a, b] = meat[b, a] = np.vdot(one, other)
    return meat, sums, tuple(by_group)
