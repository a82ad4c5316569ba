"""
What is wrong with a log: rows that a panel must not hold, each in exactly one way, counted with their money.

Dirt is added to clean rows, never made of them: without it the panel would be the same. Every dirty row starts as a
copy of another clean row of its month.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.intensities import World
from tradelift.worlds.rows import KEPT_STATUSES, NULL, STATUSES, UNKNOWN_CITIES, Rows, stack
from tradelift.worlds.transactions import first_order, month_seconds, month_start

Ints = NDArray[np.int64]

STREAM = 3
REFUND_LINE = 100  # line 101 takes line 1 back
REFUND_DAYS = 10
OUTSIDE_DAYS = 10
NEW_ORDERS = 10**7 * 5  # where the numbers of dirty orders start within their month


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """
    Rows of one kind.

    Parameters
    ----------
    rows
        How many.
    amount
        Their money in fen; None where it cannot be read.
    """

    rows: int
    amount: int | None

    def __add__(self, other: "Tally") -> "Tally":
        unreadable = self.amount is None or other.amount is None
        return Tally(
            rows=self.rows + other.rows, amount=None if unreadable else (self.amount or 0) + (other.amount or 0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """What a change may need: the world, the month, its clean rows, and randomness."""

    world: World
    month: int
    clean: Rows
    rng: np.random.Generator


def add_dirt(world: World, month: int, clean: Rows) -> tuple[Rows, dict[str, Tally]]:
    """
    Add dirty rows to the clean rows of a month.

    Parameters
    ----------
    world, month
        Where and when, the month as a position from 0.
    clean
        Rows that a panel keeps.

    Returns
    -------
    All rows in the order of time, and a tally by reason; all reasons of `DIRT` are there, 0 included.
    """
    rng = world.random(STREAM, month)
    spot = Spot(world=world, month=month, clean=clean, rng=rng)
    counts = [round(share * len(clean)) if _applies(reason, spot) else 0 for reason, (share, _) in DIRT.items()]
    templates = np.split(rng.choice(len(clean), size=sum(counts), replace=False), np.cumsum(counts)[:-1])
    dirty = {
        reason: change(_renumbered(clean.take(rows), reason, spot), spot)
        for (reason, (_, change)), rows in zip(DIRT.items(), templates, strict=True)
    }
    tallies = {reason: tally(rows) for reason, rows in dirty.items()}
    everything = stack([clean, *dirty.values()])
    return everything.take(np.argsort(everything.paid_at, kind="stable")), tallies


def tally(rows: Rows) -> Tally:
    """Count rows and their money."""
    return Tally(rows=len(rows), amount=int(rows.fen.sum()) if rows.readable.all() else None)


def _applies(reason: str, spot: Spot) -> bool:
    """Rows outside the window stand beside its first and its last month."""
    return reason != "outside the window" or spot.month in {0, spot.world.scale.months - 1}


def _renumbered(rows: Rows, reason: str, spot: Spot) -> Rows:
    """Give copies an order of their own, so that they repeat no line, unless that is what is wrong with them."""
    if reason in {"duplicate line", "refund"}:
        return rows
    first = first_order(spot.world, spot.month) + NEW_ORDERS + list(DIRT).index(reason) * NEW_ORDERS // 100
    return rows.with_columns(order_id=first + np.arange(len(rows)), item_id=1)


def _duplicate(rows: Rows, _spot: Spot) -> Rows:
    return rows


def _refund(rows: Rows, spot: Spot) -> Rows:
    """Take lines back some days later, within the month."""
    later = rows.paid_at + spot.rng.integers(3600, REFUND_DAYS * 86400, len(rows))
    last = month_start(spot.world, spot.month) + month_seconds(spot.world, spot.month) - 1
    return rows.with_columns(fen=-rows.fen, item_id=rows.item_id + REFUND_LINE, paid_at=np.minimum(later, last))


def _same_side(rows: Rows, spot: Spot) -> Rows:
    """Sell within a side, but not within a city."""
    n_east = len(spot.world.east)
    in_east = spot.clean.buyer_city < n_east
    buyer = np.empty(len(rows), dtype=np.int64)
    for side in (True, False):
        mine = (rows.seller_city < n_east) == side
        buyer[mine] = spot.rng.choice(np.flatnonzero(in_east == side), int(mine.sum())) if mine.any() else 0
    moved = rows.with_columns(buyer_city=spot.clean.buyer_city[buyer], buyer_id=spot.clean.buyer_id[buyer])
    return moved.take(moved.seller_city != moved.buyer_city)


def _status(rows: Rows, spot: Spot) -> Rows:
    return rows.with_columns(status=spot.rng.integers(len(KEPT_STATUSES), len(STATUSES), len(rows)))


def _null_key(rows: Rows, spot: Spot) -> Rows:
    """Leave out one of three keys."""
    key = spot.rng.integers(0, 3, len(rows))
    names = ("seller_city", "buyer_city", "order_id")
    return rows.with_columns(**{n: np.where(key == k, NULL, getattr(rows, n)) for k, n in enumerate(names)})


def _unknown(rows: Rows, spot: Spot) -> Rows:
    """Name a city that the map does not have."""
    n_cities = len(spot.world.east) + len(spot.world.west)
    city = n_cities + spot.rng.integers(0, len(UNKNOWN_CITIES), len(rows))
    seller = spot.rng.random(len(rows)) < 0.5
    return rows.with_columns(
        seller_city=np.where(seller, city, rows.seller_city), buyer_city=np.where(seller, rows.buyer_city, city)
    )


def _zero(rows: Rows, _spot: Spot) -> Rows:
    return rows.with_columns(fen=0)


def _unparsable(rows: Rows, _spot: Spot) -> Rows:
    return rows.with_columns(readable=False)


def _outside(rows: Rows, spot: Spot) -> Rows:
    """Pay some days before the window or after it."""
    apart = spot.rng.integers(0, OUTSIDE_DAYS * 86400, len(rows))
    start = month_start(spot.world, spot.month)
    if spot.month == 0:
        return rows.with_columns(paid_at=start - 1 - apart)
    return rows.with_columns(paid_at=start + month_seconds(spot.world, spot.month) + apart)


DIRT: dict[str, tuple[float, Callable[[Rows, Spot], Rows]]] = {
    "null key": (0.001, _null_key),
    "unknown region": (0.004, _unknown),
    "not between the two sides": (0.03, _same_side),
    "duplicate line": (0.006, _duplicate),
    "zero amount": (0.002, _zero),
    "refund": (0.015, _refund),
    "status": (0.02, _status),
    "outside the window": (0.005, _outside),
    "unparsable": (0.0005, _unparsable),
}
"""Reasons in the words of the account, their share of the clean rows of a month, and what they change."""
