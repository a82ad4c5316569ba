"""Two studies whose runs are broken on purpose, and what each must give; a part of scripts/faults.py."""

import contextlib
import importlib
import os
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fault_lines import DONE, MIXTURE, NEW, NONE, OLD, REFUSED, ended, fork

import tradelift as tl
from tradelift.errors import DataError
from tradelift.pipeline.manifest import hashes
from tradelift.study import write_template

ONLY = ("partners", "gravity")


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


def survived(found: Counter, ground: Ground, state: str, place: Path) -> None:
    """Count a fault and what it left, and run again after each so many-th."""
    found["injected"] += 1
    found[state] += 1
    if found["injected"] % ground.rerun == 0:
        found["reruns"] += 1
        found["finished"] += ground.finishes(place)
