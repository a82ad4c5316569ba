"""
Panels to measure on: the packaged East-West map, its 128 partner pairs, and flows drawn from a fixed seed.

A panel is written as one binary file a column, which NumPy and R read without a library and nobody has to parse.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from work import Shape

from tradelift.worlds.cities import distances_km, read_side
from tradelift.worlds.completion import complete, known_partners, partner_matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SEED = 20170101
EFFECT, DISTANCE, MOVING = 0.056, -0.8, 0.1  # coefficients of the flows
CITY_SD, ROUTE_SD, CELL_SD = 1.2, 0.5, 0.5  # spread of the logs, so that a cell in a hundred is empty, as in the paper
MEDIAN = 70.0  # flows of a route at the mean of everything


def write_panel(shape: Shape, folder: Path) -> int:
    """Draw a panel, write its columns and what they are, and give its number of rows."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = draw(shape)
    for name, values in columns.items():
        values.tofile(folder / f"{name}.bin")
    east, west = read_side("east"), read_side("west")
    listed, start = _programme(shape)
    about = {
        "rows": len(columns["trade"]),
        "columns": {name: values.dtype.str for name, values in columns.items()},
        "regions": {
            "region": list(range(len(east) + len(west))),
            "side": ["east"] * len(east) + ["west"] * len(west),
            "group": [*east.province.tolist(), *west.province.tolist()],
            "longitude": [*east.longitude.tolist(), *west.longitude.tolist()],
            "latitude": [*east.latitude.tolist(), *west.latitude.tolist()],
        },
        "partners": {"east": listed[:, 0].tolist(), "west": (listed[:, 1] + len(east)).tolist()}
        | ({"start": start.tolist()} if shape.staggered else {}),
    }
    (folder / "about.json").write_text(json.dumps(about))
    kinds = (f"{name} {values.dtype.kind}" for name, values in columns.items())
    (folder / "columns.txt").write_text("\n".join(kinds) + "\n")  # for R, which reads no JSON by itself
    return len(columns["trade"])


def draw(shape: Shape) -> dict[str, Floats | Ints]:
    """
    Draw the columns of a panel: ids, the codes of the effects, the regressors and the flows.

    Rows are ordered by category, month and directed pair. `pair` is the same both ways; `route` is not.
    """
    rng = np.random.default_rng(SEED)
    east, west = read_side("east"), read_side("west")
    n_east, n_west, n = len(east), len(west), len(east) + len(west)
    i, j = (grid.ravel() for grid in np.meshgrid(np.arange(n_east), np.arange(n_west), indexing="ij"))
    pairs = len(i)
    origin, destination = np.r_[i, j + n_east], np.r_[j + n_east, i]
    listed, start = _programme(shape)
    begins = np.full((n_east, n_west), shape.months, dtype=np.int64)
    begins[listed[:, 0], listed[:, 1]] = start
    log_distance = np.tile(np.log(distances_km(east, west)).ravel(), 2)
    times = np.arange(shape.months * shape.categories)
    period = times % shape.months
    route_part = DISTANCE * (log_distance - log_distance.mean()) + rng.normal(0, ROUTE_SD, 2 * pairs)
    out: dict[str, list[NDArray[np.generic]]] = {}
    out_of, into = (rng.normal(0, CITY_SD, n) + rng.normal(0, 0.2, (len(times), n)) for _ in range(2))
    for time in times:  # a month and category at a time, so that ten times the rows fit into memory
        treated = (np.tile(begins.ravel(), 2) <= period[time]).astype(np.float64)
        x = rng.normal(0, 1, 2 * pairs)
        mean = np.log(MEDIAN) + route_part + out_of[time][origin] + into[time][destination] + EFFECT * treated
        mean += MOVING * x * shape.moving + rng.normal(0, CELL_SD, 2 * pairs)
        here = {
            "origin": origin, "destination": destination, "period": np.full(2 * pairs, period[time]),
            "origin_period": origin + n * time, "destination_period": destination + n * time,
            "pair": np.tile(np.arange(pairs), 2), "route": np.arange(2 * pairs),
            "partner": treated, "log_distance": log_distance, "trade": rng.poisson(np.exp(mean)).astype(np.float64),
        }  # fmt: skip
        if shape.moving:
            here["x"] = x
        if shape.categories > 1:
            here["category"] = np.full(2 * pairs, time // shape.months)
        kept = rng.random(2 * pairs) >= shape.missing
        for name, values in here.items():
            out.setdefault(name, []).append(values[kept] if shape.missing else values)
    return {name: np.concatenate(parts) for name, parts in out.items()}


def _programme(shape: Shape) -> tuple[Ints, Ints]:
    """Positions of the partners on each side, shape (128, 2), and the month in which each starts."""
    east, west = read_side("east"), read_side("west")
    listed = np.argwhere(partner_matrix(complete(known_partners(), east, west), east, west))
    rng = np.random.default_rng(SEED + 1)
    latest = max(shape.months * 9 // 10, 1)
    start = rng.integers(1, latest + 1, len(listed)) if shape.staggered else np.zeros(len(listed), dtype=np.int64)
    return listed, start
