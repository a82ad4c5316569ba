"""From the files that a study names to its panel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tradelift.account import Account
from tradelift.designs import is_polygons, shared_borders
from tradelift.errors import DataError
from tradelift.log.files import find_files, is_file
from tradelift.memory import release
from tradelift.panel import Panel
from tradelift.panel.building import build
from tradelift.panel.frames import need, period_labels
from tradelift.panel.goods import with_goods
from tradelift.panel.pair_frame import PairFrame
from tradelift.panel.period_order import order_periods, period_position
from tradelift.panel.region_frame import read_regions
from tradelift.panel.regions import Regions
from tradelift.pipeline.cache import code_version
from tradelift.pipeline.manifest import FileHashes, hashes
from tradelift.pipeline.tables import read_table, refuse_text
from tradelift.study import MINOR_DIGITS, Study

if TYPE_CHECKING:
    from tradelift.log.store import PeriodStore

Progress = Callable[[str, int, int], None]

SINGLE_PERIOD = "all"  # what a panel calls its period where flows name none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """
    What a study's inputs come to.

    Parameters
    ----------
    panel
        The panel, every pair of regions in every period.
    by_category
        Flows by category that are not empty, or None.
    inputs
        Hash of every file that was read, the study itself included, by its name relative to the study's folder.
    recalled, summed
        Labels of the log's periods whose sums were kept from an earlier run, and of those that were summed in this one.
    """

    panel: Panel
    by_category: pa.Table | None
    inputs: Mapping[str, str]
    recalled: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()


def load(study: Study, *, spill: Path, progress: Progress, kept: Path | None = None, force: bool = False) -> Loaded:
    """
    Read everything that a study names, and build its panel.

    Parameters
    ----------
    study
        The validated study.
    spill
        Folder for what the engine cannot hold in memory; it is emptied.
    progress
        Called with a stage's name, the steps done and all steps.
    kept
        Folder of what earlier runs have kept; None: keep nothing.
    force
        Sum anew what is kept.

    Raises
    ------
    DataError
        If a file is missing, unreadable, contradicts another, or is written to at the same time.
    """
    hash_file = FileHashes()
    files = input_files(study)
    for path in files:
        if is_file(path):  # what is none has its message where it is read
            hash_file(path)
    store = None
    if kept is not None and study.transactions is not None:
        from tradelift.log.store import PeriodStore

        store = PeriodStore(kept / "periods", version=code_version(), hash_file=hash_file, force=force)
    panel, by_category = _panel(study, spill, progress, store)
    hash_file.refuse_changed()
    return Loaded(
        panel=panel,
        by_category=by_category,
        inputs=hashes(files, study.folder, hash_file),
        recalled=() if store is None else tuple(store.recalled),
        summed=() if store is None else tuple(store.summed),
    )


def _panel(study: Study, spill: Path, progress: Progress, store: "PeriodStore | None") -> tuple[Panel, pa.Table | None]:
    """The panel, and flows by category."""
    regions = _regions(study)
    sides = regions.sides or () if regions is not None else ()
    pairs = [
        PairFrame(
            table=read_table(study.resolve(source.file), source.columns, f"pairs: {source.file}", text=sides),
            name=f"pairs: {source.file}",
            absent=source.absent,
        )
        for source in study.pairs
    ]
    domestic = _is_domestic(study, regions)
    flows = _flows(study, regions, domestic=domestic, spill=spill, progress=progress, store=store)
    release()
    panel = _build(study, flows, regions, pairs)
    about = _categories(study)  # read also where no flow names a category: a mistake in it is one all the same
    by_category = flows.by_category
    if by_category is None:
        by_category = _by_category(study, flows.cells.column_names)
    del flows, pairs  # the panel has its own copy, and flows by category are as large again
    release()
    if by_category is not None:
        panel = with_goods(panel, by_category, about)
    return panel, by_category


def panel_of_cells(study: Study, cells: pa.Table) -> Panel:
    """
    Make the panel of a study from the cells that a run of it wrote.

    Parameters
    ----------
    study
        As it was at the run.
    cells
        With the covariates of pairs as columns.
    """
    return _build(study, _Flows(cells=cells, periods=None), _regions(study), ())


def _build(study: Study, flows: "_Flows", regions: Regions | None, pairs: Sequence[PairFrame]) -> Panel:
    """Put cells on the map, with the partners."""
    partners = None
    if study.partners is not None:
        path = study.resolve(study.partners.file)
        partners = read_table(path, study.partners.columns, "partners", all_text=True)
    panel = build(
        flows.cells,
        regions=regions,
        partners=partners,
        pairs=list(pairs),
        neighbours=_neighbours(study),
        absent="zero",
        periods=flows.periods,
        domestic=_is_domestic(study, regions),
        start=study.partners.start if study.partners else None,
        end=study.partners.end if study.partners else None,
        account=flows.account,
    )
    _refuse_labels(study, panel)
    source = study.transactions or study.flows
    if source is None or source.currency is None:
        return panel
    currency = source.currency
    return replace(panel, account=replace(panel.account, currency=currency, digits=MINOR_DIGITS[currency]))


def _refuse_labels(study: Study, panel: Panel) -> None:
    """Refuse a programme, breaks and samples that by their labels lie outside of the periods."""
    periods = panel.periods
    window = f"{periods[0]} to {periods[-1]}"
    if panel.programme is not None and panel.programme.never_on(len(periods)):
        msg = (
            f"No partnership covers a period: the periods are {window}, and every partnership starts after them or "
            "ends before them. Correct start and end of the partners, or leave `partners` out."
        )
        raise DataError(msg)
    for name, label in study.breaks.items():
        if not 0 < period_position(label, periods, end=False, what=f"breaks.{name}:") < len(periods):
            msg = f"breaks.{name}: {label} parts nothing: periods must lie before it and from it on; they are {window}."
            raise DataError(msg)
    for name, sample in study.samples.items():
        first, last = 0, len(periods) - 1
        if sample.from_ is not None:
            first = period_position(sample.from_, periods, end=False, what=f"samples.{name}:")
        if sample.to is not None:
            last = period_position(sample.to, periods, end=True, what=f"samples.{name}:")
        if first > last:
            msg = f"samples.{name}: no period lies in it; they are {window}."
            raise DataError(msg)


def _is_domestic(study: Study, regions: Regions | None) -> bool:
    """Whether flows within a region count."""
    return regions is None or (study.regions is not None and study.regions.domestic)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Flows:
    """Flows from a log or a table; `account` only where a log was summed."""

    cells: pa.Table
    periods: tuple[str, ...] | None
    account: Account | None = None
    by_category: pa.Table | None = None


def _flows(
    study: Study,
    regions: Regions | None,
    *,
    domestic: bool,
    spill: Path,
    progress: Progress,
    store: "PeriodStore | None",
) -> _Flows:
    if study.transactions is None:
        return _summed_flows(study)
    from tradelift.log import read_log

    log = read_log(
        study.transactions,
        study.folder,
        regions,
        domestic=domestic,
        spill=spill,
        progress=progress,
        store=store,
        engine=study.engine,
    )
    return _Flows(
        cells=log.cells,
        periods=log.periods,
        account=Account(stages=(log.stage,), currency=log.currency, digits=log.digits),
        by_category=log.by_category,
    )


def _neighbours(study: Study) -> Any:
    """A table of two columns of regions, also of polygons."""
    if study.neighbours is None:
        return None
    path = study.resolve(study.neighbours.file)
    if not is_polygons(path.name):
        return read_table(path, {}, "neighbours", all_text=True)
    if not is_file(path):
        msg = f"The neighbours file does not exist: {path}."
        raise DataError(msg)
    return shared_borders(path, study.neighbours.region)


def _categories(study: Study) -> pa.Table | None:
    if study.categories is None:
        return None
    return read_table(study.resolve(study.categories.file), study.categories.columns, "categories")


def _regions(study: Study) -> Regions | None:
    if study.regions is None:
        return None
    table = read_table(study.resolve(study.regions.file), study.regions.columns, "regions")
    return read_regions(table, study.regions.sides)


def _summed_flows(study: Study) -> _Flows:
    """Flows that are already summed, and the periods of the study's window among those that they name."""
    source = study.flows
    assert source is not None, "a study has transactions or flows"
    columns = {role: name for role, name in source.columns.items() if role != "category" or not source.by_category}
    table = read_table(study.resolve(source.file), columns, "flows")
    need(table, ["origin", "destination", "trade"], f"The flows file {source.file}")
    refuse_text(table, source.file)
    by_category = None
    if "category" in table.column_names and not source.by_category:
        by_category = _with_periods(table)
        table = sum_over_categories(table, source.file)
    if "period" not in table.column_names:
        return _Flows(cells=table, periods=None, by_category=by_category)
    found = order_periods([p for p in pc.unique(period_labels(table["period"])).to_pylist() if p is not None])
    first = 0 if source.from_ is None else period_position(source.from_, found, end=False, what="flows.from:")
    last = len(found) - 1 if source.to is None else period_position(source.to, found, end=True, what="flows.to:")
    labels = tuple(found[first : last + 1])
    if not labels:
        window = f"{source.from_ or 'the first'} to {source.to or 'the last'}"
        msg = f"The flows file {source.file} has no period in the window {window}; found {', '.join(found[:5])}."
        raise DataError(msg)
    return _Flows(cells=table, periods=labels, by_category=by_category)


