"""A short form of scripts/faults.py, in a process of its own: it forks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "faults.py"


@pytest.mark.slow
def test_runs_that_are_broken_leave_old_results_or_new_ones_and_a_rerun_finishes(tmp_path):
    command = [sys.executable, SCRIPT, "--short", "--trials", "1", "--step", "60", "--rerun", "4", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    total, survived = map(int, re.search(r"\*\*(\d+) faults injected, (\d+) survived", done.stdout).groups())
    assert total == survived >= 60
    assert list(tmp_path.iterdir()) == []
