"""
Run one study under other circumstances, and compare every output with those of the first run, byte for byte.

    python scripts/same_bytes.py FOLDER [--scale small] [--sample]

The circumstances are threads, worker processes, the seed of Python's hashes, the locale, the time zone of the machine,
and whether sums and estimates are recalled. FOLDER takes the simulated inputs and the results; --sample takes the small
study of `tradelift init` in their place, estimated in processes, too.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from reliability import write_part

from tradelift.pipeline.difference import describe

TRADELIFT = str(Path(sys.executable).with_name("tradelift"))
IN_PROCESSES = """
import sys
from tradelift.pipeline import workers
workers.WORTHWHILE = 0
from tradelift import cli
sys.argv = ["tradelift", *sys.argv[1:]]
cli.main()
"""
CIRCUMSTANCES: dict[str, tuple[dict[str, str], bool]] = {
    "one thread and no processes": ({"TRADELIFT_THREADS": "1", "PYTHONHASHSEED": "0"}, True),
    "all threads and processes": ({"PYTHONHASHSEED": "1"}, True),
    "recalled from the run before": ({"PYTHONHASHSEED": "2"}, False),
    "another locale and time zone": (
        {"PYTHONHASHSEED": "3", "LC_ALL": "C", "TZ": "America/St_Johns", "TRADELIFT_THREADS": "2"},
        False,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", default="small")
    parser.add_argument("--sample", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    world = options.folder / "world"
    if not (world / "study.yaml").exists():
        made = ["init", world] if options.sample else ["simulate", world, "--scale", options.scale, "--quiet"]
        subprocess.run([TRADELIFT, *map(str, made)], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for number, (name, (environment, force)) in enumerate(CIRCUMSTANCES.items()):
        start = time.perf_counter()
        run(world / "study.yaml", options.folder / f"out{number}", environment, force=force, processes=options.sample)
        found[name] = (time.perf_counter() - start, options.folder / f"out{number}")
    text, same = table(found, "the sample study" if options.sample else f"the simulated world, scale `{options.scale}`")
    write_part("sample_bytes" if options.sample else "same_bytes", text)
    if not same:
        raise SystemExit(1)


def run(study: Path, out: Path, environment: dict[str, str], *, force: bool, processes: bool) -> None:
    start = [sys.executable, "-c", IN_PROCESSES] if processes else [TRADELIFT]
    command = [*start, "run", str(study), "--out", str(out), "--quiet", *(["--force"] if force else [])]
    subprocess.run(command, check=True, env=os.environ | environment, stdout=subprocess.DEVNULL)


def table(found: dict[str, tuple[float, Path]], what: str) -> tuple[str, bool]:
    """Outputs of each run beside those of the first."""
    lines = ["| circumstances | seconds | outputs | other bytes than in the first run |", "|---|---|---|---|"]
    first, same = None, True
    for name, (seconds, out) in found.items():
        outputs = json.loads((out / "manifest.json").read_text())["outputs"]
        first = first or (outputs, out)
        names = [n for n in sorted(outputs.keys() | first[0].keys()) if outputs.get(n) != first[0].get(n)]
        said = "none"
        if names:
            same = False
            both = names[0] in outputs and names[0] in first[0]
            how = describe(first[1] / names[0], out / names[0]) if both else "is in one of them"
            said = f"{len(names)}, as {names[0]}: {how}"
        lines.append(f"| {name} | {seconds:.0f} | {len(outputs)} | {said} |")
    return "\n".join([*lines, "", f"Runs of {what}."]), same


if __name__ == "__main__":
    main()
