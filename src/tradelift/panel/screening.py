"""Which rows become cells: each is kept, or counted under the first reason against it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.account import Exclusion, Stage
from tradelift.errors import DataError
from tradelift.panel import loops
from tradelift.panel.regions import Regions
from tradelift.panel.row_codes import RowCodes, add_up, distinct_parts, fits
from tradelift.solve import compiled

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

UNKNOWN_REGION = "unknown region"
REASONS = ("null key", UNKNOWN_REGION, "outside the window", "not between the two sides", "domestic")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """
    The rows that become cells.

    Parameters
    ----------
    codes
        Of all rows.
    rows
        Which are kept, shape (N,); None where all are.
    count
        How many.
    triples
        Keys of their categories, origins and destinations, ascending.
    """

    codes: RowCodes
    rows: NDArray[np.bool_] | None
    count: int
    triples: Ints


def screen(codes: RowCodes, regions: Regions, n_categories: int, *, domestic: bool) -> tuple[Kept, Stage]:
    """
    Find the rows that are kept, and who trades with whom.

    Parameters
    ----------
    codes
        Of all rows.
    regions, n_categories
        What the codes count.
    domestic
        One-sided panels: keep flows within a region.

    Raises
    ------
    DataError
        If no row is kept.
    """
    if codes.clean:
        found = _find_triples(codes, None, len(regions), n_categories)
        if not _excludes(found, regions, domestic=domestic):
            stage = Stage(name="flows", read_rows=codes.n_rows, kept_rows=codes.n_rows)
            return Kept(codes=codes, rows=None, count=codes.n_rows, triples=found), stage
    kept = np.ones(codes.n_rows, dtype=bool)
    count = dict.fromkeys(REASONS, 0)
    for rows, part in codes.parts():
        against = _against(codes.look_up(part), regions, domestic=domestic)
        for reason, mask in against.items():
            kept[rows[mask]] = False
            count[reason] += int(mask.sum())
    stage = Stage(
        name="flows",
        read_rows=codes.n_rows,
        kept_rows=codes.n_rows - sum(count.values()),
        exclusions=tuple(Exclusion(reason=reason, rows=rows) for reason, rows in count.items() if rows),
    )
    if not stage.kept_rows:
        reasons = "; ".join(f"{e.reason}: {e.rows:,}" for e in stage.exclusions)
        msg = f"None of the {stage.read_rows:,} flows is usable ({reasons}). Check the ids against the regions."
        raise DataError(msg)
    found = _find_triples(codes, kept, len(regions), n_categories)
    return Kept(codes=codes, rows=kept, count=stage.kept_rows, triples=found), stage


def _find_triples(codes: RowCodes, kept: Mask | None, n_regions: int, n_categories: int) -> Ints:
    """Keys of the categories, origins and destinations of rows, ascending."""
    factors = {"origin": n_regions, "destination": 1, "category": n_regions**2}
    tables = {role: table * factors[role] for role, table in codes.tables.items() if role in factors}
    size = n_categories * n_regions**2
    if compiled.loaded() and fits(size, codes.n_rows):
        return np.flatnonzero(loops.mark(codes.columns, tables, kept, size))

    def keys_at(start: int) -> Ints:
        return add_up(codes.part_codes(start, kept), tables)

    return distinct_parts(keys_at, codes.starts, size, codes.n_rows)


def _excludes(triples: Ints, regions: Regions, *, domestic: bool) -> bool:
    """Whether some flows are not between the two sides, or within a region where these are not kept."""
    r = len(regions)
    origin, destination = triples // r % r, triples % r
    if regions.side is not None:
        return bool(np.any(regions.side[origin] == regions.side[destination]))
    return not domestic and bool(np.any(origin == destination))


def _against(codes: Mapping[str, Ints], regions: Regions, *, domestic: bool) -> dict[str, Mask]:
    """Mark rows by the first reason against them; only reasons that some row has."""
    origin, destination = codes["origin"], codes["destination"]
    masks: dict[str, Mask] = {}
    if min(values.min() for values in codes.values()) < 0:
        masks["null key"] = np.logical_or.reduce([values == -1 for values in codes.values()])
        masks[UNKNOWN_REGION] = (origin < 0) | (destination < 0)
        masks["outside the window"] = codes["period"] < 0
    if regions.side is not None:
        masks["not between the two sides"] = regions.side[origin] == regions.side[destination]
    elif not domestic:
        masks["domestic"] = origin == destination
    first: dict[str, Mask] = {}
    for reason, mask in masks.items():
        left = np.logical_and.reduce([mask, *(~before for before in first.values())])
        if left.any():
            first[reason] = left
    return first
