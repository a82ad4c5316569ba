"""
What this room asks of an engine: it evaluates expressions over the rows of a log.

Its messages may quote data, so they never leave: callers see an `EngineError` that says only what kind of thing went
wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import ibis
import pyarrow as pa
from ibis.expr.types import Table, Value

from tradelift.log.files import LogFile
from tradelift.study.databases import Database
from tradelift.study.inputs import EngineInput


class EngineError(RuntimeError):
    """
    The engine failed.

    Parameters
    ----------
    kind
        "memory", "space", "overflow", "input" or "other".
    line
        Line of a CSV file, where it is known.

    Attributes
    ----------
    path
        The file that was read, where it was one.
    """

    def __init__(self, kind: str, line: int | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.line = line
        self.path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Expressions in the engine's language.

    Parameters
    ----------
    sql
        What the engine evaluates: a statement for each of them, or one for all.
    schemas
        Of the rows that each gives.
    """

    sql: tuple[str, ...]
    schemas: Mapping[str, pa.Schema]


class Near(Protocol):
    """An engine of this process, which gives rows without ids to loops of this process."""

    def key(self, value: Any) -> Value:
        """A number of 64 bits for a value, no two 64-bit integers with the same."""
        ...

    def few(self, plan: Plan) -> pa.Table | None:
        """
        Evaluate a plan of one expression whose rows stay in this process.

        Returns
        -------
        The rows, each column in one piece; None where they are more than this process may hold.
        """
        ...


class Engine(Protocol):
    """
    An engine with its connection and its folder; used in a `with` statement.

    Attributes
    ----------
    at_once
        Whether it sums all periods together, else one after the other.
    """

    at_once: bool

    @property
    def near(self) -> "Near | None":
        """Itself, where rows may be summed by loops of this process; else None."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""
        ...

    def parquet(self, files: Sequence[LogFile], *, folders: bool = False) -> Table:
        """
        Parquet files as one table, columns by name.

        Parameters
        ----------
        files
            The files.
        folders
            Whether folders named key=value give columns, as text.
        """
        ...

    def csv(self, path: Path, columns: Sequence[str], delimiter: str) -> Table:
        """A CSV file with a header, every column as text; an empty field is null."""
        ...

    def database(self, database: Database, amount: str) -> AbstractContextManager[tuple[Table, int]]:
        """
        A table of a database, and how many rows it says that it has; to be read while this is open.

        Parameters
        ----------
        database
            The table.
        amount
            The column with money.
        """
        ...

    def expect(self, rows: int) -> None:
        """Prepare for expressions that read about so many rows each."""
        ...

    def hash_two(self, first: Any, second: Any) -> Value:
        """A hash of two values of any types; engines hash differently, so no result may depend on which it is."""
        ...

    def repeated(self, name: str, hashes: Table, rows: int) -> Table | None:
        """
        Keep the hashes that occur more than once.

        Parameters
        ----------
        name
            What they are kept as.
        hashes
            One column, without nulls.
        rows
            About how many they are.

        Returns
        -------
        Each of them once, in a column of the same name; None where all are different.
        """
        ...

    def in_order(self, integers: Any) -> Value:
        """The integers of a group, none of them missing, in a list from the smallest to the largest."""
        ...

    def memory(self, name: str, table: pa.Table) -> Table:
        """A small table of ours."""
        ...

    def name(self, name: str, rows: Table) -> Table:
        """Give an expression a name, so that plans that read it stay valid when the name gets another one."""
        ...

    def plan(self, parts: Mapping[str, Table]) -> Plan:
        """Translate expressions once, to be evaluated as often as the names that they read change."""
        ...

    def keep(self, name: str, rows: Table) -> Table:
        """Evaluate an expression once and keep its rows under a name."""
        ...

    def share(self, name: str, rows: Table) -> Table:
        """Rows that several expressions of one plan read, evaluated once."""
        ...

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
            More rows than that may be compressed.
        """
        ...

    def fetch(self, rows: Table) -> pa.Table:
        """Evaluate an expression whose rows may leave the engine."""
        ...

    def fetch_all(self, plan: Plan) -> dict[str, pa.Table]:
        """Evaluate the expressions of a plan, whose rows may leave the engine."""
        ...

    def one(self, aggregates: Table) -> Mapping[str, Any]:
        """Evaluate an expression of one row."""
        ...


def start(choice: EngineInput, spill: Path) -> Engine:
    """
    Start the engine that a study names.

    Parameters
    ----------
    choice
        The study's `engine`.
    spill
        Folder for what it cannot hold in memory.

    Raises
    ------
    StudyError
        If what it needs is not installed, or it cannot be reached.
    """
    if choice.name == "spark":
        from tradelift.log.spark import Spark

        return Spark(spill, choice.url, choice.settings)
    from tradelift.log.embedded import DuckDB

    return DuckDB(spill, choice.memory)


def number(value: int) -> Value:
    """A floating-point constant; some engines take 100.0 for a decimal, and then all that it meets."""
    return ibis.literal(value).cast("float64")


def total(money: Any) -> Any:
    """Sum integers within an expression, as 64-bit integers: those of 128 bits, which DuckDB makes, take longer."""
    return _sum(money).cast("int64")


@ibis.udf.agg.builtin(name="sum", signature=(("int64",), "decimal(38, 0)"))  # type: ignore[untyped-decorator]
def _sum(money: Any) -> Any:
    """The engine's own sum, of a type that Ibis does not take for that of 64-bit integers."""
