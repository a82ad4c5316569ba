"""Forget kept estimates that no run has asked for in a long time."""

import datetime as dt
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Memory

from tradelift.pipeline.private import private_place

UNUSED_DAYS = 30
MOST_BYTES = 4_000_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """
    What was forgotten.

    Parameters
    ----------
    entries, size
        How many estimates, and their bytes on disk.
    """

    entries: int = 0
    size: int = 0


def prune(kept: Path | None, *, days: int = UNUSED_DAYS, most: int = MOST_BYTES) -> Pruned:
    """
    Remove kept estimates that were not used for some days, and the longest unused beyond a size.

    A study that changes, and another version of the program, leave estimates behind that nobody asks for again. Another
    run may be at work: what it misses it estimates anew. Only this user's own place is looked at, see `private_place`.

    Parameters
    ----------
    kept
        Folder of what runs keep; None: there is none.
    days
        So long an estimate may wait for its next use.
    most
        Bytes that all of them may take.

    Returns
    -------
    How many were removed; it is logged, too. What cannot be removed stays.
    """
    place = None if kept is None else private_place(kept)
    if place is None or not place.is_dir() or place.is_symlink():
        return Pruned()
    memory = Memory(place, verbose=0)
    before = _entries(memory)
    memory.reduce_size(bytes_limit=most, age_limit=dt.timedelta(days=days))
    gone = before.keys() - _entries(memory).keys()
    found = Pruned(entries=len(gone), size=sum(before[path] for path in gone))
    if found.entries:
        logger.info(
            "forgot %d kept estimates (%.0f MB): unused for %d days, or beyond %.0f MB in all",
            found.entries, found.size / 1e6, days, most / 1e6,
        )  # fmt: skip
    return found


def _entries(memory: Any) -> dict[str, int]:
    """Place of each estimate to its bytes."""
    return {item.path: item.size for item in memory.store_backend.get_items()}
