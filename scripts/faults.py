"""
Break runs on purpose, and see that results are old or new and never a mixture, and that a rerun finishes.

    python scripts/faults.py [--trials 250] [--step 1] [--rerun 1] [--folder DIR] [--short]

A study with a log is run in forked processes over the finished results of an earlier log. They are killed with SIGKILL
before each of their operations on files (renames, removals, links, files that are opened, folders that are made), and
at moments drawn at random, every other one of them with nothing kept from earlier runs; a tenth as many runs meet a
full disk (a small tmpfs where this process may mount one, else a limit on the size of files), lose a worker process, or
start twice at once. After each, the results are hashed, file by file, and the study is run again. Linux only.
"""

import argparse
import contextlib
import importlib
import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fault_lines import DONE, MIXTURE, NEW, NONE, OLD, REFUSED, at_lines, ended, fork
from reliability import write_part
from run_memory import tree

import tradelift as tl
from tradelift.errors import DataError
from tradelift.pipeline import workers
from tradelift.pipeline.manifest import hashes
from tradelift.study import write_template

ONLY = ("partners", "gravity")
EVENTS = frozenset({
    "open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "shutil.rmtree", "shutil.move",
})  # fmt: skip


WORKER_SECONDS = 3.0  # from its start a worker imports, works and waits for so long, or longer
PATIENCE = 60


class Ground:
    """Two studies that differ in their logs, and what each run of them gives."""

    def __init__(self, folder: Path, rerun: int) -> None:
        self.folder, self.rerun = folder, rerun
        self.old, self.new = folder / "old" / "study.yaml", folder / "new" / "study.yaml"
        for study in (self.old, self.new):
            write_template(study.parent)
        shorten(self.old, months=1)
        shorten(self.new, months=2)
        preload(lambda: run(self.old, folder / "first"))
        self.finished, self.contents = {}, {}
        for name, study in ((OLD, self.old), (NEW, self.new)):
            self.finished[name] = folder / f"finished_{name}"
            child = fork(lambda study=study, name=name: run(study, self.finished[name]))
            assert ended(child) == DONE
            self.contents[name] = content(self.finished[name])
        self.place = folder / "place"

    @property
    def out(self) -> Path:
        return self.place / "out"

    def lay_out(self, place: Path | None = None, *, kept: bool = True) -> None:
        """An empty place, but for the old results; beside the study what runs have kept, or nothing."""
        if not kept:
            shutil.rmtree(self.new.parent / ".tradelift", ignore_errors=True)
        if place is None:
            shutil.rmtree(self.place, ignore_errors=True)
            place = self.place
        place.mkdir(exist_ok=True)
        shutil.copytree(self.finished[OLD], place / "out")

    def state(self, out: Path) -> str:
        """Which results a folder holds, by the bytes of all of its files."""
        if not out.exists():
            return NONE
        found = content(out)
        return next((name for name, expected in self.contents.items() if found == expected), MIXTURE)

    def finishes(self, place: Path) -> bool:
        """Whether a rerun gives the new results and leaves nothing else behind."""
        if ended(fork(lambda: run(self.new, place / "out"))) != DONE:
            return False
        left = {path.name for path in place.iterdir()}
        return self.state(place / "out") == NEW and left == {"out", ".out.lock"}


def preload(work: Callable[[], object]) -> None:
    """Import what work imports, which is done in a child, for threads do not outlive a fork: no other child has to."""
    reading, writing = os.pipe()

    def told() -> int:
        work()
        os.write(writing, "\n".join(sys.modules).encode())
        os.close(writing)
        return DONE

    child = fork(told)
    os.close(writing)
    with os.fdopen(reading) as names:
        found = names.read().split("\n")
    assert ended(child) == DONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in found:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def shorten(study: Path, months: int) -> None:
    """Keep the first months of a log: a run is short, and has all of its steps."""
    log = study.parent / "transactions.csv"
    header, *lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([header, *(line for line in lines if int(line[5:7]) <= months)]))
    text = study.read_text().replace("to: 2017-06", f"to: 2017-{months:02d}")
    outcomes = "outcomes: [trade, deals, seller_concentration, buyer_concentration]"
    assert outcomes in text
    study.write_text(text.replace(outcomes, "outcomes: [trade]"))


def content(out: Path) -> dict[str, str]:
    """Hash of every file but the manifest, which tells the time."""
    files = sorted(p for p in out.rglob("*") if p.is_file() and p.name != "manifest.json")
    return hashes(files, out) | {"manifest.json": str((out / "manifest.json").is_file())}


