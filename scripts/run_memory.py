"""
Memory of a whole run, workers included: the sum of proportional set sizes (PSS) of its tree of processes.

    python scripts/run_memory.py FOLDER [--scale paper] [--every 0.5]

PSS counts a page that n processes share as one n-th for each, so that the sum is what the run takes from the machine.
FOLDER takes the simulated inputs and the results. Linux only.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from reliability import write_part

LIMIT_MB = 3_000
TRADELIFT = str(Path(sys.executable).with_name("tradelift"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between samples")
    options = parser.parse_args()
    world, out = options.folder / "world", options.folder / "out"
    if not (world / "study.yaml").exists():
        subprocess.run([TRADELIFT, "simulate", world, "--scale", options.scale, "--quiet"], check=True)
    command = [TRADELIFT, "run", world / "study.yaml", "--out", out, "--force", "--quiet"]
    start = time.perf_counter()
    run = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    samples = []
    while run.poll() is None:
        samples.append((time.perf_counter() - start, *memory_of(tree(run.pid))))
        time.sleep(options.every)
    seconds = time.perf_counter() - start
    if run.returncode:
        raise SystemExit(run.returncode)
    manifest = json.loads((out / "manifest.json").read_text())
    write_part("memory", table(options.scale, samples, manifest["stages"], seconds))


def tree(root: int) -> list[int]:
    """A process and all below it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it has ended since
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def memory_of(pids: list[int]) -> tuple[float, int]:
    """Sum of PSS in MB, and how many processes there were."""
    total, alive = 0, 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        alive += 1
    return total * 1024 / 1e6, alive


def table(scale: str, samples: list[tuple[float, float, int]], stages: dict, seconds: float) -> str:
    """The peak of each stage and of the run; what is before the first stage is the start of Python."""
    lines = ["| stage | seconds | most processes | peak of the sum of PSS, MB |", "|---|---|---|---|"]
    begin = seconds - sum(stage["seconds"] for stage in stages.values())
    for name, stage in stages.items():
        inside = [s for s in samples if begin <= s[0] < begin + stage["seconds"]]
        begin += stage["seconds"]
        if inside:
            peak = max(s[1] for s in inside)
            lines.append(f"| {name} | {stage['seconds']:.1f} | {max(s[2] for s in inside)} | {peak:,.0f} |")
    peak = max(s[1] for s in samples)
    lines.append(f"| whole run | {seconds:.1f} | {max(s[2] for s in samples)} | **{peak:,.0f}** |")
    kept = "kept" if peak <= LIMIT_MB else "BROKEN"
    lines += ["", f"{len(samples)} samples of a run at scale `{scale}`. The limit is {LIMIT_MB:,} MB: {kept}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
