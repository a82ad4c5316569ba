"""Many estimates at once: in processes, since most of an estimate holds the interpreter's lock."""

import os
from collections.abc import Iterator, Sequence

from joblib.externals.loky import ProcessPoolExecutor

from tradelift.designs import Finding, Task
from tradelift.errors import ConvergenceError, DesignError
from tradelift.panel import Panel
from tradelift.threads import LIMIT, n_threads, one_blas_thread

WORTHWHILE = 20_000_000  # cells times tasks: below, starting processes takes longer than they save

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

    Parameters
    ----------
    tasks
        Frozen, with `.estimate(panel)`.
    panel
        What they are estimated on.
    """
    n = min(n_threads(), len(tasks))
    if n < 2 or len(tasks) * panel.n_cells < WORTHWHILE:
        yield from (attempt(task, panel) for task in tasks)
        return
    with ProcessPoolExecutor(max_workers=n, initializer=_take, initargs=(panel,)) as processes:
        yield from processes.map(_attempt_here, tasks, chunksize=1)


_here: list[Panel] = []  # in a process: the panel that it was started with


def _take(panel: Panel) -> None:
    os.environ[LIMIT] = "1"  # the other processes have the other processors
    _here[:] = [panel]


def _attempt_here(task: Task) -> Answer:
    return attempt(task, _here[0])
