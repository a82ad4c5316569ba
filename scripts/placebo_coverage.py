"""
What placebo partners find, where partners were chosen by an affinity that the data do not show.

Each draw is a world of `spatial_rd_coverage.py`. The nearest control of each partner pair plays the partner, and
partner pairs are left out: there is no effect to find. What is found is selection, or chance.

    python scripts/placebo_coverage.py [--draws 500] [--worlds "500 km, selected" ...] [--processes 1]

writes placebo.csv (one row a world and design) and placebo.md to --out, by default docs/simulations.
"""

import argparse
import csv
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from spatial_rd_coverage import N_DRAWS, WORLDS, write_rows
from spatial_rd_report import Found, Summary, summarize
from threadpoolctl import threadpool_limits

import tradelift as tl
from tradelift.designs.spatial import Near
from tradelift.inference import PlaceboPartners
from tradelift.worlds.affinity_panels import draw_affinity_world

CHOSEN = ("500 km, selected", "500 km, at random", "250 km, selected", "none, selected")
OUTCOME = "log(trade)"
NEAR = Near()  # of the choice of placebo partners: the default's

DESIGNS: dict[str, Any] = {
    "gravity": PlaceboPartners(design=tl.Gravity(outcome=OUTCOME), near=NEAR),
    "150 km": PlaceboPartners(design=tl.SpatialRD(outcome=OUTCOME), near=NEAR),
    "250 km, d": PlaceboPartners(
        design=tl.SpatialRD(outcome=OUTCOME, bandwidth_km=250.0, distance_terms=("d",)), near=NEAR
    ),
}

TEXT = """\
# What placebo partners find

Made by `scripts/placebo_coverage.py`: {draws} draws a world (seeds 0 to {last}), as in `spatial_rd.md`: 87 x 110
cities, 128 partners, one period, both directions, log(trade). The nearest control of each partner pair plays the
partner and partner pairs are left out, so that there is no effect to find. Errors are the defaults: dyadic for gravity,
for spatial RD max-two-way with degrees of freedom. Monte Carlo errors in brackets.

| affinity, partners | design | mean estimate | sd | interval leaves out 0 |
|---|---|---|---|---|
{rows}

Where partners were selected by an affinity that is smooth over 500 km, gravity finds {gravity.bias:+.3f} on placebo
partners and tells it from 0 in {gravity_found:.3f} of the draws: pairs near partner pairs have the affinity, too.
Spatial RD finds {default.bias:+.4f}, and its interval leaves out 0 in {default_found:.3f}. Where the affinity is smooth
over 250 km only, spatial RD finds {rough.bias:+.4f} on placebo partners and leaves out 0 in {rough_found:.3f},
while its estimate of true partners is {true_bias:+.4f} off (`spatial_rd.csv`). A placebo that is not told from 0 is
weak evidence that near pairs are near enough.
"""


def draw(world: str, seed: int) -> list[Found]:
    """Every placebo of one draw."""
    panel = draw_affinity_world(WORLDS[world], seed).panel
    found = []
    with threadpool_limits(limits=1, user_api="blas"):  # the matrices are small: threads only wait for each other
        for name, design in DESIGNS.items():
            began = time.perf_counter()
            row = design.estimate(panel).tidy().iloc[0]
            found.append(
                Found(
                    world=world,
                    design=name,
                    seed=seed,
                    gap=float(row["estimate"]),
                    half_width=float(row["conf_high"] - row["conf_low"]) / 2,
                    seconds=time.perf_counter() - began,
                )
            )
    return found


def report(summaries: list[Summary], true_bias: float) -> str:
    """
    Write the page in Markdown.

    Parameters
    ----------
    summaries
        One a world and design; the worlds in which affinity selects are among them.
    true_bias
        Of the default with true partners, where the affinity is smooth over 250 km.
    """
    rows = [
        f"| {s.world} | {s.design} | {s.bias:+.4f} ({s.bias_error:.4f}) | {s.spread:.4f} "
        f"| {1 - s.coverage:.3f} ({s.coverage_error:.3f}) |"
        for s in summaries
    ]
    by_name = {(s.world, s.design): s for s in summaries}
    gravity, default = (by_name["500 km, selected", design] for design in ("gravity", "150 km"))
    rough = by_name["250 km, selected", "150 km"]
    return TEXT.format(
        draws=gravity.draws,
        last=gravity.draws - 1,
        rows="\n".join(rows),
        gravity=gravity,
        gravity_found=1 - gravity.coverage,
        default=default,
        default_found=1 - default.coverage,
        rough=rough,
        rough_found=1 - rough.coverage,
        true_bias=true_bias,
    )


def bias_of_true_partners(out: Path) -> float:
    """The default's bias where the affinity is smooth over 250 km, as `spatial_rd_coverage.py` has written it."""
    with (out / "spatial_rd.csv").open(encoding="utf-8") as file:
        rows = {(row["world"], row["design"]): row for row in csv.DictReader(file)}
    return float(rows["250 km, selected", "150 km"]["bias"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(CHOSEN))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    found: list[Found] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for world in arguments.worlds:
            seeds = range(arguments.draws)
            for estimates in pool.map(draw, [world] * len(seeds), seeds, chunksize=10):
                found += estimates
            print(f"{world}: {arguments.draws} draws", file=sys.stderr, flush=True)
    summaries = summarize(found)
    write_rows(arguments.out / "placebo.csv", Summary, summaries)
    page = report(summaries, bias_of_true_partners(arguments.out))
    (arguments.out / "placebo.md").write_text(page, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
