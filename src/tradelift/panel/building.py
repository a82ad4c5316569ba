"""From frames to a panel: code the ids, account for every row, complete the grid, attach what is known of pairs."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.account import Account, Exclusion, Stage
from tradelift.errors import DataError
from tradelift.panel.cells import ABSENT, PAIR, MemoryCells, arrange
from tradelift.panel.digest import fingerprint
from tradelift.panel.directed import computed_columns, directed_pairs
from tradelift.panel.frames import encode, need, numbers_or_text, order_periods, period_labels, recode, to_arrow
from tradelift.panel.pair_frame import PairFrame, match
from tradelift.panel.panel import Panel
from tradelift.panel.partner_frame import read_partners, region_columns
from tradelift.panel.region_frame import read_regions, regions_named
from tradelift.panel.regions import Regions
from tradelift.programme import Programme

Array = NDArray[Any]
Ints = NDArray[np.int64]
Columns = dict[str, Array]

FLOWS = frozenset({
    "trade", "trade_minor", "deals", "lines", "sellers", "buyers", "refunds",
    "top_seller_trade", "other_seller_trade", "top_buyer_trade", "other_buyer_trade",
})  # fmt: skip
"""Columns that are 0 where a cell is absent; integers among them stay integers."""


def build(
    frame: Any,
    *,
    origin: str = "origin",
    destination: str = "destination",
    period: str | None = None,
    category: str | None = None,
    regions: Any = None,
    partners: Any = None,
    pairs: Any = None,
    neighbours: Any = None,
    absent: Literal["missing", "zero"] = "missing",
    periods: Sequence[str] | None = None,
    domestic: bool = True,
    start: str | None = None,
    end: str | None = None,
    account: Account | None = None,
) -> Panel:
    """
    Build a panel as `Panel.from_frame` does, with what only a study says.

    Parameters
    ----------
    regions
        A frame, or `Regions` that were read before.
    pairs
        Frames, or `PairFrame` with a name and the value of absent pairs.
    periods
        Labels of the window; flows outside it are excluded. None: the periods that the flows name.
    domestic
        One-sided panels: keep flows within a region.
    start, end
        Period labels of all partnerships where the list has no such column.
    account
        Stages before this one: the flows were made from a log, and no stage of their own is added.
    """
    if absent not in ("missing", "zero"):
        msg = f"absent must be 'missing' or 'zero'; found '{absent}'."
        raise DataError(msg)
    table = to_arrow(frame, "The flows")
    if period is None and "period" in table.column_names:
        period = "period"
    need(table, [c for c in (origin, destination, period, category) if c is not None], "The flows table")
    if not table.num_rows:
        raise DataError("The flows table has no rows.")
    a, b = encode(table[origin]), encode(table[destination])
    known = _regions(regions, a[1], b[1])
    labels, when = _periods(table, period, periods)
    categories, kind = _categories(table, category)
    columns: Columns = {
        "origin": recode(*a, {str(r): code for code, r in enumerate(known.ids)}),
        "destination": recode(*b, {str(r): code for code, r in enumerate(known.ids)}),
        "period": when,
    }
    if categories is not None:
        columns["category"] = kind
    keep, stage = _screen(columns, known, domestic=domestic)
    for name in table.column_names:
        if name not in (origin, destination, period, category, *columns):
            columns[name] = numbers_or_text(table[name], name, "The flows table")
    if not keep.all():
        columns = {name: values[keep] for name, values in columns.items()}
    _refuse_repeated(columns, known, labels, categories)
    if absent == "zero":
        columns = _complete(columns, known, len(labels), len(categories or ("",)))
    cells = arrange(columns, len(known), len(labels), len(categories or ("",)), known.side)
    stages = account.stages if account else (stage,)
    base = account or Account()
    programme = None
    if partners is not None:
        programme = read_partners(to_arrow(partners, "partners"), known, labels, start, end)
    return _finish(
        cells,
        known,
        labels,
        categories,
        programme,
        pair_frames(pairs),
        neighbour_codes(neighbours, known),
        Account(stages=stages, currency=base.currency, digits=base.digits),
    )


def _regions(regions: Any, *texts: Sequence[str | None]) -> Regions:
    if isinstance(regions, Regions):
        return regions
    if regions is None:
        return regions_named({t for text in texts for t in text if t is not None})
    return read_regions(to_arrow(regions, "regions"))


def _periods(table: pa.Table, period: str | None, window: Sequence[str] | None) -> tuple[tuple[str, ...], Ints]:
    """Labels in order and the position of each row's period: -1 null, -2 outside the window."""
    if period is None:
        return ("all",), np.zeros(table.num_rows, dtype=np.int64)
    codes, texts = encode(period_labels(table[period]))
    labels = tuple(window) if window is not None else tuple(order_periods([t for t in texts if t is not None]))
    return labels, recode(codes, texts, {label: t for t, label in enumerate(labels)})


