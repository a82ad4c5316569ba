"""
The numbers of a study's report against what is true in 200 simulated worlds.

Each world is drawn as a panel (`tradelift.worlds.draw_panel`): 87 x 110 cities, 128 partners, both directions, November
2019 to January 2020 with the break in it, categories, traits, migration, search and flights, and no affinity that
would lead gravity astray. What the sections of the report plan is estimated as the report does it, with its
designs, families and errors, and each number is put beside its truth (`study_truths_lines.py`).

    python scripts/study_truths.py [--worlds 200] [--processes 1] [--parts FOLDER]

writes study_truths.csv (one row a number) and study_truths.md (what they say) to --out, by default docs/simulations.
A world that is in --parts is not drawn again. It takes about 6 s a world and core.
"""

import argparse
import csv
import hashlib
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from interval_coverage import write_rows
from study_truths_lines import Found, found_in
from study_truths_report import Summary, report, summarize

from tradelift.threads import one_blas_thread
from tradelift.worlds.panels import REDUCED, draw_panel

N_WORLDS = 200  # seeds 0 to 199
WINTER = replace(REDUCED, start=(2019, 11), months=3)
DIGITS = 10


def world(seed: int) -> list[Found]:
    """Every number of one world."""
    with one_blas_thread():  # the matrices are small: threads only wait for each other
        return list(found_in(draw_panel(WINTER, seed=seed)))


def read_or_draw(seed: int, parts: Path) -> tuple[list[Found], float]:
    """The numbers of a world, from its file if it was drawn before, and the seconds that it took (0 if so)."""
    path, began = parts / f"{seed}.csv", time.process_time()
    drawn = not path.exists()
    if drawn:
        write_rows(path.with_suffix(".new"), Found, world(seed), digits=DIGITS)
        path.with_suffix(".new").replace(path)
    return read(path, Found), time.process_time() - began if drawn else 0.0


def read(path: Path, kind: type[Any]) -> list[Any]:
    """Read frozen records from a CSV file."""
    kinds: dict[str, Any] = {f.name: f.type for f in fields(kind)} | {"holds": lambda text: text == "True"}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            kind(**{name: kinds.get(name, str)(value) for name, value in row.items()}) for row in csv.DictReader(file)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=N_WORLDS)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--parts", type=Path, default=_own_folder())
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    arguments.parts.mkdir(parents=True, exist_ok=True)
    found: list[Found] = []
    spent: list[float] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        seeds = range(arguments.worlds)
        for own, seconds in pool.map(read_or_draw, seeds, [arguments.parts] * len(seeds)):
            found += own
            spent += [seconds] if seconds else []
            if own[0].seed % 10 == 9:
                print(f"{own[0].seed + 1} worlds", file=sys.stderr, flush=True)
    if spent:
        print(f"{sum(spent) / len(spent):.1f} s of CPU a world, {len(found) // len(seeds)} numbers", file=sys.stderr)
    summaries = summarize(found)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_rows(arguments.out / "study_truths.csv", Summary, summaries, digits=DIGITS)
    (arguments.out / "study_truths.md").write_text(report(summaries), encoding="utf-8", newline="\n")
    if broken := [s for s in summaries if not s.holds]:
        sys.exit("\n".join(f"{s.section}: {s.what}, {s.design}, {s.estimator}, {s.direction}" for s in broken))


def _own_folder() -> Path:
    folder = Path(__file__).parent
    content = b"".join((folder / name).read_bytes() for name in ("study_truths.py", "study_truths_lines.py"))
    return Path(tempfile.gettempdir()) / f"tradelift-truths-{hashlib.sha256(content).hexdigest()[:12]}"


if __name__ == "__main__":
    main()
