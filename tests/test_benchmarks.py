import csv
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SAME_MODEL = 1e-9  # between one panel that is built and one that is read anew: the same arithmetic


def test_small_run_measures_tradelift_alone(tmp_path):
    script = ROOT / "benchmarks" / "run.py"
    wanted = ["--rows", "small", "--tools", "tradelift", "tradelift-frame", "--repeats", "1", "--out", str(tmp_path)]
    rows = ["two-way", "three-way", "ols", "randomization"]
    done = subprocess.run(
        [sys.executable, str(script), *wanted, "--only", *rows], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        found = {(row["work"], row["tool"]): row for row in csv.DictReader(file)}
    assert {name for name, _ in found} == set(rows)
    assert not [row["failure"] for row in found.values() if row["failure"]]
    assert all(float(row["median_seconds"]) > 0 for row in found.values())
    panel, frame = found["two-way", "tradelift"], found["two-way", "tradelift-frame"]
    assert panel["n"] == frame["n"] == str(2 * 87 * 110 * 3)
    assert int(found["ols", "tradelift"]["n"]) < int(panel["n"])  # without the zeros
    for column in ("coefficients", "errors"):
        pairs = zip(panel[column].split(), frame[column].split(), strict=True)
        assert all(abs(float(a) / float(b) - 1) < SAME_MODEL for a, b in pairs)
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "OLS two-way, log of positive flows" in text
    assert "Small panels" in text
