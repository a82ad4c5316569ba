"""The errors that tradelift raises on purpose; each says what is wrong, what was found and what to do."""

from collections.abc import Mapping


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