def run(study: Path, out: Path) -> int:
    """Run a study; the status is that of the command line."""
    try:
        tl.run(tl.read_study(study), out, only=ONLY)
    except DataError as error:
        (out.parent.parent / "message").write_text(str(error))
        return REFUSED
    return DONE


def count_operations(act: Callable[[int], None]) -> None:
    """Call a function before each operation on files of this process, with its number."""
    number = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal number
        if event not in EVENTS or (event == "open" and not _writes(arguments)):
            return
        number += 1
        act(number)

    sys.addaudithook(hook)


def _writes(arguments: tuple) -> bool:
    """Whether a file is opened to be written."""
    _, mode, flags = arguments
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if mode is None else mode.strip("bt") != "r"


def at_operations(ground: Ground, step: int = 1) -> Counter:
    """Kill a run before each operation on files, or each `step`-th, until one ends without being killed."""
    found: Counter = Counter()
    for number in itertools.count(1, step):

        def work(number: int = number) -> int:
            count_operations(lambda n: os.kill(os.getpid(), signal.SIGKILL) if n == number else None)
            return run(ground.new, ground.out)

        ground.lay_out()
        if ended(fork(work)) == DONE:
            break
        _count(found, ground, ground.state(ground.out), ground.place)
    return found


def at_moments(ground: Ground, trials: int, rng: random.Random) -> Counter:
    """Kill runs at random moments of the time that a run takes; every other one begins with nothing kept."""
    found: Counter = Counter()
    seconds = {kept: _seconds(ground, kept=kept) for kept in (True, False)}
    while found["injected"] < trials:
        kept = found["injected"] % 2 == 0
        ground.lay_out(kept=kept)
        child = fork(lambda: run(ground.new, ground.out))
        time.sleep(rng.uniform(0, seconds[kept]))
        os.kill(child, signal.SIGKILL)
        if ended(child) != DONE:
            _count(found, ground, ground.state(ground.out), ground.place)
    return found


def _seconds(ground: Ground, *, kept: bool) -> float:
    """How long a run takes."""
    ground.lay_out(kept=kept)
    start = time.perf_counter()
    assert ended(fork(lambda: run(ground.new, ground.out))) == DONE
    return time.perf_counter() - start


def full_disks(ground: Ground, trials: int, rng: random.Random) -> tuple[str, Counter]:
    """Run where so much is free that the first file does not fit, up to that all but the last do."""
    found: Counter = Counter()
    disk = ground.folder / "disk"
    disk.mkdir(exist_ok=True)
    needed = sum(p.stat().st_size for p in ground.finished[NEW].rglob("*") if p.is_file())
    can_mount = mount(disk, 10 * needed)
    if can_mount:
        subprocess.run(["umount", disk], check=True)
    for number in range(trials):
        share = 0.9 * (number + rng.random()) / trials
        if can_mount:
            _on_small_disk(ground, disk, needed, share, found)
        else:
            _under_limit(ground, share, found)
    return "full disk (tmpfs of another size each time)" if can_mount else "files that may not grow", found


