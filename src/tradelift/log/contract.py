"""What a log must hold: the roles of its columns, their types, and the reasons for leaving a row out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from tradelift.errors import DataError

NEEDED = ("time", "origin", "destination", "amount")
KEYS = ("origin", "destination", "seller", "buyer", "transaction", "line", "currency")
"""Roles without which a row has no place in a panel."""

LABELS = ("category", "status")
"""Roles that may be missing in a row."""

NO_CATEGORY = "unknown"

NULL_KEY = "null key"
UNPARSABLE = "unparsable"
OUTSIDE = "outside the window"
STATUS = "status"
ZERO = "zero amount"
DUPLICATE = "duplicate line"
REFUND = "refund"
UNKNOWN = "unknown region"
SAME_SIDE = "not between the two sides"
DOMESTIC = "domestic"

REASONS = (NULL_KEY, UNPARSABLE, OUTSIDE, STATUS, ZERO, DUPLICATE, REFUND, UNKNOWN, SAME_SIDE, DOMESTIC)
"""
In order of priority: a row is counted once, under the first reason that holds.

- null key: the time, or an id that the study maps, is missing or empty.
- unparsable: the time or the amount cannot be read, or the amount is missing, not finite or above 2^53 minor units.
- outside the window: its local time lies before `from` or after `to`.
- status: a column of `keep` holds another value.
- zero amount, refund: the amount is 0, or negative.
- duplicate line: decided among the rows that no reason above takes, so that a line is never lost because its copy is
  unusable. The same (transaction, line), refunds apart from sales since a refund may carry the ids of what it takes
  back: the copy that is earliest (then smallest in amount, origin, destination, seller, buyer, category, status)
  stands. Without both ids: a row that equals another in all columns of the files.
- unknown region, not between the two sides, domestic: last, since such sales still rank sellers and buyers.
"""

CODE = {reason: code for code, reason in enumerate(REASONS)}
KEPT = -1
"""Reasons as the engine holds them; a row that is kept has none."""

LARGEST = 2**53
"""Minor units of one row that a float still holds exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """
    Which column plays which role, and of what kind it is.

    Parameters
    ----------
    names
        Role to column name.
    kinds
        Role to kind: "text", "integer", "number", "time" (local), "instant" (with a zone), "date", "boolean".
    every
        All columns of the files, in order.
    """

    names: Mapping[str, str]
    kinds: Mapping[str, str]
    every: tuple[str, ...]

    def __contains__(self, role: str) -> bool:
        return role in self.names

    @property
    def has_line_ids(self) -> bool:
        """Whether (transaction, line) tells the rows apart."""
        return "transaction" in self.names and "line" in self.names

    @property
    def keys(self) -> tuple[str, ...]:
        """The roles of `KEYS` that the study maps."""
        return tuple(role for role in KEYS if role in self.names)


ALLOWED = {
    "time": ("text", "time", "instant", "date"),
    "amount": ("text", "integer", "number"),
}
IDS = ("text", "integer", "number", "boolean", "date")


def check_roles(columns: Mapping[str, str], keep: Iterable[str]) -> None:
    """
    Refuse a mapping that lacks a role that every log needs.

    Raises
    ------
    DataError
        If `time`, `origin`, `destination` or `amount` is not mapped, or `keep` names a role that is not.
    """
    for role in NEEDED:
        if role not in columns:
            msg = (
                f"The transactions need a column for '{role}'; mapped are {', '.join(columns) or 'none'}. "
                f"Add it under `columns`, as {role}: NAME."
            )
            raise DataError(msg)
    for role in keep:
        if role not in columns:
            mapped = ", ".join(columns)
            msg = f"`keep` names '{role}', which is not mapped under `columns` ({mapped}).{hint(role, columns)}"
            raise DataError(msg)


def check_column(name: str, found: Iterable[str], file: str) -> None:
    """Refuse a file without a column that the study maps."""
    found = list(found)
    if name not in found:
        msg = (
            f"The log file {file} has no column '{name}'; found {', '.join(found) or 'no columns'}.{hint(name, found)}"
        )
        raise DataError(msg)


def check_kind(role: str, name: str, kind: str, file: str) -> None:
    """Refuse a column whose type cannot play its role."""
    allowed = ALLOWED.get(role, IDS)
    if kind not in allowed:
        msg = (
            f"Column '{name}' of the log file {file} cannot be the {role}: it holds {kind} values; "
            f"this needs {', '.join(allowed)}."
        )
        raise DataError(msg)


def common_kind(role: str, name: str, kinds: Mapping[str, str]) -> str:
    """
    The kind of a column over all files; amounts may mix whole and decimal numbers.

    Parameters
    ----------
    role, name
        The column.
    kinds
        File to kind; files where all of the column is null may be left out.
    """
    first: dict[str, str] = {}
    for file, kind in kinds.items():
        first.setdefault("time" if kind == "date" else kind, file)
    if role == "amount" and set(first) == {"integer", "number"}:
        return "number"
    if len(first) > 1:
        text = ", ".join(f"{kind} in {file}" for kind, file in first.items())
        msg = f"Column '{name}' has mixed types over the log's files: {text}. Write it with one type in all of them."
        raise DataError(msg)
    return next(iter(kinds.values()), "text")


def hint(name: str, found: Iterable[str]) -> str:
    """Suggest what was perhaps meant."""
    close = get_close_matches(name, list(found), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
