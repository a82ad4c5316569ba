"""The server's process: it loads what a page needs while marimo starts, and ends when its command has ended."""

import io
import os
import runpy
import shutil
import sys
from pathlib import Path
from threading import Thread

STANDARD_INPUT = 0


def main() -> None:
    """Run marimo with the arguments of this process, the session last; its first line of input is the token."""
    token = _first_line()
    sys.stdin = io.StringIO(token)
    Thread(target=_end_with_parent, args=(Path.cwd(),), daemon=True).start()
    Thread(target=_load, args=(sys.argv[-1],), daemon=True).start()
    sys.argv[0] = "marimo"
    runpy.run_module("marimo", run_name="__main__", alter_sys=True)


def _first_line() -> str:
    """Read no more than the line: what follows is for the thread that waits for the end."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(STANDARD_INPUT, 1)
        if not more:
            break
        line += more
    return line.decode().strip()


def _end_with_parent(place: Path) -> None:
    """Wait for the end of the input, which comes however the parent ends; then leave nothing behind."""
    while os.read(STANDARD_INPUT, 1):
        pass
    shutil.rmtree(place, ignore_errors=True)
    os._exit(0)


def _load(session: str) -> None:
    """Make the page as soon as its session is there; it is the one that the browser will ask for."""
    from tradelift.explore.page import Page  # slow to load, while marimo starts

    Page.of({"session": session})


if __name__ == "__main__":
    main()
