"""
Write a folder of results as a whole or not at all: a lock, a temporary folder, one exchange.

Whatever ends a run, also the kernel or the power switch, `out` holds the old results or the new ones. What a killed
run leaves beside it is removed by the next one, which knows from the lock that nobody works there any more.
"""

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from tradelift.errors import DataError
from tradelift.pipeline.atomic import exchange
from tradelift.pipeline.unchanged import keep_unchanged

MANIFEST = "manifest.json"
LASTING = ("panel", "panel_by_category")
"""Folders of one file a period: a file that comes out as it was stays the file that it was."""

SCRATCH = "tradelift-scratch-"
LOCK = ".lock"
YOUNG_SECONDS = 60  # a temporary folder so young may be about to get its lock
NEW, OLD = "new", "old"  # what a temporary folder beside the results holds
FULL = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk quota is used up",
    errno.EFBIG: "A file grew too large",
}


@contextmanager
def workspace(out: Path, *, mark: str = MANIFEST) -> Iterator[Path]:
    """
    Give a temporary folder that becomes `out` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    out
        The folder to write; replaced if it holds earlier results.
    mark
        The file that shows a folder to hold earlier results.

    Raises
    ------
    DataError
        If `out` cannot be written, holds anything but earlier results, another run writes to it, or the disk is full.
    """
    out = Path(os.path.realpath(out))  # two ways to one folder are one lock
    lock = FileLock(out.parent / f".{out.name}.lock")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        msg = f"Another run is writing to {out}; wait for it, or choose another folder with --out."
        raise DataError(msg) from None
    except OSError as error:
        raise _no_writing(out, error) from None
    try:
        _clear_up(out)
        _refuse_foreign(out, mark)
        try:
            folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.{NEW}-", dir=out.parent))
        except OSError as error:
            raise _no_writing(out, error) from None
        try:
            kept = f"{out} is as it was" if out.exists() else f"{out} was not written"
            with explained(out, f"choose another folder with --out. {kept}"):
                yield folder
                keep_unchanged(folder, out, LASTING)
                _swap(folder, out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


@contextmanager
def scratch() -> Iterator[Path]:
    """
    Give a temporary folder that vanishes at the end; those that killed processes have left vanish at the beginning.

    Raises
    ------
    DataError
        If there is no room for temporary files.
    """
    place = Path(tempfile.gettempdir())
    for path in place.glob(f"{SCRATCH}*"):
        _remove_orphan(path)
    try:
        folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=place))
    except OSError as error:
        msg = f"Cannot write temporary files to {place}: {error.strerror or error}. Set TMPDIR to another folder."
        raise DataError(msg) from None
    try:
        with FileLock(folder / LOCK), explained(folder, "set TMPDIR to another folder"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_orphan(path: Path) -> None:
    """Remove a temporary folder whose process has ended: its lock can be taken."""
    with suppress(OSError, Timeout):
        found = path.lstat()  # of a link itself: where it leads is not ours to clear up
        if found.st_uid != os.getuid() or path.is_symlink() or time.time() - found.st_mtime < YOUNG_SECONDS:
            return
        with FileLock(path / LOCK).acquire(timeout=0):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def explained(out: Path, remedy: str) -> Iterator[None]:
    """
    Say what the user can do where a file cannot be written for want of room.

    Raises
    ------
    DataError
        In the place of the system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        msg = f"{FULL[error.errno]}: nothing more can be written to {out.parent}. Make room there, or {remedy}."
        raise DataError(msg) from None


def _no_writing(out: Path, error: OSError) -> DataError:
    return DataError(f"Cannot write to {out}: {error.strerror or error}. Choose another folder with --out.")


def _clear_up(out: Path) -> None:
    """Remove what killed runs have left; the lock is held, so that none of it is in use."""
    pattern = re.compile(rf"\.{re.escape(out.name)}\.({NEW}|{OLD})-[a-z0-9_]{{8}}")
    for path in sorted(out.parent.iterdir()):
        match = pattern.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_dir():
            continue
        if match[1] == OLD and not out.exists():
            path.rename(out)  # a run was killed between the two renames that stand for an exchange
        else:
            shutil.rmtree(path, ignore_errors=True)


def _refuse_foreign(out: Path, mark: str) -> None:
    """Results replace results, and nothing else."""
    if not out.exists():
        return
    if not out.is_dir():
        msg = f"{out} is a file; choose a folder with --out."
        raise DataError(msg)
    if any(out.iterdir()) and not (out / mark).is_file():
        msg = f"{out} holds other files and no earlier results; choose an empty or new folder with --out."
        raise DataError(msg)


def _swap(folder: Path, out: Path) -> None:
    """Put the new folder in the place of the old one, which is then where the new one was."""
    folder.chmod(0o777 & ~_umask())
    if not out.exists():
        folder.rename(out)
        return
    if exchange(folder, out):
        return
    old = folder.with_name(folder.name.replace(f".{NEW}-", f".{OLD}-"))
    out.rename(old)
    folder.rename(out)
    with suppress(OSError):
        shutil.rmtree(old)


def _umask() -> int:
    """What new folders get: mkdtemp made ours private."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
