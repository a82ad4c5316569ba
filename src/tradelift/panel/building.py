"""From frames to a panel: code the ids, account for every row, complete the grid, attach what is known of pairs."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.account import Account, Exclusion, Stage
from tradelift.errors import DataError
from tradelift.panel.arrangement import Arrangement, arrange
from tradelift.panel.cells import PAIR, MemoryCells
from tradelift.panel.digest import Fingerprint
from tradelift.panel.directed import computed_columns, directed_pairs
from tradelift.panel.frames import encode, encode_periods, need, numbers_or_text, order_periods, recode, to_arrow
from tradelift.panel.pair_frame import PairFrame, match
from tradelift.panel.panel import Panel
from tradelift.panel.partner_frame import read_partners, region_columns
from tradelift.panel.region_frame import read_regions, regions_named
from tradelift.panel.regions import Regions
from tradelift.programme import Programme

Array = NDArray[Any]
Ints = NDArray[np.int64]
Columns = dict[str, Array]


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
    if keep is not None:
        columns = {name: values[keep] for name, values in columns.items()}
    arranged = arrange(columns, known, labels, categories, complete=absent == "zero")
    stages = account.stages if account else (stage,)
    base = account or Account()
    programme = None
    if partners is not None:
        programme = read_partners(to_arrow(partners, "partners"), known, labels, start, end)
    return _finish(
        arranged,
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
    codes, texts = encode_periods(table[period])
    labels = tuple(window) if window is not None else tuple(order_periods([t for t in texts if t is not None]))
    return labels, recode(codes, texts, {label: t for t, label in enumerate(labels)})


def _categories(table: pa.Table, category: str | None) -> tuple[tuple[str, ...] | None, Ints]:
    if category is None:
        return None, np.zeros(table.num_rows, dtype=np.int64)
    codes, texts = encode(table[category])
    labels = tuple(sorted(t for t in texts if t is not None))
    return labels, recode(codes, texts, {label: c for c, label in enumerate(labels)})


def _screen(columns: Columns, regions: Regions, *, domestic: bool) -> tuple[NDArray[np.bool_] | None, Stage]:
    """Say of every row whether it is kept (None: all are), and why not."""
    origin, destination = columns["origin"], columns["destination"]
    n = len(origin)
    reasons: dict[str, NDArray[np.bool_]] = {}
    if min(values.min() for values in columns.values()) < 0:
        reasons["null key"] = np.logical_or.reduce([values == -1 for values in columns.values()])
        reasons["unknown region"] = ~reasons["null key"] & ((origin < 0) | (destination < 0))
        reasons["outside the window"] = ~reasons["null key"] & ~reasons["unknown region"] & (columns["period"] < 0)
    if regions.side is not None:
        same = regions.side[origin] == regions.side[destination]
        reasons["not between the two sides"] = _not_in(reasons, same)
    elif not domestic:
        reasons["domestic"] = _not_in(reasons, origin == destination)
    reasons = {reason: mask for reason, mask in reasons.items() if mask.any()}
    keep = ~np.logical_or.reduce(list(reasons.values())) if reasons else None
    stage = Stage(
        name="flows",
        read_rows=n,
        kept_rows=n if keep is None else int(keep.sum()),
        exclusions=tuple(Exclusion(reason=r, rows=int(m.sum())) for r, m in reasons.items()),
    )
    if not stage.kept_rows:
        found = "; ".join(f"{e.reason}: {e.rows:,}" for e in stage.exclusions)
        msg = f"None of the {stage.read_rows:,} flows is usable ({found}). Check the ids against the regions."
        raise DataError(msg)
    return keep, stage


def _not_in(reasons: Mapping[str, NDArray[np.bool_]], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows that no reason before this one excludes."""
    return mask & ~np.logical_or.reduce(list(reasons.values())) if reasons else mask


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
    arranged: Arrangement, regions: Regions, periods: tuple[str, ...], categories: tuple[str, ...] | None,
    programme: Programme | None, frames: tuple[PairFrame, ...], neighbours: Ints | None, account: Account,
) -> Panel:  # fmt: skip
    """Attach what is fixed about the directed pairs."""
    cells, origin, destination = arranged.cells, arranged.origin, arranged.destination
    fixed: Columns = computed_columns(regions, origin, destination)
    columns = dict(cells.columns)
    stages = list(account.stages)
    for source in frames:
        matched = match(source, regions, periods, origin, destination, columns[PAIR], columns["period"])
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
    made_of = (
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
        fingerprint=Fingerprint(parts=made_of),
    )
