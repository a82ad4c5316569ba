"""What a run was made of: hashes of inputs and outputs, versions, seed, engine, seconds and memory."""

import hashlib
import json
import logging
import os
import platform
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tradelift
from tradelift.errors import DataError

PACKAGES = ("altair", "duckdb", "ibis-framework", "maketables", "numpy", "pyarrow", "pyfixest", "scipy")


logger = logging.getLogger(__name__)


class Stopwatch:
    """Seconds and peak memory of the stages of a run."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; its memory is the peak of the process up to its end."""
        logger.info("%s begins", name)
        start = time.perf_counter()
        yield
        self.stages[name] = {"seconds": round(time.perf_counter() - start, 3), "peak_mb": peak_mb()}
        logger.info("%s took %.1f s, memory so far %.0f MB", name, *self.stages[name].values())


def peak_mb() -> float:
    """Peak resident memory of this process so far, in megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def file_hash(path: Path) -> str:
    """
    SHA-256 of a file.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise DataError(msg) from None


class FileHashes:
    """Hashes of a run's inputs: each is made once, before the file is read."""

    def __init__(self) -> None:
        self._made: dict[Path, tuple[str, tuple[int, ...]]] = {}

    def __call__(self, path: Path) -> str:
        """SHA-256 of a file."""
        if path not in self._made:
            state = _state(path)
            self._made[path] = (file_hash(path), state)
        return self._made[path][0]

    def refuse_changed(self) -> None:
        """
        Refuse files that were written to since they were hashed: what was read of them may be of two versions.

        Raises
        ------
        DataError
            With the first of them.
        """
        for path, (_, state) in self._made.items():
            if _state(path) != state:
                msg = f"{path} was changed while it was read. Run again when nobody writes to it."
                raise DataError(msg)


def _state(path: Path) -> tuple[int, ...]:
    """What changes with a file's content."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ino


def hashes(paths: Sequence[Path], folder: Path, made: Callable[[Path], str] = file_hash) -> dict[str, str]:
    """Hash files under their names relative to a folder; those outside it keep their own names, where these differ."""
    outside = Counter(path.name for path in paths if not path.is_relative_to(folder))
    out = {}
    for path in paths:
        name = path.name if outside[path.name] == 1 else os.path.relpath(path, folder)
        if path.is_relative_to(folder):
            name = path.relative_to(folder).as_posix()
        out[name] = made(path)
    return out


def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers, tables and figures come from."""
    return {name: version(name) for name in PACKAGES}


def provenance(inputs: Mapping[str, str], *, seed: int, engine: str, digest: str) -> dict[str, Any]:
    """Everything that decides the numbers of a run, and so stands in its report."""
    return {
        "tradelift": tradelift.__version__,
        "seed": seed,
        "engine": engine,
        "panel": digest,
        "python": platform.python_version(),
        "packages": package_versions(),
        "inputs": dict(inputs),
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
