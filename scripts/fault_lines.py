"""Kill what puts results in their place before each of its lines; a part of scripts/faults.py."""

import contextlib
import itertools
import os
import shutil
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tradelift.pipeline import atomic, unchanged, workspace

OLD, NEW, NONE, MIXTURE = "old", "new", "none", "mixture"
FILES = ("report.html", "panel/2017-01.parquet", workspace.MANIFEST)
SAME = "panel/2017-02.parquet"  # what both versions hold
DONE, FAILED, REFUSED = 0, 1, 2
TraceFunction = Callable[[FrameType, str, Any], Any]


def fork(work: Callable[[], int]) -> int:
    """Do work in a child, which has imported all that it needs."""
    child = os.fork()
    if not child:
        status = FAILED
        with contextlib.suppress(BaseException), Path(os.devnull).open("w") as nowhere:
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(nowhere):
                status = work()
        os._exit(status)
    return child


def ended(child: int) -> int:
    """Status of a child; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_lines(folder: Path) -> Counter:
    """Kill the workspace before each of its lines, with and without an exchange of folders in the system."""
    found: Counter = Counter()
    for can in (True, False):
        for step in itertools.count():
            out = folder / "lines" / "out"
            shutil.rmtree(out.parent, ignore_errors=True)
            out.parent.mkdir()
            write_version(out, OLD)
            if killed_at_line(step, out, can=can) == DONE:
                break
            state = version(out)
            if not can and state == NONE:  # between two renames: the next run puts back what was set aside
                state = repaired(out)
            found["injected"] += 1
            found[state] += 1
            found["reruns"] += 1
            write_version(out, "rerun")
            found["finished"] += {p.name for p in out.parent.iterdir()} == {"out", ".out.lock"}
    return found


def write_version(out: Path, name: str) -> None:
    """Results of files that hold a version's name, and one that holds the same in both."""
    with workspace.workspace(out) as folder:
        (folder / "panel").mkdir()
        for file in FILES:
            (folder / file).write_text(name)
        (folder / SAME).write_text(SAME)


def version(out: Path) -> str:
    """Which version a folder holds."""
    if not out.exists():
        return NONE
    held = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}
    found = {held.get(file, NONE) for file in FILES}
    whole = held.keys() == {*FILES, SAME} and held[SAME] == SAME
    return found.pop() if whole and len(found) == 1 else MIXTURE


def repaired(out: Path) -> str:
    """What a next run finds when it begins."""
    found = NONE
    with contextlib.suppress(InterruptedError), workspace.workspace(out):
        found = version(out)
        raise InterruptedError
    return found


def killed_at_line(step: int, out: Path, *, can: bool) -> int:
    """Status of a process that is killed before it executes so many lines."""

    def work() -> int:
        if not can:
            workspace.exchange = lambda *_: False
        left = step

        def count(frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
            nonlocal left
            if frame.f_code.co_filename not in (workspace.__file__, atomic.__file__, unchanged.__file__):
                return None
            left -= event == "line"
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return count

        sys.settrace(count)
        write_version(out, NEW)
        return DONE

    return ended(fork(work))
