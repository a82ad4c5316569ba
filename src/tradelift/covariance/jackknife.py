"""Delete-one-region jackknife: the problem is fitted again without the flows of each region."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.dyads import Dyads
from tradelift.errors import DesignError
from tradelift.solve import DenseProblem, Fit, Piece, RowProblem, fit
from tradelift.solve.stack import StackProblem, fit_stack

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deleted:
    """
    Estimates without the flows of one region, as origin or destination.

    Parameters
    ----------
    coefficients
        Without each region, shape (G, K).
    lost
        Codes of the regions without which a coefficient is not identified, shape (L,); they are not among the G.
    """

    coefficients: Floats
    lost: Ints


def without_each(problem: DenseProblem | RowProblem | StackProblem, dyads: Dyads, kept: tuple[int, ...]) -> Deleted:
    """
    Fit a problem again without each region.

    Parameters
    ----------
    problem
        As it was fitted.
    dyads
        Its directed pairs, with those that were used.
    kept
        Positions of the regressors that were kept; another set without a region means that one is not identified.

    Raises
    ------
    ConvergenceError
        If PPML does not converge without a region.
    """
    coefficients, lost = [], []
    for region in np.union1d(dyads.origin[dyads.used], dyads.destination[dyads.used]):
        gone = (dyads.origin == region) | (dyads.destination == region)
        found = _fit_without(problem, gone)
        if found is None or found.kept != kept:
            lost.append(region)
        else:
            coefficients.append(found.coefficients)
    return Deleted(
        coefficients=np.array(coefficients).reshape(len(coefficients), len(kept)), lost=np.array(lost, dtype=np.int64)
    )


def jackknife(deleted: Deleted) -> Floats:
    """
    Covariance from the estimates without each region: (G-1)/G times their squares about their mean, shape (K, K).

    A flow belongs to two regions, so that its own noise counts twice: wider than "dyadic" where noise is idiosyncratic.

    Raises
    ------
    DesignError
        If fewer than two regions can be deleted.

    References
    ----------
    MacKinnon, Nielsen and Webb (2023), Journal of Applied Econometrics 38, 671-694: their CV3J, centred at the mean.
    """
    count = len(deleted.coefficients)
    if count < 2:
        msg = (
            f"The jackknife needs two regions that can be left out; found {count}, and {len(deleted.lost)} without "
            f"which a coefficient is not identified. Use vcov='dyadic', or a larger sample."
        )
        raise DesignError(msg)
    centred = deleted.coefficients - deleted.coefficients.mean(axis=0)
    return np.asarray(centred.T @ centred * (count - 1) / count)


def _fit_without(problem: DenseProblem | RowProblem | StackProblem, gone: Bools) -> Fit | None:
    """The fit without some directed pairs; None where nothing is left."""
    if isinstance(problem, StackProblem):
        stack = _in_stack(problem, gone)
        return fit_stack(stack) if stack.weights.any() else None
    rest = _in_blocks(problem, gone) if isinstance(problem, DenseProblem) else _in_rows(problem, gone)
    return None if rest is None else fit(rest)


def _in_stack(problem: StackProblem, gone: Bools) -> StackProblem:
    """A stack without some pairs, and without the groups whose partner pair is among them."""
    out = gone[problem.pair]
    lost = np.zeros(int(problem.group.max(initial=-1)) + 1, dtype=bool)
    lost[problem.group[out & problem.is_partner]] = True
    return replace(problem, weights=np.where(out | lost[problem.group], 0.0, problem.weights))


def _in_rows(problem: RowProblem, gone: Bools) -> RowProblem | None:
    rows = np.flatnonzero(~gone[problem.pair])
    if not len(rows):
        return None
    return replace(
        problem,
        outcome=problem.outcome[rows],
        regressors=problem.regressors[rows],
        weights=None if problem.weights is None else problem.weights[rows],
        offset=None if problem.offset is None else problem.offset[rows],
        effects=tuple(np.unique(codes[rows], return_inverse=True)[1] for codes in problem.effects),
        pair=problem.pair[rows],
    )


def _in_blocks(problem: DenseProblem, gone: Bools) -> DenseProblem | None:
    pieces = [piece for piece in (_cut(p, gone) for p in problem.pieces) if piece is not None]
    return replace(problem, pieces=tuple(pieces)) if pieces else None


def _cut(piece: Piece, gone: Bools) -> Piece | None:
    """Leave out the rows and columns of a region, which keeps complete blocks complete, and what else is of it."""
    out = (piece.pair < 0) | gone[piece.pair]
    rows, columns = np.flatnonzero(~out.all(axis=1)), np.flatnonzero(~out.all(axis=0))
    if not len(rows):
        return None
    held = np.ix_(rows, columns)

    def part(values: Floats) -> Floats:
        return np.ascontiguousarray(values[..., rows[:, None], columns])

    outcome = part(piece.outcome)
    weights = None if piece.weights is None else part(piece.weights)
    left = out[held] & (piece.pair[held] >= 0)
    if left.any():
        weights = np.where(left, 0.0, 1.0 if weights is None else weights) * np.ones(outcome.shape)
    return replace(
        piece,
        outcome=outcome,
        regressors=part(piece.regressors),
        weights=weights,
        offset=None if piece.offset is None else part(piece.offset),
        pair=piece.pair[held],
        group=None if piece.group is None else piece.group[held],
    )
