"""How the rows of a stack fall into blocks that share no effect."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

Ints = NDArray[Any]
Floats = NDArray[Any]

SMALL = 64  # columns up to which blocks are solved together: smaller ones cost more calls than arithmetic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """
    Rows that share effects, ordered by the effect that is solved away first; m rows.

    Parameters
    ----------
    rows
        Positions in the stack, shape (m,).
    first
        Code of the effect with the most levels, ascending, shape (m,).
    starts
        Where each of its G levels starts, shape (G,).
    others
        Codes of the other effects, one after another among C columns, shape (E - 1, m).
    n_columns
        C.
    dummies
        Columns by rows, shape (C, m): 1 where a row has the column.
    met
        The columns that each level of the first effect meets.
    """

    rows: Ints
    first: Ints
    starts: Ints
    others: Ints
    n_columns: int
    dummies: csr_array[Any, tuple[int, int]] = field(repr=False)
    met: "Met"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Met:
    """
    Where the levels of a block's first effect meet its columns: what its normal equations are summed over.

    Parameters
    ----------
    place
        Level x C + column of each meeting, ascending, shape (M,).
    level
        Level of each, shape (M,).
    of_row
        Meeting of each row and other effect, shape (E - 1, m).
    one, other
        Every two meetings of one level, the second not before the first, shape (Q,) each.
    target
        Where sums over them, over rows that have two columns, and over columns go in the flattened (C, C) matrix; its
        upper triangle is filled.
    """

    place: Ints
    level: Ints
    of_row: Ints
    one: Ints
    other: Ints
    target: Ints


def cut_blocks(effects: Sequence[Ints], used: Ints) -> list[Block]:
    """
    Part rows into blocks.

    Parameters
    ----------
    effects
        Codes of each effect, shape (n,) each; at least one.
    used
        Rows that are estimated on in some period, shape (n_used,).
    """
    codes = [np.unique(code[used], return_inverse=True)[1] for code in effects]
    codes.sort(key=lambda code: -int(code.max(initial=-1)))
    label = _components(codes)
    merged = _merge(label, codes)
    return [_block(used, codes, np.flatnonzero(merged == b)) for b in range(int(merged.max()) + 1)]


def _components(codes: Sequence[Ints]) -> Ints:
    """Connected component of each row in the graph of rows and levels, shape (n_used,)."""
    n = len(codes[0])
    first = n + np.cumsum([0, *(int(code.max()) + 1 for code in codes)])
    ends = np.concatenate([code + start for code, start in zip(codes, first, strict=False)])
    graph = coo_array((np.ones(len(ends)), (np.tile(np.arange(n), len(codes)), ends)), shape=(int(first[-1]),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1][:n])


def _merge(label: Ints, codes: Sequence[Ints]) -> Ints:
    """Put small components together."""
    n = int(label.max()) + 1
    columns = np.zeros(n, dtype=np.int64)
    for code in codes[1:]:
        of_level = np.zeros(int(code.max()) + 1, dtype=np.int64)
        of_level[code] = label  # rows that share a level share a component
        columns += np.bincount(of_level, minlength=n)
    block = np.zeros(n, dtype=np.int64)
    count, filled = 0, 0
    for component in np.argsort(columns, kind="stable"):
        if filled and filled + columns[component] > SMALL:
            count, filled = count + 1, 0
        block[component] = count
        filled += int(columns[component])
    return np.asarray(block[label])


def _block(used: Ints, codes: Sequence[Ints], members: Ints) -> Block:
    order = members[np.argsort(codes[0][members], kind="stable")]
    first = np.unique(codes[0][order], return_inverse=True)[1]
    others, n = [], 0
    for code in codes[1:]:
        levels, own = np.unique(code[order], return_inverse=True)
        others.append(own + n)
        n += len(levels)
    columns = np.array(others, dtype=np.int64).reshape(len(others), len(order))
    place = np.tile(np.arange(len(order)), len(others))
    return Block(
        rows=used[order],
        first=first,
        starts=np.flatnonzero(np.diff(first, prepend=-1)),
        others=columns,
        n_columns=n,
        dummies=csr_array((np.ones(columns.size), (columns.ravel(), place)), shape=(n, len(order))),
        met=_meet(np.asarray(first), columns, n),
    )


def _meet(first: Ints, columns: Ints, c: int) -> Met:
    place, of_row = np.unique(first * c + columns, return_inverse=True)
    level, column = np.divmod(place, max(c, 1))
    # each meeting with itself and all later ones of its level
    ends = np.searchsorted(level, level, side="right")
    count = ends - np.arange(len(place))
    one = np.repeat(np.arange(len(place)), count)
    other = one + np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
    twice = [
        np.minimum(a, b) * c + np.maximum(a, b) for n, a in enumerate(columns) for b in columns[:n]
    ]  # a row has two columns
    diagonal = np.arange(c) * (c + 1)
    return Met(
        place=place,
        level=level,
        of_row=of_row.reshape(columns.shape),
        one=one,
        other=other,
        target=np.concatenate([column[one] * c + column[other], *twice, diagonal]),
    )