def mount(disk: Path, size: int, *more: str) -> bool:
    """Whether a disk of a size could be mounted."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *more]), "tmpfs", str(disk)]
    return (
        shutil.which("mount") is not None and not subprocess.run(command, check=False, capture_output=True).returncode
    )


def _on_small_disk(ground: Ground, disk: Path, needed: int, share: float, found: Counter) -> None:
    """Run on a disk that has room for the results and a share of others, and again when it has been enlarged."""
    blocks = sum(-(-p.stat().st_size // 4096) for p in ground.finished[OLD].rglob("*") if p.is_file())
    assert mount(disk, 4096 * blocks + int(share * needed))
    try:
        ground.lay_out(disk)
        status = ended(fork(lambda: run(ground.new, disk / "out")))
        if status == DONE:
            return
        found["refused"] += status == REFUSED and "full" in (ground.folder / "message").read_text()
        state = ground.state(disk / "out")
        assert mount(disk, 10 * needed, "remount")
        _count(found, ground, state, disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def _under_limit(ground: Ground, share: float, found: Counter) -> None:
    """Run in a process whose files may only grow so far."""
    largest = max(p.stat().st_size for p in ground.finished[NEW].rglob("*") if p.is_file())

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * largest),) * 2)
        return run(ground.new, ground.out)

    ground.lay_out()
    status = ended(fork(work))
    if status == DONE:
        return
    found["refused"] += status == REFUSED
    _count(found, ground, ground.state(ground.out), ground.place)


def lost_workers(ground: Ground, trials: int, rng: random.Random) -> Counter:
    """Kill a worker process of a run at a random moment after it has started."""
    found: Counter = Counter()
    missed = 0  # runs that ended before the kill came
    while found["injected"] < trials and missed < PATIENCE:
        ground.lay_out()

        def work() -> int:
            workers.WORTHWHILE = 0  # processes for a small study, too
            tl.run(tl.read_study(ground.new), ground.out, only=ONLY, force=True)
            return DONE

        child = fork(work)
        if not _kill_a_worker(child, rng.uniform(0, WORKER_SECONDS)):
            assert ended(child) == DONE
            missed += 1
            continue
        found["refused"] += ended(child) == DONE
        _count(found, ground, ground.state(ground.out), ground.place)
    return found


def _kill_a_worker(run: int, after: float) -> bool:
    """Wait for a worker of a run, and kill it some seconds later, if it is still there."""
    while os.waitid(os.P_PID, run, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        for pid in tree(run)[1:]:
            with contextlib.suppress(OSError):
                if _is_worker(pid):
                    time.sleep(after)
                    if not _is_worker(pid):
                        return False
                    os.kill(pid, signal.SIGKILL)
                    return True
        time.sleep(0.01)
    return False


def _is_worker(pid: int) -> bool:
    return b"loky.backend.popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes()


def two_at_once(ground: Ground, trials: int, rng: random.Random) -> Counter:
    """Start two runs on one folder: one may be refused, and what is there is whole."""
    found: Counter = Counter()
    for _ in range(trials):
        ground.lay_out()
        one = fork(lambda: run(ground.new, ground.out))
        time.sleep(rng.uniform(0, 0.05))
        other = fork(lambda: run(ground.new, ground.out))
        statuses = sorted((ended(one), ended(other)))
        found["refused"] += statuses == [DONE, REFUSED]
        _count(found, ground, ground.state(ground.out), ground.place)
    return found


def _count(found: Counter, ground: Ground, state: str, place: Path) -> None:
    found["injected"] += 1
    found[state] += 1
    if found["injected"] % ground.rerun == 0:
        found["reruns"] += 1
        found["finished"] += ground.finishes(place)


def rows(ground: Ground, trials: int, seed: int, step: int = 1) -> list[tuple[str, str, Counter]]:
    """Every fault: its name, what a refusal or survival means, and what was counted."""
    rng = random.Random(seed)
    some = max(trials // 10, 1)
    out = [
        ("SIGKILL before each line of code that puts results in their place", "", at_lines(ground.folder)),
        ("SIGKILL before each operation on files", "", at_operations(ground, step)),
        ("SIGKILL at a random moment", "", at_moments(ground, trials, rng)),
    ]
    name, found = full_disks(ground, some, rng)
    out.append((name, "refused with a message", found))
    out.append(("a worker process is killed", "run finished all the same", lost_workers(ground, some, rng)))
    out.append(("two runs at once", "one refused, one finished", two_at_once(ground, some, rng)))
    return out


def table(found: list[tuple[str, str, Counter]]) -> str:
    lines = [
        "| fault | injected | old results | new results | neither, mixture | reruns | of them same bytes | beside |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, meaning, c in found:
        beside = f"{c['refused']} {meaning}" if meaning else ""
        lost = c["injected"] - c[OLD] - c[NEW]
        numbers = (c["injected"], c[OLD], c[NEW], lost, c["reruns"], c["finished"])
        lines.append(f"| {name} | {' | '.join(map(str, numbers))} | {beside} |")
    total = sum(c["injected"] for _, _, c in found)
    survived = sum(c[OLD] + c[NEW] for _, _, c in found)
    return "\n".join([*lines, "", f"**{total} faults injected, {survived} survived.**"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1, help="kill before each so many-th operation on files")
    parser.add_argument("--rerun", type=int, default=1, help="run again after each so many-th fault")
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    parser.add_argument("--short", action="store_true", help="print, and leave the page as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = rows(Ground(Path(folder), options.rerun), options.trials, options.seed, options.step)
    if options.short:
        print(table(found))
    else:
        write_part("faults", table(found))
    if any(c["injected"] != c[OLD] + c[NEW] or c["finished"] < c["reruns"] for _, _, c in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