def _categories(table: pa.Table, category: str | None) -> tuple[tuple[str, ...] | None, Ints]:
    if category is None:
        return None, np.zeros(table.num_rows, dtype=np.int64)
    codes, texts = encode(table[category])
    labels = tuple(sorted(t for t in texts if t is not None))
    return labels, recode(codes, texts, {label: c for c, label in enumerate(labels)})


def _screen(columns: Columns, regions: Regions, *, domestic: bool) -> tuple[NDArray[np.bool_], Stage]:
    """Say of every row whether it is kept, and why not."""
    origin, destination = columns["origin"], columns["destination"]
    null = np.zeros(len(origin), dtype=bool)
    for name in columns:
        null |= columns[name] == -1
    left = ~null
    reasons = {"null key": null}
    reasons["unknown region"] = left & ((origin < 0) | (destination < 0))
    left = left & ~reasons["unknown region"]
    reasons["outside the window"] = left & (columns["period"] < 0)
    left = left & ~reasons["outside the window"]
    if regions.side is not None:
        same = regions.side[np.maximum(origin, 0)] == regions.side[np.maximum(destination, 0)]
        reasons["not between the two sides"] = left & same
    elif not domestic:
        reasons["domestic"] = left & (origin == destination)
    keep = ~np.logical_or.reduce(list(reasons.values()))
    stage = Stage(
        name="flows",
        read_rows=len(origin),
        kept_rows=int(keep.sum()),
        exclusions=tuple(Exclusion(reason=r, rows=int(m.sum())) for r, m in reasons.items() if m.any()),
    )
    if not keep.any():
        found = "; ".join(f"{e.reason}: {e.rows:,}" for e in stage.exclusions)
        msg = f"None of the {stage.read_rows:,} flows is usable ({found}). Check the ids against the regions."
        raise DataError(msg)
    return keep, stage


def _refuse_repeated(
    columns: Columns, regions: Regions, periods: tuple[str, ...], categories: tuple[str, ...] | None
) -> None:
    key = _cell_key(columns, len(regions), len(periods))
    ordered = np.sort(key)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return
    row = int(np.flatnonzero(key == twice[0])[0])
    where = [regions.ids[columns["origin"][row]], regions.ids[columns["destination"][row]]]
    where.append(periods[columns["period"][row]])
    if categories is not None:
        where.append(categories[columns["category"][row]])
    msg = (
        f"{len(twice):,} flows stand twice, the first of them {' -> '.join(where[:2])} in {', '.join(where[2:])}; "
        f"sum them, or name the column that tells them apart (period, category)."
    )
    raise DataError(msg)


def _cell_key(columns: Columns, n_regions: int, n_periods: int) -> Ints:
    key = columns["category"] if "category" in columns else np.zeros(len(columns["origin"]), dtype=np.int64)
    key = (key * n_periods + columns["period"]) * n_regions + columns["origin"]
    return np.asarray(key * n_regions + columns["destination"])


def _complete(columns: Columns, regions: Regions, n_periods: int, n_categories: int) -> Columns:
    """Add the cells that the flows do not name, as zero flows, and mark them."""
    i, j = np.meshgrid(np.arange(len(regions)), np.arange(len(regions)), indexing="ij")
    if regions.side is not None:
        wanted = regions.side[i] != regions.side[j]
    else:
        has_domestic = bool(np.any(columns["origin"] == columns["destination"]))
        wanted = (i != j) | has_domestic
    origin, destination = i[wanted], j[wanted]
    p = len(origin)
    grid: Columns = {
        "category": np.repeat(np.arange(n_categories), n_periods * p),
        "period": np.tile(np.repeat(np.arange(n_periods), p), n_categories),
        "origin": np.tile(origin, n_periods * n_categories),
        "destination": np.tile(destination, n_periods * n_categories),
    }
    if "category" not in columns:
        del grid["category"]
    # the grid is sorted by its key, since np.meshgrid and wanted keep the order of pairs
    rows = np.searchsorted(_cell_key(grid, len(regions), n_periods), _cell_key(columns, len(regions), n_periods))
    held = np.zeros(len(grid["origin"]), dtype=bool)
    held[rows] = True
    for name, values in columns.items():
        if name not in grid:
            grid[name] = _scatter(name, values, rows, len(held))
    return grid | {ABSENT: ~held}


