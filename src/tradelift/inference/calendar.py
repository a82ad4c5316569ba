"""Months of the year's end and of Chinese New Year, told from the labels of periods."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError

Bools = NDArray[np.bool_]

MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
DECEMBER = 12
NEW_YEAR = "Chinese New Year (Spring Festival)"
KNOWN = range(1950, 2101)  # years whose New Year's day the library knows


def are_months(labels: Sequence[str]) -> bool:
    """Whether all periods are months, as "2017-01", of years whose Chinese New Year is known."""
    return all((found := MONTH.fullmatch(label)) is not None and int(found[1]) in KNOWN for label in labels)


def year_ends(labels: Sequence[str]) -> Bools:
    """
    Mark Decembers.

    Parameters
    ----------
    labels
        Months, as "2017-01".

    Raises
    ------
    DesignError
        If a period is no month.
    """
    return np.array([month == DECEMBER for _, month in _months(labels)])


def new_years(labels: Sequence[str]) -> Bools:
    """
    Mark the months that hold the first day of the Chinese year.

    Parameters
    ----------
    labels
        Months, as "2017-01".

    Raises
    ------
    DesignError
        If a period is no month.
    """
    months = _months(labels)
    held = {year: _new_year_month(year) for year in {year for year, _ in months}}
    return np.array([held[year] == month for year, month in months])


def _months(labels: Sequence[str]) -> list[tuple[int, int]]:
    """Year and month of each period."""
    if not are_months(labels):
        wrong: Any = next(label for label in labels if not are_months([label]))
        msg = (
            f"The period '{wrong}' is no month of {KNOWN[0]} to {KNOWN[-1]}; December and New Year are told from "
            f"months such as 2017-01. Sum flows by month."
        )
        raise DesignError(msg)
    return [(int(label[:4]), int(label[5:])) for label in labels]


def _new_year_month(year: int) -> int:
    """Month of the first day of the Chinese year that begins in a year of the common calendar."""
    import holidays

    return int(min(holidays.country_holidays("CN", years=year, language="en_US").get_named(NEW_YEAR)).month)
