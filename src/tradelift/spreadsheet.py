"""Texts that a spreadsheet would take for a formula."""

import re
from collections.abc import Mapping

Cell = str | int | float | None

FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""Beginnings that spreadsheets evaluate, full-width forms among them, as Arrow's expressions write them."""

NUMBER = r"^[+\-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+\-]?[0-9]+)?$"
"""What is a number, and evaluates to itself."""

_NUMBER = re.compile(NUMBER)
_FORMULA = re.compile(re.sub(r"\\x\{(\w{4})\}", r"\\u\1", FORMULA))


def plain_text(text: str) -> str:
    """
    Put an apostrophe before a text that a spreadsheet would evaluate; every other text stays as it is.

    Parameters
    ----------
    text
        What stands in a cell of a CSV file.

    References
    ----------
    OWASP, CSV Injection.

    Examples
    --------
    >>> plain_text("=1+1"), plain_text("Bayford")
    ("'=1+1", 'Bayford')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def plain_record(record: Mapping[str, Cell]) -> dict[str, Cell]:
    """Make every text of a record, and its names, such that no spreadsheet evaluates it."""
    return {plain_text(name): plain_text(x) if isinstance(x, str) else x for name, x in record.items()}
