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
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from fault_disks import full_disks
from fault_ground import ONLY, Ground, run, survived
from fault_lines import DONE, NEW, OLD, REFUSED, at_lines, ended, fork
from reliability import write_part
from run_memory import tree

import tradelift as tl
from tradelift.pipeline import workers

EVENTS = frozenset({
    "open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "shutil.rmtree", "shutil.move",
})  # fmt: skip
WORKER_SECONDS = 3.0  # from its start a worker imports, works and waits for so long, or longer
PATIENCE = 60


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
        survived(found, ground, ground.state(ground.out), ground.place)
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
            survived(found, ground, ground.state(ground.out), ground.place)
    return found


def _seconds(ground: Ground, *, kept: bool) -> float:
    """How long a run takes."""
    ground.lay_out(kept=kept)
    start = time.perf_counter()
    assert ended(fork(lambda: run(ground.new, ground.out))) == DONE
    return time.perf_counter() - start


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
        survived(found, ground, ground.state(ground.out), ground.place)
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
        survived(found, ground, ground.state(ground.out), ground.place)
    return found


def rows(ground: Ground, trials: int, seed: int, step: int = 1) -> Iterator[tuple[str, str, Counter]]:
    """Every fault: its name, what a refusal or survival means, and what was counted."""
    rng = random.Random(seed)
    some = max(trials // 10, 1)
    yield "SIGKILL before each line of code that puts results in their place", "", at_lines(ground.folder)
    yield "SIGKILL before each operation on files", "", at_operations(ground, step)
    yield "SIGKILL at a random moment", "", at_moments(ground, trials, rng)
    name, found = full_disks(ground, some, rng)
    yield name, "refused with a message", found
    yield "a worker process is killed", "run finished all the same", lost_workers(ground, some, rng)
    yield "two runs at once", "one refused, one finished", two_at_once(ground, some, rng)


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
        found = []
        for row in rows(Ground(Path(folder), options.rerun), options.trials, options.seed, options.step):
            found.append(row)
            print(row[0], dict(row[2]), file=sys.stderr, flush=True)
    if options.short:
        print(table(found))
    else:
        write_part("faults", table(found))
    if any(c["injected"] != c[OLD] + c[NEW] or c["finished"] < c["reruns"] for _, _, c in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
