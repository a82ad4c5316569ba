"""Runs on disks that are too small; a part of scripts/faults.py."""

import random
import resource
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from fault_ground import Ground, run, survived
from fault_lines import DONE, NEW, OLD, REFUSED, ended, fork


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
        survived(found, ground, state, disk)
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
    survived(found, ground, ground.state(ground.out), ground.place)
