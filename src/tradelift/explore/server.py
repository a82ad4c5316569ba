"""The explorer's server: marimo on this machine alone, behind a token that only its user is told."""

import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from time import monotonic, sleep

from tradelift.errors import DataError

LOOPBACK = "127.0.0.1"
SESSION = "session"  # where the command hands over what it opened
PATIENCE_SECONDS = 60.0
QUIET = {"MARIMO_SKIP_UPDATE_CHECK": "1"}  # ask no network for a newer version


def serve(
    folder: str | Path,
    *,
    study: str | Path | None = None,
    port: int | None = None,
    browser: bool = True,
    ready: Callable[[str], None],
) -> int:
    """
    Show a finished run until the user ends it.

    Parameters
    ----------
    folder
        Of the run.
    study
        The study file, where it no longer stands where it stood at the run.
    port
        On which to listen; None for a free one.
    browser
        Whether to open the user's browser.
    ready
        Called with the address, token included, when the page answers.

    Returns
    -------
    Exit status of the server.

    Raises
    ------
    DataError
        If marimo is not installed, there is no finished run, or the server does not start.
    """
    if importlib.util.find_spec("marimo") is None:
        msg = "The explorer needs marimo: install tradelift[explore]."
        raise DataError(msg)
    port = port or _free_port()
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="tradelift-explore-") as place, _ended_alike():
        server = _start(Path(place), port, token)
        try:
            from tradelift.explore.session import Session  # slow to load, while the server starts
            from tradelift.pipeline.finished import open_run

            run = open_run(folder, study)
            with ThreadPoolExecutor(1) as elsewhere:
                shown = elsewhere.submit(_show, server, port, token, ready, browser=browser)
                Session.open(run).hand_over(Path(place) / SESSION)
                shown.result()
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            server.terminate()
            server.wait()
            if server.stdin is not None:
                server.stdin.close()


def _show(server: subprocess.Popen[str], port: int, token: str, ready: Callable[[str], None], *, browser: bool) -> None:
    """Tell the address as soon as the server answers; its page waits for the session."""
    _wait(server, port)
    address = f"http://{LOOPBACK}:{port}/?access_token={token}"
    ready(address)
    if browser:
        webbrowser.open(address)


def _start(place: Path, port: int, token: str) -> subprocess.Popen[str]:
    """Start marimo on a copy of the notebook: what it writes beside a notebook vanishes with the folder."""
    notebook = place / "explore.py"
    notebook.write_text(files("tradelift.explore").joinpath("notebook.py").read_text(encoding="utf-8"))
    options = ["--headless", "--host", LOOPBACK, "--port", str(port), "--no-sandbox"]
    locked = ["--token", "--token-password-file", "-"]
    program = [sys.executable, "-m", "tradelift.explore.served", "-q", "run", str(notebook), *options, *locked]
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        [*program, "--", "--session", str(place / SESSION)],
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        env=os.environ | QUIET,
        cwd=place,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then ends the server in peace
    )
    assert server.stdin is not None, "it was asked for"
    server.stdin.write(f"{token}\n")  # not an argument: those are seen by every user of the machine
    server.stdin.flush()  # and it stays open: its end tells the server that this process has ended
    return server


@contextmanager
def _ended_alike() -> Iterator[None]:
    """Let a request to end work as Ctrl-C does, so that the server ends, too."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        return int(free.getsockname()[1])


def _wait(server: subprocess.Popen[str], port: int) -> None:
    """Until the server listens."""
    end = monotonic() + PATIENCE_SECONDS
    while monotonic() < end and server.poll() is None:
        with socket.socket() as trial:
            trial.settimeout(1)
            if trial.connect_ex((LOOPBACK, port)) == 0:
                return
        sleep(0.1)
    msg = f"The explorer did not start on port {port}. Choose another one with --port."
    raise DataError(msg)
