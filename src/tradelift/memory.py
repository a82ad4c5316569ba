"""Memory: what is freed serves again or goes back to the system, and what processes share stands there once."""

import ctypes
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from mmap import ACCESS_COPY, PAGESIZE, mmap
from pathlib import Path
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
APART = 2**16  # bytes: an array of so many is shared, a smaller one stands in the text of its owner
ALIGNED = 64  # bytes: a line of the processor's cache
KEPT, MAPPED = 2**26, 2**25  # bytes that glibc keeps at the end of its memory; an array of so many stands apart from it
TUNED = ("MALLOC_", "GLIBC_TUNABLES")  # environment variables by which somebody has told glibc what to do


def release() -> None:
    """
    Give freed memory back to the system.

    The allocators of Arrow and of the library of C keep what was freed for later; after the inputs of a large study
    were read that is half of what the process holds, and the processes of the run need it.
    """
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with suppress(OSError, TypeError, AttributeError):  # other libraries of C have no such call
        ctypes.CDLL(None).malloc_trim(0)


def reuse() -> None:
    """
    Let glibc keep what was freed for the next array, unless the environment says how much.

    An estimate takes and frees tens of megabytes. A new process gives them back each time, and to get them again took a
    fifth of a three-way estimate. These are the bounds that glibc comes to by itself once an array of 32 MB was freed.
    """
    if _is_told() or os.name != "posix":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(M_MMAP_THRESHOLD, MAPPED)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)


def large_pages() -> dict[str, str]:
    """
    Environment of a new process that is to work on large pages, unless this one's says otherwise.

    Estimates read and write a few arrays all over: on pages of 2 MB in place of 4 kB they take a twentieth less time.
    Only glibc reads it, when a process starts; the bounds are those of `reuse`.
    """
    if _is_told():
        return {}
    bounds = f"glibc.malloc.mmap_threshold={MAPPED}:glibc.malloc.trim_threshold={KEPT}"
    return {"GLIBC_TUNABLES": f"glibc.malloc.hugetlb=1:{bounds}"}


def _is_told() -> bool:
    return any(name.startswith(TUNED) for name in os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """
    A value that other processes can take while this one lends it.

    Parameters
    ----------
    text
        The pickled value; empty where `path` has it.
    path
        What holds the value: its large arrays, and last its text without them; None where the system has no such
        memory.
    spans
        Where each of these begins and ends, in bytes.
    """

    text: bytes = b""
    path: str | None = None
    spans: tuple[tuple[int, int], ...] = ()

    def value(self) -> Any:
        """
        Take the value; its arrays lie on the pages that all processes share.

        A process that writes to such an array gets pages of its own, and nobody else sees what it wrote.
        """
        if self.path is None:
            return pickle.loads(self.text)  # noqa: S301 - from the process that started this one
        with Path(self.path).open("rb") as file:
            pages = memoryview(mmap(file.fileno(), 0, access=ACCESS_COPY))
        sum(pages[::PAGESIZE])  # reads each page now: a pool takes a process that grows later for one that leaks
        *arrays, text = (pages[a:b] for a, b in self.spans)
        return pickle.loads(text, buffers=arrays)  # noqa: S301 - as above


@contextmanager
def lent(value: object) -> Iterator[Shared]:
    """
    Lend a value to other processes, which share one copy of its large arrays.

    The copy stands in memory without a name in any folder, so that nothing is left of it, whatever ends this process.
    Where the system has no such memory, each process gets the whole value. What is lent is a few bytes: who writes more
    than a pipe holds to a process that dies before it has read it would wait for ever.

    Parameters
    ----------
    value
        Anything that can be pickled; its arrays are not to change.
    """
    arrays: list[memoryview] = []

    def stands_apart(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < APART:
            return True  # in the text
        arrays.append(raw)
        return False

    text = pickle.dumps(value, protocol=5, buffer_callback=stands_apart)
    pages = _pages([*arrays, memoryview(text)])
    if pages is None:
        yield Shared(text=pickle.dumps(value, protocol=5) if arrays else text)
        return
    file, spans = pages
    try:
        yield Shared(path=_path(file), spans=spans)
    finally:
        os.close(file)


def _pages(arrays: list[memoryview]) -> tuple[int, tuple[tuple[int, int], ...]] | None:
    """Copy arrays to memory that has the form of a file; None where the system has none, or too little."""
    if not hasattr(os, "memfd_create"):
        return None
    file, spans, end = -1, [], 0
    try:
        file = os.memfd_create("tradelift")
        for array in arrays:
            begin = -(-end // ALIGNED) * ALIGNED
            end = begin + array.nbytes
            spans.append((begin, end))
            while begin < end:  # a call takes two gigabytes at most
                begin += os.pwrite(file, array[begin - end :], begin)
        os.close(os.open(_path(file), os.O_RDONLY))  # as the others will
    except OSError:
        if file >= 0:
            os.close(file)
        return None
    return file, tuple(spans)


def _path(file: int) -> str:
    """Where other processes of this user find an open file."""
    return f"/proc/{os.getpid()}/fd/{file}"
