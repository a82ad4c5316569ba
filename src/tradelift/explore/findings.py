"""What was estimated since the explorer began: each task once, here or in processes beside this one."""

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from functools import partial
from itertools import islice
from threading import RLock

from tradelift.designs import Task, task_json
from tradelift.errors import ConvergenceError, DesignError
from tradelift.estimate import Estimate
from tradelift.explore.beside import Beside, Found, Given, found_of
from tradelift.panel import Panel
from tradelift.pipeline.cache import KeptFindings
from tradelift.threads import n_threads

MOST = 4  # processes: a curve has some seven points


class Findings:
    """
    Estimates by task; several threads may ask.

    Parameters
    ----------
    panel
        What is estimated on.
    kept
        What the run kept of its estimates; None where that is not to be used.
    """

    def __init__(self, panel: Panel, kept: KeptFindings | None) -> None:
        self._given: Given = (panel, kept)
        self._found: dict[str, Found] = {}
        self._under_way: dict[str, Future[Found]] = {}
        self._changing = RLock()
        self._beside: Beside | None = None

    def knows(self, task: Task) -> bool:
        """Whether a task was estimated, or refused."""
        return task_json(task) in self._found

    def find(self, task: Task) -> Estimate:
        """
        Recall an estimate, or wait for it where it is being made, else make it.

        Raises
        ------
        DesignError, ConvergenceError
            As the task does.
        """
        key = task_json(task)
        while (found := self._found.get(key)) is None:
            with self._changing:
                made, own = self._under_way.get(key), Future[Found]()
                if made is None:
                    own.set_running_or_notify_cancel()
                    self._keep(key, own)
            if made is None:
                _make(task, self._given, own)
            else:
                wait([made])
                self._settle(key, made)
        if isinstance(found, Exception):
            raise found
        return found

    def begin_beside(self) -> None:
        """Start processes, once; until they are there, and where there is one processor, all is done here."""
        n = min(n_threads(), MOST)
        with self._changing:
            if self._beside is None and n > 1:
                self._beside = Beside(self._given, n)

    def hand_out(self, tasks: Iterable[Task], *, spare: int = 0) -> list[Future[Found]]:
        """
        Let the first of some tasks be estimated beside, and drop what waits there of others.

        Parameters
        ----------
        tasks
            Any number; those that are known are left out.
        spare
            How many processes to leave free for what may be chosen meanwhile.

        Returns
        -------
        What is under way of these; nothing where there are no processes.
        """
        if self._beside is None or not self._beside.is_awake:
            return []
        unknown = (task for task in tasks if not self.knows(task))
        wanted = {task_json(task): task for task in islice(unknown, self._beside.n - spare if spare else None)}
        with self._changing:
            for key, made in list(self._under_way.items()):
                if key not in wanted:
                    made.cancel()
            for key, task in wanted.items():
                if key not in self._under_way and key not in self._found:
                    self._keep(key, self._beside.submit(task))
            return [made for key, made in self._under_way.items() if key in wanted]

    def find_next(self, tasks: Iterable[Task], *, spare: int = 0) -> bool:
        """Estimate one more of some tasks, or several beside each other; False where all are known."""
        left = [task for task in tasks if not self.knows(task)]
        if not left:
            return False
        under_way = self.hand_out(left, spare=spare)
        if not under_way:
            with suppress(DesignError, ConvergenceError):
                self.find(left[0])
        for made in wait(under_way, return_when=FIRST_COMPLETED).done:
            if not made.cancelled():
                made.result()  # raises what nobody foresaw
        return True

    def _keep(self, key: str, made: Future[Found]) -> None:
        self._under_way[key] = made
        made.add_done_callback(partial(self._settle, key))

    def _settle(self, key: str, made: Future[Found]) -> None:
        """Take over what was made; what failed or was dropped is no longer under way."""
        with self._changing:
            if not made.cancelled() and made.exception() is None:
                self._found[key] = made.result()
            if self._under_way.get(key) is made:
                del self._under_way[key]


def _make(task: Task, given: Given, made: Future[Found]) -> None:
    try:
        made.set_result(found_of(task, given))
    except BaseException as error:
        made.set_exception(error)
        raise
