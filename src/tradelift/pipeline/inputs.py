"""From the files that a study names to its panel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tradelift.account import Account
from tradelift.errors import DataError
from tradelift.panel import Panel
from tradelift.panel.building import build
from tradelift.panel.frames import need, order_periods, period_labels, period_position
from tradelift.panel.pair_frame import PairFrame
from tradelift.panel.region_frame import read_regions
from tradelift.panel.regions import Regions
from tradelift.study import Study

Progress = Callable[[str, int, int], None]

NUMBERS = frozenset({"longitude", "latitude", "area_km2", "dose"})
TEXTS = frozenset({
    "region", "side", "group", "name", "origin", "destination", "period", "category", "start", "end",
    "region_1", "region_2",
})  # fmt: skip
"""Roles that stay text when a CSV file is read, so that "007" is not 7."""


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
    files
        Every file that was read, the study itself included.
    """

    panel: Panel
    by_category: pa.Table | None
    files: tuple[Path, ...]


def load(study: Study, *, spill: Path, progress: Progress) -> Loaded:
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

    Raises
    ------
    DataError
        If a file is missing, unreadable or contradicts another.
    """
    regions = _regions(study)
    domestic = regions is None or (study.regions is not None and study.regions.domestic)
    sides = regions.sides or () if regions is not None else ()
    partners = None
    if study.partners is not None:
        path = study.resolve(study.partners.file)
        partners = read_table(path, study.partners.columns, "partners", all_text=True)
    pairs = [
        PairFrame(
            table=read_table(study.resolve(source.file), source.columns, f"pairs: {source.file}", text=sides),
            name=f"pairs: {source.file}",
            absent=source.absent,
        )
        for source in study.pairs
    ]
    flows = _flows(study, regions, domestic=domestic, spill=spill, progress=progress)
    panel = build(
        flows.cells,
        regions=regions,
        partners=partners,
        pairs=pairs,
        absent="zero",
        periods=flows.periods,
        domestic=domestic,
        start=study.partners.start if study.partners else None,
        end=study.partners.end if study.partners else None,
        account=flows.account,
    )
    return Loaded(panel=panel, by_category=flows.by_category, files=(*_named_files(study), *flows.files))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Flows:
    """Flows from a log or a table; `account` only where a log was summed."""

    cells: pa.Table
    periods: tuple[str, ...] | None
    account: Account | None = None
    by_category: pa.Table | None = None
    files: tuple[Path, ...] = ()


def _flows(study: Study, regions: Regions | None, *, domestic: bool, spill: Path, progress: Progress) -> _Flows:
    if study.transactions is None:
        return _summed_flows(study)
    from tradelift.log import read_log

    log = read_log(study.transactions, study.folder, regions, domestic=domestic, spill=spill, progress=progress)
    return _Flows(
        cells=log.cells,
        periods=log.periods,
        account=Account(stages=(log.stage,), currency=log.currency, digits=log.digits),
        by_category=log.by_category,
        files=log.files,
    )


def _regions(study: Study) -> Regions | None:
    if study.regions is None:
        return None
    table = read_table(study.resolve(study.regions.file), study.regions.columns, "regions")
    return read_regions(table, study.regions.sides)


def _summed_flows(study: Study) -> _Flows:
    """Flows that are already summed, and the periods of the study's window among those that they name."""
    source = study.flows
    assert source is not None, "a study has transactions or flows"
    table = read_table(study.resolve(source.file), source.columns, "flows")
    need(table, ["origin", "destination", "trade"], f"The flows file {source.file}")
    if "period" not in table.column_names:
        return _Flows(cells=table, periods=None)
    found = order_periods([p for p in pc.unique(period_labels(table["period"])).to_pylist() if p is not None])
    first = 0 if source.from_ is None else period_position(source.from_, found, end=False)
    last = len(found) - 1 if source.to is None else period_position(source.to, found, end=True)
    labels = tuple(found[first : last + 1])
    if not labels:
        window = f"{source.from_ or 'the first'} to {source.to or 'the last'}"
        msg = f"The flows file {source.file} has no period in the window {window}; found {', '.join(found[:5])}."
        raise DataError(msg)
    return _Flows(cells=table, periods=labels)


def read_table(
    path: Path,
    columns: Mapping[Any, str],
    what: str,
    *,
    text: tuple[str, ...] = (),
    all_text: bool = False,
) -> pa.Table:
    """
    Read a small Parquet or CSV file, with its columns called by their roles.

    Parameters
    ----------
    path
        The file; a name that ends in .parquet is Parquet, all else CSV.
    columns
        Role to column name; a role takes the place of another column of that name.
    what
        How messages call the file.
    text
        Further columns that hold ids.
    all_text
        Whether every column without a number's role is text.

    Raises
    ------
    DataError
        If the file is missing, unreadable, or lacks a column that `columns` names.
    """
    if not path.is_file():
        msg = f"The {what} file does not exist: {path}."
        raise DataError(msg)
    try:
        table = _parquet(path) if path.suffix == ".parquet" else _csv(path, columns, text, all_text=all_text)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        msg = f"The {what} file cannot be read: {path}: {first}"
        raise DataError(msg) from None
    need(table, list(columns.values()), f"The {what} file {path.name}")
    taken = {role: table[name] for role, name in columns.items()}
    rest = {n: table[n] for n in table.column_names if n not in taken and n not in columns.values()}
    return pa.table(taken | rest)


def _parquet(path: Path) -> pa.Table:
    return pq.read_table(path)


def _csv(path: Path, columns: Mapping[Any, str], text: tuple[str, ...], *, all_text: bool) -> pa.Table:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline().rstrip("\r\n")
    if not header:
        msg = "the file is empty"
        raise pa.ArrowInvalid(msg)
    role = {name: role for role, name in columns.items()}
    names = pa_csv.read_csv(pa.BufferReader(header.encode() + b"\n")).column_names
    kinds = {
        name: pa.string()
        for name in names
        if role.get(name, name) in TEXTS or name in text or (all_text and role.get(name, name) not in NUMBERS)
    }
    options = pa_csv.ConvertOptions(column_types=kinds, strings_can_be_null=True)
    return pa_csv.read_csv(path, convert_options=options)


def _named_files(study: Study) -> list[Path]:
    """The study and every small file that it names."""
    sources = (study.regions, study.partners, study.flows, *study.pairs)
    paths = [study.resolve(source.file) for source in sources if source is not None]
    return [study.path, *paths] if study.path is not None else paths
