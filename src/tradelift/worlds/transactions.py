"""From baskets to clean log rows: a seller, a buyer, a time and a status for each order."""

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.baskets import Baskets
from tradelift.worlds.intensities import World
from tradelift.worlds.people import Crowd
from tradelift.worlds.rows import KEPT_STATUSES, Rows, stack
from tradelift.worlds.seasons import HOURS, day_weights, month_days

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STREAM = 2
UTC_OFFSET = 8 * 3600  # of China, which has had no summer time since 1991
ORDERS_A_MONTH = 10**8  # room for the order numbers of a month


def spread(world: World, month: int, baskets: tuple[Baskets, Baskets], people: tuple[Crowd, Crowd]) -> Rows:
    """
    Spread the orders of a month over people and time.

    Parameters
    ----------
    world, month
        Where and when, the month as a position from 0.
    baskets
        What is traded from east to west and from west to east.
    people
        Sellers and buyers.

    Returns
    -------
    All lines, in the order of time.
    """
    rng = world.random(STREAM, month)
    n_east = len(world.east)
    parts = [
        _rows(world, month, baskets[0], (0, n_east), people, rng),
        _rows(world, month, baskets[1], (n_east, 0), people, rng),
    ]
    rows = stack(parts)
    return number(rows.take(np.argsort(rows.paid_at, kind="stable")), first_order(world, month))


def first_order(world: World, month: int) -> int:
    """Give the number from which a month counts its orders: 201701 and eight digits."""
    return int(world.scale.labels()[month].replace("-", "")) * ORDERS_A_MONTH


def number(rows: Rows, first: int) -> Rows:
    """Number orders anew in the order in which they appear."""
    _, place, inverse = np.unique(rows.order_id, return_index=True, return_inverse=True)
    rank = np.empty(len(place), dtype=np.int64)
    rank[np.argsort(place, kind="stable")] = np.arange(len(place))
    return rows.with_columns(order_id=first + 1 + rank[inverse])


def month_start(world: World, month: int) -> int:
    """Second since 1970, in UTC, at which a local month starts."""
    return int(month_days(world.scale)[month][0].astype("M8[s]").astype(np.int64)) - UTC_OFFSET


def month_seconds(world: World, month: int) -> int:
    """Length of a month in seconds."""
    return len(month_days(world.scale)[month]) * 86400


def _rows(
    world: World,
    month: int,
    baskets: Baskets,
    first_city: tuple[int, int],
    people: tuple[Crowd, Crowd],
    rng: np.random.Generator,
) -> Rows:
    pair = baskets.pair_of_order()
    n = len(pair)
    cities = [first + code for first, code in zip(first_city, divmod(pair, baskets.deals.shape[1]), strict=True)]
    by_order = {
        "paid_at": _times(world, month, n, rng),
        "seller_city": cities[0],
        "buyer_city": cities[1],
        "seller_id": people[0].draw(cities[0], rng),
        "buyer_id": people[1].draw(cities[1], rng),
        "category": baskets.category,
        "status": rng.integers(0, len(KEPT_STATUSES), n),
    }
    order = baskets.order_of_line()
    first_line = np.cumsum(baskets.lines) - baskets.lines
    return Rows(
        order_id=order + first_city[0] * ORDERS_A_MONTH,
        item_id=1 + np.arange(len(order)) - first_line[order],
        fen=baskets.amount,
        readable=np.ones(len(order), dtype=bool),
        **{name: values[order] for name, values in by_order.items()},
    )


def _times(world: World, month: int, n: int, rng: np.random.Generator) -> Ints:
    """Draw times within a month by inverting the distribution function over its hours."""
    hours = np.outer(day_weights(world.scale)[month], HOURS).ravel()
    reached = np.concatenate([[0.0], np.cumsum(hours) / hours.sum()])
    second = np.interp(rng.random(n), reached, np.arange(len(reached))) * 3600
    return month_start(world, month) + np.minimum(second.astype(np.int64), month_seconds(world, month) - 1)
