"""What the effects of a stack leave of treatments that are drawn anew: sums over treated rows, no draw is projected."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from tradelift.solve.stack import StackProblem
from tradelift.solve.stack_blocks import Block, cut_blocks
from tradelift.solve.stack_effects import factor_of, unit_redundant
from tradelift.solve.stack_squares import same_weights

Floats = NDArray[Any]
Ints = NDArray[Any]


def left_of_draws(problem: StackProblem, weights: Floats, chosen: Ints, dose: Floats) -> Floats:
    """
    Sum squares of drawn treatments net of the effects.

    Parameters
    ----------
    problem
        The stack, for its effects.
    weights
        Of the projection, shape (T, n) or (1, n); 0 off the sample.
    chosen
        Row that is treated in each group, shape (B, G).
    dose
        Treatment of each group's treated row, shape (T, G) or (1, G).

    Returns
    -------
    Shape (B,).
    """
    n_periods = max(len(problem.outcome), 1)
    out = np.zeros(len(chosen))
    moves = len(dose) > 1
    for block in cut_blocks(problem.effects, np.flatnonzero((weights > 0).any(axis=0))):
        own = weights[:, block.rows]
        place = np.full(weights.shape[1], -1)
        place[block.rows] = np.arange(len(block.rows))
        draw, group = np.nonzero(place[chosen] >= 0)
        row = place[chosen[draw, group]]
        redundant = unit_redundant(block, np.asarray((own > 0).any(axis=0)))
        for periods in same_weights(own, n_periods):
            factor = factor_of(block, own[periods[0] if len(own) > 1 else 0], redundant)
            for t in periods if moves else periods[:1]:
                size = dose[t if moves else 0, group]
                value = size * factor.weights[row]
                total = np.bincount(draw, weights=size * value, minlength=len(chosen))
                explained = _explained(block, factor.inverse, factor.joint, factor.root, draw, row, value, len(chosen))
                out += (total - explained) * (1 if moves else len(periods))
    return out


def _explained(
    block: Block, inverse: Floats, joint: Floats, root: Floats, draw: Ints, row: Ints, value: Floats, count: int
) -> Floats:
    """Squares that the effects explain, from the sums of the treated rows by level, shape (B,)."""
    g, c = len(block.starts), block.n_columns
    first = np.bincount(draw * g + block.first[row], weights=value, minlength=count * g).reshape(count, g)
    scaled = first * inverse
    found = np.asarray((first * scaled).sum(axis=1))
    if not c:
        return found
    columns = np.zeros(count * c)
    for codes in block.others:
        columns += np.bincount(draw * c + codes[row], weights=value, minlength=count * c)
    turned = lapack.dtrtrs(root, (columns.reshape(count, c) - scaled @ joint).T, lower=1)[0]
    return np.asarray(found + (turned**2).sum(axis=0))
