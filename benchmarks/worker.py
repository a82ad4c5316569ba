"""
One package in a process of its own: it prepares an estimate, then runs it whenever it reads `run` and answers in JSON.

    python worker.py TOOL WORK small|full FOLDER WARM_FOLDER
"""

import ctypes
import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import work as works
from tools import Answer, read_frame, ready, tool_version

SHORT = 1.0  # seconds: an estimate below runs twice, for what slept while the other packages worked weighs in the first


def main() -> None:
    """Answer each line of standard input with one on standard output."""
    tool, name, size, folder, warm = sys.argv[1:]
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a package prints is no answer
    warnings.simplefilter("ignore")
    todo = next(w for w in works.WORKS if w.name == name)
    if size == "small":
        todo = works.shrink(todo)
    try:
        _serve(tool, todo, Path(folder), Path(warm), replies)
    except Exception as problem:  # noqa: BLE001 - whatever a package raises is a result of the benchmark
        _say(replies, error=f"{type(problem).__name__}: {problem}".splitlines()[0][:200])


def _serve(tool: str, todo: works.Work, folder: Path, warm: Path, replies: TextIO) -> None:
    if not todo.fresh:
        ready(tool, todo, warm, read_frame(warm))()
    start = time.perf_counter()
    frame = read_frame(folder)
    reading = time.perf_counter() - start
    run = ready(tool, todo, folder, frame)
    del frame
    _return_memory()
    held = _memory("VmRSS")
    _say(replies, version=tool_version(tool), reading=reading)
    for line in sys.stdin:
        if line.strip() != "run":
            break
        seconds, answer, peak = _timed(run)
        if not todo.fresh and seconds < SHORT:
            seconds, answer, peak = _timed(run)
        _say(
            replies,
            seconds=seconds * answer.factor,
            memory=None if held is None or peak is None else peak - held,
            n=answer.n,
            coefficients=answer.coefficients,
            errors=answer.errors,
        )


def _timed(run: Callable[[], Answer]) -> tuple[float, Answer, float | None]:
    gc.collect()
    _forget_peak()
    start = time.perf_counter()
    answer = run()
    return time.perf_counter() - start, answer, _memory("VmHWM")


def _say(replies: TextIO, **words: object) -> None:
    replies.write(json.dumps(words) + "\n")


def _memory(field: str) -> float | None:
    """A line of this process's status in MB, where Linux tells it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith(field + ":"))
    return int(kilobytes) / 1024


def _forget_peak() -> None:
    """Let the high-water mark start at what is held now."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5")


def _return_memory() -> None:
    """Give freed memory back, so that what is held is the data."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
        if trim is not None:
            trim(0)


if __name__ == "__main__":
    main()
