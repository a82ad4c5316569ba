"""Sorts of integers in this process; NumPy's use the processor's vectors, which the embedded engine's do not."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

VALUE_BITS = 50
"""Bits of a value where its list's position stands above it in one integer; 63 - 50 leave 8,192 lists."""


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
    if not len(values) or (values.min() >= 0 and values.max() < 2**VALUE_BITS and len(count) <= 2 ** (63 - VALUE_BITS)):
        of <<= VALUE_BITS
        of |= values
        of.sort()
        of &= 2**VALUE_BITS - 1
        values = of
    else:
        values = values[np.lexsort((values, of))]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))
