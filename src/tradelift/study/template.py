"""A study to start from: commented, with small inputs beside it that run at once."""

import csv
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from tradelift.errors import StudyError

EAST = ("Ashport", "Bayford", "Corwell", "Dunmore", "Elmsea", "Farhaven")
WEST = ("Graymoor", "Highfell", "Ironside", "Juniper", "Kestrel", "Lowmere", "Mossdale")
PARTNERS = ((0, 0), (0, 1), (1, 2), (2, 3), (2, 4), (3, 0), (3, 4))
MONTHS = 6
LINES_PER_FLOW = 18.0


def write_template(folder: Path) -> list[Path]:
    """
    Write study.yaml, regions.csv, partners.csv and transactions.csv.

    Parameters
    ----------
    folder
        Where to; made if it does not exist.

    Raises
    ------
    StudyError
        If one of the files exists, or the folder cannot be written.
    """
    names = ("study.yaml", "regions.csv", "partners.csv", "transactions.csv")
    there = [name for name in names if (folder / name).exists()]
    if there:
        msg = f"{folder} already has {', '.join(there)}; choose another folder."
        raise StudyError(msg)
    study = files("tradelift.study").joinpath("template.yaml").read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / names[0]).write_text(study, encoding="utf-8")
        _write(folder / names[1], _regions())
        _write(folder / names[2], [("east", "west"), *((EAST[e], WEST[w]) for e, w in PARTNERS)])
        _write(folder / names[3], _transactions())
    except OSError as error:
        for name in names:  # none of them was there before
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        msg = f"Cannot write to {folder}: {error.strerror}."
        raise StudyError(msg) from None
    return [folder / name for name in names]


def _write(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _coordinates() -> dict[str, tuple[float, float]]:
    """An invented coast in the east and hills in the west, degrees."""
    east = {name: (118.0 + 0.6 * (n % 3), 24.0 + 1.7 * n) for n, name in enumerate(EAST)}
    west = {name: (101.0 + 1.1 * (n % 3), 23.5 + 1.6 * n) for n, name in enumerate(WEST)}
    return east | west


def _regions() -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [("region", "side", "group", "longitude", "latitude")]
    for name, (longitude, latitude) in _coordinates().items():
        side = "east" if name in EAST else "west"
        half = "North" if latitude > 28.5 else "South"
        rows.append((name, side, f"{half} {side.title()}", round(longitude, 2), round(latitude, 2)))
    return rows


def _transactions() -> list[tuple[Any, ...]]:
    """Some thousand lines, the same every time."""
    rng = np.random.default_rng(7)
    partners = {(EAST[e], WEST[w]) for e, w in PARTNERS}
    rows: list[tuple[Any, ...]] = [
        ("paid_at", "order_id", "seller_city", "buyer_city", "seller_id", "buyer_id", "category", "status", "amount")
    ]
    order = 0
    size = {name: rng.lognormal(0, 0.6) for name in (*EAST, *WEST)}
    for month in range(1, MONTHS + 1):
        for east in EAST:
            for west in WEST:
                lift = 1.3 if (east, west) in partners else 1.0
                for origin, destination, effect in ((east, west, 1.0), (west, east, lift)):
                    expected = LINES_PER_FLOW * size[origin] * size[destination] * effect
                    for _ in range(rng.poisson(expected * rng.lognormal(0, 0.2))):
                        order += 1
                        rows.append(_line(rng, month, order, origin, destination))
    return rows


def _line(rng: np.random.Generator, month: int, order: int, origin: str, destination: str) -> tuple[Any, ...]:
    day, hour, minute = rng.integers(1, 28), rng.integers(0, 24), rng.integers(0, 60)
    return (
        f"2017-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:00",
        f"o{order}",
        origin,
        destination,
        f"s{origin[:2]}{int(40 * rng.random() ** 2)}",
        f"b{destination[:2]}{int(80 * rng.random())}",
        ("food", "clothing", "household", "other")[rng.integers(0, 4)],
        "paid" if rng.random() > 0.02 else "cancelled",
        f"{rng.lognormal(3.5, 0.8):.2f}",
    )
