"""Packages in processes of their own: started, asked to run in turn, and stopped."""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from work import OURS, Work

HERE = Path(__file__).parent
THREADED = ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON")
LIMIT = 600  # seconds that a package may take for one answer


@dataclass(slots=True, kw_only=True)
class Measured:
    """What a package did with a work: seconds a repetition, memory over the data in MB, and its numbers."""

    work: str
    tool: str
    version: str = ""
    seconds: list[float] = field(default_factory=list)
    memory: float | None = None
    n: int | None = None
    coefficients: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    failure: str = ""

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take in one answer; the highest memory of all repetitions counts."""
        if "error" in answer:
            self.failure = answer["error"]
            return
        self.seconds.append(answer["seconds"])
        if answer["memory"] is not None:
            self.memory = max(self.memory or 0.0, answer["memory"])
        self.n, self.coefficients, self.errors = answer["n"], answer["coefficients"], answer["errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    Where and how packages run.

    Parameters
    ----------
    peers
        Python of the environment that holds the other packages, or None.
    r
        Rscript with fixest, or None.
    threads
        For each package, by the variables that its libraries read.
    size
        "full" or "small".
    """

    peers: Path | None
    r: Path | None
    threads: int
    size: str

    def has(self, tool: str) -> bool:
        """Whether a package can run here at all."""
        if tool in OURS:
            return True
        return (self.r if tool == "fixest" else self.peers) is not None


class Process:
    """A package that has prepared a work and waits."""

    def __init__(self, tool: str, work: Work, setting: Setting, folder: Path, warm: Path) -> None:
        if tool == "fixest":
            command = [str(setting.r), str(HERE / "fixest.R"), *_spelled_for_r(work, setting), str(folder), str(warm)]
        else:
            python = sys.executable if tool in OURS else str(setting.peers)
            command = [python, str(HERE / "worker.py"), tool, work.name, setting.size, str(folder), str(warm)]
        self._caches = tempfile.mkdtemp(prefix="bench-")
        threads = {f"{name}_NUM_THREADS": str(setting.threads) for name in THREADED}
        extra = {"NUMBA_CACHE_DIR": self._caches} if work.fresh else {}  # compiled code of earlier runs is not fresh
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | threads | extra,
        )  # fmt: skip

    def ask(self, word: str = "") -> dict[str, Any]:
        """Send a word, if any, and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if word:
                self._process.stdin.write(f"{word}\n".encode())
                self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], LIMIT)[0]:
                self._process.kill()
                return {"error": f"stopped after {LIMIT} s"}
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        return dict(json.loads(line)) if line else {"error": f"ended with status {self._process.wait()}"}

    def stop(self) -> None:
        """End the process and forget its caches."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._caches, ignore_errors=True)


def measure(work: Work, tools: list[str], repeats: int, setting: Setting, folder: Path, warm: Path) -> list[Measured]:
    """Let packages estimate in turn: all once, then all again, as often as each takes part."""
    if work.fresh:
        return _measure_fresh(work, tools, repeats, setting, folder, warm)
    out = [Measured(work=work.name, tool=tool) for tool in tools]
    running: dict[str, Process] = {}
    try:
        for one in out:
            running[one.tool] = Process(one.tool, work, setting, folder, warm)
            answer = running[one.tool].ask()  # one prepares at a time, so that none is disturbed
            one.version = answer.get("version", "")
            one.failure = answer.get("error", "")
        for turn in range(repeats):
            for one in out:
                if not one.failure and turn < work.tools.get(one.tool, 1):
                    one.add(running[one.tool].ask("run"))
    finally:
        for process in running.values():
            process.stop()
    return out


def _measure_fresh(
    work: Work, tools: list[str], repeats: int, setting: Setting, folder: Path, warm: Path
) -> list[Measured]:
    """A new process each time, from its start to its first estimate, less the reading of the data."""
    out = [Measured(work=work.name, tool=tool) for tool in tools]
    for turn in range(repeats):
        for one in out:
            if one.failure or turn >= work.tools[one.tool]:
                continue
            start = time.perf_counter()
            process = Process(one.tool, work, setting, folder, warm)
            try:
                started = process.ask()
                answer = started if "error" in started else process.ask("run")
            finally:
                seconds = time.perf_counter() - start
                process.stop()
            if "error" not in answer:
                answer["seconds"] = seconds - started["reading"]
            one.version = started.get("version", "")
            one.add(answer)
    return out


def _spelled_for_r(work: Work, setting: Setting) -> list[str]:
    outcome = "trade" if work.family == "poisson" else "log_trade"
    formula = f"{outcome} ~ {' + '.join(work.regressors)} | {' + '.join(work.effects)}"
    return ["poisson" if work.family == "poisson" else "gaussian", formula, str(setting.threads), str(int(work.fresh))]


def find_fixest() -> Path | None:
    """Rscript, where it can load fixest."""
    found = shutil.which("Rscript")
    if found is None:
        return None
    loaded = subprocess.run([found, "-e", "library(fixest)"], capture_output=True, check=False)
    return Path(found) if loaded.returncode == 0 else None