def _scatter(name: str, values: Array, rows: Ints, n: int) -> Array:
    if values.dtype.kind == "U":
        out = np.full(n, "", dtype=values.dtype)
    elif name in FLOWS:
        out = np.zeros(n, dtype=values.dtype)
    else:
        out = np.full(n, np.nan)
    out[rows] = values
    return out


def pair_frames(pairs: Any) -> tuple[PairFrame, ...]:
    """Inputs of dyadic covariates, from a frame, several, or none."""
    if pairs is None:
        return ()
    frames = pairs if isinstance(pairs, (list, tuple)) else [pairs]
    return tuple(f if isinstance(f, PairFrame) else PairFrame(table=to_arrow(f, "pairs")) for f in frames)


def neighbour_codes(neighbours: Any, regions: Regions) -> Ints | None:
    """Codes of neighbouring regions, shape (B, 2)."""
    if neighbours is None:
        return None
    table = to_arrow(neighbours, "neighbours")
    place = {str(region): code for code, region in enumerate(regions.ids)}
    codes = np.stack([recode(*encode(table[name]), place) for name in region_columns(table)], axis=1)
    if (codes < 0).any():
        msg = (
            f"{int((codes < 0).any(axis=1).sum())} rows of the neighbours name a region that is not among the regions."
        )
        raise DataError(msg)
    return codes


def _finish(
    cells: MemoryCells, regions: Regions, periods: tuple[str, ...], categories: tuple[str, ...] | None,
    programme: Programme | None, frames: tuple[PairFrame, ...], neighbours: Ints | None, account: Account,
) -> Panel:  # fmt: skip
    """Find the directed pairs and attach what is fixed about them."""
    n = len(regions)
    keys, pair = _pairs_of(cells, n)
    origin, destination = keys // n, keys % n
    fixed: Columns = computed_columns(regions, origin, destination)
    columns = {**cells.columns, PAIR: pair}
    stages = list(account.stages)
    for source in frames:
        matched = match(source, regions, periods, origin, destination, pair, columns["period"])
        repeated = sorted({*matched.fixed, *matched.moving} & {*fixed, *columns})
        if repeated:
            msg = f"{source.name}: the panel has a column '{repeated[0]}' already; rename it."
            raise DataError(msg)
        fixed |= matched.fixed
        columns |= matched.moving
        stages.append(matched.stage)
    for name in (*fixed, *(("partner", "control_type") if programme is not None else ())):
        columns.pop(name, None)  # the panel's own stands
    pairs = directed_pairs(regions, origin, destination, programme, fixed)
    digest = fingerprint(
        list(periods), list(categories or ()), regions.ids, regions.columns, regions.side, list(regions.sides or ()),
        columns, fixed, pairs.partnership, pairs.control_type, neighbours,
        *((programme.start, programme.end, programme.dose) if programme else ()),
    )  # fmt: skip
    return Panel(
        regions=regions,
        periods=periods,
        categories=categories,
        pairs=pairs,
        cells=MemoryCells(columns=columns, blocks=cells.blocks),
        programme=programme,
        neighbours=neighbours,
        account=Account(stages=tuple(stages), currency=account.currency, digits=account.digits),
        digest=digest,
    )


def _pairs_of(cells: MemoryCells, n_regions: int) -> tuple[Ints, Ints]:
    """Sorted keys of the directed pairs, and the pair of each cell."""
    key = cells.column("origin").astype(np.int64) * n_regions + cells.column("destination")
    seen = np.zeros(n_regions * n_regions, dtype=bool)
    seen[key] = True
    keys = np.flatnonzero(seen)
    place = np.empty(n_regions * n_regions, dtype=np.int64)
    place[keys] = np.arange(len(keys))
    return keys, place[key]
