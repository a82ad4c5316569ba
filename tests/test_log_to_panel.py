import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "log_to_panel.py"


def test_small_log_is_written_summed_and_compared_with_a_scan(tmp_path):
    wanted = ["--millions", ".06", "--months", "2", "--folder", str(tmp_path), "--out", str(tmp_path / "out.md")]
    done = subprocess.run([sys.executable, str(SCRIPT), *wanted], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [
        line.split("|") for line in (tmp_path / "out.md").read_text(encoding="utf-8").splitlines() if "MB |" in line
    ]
    assert [int(row[1]) for row in rows] == [2]
    assert 2000 < int(rows[0][2].replace(",", "")) < 2200
    assert float(rows[0][5]) > 1
