"""
Spark, in this process, on a cluster or behind a Spark Connect server: all periods of a log at once.

A session of our own reads the log's files where they are, so every worker must see them under the same paths. What a
Spark that we started writes to disk is encrypted and lies below a folder that is deleted at the end; it logs nothing,
since its messages may quote data.
"""

import logging
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
from ibis.common.exceptions import IbisError
from ibis.expr.types import Table, Value

from tradelift.errors import StudyError
from tradelift.log.engine import EngineError, Plan
from tradelift.log.files import LogFile
from tradelift.study.databases import Database

LOCAL = "local[*]"
JAVA = 17
ATTEMPTS = 20  # at removing a folder
CONNECT, PORT = "sc://", 15002
WAIT_SECONDS = 10
SILENT = """\
rootLogger.level = off
rootLogger.appenderRef.none.ref = none
appender.none.type = Null
appender.none.name = none
"""
NANOSECONDS = re.compile(r"timestamp\[ns")
LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")  # of PySpark; they quote queries
SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # a sum that does not fit is an error
    "spark.sql.parquet.binaryAsString": "true",
}


class Spark:
    """
    A session with its folder; use it in a `with` statement.

    Parameters
    ----------
    spill
        Folder in which the engine makes its own.
    url
        A master or a Spark Connect server; None: all cores of this machine.
    settings
        Spark's own.

    Raises
    ------
    StudyError
        If PySpark or Java is missing, or the master or server does not answer.
    """

    at_once = True
    near = None

    def __init__(self, spill: Path, url: str | None = None, settings: Mapping[str, str] | None = None) -> None:
        _need_pyspark()
        for name in LOGGERS:
            logging.getLogger(name).disabled = True
        spill.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="engine-", dir=spill))
        self._views: set[str] = set()
        self._kept: dict[str, Any] = {}
        self._numbers = count()
        try:
            self.session, self._own = _session(url or LOCAL, settings or {}, self.folder)
            self.connection: Any = ibis.pyspark.connect(self.session)
            for key, value in SESSION.items():
                with suppress(Exception):  # a server may not know a setting; the tests say what depends on it
                    self.session.conf.set(key, value)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # a session that is lost holds nothing
            for name in list(self._kept):
                self._forget(name)
            for name in self._views:
                self.session.catalog.dropTempView(name)
            if self._own:
                self.session.stop()
        _remove(self.folder)

    def parquet(self, files: Sequence[LogFile], *, folders: bool = False) -> Table:
        """Parquet files as one table, as `Engine` says; Spark itself would refuse columns of several widths."""
        alike: dict[Any, list[LogFile]] = {}
        for file in files:
            beside = {k: v for k, v in file.folders.items() if k not in file.types} if folders else {}
            alike.setdefault((tuple(file.types.items()), tuple(beside.items())), []).append(file)
        with translated():
            parts = [self._read(group, dict(types), dict(beside)) for (types, beside), group in alike.items()]
        if len(parts) == 1:
            return parts[0]
        kinds: dict[str, dt.DataType] = {}
        for part in parts:
            for name, kind in part.schema().items():
                kinds[name] = dt.highest_precedence([kinds[name], kind]) if name in kinds else kind
        return ibis.union(*(part.select(**{n: _as(part, n, kind) for n, kind in kinds.items()}) for part in parts))

    def _read(self, files: Sequence[LogFile], types: Mapping[str, str], beside: Mapping[str, str]) -> Table:
        """Files with the same columns."""
        frame = self.session.read.parquet(*(str(file.path.absolute()) for file in files))
        columns = [
            f"CAST({_quoted(n)} AS STRING) {_quoted(n)}" if "string" in k else _quoted(n) for n, k in types.items()
        ]
        columns += [f"'{_escaped(value)}' {_quoted(name)}" for name, value in beside.items()]
        return self._view(f"log_files_{next(self._numbers)}", frame.selectExpr(*columns))

    def csv(self, path: Path, columns: Sequence[str], delimiter: str) -> Table:
        """
        Refuse.

        Raises
        ------
        StudyError
            Always, as `refuse_unreadable` says.
        """
        del columns, delimiter
        raise StudyError(_not_parquet(str(path)))

    def database(self, database: Database, amount: str) -> AbstractContextManager[tuple[Table, int]]:
        """
        Refuse.

        Raises
        ------
        StudyError
            Always, as `refuse_unreadable` says.
        """
        del amount
        raise StudyError(_not_parquet(database.name))

    def expect(self, rows: int) -> None:
        """Spark finds out by itself."""

    def hash_two(self, first: Any, second: Any) -> Value:
        """A hash of two values of any types."""
        return _hash(first, second)

    def repeated(self, name: str, hashes: Table, rows: int) -> Table | None:
        """Keep the hashes that occur more than once, as `Engine` says; grouping them is the cluster's."""
        del rows
        column = hashes.columns[0]
        counted = hashes.group_by(column).agg(rows=hashes.count())
        found = self.keep(name, counted.filter(counted.rows > 1).select(column))
        return found if self.one(found.agg(rows=found.count()))["rows"] else None

    def in_order(self, integers: Any) -> Value:
        """The integers of a group in a list from the smallest to the largest."""
        ordered: Value = integers.collect().sort()
        return ordered

    def memory(self, name: str, table: pa.Table) -> Table:
        """A small table of ours."""
        with translated():
            return self._view(name, self.session.createDataFrame(table))

    def name(self, name: str, rows: Table) -> Table:
        """Give an expression a name."""
        with translated():
            return self._view(name, self._frame(rows))

    def plan(self, parts: Mapping[str, Table]) -> Plan:
        """Translate each expression once."""
        schemas = {name: rows.schema().to_pyarrow() for name, rows in parts.items()}
        return Plan(sql=tuple(self.connection.compile(rows) for rows in parts.values()), schemas=schemas)

    def share(self, name: str, rows: Table) -> Table:
        """Rows that several expressions read, kept for them."""
        return self.keep(name, rows)

    def keep(self, name: str, rows: Table) -> Table:
        """Evaluate an expression once and keep its rows, in memory and on the workers' disks."""
        with translated():
            frame = self._frame(rows)
            self._forget(name)
            with suppress(*_unsupported()):  # where a server keeps nothing, the rows are made anew for each reading
                frame = frame.persist()
                self._kept[name] = frame
            return self._view(name, frame)

    def gather(self, name: str, parts: Iterable[tuple[Path | None, Table]], *, large: int) -> Table:
        """Name the rows of several expressions together; Spark reads files anew."""
        del large
        tables = [rows for _, rows in parts]
        return self.name(name, tables[0] if len(tables) == 1 else ibis.union(*tables))

    def fetch(self, rows: Table) -> pa.Table:
        """Evaluate an expression whose rows may leave the engine."""
        return self.fetch_all(self.plan({"rows": rows}))["rows"]

    def fetch_all(self, plan: Plan) -> dict[str, pa.Table]:
        """Evaluate the expressions of a plan one after the other."""
        with translated():
            return {
                name: self.session.sql(sql).toArrow().cast(schema)
                for sql, (name, schema) in zip(plan.sql, plan.schemas.items(), strict=True)
            }

    def one(self, aggregates: Table) -> Mapping[str, Any]:
        """Evaluate an expression of one row."""
        row: Mapping[str, Any] = self.fetch(aggregates).to_pylist()[0]
        return row

    def _frame(self, rows: Table) -> Any:
        return self.session.sql(self.connection.compile(rows))

    def _view(self, name: str, frame: Any) -> Table:
        frame.createOrReplaceTempView(name)
        self._views.add(name)
        return self.connection.table(name)

    def _forget(self, name: str) -> None:
        frame = self._kept.pop(name, None)
        if frame is not None:
            frame.unpersist()


