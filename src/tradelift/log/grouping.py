"""Groups of a period's rows by flow and person, made in this process by a compiled loop (groups.c)."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled

Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]


class NotHereError(Exception):
    """Rows that the loops cannot sum exactly; the engine can."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ids:
    """
    What stands for ids outside of the engine.

    Parameters
    ----------
    key
        A number that different whole numbers never share, and texts hardly ever.
    check
        Another one of ids that are texts, which tells two with the same key apart; else None.
    """

    key: Keys
    check: Keys | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flows:
    """
    Some rows in order of their flows.

    Parameters
    ----------
    flow
        Not negative, in order, shape (N,).
    row
        Where ids and money of each stand, shape (N,); None: in the same order.
    """

    flow: Ints
    row: Ints | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """
    One row a flow and person, flows in the order of the rows.

    Parameters
    ----------
    flow, ids, money
        Whose they are and what they come to, shape (G,).
    of
        The group of each row, shape (N,), where it was asked for.
    """

    flow: Ints
    ids: Ids
    money: Ints
    of: Ints | None


def group(rows: Flows, ids: Ids, money: Ints, *, which: bool = False) -> Groups:
    """
    Sum money by flow and person.

    Parameters
    ----------
    rows
        Which rows.
    ids, money
        Of all rows. No sum may be above 2^63.
    which
        Whether to tell the group of each row.

    Raises
    ------
    NotHereError
        If two persons share a key, or there is no memory.
    """
    n, found = len(rows.flow), ctypes.c_int64()
    given = [None if a is None else np.ascontiguousarray(a) for a in (rows.flow, rows.row, ids.key, ids.check, money)]
    flow, key, total = np.empty(n, np.int64), np.empty(n, np.uint64), np.empty(n, np.int64)
    check = None if ids.check is None else np.empty(n, np.uint64)
    of = np.empty(n, np.int64) if which else None
    arguments = map(compiled.at, (*given, flow, key, check, total, of))
    if compiled.call("tl_group", ctypes.c_int64(n), *arguments, ctypes.byref(found)):
        raise NotHereError
    g = found.value
    own = Ids(key=key[:g], check=None if check is None else check[:g])
    return Groups(flow=flow[:g], ids=own, money=total[:g], of=of)
