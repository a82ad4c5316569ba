"""The arrays of one block of a stack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.stack_blocks import Block
from tradelift.solve.stack_effects import unit_redundant

if TYPE_CHECKING:
    from tradelift.solve.stack import StackProblem

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """
    One block over T periods, with m rows.

    Parameters
    ----------
    block
        Its rows and effects.
    outcome
        Shape (T, m); 0 where the weight is.
    regressors
        Shape (K, T, m) or (K, 1, m).
    weights
        Shape (T, m) or (1, m); 0 off the sample.
    offset
        Shape (T, m) or (1, m).
    redundant
        Columns of the effects that the others explain in all periods together, shape (C,).
    """

    block: Block
    outcome: Floats
    regressors: Floats
    weights: Floats
    offset: Floats
    redundant: Bools

    @property
    def n_obs(self) -> int:
        """Observations with a weight."""
        return int(np.count_nonzero(self.weights)) * (len(self.outcome) // len(self.weights))

    @property
    def is_fixed(self) -> bool:
        """Whether no regressor moves in time."""
        return bool(self.regressors.shape[1] == 1)

    def weights_at(self, period: int) -> Floats:
        """Weights of a period, shape (m,)."""
        return np.asarray(self.weights[period if len(self.weights) > 1 else 0])

    def regressors_at(self, period: int) -> Floats:
        """Regressors of a period, shape (K, m)."""
        return np.asarray(self.regressors[:, period if self.regressors.shape[1] > 1 else 0])

    def with_weights(self, weights: Floats) -> "Part":
        """The same with fewer observations."""
        if weights is self.weights:
            return self
        before, now = (np.asarray((w > 0).any(axis=0)) for w in (self.weights, weights))
        redundant = self.redundant if np.array_equal(before, now) else unit_redundant(self.block, now)
        return replace(self, weights=weights, outcome=np.where(weights > 0, self.outcome, 0.0), redundant=redundant)

    def of(self, kept: Sequence[int]) -> "Part":
        """The same with some of the regressors."""
        if len(kept) == len(self.regressors):
            return self
        return replace(self, regressors=self.regressors[list(kept)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """
    What a fit leaves of a part.

    Parameters
    ----------
    fitted
        Expected outcome, shape (T, m).
    net
        Regressors net of the effects, shape (K, T, m) or (K, 1, m).
    weights
        Of the last step, shape (T, m) or (1, m).
    rank
        Rank of the effects.
    """

    fitted: Floats
    net: Floats
    weights: Floats
    rank: int

    @property
    def repeats(self) -> int:
        """How many periods each of those that `net` and `weights` hold stands for."""
        return int(len(self.fitted) // max(self.net.shape[1], len(self.weights)))


def cut_part(problem: "StackProblem", block: Block) -> Part:
    """Take the arrays of a block."""
    weights = problem.weights[:, block.rows]
    return Part(
        block=block,
        outcome=np.where(weights > 0, problem.outcome[:, block.rows], 0.0),
        regressors=problem.regressors[:, :, block.rows],
        weights=weights,
        offset=np.zeros((1, len(block.rows))) if problem.offset is None else problem.offset[:, block.rows],
        redundant=unit_redundant(block, np.asarray((weights > 0).any(axis=0))),
    )
