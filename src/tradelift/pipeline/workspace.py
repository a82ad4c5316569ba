"""Write a folder of results as a whole or not at all: a lock, a temporary folder, one rename."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tradelift.errors import DataError

MANIFEST = "manifest.json"


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
        If `out` cannot be written, holds anything but earlier results, or another run writes to it.
    """
    out = out.absolute()
    _refuse_foreign(out, mark)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        msg = f"Cannot write to {out}: {error.strerror or error}. Choose another folder with --out."
        raise DataError(msg) from None
    lock = FileLock(out.parent / f".{out.name}.lock")
    try:
        with lock.acquire(timeout=0):
            yield folder
            _swap(folder, out)
    except Timeout:
        msg = f"Another run is writing to {out}; wait for it, or choose another folder with --out."
        raise DataError(msg) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
    """Put the new folder in the place of the old one."""
    folder.chmod(0o777 & ~_umask())
    if not out.exists():
        folder.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    out.rename(old / out.name)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    """What new folders get: mkdtemp made ours private."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
