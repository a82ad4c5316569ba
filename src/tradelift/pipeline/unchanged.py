"""Keep the files of old results that new results would only write again."""

import filecmp
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

BESIDE = ".old"
"""What the name of a file ends in while it waits to take the place of an equal one; no output ends so."""


def keep_unchanged(new: Path, old: Path, folders: Iterable[str]) -> int:
    """
    Put old files in the place of new ones that have the same bytes, so that a new month touches one file.

    What is the same keeps its inode and its time of change: a copy of the results that follows these has little to do.
    The old folder stays as it is: its files get a second name in the new one.

    Parameters
    ----------
    new, old
        Two folders of results, on one file system.
    folders
        Names of the folders in them that are looked at.

    Returns
    -------
    How many files were kept. Where the file system has no hard links, or a file cannot be read, the new ones stay.
    """
    return sum(
        _kept(path, old / name / path.name)
        for name in folders
        if (new / name).is_dir() and not (old / name).is_symlink()
        for path in sorted((new / name).iterdir())
    )


def _kept(new: Path, old: Path) -> bool:
    """Put an old file in the place of a new one, in one step, if their bytes are the same."""
    beside = new.with_name(new.name + BESIDE)
    with suppress(OSError):
        if old.is_symlink() or not old.is_file() or not filecmp.cmp(new, old, shallow=False):
            return False
        try:
            os.link(old, beside)
            if filecmp.cmp(new, beside, shallow=False):  # still, now that nobody can take it away
                beside.replace(new)
                return True
        finally:
            beside.unlink(missing_ok=True)
    return False
