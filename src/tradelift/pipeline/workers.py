"""Many estimates at once: in processes, since most of an estimate holds the interpreter's lock."""

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from threading import Thread

from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

from tradelift.designs import Finding, Task
from tradelift.errors import ConvergenceError, DesignError
from tradelift.panel import Panel
from tradelift.threads import LIMIT, n_threads, one_blas_thread

WORTHWHILE = 20_000_000  # cells times tasks: below, starting processes takes longer than they save
WATCH_SECONDS = 1.0  # how long a process outlives a run that was killed

Answer = Finding | DesignError | ConvergenceError


def attempt(task: Task, panel: Panel) -> Answer:
    """Estimate; what cannot be estimated is answered by its error."""
    try:
        with one_blas_thread():  # here as in the processes, so that no digit depends on where a task is estimated
            return task.estimate(panel)
    except (DesignError, ConvergenceError) as error:
        return error


def attempts(tasks: Sequence[Task], panel: Panel) -> Iterator[Answer]:
    """
    Estimate tasks, in processes where that is worth it; answers in order, each as soon as those before it are there.

    Where a process is lost, as when the system runs out of memory and kills it, the rest is estimated in this one.

    Parameters
    ----------
    tasks
        Frozen, with `.estimate(panel)`.
    panel
        What they are estimated on.
    """
    n = min(n_threads(), len(tasks))
    answered = 0
    if n > 1 and len(tasks) * panel.n_cells >= WORTHWHILE:
        try:
            with ProcessPoolExecutor(max_workers=n, initializer=_take, initargs=(panel, os.getpid())) as processes:
                for answer in processes.map(_attempt_here, tasks, chunksize=1):
                    answered += 1
                    yield answer
        except BrokenProcessPool:
            msg = (
                f"A process of the run was lost, perhaps for want of memory; the other {len(tasks) - answered} of "
                f"{len(tasks)} estimates are made one after the other."
            )
            warnings.warn(msg, RuntimeWarning, stacklevel=2)
    yield from (attempt(task, panel) for task in tasks[answered:])


_here: list[Panel] = []  # in a process: the panel that it was started with


def _take(panel: Panel, run: int) -> None:
    os.environ[LIMIT] = "1"  # the other processes have the other processors
    _here[:] = [panel]
    Thread(target=_end_with, args=(run,), daemon=True).start()


def _end_with(run: int) -> None:
    """End this process when its run has ended: one that was killed cannot say so."""
    while os.getppid() == run:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _attempt_here(task: Task) -> Answer:
    return attempt(task, _here[0])
