"""Everything that reads what users give, and what it is tried with; scripts/fuzz.py tries it at length."""

from tests.fuzz import frames, inputs, logs, paths, studies

TARGETS = (studies.TARGET, *inputs.TARGETS, frames.TARGET, paths.TARGET, *logs.TARGETS)

__all__ = ["TARGETS"]
