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
from itertools import count
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.types import Table, Value

from tradelift.log.databases import connected, count_rows, stream
from tradelift.log.engine import EngineError, Near, Plan
from tradelift.log.files import LogFile
from tradelift.log.sorting import repeated_values, sort_lists
from tradelift.solve import compiled
from tradelift.study.databases import Database

MEMORY_LIMIT = "1GB"
COMPACT = "compact"
GIVEN = "tradelift_given"  # a table of ours, while it is copied
PART = "tradelift_part"
SORT, LISTS = "tradelift_in_order", "BIGINT[]"
BATCH = 1_000_000  # hashes
SPARE = 1.05  # parts of hashes by their remainder are nearly equal
HASHES_OF_MEMORY = 4  # they may take a quarter of the engine's limit at a time, beside it
ROWS_OF_MEMORY = 2  # rows of a period may take half of it with what is made of them, while the engine holds little
BYTES_A_ROW = 200  # they take so much together
ROWS_A_THREAD = 500_000  # a month of 336,000 rows takes a quarter less CPU with one thread than with two
SETTINGS = (
    "TimeZone = 'UTC'",  # so that casts between instants and moments are to and from UTC
    "autoinstall_known_extensions = false",  # nothing is fetched from the network
    "autoload_known_extensions = false",
    "preserve_insertion_order = false",  # order is asked for where it matters
    "enable_progress_bar = false",  # in a terminal Ibis turns it on, and it would write to standard output
    "disabled_optimizers = 'cte_filter_pusher'",  # what sums want together is all rows, asked for a second time
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
        self._numbers = count()
        self._schemas: dict[tuple[tuple[str, str], ...], Any] = {}
        self._hashes_at_once = in_bytes(memory_limit) // HASHES_OF_MEMORY // 8
        self.near: Near | None = self if compiled.loaded() else None
        self._few = in_bytes(memory_limit) // ROWS_OF_MEMORY // BYTES_A_ROW
        self.connection.con.create_function(SORT, sort_lists, [LISTS], LISTS, type="arrow")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.disconnect()
        shutil.rmtree(self.folder, ignore_errors=True)

    def parquet(self, files: Sequence[LogFile], *, folders: bool = False) -> Table:
        """Parquet files as one table, as `Engine` says."""
        name = f"log_files_{next(self._numbers)}"
        paths = ", ".join(_quoted(str(file.path)) for file in files)
        options = "hive_types_autocast = false" if folders else "hive_partitioning = false"
        return self._view(
            name, f"FROM read_parquet([{paths}], union_by_name = true, binary_as_string = true, {options})"
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
                self.connection.raw_sql(f"ATTACH {_quoted(str(database.file))} AS log_database (READ_ONLY)")
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

    def key(self, value: Any) -> Value:
        """A hash of a value, as `Near` says: of an integer DuckDB mixes the bits in steps that can be undone."""
        return _hash_one(value)

    def few(self, plan: Plan) -> pa.Table | None:
        """Evaluate a plan of one expression, as `Near` says; rows after those that fit are not asked for."""
        (schema,) = plan.schemas.values()
        batches, rows = [], 0
        with translated():
            for batch in self.connection.con.execute(plan.sql[0]).to_arrow_reader(BATCH):
                batches.append(batch)
                rows += len(batch)
                if rows > self._few:
                    return None
            found = pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()
            return found.combine_chunks()

    def hash_two(self, first: Any, second: Any) -> Value:
        """A hash of two values of any types."""
        return _hash(first, second)

    def repeated(self, name: str, hashes: Table, rows: int) -> Table | None:
        """Keep the hashes that occur more than once, as `Engine` says: sorted here, which is the fastest by far."""
        column = hashes.columns[0]
        passes = max(ceil(rows / self._hashes_at_once), 1)
        expected = ceil(rows / passes * SPARE)
        found = []
        for k in range(passes):
            some = hashes if passes == 1 else hashes.filter(hashes[column] % passes == k)
            with translated():
                batches = self.connection.con.execute(self._sql(some)).to_arrow_reader(BATCH)
                found.append(repeated_values((batch.column(0).to_numpy() for batch in batches), expected))
        again = np.concatenate(found)
        return self.memory(name, pa.table({column: again})) if len(again) else None

    def in_order(self, integers: Any) -> Value:
        """The integers of a group in a list from the smallest to the largest; DuckDB's own sort takes longer."""
        return _in_order(integers.collect(include_null=True))  # there are none, and to look for them takes a while

    def memory(self, name: str, table: pa.Table) -> Table:
        """A small table of ours."""
        with translated():
            self.connection.con.register(GIVEN, table)
            try:
                self.connection.con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS FROM {GIVEN}')
            finally:
                self.connection.con.unregister(GIVEN)
            return self._described(name)

    def name(self, name: str, rows: Table) -> Table:
        """Give an expression a name, so that plans that read it stay valid when the name gets another one."""
        return self._view(name, self._sql(rows))

    def plan(self, parts: Mapping[str, Table]) -> Plan:
        """Translate expressions into one statement, so that what several of them read is made once and not stored."""
        if len(parts) == 1:
            ((name, rows),) = parts.items()
            return Plan(sql=(self._sql(rows),), schemas={name: rows.schema().to_pyarrow()})
        kinds = {name: kind for rows in parts.values() for name, kind in rows.schema().items()}
        padded = [
            rows.select(
                **{PART: ibis.literal(k, "int8")},
                **{name: rows[name] if name in rows.columns else ibis.null(kind) for name, kind in kinds.items()},
            )
            for k, rows in enumerate(parts.values())
        ]
        schemas = {name: rows.schema().to_pyarrow() for name, rows in parts.items()}
        return Plan(sql=(self._sql(ibis.union(*padded)),), schemas=schemas)

    def keep(self, name: str, rows: Table) -> Table:
        """Evaluate an expression once and keep its rows under a name, in memory as far as they fit."""
        with translated():
            self.connection.con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {self._sql(rows)}')
            return self.connection.table(name, database="temp.main")

    def share(self, name: str, rows: Table) -> Table:
        """Rows that several expressions of one plan read: it evaluates them once, without a table, which costs more."""
        del name
        return rows

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
                self.connection.con.execute(f"{verb} {self._sql(rows)}")
            verb = f'INSERT INTO {COMPACT}."{name}" BY NAME'
        with translated():
            table = self.connection.table(name, database=f"{COMPACT}.main")
            if self.one(table.agg(rows=table.count()))["rows"] > large:
                self.connection.con.execute(f"CHECKPOINT {COMPACT}")
            return table

    def fetch(self, rows: Table) -> pa.Table:
        """Evaluate an expression whose rows may leave the engine."""
        with translated():
            found = self.connection.con.execute(self._sql(rows)).to_arrow_table()
            return found.cast(rows.schema().to_pyarrow())  # sums are wider inside of the engine

    def fetch_all(self, plan: Plan) -> dict[str, pa.Table]:
        """Evaluate a plan's one statement, and take its expressions apart again."""
        with translated():
            found = self.connection.con.execute(plan.sql[0]).to_arrow_table()
            if len(plan.schemas) == 1:
                ((name, schema),) = plan.schemas.items()
                return {name: found.cast(schema)}
            return {
                name: found.filter(pc.equal(found[PART], k)).select(schema.names).cast(schema)
                for k, (name, schema) in enumerate(plan.schemas.items())
            }

    def one(self, aggregates: Table) -> Mapping[str, Any]:
        """Evaluate an expression of one row."""
        row: Mapping[str, Any] = self.fetch(aggregates).to_pylist()[0]
        return row

    def _view(self, name: str, sql: str) -> Table:
        """A view; Ibis takes longer to make one, and for its types, than a month of few rows takes to be read."""
        with translated():
            self.connection.con.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {sql}')
            return self._described(name)

    def _described(self, name: str) -> Table:
        """A temporary table or view, with its types."""
        found = self.connection.con.execute(f'DESCRIBE "{name}"').fetchall()
        types = tuple((column, kind) for column, kind, *_ in found)
        if types not in self._schemas:
            self._schemas[types] = self.connection.table(name, database="temp.main").schema()
        return ibis.table(self._schemas[types], name=name)

    def _sql(self, rows: Table) -> str:
        text: str = self.connection.compile(rows)
        return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def in_bytes(size: str) -> int:
    """A size of memory as a study writes it, such as 2GB or 1.5 GiB."""
    number, unit = re.fullmatch(r"([\d.]+) ?([MGT]i?B)", size).groups()  # type: ignore[union-attr]
    return int(float(number) * (1024 if "i" in unit else 1000) ** ("MGT".index(unit[0]) + 2))


@ibis.udf.scalar.builtin(name=SORT, signature=(("array<int64>",), "array<int64>"))  # type: ignore[untyped-decorator]
def _in_order(lists: Any) -> Any:
    """`sort_lists`, as the engine calls it."""


@ibis.udf.scalar.builtin(name="hash", signature=((None,), "uint64"))  # type: ignore[untyped-decorator]
def _hash_one(value: Any) -> Any:
    """As `_hash`, of one value."""


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
