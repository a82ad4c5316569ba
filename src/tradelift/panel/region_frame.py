"""From a frame of regions to `Regions`."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.panel.frames import as_text, need, numbers_or_text
from tradelift.panel.regions import Regions

Array = NDArray[Any]
LIMITS = {"longitude": 180.0, "latitude": 90.0}


def read_regions(table: pa.Table, sides: tuple[str, str] | None = None) -> Regions:
    """
    Validate a frame of regions.

    Parameters
    ----------
    table
        Column `region`; where known `side`, `longitude`, `latitude`, `group`, `name`, `area_km2` and traits.
    sides
        The two values of `side`, in order; None for the order of the alphabet.

    Raises
    ------
    DataError
        If a region stands twice or on both sides, has no id, or a coordinate is out of range.
    """
    need(table, ["region"], "The regions file")
    if not table.num_rows:
        raise DataError("The regions file has no rows; give one row a region.")
    ids = as_text(table["region"]).to_pylist()
    if None in ids:
        msg = f"The regions file has no region id in row {ids.index(None) + 1}; every region needs one."
        raise DataError(msg)
    side_names = as_text(table["side"]).to_pylist() if "side" in table.column_names else None
    _refuse_repeated(ids, side_names)
    if sides is not None and side_names is None:
        msg = f"The study names the sides {sides[0]} and {sides[1]}, but the regions file has no column 'side'."
        raise DataError(msg)

    order = sorted(range(len(ids)), key=lambda row: str(ids[row]))
    table = table.take(order)
    ids = [ids[row] for row in order]
    side = None
    if side_names is not None:
        sides, side = _code_sides(ids, [side_names[row] for row in order], sides)
    coordinates = {name: _coordinate(table, name, ids) for name in LIMITS}
    known = {"region", "side", *LIMITS}
    columns = {n: numbers_or_text(table[n], n, "The regions file") for n in table.column_names if n not in known}
    return Regions(ids=np.array(ids, dtype=np.str_), sides=sides, side=side, columns=columns, **coordinates)


def regions_named(ids: set[str]) -> Regions:
    """Regions of which nothing but the ids is known."""
    return Regions(ids=np.array(sorted(ids), dtype=np.str_), columns={})


def _refuse_repeated(ids: list[str], side_names: list[str | None] | None) -> None:
    repeated = sorted(region for region, count in Counter(ids).items() if count > 1)
    if not repeated:
        return
    region = repeated[0]
    more = f" ({len(repeated)} regions do)" if len(repeated) > 1 else ""
    if side_names is not None and len({s for i, s in zip(ids, side_names, strict=True) if i == region}) > 1:
        msg = f"Region '{region}' stands on both sides in the regions file{more}; a region has one side."
    else:
        msg = f"Region '{region}' stands twice in the regions file{more}; give one row a region."
    raise DataError(msg)


def _code_sides(
    ids: list[str], names: list[str | None], sides: tuple[str, str] | None
) -> tuple[tuple[str, str], NDArray[np.int64]]:
    """Code the side of each region as 0 or 1."""
    found = sorted({str(name) for name in names if name is not None})
    if None in names:
        msg = f"Region '{ids[names.index(None)]}' has no side in the regions file; every region needs one."
        raise DataError(msg)
    if sides is None:
        if len(found) != 2:
            msg = f"The column 'side' of the regions file must hold two values; found {', '.join(found)}."
            raise DataError(msg)
        sides = (found[0], found[1])
    for region, name in zip(ids, names, strict=True):
        if name not in sides:
            msg = f"Region '{region}' is on side '{name}', but the sides are {sides[0]} and {sides[1]}."
            raise DataError(msg)
    for name in sides:
        if name not in found:
            msg = f"No region is on side '{name}'; the regions file has {', '.join(found)}."
            raise DataError(msg)
    return sides, np.array([sides.index(str(name)) for name in names])


def _coordinate(table: pa.Table, name: str, ids: list[str]) -> NDArray[np.float64] | None:
    """Degrees of each region, NaN where missing; None without the column."""
    if name not in table.column_names:
        return None
    values = numbers_or_text(table[name], name, "The regions file")
    if values.dtype.kind not in "if":
        msg = f"The column '{name}' of the regions file must hold degrees; found text such as '{values[0]}'."
        raise DataError(msg)
    degrees = values.astype(np.float64)
    wrong = np.flatnonzero(np.abs(degrees) > LIMITS[name])
    if len(wrong):
        limit = LIMITS[name]
        swapped = " Are longitude and latitude swapped?" if name == "latitude" else ""
        msg = (
            f"Region '{ids[wrong[0]]}' has {name} {degrees[wrong[0]]:g}, outside -{limit:g}..{limit:g} degrees "
            f"({len(wrong)} of {len(ids)} regions).{swapped}"
        )
        raise DataError(msg)
    return degrees