def refuse_unreadable(files: Sequence[LogFile]) -> None:
    """
    Refuse what Spark reads otherwise than DuckDB, or not at all, before it is started.

    Engines parse the text of CSV differently, so that cells would depend on which it is; Spark's readers of databases
    are packages of their own.

    Raises
    ------
    StudyError
        If a file is none of Parquet, or has times in nanoseconds.
    """
    for file in files:
        if not file.types:
            raise StudyError(_not_parquet(str(file.path) if file.database is None else file.database.name))
        for name, kind in file.types.items():
            if NANOSECONDS.match(kind):
                msg = (
                    f"Spark cannot read times in nanoseconds (column '{name}' of {file.path}). Write them in "
                    "microseconds, or use the engine duckdb."
                )
                raise StudyError(msg)


def _not_parquet(name: str) -> str:
    return f"The engine spark reads Parquet files, not {name}. Export it to Parquet, or use the engine duckdb."


@ibis.udf.scalar.builtin(name="xxhash64", signature=((None, None), "int64"))  # type: ignore[untyped-decorator]
def _hash(first: Any, second: Any) -> Any:
    """Spark's own hash."""


def _as(rows: Table, name: str, kind: dt.DataType) -> Value:
    return rows[name].cast(kind) if name in rows.columns else ibis.null(kind)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _remove(folder: Path) -> None:
    """Remove a folder in which Spark may be removing files as well."""
    for _ in range(ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _need_pyspark() -> None:
    if find_spec("pyspark") is None:
        msg = "The engine spark needs PySpark, which is not installed. Run: pip install 'tradelift[spark]'"
        raise StudyError(msg)


def _session(url: str, settings: Mapping[str, str], folder: Path) -> tuple[Any, bool]:
    """A session that nobody else uses, and whether stopping it ends no work of others."""
    if url.startswith(CONNECT):
        return _connected(url, settings), True
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        return running.newSession(), False
    need_java()
    builder = SparkSession.builder.master(url).appName("tradelift")
    for key, value in (_defaults(url, folder) | dict(settings)).items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate(), True
    except Exception as error:  # noqa: BLE001 - whatever Java says
        msg = f"Spark did not start at {url} ({type(error).__name__}). Check the master and `settings` under `engine`."
        raise StudyError(msg) from None


def _connected(url: str, settings: Mapping[str, str]) -> Any:
    """A session of a Spark Connect server."""
    place = without_secrets(url)
    _reach(place)
    try:
        from pyspark.sql.connect.session import SparkSession

        session = SparkSession.builder.remote(url).create()
        for key, value in settings.items():
            session.conf.set(key, value)
        session.sql("SELECT 1").toArrow()
    except ImportError:
        msg = "Spark Connect needs packages that are not installed. Run: pip install 'tradelift[spark]'"
        raise StudyError(msg) from None
    except Exception as error:  # noqa: BLE001 - gRPC has many
        kind = type(error).__name__
        msg = f"The Spark Connect server {place} does not answer ({kind}). Is it running, and is the port right?"
        raise StudyError(msg) from None
    return session


def _reach(place: str) -> None:
    """Refuse where nobody listens; Spark's client would try again for minutes."""
    host, _, port = place.removeprefix(CONNECT).partition("/")[0].partition(":")
    try:
        socket.create_connection((host, int(port or PORT)), timeout=WAIT_SECONDS).close()
    except (OSError, ValueError) as error:
        msg = f"The Spark Connect server {place} cannot be reached ({error}). Is it running, and is the port right?"
        raise StudyError(msg) from None


def without_secrets(url: str) -> str:
    """A server's address without user and parameters, which may hold a token."""
    return re.sub(r"//[^/@]*@", "//", re.split("[;?]", url, maxsplit=1)[0]).rstrip("/")


def _defaults(url: str, folder: Path) -> dict[str, str]:
    """How Spark is started; what it would log may quote data."""
    quiet = folder / "log4j2.properties"
    quiet.write_text(SILENT, encoding="utf-8")
    options = {
        "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Dlog4j2.configurationFile=file:{quiet.absolute()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.io.encryption.enabled": "true",
        "spark.local.dir": str(folder.absolute()),
        "spark.sql.warehouse.dir": str(folder.absolute() / "warehouse"),
    }
    if url.startswith("local"):
        cores = re.search(r"\d+", url)
        n = 2 * int(cores[0]) if cores else 2 * (os.cpu_count() or 1)
        options |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
        options |= {"spark.sql.shuffle.partitions": str(max(n, 4)), "spark.driver.memory": "4g"}
    return options


def need_java() -> None:
    """Refuse where there is no Java, or one that is too old."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    found = "none was found"
    if program is not None:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
        version = re.search(r'version "(?:1\.)?(\d+)', said)
        if version is not None and int(version[1]) >= JAVA:
            return
        found = f"found Java {version[1]}" if version is not None else "found one that does not run"
    msg = (
        f"The engine spark needs Java {JAVA} or later; {found}. Install it (Debian: apt-get install "
        "openjdk-17-jre-headless), or let JAVA_HOME name its folder."
    )
    raise StudyError(msg)


def _unsupported() -> tuple[type[Exception], ...]:
    from pyspark.errors import UnsupportedOperationException

    return (UnsupportedOperationException, NotImplementedError)


@contextmanager
def translated() -> Iterator[None]:
    """Turn Spark's errors into ours, without their text and without a chain that leads back to it."""
    from pyspark.errors import PySparkException

    failure = None
    try:
        yield
    except (PySparkException, IbisError, pa.ArrowException, OSError) as error:
        failure = EngineError(_kind(str(error)))
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("py4j", "grpc"):
            raise
        failure = EngineError(_kind(str(error)))
    if failure is not None:
        raise failure


def _kind(text: str) -> str:
    if "ARITHMETIC_OVERFLOW" in text or re.search("overflow|out of range|CAST_OVERFLOW", text, re.IGNORECASE):
        return "overflow"
    if "No space left" in text:
        return "space"
    if "OutOfMemory" in text or "Java heap space" in text or "maxResultSize" in text:
        return "memory"
    return "lost" if re.search("Connection refused|UNAVAILABLE|shut down|stopped", text) else "input"
