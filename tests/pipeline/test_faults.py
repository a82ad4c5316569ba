"""A short form of scripts/faults.py, in a process of its own: it forks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "faults.py"
FAULTS = [
    "before each line",
    "before each operation",
    "at a random moment",
    "full disk",
    "a worker",
    "two runs at once",
]


@pytest.mark.slow
def test_runs_that_are_broken_leave_old_results_or_new_ones_and_a_rerun_finishes(tmp_path):
    command = [sys.executable, SCRIPT, "--short", "--trials", "3", "--step", "40", "--rerun", "2", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert len(rows) == len(FAULTS)
    for fault, (_, name, injected, old, new, neither, *_) in zip(FAULTS, rows, strict=True):
        assert fault in name or (fault == "full disk" and "files that may not grow" in name)
        assert int(injected) == int(old) + int(new) >= 1, name
        assert int(neither) == 0
    total, survived = map(int, re.search(r"\*\*(\d+) faults injected, (\d+) survived", done.stdout).groups())
    assert total == survived >= 150
    assert list(tmp_path.iterdir()) == []
