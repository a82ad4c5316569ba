"""
Measure tradelift beside the packages that estimate the same, in turn, in one run.

    python benchmarks/run.py                        everything; writes benchmarks/results.csv and results.md
    python benchmarks/run.py --only ols three-way   some rows; prints, and writes nothing unless --out says where
    python benchmarks/run.py --rows small           small panels, in seconds: shows that everything works

The other packages are looked for in the environment that `make bench` makes; without it tradelift runs alone.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from machine import describe
from panels import write_panel
from processes import Measured, Setting, find_fixest, measure
from tables import write_csv, write_report
from work import WORKS, Shape, Work, shrink

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-bench" / "bin" / "python"


def main() -> int:
    """Measure, and write or print what was found."""
    arguments = _read_arguments()
    peers = arguments.peers if arguments.peers is not None and arguments.peers.exists() else None
    setting = Setting(peers=peers, r=find_fixest(), threads=arguments.threads, size=arguments.rows)
    works = [w if arguments.rows == "full" else shrink(w) for w in WORKS if w.name in arguments.only]
    machine = describe(setting)
    started = time.perf_counter()
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for work in works:
            measured += _measure(work, arguments.tools, arguments.repeats, setting, Path(folder))
    machine["time of the run"] = f"{(time.perf_counter() - started) / 60:.0f} minutes"
    whole = arguments.rows == "full" and len(works) == len(WORKS) and arguments.tools is None
    out = arguments.out or (HERE if whole else None)
    if out is None:
        write_report(sys.stdout, works, measured, machine, setting)
        return 0
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "results.csv", works, measured)
    with (out / "results.md").open("w", encoding="utf-8") as file:
        write_report(file, works, measured, machine, setting)
    return 0


def _measure(work: Work, chosen: list[str] | None, repeats: int, setting: Setting, folder: Path) -> list[Measured]:
    tools = [tool for tool in work.tools if setting.has(tool) and (chosen is None or tool in chosen)]
    if work.draws and "fixest" in tools:
        tools.remove("fixest")
    if work.reference == "reference" and setting.has("reference") and (chosen is None or "reference" in chosen):
        tools.append("reference")
    panel, warm = (_panel(shape, folder) for shape in (work.shape, work.warm))
    print(f"{work.title}: {', '.join(tools)}", file=sys.stderr)
    found = measure(work, tools, repeats, setting, panel, warm)
    for one in found:
        print(f"  {one.tool}: {one.failure or ' '.join(f'{s:.3f}' for s in one.seconds)}", file=sys.stderr)
    return found


def _panel(shape: Shape, folder: Path) -> Path:
    """Write a panel unless it is there from another work."""
    path = folder / f"{shape.months}-{shape.categories}-{shape.missing}-{shape.moving}-{shape.staggered}"
    if not path.exists():
        write_panel(shape, path)
    return path


def _read_arguments() -> argparse.Namespace:
    names = [w.name for w in WORKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", choices=("full", "small"), default="full", help="size of the panels")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--tools", nargs="+", help="some packages only; their digits are not compared then")
    parser.add_argument("--repeats", type=int, default=7, help="of each package, in turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for each package")
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python with the other packages")
    parser.add_argument("--out", type=Path, help="folder for results.csv and results.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
