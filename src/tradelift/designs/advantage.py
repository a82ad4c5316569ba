"""Comparative advantage: in which categories a side sells more than its share of all trade."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.panel import Panel

Floats = NDArray[Any]


def balassa(panel: Panel, side: int = 1) -> Floats:
    """
    Balassa's index of revealed comparative advantage: a side's share of a category over its share of all trade.

    Flows of partner pairs are left out, so that the programme does not make the advantage by which it is judged.

    Parameters
    ----------
    panel
        With two sides, and flows by category beside it.
    side
        0 for the first, 1 for the second.

    Returns
    -------
    Shape (C,), in the order of `panel.goods.names`; above 1 the side has an advantage, NaN where nothing is traded.

    Raises
    ------
    DesignError
        If the panel has no sides, or no trade by category.

    References
    ----------
    Balassa (1965), The Manchester School 33, 99-123.
    """
    goods = panel.goods
    if goods is None or "trade" not in goods.columns:
        msg = "Comparative advantage needs trade by category: the log's column `category`, or `by_category` of `flows`."
        raise DesignError(msg)
    if panel.regions.side is None:
        msg = "Comparative advantage is of a side, and these regions have none: give them a column side."
        raise DesignError(msg)
    pair = panel.pair_of_cell[goods.cell]
    counts = panel.pairs.partnership[pair] < 0
    sells = counts & (panel.regions.side[panel.pairs.origin[pair]] == side)
    own, every = (
        np.array([goods.columns["trade"][a:b][mask[a:b]].sum() for a, b in _ranges(goods.edges)])
        for mask in (sells, counts)
    )
    if not own.sum():
        return np.full(len(goods.names), np.nan)
    share = np.divide(own, every, out=np.full(len(own), np.nan), where=every > 0)
    return np.asarray(share / (own.sum() / every.sum()))


def _ranges(edges: NDArray[np.int64]) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in pairwise(edges)]
