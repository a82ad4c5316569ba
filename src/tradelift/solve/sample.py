"""Which observations can be used: exact separation by the effects, and singletons."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tradelift.solve import compiled, kernel

Bools = NDArray[Any]
Ints = NDArray[Any]
Floats = NDArray[Any]


def separated_by_effects(positive: Bools, sample: Bools | None) -> Bools | None:
    """
    Find the zero flows that two-way effects fit perfectly, so that no Poisson maximum exists with them.

    Join origins and destinations by the positive flows of a period. A zero flow leads from the component of its
    origin to that of its destination; it is separated if and only if no zero flows lead back, that is if the two
    components are not strongly connected. An origin or destination without trade is the simplest case.

    Parameters
    ----------
    positive
        Where the outcome is positive, shape (T, I, J), within the sample.
    sample
        Observations, shape (T, I, J); None for all.

    Returns
    -------
    The separated observations, shape (T, I, J), or None where there are none.

    References
    ----------
    Correia, Guimaraes and Zylkin (2021), Verifying the existence of maximum likelihood estimates for generalized
    linear models.
    """
    by_row, by_column = counts(positive)
    rows, columns = by_row > 0, by_column > 0
    traded = bool(rows.all() and columns.all())
    # one origin that sells to every destination joins all: no further separation is possible
    joined = np.asarray((by_row == columns.sum(axis=1)[:, None]).any(axis=1))
    joined |= (by_column == rows.sum(axis=1)[:, None]).any(axis=1)
    unclear = np.flatnonzero(~joined)
    joined[unclear] = _in_one_piece(positive[unclear])
    if traded and joined.all():
        return None
    everything = np.ones(positive.shape, dtype=bool) if sample is None else sample
    out: Bools = everything & ~(rows[:, :, None] & columns[:, None, :])
    left = everything & ~out
    for t in np.flatnonzero(~joined):
        i, j = np.nonzero(left[t])
        apart = _between_components(i, j, positive[t, i, j])
        out[t, i[apart], j[apart]] = True
    return out if out.any() else None


def _in_one_piece(edges: Bools) -> Bools:
    """
    Whether all rows and columns of a period that have an edge hang together; False leaves it open.

    Two steps from the busiest row show it in the usual case, for all periods at once.

    Parameters
    ----------
    edges
        Shape (t, I, J).
    """
    rows, columns = np.asarray(edges.any(axis=2)), np.asarray(edges.any(axis=1))
    busiest = edges.view(np.uint8).sum(axis=2, dtype=np.int32).argmax(axis=1)
    reached = edges[np.arange(len(edges)), busiest]
    for _ in range(2):
        found = np.asarray((edges & reached[:, None, :]).any(axis=2))
        reached = np.asarray((edges & found[:, :, None]).any(axis=1))
    return np.asarray((found == rows).all(axis=1) & (reached == columns).all(axis=1))


def _between_components(first: Ints, second: Ints, positive: Bools) -> Bools:
    """Mark the observations that lead from one component to another and not back, shape (N,)."""
    n_first = int(first.max(initial=-1)) + 1
    size = n_first + int(second.max(initial=-1)) + 1
    a, b = first[positive], second[positive] + n_first
    n, label = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(size, size)), directed=False)
    start, end = label[first], label[second + n_first]
    directed = coo_array((np.ones(len(start)), (start, end)), shape=(n, n))
    strong = connected_components(directed, directed=True, connection="strong")[1]
    return np.asarray(strong[start] != strong[end])


def singletons(sample: Bools) -> Bools | None:
    """
    Find observations alone in an origin-period or destination-period, again and again until none is left.

    Parameters
    ----------
    sample
        Observations, shape (T, I, J).

    Returns
    -------
    Shape (T, I, J), or None where there are none.
    """
    left = sample
    while True:
        rows, columns = counts(left)
        if not ((rows == 1).any() or (columns == 1).any()):
            return None if left is sample else sample & ~left
        left = left & ~((rows == 1)[:, :, None] | (columns == 1)[:, None, :])


def counts(sample: Bools) -> tuple[Ints, Ints]:
    """Observations by origin and by destination, shapes (T, I) and (T, J)."""
    if compiled.loaded():
        return kernel.counts(sample)
    small = sample.view(np.uint8)
    return small.sum(axis=2, dtype=np.int32), small.sum(axis=1, dtype=np.int32)


def effect_rank(sample: Bools) -> int:
    """
    Rank of origin-period and destination-period effects: used rows and columns less connected components.

    Parameters
    ----------
    sample
        Observations, shape (T, I, J).
    """
    by_row, by_column = counts(sample)
    rows, used = by_row > 0, (by_column > 0).sum(axis=1)
    rank = int(rows.sum() + used.sum())
    full: Bools = np.asarray((by_row == used[:, None]).any(axis=1))  # a row that meets all columns joins them
    unclear = np.flatnonzero(~full)
    full[unclear] = _in_one_piece(sample[unclear])
    rank -= int((full & rows.any(axis=1)).sum())
    for t in np.flatnonzero(~full):
        i, j = np.nonzero(sample[t])
        rank -= _n_components(i, j, sample.shape[1], sample.shape[2])
    return rank


def code_rank(codes: tuple[Ints, ...]) -> int:
    """
    Rank of fixed effects given as codes: exact for one or two, an upper bound as reghdfe's for more.

    Parameters
    ----------
    codes
        Shape (N,) each, on the sample.
    """
    sizes = [len(np.unique(c)) for c in codes]
    rank = sum(sizes) - max(len(codes) - 1, 0)
    if len(codes) > 1:
        rank += 1 - _n_components(codes[0], codes[1], int(codes[0].max()) + 1, int(codes[1].max()) + 1)
    return rank


def _n_components(i: Ints, j: Ints, n_rows: int, n_columns: int) -> int:
    """Number of connected components among the used rows and columns."""
    graph = coo_array((np.ones(len(i)), (i, j + n_rows)), shape=(n_rows + n_columns,) * 2)
    labels = connected_components(graph, directed=False)[1]
    return len(np.unique(labels[i]))


def code_singletons(codes: tuple[Ints, ...]) -> Bools:
    """Find rows alone in a group of any effect, again and again until none is left, shape (N,)."""
    left = np.ones(len(codes[0]) if codes else 0, dtype=bool)
    while True:
        alone = np.zeros_like(left)
        for code in codes:
            alone |= left & (np.bincount(code[left], minlength=int(code.max(initial=0)) + 1)[code] == 1)
        if not alone.any():
            return ~left
        left &= ~alone


def code_separated(outcome: Floats, codes: tuple[Ints, ...]) -> Bools:
    """
    Find rows that the effects alone separate: exact for two effects, else groups without a positive outcome.

    Parameters
    ----------
    outcome
        Shape (N,), not negative.
    codes
        Shape (N,) each.
    """
    out = _in_empty_groups(outcome, codes)
    if len(codes) == 2:
        left = np.flatnonzero(~out)
        first, second = (np.unique(c[left], return_inverse=True)[1] for c in codes)
        out[left[_between_components(first, second, outcome[left] > 0)]] = True
    return out


def _in_empty_groups(outcome: Floats, codes: tuple[Ints, ...]) -> Bools:
    left = np.ones(len(outcome), dtype=bool)
    while True:
        empty = np.zeros_like(left)
        for code in codes:
            total = np.bincount(code, weights=np.where(left, outcome, 0.0), minlength=int(code.max(initial=0)) + 1)
            empty |= left & (total[code] == 0)
        if not empty.any():
            return ~left
        left &= ~empty
