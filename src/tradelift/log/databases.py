"""
Tables of databases as logs: of a DuckDB file, read in place, or of PostgreSQL, whose rows stream into DuckDB.

PostgreSQL is read through ADBC, which gives Arrow batches, in one transaction that sees one state of the table. What
its library says may quote an address, so messages say only what kind of thing went wrong.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tradelift.errors import DataError, StudyError
from tradelift.log.files import LogFile, kind_of
from tradelift.study.databases import Database

FAILURES = {
    "password authentication failed": "it refuses the user or the password; PGPASSWORD or ~/.pgpass may hold one",
    "no password supplied": "it wants a password; set PGPASSWORD, or write one into ~/.pgpass",
    "does not exist": "there is no such database, role or table",
    "Connection refused": "nothing listens there; check host and port, and whether the server runs",
    "could not translate host name": "the host is not known",
    "permission denied": "the user may not read the table",
    "timeout": "it does not answer",
}
NUMERIC = "numeric"


def inspect_table(database: Database) -> LogFile:
    """
    Find the columns of a table.

    Raises
    ------
    DataError
        If it cannot be read, or there is none.
    """
    if database.kind == "duckdb":
        types = _duckdb_types(database)
    else:
        with connected(database) as cursor:
            types = {f.name: f.type for f in _schema(cursor, database)}
    columns = {name: "number" if _is_numeric(kind) else kind_of(_plain(kind)) for name, kind in types.items()}
    return LogFile(path=database.file or Path(database.name), columns=columns, folders={}, database=database)


def _duckdb_types(database: Database) -> dict[str, pa.DataType]:
    import duckdb

    assert database.file is not None, "a DuckDB table lies in a file"
    if not database.file.is_file():
        msg = f"The log's database does not exist: {database.file}."
        raise DataError(msg)
    schema, table = database.table
    types: dict[str, pa.DataType] | None = None
    found: list[str] = []
    try:
        with duckdb.connect(str(database.file), read_only=True) as db:
            asked = "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
            tables = db.execute(asked).fetchall()
            found = [f"{s}.{t}" for s, t in tables]
            if (schema or "main", table) in tables:
                rows = db.table(f"{_quoted(schema or 'main')}.{_quoted(table)}").limit(0)
                types = {f.name: f.type for f in rows.to_arrow_table().schema}
    except duckdb.Error:
        msg = (
            f"The log's database {database.file} cannot be opened: it is no DuckDB file, in use, or of a later version."
        )
        raise DataError(msg) from None
    if types is None:
        listed = ", ".join(found) or "none"
        msg = f"{database.file} has no table '{schema or 'main'}.{table}'; found {listed}. Views are not read."
        raise DataError(msg)
    return types


@contextmanager
def connected(database: Database) -> Iterator[Any]:
    """
    A cursor of PostgreSQL in a transaction that reads one state and writes nothing.

    Raises
    ------
    StudyError
        If the driver is not installed.
    DataError
        If the database cannot be read.
    """
    try:
        import adbc_driver_postgresql.dbapi as postgresql
    except ImportError:
        msg = "To read PostgreSQL, install its driver: pip install 'tradelift[postgresql]'"
        raise StudyError(msg) from None
    failure = None
    try:
        with closing(postgresql.connect(database.url)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield cursor
    except postgresql.Error as error:
        failure = _explained(database, str(error))
    if failure is not None:
        raise failure  # outside of the handler, so that no chain leads to the library's text


def _explained(database: Database, said: str) -> DataError:
    why = next((words for part, words in FAILURES.items() if part in said), "the connection was lost or refused")
    return DataError(f"The table {database.name} cannot be read: {why}.")


def _schema(cursor: Any, database: Database) -> pa.Schema:
    cursor.execute(f"SELECT * FROM {_place(database)} LIMIT 0")  # noqa: S608 - quoted
    return cursor.fetch_arrow_table().schema


def count_rows(cursor: Any, database: Database) -> int:
    """Rows of a table of PostgreSQL."""
    cursor.execute(f"SELECT count(*) FROM {_place(database)}")  # noqa: S608 - quoted
    return int(cursor.fetchone()[0])


def stream(cursor: Any, database: Database, amount: str) -> pa.RecordBatchReader:
    """
    All rows of a table of PostgreSQL, in batches.

    Parameters
    ----------
    amount
        The column with money. Columns of the type numeric come as text, others than this without trailing zeros, and so
        does what Arrow has no type for.
    """
    columns = []
    for field in _schema(cursor, database):
        name = _quoted(field.name)
        if not _is_numeric(field.type):
            columns.append(name if _plain(field.type) == field.type else f"{name}::text AS {name}")
        elif field.name == amount:
            columns.append(f"{name}::text AS {name}")
        else:
            columns.append(f"trim_scale({name})::text AS {name}")
    cursor.execute(f"SELECT {', '.join(columns)} FROM {_place(database)}")  # noqa: S608 - quoted
    return cursor.fetch_record_batch()


def _place(database: Database) -> str:
    schema, table = database.table
    return f"{_quoted(schema)}.{_quoted(table)}" if schema else _quoted(table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_numeric(kind: pa.DataType) -> bool:
    return getattr(kind, "type_name", "") == NUMERIC


def _plain(kind: pa.DataType) -> pa.DataType:
    """Text for what Arrow has no type of its own for."""
    return pa.string() if isinstance(kind, pa.BaseExtensionType) else kind
