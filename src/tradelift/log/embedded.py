"""
DuckDB, the engine that comes with the program, within a memory limit.

What it cannot hold it writes, encrypted with a key that only the process knows, below a folder of its own that is
deleted at the end, also after an error.
"""

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import ibis
import pyarrow as pa
from ibis.expr.types import Table, Value

from tradelift.log.databases import connected, count_rows, stream
from tradelift.log.engine import EngineError, Plan
from tradelift.log.files import LogFile
from tradelift.study.databases import Database

MEMORY_LIMIT = "1GB"
COMPACT = "compact"
ROWS_A_THREAD = 500_000  # a month of 336,000 rows takes a quarter less CPU with one thread than with two
SETTINGS = (
    "TimeZone = 'UTC'",  # so that casts between instants and moments are to and from UTC
    "autoinstall_known_extensions = false",  # nothing is fetched from the network
    "autoload_known_extensions = false",
    "preserve_insertion_order = false",  # order is asked for where it matters
    "enable_progress_bar = false",  # in a terminal Ibis turns it on, and it would write to standard output
    "force_mbedtls_unsafe = 'true'",  # the cipher that is built in; any other needs an extension
    "temp_file_encryption = true",
)


class DuckDB:
    """
    A connection with its folder; use it in a `with` statement.

    Parameters
    ----------
    spill
        Folder in which the engine makes its own.
    memory_limit
        As DuckDB writes it.
    """

    at_once = False

    def __init__(self, spill: Path, memory_limit: str = MEMORY_LIMIT) -> None:
        spill.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="engine-", dir=spill))
        self.connection: Any = ibis.duckdb.connect(memory_limit=memory_limit, temp_directory=str(self.folder))
        for setting in SETTINGS:
            self.connection.raw_sql(f"SET {setting}")
        self.connection.raw_sql(f"ATTACH ':memory:' AS {COMPACT} (COMPRESS)")
        self._threads = int(self.connection.con.execute("SELECT current_setting('threads')").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.disconnect()
        shutil.rmtree(self.folder, ignore_errors=True)

    def parquet(self, files: Sequence[LogFile], *, folders: bool = False) -> Table:
        """Parquet files as one table, as `Engine` says."""
        options: dict[str, Any] = {"hive_types_autocast": False} if folders else {}
        with translated():
            return self.connection.read_parquet(
                [str(file.path) for file in files],
                union_by_name=True,
                binary_as_string=True,
                hive_partitioning=folders,
                **options,
            )

    def csv(self, path: Path, columns: Sequence[str], delimiter: str) -> Table:
        """A CSV file with a header, every column as text; an empty field is null."""
        with translated(path):
            return self.connection.read_csv(
                str(path),
                columns=dict.fromkeys(columns, "VARCHAR"),
                header=True,
                auto_detect=False,
                delim=delimiter,
                quote='"',
                escape='"',
                nullstr="",
                allow_quoted_nulls=True,
                hive_partitioning=False,
            )

    @contextmanager
    def database(self, database: Database, amount: str) -> Iterator[tuple[Table, int]]:
        """A table of a database, as `Engine` says; one of PostgreSQL can be read once."""
        if database.kind == "duckdb":
            with translated():
                path = str(database.file).replace("'", "''")
                self.connection.raw_sql(f"ATTACH '{path}' AS log_database (READ_ONLY)")
                schema, name = database.table
                table = self.connection.table(name, database=("log_database", schema or "main"))
            yield table, int(self.one(table.agg(rows=table.count()))["rows"])
            return
        with connected(database) as cursor:
            rows = count_rows(cursor, database)
            batches = stream(cursor, database, amount)
            self.connection.con.register("log_stream", batches)
            yield self.connection.table("log_stream"), rows
            self.connection.con.unregister("log_stream")

    def expect(self, rows: int) -> None:
        """Use fewer threads where there is little for each: what they share then costs more than they gain."""
        with translated():
            self.connection.con.execute(f"SET threads = {max(1, min(self._threads, rows // ROWS_A_THREAD))}")

    def hash_two(self, first: Any, second: Any) -> Value:
        """A hash of two values of any types."""
        return _hash(first, second)

    def memory(self, name: str, table: pa.Table) -> Table:
        """A small table of ours."""
        with translated():
            return self.connection.create_table(name, table, temp=True, overwrite=True)

    def name(self, name: str, rows: Table) -> Table:
        """Give an expression a name, so that plans that read it stay valid when the name gets another one."""
        with translated():
            return self.connection.create_view(name, rows, overwrite=True)

    def plan(self, rows: Table) -> Plan:
        """Translate an expression once, to be evaluated as often as the names that it reads change."""
        return Plan(sql=self.connection.compile(rows), schema=rows.schema().to_pyarrow())

    def keep(self, name: str, rows: Table | Plan) -> Table:
        """Evaluate an expression once and keep its rows under a name, in memory as far as they fit."""
        plan = rows if isinstance(rows, Plan) else self.plan(rows)
        with translated():
            self.connection.con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {plan.sql}')
            return self.connection.table(name, database="temp.main")

    def gather(self, name: str, parts: Iterable[tuple[Path | None, Table]], *, large: int) -> Table:
        """
        Keep the rows of several expressions together for many readings.

        Parameters
        ----------
        name
            What they are kept as.
        parts
            Expressions with the same columns, taken one after the other, each with the file to blame if it fails.
        large
            More rows than that are compressed: that takes a while, but leaves the memory to what reads them.
        """
        verb = f'CREATE TABLE {COMPACT}."{name}" AS'
        for path, rows in parts:
            with translated(path):
                self.connection.con.execute(f"{verb} {self.plan(rows).sql}")
            verb = f'INSERT INTO {COMPACT}."{name}" BY NAME'
        with translated():
            table = self.connection.table(name, database=f"{COMPACT}.main")
            if self.one(table.agg(rows=table.count()))["rows"] > large:
                self.connection.con.execute(f"CHECKPOINT {COMPACT}")
            return table

    def fetch(self, rows: Table | Plan) -> pa.Table:
        """Evaluate an expression whose rows may leave the engine."""
        plan = rows if isinstance(rows, Plan) else self.plan(rows)
        with translated():
            found = self.connection.con.execute(plan.sql).to_arrow_table()
            return found.cast(plan.schema)  # sums are wider inside of the engine

    def one(self, aggregates: Table) -> Mapping[str, Any]:
        """Evaluate an expression of one row."""
        row: Mapping[str, Any] = self.fetch(aggregates).to_pylist()[0]
        return row


@ibis.udf.scalar.builtin(name="hash", signature=((None, None), "uint64"))  # type: ignore[untyped-decorator]
def _hash(first: Any, second: Any) -> Any:
    """Not cast bit by bit, as the hash of one value in Ibis is, which takes half of the time."""


@contextmanager
def translated(path: Path | None = None) -> Iterator[None]:
    """Turn the engine's errors into ours, without their text and without a chain that leads back to it."""
    failure = None
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        failure = _failure(error)
        failure.path = path
    if failure is not None:
        raise failure


def _failure(error: Exception) -> EngineError:
    text = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    kind = "other"
    if "No space left" in text or "max_temp_directory_size" in text:
        kind = "space"
    elif isinstance(error, duckdb.OutOfMemoryException):
        kind = "memory"
    elif isinstance(error, duckdb.OutOfRangeException) or re.search(
        "out of range|not in range|out of bounds|would cause data loss|precision", text
    ):
        kind = "overflow"
    elif line is not None or isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)):
        kind = "input"
    return EngineError(kind, int(line[1]) if line else None)
