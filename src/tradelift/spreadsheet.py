"""Texts that a spreadsheet would take for a formula."""

import re

FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""Beginnings that spreadsheets evaluate, full-width forms among them, as Arrow's expressions write them."""

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
    return f"'{text}" if _FORMULA.match(text) else text
