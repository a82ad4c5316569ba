"""
Spatial RD and gravity where partners were chosen by an affinity that the data do not show, and what residuals tell.

Each draw is a world of `tradelift.worlds.affinity_panels`: 87 x 110 cities, 128 partners, an effect of .10. The
affinity is smooth over 500 km, over 250 km, or there is none; partners were picked by it or at random.

    python scripts/spatial_rd_coverage.py [--draws 500] [--worlds "500 km, selected" ...] [--processes 1]

writes spatial_rd.csv (one row a world and design), spatial_rd_warning.csv (one row a world) and spatial_rd.md (what
they say) to --out, by default docs/simulations.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from spatial_rd_report import Found, Residuals, Summary, Warned, failures, judge, report, summarize
from threadpoolctl import threadpool_limits

import tradelift as tl
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

N_DRAWS = 500  # seeds 0 to 499
BANDWIDTH_KM = 150.0  # of the default, which the warning judges
OUTCOME = "log(trade)"

WORLDS = {
    "500 km, selected": AffinityWorld(),
    "500 km, at random": AffinityWorld(selection=0.0),
    "250 km, selected": AffinityWorld(length_km=250.0),
    "250 km, at random": AffinityWorld(length_km=250.0, selection=0.0),
    "none, selected": AffinityWorld(spread=0.0),
    "none, at random": AffinityWorld(spread=0.0, selection=0.0),
}


def designs() -> dict[str, Any]:
    """The designs that are compared, by the name they have in the tables."""
    return {
        "gravity": tl.Gravity(outcome=OUTCOME),
        "150 km": tl.SpatialRD(outcome=OUTCOME, bandwidth_km=BANDWIDTH_KM),
        "150 km, one direction": tl.SpatialRD(outcome=OUTCOME, bandwidth_km=BANDWIDTH_KM, direction="west->east"),
        "250 km, d": tl.SpatialRD(outcome=OUTCOME, bandwidth_km=250.0, distance_terms=("d",)),
        "250 km, d2": tl.SpatialRD(outcome=OUTCOME, bandwidth_km=250.0, distance_terms=("d2",)),
    }


def draw(world: str, seed: int) -> tuple[list[Found], Residuals]:
    """Every estimate of one draw, and what its residuals say."""
    panel = draw_affinity_world(WORLDS[world], seed).panel
    found = []
    with threadpool_limits(limits=1, user_api="blas"):  # the matrices are small: threads only wait for each other
        for name, design in designs().items():
            began = time.perf_counter()
            row = design.estimate(panel).tidy().iloc[0]
            found.append(
                Found(
                    world=world,
                    design=name,
                    seed=seed,
                    gap=float(row["estimate"]) - WORLDS[world].effect,
                    half_width=float(row["conf_high"] - row["conf_low"]) / 2,
                    seconds=time.perf_counter() - began,
                )
            )
        residuals = tl.residual_correlogram(panel, outcome=OUTCOME, bandwidth_km=BANDWIDTH_KM)
    return found, Residuals(world=world, seed=seed, half_km=residuals.half_km, warns=residuals.warns)


def write_rows(path: Path, kind: type[Any], rows: Iterable[Any]) -> None:
    """Write frozen records to a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(kind)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in asdict(row).items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    found: list[Found] = []
    residuals: list[Residuals] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for world in arguments.worlds:
            seeds = range(arguments.draws)
            for estimates, own in pool.map(draw, [world] * len(seeds), seeds, chunksize=10):
                found += estimates
                residuals.append(own)
            print(f"{world}: {arguments.draws} draws", file=sys.stderr, flush=True)
    summaries, warned = summarize(found), judge(residuals)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_rows(arguments.out / "spatial_rd.csv", Summary, summaries)
    write_rows(arguments.out / "spatial_rd_warning.csv", Warned, warned)
    (arguments.out / "spatial_rd.md").write_text(report(summaries, warned), encoding="utf-8", newline="\n")
    seconds = {name: [f.seconds for f in found if f.design == name] for name in designs()}
    for name, own in seconds.items():
        print(f"{name}: {1000 * sum(own) / len(own):.0f} ms an estimate", file=sys.stderr)
    if broken := failures(summaries, warned):
        sys.exit("\n".join(broken))


if __name__ == "__main__":
    main()
