"""Origin-period and destination-period effects that are fitted on untreated cells, and what they say of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tradelift.panel.cells import Block
from tradelift.solve.projection import CLOSE, EXACT, solve_effects, two_way
from tradelift.solve.sample import effect_rank

Floats = NDArray[Any]
Bools = NDArray[Any]

ROUNDS = 3  # of solving for what a solution leaves: each gains what rounding took from the one before


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Untreated:
    """
    The effects of untreated cells.

    Parameters
    ----------
    blocks
        Of the panel.
    sample
        Untreated cells that are used, shape (N,).
    known
        Cells whose two effects together are known from these, shape (N,).
    rank
        Of the effects.
    """

    blocks: Sequence[Block]
    sample: Bools
    known: Bools
    rank: int

    def net(self, values: Floats) -> Floats:
        """
        Take the effects out of columns, in all cells.

        Parameters
        ----------
        values
            Shape (K, N), finite.

        Returns
        -------
        Shape (K, N); without meaning where the effects are not known.
        """
        out = np.empty(values.shape)
        for block in self.blocks:
            projection = two_way(block.tensor(self.sample.astype(np.float64)))
            found = projection.residual(np.stack([block.tensor(v) for v in values]))
            for own, net in zip(out, found, strict=True):
                own[block.start : block.stop] = _flat(block, net)
        return out

    def carry(self, weights: Floats) -> Floats:
        """
        Say how much each outcome counts in a weighted sum of outcomes net of the effects.

        Parameters
        ----------
        weights
            Of the sum, shape (N,); 0 where the effects are not known.

        Returns
        -------
        Shape (N,): the weights, and in untreated cells what the fitted effects take back.
        """
        out = weights.astype(np.float64)
        for block in self.blocks:
            sample = block.tensor(self.sample.astype(np.float64))
            own = block.tensor(weights)
            rows, columns = _effects(sample, own.sum(axis=2), own.sum(axis=1))
            out[block.start : block.stop] -= _flat(block, sample * (rows + columns.transpose(0, 2, 1)))
        return out


def untreated_effects(blocks: Sequence[Block], sample: Bools) -> Untreated:
    """
    Say which effects untreated cells tell.

    Parameters
    ----------
    blocks
        Of the panel.
    sample
        Untreated cells that are used, shape (N,).
    """
    known = np.zeros(len(sample), dtype=bool)
    rank = 0
    for block in blocks:
        own = np.asarray(block.tensor(sample, fill=False))
        rank += effect_rank(own)
        known[block.start : block.stop] = _flat(block, _linked(own))
    return Untreated(blocks=blocks, sample=sample, known=known, rank=rank)


def _linked(sample: Bools) -> Bools:
    """Whether cells of the sample link the row and the column of each cell in its period, shape (T, I, J)."""
    rows, columns = np.asarray(sample.any(axis=2)), np.asarray(sample.any(axis=1))
    out = np.asarray(rows[:, :, None] & columns[:, None, :])
    there = rows.any(axis=1)
    if effect_rank(sample) == rows.sum() + columns.sum() - there.sum():
        return out  # one component a period
    n_rows, n_columns = sample.shape[1:]
    for t in np.flatnonzero(there):
        i, j = np.nonzero(sample[t])
        graph = coo_array((np.ones(len(i)), (i, j + n_rows)), shape=(n_rows + n_columns,) * 2)
        label = connected_components(graph, directed=False)[1]
        out[t] &= label[:n_rows, None] == label[n_rows:]
    return out


def _effects(sample: Floats, of_rows: Floats, of_columns: Floats) -> tuple[Floats, Floats]:
    """Row and column effects, shapes (T, I, 1) and (T, J, 1), whose sums over the sample are the given ones."""
    margins = sample.sum(axis=2), sample.sum(axis=1)
    nothing = np.zeros((*of_columns.shape, 1))
    enough = np.array([EXACT * max(np.abs(of_rows).max(initial=0.0), np.abs(of_columns).max(initial=0.0))])
    rows, columns = np.zeros((*of_rows.shape, 1)), nothing.copy()
    for _ in range(ROUNDS):
        left_rows = of_rows[..., None] - margins[0][..., None] * rows - sample @ columns
        left_columns = of_columns[..., None] - margins[1][..., None] * columns - sample.transpose(0, 2, 1) @ rows
        p, q = solve_effects(sample, margins, left_rows, left_columns, nothing, enough, CLOSE)
        rows, columns = rows + p, columns + q
    return rows, columns


def _flat(block: Block, values: Floats) -> Floats:
    """A tensor of a block, shape (T, I, J), as its cells."""
    flat = values.reshape(-1)
    return flat if block.position is None else flat[block.position]
