"""Which observations of a stack can be used: groups without trade, and singletons."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.stack_blocks import Block
from tradelift.solve.stack_parts import Part

Floats = NDArray[Any]
Bools = NDArray[Any]


def level_sums(block: Block, values: Floats) -> tuple[Floats, Floats]:
    """Sums of (T, m) values by level of the first effect, shape (T, G), and by column of the others, shape (T, C)."""
    numbers = values.astype(np.float64, copy=False)
    return np.add.reduceat(numbers, block.starts, axis=1), np.asarray((block.dummies @ numbers.T).T)


def anywhere(block: Block, first: Bools, columns: Bools) -> Bools:
    """Mark the rows of marked levels, shape (T, m), from (T, G) and (T, C)."""
    out = first[:, block.first]
    for codes in block.others:
        out |= columns[:, codes]
    return np.asarray(out)


def without_trade(part: Part) -> Floats:
    """Weights without the observations of levels that have no positive outcome, again and again, shape (T, m)."""
    positive = part.outcome > 0
    weights = part.weights
    while True:
        left = weights > 0
        first, columns = level_sums(part.block, positive & left)
        empty = left & anywhere(part.block, first == 0, columns == 0)
        if not empty.any():
            return weights
        weights = np.where(empty, 0.0, weights)


def without_singletons(part: Part) -> Floats:
    """Weights without the observations that are alone in a level of an effect, again and again, shape (T | 1, m)."""
    weights = part.weights
    while True:
        left = weights > 0
        first, columns = level_sums(part.block, left)
        alone = left & anywhere(part.block, first == 1, columns == 1)
        if not alone.any():
            return weights
        weights = np.where(alone, 0.0, weights)