def _by_category(study: Study, columns: Sequence[str]) -> pa.Table | None:
    """Flows by category of a file of their own, where there is one, beside flows of all goods with these columns."""
    source = study.flows
    if source is None or source.by_category is None:
        return None
    table = read_table(study.resolve(source.by_category), source.columns, "flows by category")
    wanted = ["origin", "destination", "category", "trade", *(["period"] if "period" in columns else [])]
    need(table, wanted, f"The file of flows by category {source.by_category}")
    refuse_text(table, source.by_category)
    return _with_periods(table)


def _with_periods(table: pa.Table) -> pa.Table:
    """Flows with their periods as text."""
    if "period" not in table.column_names:
        return table.append_column("period", pa.repeat(SINGLE_PERIOD, table.num_rows))
    if pa.types.is_dictionary(table["period"].type):
        return table  # text already, and shorter so
    return table.set_column(table.column_names.index("period"), "period", period_labels(table["period"]))


def sum_over_categories(table: pa.Table, file: str) -> pa.Table:
    """
    Sum flows of several categories to the flows of all goods.

    Parameters
    ----------
    table
        Columns origin, destination, period, category, and flows that add up: trade, deals.
    file
        How messages call it.

    Raises
    ------
    DataError
        If it holds a column that does not add up over categories.
    """
    keys = [name for name in ("origin", "destination", "period") if name in table.column_names]
    sums = [name for name in ("trade", "deals") if name in table.column_names]
    others = [name for name in table.column_names if name not in (*keys, *sums, "category")]
    if others:
        msg = (
            f"The flows file {file} is by category, and '{others[0]}' does not add up over categories. Give the flows "
            "of all goods as `file` and those by category as `by_category`."
        )
        raise DataError(msg)
    any_missing = pc.ScalarAggregateOptions(skip_nulls=False)
    summed = table.group_by(keys).aggregate([(name, "sum", any_missing) for name in sums])
    return summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])


def input_files(study: Study) -> tuple[Path, ...]:
    """
    List the study and every file that it names.

    Raises
    ------
    DataError
        If a pattern of the log matches no file.
    """
    sources = (study.regions, study.partners, study.neighbours, study.flows, study.categories, *study.pairs)
    paths = [study.resolve(source.file) for source in sources if source is not None]
    if study.flows is not None and study.flows.by_category is not None:
        paths.append(study.resolve(study.flows.by_category))
    if study.path is not None:
        paths.insert(0, study.path)
    if study.transactions is not None:
        paths += find_files(study.transactions.files, study.folder)
    return tuple(paths)
