"""What is sold: categories, their prices, and how many lines an order has."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CATEGORIES = ("food", "apparel", "home", "electronics", "beauty", "toys", "books", "crafts")
PRICE = np.array([45.0, 90.0, 120.0, 400.0, 80.0, 60.0, 30.0, 70.0])
"""Mean amount of a line in yuan."""
MIX = {
    "east": np.array([0.10, 0.28, 0.18, 0.14, 0.12, 0.09, 0.06, 0.03]),
    "west": np.array([0.44, 0.12, 0.09, 0.03, 0.06, 0.03, 0.03, 0.20]),
}
"""Share of each category in the orders of a side's sellers."""
LINES = np.array([0.60, 0.28, 0.12])
"""Shares of orders with one, two and three lines."""
SPREAD = 1.0  # standard deviation of a line's log amount


def order_value(side: str) -> float:
    """Mean money of an order from a side's sellers, in yuan, where the city's price level is 1."""
    return float((MIX[side] @ PRICE) * (LINES @ [1, 2, 3]))
