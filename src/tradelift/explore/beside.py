"""Processes that estimate beside the explorer's own; each is asked through its input and answers on its output."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import local
from typing import Any, BinaryIO

from tradelift.designs import Task
from tradelift.errors import ConvergenceError, DesignError
from tradelift.estimate import Estimate
from tradelift.memory import large_pages, lent
from tradelift.panel import Panel
from tradelift.pipeline.cache import KeptFindings
from tradelift.threads import LIMIT

Found = Estimate | DesignError | ConvergenceError
Given = tuple[Panel, KeptFindings | None]

INPUT, OUTPUT, ERRORS = 0, 1, 2
NICE = 10  # what is looked at, by the server and the browser, goes before
LOST = (OSError, EOFError, pickle.UnpicklingError)  # what asking a process comes to that died, perhaps amid its answer


class Beside:
    """
    Some processes, each served by a thread that waits for it: what no process has begun can be called off.

    They end with the one that started them, however that ends: then their input does. A process that is lost, as when
    the system runs out of memory and kills it, leaves its work to its thread.

    Parameters
    ----------
    given
        What is estimated on, and what the run kept of its estimates; large arrays stand in memory once.
    n
        How many.
    """

    def __init__(self, given: Given, n: int) -> None:
        self.n = n
        self._given, self._own, self._opened = given, local(), ExitStack()
        self._shared = self._opened.enter_context(lent(given))
        self._threads = ThreadPoolExecutor(n, thread_name_prefix="beside")
        self._started = [self._threads.submit(self._start) for _ in range(n)]

    @property
    def is_awake(self) -> bool:
        """Whether all are there."""
        return all(started.done() for started in self._started)

    def submit(self, task: Task) -> "Future[Found]":
        """Have a task estimated."""
        return self._threads.submit(self._ask, task)

    def close(self) -> None:
        """End them, and wait for that."""
        self._threads.shutdown(cancel_futures=True)
        self._opened.close()

    def _start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "tradelift.explore.beside"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | large_pages() | {LIMIT: "1"},  # the others have the other processors
            start_new_session=True,  # Ctrl-C is for the command; with it the input ends
        )
        self._opened.callback(_end, process)
        self._own.process = process
        with suppress(*LOST):  # a process that did not come up is one that was lost
            _exchange(process, self._shared)

    def _ask(self, task: Task) -> Found:
        try:
            found: Found = _exchange(self._own.process, task)
        except LOST:
            return found_of(task, self._given)
        else:
            return found


def found_of(task: Task, given: Given) -> Found:
    """Take what the run kept of a task, else estimate it."""
    panel, kept = given
    try:
        known = None if kept is None else kept.recall(task)
        found = task.estimate(panel) if known is None else known
    except (DesignError, ConvergenceError) as error:
        return error
    assert isinstance(found, Estimate), "every choice gives one"
    return found


def _exchange(process: "subprocess.Popen[bytes]", value: object) -> Any:
    assert process.stdin is not None, "it was asked for"
    assert process.stdout is not None, "it was asked for"
    pickle.dump(value, process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
    process.stdin.flush()
    return pickle.load(process.stdout)  # noqa: S301 - from the process that was started here


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(OSError), process:  # its input breaks where it was lost before
        process.kill()


def main() -> None:
    """Take what is given, then answer tasks until the input ends."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    with (
        suppress(BrokenPipeError, EOFError),  # who asked has ended, or asks no more
        os.fdopen(os.dup(INPUT), "rb") as asked,
        os.fdopen(os.dup(OUTPUT), "wb") as answers,
    ):
        os.dup2(ERRORS, OUTPUT)  # what a library may print is no answer
        given = _taken(asked)
        _answer(None, answers)
        while True:
            _answer(found_of(pickle.load(asked), given), answers)  # noqa: S301 - from the process that started this one


def _taken(asked: BinaryIO) -> Given:
    """Take what is given; it is gone where the one that gave it has ended meanwhile."""
    try:
        given: Given = pickle.load(asked).value()  # noqa: S301 - likewise
    except FileNotFoundError:
        raise EOFError from None
    return given


def _answer(found: object, answers: BinaryIO) -> None:
    pickle.dump(found, answers, protocol=pickle.HIGHEST_PROTOCOL)
    answers.flush()


if __name__ == "__main__":
    main()
