"""
Memory of a whole run, workers included: the sum of proportional set sizes (PSS) of its tree of processes.

    python scripts/run_memory.py FOLDER [--scale paper] [--every 0.2]

PSS counts a page that n processes share as one n-th for each, so that the sum is what the run takes from the machine.
The process that the system is asked about waits for the answer, 10 to 20 ms a gigabyte: asked twice a second, that made
the run slower. Nothing that these processes allocate is shared (each was started anew), so that the sum is their
anonymous memory, which the system counts all along, and their part of what they share: the program's files, and the
panel. Only for the latter PSS is asked for, when it can have changed. FOLDER takes the simulated inputs and results.
Linux only.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from reliability import write_part

LIMIT_MB = 3_000
MOVED = 0.02  # of the mapped files: then what is shared is asked for anew
OLDEST_SECONDS = 5  # of an answer to that
FAMILY_SECONDS = 1  # so often it is looked which processes there are
TRADELIFT = str(Path(sys.executable).with_name("tradelift"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between samples")
    options = parser.parse_args()
    world, out = options.folder / "world", options.folder / "out"
    if not (world / "study.yaml").exists():
        subprocess.run([TRADELIFT, "simulate", world, "--scale", options.scale, "--quiet"], check=True)
    command = [TRADELIFT, "run", world / "study.yaml", "--out", out, "--force", "--quiet"]
    start = time.perf_counter()
    run = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    samples, memory = [], Memory(run.pid)
    while run.poll() is None:
        samples.append((time.perf_counter() - start, *memory.now()))
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


class Memory:
    """Memory of a tree of processes; it asks for as little as will do."""

    def __init__(self, root: int) -> None:
        self._root, self._pids, self._looked = root, [root], 0.0
        self._shared, self._asked, self._mapped, self._of = 0.0, 0.0, 0.0, ()
        self.questions = 0

    def now(self) -> tuple[float, int]:
        """Sum of PSS in MB, and how many processes there are."""
        time_now = time.perf_counter()
        if time_now - self._looked > FAMILY_SECONDS:
            self._pids, self._looked = tree(self._root), time_now
        found = {pid: of for pid in self._pids if (of := counted(pid)) is not None}
        mapped = sum(of["RssFile"] + of["RssShmem"] for of in found.values())
        moved = abs(mapped - self._mapped) > MOVED * self._mapped or tuple(found) != self._of
        if moved or time_now - self._asked > OLDEST_SECONDS:
            self._shared = sum(map(shared, found))
            self._asked, self._mapped, self._of = time_now, mapped, tuple(found)
            self.questions += 1
        return sum(of["RssAnon"] for of in found.values()) + self._shared, len(found)


def counted(pid: int) -> dict[str, float] | None:
    """Resident memory by kind in MB, as the system counts it all along; None where the process has ended."""
    found = fields(f"/proc/{pid}/status")
    return {name: found[name] for name in ("RssAnon", "RssFile", "RssShmem")} if "RssAnon" in found else None


def shared(pid: int) -> float:
    """Its part of files and of memory that others hold, too, in MB."""
    found = fields(f"/proc/{pid}/smaps_rollup")
    return found.get("Pss", 0.0) - found.get("Pss_Anon", 0.0)


def fields(path: str) -> dict[str, float]:
    """Amounts in kB that a file of the system lists by name, in MB; none where it is gone."""
    try:
        lines = [line.split() for line in Path(path).read_text().splitlines()]
    except OSError:
        return {}
    return {line[0].rstrip(":"): int(line[1]) * 1024 / 1e6 for line in lines if line[-1] == "kB"}


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
