"""When people buy: growth, weekdays, Singles' Day in November and the dip at Chinese New Year."""

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.scale import Scale

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

GROWTH = 0.3  # log points a year
WEEKEND = 1.1
NEW_YEARS = tuple(np.datetime64(day) for day in ("2017-01-28", "2018-02-16", "2019-02-05", "2020-01-25", "2021-02-12"))
"""Days of Chinese New Year; parcels rest around them."""
DIP = {-5: 0.8, -4: 0.65, -3: 0.5, -2: 0.35, -1: 0.25, 0: 0.2, 1: 0.2, 2: 0.25, 3: 0.3, 4: 0.45, 5: 0.6, 6: 0.75}
SALES = {(6, 18): 3.0, (11, 10): 1.6, (11, 11): 9.0, (11, 12): 3.0, (12, 12): 3.5}
NOVEMBER = 1.25
HOURS = np.array([2, 1, 1, 1, 1, 1, 2, 4, 6, 8, 10, 9, 8, 8, 8, 8, 8, 7, 7, 9, 11, 12, 9, 5], dtype=float)
"""Relative number of orders by local hour."""


def month_days(scale: Scale) -> list[Days]:
    """Days of each month of the window."""
    firsts = [np.datetime64(label, "M") for label in scale.labels()]
    return [np.arange(first, first + 1, dtype="M8[D]") for first in firsts]


def day_weights(scale: Scale) -> list[Floats]:
    """Relative number of orders of each day, by month; the mean over the window is 1."""
    months = month_days(scale)
    start = months[0][0]
    weights = [np.array([_weight(day, start) for day in days]) for days in months]
    mean = float(np.mean(np.concatenate(weights)))
    return [w / mean for w in weights]


def _weight(day: np.datetime64, start: np.datetime64) -> float:
    date = day.astype(object)
    weight = float(np.exp(GROWTH * int((day - start).astype(int)) / 365))
    weight *= WEEKEND if date.weekday() >= 5 else 1.0
    weight *= NOVEMBER if date.month == 11 else 1.0
    weight *= SALES.get((date.month, date.day), 1.0)
    nearest = min((int((day - new_year).astype(int)) for new_year in NEW_YEARS), key=abs)
    return weight * DIP.get(nearest, 1.0)
