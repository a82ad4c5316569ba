"""
Measure the way from a transaction log to cells: CPU seconds beside a scan of the same columns, memory, and spill.

    python benchmarks/log_to_panel.py                                       20 million rows; a few minutes
    python benchmarks/log_to_panel.py --millions 100 --months 6 18 60       its first months, then all; 3 GB of disk
    python benchmarks/log_to_panel.py --millions .1 --out elsewhere.md      seconds
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from log_to_panel_data import MONTHS, write_log, write_study
from machine import describe
from processes import Setting

HERE = Path(__file__).parent
WANTED = 8.0  # times the scan
STEPS = ("duplicates", "reasons and sums")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Some months of a log: a scan and the sums, each in a process of its own, as the worker prints them."""

    months: int
    scan: dict[str, Any]
    cells: dict[str, Any]

    @property
    def ratio(self) -> float:
        """CPU seconds of the sums over those of the scan."""
        return float(self.cells["cpu_seconds"] / self.scan["cpu_seconds"])


def measure(folder: Path, millions: float, months: int, memory: str) -> Measured:
    """Measure the first months of a log, which is written unless it is there already."""
    place = folder / f"log_{millions:g}"
    if not (place / f"study_{MONTHS}.yaml").exists():
        write_log(place, int(millions * 1e6))
    study = write_study(place, months)
    return Measured(months=months, scan=_worker("scan", study, memory), cells=_worker("cells", study, memory))


def _worker(mode: str, study: Path, memory: str) -> dict[str, Any]:
    program = [sys.executable, str(HERE / "log_to_panel_worker.py"), mode, str(study), memory]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{mode} of {study} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def table(found: Sequence[Measured], memory: str) -> str:
    """Write the results in Markdown."""
    head = ["months", "rows read", "scan", "cells", "times the scan", *STEPS, "seconds", "peak memory", "spilled"]
    words = (
        f"DuckDB's memory limit: {memory}. Seconds are CPU seconds, user and system, of all threads, but `seconds`, "
        "which passed on the clock. Steps are parts of `cells`."
    )
    lines = [
        words,
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---:|" * len(head),
    ]
    for m in found:
        steps = [f"{m.cells['steps'][step]:.1f}" for step in STEPS]
        row = [
            str(m.months),
            f"{m.cells['rows']:,}",
            f"{m.scan['cpu_seconds']:.2f}",
            f"{m.cells['cpu_seconds']:.1f}",
            f"{m.ratio:.1f}",
            *steps,
            f"{m.cells['seconds']:.0f}",
            f"{m.cells['peak_mb']:,.0f} MB",
            f"{m.cells['spilled_mb']:,.0f} MB",
        ]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what the command line asks for, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=20.0, help="rows of the log, in millions")
    parser.add_argument("--months", type=int, nargs="+", default=[MONTHS], help="how many of its months")
    parser.add_argument("--memory", default="1GB", help="limit of DuckDB")
    parser.add_argument("--folder", type=Path, help="where logs are written, and kept; else a temporary one")
    parser.add_argument("--out", type=Path, default=HERE / "log_to_panel.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        found = [measure(folder, given.millions, n, given.memory) for n in given.months]
    about = describe(Setting(peers=None, r=None, threads=os.cpu_count() or 1, size="full"))
    machine = "\n".join(f"- {name}: {value}" for name, value in about.items() if "threads" not in name)
    note = f"Wanted: {WANTED:g} times the scan.\n"
    text = f"# From a log to cells\n\n{table(found, given.memory)}\n{note}\n{machine}\n"
    given.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
