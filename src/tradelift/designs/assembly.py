"""From columns of a panel to the arrays of a problem: dense blocks where the effects allow, else rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.effects import effect_codes
from tradelift.designs.terms import Column
from tradelift.panel import Panel
from tradelift.panel.cells import Block
from tradelift.solve import DenseProblem, Piece, RowProblem
from tradelift.threads import side_by_side

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """
    What both kinds of problem are made of.

    Parameters
    ----------
    panel
        The flows.
    outcome
        By cell, finite everywhere, shape (N,).
    columns
        The regressors, finite everywhere.
    used
        Cells of the problem, shape (N,).
    family
        "poisson" or "gaussian".
    weights, offset
        By cell, shape (N,), or None.
    groups
        Codes to sum scores by, shape (N,) each.
    """

    panel: Panel
    outcome: Floats
    columns: Sequence[Column]
    used: Bools
    family: Any
    weights: Floats | None
    offset: Floats | None
    groups: tuple[Ints, ...]


def cluster_codes(panel: Panel, names: Sequence[str]) -> tuple[Ints, ...]:
    """Codes of the user's cluster columns, and of their intersection."""
    codes = [effect_codes(panel, name) for name in names]
    if len(codes) == 2:
        codes.append(effect_codes(panel, "^".join(names)))
    return tuple(codes)


def in_rows(parts: Parts, codes: Sequence[Ints]) -> tuple[RowProblem, tuple[Ints, ...]]:
    """One row an observation, with any effects; and the groups in the same order."""
    rows = np.flatnonzero(parts.used)
    pair = parts.panel.pair_of_cell[rows]
    regressors = [c.values[pair] if c.fixed else c.values[rows] for c in parts.columns]
    problem = RowProblem(
        outcome=parts.outcome[rows],
        regressors=np.stack(regressors, axis=1) if regressors else np.empty((len(rows), 0)),
        weights=None if parts.weights is None else parts.weights[rows],
        offset=None if parts.offset is None else parts.offset[rows],
        effects=tuple(c[rows] for c in codes),
        pair=pair,
        family=parts.family,
        n_pairs=len(parts.panel.pairs),
    )
    return problem, tuple(g[rows] for g in parts.groups)


def in_blocks(parts: Parts, blocks: Sequence[Block], third: Ints | None = None) -> tuple[DenseProblem, tuple[Any, ...]]:
    """One tensor a block, with two-way effects by period and a third by pair (P,); and the groups shaped likewise."""
    pieces = []
    groups: list[list[Ints]] = [[] for _ in parts.groups]
    for block in used_blocks(blocks, parts.used):
        pieces.append(_piece(parts, block, third))
        for collected, codes in zip(groups, parts.groups, strict=True):
            collected.append(block.tensor(codes, fill=0))
    problem = DenseProblem(pieces=tuple(pieces), family=parts.family, n_pairs=len(parts.panel.pairs))
    return problem, tuple(groups)


def used_blocks(blocks: Sequence[Block], used: Bools) -> list[Block]:
    """The blocks that become pieces: those with a cell that is used; `used` has shape (N,)."""
    return [block for block in blocks if used[block.start : block.stop].any()]


def by_cell(problem: DenseProblem | RowProblem, panel: Panel, used: Bools, arrays: Sequence[Array]) -> Array:
    """
    Put what a problem has at each observation back to the cells.

    Parameters
    ----------
    problem, panel, used
        What was made of the panel, and the cells in it, shape (N,).
    arrays
        One a piece, shape (T, I, J), or one of shape (rows,).

    Returns
    -------
    Shape (N,); where a cell is in no piece, NaN or False.
    """
    kind = arrays[0].dtype
    out = np.full(panel.n_cells, np.nan if kind.kind == "f" else 0, dtype=kind)
    if isinstance(problem, RowProblem):
        out[used] = arrays[0]
        return out
    assert panel.cells.blocks is not None, "a dense problem was made of blocks"
    for block, values in zip(used_blocks(panel.cells.blocks, used), arrays, strict=True):
        flat = values.reshape(-1)
        out[block.start : block.stop] = flat if block.position is None else flat[block.position]
    return out


def _piece(parts: Parts, block: Block, third: Ints | None) -> Piece:
    pair = _pair_matrix(block, parts.panel)
    weights = None
    if parts.weights is not None:
        weights = block.tensor(parts.weights)
    elif block.position is not None or not parts.used[block.start : block.stop].all():
        weights = block.tensor(parts.used, fill=False)
    fixed = all(c.fixed for c in parts.columns)
    tensors = []
    for c in parts.columns:
        if c.fixed:
            matrix = np.where(pair >= 0, c.values[pair], 0.0)[None]
            tensors.append(matrix if fixed else np.broadcast_to(matrix, block.shape))
        else:
            tensors.append(block.tensor(c.values))
    empty = np.empty((0, 1, *pair.shape))
    return Piece(
        outcome=block.tensor(parts.outcome),
        regressors=_stacked(tensors) if tensors else empty,
        weights=weights,
        offset=None if parts.offset is None else block.tensor(parts.offset),
        pair=pair,
        group=None if third is None else third[pair],  # where the panel has no pair, nothing is observed
    )


def _stacked(tensors: Sequence[Floats]) -> Floats:
    """Tensors in one array, shape (K, T, I, J), each copied in a thread."""
    out = np.empty((len(tensors), *tensors[0].shape))
    side_by_side(np.copyto, out.size, out, tensors)
    return out


def _pair_matrix(block: Block, panel: Panel) -> Ints:
    """Directed pair of each origin and destination of a block, shape (I, J); -1 where the panel has none."""
    row, column = np.full(len(panel.regions), -1), np.full(len(panel.regions), -1)
    row[block.origins], column[block.destinations] = np.arange(len(block.origins)), np.arange(len(block.destinations))
    i, j = row[panel.pairs.origin], column[panel.pairs.destination]
    here = np.flatnonzero((i >= 0) & (j >= 0))
    out = np.full((len(block.origins), len(block.destinations)), -1)
    out[i[here], j[here]] = here
    return out
