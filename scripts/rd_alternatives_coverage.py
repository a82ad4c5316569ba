"""
The other spatial designs beside spatial RD, where partners were chosen by an affinity that the data do not show.

Each draw is a world of `spatial_rd_coverage.py`. Every design of the table of alternatives is estimated as it comes,
and with the options that a reader may ask for. Cities share a border where their Voronoi cells do.

    python scripts/rd_alternatives_coverage.py [--draws 500] [--processes 1]

writes rd_alternatives.csv (one row a world and design) and rd_alternatives.md to --out, by default docs/simulations.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import Delaunay
from spatial_rd_coverage import N_DRAWS, WORLDS, write_rows
from spatial_rd_report import Found, Summary, summarize
from threadpoolctl import threadpool_limits

import tradelift as tl
from tradelift.designs.spatial.alternatives import Imputation, LocationPolynomial, PartnerTerritory, contiguous_cities
from tradelift.worlds.affinity_panels import draw_affinity_world

SELECTED, FAIR = "500 km, selected", "none, selected"
CHOSEN = (SELECTED, "500 km, at random", "250 km, selected", FAIR)

DESIGNS: dict[str, Any] = {
    "spatial RD": tl.SpatialRD(),
    "matching, 1 nearest": tl.Matching(),
    "matching, 3 nearest": tl.Matching(nearest=3),
    "matching, one direction": tl.Matching(direction="west->east"),
    "imputation, 150 km": Imputation(),
    "imputation, 250 km": Imputation(bandwidth_km=250.0),
    "location, degree 2": LocationPolynomial(degree=2),
    "location, degree 3": LocationPolynomial(),
    "contiguous cities": contiguous_cities(),
    "contiguous cities, no city effects": contiguous_cities(effects=["group^period"]),
    "territory, 100 km": PartnerTerritory(),
    "territory, 75 km, no slopes": PartnerTerritory(bandwidth_km=75.0, slopes=False),
}

TEXT = """\
# The other spatial designs where partners were selected

Made by `scripts/rd_alternatives_coverage.py`: {draws} draws a world (seeds 0 to {last}), as in `spatial_rd.md`: 87 x
110 cities, 128 partners, a true effect of .10, one period, both directions, log(trade). Errors are max-two-way with
degrees of freedom. Monte Carlo errors in brackets. Cities share a border where their Voronoi cells do.

| affinity, partners | design | bias | sd | coverage of 95% | mean half width / 1.96 sd |
|---|---|---|---|---|---|
{rows}

Where no affinity selects, designs with city effects are right on average; without them contiguous cities are
{plain.bias:+.3f} off, since city sizes jump at a border. Where one does that is smooth over 500 km, nearer controls are
less off: {near.bias:+.3f} with one nearest control a side, {far.bias:+.3f} with three. Borders that reach far are the
worst: Voronoi cells have six neighbours on average, at any distance, and {wide.bias:+.3f} is left. The slopes of the
territory extrapolate from few cities inside: its standard deviation is {steep.spread:.3f} with slopes within 100 km and
{flat.spread:.3f} without them within 75 km. Over 250 km none is near enough.
"""


def with_borders(panel: tl.Panel) -> tl.Panel:
    """Let cities of a side whose Voronoi cells touch share a border: they are joined in the Delaunay triangulation."""
    regions, borders = panel.regions, []
    for side in (0, 1):
        own = np.flatnonzero(regions.side == side)
        corners = Delaunay(np.stack([regions.longitude[own], regions.latitude[own]], axis=1)).simplices
        borders += [own[corners[:, [a, b]]] for a, b in ((0, 1), (1, 2), (2, 0))]
    return replace(panel, neighbours=np.unique(np.sort(np.concatenate(borders), axis=1), axis=0))


def draw(world: str, seed: int) -> list[Found]:
    """Every estimate of one draw."""
    panel = with_borders(draw_affinity_world(WORLDS[world], seed).panel)
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
                    gap=float(row["estimate"]) - WORLDS[world].effect,
                    half_width=float(row["conf_high"] - row["conf_low"]) / 2,
                    seconds=time.perf_counter() - began,
                )
            )
    return found


def report(summaries: list[Summary]) -> str:
    """The page in Markdown."""
    rows = [
        f"| {s.world} | {s.design} | {s.bias:+.4f} ({s.bias_error:.4f}) | {s.spread:.4f} "
        f"| {s.coverage:.3f} ({s.coverage_error:.3f}) | {s.relative_width:.2f} |"
        for s in summaries
    ]
    draws = summaries[0].draws
    found = {(s.world, s.design): s for s in summaries}
    return TEXT.format(
        draws=draws,
        last=draws - 1,
        rows="\n".join(rows),
        plain=found[FAIR, "contiguous cities, no city effects"],
        near=found[SELECTED, "matching, 1 nearest"],
        far=found[SELECTED, "matching, 3 nearest"],
        wide=found[SELECTED, "contiguous cities"],
        steep=found[SELECTED, "territory, 100 km"],
        flat=found[SELECTED, "territory, 75 km, no slopes"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    found: list[Found] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for world in CHOSEN:
            seeds = range(arguments.draws)
            for estimates in pool.map(draw, [world] * len(seeds), seeds, chunksize=10):
                found += estimates
            print(f"{world}: {arguments.draws} draws", file=sys.stderr, flush=True)
    summaries = summarize(found)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_rows(arguments.out / "rd_alternatives.csv", Summary, summaries)
    (arguments.out / "rd_alternatives.md").write_text(report(summaries), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
