"""
The tables and figures of docs/spatial-rd.md, made anew from one simulated world and from docs/simulations.

    python scripts/spatial_rd_page.py [--docs docs]

fills what stands between `<!-- name -->` and `<!-- end -->` in the page, and writes its figures to images/.
"""

import argparse
import csv
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tradelift as tl
from tradelift.estimate import Estimate
from tradelift.exhibits import Interval, IntervalFigure
from tradelift.geography import great_circle_km
from tradelift.report.figures import figure_svg
from tradelift.worlds.affinity_panels import AffinityDraw, AffinityWorld, draw_affinity_world

Floats = NDArray[Any]

SEED = 0  # of the world that the page looks at: the first
EDGES_KM = (0, 50, 100, 150, 250, 500, 1000)
GRID_KM = (100, 150, 200, 250, 300, 400, 500)
TERMS: dict[str, tuple[str, ...]] = {"no term": (), "d": ("d",), "d2": ("d2",)}
BLOCK = re.compile(r"(<!-- (?!end)([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
LENGTHS = ("affinity smooth over 500 km", "over 250 km")
WORLDS = {
    "500 km, selected": "smooth over 500 km, partners selected by it",
    "250 km, selected": "smooth over 250 km, partners selected by it",
    "none, selected": "none",
}


def filled(text: str, blocks: Mapping[str, str]) -> str:
    """
    Put each block in its place.

    Raises
    ------
    ValueError
        If the places of the page are not those of the blocks.
    """
    places = [match[1] for match in BLOCK.findall(text)]
    if sorted(places) != sorted(blocks):
        msg = f"The page has places for {', '.join(places)}; there are {', '.join(blocks)}."
        raise ValueError(msg)
    return BLOCK.sub(lambda match: f"{match[1]}{blocks[match[2]]}\n{match[3]}", text)


def blocks(draw: AffinityDraw, rough: AffinityDraw, simulations: Path) -> dict[str, str]:
    """
    Write every table of the page in Markdown.

    Parameters
    ----------
    draw, rough
        Worlds whose affinity is smooth over 500 km and over 250 km.
    simulations
        Folder of their tables.
    """
    return {
        "near": _near(affinity_gaps(draw), affinity_gaps(rough)),
        "averages": _averages(simulations),
        "bandwidth": _curve(curve(draw)),
        "warning": _warning(simulations),
        "alternatives": _alternatives(simulations),
        "placebo": _placebo(simulations),
    }


def figures(draw: AffinityDraw, rough: AffinityDraw) -> list[IntervalFigure]:
    """Draw both figures of the page, of the same worlds."""
    gaps = {
        (row, length): gap
        for length, world in zip(LENGTHS, (draw, rough), strict=True)
        for row, (gap, _) in affinity_gaps(world).items()
    }
    said = "; ".join(f"{row}, {length}: {gap:+.2f}" for (row, length), gap in gaps.items())
    near = IntervalFigure(
        name="spatial_rd_near",
        title="Affinity of a pair less that of the partner pair",
        description=f"Mean gap in logs by distance of the other city, which no data show: {said}.",
        axis="Mean gap in affinity net of city effects, log points",
        intervals=tuple(
            Interval(row=row, series=length, value=gap, low=None, high=None) for (row, length), gap in gaps.items()
        ),
    )
    intervals = []
    for (h, terms), estimate in curve(draw).items():
        low, high = _interval(estimate)
        intervals.append(
            Interval(row=f"{h} km", series=terms, value=float(estimate.coefficients[0]), low=low, high=high)
        )
    said = "; ".join(f"{i.row}, {i.series}: {i.value:.3f}" for i in intervals)
    bandwidth = IntervalFigure(
        name="spatial_rd_bandwidth",
        title="Spatial RD by bandwidth and term in distance",
        description=f"Estimates with 95% intervals; the truth is {AffinityWorld().effect}. {said}.",
        axis="Effect in logs, 95% interval",
        intervals=tuple(intervals),
    )
    return [near, bandwidth]


def affinity_gaps(draw: AffinityDraw) -> dict[str, tuple[float, int]]:
    """
    Mean gap of a pair's affinity from that of the partner pair with which it shares a city, by distance; and how many.

    Net of city means, as city effects take it: what is left is what a comparison has to fear. The last row is the gap
    of all pairs that are no partners from the partner pairs.
    """
    field = draw.affinity - draw.affinity.mean(axis=0) - draw.affinity.mean(axis=1, keepdims=True)
    field = field + draw.affinity.mean()
    regions, partner = draw.panel.regions, draw.partner
    n_east = partner.shape[0]
    lon, lat = regions.longitude, regions.latitude
    assert lon is not None, "the world has coordinates"
    assert lat is not None, "the world has coordinates"
    km = great_circle_km(lon[:, None], lat[:, None], lon, lat)
    east_km, west_km = km[:n_east, :n_east], km[n_east:, n_east:]
    distances, gaps = [], []
    for e, w in zip(*np.nonzero(partner), strict=True):
        for away, own, other in ((west_km[w], field[e], partner[e]), (east_km[e], field[:, w], partner[:, w])):
            distances.append(away[~other])
            gaps.append(own[~other] - field[e, w])
    away, gap = np.concatenate(distances), np.concatenate(gaps)
    out = {}
    for low, high in pairwise(EDGES_KM):
        here = (away > low) & (away <= high)
        out[f"{low} to {high} km"] = (float(gap[here].mean()), int(here.sum()))
    return out | {"any pair": (float(field[~partner].mean() - field[partner].mean()), int((~partner).sum()))}


def curve(draw: AffinityDraw) -> dict[tuple[int, str], Estimate]:
    """Spatial RD at each bandwidth, with each term in distance."""
    return {
        (h, name): tl.SpatialRD(bandwidth_km=h, distance_terms=terms).estimate(draw.panel)
        for h in GRID_KM
        for name, terms in TERMS.items()
    }


def _interval(estimate: Estimate) -> tuple[float, float]:
    row = estimate.tidy().iloc[0]
    return float(row["conf_low"]), float(row["conf_high"])


def _signed(value: float, digits: int = 2) -> str:
    """A number with its sign; one that rounds to 0 has none."""
    text = f"{value:+.{digits}f}"
    return text if text.strip("+-0.") else text[1:]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _near(smooth: Mapping[str, tuple[float, int]], rough: Mapping[str, tuple[float, int]]) -> str:
    rows = [(name, f"{count:,}", _signed(gap), _signed(rough[name][0])) for name, (gap, count) in smooth.items()]
    return _table(("the other city is away by", "pairs", *(f"gap, {name}" for name in LENGTHS)), rows)


def _curve(found: Mapping[tuple[int, str], Estimate]) -> str:
    rows = []
    for h in GRID_KM:
        about = found[h, "no term"].diagnostics.identification
        assert about is not None, "spatial RD says what identifies"
        cells = [f"{e.coefficients[0]:.3f} ({e.std_errors[0]:.3f})" for e in (found[h, name] for name in TERMS)]
        rows.append((f"{h} km", *cells, f"{about.variance_left:.0%}", f"{about.effective_partners:.0f}"))
    return _table(("bandwidth", *TERMS, "of D left", "effective partners"), rows)


def _read(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return {(row["world"], row.get("design", "")): row for row in csv.DictReader(file)}


def _averages(simulations: Path) -> str:
    found = _read(simulations / "spatial_rd.csv")
    rows = [
        (said, design, _signed(float(row["bias"]), 3), f"{float(row['coverage']):.2f}")
        for world, said in WORLDS.items()
        for design in ("gravity", "150 km", "250 km, d", "250 km, d2")
        for row in [found[world, design]]
    ]
    return _table(("affinity", "design", "mean error", "95% interval holds the truth in"), rows)


def _warning(simulations: Path) -> str:
    found = _read(simulations / "spatial_rd_warning.csv")
    rows = [(said, f"{float(found[world, '']['warn']):.1%}") for world, said in WORLDS.items()]
    return _table(("affinity", "draws that warn"), rows)


def _alternatives(simulations: Path) -> str:
    found = _read(simulations / "rd_alternatives.csv")
    designs = dict.fromkeys(design for _, design in found)
    worlds = ("500 km, selected", "250 km, selected")
    rows = [
        (design, *(_signed(float(found[w, design]["bias"]), 3) for w in worlds),
         *(f"{float(found[w, design]['coverage']):.2f}" for w in worlds))
        for design in designs
    ]  # fmt: skip
    return _table(("design", "error, 500 km", "error, 250 km", "holds, 500 km", "holds, 250 km"), rows)


def _placebo(simulations: Path) -> str:
    found = _read(simulations / "placebo.csv")
    rows = [
        (said, design, _signed(float(row["bias"]), 3), f"{1 - float(row['coverage']):.2f}")
        for world, said in WORLDS.items()
        for design in ("gravity", "150 km")
        for row in [found[world, design]]
    ]
    return _table(("affinity", "design", "mean estimate", "interval leaves out 0 in"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    docs = parser.parse_args().docs
    draw, rough = (draw_affinity_world(AffinityWorld(length_km=km), SEED) for km in (500.0, 250.0))
    page = docs / "spatial-rd.md"
    text = filled(page.read_text(encoding="utf-8"), blocks(draw, rough, docs / "simulations"))
    page.write_text(text, encoding="utf-8", newline="\n")
    for figure in figures(draw, rough):
        path = docs / "images" / f"{figure.name}.svg"
        path.write_text(figure_svg(figure) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
