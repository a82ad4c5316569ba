"""
Make the report's basemap: the outlines of countries from Natural Earth, simplified.

    npm pack world-atlas@2.0.2
    python scripts/basemap.py world-atlas-2.0.2.tgz src/tradelift/report/data/basemap.json

Natural Earth is in the public domain; world-atlas packs it as TopoJSON. Borders are shared arcs, so that simplifying
an arc moves both neighbours alike and leaves no gaps.
"""

import heapq
import json
import sys
import tarfile
from pathlib import Path

import numpy as np

SOURCE = "package/countries-50m.json"
STEP = 0.01  # degrees, about 1 km: the grid that coordinates are rounded to
SMALLEST_TRIANGLE = 0.004  # square degrees: a corner that spans less than this is left out
SMALLEST_ISLAND = 0.01  # square degrees, about 120 square km at the equator
ANTARCTICA = "010"


def main(package: Path, target: Path) -> None:
    with tarfile.open(package) as archive:
        member = archive.extractfile(SOURCE)
        assert member is not None
        topology = json.load(member)
    scale, shift = np.array(topology["transform"]["scale"]), np.array(topology["transform"]["translate"])
    arcs = [unwrap(np.cumsum(arc, axis=0) * scale + shift) for arc in topology["arcs"]]
    kept: dict[int, int] = {}
    countries = []
    for country in topology["objects"]["countries"]["geometries"]:
        if country.get("id") == ANTARCTICA:
            continue
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        for polygon in polygons:
            rings = [ring for ring in polygon if area(ring, arcs) >= SMALLEST_ISLAND]
            if rings and rings[0] is polygon[0]:
                countries.append([[renumber(a, kept) for a in ring] for ring in rings])
    lines = [quantise(simplify(arcs[a])) for a in kept]
    content = {"step": STEP, "arcs": lines, "polygons": countries}
    target.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{target}: {len(countries)} polygons, {sum(map(len, lines)) // 2} points, {target.stat().st_size:,} bytes")


def unwrap(points: np.ndarray) -> np.ndarray:
    """Let longitudes run on over 180 degrees, where Russia and Fiji would jump to the other edge of the world."""
    return np.column_stack([np.unwrap(points[:, 0], period=360.0), points[:, 1]])


def area(ring: list[int], arcs: list[np.ndarray]) -> float:
    """Area of a ring in square degrees."""
    points = unwrap(np.concatenate([arcs[a] if a >= 0 else arcs[~a][::-1] for a in ring]))
    x, y = points.T
    return abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))) / 2


def renumber(arc: int, kept: dict[int, int]) -> int:
    """Number the arcs that are used; ~n is arc n backwards, as in TopoJSON."""
    number = kept.setdefault(arc if arc >= 0 else ~arc, len(kept))
    return number if arc >= 0 else ~number


def simplify(points: np.ndarray) -> np.ndarray:
    """Leave out corners by the smallest triangle first (Visvalingam and Whyatt 1993); the ends stay."""
    closed = bool(np.all(points[0] == points[-1]))
    least = 5 if closed else 2
    n = len(points)
    before, after = list(range(-1, n - 1)), list(range(1, n + 1))
    alive = [True] * n

    def triangle(i: int) -> float:
        a, b, c = points[before[i]], points[i], points[after[i]]
        squeeze = np.cos(np.radians(b[1]))
        return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2 * squeeze

    heap = [(triangle(i), i) for i in range(1, n - 1)]
    heapq.heapify(heap)
    left = n
    while heap and left > least:
        size, i = heapq.heappop(heap)
        if not alive[i] or size != triangle(i):
            continue  # a neighbour went, and the corner stands again in the heap with its new size
        if size >= SMALLEST_TRIANGLE:
            break
        alive[i] = False
        left -= 1
        before[after[i]], after[before[i]] = before[i], after[i]
        for j in (before[i], after[i]):
            if 0 < j < n - 1:
                heapq.heappush(heap, (triangle(j), j))
    return points[np.array(alive)]


def quantise(points: np.ndarray) -> list[int]:
    """Round to the grid and keep differences: x0, y0, dx1, dy1, ..."""
    grid = np.round(points / STEP).astype(int)
    moved = np.concatenate([[True], np.any(np.diff(grid, axis=0) != 0, axis=1)])
    grid = grid[moved]
    return [int(v) for v in np.diff(grid, axis=0, prepend=0).ravel()]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
