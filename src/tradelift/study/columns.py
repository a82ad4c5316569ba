"""How a study names columns, outcomes and controls."""

import re

COLUMN = r"[^\W\d][\w.]*"
CONTROL = re.compile(rf"^(?:{COLUMN}|log\({COLUMN}\))(?::(?:{COLUMN}|log\({COLUMN}\)))*$")
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


def check_control(text: str) -> str:
    """
    Refuse what is no control.

    Raises
    ------
    ValueError
        With the forms that there are.
    """
    if not CONTROL.match(text):
        msg = f"'{text}' is no control; give a column, log(column), or a product x:y of these"
        raise ValueError(msg)
    return text
