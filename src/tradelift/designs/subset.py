"""The observations of a comparison with fewer regressors, or with a regressor in the outcome's place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.comparison import Comparison
from tradelift.errors import DesignError
from tradelift.solve import DenseProblem, Fit, Piece, RowProblem
from tradelift.solve.stack import StackProblem

Floats = NDArray[Any]
Problem = DenseProblem | RowProblem | StackProblem


def with_terms(comparison: Comparison, terms: Sequence[str]) -> Comparison:
    """
    Compare the same observations with some of the regressors.

    Parameters
    ----------
    comparison
        With all of them.
    terms
        Those that stay, in the order of the comparison; observations without the others stay left out.

    Raises
    ------
    DesignError
        If the comparison has no such term.
    """
    kept = [_position(comparison, term) for term in terms]
    return replace(
        comparison,
        problem=_with_regressors(comparison.problem, kept),
        terms=tuple(comparison.terms[k] for k in kept),
        treatment=tuple(term for term in comparison.treatment if term in terms),
    )


def explaining(comparison: Comparison, term: str, terms: Sequence[str], found: Fit) -> Comparison:
    """
    Explain a regressor by others, on the observations and with the weights of a fit.

    Parameters
    ----------
    comparison
        With all regressors.
    term
        The one that is explained, by OLS.
    terms
        Those that explain it.
    found
        The fit of the comparison, with detail where it is Poisson: its last step weighs observations by what it
        expects of them.

    Raises
    ------
    DesignError
        If the comparison has no such term.
    """
    own = _position(comparison, term)
    few = with_terms(comparison, terms)
    mass = [part.sample * part.fitted for part in found.detail] if comparison.problem.family == "poisson" else None
    return replace(few, problem=_about(few.problem, comparison.problem, own, mass), outcome=term)


def _position(comparison: Comparison, term: str) -> int:
    if term not in comparison.terms:
        msg = f"The comparison has no term '{term}'; it has {', '.join(comparison.terms) or 'none'}."
        raise DesignError(msg)
    return comparison.terms.index(term)


def _with_regressors(problem: Problem, kept: list[int]) -> Problem:
    if isinstance(problem, RowProblem):
        return replace(problem, regressors=problem.regressors[:, kept])
    if isinstance(problem, StackProblem):
        return replace(problem, regressors=_still(problem.regressors[kept]))
    regressors = [piece.regressors[kept] for piece in problem.pieces]
    if all(_is_still(x) for x in regressors):
        regressors = [x[:, :1] for x in regressors]
    return replace(
        problem, pieces=tuple(replace(p, regressors=x) for p, x in zip(problem.pieces, regressors, strict=True))
    )


def _is_still(regressors: Floats) -> bool:
    """Whether no regressor moves in time; axis 1 is time."""
    return regressors.shape[1] == 1 or bool((regressors == regressors[:, :1]).all())


def _still(regressors: Floats) -> Floats:
    """One period where no regressor moves: that is faster."""
    return regressors[:, :1] if _is_still(regressors) else regressors


def _about(few: Problem, every: Problem, own: int, mass: list[Floats] | None) -> Problem:
    """The problem whose outcome is a regressor of another on the same observations."""
    if isinstance(few, RowProblem):
        assert isinstance(every, RowProblem), "one of the other"
        return replace(
            few,
            outcome=every.regressors[:, own].copy(),
            weights=_weighed(few.weights, mass, 0),
            offset=None,
            family="gaussian",
        )
    if isinstance(few, StackProblem):
        assert isinstance(every, StackProblem), "one of the other"
        weights = _weighed(few.weights, mass, 0)
        assert weights is not None, "a stack has weights"
        outcome = np.array(np.broadcast_to(every.regressors[own], few.outcome.shape))
        return replace(few, outcome=outcome, weights=weights, offset=None, family="gaussian")
    assert isinstance(every, DenseProblem), "one of the other"
    pieces = [
        _piece(piece, whole.regressors[own], _weighed(piece.weights, mass, n))
        for n, (piece, whole) in enumerate(zip(few.pieces, every.pieces, strict=True))
    ]
    return replace(few, pieces=tuple(pieces), family="gaussian")


def _piece(piece: Piece, outcome: Floats, weights: Floats | None) -> Piece:
    values = np.array(np.broadcast_to(outcome, piece.outcome.shape))
    return replace(piece, outcome=values, weights=weights, offset=None)


def _weighed(weights: Floats | None, mass: list[Floats] | None, part: int) -> Floats | None:
    """Weights, times the expected outcome where there is one."""
    if mass is None:
        return weights
    return mass[part] if weights is None else weights * mass[part]
