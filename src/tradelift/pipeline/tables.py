"""Small files of a study, as tables whose columns are called by their roles."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tradelift.errors import DataError
from tradelift.log.files import delimiter_of, is_file, is_folder, kind_of
from tradelift.panel.frames import as_text, need

NUMBERS = frozenset({"longitude", "latitude", "area_km2", "dose"})
TEXTS = frozenset({
    "region", "side", "group", "name", "origin", "destination", "period", "category", "start", "end",
    "region_1", "region_2",
})  # fmt: skip
"""Roles that stay text when a CSV file is read, so that "007" is not 7."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


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
        The file; a name that ends in .parquet is Parquet, all else CSV, its fields apart by what parts its header:
        commas, semicolons, tabs or bars.
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
        If the file is missing, unreadable, without rows, or lacks a column that `columns` names.
    """
    if not is_file(path):
        msg = f"The {what} file {'is a folder' if is_folder(path) else 'does not exist'}: {path}."
        raise DataError(msg)
    try:
        table = _parquet(path) if path.suffix == ".parquet" else _csv(path, columns, text, all_text=all_text)
    except UnicodeDecodeError:
        msg = (
            f"The {what} file cannot be read as text in UTF-8: {path}. Save it as CSV in UTF-8, or as Parquet under a "
            "name that ends in .parquet."
        )
        raise DataError(msg) from None
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        first = str(error).splitlines()[0]
        msg = f"The {what} file cannot be read: {path}: {first}"
        raise DataError(msg) from None
    need(table, list(columns.values()), f"The {what} file {path.name}")
    if not table.num_rows:
        msg = f"The {what} file {path.name} has no rows{'' if path.suffix == '.parquet' else ' below its header'}."
        raise DataError(msg)
    for name, count in Counter(table.column_names).items():
        if count > 1:
            msg = f"The {what} file {path} has {count} columns '{name}'; rename or remove all but one."
            raise DataError(msg)
    taken = {role: table[name] for role, name in columns.items()}
    rest = {n: table[n] for n in table.column_names if n not in taken and n not in columns.values()}
    return pa.table(taken | rest)


def _parquet(path: Path) -> pa.Table:
    table = pq.read_table(path, page_checksum_verification=True)
    table.validate(full=True)  # else text that is no UTF-8 is found out where somebody reads it
    return table


def _csv(path: Path, columns: Mapping[Any, str], text: tuple[str, ...], *, all_text: bool) -> pa.Table:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline().rstrip("\r\n")
    if not header:
        msg = "the file is empty"
        raise pa.ArrowInvalid(msg)
    role = {name: role for role, name in columns.items()}
    form = pa_csv.ParseOptions(delimiter=delimiter_of(header))
    names = pa_csv.read_csv(pa.BufferReader(header.encode() + b"\n"), parse_options=form).column_names
    kinds = {
        name: pa.string()
        for name in names
        if role.get(name, name) in TEXTS or name in text or (all_text and role.get(name, name) not in NUMBERS)
    }
    options = pa_csv.ConvertOptions(column_types=kinds, strings_can_be_null=True)
    return pa_csv.read_csv(path, parse_options=form, convert_options=options)


def refuse_text(table: pa.Table, file: str) -> None:
    """
    Refuse flows that are text.

    Parameters
    ----------
    table
        Flows, with columns called by their roles.
    file
        How messages call it.

    Raises
    ------
    DataError
        If one of their columns is not of numbers; one value is shown.
    """
    for name in ("trade", "deals"):
        if name not in table.column_names or kind_of(table[name].type) != "text":
            continue
        texts = [text for text in as_text(table[name]).to_pylist() if text is not None]
        wrong = [text for text in texts if not NUMBER.fullmatch(text)]
        msg = (
            f"The column '{name}' of the flows file {file} must hold numbers; found text such as "
            f"'{(wrong or texts or [''])[0]}' ({len(wrong):,} of {table.num_rows:,} rows are no numbers). Write "
            "numbers as 1234.5, without thousands separators or units, and leave unknown ones empty."
        )
        raise DataError(msg)
