"""Multipliers and effects of two-way sums by the compiled loops (sums.c), some periods a call, calls in threads."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.compiled import NoMemoryError, at, call
from tradelift.threads import side_by_side

Floats = NDArray[Any]

LANES = 16  # periods a call, as in sums.c


def balance(
    kernel: tuple[Floats, Floats],
    sums: tuple[Floats, Floats],
    multipliers: tuple[Floats, Floats],
    effects: tuple[Floats, Floats],
    enough: float,
    most: int,
) -> tuple[Floats, Floats, Floats] | None:
    """
    Fit multipliers to sums by turns, and find the effects in the regressors.

    Parameters
    ----------
    kernel
        What a pair trades apart from its multipliers, (I, J), and the regressors, (K, I, J).
    sums
        To be reproduced, by row (T, I) and by column (T, J).
    multipliers
        Shapes (T, I) and (T, J); changed in place from where the second stands.
    effects
        Shapes (K, T, I) and (K, T, J); likewise.
    enough, most
        Relative change in the last turn, and the number of turns.

    Returns
    -------
    Fitted sums by row (T, I), and the regressors' weighted sums by row (K, T, I) and by column (K, T, J); None where
    more turns are needed.
    """
    plain, x = kernel
    planes = np.concatenate([plain[None], x * plain])
    turned = np.ascontiguousarray(planes.swapaxes(1, 2))
    (periods, rows), columns, k = sums[0].shape, plain.shape[1], len(x)
    out = np.empty((periods, rows)), np.empty((k, periods, rows)), np.empty((k, periods, columns))
    given = [at(v) for v in (planes, turned, *sums)]
    changed = [at(v) for v in (*multipliers, *effects, *out)]

    def some(first: int, here: int) -> int:
        shape = map(ctypes.c_int64, (periods, first, here, rows, columns, k))
        return call("tl_balance", *shape, *given, ctypes.c_double(enough), ctypes.c_int64(most), *changed)

    firsts = range(0, periods, LANES)
    status = side_by_side(some, periods * plain.size, firsts, [min(LANES, periods - first) for first in firsts])
    if max(status) > 1:
        raise NoMemoryError
    return None if any(status) else out
