"""Estimate each distinct task once, in a run and between runs."""

import hashlib
from functools import cache
from pathlib import Path

from joblib import Memory

import tradelift
from tradelift.designs import Finding, Task, task_json
from tradelift.panel import Panel


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
        self._memory = Memory(folder, verbose=0)
        self._force = force
        self._seen: dict[str, Finding] = {}
        self._estimate = self._memory.cache(_estimate, ignore=["task", "panel"])

    def estimate(self, task: Task, panel: Panel) -> Finding:
        """
        Estimate a task, or recall it.

        Parameters
        ----------
        task
            Anything frozen with `.estimate(panel)`.
        panel
            What it is estimated on.
        """
        key = task_json(task)
        if key not in self._seen:
            arguments = (panel.digest, key, code_version(), task, panel)
            # `call` estimates anew, and gives the result with what is known of the call
            self._seen[key] = self._estimate.call(*arguments)[0] if self._force else self._estimate(*arguments)
        return self._seen[key]


def _estimate(digest: str, key: str, version: str, task: Task, panel: Panel) -> Finding:  # noqa: ARG001 - the key of the cache
    return task.estimate(panel)


@cache
def code_version() -> str:
    """Version and a hash of the package's sources, so that a changed program recalls nothing."""
    state = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(tradelift.__file__).parent.rglob("*.py")):
        state.update(path.read_bytes())
    return f"{tradelift.__version__}+{state.hexdigest()}"
