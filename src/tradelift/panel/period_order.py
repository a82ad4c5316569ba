"""The order of periods, which their labels tell."""

import re
from collections.abc import Sequence
from typing import Any

from tradelift.errors import DataError

INTEGER = re.compile(r"-?\d+")
DIGITS = re.compile(r"\d+")
YEAR = re.compile(r"(1[89]|20)\d\d")
MONTH_FIRST = re.compile(r"([^\W\d]{3,})\W*\d{2,4}")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
CALENDAR = (
    (re.compile(r"(\d{4})-(0[1-9]|1[0-2])"), 12, "{}-{:02d}"),
    (re.compile(r"(\d{4})-Q([1-4])"), 4, "{}-Q{}"),
    (re.compile(r"(\d{4})"), 1, "{}"),
)
Shape = tuple[str, ...]
Key = tuple[Any, ...]


def order_periods(labels: Sequence[str]) -> list[str]:
    """
    Sort labels of periods: by their numbers where only these differ, so that 2017-9 is before 2017-10, else as text.

    Raises
    ------
    DataError
        If the year stands last or months have names, so that neither order is that of time.
    """
    shape = _common_shape(labels)
    found = sorted(labels) if shape is None else sorted(labels, key=_numbers)
    if not _is_in_time(found, shape):
        msg = (
            f"The periods are called as '{found[0]}', which does not tell their order. Write the year first and months "
            "as numbers: 2017-01, 2017-Q1 or 2017."
        )
        raise DataError(msg)
    return found


def period_position(label: str, periods: Sequence[str], *, end: bool, what: str) -> int:
    """
    Position of the first period at or after a start, or of the last at or before an end.

    A start after the data is T, an end before them -1.

    Parameters
    ----------
    label
        Written as the periods are, or shorter, or longer: an end 2019 covers 2019-12, and a start 2019-01 is that of
        2019 and of 2019-01-01. Of quarters also a month, and the reverse.
    periods
        In order.
    end
        Whether the label is an end.
    what
        How a message calls it.

    Raises
    ------
    DataError
        If it is written otherwise, so that its place among them is unknown.
    """
    shape = _common_shape(periods)
    key: Key
    if shape is None:
        keys: list[Key] = [(p,) for p in periods]
        key, covers = (label,), [p.startswith(label) for p in periods]
    elif (inside_other := _of_other_calendar(label, periods, end=end)) is not None:
        keys, key = [_numbers(p) for p in periods], inside_other
        covers = [k == key for k in keys]
    else:
        if not _is_like(label, periods[0], shape):
            msg = (
                f"{what} '{label}' is not written as the periods are, so its place among them is unknown: they are "
                f"{periods[0]}{f' to {periods[-1]}' if len(periods) > 1 else ''}."
            )
            raise DataError(msg)
        keys, key = [_numbers(p) for p in periods], _numbers(label)
        covers = [k[: len(key)] == key for k in keys]
    if end:
        return sum(k <= key or inside for k, inside in zip(keys, covers, strict=True)) - 1
    while shape is not None and len(key) > len(keys[0]) and key[-1] == 1:  # the first month or day begins the period
        key = key[:-1]
    return sum(k < key for k in keys)


def is_before(label: str, other: str) -> bool:
    """Whether a label is before another that is written alike; False where they are not."""
    return _common_shape((label, other)) is not None and _numbers(label) < _numbers(other)


def gaps(periods: Sequence[str]) -> list[str]:
    """
    Months, quarters or years between the first and the last period that are no period themselves.

    Parameters
    ----------
    periods
        In order; labels that are not written as 2017-01, 2017-Q1 or 2017 have no gaps.
    """
    for form, per_year, write in CALENDAR:
        found = [form.fullmatch(label) for label in periods]
        if all(found):
            places = [int(m[1]) * per_year + (int(m[2]) - 1 if per_year > 1 else 0) for m in found if m is not None]
            between = sorted({*range(places[0], places[-1])} - {*places}) if places else []
            return [write.format(place // per_year, place % per_year + 1) for place in between]
    return []


def _shape(label: str) -> Shape:
    """What stands around the numbers of a label; integers, also negative ones, have one shape."""
    return ("", "") if INTEGER.fullmatch(label) else tuple(DIGITS.split(label))


def _common_shape(labels: Sequence[str]) -> Shape | None:
    """The shape that all labels have, if they have one, and numbers."""
    shapes = {_shape(label) for label in labels}
    shape = shapes.pop() if len(shapes) == 1 else ()
    return shape if len(shape) > 1 else None


def _numbers(label: str) -> Key:
    return (int(label),) if INTEGER.fullmatch(label) else tuple(map(int, DIGITS.findall(label)))


def _of_other_calendar(label: str, periods: Sequence[str], *, end: bool) -> Key | None:
    """Numbers of a month among quarters, or of a quarter among months; None where it is neither."""
    (month, *_), (quarter, *_), _ = CALENDAR
    if all(quarter.fullmatch(p) for p in periods) and (found := month.fullmatch(label)):
        before, within = divmod(int(found[2]) - 1, 3)
        own = (int(found[1]), before + 1)
        return own if end or not within else (*own, within + 1)  # after the quarter has begun
    if all(month.fullmatch(p) for p in periods) and (found := quarter.fullmatch(label)):
        return int(found[1]), 3 * int(found[2]) - (0 if end else 2)
    return None


def _is_like(label: str, period: str, shape: Shape) -> bool:
    """Whether a label has the shape of the periods, or one is where the other begins, as 2019 and 2019-01."""
    own = _shape(label)
    if own == shape:
        return True
    short, long = sorted((own, shape), key=len)
    first, of_period = DIGITS.search(label), DIGITS.search(period)
    return (
        1 < len(short) < len(long)
        and short[-1] == ""
        and short[:-1] == long[: len(short) - 1]
        and first is not None
        and of_period is not None
        and len(first[0]) == len(of_period[0])  # 2019 begins 2019-01, and 201901 does not
    )


def _is_in_time(labels: Sequence[str], shape: Shape | None) -> bool:
    """Whether sorted labels stand in the order of time, as far as years that stand last and names of months tell."""
    if shape is None:
        named = (MONTH_FIRST.fullmatch(label) for label in labels)
        return not any(m is not None and any(full.startswith(m[1].lower()) for full in MONTHS) for m in named)
    parts = [DIGITS.findall(label) for label in labels]
    if len(shape) == 2 or not all(YEAR.fullmatch(p[-1]) for p in parts) or YEAR.fullmatch(parts[0][0]):
        return True
    backward = [tuple(map(int, reversed(p))) for p in parts]
    return backward == sorted(backward)
