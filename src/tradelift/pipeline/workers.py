"""Many estimates at once: in processes, since most of an estimate holds the interpreter's lock."""

import pickle
from collections.abc import Iterator, Sequence

from tradelift.designs import Task
from tradelift.errors import ConvergenceError, DesignError
from tradelift.panel import Panel
from tradelift.processes import in_processes
from tradelift.threads import n_threads, one_blas_thread

WORTHWHILE = 20_000_000  # cells times tasks: below, starting processes takes longer than they save

Answer = bytes | DesignError | ConvergenceError
"""A finding as it is kept, or why there is none."""


def pickled(task: Task, panel: Panel) -> bytes:
    """Estimate; the finding is pickled once, where it is made, and read where it is asked for."""
    return pickle.dumps(task.estimate(panel), protocol=5)


def attempt(task: Task, panel: Panel) -> Answer:
    """Estimate; what cannot be estimated is answered by its error."""
    try:
        with one_blas_thread():  # here as in the processes, so that no digit depends on where a task is estimated
            return pickled(task, panel)
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
    worthwhile = len(tasks) * panel.n_cells >= WORTHWHILE
    yield from in_processes(
        attempt, tasks, panel, min(n_threads(), len(tasks)) if worthwhile else 1, called="estimates"
    )
