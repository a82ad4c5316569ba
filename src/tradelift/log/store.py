"""
Sums of periods, kept between runs: a period is summed anew only if its rows, or what decides about them, have changed.

What an entry rests on is its key: the program, the definitions, the regions, the contents of the files that reach into
the period, and which of its rows are duplicates of rows elsewhere in the log. Entries hold sums of cells and nothing of
a seller, a buyer or a transaction. An entry that cannot be read or has another key is as good as none.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from tradelift.log.files import LogFile
    from tradelift.log.months import PeriodSums

KEY, REASONS, CATEGORIES = b"key", b"reasons", b"categories"
ENDING = ".sums"
DEFINITIONS = 4  # so many are kept, the latest used: a study that changes leaves others behind
STALE_SECONDS = 3600  # a temporary file of that age was left by a killed run
DIGITS = 32  # of a key
OURS = re.compile(rf"[0-9a-f]{{{DIGITS}}}")  # names of folders; a study may bring a link in the place of ours

Span = tuple[Any, Any]


class PeriodStore:
    """
    Sums of periods in a folder.

    Parameters
    ----------
    folder
        Where they are kept; made when there is something to keep. If it cannot be written, nothing is kept.
    version
        Of the program: another one sums anew.
    hash_file
        A hash of a file's content.
    force
        Sum anew what is kept.

    Attributes
    ----------
    recalled, summed
        Labels of the periods that were recalled and summed since the store was made.
    """

    def __init__(self, folder: Path, *, version: str, hash_file: Callable[[Path], str], force: bool = False) -> None:
        self._folder = folder
        self._version = version
        self._hash_file = hash_file
        self._force = force
        self.recalled: list[str] = []
        self.summed: list[str] = []

    def open(self, definition: Mapping[str, Any]) -> "Definition":
        """
        Turn to the sums of one definition.

        Parameters
        ----------
        definition
            All that decides about rows and sums, besides the rows; its parts have a `repr` that says all.
        """
        text = repr((self._version, sorted(definition.items())))
        folder = self._folder / _digest(text)[:DIGITS]
        self._prune(folder)
        return Definition(store=self, folder=folder, text=text, force=self._force, hash_file=self._hash_file)

    def _prune(self, current: Path) -> None:
        """Remove what the definitions used long ago and killed runs have left."""
        with suppress(OSError):
            if current.exists():
                os.utime(current)
            ours = [p for p in self._folder.iterdir() if OURS.fullmatch(p.name) and not p.is_symlink()]
            others = sorted((p for p in ours if p != current), key=lambda p: -p.stat().st_mtime)
            for path in others[DEFINITIONS - 1 :]:
                _clear(path)
            for path in self._folder.glob(f"*/*{ENDING}.*.tmp"):
                if path.parent in ours and time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink(missing_ok=True)


class Definition:
    """
    Sums of periods under one definition; one entry a period.

    Parameters
    ----------
    store, folder, text, force, hash_file
        As `PeriodStore` has them.
    """

    def __init__(
        self, *, store: PeriodStore, folder: Path, text: str, force: bool, hash_file: Callable[[Path], str]
    ) -> None:
        self._store, self._folder, self._text = store, folder, text
        self._force, self._hash_file = force, hash_file

    def sums(
        self, label: str, span: Span, files: Sequence["LogFile"], duplicates: Any, make: Callable[[], "PeriodSums"]
    ) -> "PeriodSums":
        """
        Recall the sums of a period, or make and keep them.

        Parameters
        ----------
        label, span
            Of the period.
        files
            Those that may hold rows of it.
        duplicates
            What is known of its duplicates; its `repr` says all.
        make
            Sums the period.
        """
        contents = sorted(
            (self._hash_file(f.path), sorted(f.folders.items()), repr(f.database and f.database.table)) for f in files
        )
        key = _digest(repr((self._text, label, span, contents, duplicates)))
        found = None if self._force else self._read(label, key)
        if found is not None:
            self._store.recalled.append(label)
            return found
        self._store.summed.append(label)
        sums = make()
        self._write(label, key, sums)
        return sums

    def _read(self, label: str, key: str) -> "PeriodSums | None":
        from tradelift.log.months import PeriodSums

        try:
            stream = pa.BufferReader(_checked((self._folder / f"{label}{ENDING}").read_bytes()))
            cells = pa.ipc.open_stream(stream).read_all()
            about = cells.schema.metadata
            if about[KEY] != key.encode():
                return None
            reasons = pa.Table.from_pylist(json.loads(about[REASONS]))
            by_category = pa.ipc.open_stream(stream).read_all() if CATEGORIES in about else None
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            return None
        return PeriodSums(cells=cells, by_category=by_category, reasons=reasons)

    def _write(self, label: str, key: str, sums: "PeriodSums") -> None:
        reasons = [{name: int(value) for name, value in row.items()} for row in sums.reasons.to_pylist()]
        about = {KEY: key, REASONS: json.dumps(reasons)}
        tables = [sums.cells]
        if sums.by_category is not None:
            about[CATEGORIES] = "1"
            tables.append(sums.by_category)
        sink = pa.BufferOutputStream()
        for table in tables:
            named = table.replace_schema_metadata(about)
            with pa.ipc.new_stream(sink, named.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
                stream.write_table(named)
        content = sink.getvalue().to_pybytes()
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            _replace(self._folder / f"{label}{ENDING}", hashlib.sha256(content).digest() + content)


def _clear(folder: Path) -> None:
    """Remove the entries of a definition, and its folder if nothing of others is in it."""
    for path in [*folder.glob(f"*{ENDING}"), *folder.glob(f"*{ENDING}.*.tmp")]:
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _checked(entry: bytes) -> bytes:
    """What stands behind the hash of an entry; it is an error if it is not what was written."""
    size = hashlib.sha256().digest_size
    if hashlib.sha256(entry[size:]).digest() != entry[:size]:
        raise ValueError
    return entry[size:]


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
