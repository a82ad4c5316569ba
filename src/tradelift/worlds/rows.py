"""Log rows as arrays of codes, before they are written."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STATUSES = ("paid", "done", "unpaid", "cancelled")
KEPT_STATUSES = STATUSES[:2]
NULL = -1
UNKNOWN_CITIES = ("460100", "650100", "659001", "000000")
"""Codes that a log may name and the map does not have; they follow the known cities."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """
    Lines of orders; N rows, codes of cities with those of the east first.

    Parameters
    ----------
    paid_at
        Seconds since 1970 in UTC, shape (N,).
    order_id, item_id
        The order, -1 for null, and its line, shape (N,).
    seller_city, buyer_city
        Codes, -1 for null, beyond the map for unknown cities, shape (N,).
    seller_id, buyer_id, category, status
        Shape (N,); the last two are positions in `CATEGORIES` and `STATUSES`.
    fen
        Money in hundredths of a yuan, shape (N,).
    readable
        False where the amount is not a number, shape (N,).
    """

    paid_at: Ints
    order_id: Ints
    item_id: Ints
    seller_city: Ints
    buyer_city: Ints
    seller_id: Ints
    buyer_id: Ints
    category: Ints
    status: Ints
    fen: Ints
    readable: Bools

    def __len__(self) -> int:
        return len(self.fen)

    def take(self, which: Ints | Bools) -> "Rows":
        """Select rows by position or mask."""
        return Rows(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def with_columns(self, **columns: Any) -> "Rows":
        """Replace columns; a number fills all rows."""
        filled = {name: np.broadcast_to(np.asarray(value), len(self)) for name, value in columns.items()}
        return replace(self, **filled)


def stack(parts: list[Rows]) -> Rows:
    """Put rows below each other."""
    return Rows(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Rows)})
