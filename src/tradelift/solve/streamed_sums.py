"""PPML from the sums of blocks over all periods, which the first pass has added up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.block_sums import Sums
from tradelift.solve.profile import Solved
from tradelift.solve.sums import Block, newton

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BySums:
    """
    A solution from sums.

    Parameters
    ----------
    solved
        Coefficients and effects, by block over all periods.
    periods
        Those of each part.
    """

    solved: Solved
    periods: Mapping[int, slice]

    def part(self, n: int) -> Solved:
        """The solution in the periods of a part."""
        when, found = self.periods.get(n, slice(0, 0)), self.solved
        return Solved(
            coefficients=found.coefficients,
            rows=[values[when] for values in found.rows],
            columns=[values[when] for values in found.columns],
            row_parts=[values[when] for values in found.row_parts],
            column_parts=[values[when] for values in found.column_parts],
            steps=found.steps,
            path=found.path,
        )


def solve_sums(sums: Sequence[Sums], kept: tuple[int, ...], centre: Floats) -> BySums | None:
    """
    Solve from sums; see `tradelift.solve.sums.newton`.

    Parameters
    ----------
    sums
        By block.
    kept
        Positions of the regressors.
    centre
        About which the kept regressors are measured, shape (K,).

    Returns
    -------
    The solution, or None where balancing mixes too slowly for this path.
    """
    solved = newton([_block(s, kept, centre) for s in sums])
    if solved is None:
        return None
    edges = np.cumsum([0, *(len(rows) for rows in sums[0].rows)]).tolist()
    return BySums(solved=solved, periods=dict(zip(sums[0].parts, starmap(slice, pairwise(edges)), strict=True)))


def _block(sums: Sums, kept: tuple[int, ...], centre: Floats) -> Block:
    mask = sums.mask.astype(np.float64)
    rows, columns = np.concatenate(sums.rows), np.concatenate(sums.columns)
    return Block(
        x=(sums.x[list(kept)] - centre[:, None, None]) * mask,
        mask=mask,
        offset=sums.offset,
        rows=rows,
        columns=columns,
        pairs=sums.pairs,
    )
