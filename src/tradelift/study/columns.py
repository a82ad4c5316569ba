"""How a study names columns and outcomes."""

import re

COLUMN = r"[^\W\d][\w.]*"
OUTCOME = re.compile(rf"^(?:{COLUMN}|(?:log|log1p|asinh)\({COLUMN}\))$")


def check_outcome(text: str) -> str:
    """
    Refuse what is no outcome.

    Raises
    ------
    ValueError
        With the forms that there are.
    """
    if not OUTCOME.match(text):
        msg = f"'{text}' is no outcome; give a column, log(column), log1p(column) or asinh(column)"
        raise ValueError(msg)
    return text
