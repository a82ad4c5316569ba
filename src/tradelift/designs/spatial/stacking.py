"""From near pairs and the columns of a panel to the arrays of a stacked problem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.assembly import cluster_codes
from tradelift.designs.effects import by_pair, gaps
from tradelift.designs.spatial.near import NearPairs
from tradelift.designs.spatial.options import Near, side_names
from tradelift.designs.terms import Column
from tradelift.errors import DesignError
from tradelift.panel import Panel

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

GROUP = "group"  # the effect and cluster of a partner pair with its near controls
POWERS = {"d": 1, "d2": 2}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """
    Near pairs over the periods of a panel; T counts periods, or periods and categories.

    Parameters
    ----------
    near
        The n rows of a period.
    cell
        Cell of each row in each period, shape (T, n); -1 where the panel has none.
    compared
        Where the group's partner pair and the row may be compared in that period, shape (T, n) or (1, n): all, unless
        partnerships start or end within the panel.
    """

    near: NearPairs
    cell: Ints
    compared: Bools

    @property
    def shape(self) -> tuple[int, int]:
        """(T, n)."""
        return self.cell.shape[0], self.cell.shape[1]

    def take(self, by_cell: Floats) -> Floats:
        """A column of cells at each observation, shape (T, n); anything where the panel has no cell."""
        return np.asarray(by_cell[self.cell])

    def cells_used(self, n_cells: int) -> Bools:
        """Mark the cells of the panel that stand in the stack, shape (N,)."""
        out = np.zeros(n_cells, dtype=bool)
        out[self.cell[self.cell >= 0]] = True
        return out

    def pairs_used(self, n_pairs: int) -> Bools:
        """Mark the directed pairs of the panel that stand in the stack, shape (P,)."""
        out = np.zeros(n_pairs, dtype=bool)
        out[self.near.pair] = True
        return out


def stack_panel(panel: Panel, near: NearPairs, options: Near) -> Stack:
    """
    Look up the cells of near pairs.

    Parameters
    ----------
    panel
        In memory.
    near
        Its near pairs.
    options
        What near means; here only whether pairs that are not treated yet may be controls.
    """
    n_categories = 1 if panel.categories is None else len(panel.categories)
    used, local = np.unique(near.pair, return_inverse=True)
    cells = _cells_of(panel, used, n_categories)
    return Stack(near=near, cell=cells[:, local], compared=_compared(panel, near, options, n_categories))


def _cells_of(panel: Panel, pairs: Ints, n_categories: int) -> Ints:
    """Cell of each of p distinct directed pairs in each period and category, shape (T, p); -1 where there is none."""
    place = np.full(len(panel.pairs), -1)
    place[pairs] = np.arange(len(pairs))
    out = np.full((len(panel.periods) * n_categories, len(pairs)), -1)
    blocks = panel.cells.blocks
    if n_categories == 1 and blocks is not None and all(block.position is None for block in blocks):
        for block in blocks:  # complete: every period repeats the pairs of the first
            at = place[panel.pair_of_cell[block.start : block.start + block.size]]
            own = np.flatnonzero(at >= 0)
            out[:, at[own]] = block.start + np.arange(block.n_periods)[:, None] * block.size + own
        return out
    at = place[panel.pair_of_cell]
    cells = np.flatnonzero(at >= 0)
    period = panel.cells.column("period")[cells].astype(np.int64)
    if n_categories > 1:
        period = period * n_categories + panel.cells.column("category")[cells]
    out[period, at[cells]] = cells
    return out


def _compared(panel: Panel, near: NearPairs, options: Near, n_categories: int) -> Bools:
    """
    Where a group is compared and a row may be in it, shape (T | 1, n).

    A group goes on until its partnership ends; before the start, too, where pairs that are not treated yet are
    controls. A control that is a partner pair of another group is one only before its own start.
    """
    programme = panel.programme
    assert programme is not None, "near pairs have one"
    if programme.always_on(len(panel.periods)):
        return np.ones((1, len(near)), dtype=bool)
    period = np.repeat(np.arange(len(panel.periods)), n_categories)[:, None]
    own = near.partner_row[near.group]
    out = period <= programme.end[own]
    if options.not_yet == "never":
        out &= period >= programme.start[own]
    other = (near.partnership >= 0) & ~near.is_partner
    return np.asarray(out & (~other | (period < programme.start[near.partnership])))


def distance_columns(panel: Panel, near: NearPairs, terms: Sequence[str]) -> dict[str, Floats]:
    """
    Terms in the distance from the partner pair, one slope a side.

    Parameters
    ----------
    panel, near
        The stack.
    terms
        Of "d" (kilometres) and "d2" (squared).

    Returns
    -------
    By name, as "d[west]", shape (n,) each; of the sides on which controls differ.
    """
    sides = [side for side in (0, 1) if ((near.side & (1 + side)) > 0).any()]
    names = side_names(panel)
    return {f"{term}[{names[side]}]": near.distances_km[:, side] ** POWERS[term] for term in terms for side in sides}


def regressors_of(stack: Stack, columns: Sequence[Column], distances: Mapping[str, Floats]) -> Floats:
    """Regressors, shape (K, T, n), or (K, 1, n) where none moves; 0 where they are missing."""
    values = [column.values[stack.near.pair][None] if column.fixed else stack.take(column.values) for column in columns]
    values += [distance[None] for distance in distances.values()]
    moves = any(len(v) > 1 for v in values)
    shape = stack.shape if moves else (1, stack.shape[1])
    if not values:
        return np.zeros((0, *shape))
    return np.asarray(np.nan_to_num(np.stack([np.broadcast_to(v, shape) for v in values])))


def stack_effects(panel: Panel, near: NearPairs, names: Sequence[str]) -> tuple[Ints, ...]:
    """
    Code the effects of the rows of a period, shape (n,) each.

    Parameters
    ----------
    panel, near
        The stack.
    names
        Each with the period (and category) where there are several, and the rest of what it is made of: group, origin,
        destination or columns of pairs, joined by ^.

    Raises
    ------
    DesignError
        If an effect is not by period or made of a column that moves.
    """
    needed = _period_parts(panel)
    out = []
    for name in names:
        parts = [part.strip() for part in name.split("^")]
        if not needed <= set(parts):
            msg = (
                f"Effects of a stack are by {' and '.join(sorted(needed))}, which '{name}' is not; write "
                f"'{'^'.join((name, *sorted(needed - set(parts))))}'."
            )
            raise DesignError(msg)
        code = np.zeros(len(near), dtype=np.int64)
        for part in parts:
            if part in ("period", "category"):
                continue
            own = _row_codes(panel, near, part, name)
            code = np.unique(code * (int(own.max(initial=0)) + 1) + own, return_inverse=True)[1].astype(np.int64)
        out.append(code)
    return tuple(out) or (np.zeros(len(near), dtype=np.int64),)


def default_effects(panel: Panel) -> tuple[str, ...]:
    """Group-period, origin-period and destination-period effects, by category where there are categories."""
    suffix = "".join(f"^{part}" for part in ("period", "category") if part in _period_parts(panel))
    return f"{GROUP}{suffix}", f"origin{suffix}", f"destination{suffix}"


def _period_parts(panel: Panel) -> set[str]:
    parts = {"period"} if len(panel.periods) > 1 else set()
    return parts | ({"category"} if panel.categories is not None else set())


def _row_codes(panel: Panel, near: NearPairs, part: str, name: str) -> Ints:
    """Codes of a column by row, shape (n,)."""
    if part == GROUP:
        return np.asarray(near.group)
    values = by_pair(panel, part)
    if values is None:
        msg = f"The effect '{name}' of a stack is made of '{part}', which moves in time; use columns of pairs."
        raise DesignError(msg)
    return np.unique(values[near.pair], return_inverse=True)[1].astype(np.int64)


def stack_clusters(panel: Panel, stack: Stack, names: Sequence[str]) -> tuple[Ints, ...]:
    """Codes of the user's cluster columns at each observation and of their intersection, shape (T | 1, n) each."""
    codes = []
    for name in names:
        if name == GROUP:
            codes.append(stack.near.group[None])
        else:
            codes.append(np.where(stack.cell >= 0, stack.take(cluster_codes(panel, [name])[0]), 0))
    if len(codes) == 2:
        both = codes[0] * (int(codes[1].max(initial=0)) + 1) + codes[1]
        codes.append(np.unique(both, return_inverse=True)[1].reshape(both.shape))
    return tuple(codes)


def cluster_gaps(panel: Panel, stack: Stack, names: Sequence[str]) -> Bools:
    """Where a column to cluster by is missing, shape (T, n)."""
    return np.asarray(stack.take(gaps(panel, [name for name in names if name != GROUP])))
