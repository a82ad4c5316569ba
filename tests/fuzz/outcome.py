"""What an attempt may come to: accepted with a balanced account, or refused with one clear message."""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

from tradelift.errors import DataError, DesignError, StudyError

REFUSALS = (StudyError, DataError, DesignError)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that reads what users give: examples of it, and an attempt that returns what was accounted for."""

    name: str
    examples: SearchStrategy[Any]
    attempt: Callable[[Any, Path], dict[str, int]]


def tried(target: Target, example: Any, folder: Path, tally: Counter) -> None:
    """
    Attempt an example, and count what came of it.

    Raises
    ------
    AssertionError
        If rows or money are lost, or a refusal says nothing. Any other error is a traceback that a user would see.
    """
    tally["examples"] += 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = target.attempt(example, folder)
        except REFUSALS as error:
            message = str(error)
            assert len(message) > 10, message
            assert "Traceback" not in message
            tally["refused"] += 1
            return
    tally["accepted"] += 1
    for name, number in found.items():
        tally[name] += number


def balanced(stage: Any, rows: int) -> dict[str, int]:
    """Count a stage of an account, which must have read so many rows."""
    excluded = sum(e.rows for e in stage.exclusions)
    assert stage.read_rows == rows, f"{rows} rows were given, {stage.read_rows} read"
    assert stage.kept_rows + excluded == rows
    return {"rows": rows, "kept": stage.kept_rows, "excluded": excluded}
