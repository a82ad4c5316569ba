"""What is sold: categories, their prices, how many lines an order has, and which of them the programme lifts most."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CATEGORIES = ("food", "apparel", "home", "electronics", "beauty", "toys", "books", "crafts")
PRIORITY = ("food", "apparel", "home")
"""Sectors in which the programme invests."""
NAMES = {"food": "Food and drink", "apparel": "Clothing", "home": "Household goods"}
"""Labels of categories that are more than their name."""
PRICE = np.array([45.0, 90.0, 120.0, 400.0, 80.0, 60.0, 30.0, 70.0])
"""Mean amount of a line in yuan."""
MIX = {
    "east": np.array([0.10, 0.28, 0.18, 0.14, 0.12, 0.09, 0.06, 0.03]),
    "west": np.array([0.36, 0.22, 0.16, 0.02, 0.05, 0.03, 0.03, 0.13]),
}
"""Share of each category in the orders of a side's sellers to cities that are not their partners."""
LINES = np.array([0.60, 0.28, 0.12])
"""Shares of orders with one, two and three lines."""
SPREAD = 1.0  # standard deviation of a line's log amount
OTHERS_LIFT = 0.04  # of categories that are no priority, from west to east


def order_value(side: str) -> float:
    """Mean money of an order from a side's sellers, in yuan, where the city's price level is 1."""
    return float((MIX[side] @ PRICE) * (LINES @ [1, 2, 3]))


def money_shares(side: str) -> Floats:
    """Share of each category in the money of a side's sellers, shape (8,)."""
    money = MIX[side] * PRICE
    return np.asarray(money / money.sum())


def relative_lifts(direction: str, effect: float) -> Floats:
    """
    What the effect of partnership on each category has beyond that on all goods.

    Parameters
    ----------
    direction
        "east->west", where categories gain alike, or "west->east".
    effect
        On all goods, in logs.

    Returns
    -------
    Log points, shape (8,). From west to east all but the priorities gain `OTHERS_LIFT`; food gains what makes the
    orders of partners, clothing and household goods what makes their money grow by the effect, both exactly.
    """
    if direction != "west->east":
        return np.zeros(len(CATEGORIES))
    weights = np.stack([MIX["west"], money_shares("west")])
    food, priority = (np.array([name in group for name in CATEGORIES]) for group in (PRIORITY[:1], PRIORITY))
    groups = np.stack([weights[:, food].sum(axis=1), weights[:, priority & ~food].sum(axis=1)], axis=1)
    gains = np.linalg.solve(groups, np.expm1(effect) - OTHERS_LIFT * weights[:, ~priority].sum(axis=1))
    lifts = np.where(food, gains[0], np.where(priority, gains[1], OTHERS_LIFT))
    return np.asarray(np.log1p(lifts) - effect)
