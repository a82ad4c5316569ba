"""Values as a table writes them."""

from decimal import Decimal
from math import floor, isfinite, isinf, isnan, log10

from tradelift.exhibits import Column

UNKNOWN = "n/a"
MINUS = "\N{MINUS SIGN}"
INFINITY = "\N{INFINITY}"
WHOLE = 100_000.0

Value = str | int | float | None


def written(value: Value, column: Column) -> str:
    """
    Write a value.

    Parameters
    ----------
    value
        None is blank.
    column
        Its kind and decimals.
    """
    if value is None:
        return ""
    if column.kind == "text":
        return column.words.get(str(value), str(value))
    if column.kind == "count":
        return f"{int(value):,}".replace("-", MINUS)
    if column.kind == "money":
        return f"{Decimal(str(value)):,f}".replace("-", MINUS)
    if column.least is not None and 0 <= float(value) < column.least:
        return f"<{column.least:g}"
    digits = column.digits
    value = float(value) / column.scale
    size = abs(value)
    if column.significant is not None and isfinite(size) and size > 0:
        digits = max(column.significant - 1 - floor(log10(size)), 0)
    return number(value, decimals(value) if digits is None else digits)


def decimals(value: float) -> int:
    """How many decimals a number has that no column speaks of: two, three below one, and none where they are noise."""
    size = abs(value)
    return 3 if 0 < size < 1 else 2 if size < WHOLE else 0


def number(value: float, digits: int) -> str:
    """Write a number with separators and a true minus; rounded to zero it has no sign, not known it is n/a."""
    if is_unknown(value):
        return UNKNOWN
    if isinf(value):
        return INFINITY if value > 0 else MINUS + INFINITY
    text = f"{value:,.{digits}f}"
    if not text.strip("-0.,"):
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def is_unknown(value: Value) -> bool:
    """Tell whether a value is NaN."""
    return isinstance(value, float) and isnan(value)
