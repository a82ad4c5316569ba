"""Work side by side in processes, where most of it holds the interpreter's lock."""

import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any, TypeVar

from tradelift.memory import Shared, large_pages, lent
from tradelift.threads import LIMIT

Item = TypeVar("Item")
Answer = TypeVar("Answer")

WATCH_SECONDS = 1.0  # how long a process outlives a run that was killed


def in_processes(
    function: Callable[[Item, Any], Answer], items: Sequence[Item], given: object, n: int, *, called: str
) -> Iterator[Answer]:
    """
    Call a function on each item; answers in order, each as soon as those before it are there.

    Where a process is lost, as when the system runs out of memory and kills it, the rest is done in this one.

    Parameters
    ----------
    function
        That a module holds: of an item, and of what is given.
    items
        In order.
    given
        What all calls share. Its large arrays stand in memory once for all processes, see `tradelift.memory.lent`.
    n
        Most processes; below two, this one does all.
    called
        What the items are, for the warning: "estimates".
    """
    answered = 0
    if n > 1:
        from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

        try:
            with (
                lent(given) as shared,
                ProcessPoolExecutor(
                    max_workers=n, initializer=_take, initargs=(function, shared, os.getpid()), env=large_pages()
                ) as pool,
            ):
                for answer in pool.map(_call, items, chunksize=1):
                    answered += 1
                    yield answer
        except BrokenProcessPool:
            msg = (
                f"A process of the run was lost, perhaps for want of memory; the other {len(items) - answered} of "
                f"{len(items)} {called} are made one after the other."
            )
            warnings.warn(msg, RuntimeWarning, stacklevel=2)
    yield from (function(item, given) for item in items[answered:])


_here: list[Any] = []  # in a process: the function, and what it was started with


def _take(function: Callable[..., Any], shared: Shared, run: int) -> None:
    os.environ[LIMIT] = "1"  # the other processes have the other processors
    _here[:] = [function, shared.value()]
    Thread(target=_end_with, args=(run,), daemon=True).start()


def _end_with(run: int) -> None:
    """End this process when its run has ended: one that was killed cannot say so."""
    while os.getppid() == run:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _call(item: object) -> Any:
    function, given = _here
    return function(item, given)
