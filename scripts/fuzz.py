"""
Give the readers of tradelift what users may give them, many times: nothing is to be lost, nobody to see a traceback.

    python scripts/fuzz.py [--examples 2400] [--only WORD]

Targets and their oracles stand in tests/fuzz/: study files, CSV and Parquet files, partner lists, region tables, logs,
frames, and names of files. An example is either accepted, and then its rows (and where it has money, its money) are
accounted for, or refused with a message. Logs start an engine each, and get an eighth of the examples.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from reliability import write_part

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.fuzz import TARGETS
from tests.fuzz.outcome import Target, tried

SLOW = "logs"  # each of them starts an engine


def run(target: Target, examples: int, number: int) -> tuple[Counter, list[str]]:
    """Tallies of a target, and what went wrong."""
    tally: Counter = Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:

        @seed(number)
        @settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(target.examples)
        def attempt(example: object) -> None:
            try:
                tried(target, example, Path(folder), tally)
            except Exception as error:  # noqa: BLE001 - any of them is what is looked for
                failures.append(f"{type(error).__name__}: {error}")

        attempt()
    return tally, failures


def table(found: list[tuple[Target, Counter, list[str]]]) -> str:
    lines = [
        "| target | examples | accepted | refused with a message | rows read | kept | excluded | failures |",
        "|---|---|---|---|---|---|---|---|",
    ]
    total: Counter = Counter()
    for target, tally, failures in found:
        total += tally
        total["failures"] += len(failures)
        columns = [tally[name] for name in ("examples", "accepted", "refused", "rows", "kept", "excluded")]
        lines.append(f"| {target.name} | {' | '.join(f'{n:,}' for n in columns)} | {len(failures)} |")
    all_of_them = (
        f"**{total['examples']:,} examples, {total['failures']} failures** (lost rows, lost money, tracebacks)."
    )
    money = f"Of the logs, {total['minor units']:,} minor units were read; all stand in cells or under a reason."
    lines += ["", f"{all_of_them} {money}"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets whose name holds this; nothing is written to the page")
    options = parser.parse_args()
    found = []
    for target in TARGETS:
        if options.only not in target.name:
            continue
        begin = time.process_time()
        few = options.examples // 8 if target.name.startswith(SLOW) else options.examples
        found.append((target, *run(target, max(few, 1), options.seed)))
        print(f"{target.name}: {time.process_time() - begin:.0f} s", *found[-1][2][:5], sep="\n  ", file=sys.stderr)
    if options.only:
        print(table(found))
    else:
        write_part("fuzz", table(found))
    if any(failures for *_, failures in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
