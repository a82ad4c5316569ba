"""The periods of the window and where they begin, in local time and in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tradelift.errors import DataError

MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """
    A local month, quarter or year.

    Parameters
    ----------
    label
        "2017-01", "2017-Q1" or "2017".
    start, end
        Its first moment and the first moment after it, local and without a zone.
    """

    label: str
    start: datetime
    end: datetime


def periods_between(start: str, end: str, every: str) -> tuple[Period, ...]:
    """
    All periods from the one that `start` names or lies in up to that of `end`.

    Parameters
    ----------
    start, end
        "2017-01", "2017-Q1", "2017" or "2017-01-15".
    every
        "month", "quarter" or "year".

    Raises
    ------
    DataError
        If a label is not of that form, or the end lies before the start.
    """
    step = MONTHS[every]
    first = _month(start, last=False) // step
    last = _month(end, last=True) // step
    if last < first:
        msg = f"The window of the transactions ends before it begins: from {start} to {end}."
        raise DataError(msg)
    return tuple(
        Period(label=_label(k * step, every), start=_moment(k * step), end=_moment((k + 1) * step))
        for k in range(first, last + 1)
    )


def _month(label: str, *, last: bool) -> int:
    """Months since year 0 of the first, or last, month that a label covers."""
    match = re.fullmatch(r"(\d{4})(?:-Q([1-4])|-(0[1-9]|1[0-2])(?:-\d{2})?)?", label)
    if match is None or not 1 <= int(match[1]) <= 9998:
        msg = f"'{label}' is not a period of the transactions' window; write 2017-01, 2017-Q1 or 2017."
        raise DataError(msg)
    year = 12 * int(match[1])
    if match[2]:
        return year + 3 * int(match[2]) - (1 if last else 3)
    if match[3]:
        return year + int(match[3]) - 1
    return year + (11 if last else 0)


def _label(month: int, every: str) -> str:
    year, rest = divmod(month, 12)
    return {"month": f"{year:04d}-{rest + 1:02d}", "quarter": f"{year:04d}-Q{rest // 3 + 1}", "year": f"{year:04d}"}[
        every
    ]


def _moment(month: int) -> datetime:
    return datetime(month // 12, month % 12 + 1, 1)  # noqa: DTZ001 - local by design


def zone(name: str) -> ZoneInfo:
    """
    A time zone by its name.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"There is no time zone '{name}'; write a name of the IANA list, such as Asia/Shanghai or UTC."
        raise DataError(msg) from None


def to_utc(moment: datetime, where: ZoneInfo) -> datetime:
    """The instant at which a local moment begins; where clocks skip it, the instant of the skip."""
    return moment.replace(tzinfo=where).astimezone(UTC)
