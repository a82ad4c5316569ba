"""The errors that tradelift raises on purpose; each says what is wrong, what was found and what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PLACED = re.compile(r"(?P<file>.+):(?P<line>\d+):(?P<column>\d+)  (?P<message>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake of a user, with the place in the study file where it has one."""

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None


def mistakes(error: Exception) -> tuple[Mistake, ...]:
    """
    Take an error apart: a message about a study has a line for each mistake, `file:line:column  what is wrong`.

    Parameters
    ----------
    error
        One of ours.
    """
    lines = str(error).splitlines()
    found = [PLACED.fullmatch(line) for line in lines]
    if not any(found):
        return (Mistake(message=str(error)),)
    return tuple(
        Mistake(message=line)
        if place is None
        else Mistake(message=place["message"], file=place["file"], line=int(place["line"]), column=int(place["column"]))
        for line, place in zip(lines, found, strict=True)
    )


class StudyError(ValueError):
    """The study file is wrong; the message lists every mistake with its line and column."""


class DataError(ValueError):
    """The data that the study names cannot be used as they are."""


class DesignError(ValueError):
    """The comparison that was asked for contradicts itself or is not identified by the data."""

    def __init__(self, message: str, dropped: Mapping[str, int] | None = None) -> None:
        super().__init__(message)
        self.dropped = dict(dropped or {})


class ConvergenceError(RuntimeError):
    """The estimation did not converge; no number is returned."""
