"""
Which sums over cells would tell others about one seller or buyer.

Who contributes to a sum is not counted, but bounded by what is known of its cells. A sum has at least as many
contributors as any of its cells. Nobody has more in it than the largest of each cell have together, and no two more
than the largest two: so if the rest of all cells, without the largest two of each, is p percent of what the largest
have together or more, then the same holds for the sum. What these bounds do not show to be safe does not leave.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tradelift.log.disclosure import SLACK, WHO, Bools, Floats, Ints, Rules, is_within, refuse_unjudged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contributions:
    """
    What is known of the contributors of cells.

    Parameters
    ----------
    trade
        Shape (N,): of each cell, in minor units where the panel has them, else in its units.
    most
        Sellers and buyers, shape (N, 2); 0 where they are not known.
    largest, rest
        Of the largest seller and buyer, and of all but the largest two, shape (N, 2); all is the largest's where it is
        not known.
    """

    trade: Ints | Floats
    most: Ints
    largest: Ints | Floats
    rest: Ints | Floats


def contributions(cells: pa.Table) -> Contributions:
    """
    Read what cells say of their contributors.

    Parameters
    ----------
    cells
        Of a panel, as `disclose` takes them.

    Raises
    ------
    DataError
        If they do not say it.
    """
    refuse_unjudged(cells.column_names)
    exact = "trade_minor" in cells.column_names
    total: Ints | Floats = np.nan_to_num(_column(cells, "trade"))
    if exact:
        total = np.asarray(cells["trade_minor"].cast(pa.int64()).fill_null(0).to_numpy())
    most = np.stack([np.nan_to_num(_column(cells, f"{who}s")) for who in WHO], axis=1).astype(np.int64)
    amounts = []
    for who in WHO:
        share = [_column(cells, f"{who}_share_{k}") for k in (1, 2)]
        known = ~(np.isnan(share[0]) | np.isnan(share[1]))
        first = np.where(known, np.nan_to_num(share[0]), 1.0) * total
        second = np.where(known, np.nan_to_num(share[1]), 0.0) * total
        if exact:
            first, second = np.rint(first).astype(np.int64), np.rint(second).astype(np.int64)
        amounts.append((first, total - first - second))
    largest, rest = (np.stack([pair[k] for pair in amounts], axis=1) for k in (0, 1))
    return Contributions(trade=total, most=most, largest=largest, rest=rest)


def telling_sums(known: Contributions, group: Ints, n: int, rules: Rules) -> Bools:
    """
    Find the sums that may not leave.

    Parameters
    ----------
    known
        Of the cells.
    group
        Shape (N,): which sum a cell is part of; negative: of none.
    n
        How many sums there are.
    rules
        What may leave.

    Returns
    -------
    Shape (n,). A sum of cells in which nothing was traded tells of nobody.
    """
    cells = np.flatnonzero((group >= 0) & (known.trade != 0))
    own = group[cells]
    traded = np.bincount(own, minlength=n) > 0
    tells = np.zeros(n, dtype=bool)
    for who in range(len(WHO)):
        most = np.zeros(n, dtype=np.int64)
        np.maximum.at(most, own, known.most[cells, who])
        largest, rest = (np.zeros(n, dtype=amounts.dtype) for amounts in (known.largest, known.rest))
        np.add.at(largest, own, known.largest[cells, who])
        np.add.at(rest, own, known.rest[cells, who])
        if largest.dtype.kind == "i":
            near = is_within(rest.astype(np.int64), largest.astype(np.int64), rules.p)
        else:
            total = np.bincount(own, weights=known.trade[cells], minlength=n)
            near = 100 * rest < rules.p * largest + 100 * SLACK * total
        tells |= (most < rules.contributors) | near
    return tells & traded


def telling_extremes(values: Floats, hidden: Bools, extreme: float, rules: Rules) -> bool:
    """
    Whether the smallest or largest value of some cells may not leave.

    Parameters
    ----------
    values
        Of the cells, shape (N,).
    hidden
        Whether the value of a cell may not leave, shape (N,).
    extreme
        The value. If as many cells have it as a cell must have contributors, it tells of none of them.
    rules
        What may leave.
    """
    at = values == extreme
    return bool(hidden[at].any()) and int(at.sum()) < rules.contributors


def _column(cells: pa.Table, name: str) -> Floats:
    """Numbers; NaN where they are missing."""
    return np.asarray(cells[name].cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy())
