"""From Parquet files to a panel whose cells stay in them: two readings, and nothing kept that grows with the rows."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.account import Account, Exclusion, Stage
from tradelift.errors import DataError
from tradelift.panel.building import neighbour_codes, pair_frames
from tradelift.panel.cells import PAIR, Array, Ints
from tradelift.panel.digest import Fingerprint
from tradelift.panel.directed import computed_columns, directed_pairs
from tradelift.panel.frames import recode, to_arrow
from tradelift.panel.pair_frame import PairFrame, match
from tradelift.panel.panel import Panel
from tradelift.panel.partner_frame import read_partners
from tradelift.panel.period_order import order_periods
from tradelift.panel.region_frame import read_regions, regions_named
from tradelift.panel.regions import Regions
from tradelift.panel.row_groups import (
    ROLES,
    Keys,
    RowGroup,
    encode_batch,
    find_files,
    is_date,
    read,
    row_groups,
    shorten_days,
)
from tradelift.panel.stored import PART_CELLS, DoubledError, StoredCells, find_lattices, keep_rows

HASHED = 2**20  # bytes hashed at once


@dataclass(slots=True, kw_only=True, eq=False)
class Index:
    """
    What the first reading finds.

    Parameters
    ----------
    places
        Code of each text by role, in order of appearance.
    periods
        Codes of the periods in each row group.
    pairs
        Keys of the directed pairs: origin x 2^32 + destination, ascending.
    reasons
        Rows that are not cells, by reason.
    kept
        Rows that are.
    dated
        Whether all periods are dates.
    """

    places: dict[str, dict[str, int]]
    periods: list[Ints] = field(default_factory=list)
    pairs: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    reasons: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    dated: bool = True


def open_parquet(
    source: Any,
    *,
    origin: str = "origin",
    destination: str = "destination",
    period: str | None = None,
    category: str | None = None,
    regions: Any = None,
    partners: Any = None,
    pairs: Any = None,
    neighbours: Any = None,
    part_cells: int = PART_CELLS,
) -> Panel:
    """
    Open a panel as `Panel.from_parquet` does.

    Parameters
    ----------
    part_cells
        Cells brought into memory at once, but never less than a period.
    """
    files = find_files(source)
    keys = Keys(origin=origin, destination=destination, period=period, category=category)
    groups, columns = row_groups(files, keys)
    if period is None and "period" in columns:
        keys = Keys(origin=origin, destination=destination, period="period", category=category)
    given = None if regions is None else read_regions(to_arrow(regions, "regions"))
    index = _index(groups, keys, given)
    known = regions_named(set(index.places["origin"])) if given is None else given
    labels, period_place = _periods(index)
    categories = None if category is None else tuple(sorted(index.places["category"]))
    place = {str(region): code for code, region in enumerate(known.ids)}
    a, b = _pairs(index, place)
    lattices, lattice, cell = find_lattices(a, b, len(known), len(categories or ("",)), known.side)
    pair_of: Ints = np.full((len(known), len(known)), -1)
    pair_of[a, b] = np.arange(len(a))
    move = np.array([period_place[raw] for raw in index.places["period"]], dtype=np.int64)
    own = {"origin": place, "destination": place, "period": period_place}
    cells = StoredCells(
        groups=tuple((g, np.unique(move[p])) for g, p in zip(groups, index.periods, strict=True)),
        keys=keys,
        places=own | {"category": {label: c for c, label in enumerate(categories or ())}},
        side=known.side,
        n_rows=index.kept,
        names=(),
        lattices=lattices,
        pair_of=pair_of,
        lattice=lattice,
        place=cell,
        part_cells=part_cells,
    )
    programme = None if partners is None else read_partners(to_arrow(partners, "partners"), known, labels)
    computed = computed_columns(known, a, b)
    ruled = {"direction", *computed, *(("partner", "control_type") if programme is not None else ())}
    others = [name for name in columns if name not in {*keys.names, *ROLES, *ruled}]
    fixed = _read_all(cells, others, len(a), known, labels, categories)
    roles = [role for role in ROLES if role != "category" or categories is not None]
    names = (*roles, *(name for name in others if name not in fixed), PAIR)
    more, stages = _match_pairs(pair_frames(pairs), known, labels, a, b, {*computed, *others})
    directed = directed_pairs(known, a, b, programme, {**computed, **fixed, **more})
    borders = neighbour_codes(neighbours, known)
    made_of = (
        *_hashes(files), list(keys.names), list(labels), list(categories or ()), known.ids, known.columns, known.side,
        list(known.sides or ()), directed.columns, directed.partnership, directed.control_type, borders,
        *((programme.start, programme.end, programme.dose) if programme else ()),
    )  # fmt: skip
    return Panel(
        regions=known,
        periods=labels,
        categories=categories,
        pairs=directed,
        cells=cells.with_names(names),
        programme=programme,
        neighbours=borders,
        account=Account(stages=(_stage(index), *stages)),
        fingerprint=Fingerprint(parts=made_of),
    )


def _index(groups: Sequence[RowGroup], keys: Keys, regions: Regions | None) -> Index:
    """Read the keys: which regions, periods and pairs there are, and which rows are no cells."""
    known = {} if regions is None else {str(region): code for code, region in enumerate(regions.ids)}
    index = Index(places={"origin": known, "destination": known, "period": {}, "category": {}})
    if keys.period is None:
        index.places["period"] = {"all": 0}
    grows = {role for role in ROLES if regions is None or role in ("period", "category")}
    for group in groups:
        periods: set[int] = set()
        for batch in read(group, keys.names, coded=True):
            codes = {role: np.zeros(batch.num_rows, dtype=np.int64) for role in ROLES}
            for role, name in keys.by_role.items():
                index.dated &= role != "period" or is_date(batch[name].type)
                coded = encode_batch(batch[name], period=role == "period")
                if role in grows:
                    for text in coded.texts:
                        if text is not None:
                            index.places[role].setdefault(text, len(index.places[role]))
                codes[role] = recode(coded, index.places[role])
            periods.update(np.unique(codes["period"]).tolist())
            _count(index, codes, None if regions is None else regions.side)
        index.periods.append(np.array(sorted(periods - {-1}), dtype=np.int64))
    if not index.kept:
        found = "; ".join(f"{reason}: {rows:,}" for reason, rows in index.reasons.items())
        total = sum(group.rows for group in groups)
        msg = f"None of the {total:,} flows is usable ({found}). Check the ids against the regions."
        raise DataError(msg)
    return index


def _count(index: Index, codes: Mapping[str, Ints], side: Ints | None) -> None:
    """Count the rows of a batch that are kept, and those that are not by their first reason."""
    keep = keep_rows(codes, side)
    null = np.logical_or.reduce([values == -1 for values in codes.values()])
    unknown = ~null & ((codes["origin"] < 0) | (codes["destination"] < 0))
    index.reasons["null key"] += int(null.sum())
    index.reasons["unknown region"] += int(unknown.sum())
    index.reasons["not between the two sides"] += int((~keep & ~null & ~unknown).sum())
    index.kept += int(keep.sum())
    index.pairs = np.union1d(index.pairs, (codes["origin"][keep] << 32) + codes["destination"][keep])


def _periods(index: Index) -> tuple[tuple[str, ...], dict[str, int]]:
    """Labels in order, and the position of each spelling in the files."""
    raw = list(index.places["period"])
    label = shorten_days(raw) if index.dated else {text: text for text in raw}
    labels = tuple(order_periods(list(label.values())))
    position = {text: n for n, text in enumerate(labels)}
    return labels, {text: position[label[text]] for text in raw}


def _pairs(index: Index, place: Mapping[str, int]) -> tuple[Ints, Ints]:
    """Region codes of the directed pairs, ordered by origin and destination."""
    move = np.array([place[text] for text in index.places["origin"]], dtype=np.int64)
    a, b = move[index.pairs >> 32], move[index.pairs & (2**32 - 1)]
    order = np.lexsort((b, a))
    return a[order], b[order]


def _read_all(
    cells: StoredCells, names: Sequence[str], n_pairs: int, regions: Regions, periods: tuple[str, ...],
    categories: tuple[str, ...] | None,
) -> dict[str, Array]:  # fmt: skip
    """
    Read the cells: refuse those that stand twice, and give the columns that are the same in all cells of a pair.

    A column is read no further once it moves.
    """
    held: dict[str, Array] = dict.fromkeys(names, np.empty(0))
    seen = np.zeros(n_pairs, dtype=bool)
    twice: list[DoubledError] = []
    for start, stop in cells.spans():
        try:
            part = cells.part(start, stop)
        except DoubledError as error:
            twice.append(error)
            continue
        pair = part.column(PAIR)
        for name in list(held) if not twice else []:
            values = part.column(name)
            known = _widen(held[name], values, n_pairs)
            new = ~seen[pair]
            known[pair[new]] = values[new]
            if _same(known[pair], values):
                held[name] = known
            else:
                del held[name]
        seen[pair] = True
    if twice:
        _refuse_doubled(twice, regions, periods, categories)
    return held


def _widen(held: Array, values: Array, n_pairs: int) -> Array:
    if not len(held):
        return np.zeros(n_pairs, dtype=values.dtype)
    return held.astype(np.promote_types(held.dtype, values.dtype), copy=False)


def _same(a: Array, b: Array) -> bool:
    equal: NDArray[np.bool_] = a == b
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        equal |= np.isnan(a) & np.isnan(b)
    return bool(equal.all())


def _refuse_doubled(
    twice: Sequence[DoubledError], regions: Regions, periods: tuple[str, ...], categories: tuple[str, ...] | None
) -> None:
    a, b, t, c = twice[0].first
    where = [periods[t], *([categories[c]] if categories is not None else [])]
    msg = (
        f"{sum(error.count for error in twice):,} flows stand twice, the first of them {regions.ids[a]} -> "
        f"{regions.ids[b]} in {', '.join(where)}; sum them, or name the column that tells them apart (period, "
        f"category)."
    )
    raise DataError(msg)


def _match_pairs(
    frames: Sequence[PairFrame], regions: Regions, periods: tuple[str, ...], origin: Ints, destination: Ints,
    taken: set[str],
) -> tuple[dict[str, Array], list[Stage]]:  # fmt: skip
    """Covariates of the pairs from frames, and their stages of the account."""
    columns: dict[str, Array] = {}
    stages = []
    none = np.empty(0, dtype=np.int64)
    for frame in frames:
        if "period" in frame.table.column_names:
            msg = f"{frame.name}: covariates that move in time cannot join a stored panel; write them into its files."
            raise DataError(msg)
        matched = match(frame, regions, periods, origin, destination, none, none)
        repeated = sorted(set(matched.fixed) & (taken | set(columns)))
        if repeated:
            msg = f"{frame.name}: the panel has a column '{repeated[0]}' already; rename it."
            raise DataError(msg)
        columns |= matched.fixed
        stages.append(matched.stage)
    return columns, stages


def _stage(index: Index) -> Stage:
    exclusions = tuple(Exclusion(reason=reason, rows=rows) for reason, rows in index.reasons.items() if rows)
    read_rows = index.kept + sum(e.rows for e in exclusions)
    return Stage(name="flows", read_rows=read_rows, kept_rows=index.kept, exclusions=exclusions)


def _hashes(files: Sequence[Path]) -> list[str]:
    """Hash of the content of each file."""
    out = []
    for path in files:
        state = hashlib.blake2b(digest_size=16)
        with path.open("rb") as file:
            while block := file.read(HASHED):
                state.update(block)
        out.append(state.hexdigest())
    return out
