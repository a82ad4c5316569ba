"""Sorts of integers in this process; NumPy's use the processor's vectors, which the embedded engine's do not."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]

SIGNED_BITS = 63  # of 64, those that say no sign


def repeated_values(batches: Iterable[NDArray[np.uint64]], expected: int) -> NDArray[np.uint64]:
    """
    The values that occur more than once in all batches together, each once, in order.

    Parameters
    ----------
    batches
        The values.
    expected
        About how many there are; room is made for that many, and more only where that many differ.
    """
    held = np.empty(expected, dtype=np.uint64)
    found = [np.empty(0, dtype=np.uint64)]
    n = 0
    for batch in batches:
        if n + len(batch) > len(held):  # many may be equal, and those take no room
            again = _equal_to_the_one_before(held[:n])
            found.append(np.unique(held[:n][again]))
            different = held[:n][~again]
            n = len(different)
            if n + len(batch) > len(held) // 2:
                held = np.empty(2 * len(held) + len(batch), dtype=np.uint64)
            held[:n] = different
        held[n : n + len(batch)] = batch
        n += len(batch)
    found.append(held[:n][_equal_to_the_one_before(held[:n])])
    return np.unique(np.concatenate(found))


def _equal_to_the_one_before(values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Sort values in place, and say which equal the one before."""
    values.sort()
    again = np.zeros(len(values), dtype=bool)
    np.equal(values[1:], values[:-1], out=again[1:])
    return again


def sort_lists(lists: Any) -> pa.Array:
    """
    Sort the integers of each list.

    Parameters
    ----------
    lists
        Of 64-bit integers, none missing.

    Returns
    -------
    As many lists, each from its smallest to its largest.
    """
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    offsets = np.asarray(lists.offsets)
    values = np.array(lists.values)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    count = np.diff(offsets)
    of = np.repeat(np.arange(len(count), dtype=np.int64), count)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(sort_within(of, values)))


def sort_within(of: Ints, values: Ints) -> Ints:
    """Sort integers by group and, within each, from its smallest to its largest, as `sort_pairs`."""
    return sort_pairs(of, values)[1]


def sort_pairs(of: Ints, values: Ints) -> tuple[Ints, Ints]:
    """
    Sort integers by group and, within each, from its smallest to its largest.

    Parameters
    ----------
    of
        The group of each value, not negative, shape (N,).
    values
        Shape (N,).

    Returns
    -------
    Groups and values, shape (N,) each.
    """
    if not len(values):
        return of, values
    bits = int(values.max()).bit_length()
    if values.min() < 0 or int(of.max()).bit_length() + bits > SIGNED_BITS:
        order = np.lexsort((values, of))
        return of[order], values[order]
    both = of << bits  # one integer holds both, the group above the value
    both |= values
    both.sort()
    return both >> bits, both & ((1 << bits) - 1)
