"""The cities of the East-West programme, as the package carries them."""

from csv import DictReader
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from tradelift.geography import great_circle_km

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """
    The cities of one side, in the order of their codes.

    Parameters
    ----------
    name
        "east" or "west".
    city, province
        Code and English name of the province, shape (R,) each.
    longitude, latitude
        Degrees, shape (R,).
    population
        Urban population, shape (R,); the side's median where it is missing.
    autonomous
        Whether a city is an autonomous area, shape (R,).
    """

    name: str
    city: NDArray[np.str_]
    province: NDArray[np.str_]
    longitude: Floats
    latitude: Floats
    population: Floats
    autonomous: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.city)


def read_packaged(name: str) -> list[dict[str, str]]:
    """Rows of a CSV file that the package carries."""
    with files("tradelift.worlds.data").joinpath(name).open(encoding="utf-8") as file:
        return list(DictReader(file))


def read_side(name: str) -> Side:
    """Read the cities of one side, "east" or "west"."""
    rows = sorted((r for r in read_packaged("cities.csv") if r["side"] == name), key=lambda r: r["city"])
    population = _numbers(rows, "urban_population")
    return Side(
        name=name,
        city=np.array([r["city"] for r in rows]),
        province=np.array([r["province"] for r in rows]),
        longitude=_numbers(rows, "longitude"),
        latitude=_numbers(rows, "latitude"),
        population=np.where(np.isnan(population), np.nanmedian(population), population),
        autonomous=np.array([r["autonomous"] == "1" for r in rows]),
    )


def distances_km(east: Side, west: Side) -> Floats:
    """Great-circle distances between the two sides, shape (east, west)."""
    return great_circle_km(east.longitude[:, None], east.latitude[:, None], west.longitude, west.latitude)


def _numbers(rows: list[dict[str, str]], column: str) -> Floats:
    return np.array([float(r[column] or "nan") for r in rows])
