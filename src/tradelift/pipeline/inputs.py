"""From the files that a study names to its panel."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tradelift.account import Account
from tradelift.errors import DataError
from tradelift.panel import Panel
from tradelift.panel.building import build
from tradelift.panel.frames import need, order_periods, period_labels
from tradelift.panel.pair_frame import PairFrame
from tradelift.panel.region_frame import read_regions
from tradelift.panel.regions import Regions
from tradelift.study import Study

Progress = Callable[[str, int, int], None]

NUMBERS = frozenset({"longitude", "latitude", "area_km2", "dose"})
TEXTS = frozenset({
    "region", "side", "group", "name", "origin", "destination", "period", "category", "start", "end", "region_1", "region_2",
})  # fmt: skip
"""Roles that stay text when a CSV file is read, so that "007" is not 7."""


def load(study: Study, *, spill: Path, progress: Progress) -> Panel:
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
    domestic = study.regions is not None and study.regions.domestic
    partners = None
    if study.partners is not None:
        text = regions.sides or () if regions is not None else ()
        partners = read_table(
            study.resolve(study.partners.file), study.partners.columns, "partners", text=text, all_text=True
        )
    pairs = []
    for source in study.pairs:
        text = regions.sides or () if regions is not None else ()
        table = read_table(study.resolve(source.file), source.columns, f"pairs: {source.file}", text=text)
        pairs.append(PairFrame(table=table, name=f"pairs: {source.file}", absent=source.absent))
    if study.transactions is not None:
        from tradelift.log import read_log

        log = read_log(
            study.transactions,
            study.folder,
            regions,
            domestic=domestic or regions is None,
            spill=spill,
            progress=progress,
        )
        cells, periods = log.cells, log.periods
        account = Account(stages=(log.stage,), currency=log.currency, digits=log.digits)
    else:
        cells, periods, account = _flows(study)
    return build(
        cells,
        category="category" if "category" in cells.column_names else None,
        regions=regions,
        partners=partners,
        pairs=pairs,
        absent="zero",
        periods=periods,
        domestic=domestic or regions is None,
        start=study.partners.start if study.partners else None,
        end=study.partners.end if study.partners else None,
        account=account,
    )


def _regions(study: Study) -> Regions | None:
    if study.regions is None:
        return None
    table = read_table(study.resolve(study.regions.file), study.regions.columns, "regions")
    return read_regions(table, study.regions.sides)


def _flows(study: Study) -> tuple[pa.Table, tuple[str, ...] | None, Account | None]:
    """Flows that are already summed, and the periods of the study's window among those that they name."""
    source = study.flows
    assert source is not None, "a study has transactions or flows"
    table = read_table(study.resolve(source.file), source.columns, "flows")
    need(table, ["origin", "destination"], f"The flows file {source.file}")
    if "period" not in table.column_names:
        return table, None, None
    found = pc.unique(period_labels(table["period"])).to_pylist()
    labels = order_periods([label for label in found if label is not None])
    if source.from_ is not None:
        labels = [p for p in labels if p in order_periods([p, source.from_])[1:] or p == source.from_]
    if source.to is not None:
        labels = [p for p in labels if p in order_periods([p, source.to])[:1] or p == source.to]
    if not labels:
        msg = f"The flows file {source.file} has no period between {source.from_} and {source.to}; found {found[:5]}."
        raise DataError(msg)
    return table, tuple(labels), None


def read_table(
    path: Path,
    columns: Mapping[str, str],
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


def _csv(path: Path, columns: Mapping[str, str], text: tuple[str, ...], *, all_text: bool) -> pa.Table:
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


def hashed_inputs(study: Study) -> list[Path]:
    """Every file that the study names, itself included, for the manifest."""
    paths = [study.path] if study.path is not None else []
    for source in (study.regions, study.partners, study.flows, *study.pairs):
        if source is not None:
            paths.append(study.resolve(source.file))
    if study.transactions is not None:
        for pattern in study.transactions.files:
            paths.extend(sorted(study.folder.glob(pattern)) if not Path(pattern).is_absolute() else [Path(pattern)])
    return paths
