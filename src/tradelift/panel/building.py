"""From frames to a panel: code the ids, account for every row, complete the grid, attach what is known of pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.account import Account, Stage
from tradelift.errors import DataError
from tradelift.panel.arrangement import Arrangement, arrange
from tradelift.panel.block_codes import Columns
from tradelift.panel.cells import PAIR, MemoryCells
from tradelift.panel.digest import Fingerprint
from tradelift.panel.directed import computed_columns, directed_pairs
from tradelift.panel.frames import (
    Coded,
    code_table,
    encode,
    encode_periods,
    need,
    numbers_or_text,
    recode,
    to_arrow,
)
from tradelift.panel.pair_frame import PairFrame, match
from tradelift.panel.panel import Panel
from tradelift.panel.partner_frame import read_partners, region_columns
from tradelift.panel.period_order import order_periods
from tradelift.panel.region_frame import read_regions, regions_named
from tradelift.panel.regions import Regions
from tradelift.panel.row_codes import RowCodes
from tradelift.panel.screening import UNKNOWN_REGION, screen
from tradelift.programme import Programme
from tradelift.threads import side_by_side

Array = NDArray[Any]
Ints = NDArray[np.int64]

N_EXAMPLES = 3  # ids of unknown regions that an account names


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
    of_origins, of_destinations = side_by_side(encode, table.num_rows, [table[origin], table[destination]])
    found = {"origin": of_origins, "destination": of_destinations}
    known = _regions(regions, *(coded.texts for coded in found.values()))
    labels, found["period"] = _periods(table, period, periods)
    categories = None
    if category is not None:
        found["category"] = encode(table[category])
        categories = tuple(sorted({t for t in found["category"].texts if t is not None}))
    kept, stage = screen(
        _row_codes(found, known, labels, categories), known, len(categories or ("",)), domestic=domestic
    )
    stage = _with_examples(stage, found, known)
    columns = {
        name: numbers_or_text(table[name], name, "The flows table")
        for name in table.column_names
        if name not in (origin, destination, period, category, *found)
    }
    arranged = arrange(kept, columns, known, labels, categories, complete=absent == "zero")
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


def _periods(table: pa.Table, period: str | None, window: Sequence[str] | None) -> tuple[tuple[str, ...], Coded]:
    """Labels in order, and the rows' periods as codes."""
    if period is None:
        return ("all",), Coded(np.broadcast_to(np.int64(0), table.num_rows), ["all"], null=False)
    coded = encode_periods(table[period])
    named = dict.fromkeys(text for text in coded.texts if text is not None)
    return tuple(order_periods(list(named)) if window is None else window), coded


def _with_examples(stage: Stage, found: Mapping[str, Coded], regions: Regions) -> Stage:
    """The account of the flows, with a few ids that are of no region."""
    if not any(e.reason == UNKNOWN_REGION for e in stage.exclusions):
        return stage
    ids = set(map(str, regions.ids))
    named = {text for role in ("origin", "destination") for text in found[role].texts if text is not None}
    unknown = sorted(named - ids)
    shown = (*unknown[:N_EXAMPLES], *(("...",) if len(unknown) > N_EXAMPLES else ()))
    exclusions = (replace(e, examples=shown) if e.reason == UNKNOWN_REGION else e for e in stage.exclusions)
    return replace(stage, exclusions=tuple(exclusions))


def _row_codes(
    found: Mapping[str, Coded], regions: Regions, periods: tuple[str, ...], categories: tuple[str, ...] | None
) -> RowCodes:
    region = {str(region): code for code, region in enumerate(regions.ids)}
    places = {
        "origin": region,
        "destination": region,
        "period": {label: t for t, label in enumerate(periods)},
        "category": {label: c for c, label in enumerate(categories or ())},
    }
    return RowCodes(
        columns={role: coded.codes for role, coded in found.items()},
        tables={role: code_table(coded.texts, places[role]) for role, coded in found.items()},
        clean=all(
            not coded.null and all(text is None or text in places[role] for text in coded.texts)
            for role, coded in found.items()
        ),
    )


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
    codes = np.stack([recode(encode(table[name]), place) for name in region_columns(table)], axis=1)
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
    origin, destination = arranged.origin, arranged.destination
    fixed: dict[str, Array] = computed_columns(regions, origin, destination)
    columns = Columns(arranged.codes, arranged.values)
    moving: dict[str, Array] = {}
    stages = list(account.stages)
    for source in frames:
        moves = "period" in source.table.column_names
        at = (columns[PAIR], columns["period"]) if moves else (np.empty(0, dtype=np.int64),) * 2
        matched = match(source, regions, periods, origin, destination, *at)
        repeated = sorted({*matched.fixed, *matched.moving} & {*fixed, *columns, *moving})
        if repeated:
            msg = f"{source.name}: the panel has a column '{repeated[0]}' already; rename it."
            raise DataError(msg)
        fixed |= matched.fixed
        moving |= matched.moving
        stages.append(matched.stage)
    # the panel's own stands
    own = {*fixed, *(("partner", "control_type") if programme is not None else ())}
    values = {name: column for name, column in {**arranged.values, **moving}.items() if name not in own}
    columns = Columns(arranged.codes, values)
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
        cells=MemoryCells(columns=columns, blocks=arranged.blocks),
        programme=programme,
        neighbours=neighbours,
        account=Account(stages=tuple(stages), currency=account.currency, digits=account.digits),
        fingerprint=Fingerprint(parts=made_of),
    )
