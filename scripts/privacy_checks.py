"""
Compare disclosure control with rules applied by hand, and search what commands leave for raw ids, many times.

    python scripts/privacy_checks.py [--logs 120] [--kills 30] [--short]

Oracle and search are those of the tests. Random logs are summed, and what may leave of each cell, and of random sums of
cells, is compared with the rules as they are taken by hand to the transactions behind it, in exact arithmetic. Then a
study on a log with recognizable ids is run, exported, packaged, spoilt and killed at random moments with little memory,
and every byte of what is left is searched, also inside of Parquet, Arrow, zip and zlib.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from reliability import write_part

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import test_privacy as search
from tests.log.logs import plain_log, read
from tests.log.test_disclosure import RULES, _judged, by_hand, covariates, random_rows
from tests.log.test_disclosure_sums import together

from tradelift.log.disclosure import disclose
from tradelift.log.disclosure_sums import contributions, telling_sums

GROUPS = 60  # random sums of each log, under each set of rules
KILL_SECONDS = 1.2


def judged(logs: int, seed: int) -> Counter:
    """Cells and sums that are judged as by hand, and otherwise."""
    found: Counter = Counter()
    rng = np.random.default_rng(seed)
    for number in range(logs):
        rows = random_rows(1000 * seed + number, n=int(rng.integers(100, 2000)))
        rules = RULES[number % len(RULES)]
        with tempfile.TemporaryDirectory() as folder:
            pq.write_table(plain_log(rows), Path(folder) / "log.parquet")
            how = {"share": rules.share, "rounding": rules.rounding}
            cells = read(Path(folder), concentration=how).cells
        out, _ = disclose(cells, rules, covariates(cells))
        keys = ("origin", "destination", "period")
        expected = by_hand(rows, rules)
        for row in out.to_pylist():
            found["cells"] += 1
            found["masked"] += row["masked"] == "cell"
            found["otherwise"] += row["masked"] != expected[tuple(row[k] for k in keys)]
        names = list(zip(cells["origin"].to_pylist(), cells["destination"].to_pylist(), strict=True))
        known = contributions(cells)
        for _ in range(GROUPS):
            group = rng.integers(-1, 2, len(names))
            places = {name for name, own in zip(names, group, strict=True) if own == 0}
            if not places:
                continue
            tells = bool(telling_sums(known, group, 2, rules)[0])
            is_dangerous = _judged(together(rows, places), rules) == "cell"
            found["sums"] += 1
            found["dangerous"] += is_dangerous
            found["dangerous and out"] += is_dangerous and not tells
            found["safe and in"] += tells and not is_dangerous
    return found


def disclosure_table(found: Counter, logs: int) -> str:
    c = {name: f"{number:,}" for name, number in found.items()}
    zero = "0"
    cells = ("cells, and ratios in them", c["cells"], c["masked"], f"{found['otherwise']} judged otherwise", zero)
    sums = ("sums of cells", c["sums"], c["dangerous"], str(found["dangerous and out"]), c.get("safe and in", zero))
    return "\n".join([
        "| judged | number | may not leave, by hand | left all the same | withheld though safe by hand |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in (cells, sums)),
        "",
        f"{logs} random logs, {len(RULES)} sets of rules. Sums are judged by bounds, so some that are safe stay in.",
    ])  # fmt: skip


def searched(kills: int, seed: int) -> Counter:
    """What was found in all that commands leave, after success, mistakes and kills."""
    found: Counter = Counter()
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        house = search.lay_out(Path(folder))
        (Path(folder) / "packed").mkdir()
        packed = search.pack(house, Path(folder) / "packed")
        found["forms"], found["recognized"] = len(packed), sum(bool(search.found_in(path)) for path in packed)
        for path in packed:
            path.unlink()
        for command, status in commands():
            search.call(house, *command, status=status)
            found["commands"] += 1
        log = house / "mine" / "transactions.parquet"
        whole = log.read_bytes()
        for column, ids in (("amount", "seller_id"), ("paid_at", "order_id"), ("status", "seller_id")):
            log.write_bytes(whole)
            search.ids_as_amounts(house, column, ids)
            search.call(house, "run", "mine/study.yaml", "--out", "out", status=2)
            found["commands"] += 1
        log.write_bytes(whole)
        _search(house, found)
    for _ in range(kills):
        with tempfile.TemporaryDirectory() as folder:
            house = search.lay_out(Path(folder))
            search.enlarge(house, 5)
            search.kill_in_the_log(house, rng.uniform(0, KILL_SECONDS), limit="200MB")
            found["kills"] += 1
            _search(house, found)
    return found


def commands() -> list[tuple[list[str], int]]:
    """Each command of the program that reads the log or what a run left, with its status."""
    study = "mine/study.yaml"
    return [
        (["check", study, "--json", "--verbose"], 0),
        (["run", study, "--out", "out", "--only", "gravity", "--only", "summary", "--verbose"], 0),
        (["run", study, "--out", "out", "--check"], 0),
        (["panel", study, "--out", "panel"], 0),
        (["export", "out", "--to", "panel.csv"], 0),
        (["export", "out", "--to", "panel.parquet", "--public"], 0),
        (["package", "out", "--to", "package.zip"], 0),
        (["package", "out", "--to", "public.zip", "--public"], 0),
    ]


def _search(house: Path, found: Counter) -> None:
    for path in search.left(house):
        found["files"] += 1
        found["bytes"] += path.stat().st_size
        found["ids"] += len(search.found_in(path))


def ids_table(found: Counter) -> str:
    after = f"{found['commands']} commands, {found['kills']} kills"
    row = (after, f"{found['files']:,}", f"{found['bytes']:,}", f"**{found['ids']}**")
    forms = f"{found['recognized']} of {found['forms']} forms"
    return "\n".join([
        "| after | files searched | bytes | ids found |",
        "|---|---|---|---|",
        f"| {' | '.join(row)} |",
        "",
        f"The search recognizes ids in {forms} in which they were packed for it.",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=120)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="print, and leave the page as it is")
    options = parser.parse_args()
    one, two = judged(options.logs, options.seed), searched(options.kills, options.seed)
    for name, text in (("disclosure", disclosure_table(one, options.logs)), ("ids", ids_table(two))):
        if options.short:
            print(text)
        else:
            write_part(name, text)
    if one["otherwise"] or one["dangerous and out"] or two["ids"] or two["recognized"] < two["forms"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
