"""Work side by side: compiled loops, and NumPy's on large arrays, hold no lock of the interpreter."""

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, cast

Calls = Iterator[tuple[int, tuple[Any, ...]]]  # the place of each call's result, and its arguments

LIMIT = "TRADELIFT_THREADS"  # an environment variable: most threads
WORTHWHILE = 100_000  # cells or rows: below, handing over takes longer than the work


def side_by_side(function: Callable[..., Any], cells: int, *given: Iterable[Any]) -> list[Any]:
    """Call a function that goes over so many cells in all, in threads where they are many; results in order."""
    calls = list(zip(*given, strict=True))
    n = min(n_threads(), len(calls)) if cells >= WORTHWHILE else 1
    if n <= 1:
        return [function(*call) for call in calls]
    # the threads take one call after another, so that one which wakes late, or never, delays nothing
    out: list[Any] = [None] * len(calls)
    left, here = iter(enumerate(calls)), _processor()
    others = [_pool().submit(_elsewhere, here, function, left, out) for _ in range(n - 1)]
    _take(function, left, out)
    for other in others:
        if not other.cancel():
            other.result()
    return out


def one_blas_thread() -> AbstractContextManager[object]:
    """
    Hold the linear algebra libraries to one thread.

    A period's matrices are small, so their threads wait for each other longer than they work; and those that have
    worked keep a processor busy for a while, which the threads here want.
    """
    return cast("AbstractContextManager[object]", _libraries().limit(limits=1, user_api="blas"))


@cache
def _libraries() -> Any:
    """Find the linear algebra libraries once; that costs more than to limit them."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _take(function: Callable[..., Any], left: Calls, out: list[Any]) -> None:
    """Make calls for as long as some are left."""
    for n, call in left:
        out[n] = function(*call)


def _elsewhere(taken: int, function: Callable[..., Any], left: Calls, out: list[Any]) -> None:
    """
    Make calls away from a processor that is taken.

    Linux wakes a thread that slept for long on the processor of the one that woke it, where both wait for each other
    for some milliseconds: a quarter of an estimate by OLS. Moved off it once, the thread is free to go anywhere again.
    """
    if taken >= 0 and _processor() == taken:
        allowed = os.sched_getaffinity(0)
        if len(allowed) > 1:
            os.sched_setaffinity(0, allowed - {taken})
            os.sched_setaffinity(0, allowed)
    _take(function, left, out)


def _processor() -> int:
    """On which processor this thread runs; -1 where that cannot be told or changed."""
    return int(_libc().sched_getcpu()) if _libc() is not None else -1


@cache
def _libc() -> Any:
    """Find the library of C on Linux, where a thread can be moved."""
    library = ctypes.PyDLL(None) if hasattr(os, "sched_setaffinity") else None
    return library if hasattr(library, "sched_getcpu") else None


@cache
def _pool() -> ThreadPoolExecutor:
    """Made once: starting threads takes as long as a slab."""
    return ThreadPoolExecutor(max(n_threads() - 1, 1), thread_name_prefix="tradelift")


@cache
def n_threads() -> int:
    """How many threads may work: as many as there are processors, at most what the environment says."""
    wanted = os.environ.get(LIMIT, "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(int(wanted), available)) if wanted.isdigit() else available


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not live on in a forked process
