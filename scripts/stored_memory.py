"""
Peak memory and time of estimates on a panel in its files, beside the same panel in memory, as the rows grow.

    python scripts/stored_memory.py FOLDER [--periods 20 60 200 600]

Each estimate runs in a process of its own. FOLDER takes the files (about 25 bytes a row) and is kept.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

EAST, WEST = 87, 110  # the paper's cities: 19,140 directed pairs
MB = 2**10  # ru_maxrss counts in kilobytes

DESIGNS = {
    "PPML, nothing moves": {},
    "PPML, a moving control": {"controls": ["log(distance_km)", "shock"]},
    "OLS, log of trade": {"outcome": "log(trade)"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--periods", type=int, nargs="+", default=[20, 60, 200, 600])
    parser.add_argument("--one", nargs=2, metavar=("WHERE", "DESIGN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.folder, *options.one)))
        return
    print("| rows | design | cells | seconds | peak MB | partner | std. error |")
    print("|---|---|---|---|---|---|---|")
    for periods in options.periods:
        folder = options.folder / f"{periods}"
        write(folder, periods)
        for design in DESIGNS:
            for where in ("files", "memory"):
                command = [sys.executable, __file__, str(folder), "--one", where, design]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                print(
                    f"| {periods * 2 * EAST * WEST:,} | {design} | {where} | {found['seconds']:.1f} | "
                    f"{found['peak']:.0f} | {found['partner']:.12f} | {found['error']:.10f} |",
                    flush=True,
                )


def write(folder: Path, periods: int) -> None:
    """One file a period, as a run leaves them; the flows of a period are all that is in memory."""
    if (folder / f"{periods - 1:04d}.parquet").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    ids, side, lon, lat = cities()
    i, j = np.nonzero(side[:, None] != side[None, :])
    own = partners_of(rng)
    partner = np.isin(np.minimum(i, j) * 1000 + np.maximum(i, j), own[0] * 1000 + own[1])
    apart = np.hypot(lon[i] - lon[j], lat[i] - lat[j])
    for t in range(periods):
        shock = rng.normal(size=len(i))
        sizes = rng.normal(size=(2, len(ids)))
        mean = np.exp(5 + sizes[0, i] + sizes[1, j] - 0.05 * apart + 0.1 * partner + 0.1 * shock)
        trade = rng.poisson(mean * rng.gamma(2.0, 0.5, len(i))).astype(float)
        columns = {"origin": ids[i], "destination": ids[j], "period": np.full(len(i), f"{t:04d}")}
        table = pa.table({**columns, "trade": trade, "shock": shock})
        pq.write_table(table, folder / f"{t:04d}.parquet", compression="zstd")


def cities() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    ids = np.array([f"e{n:03d}" for n in range(EAST)] + [f"w{n:03d}" for n in range(WEST)])
    side = np.repeat([0, 1], [EAST, WEST])
    lon = np.where(side == 0, rng.uniform(113, 122, len(ids)), rng.uniform(97, 108, len(ids)))
    return ids, side, lon, rng.uniform(23, 40, len(ids))


def partners_of(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """128 partnerships between half of the eastern and most of the western cities."""
    chosen = rng.choice(44 * 88, 128, replace=False)
    return chosen // 88, EAST + chosen % 88


def measure(folder: Path, where: str, design: str) -> dict[str, float]:
    import tradelift as tl

    ids, side, lon, lat = cities()
    first, second = partners_of(np.random.default_rng(1))
    sides = np.array(["east", "west"])[side]
    given = {
        "regions": pa.table({"region": ids, "side": sides, "longitude": lon, "latitude": lat}),
        "partners": pa.table({"east": ids[first], "west": ids[second]}),
    }
    gravity = tl.Gravity(**DESIGNS[design])
    start = time.perf_counter()
    if where == "files":
        panel = tl.Panel.from_parquet(folder, **given)
    else:
        panel = tl.Panel.from_frame(pq.read_table(folder), **given)
    estimate = gravity.estimate(panel)
    return {
        "seconds": time.perf_counter() - start,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB,
        "partner": estimate.coefficients[0],
        "error": estimate.std_errors[0],
    }


if __name__ == "__main__":
    main()
