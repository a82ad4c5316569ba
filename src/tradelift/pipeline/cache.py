"""Estimate each distinct task once, in a run and between runs."""

import hashlib
import pickle
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from joblib import Memory
from joblib.memory import CacheWarning

import tradelift
from tradelift.designs import Finding, Task, task_json
from tradelift.errors import ConvergenceError, DesignError
from tradelift.panel import Panel
from tradelift.pipeline.private import private_place
from tradelift.pipeline.workers import attempts, pickled

KEPT = ".tradelift"
"""Folder beside a study of what its runs keep for later ones."""


class EstimateCache:
    """
    Estimates by the panel's digest, the task's canonical JSON and the version of the code.

    Parameters
    ----------
    folder
        Where estimates are kept between runs; None: only in memory, for this run.
    force
        Estimate anew what is kept.
    """

    def __init__(self, folder: Path | None, *, force: bool = False) -> None:
        self._memory = Memory(None if folder is None else private_place(folder), verbose=0)
        self._force = force
        self._ready: set[str] = set()  # the folder keeps them, of this run or an earlier one
        self._seen: dict[str, bytes] = {}  # what the folder does not keep
        self._refused: dict[str, DesignError | ConvergenceError] = {}
        self._estimate = self._memory.cache(_made, ignore=["make"])

    def estimate(self, task: Task, panel: Panel) -> Finding:
        """
        Estimate a task, or recall it.

        What the folder keeps is read each time: hundreds of findings take as much memory as the processes of a run.

        Parameters
        ----------
        task
            Anything frozen with `.estimate(panel)`.
        panel
            What it is estimated on.
        """
        key = task_json(task)
        if key in self._refused:
            raise self._refused[key]
        kept = self._seen[key] if key in self._seen else self._hold(key, partial(pickled, task, panel), panel)
        found: Finding = pickle.loads(kept)  # noqa: S301 - from this user's own place, or this process
        return found

    def prepare(
        self, tasks: Iterable[Task], panel: Panel, done: Callable[[int, int], None]
    ) -> Generator[str, None, None]:
        """
        Estimate many tasks at once, so that they are remembered when they are asked for.

        Parameters
        ----------
        tasks
            In any number; each distinct one is estimated once.
        panel
            What they are estimated on.
        done
            Called with how many of how many are ready.

        Yields
        ------
        The canonical JSON of each task when it is ready, or refused: first of those that were kept, then of the others.
        """
        distinct = {task_json(task): task for task in tasks}
        todo = {key: task for key, task in distinct.items() if not self._knows(key, panel)}
        yield from (key for key in distinct if key not in todo)
        for ready, ((key, _), answer) in enumerate(
            zip(todo.items(), attempts(list(todo.values()), panel), strict=True), len(distinct) - len(todo) + 1
        ):
            if isinstance(answer, (DesignError, ConvergenceError)):
                self._refused[key] = answer
            else:
                self._hold(key, partial(_given, answer), panel)
            done(ready, len(distinct))
            yield key

    def _knows(self, key: str, panel: Panel) -> bool:
        if key in self._seen or key in self._refused:
            return True
        if self._force or not self._is_kept(key, panel):
            return False
        self._ready.add(key)
        return True

    def _is_kept(self, key: str, panel: Panel) -> bool:
        return bool(self._estimate.check_call_in_cache(panel.digest, key, code_version(), None))

    def _hold(self, key: str, make: Callable[[], bytes], panel: Panel) -> bytes:
        """Keep what is made in the folder, and in memory where the folder does not keep it."""
        arguments = (panel.digest, key, code_version(), make)
        if self._force and key not in self._ready and self._is_kept(key, panel):
            self._estimate.call_and_shelve(*arguments).clear()  # so that it is estimated anew
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", CacheWarning
            )  # what a full disk cannot keep is estimated again another time
            made: bytes = self._estimate(*arguments)
        if key not in self._ready:
            if self._is_kept(key, panel):
                self._ready.add(key)
            else:
                self._seen[key] = made
        return made


class Recalled(Mapping[str, Finding]):
    """
    Findings by column, each recalled when it is asked for.

    Parameters
    ----------
    tasks
        What found them, by column.
    cache
        What keeps them.
    panel
        What they were estimated on.
    """

    __slots__ = ("_cache", "_panel", "_tasks")

    def __init__(self, tasks: Mapping[str, Task], cache: EstimateCache, panel: Panel) -> None:
        self._tasks, self._cache, self._panel = dict(tasks), cache, panel

    def __getitem__(self, column: str) -> Finding:
        return self._cache.estimate(self._tasks[column], self._panel)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, column: object) -> bool:
        return column in self._tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFindings:
    """
    What runs have kept of a panel, for those who only read it.

    Parameters
    ----------
    folder
        Where runs of the study keep estimates; it need not be there.
    digest
        Of the panel.
    """

    folder: Path
    digest: str

    def recall(self, task: Task) -> Finding | None:
        """Recall what was found by a task, with this code; None where that is not kept."""
        place = private_place(self.folder)
        if place is None or not place.is_dir():
            return None
        kept = Memory(place, verbose=0).cache(_made, ignore=["make"])
        arguments = (self.digest, task_json(task), code_version(), _gone)
        with suppress(KeyError):
            if kept.check_call_in_cache(*arguments):
                found: Finding = pickle.loads(kept(*arguments))  # noqa: S301 - from this user's own place
                return found
        return None


def _gone() -> bytes:
    """What was forgotten between the look and the reading cannot be made here."""
    raise KeyError


def _given(answer: bytes) -> bytes:
    """What was made elsewhere."""
    return answer


def _made(digest: str, key: str, version: str, make: Callable[[], bytes]) -> bytes:  # noqa: ARG001 - the key of the cache
    return make()


@cache
def code_version() -> str:
    """Version and a hash of the package's sources, so that a changed program recalls nothing."""
    state = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(tradelift.__file__).parent.rglob("*.py")):
        state.update(path.read_bytes())
    return f"{tradelift.__version__}+{state.hexdigest()}"
