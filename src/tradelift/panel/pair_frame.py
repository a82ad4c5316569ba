"""Dyadic covariates: from a frame keyed by regions (and periods) to columns of pairs or cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.account import Exclusion, Stage
from tradelift.errors import DataError
from tradelift.panel.frames import encode, encode_periods, numbers_or_text, recode
from tradelift.panel.regions import Regions
from tradelift.panel.row_codes import distinct, fits

Array = NDArray[Any]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairFrame:
    """
    One input of dyadic covariates.

    Parameters
    ----------
    table
        Key columns and covariates.
    name
        How messages and the account call it.
    absent
        Value of the pairs that it does not list; None: missing.
    """

    table: pa.Table
    name: str = "pairs"
    absent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matched:
    """Columns that a frame of covariates gives, by pair or by cell, and its stage of the account."""

    fixed: dict[str, Array]
    moving: dict[str, Array]
    stage: Stage


def match(
    source: PairFrame, regions: Regions, periods: tuple[str, ...], origin: Ints, destination: Ints,
    cell_pair: Ints, cell_period: Ints,
) -> Matched:  # fmt: skip
    """
    Look up the covariates of the panel's pairs and cells.

    Parameters
    ----------
    source
        The covariates.
    regions, periods
        What ids and labels refer to.
    origin, destination
        Region codes of the directed pairs, shape (P,).
    cell_pair, cell_period
        Pair and period of each cell, shape (N,); they matter only where the covariates move.

    Raises
    ------
    DataError
        If the keys are not recognised or a key stands twice.
    """
    a_name, b_name, directed = _keys(source, regions)
    table = source.table
    place = {str(region): code for code, region in enumerate(regions.ids)}
    a, b = (recode(encode(table[name]), place) for name in (a_name, b_name))
    moves = "period" in table.column_names
    period = np.zeros(table.num_rows, dtype=np.int64)
    if moves:
        period = recode(encode_periods(table["period"]), {label: t for t, label in enumerate(periods)})
    null = (a == -1) | (b == -1) | (period == -1)
    unknown = ~null & ((a < 0) | (b < 0))
    outside = ~null & ~unknown & (period < 0)
    good = ~(null | unknown | outside)

    n, t = len(regions), len(periods) if moves else 1
    keys = _key(a[good], b[good], period[good], n, t, directed=directed)
    size = n * n * t
    if len(distinct(keys, size)) < len(keys):
        ordered = np.sort(keys)
        key = ordered[1:][ordered[1:] == ordered[:-1]][0] // t
        msg = (
            f"{source.name}: the pair '{regions.ids[key // n]}', '{regions.ids[key % n]}' stands twice; "
            f"give one row a pair{' and period' if moves else ''}."
        )
        raise DataError(msg)
    at = cell_period if moves else np.zeros(len(origin), dtype=np.int64)
    o, d = (origin[cell_pair], destination[cell_pair]) if moves else (origin, destination)
    wanted = _key(o, d, at, n, t, directed=directed)
    found = _rows_of(keys, wanted, size)
    columns = {}
    for name in table.column_names:
        if name not in (a_name, b_name, "period"):
            values = numbers_or_text(table[name], name, source.name)
            columns[name] = _spread(values if good.all() else values[good], found, source, name)
    used = np.zeros(len(keys) + 1, dtype=bool)
    used[found] = True
    used = used[:-1]
    exclusions = (
        Exclusion(reason="null key", rows=int(null.sum())),
        Exclusion(reason="unknown region", rows=int(unknown.sum())),
        Exclusion(reason="outside the window", rows=int(outside.sum())),
        Exclusion(reason="pair not in the panel", rows=int((~used).sum())),
    )
    stage = Stage(
        name=source.name,
        read_rows=table.num_rows,
        kept_rows=int(used.sum()),
        exclusions=tuple(e for e in exclusions if e.rows),
    )
    return Matched(fixed={} if moves else columns, moving=columns if moves else {}, stage=stage)


def _keys(source: PairFrame, regions: Regions) -> tuple[str, str, bool]:
    """Recognise the key columns: directed, or the same both ways."""
    names = source.table.column_names
    if "origin" in names and "destination" in names:
        return "origin", "destination", True
    undirected = regions.sides or ("region_1", "region_2")
    if undirected[0] in names and undirected[1] in names:
        return undirected[0], undirected[1], False
    msg = (
        f"{source.name} must be keyed by the columns origin and destination (directed) or {undirected[0]} and "
        f"{undirected[1]} (the same both ways); found {', '.join(names)}."
    )
    raise DataError(msg)


def _key(a: Ints, b: Ints, period: Ints, n: int, t: int, *, directed: bool) -> Ints:
    if not directed:
        a, b = np.minimum(a, b), np.maximum(a, b)
    key: Ints = (a * n + b) * t + period
    return key


def _rows_of(keys: Ints, wanted: Ints, size: int) -> Ints:
    """Row that has each key that is wanted, -1 where none has; keys are distinct and below a size."""
    if fits(size, len(keys) + len(wanted)):
        row = np.full(size, -1)
        row[keys] = np.arange(len(keys))
        return row[wanted]
    order = np.argsort(keys, kind="stable")
    place = np.searchsorted(keys, wanted, sorter=order)
    ordered = np.append(keys[order], -1)
    return np.where(ordered[place] == wanted, np.append(order, -1)[place], -1)


def _spread(values: Array, found: Ints, source: PairFrame, name: str) -> Array:
    """Values at the rows wanted; the absent value, or missing, where the frame has none."""
    if values.dtype.kind == "U":
        return np.append(values, "")[found]
    fill = np.nan if source.absent is None else source.absent
    out: Array = np.append(values.astype(np.float64, copy=False), fill)[found]
    if np.isinf(out).any():
        msg = f"{source.name}: column '{name}' holds an infinite value; give numbers."
        raise DataError(msg)
    return out
