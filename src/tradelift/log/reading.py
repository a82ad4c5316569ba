"""From the files of a transaction log to the cells of a panel and an account of every row."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tradelift.account import Exclusion, Stage
from tradelift.errors import DataError
from tradelift.log.contract import REASONS, UNPARSABLE, check_roles
from tradelift.log.files import LogFile, find_database, find_files, inspect
from tradelift.panel.regions import Regions
from tradelift.study.currency import MINOR_DIGITS
from tradelift.study.inputs import EngineInput, TransactionsInput

if TYPE_CHECKING:
    from tradelift.log.store import PeriodStore
    from tradelift.log.summing import Sums

Progress = Callable[[str, int, int], None]
STAGE = "transactions"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Log:
    """
    What a transaction log says about flows.

    Parameters
    ----------
    cells
        One row a cell with sales or refunds, sorted by period, origin and destination: `origin`, `destination`,
        `period` (text); `trade` (currency units), `trade_minor` (integer minor units), `deals`, `lines`, `refunds`
        (currency units, positive); with sellers mapped `sellers`, `seller_concentration` (percent, the study's reading)
        and both readings as `_flow` and `_city`, `top_seller_trade`, `other_seller_trade` (currency units, the study's
        reading; they add up to `trade`), `seller_share_1`, `seller_share_2` (0 to 1, the largest two of the cell); with
        buyers likewise. A ratio is NaN where there are no sales, and with `floor` below 1 / share
        of them; the top's money is 0 there.
    by_category
        Where a category is mapped, one row a cell and category with sales: `origin`, `destination`, `period`,
        `category` ("unknown" where it is missing), `trade`, `trade_minor`, `deals`, `lines`; else None.
    stage
        Rows and money read, kept and excluded by reason.
    currency, digits
        ISO 4217 code and its minor digits.
    periods
        Labels of all periods of the window.
    files
        The files read.
    """

    cells: pa.Table
    by_category: pa.Table | None
    stage: Stage
    currency: str
    digits: int
    periods: tuple[str, ...]
    files: tuple[Path, ...]


def read_log(
    spec: TransactionsInput,
    folder: Path,
    regions: Regions | None,
    *,
    domestic: bool = False,
    spill: Path,
    progress: Progress | None = None,
    store: "PeriodStore | None" = None,
    engine: EngineInput | None = None,
) -> Log:
    """
    Sum a transaction log by origin, destination and period, one period at a time.

    Times that carry a zone, or are UTC in Parquet, are converted to the study's time zone; times without a zone are
    taken as local already. Why a row is left out, and which reason comes first, stands at
    `tradelift.log.contract.REASONS`. Ids of sellers, buyers and transactions never leave the engine.

    Parameters
    ----------
    spec
        The study's `transactions`.
    folder
        Where its patterns start.
    regions
        The regions of the panel; None: all that the log names.
    domestic
        Whether flows within a region count; without effect where there are two sides.
    spill
        Folder for what the engine cannot hold; nothing of it remains.
    progress
        Called as progress("log", done, total).
    store
        Sums of periods from earlier runs; periods that have not changed are taken from there. Only DuckDB keeps any.
    engine
        What sums the log; None: DuckDB.

    Raises
    ------
    DataError
        If a file, a column or a type is missing or wrong, two currencies are mixed, no row is usable, or the account
        does not balance.
    """
    from tradelift.log.databases import inspect_table
    from tradelift.log.engine import EngineError, start
    from tradelift.log.failures import explain
    from tradelift.log.source import columns_of
    from tradelift.log.summing import sum_log

    names: dict[str, str] = dict(zip(spec.columns, spec.columns.values(), strict=True))
    check_roles(names, list(spec.keep))
    database = find_database(spec.files, folder)
    paths = find_files(spec.files, folder)
    if database is not None:
        files: tuple[LogFile, ...] = (inspect_table(database),)
    else:
        files = tuple(inspect(path, folder, names["time"]) for path in paths)
    columns = columns_of(files, names)
    choice = engine or EngineInput()
    if choice.name == "spark":
        from tradelift.log.spark import refuse_unreadable

        refuse_unreadable(files)
    failure: EngineError | None = None
    with start(choice, spill) as running:
        try:
            report = progress or _silent
            sums = sum_log(running, files, columns, spec, regions, domestic=domestic, progress=report, store=store)
        except EngineError as error:
            failure = error
    if failure is not None:
        raise explain(failure, files, columns)  # outside of the handler, so that no chain leads to the engine's text
    stage = _stage(sums)
    assert sums.cells is not None, "a stage with rows that are kept has cells"
    return Log(
        cells=sums.cells,
        by_category=sums.by_category,
        stage=stage,
        currency=spec.currency,
        digits=MINOR_DIGITS[spec.currency],
        periods=sums.periods,
        files=paths,
    )


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Show no progress."""


def _stage(sums: "Sums") -> Stage:
    """
    Balance what was read against what stands in the cells and what the reasons took.

    What was read comes from the files as a whole, what was kept from the cells, what was not from the periods: three
    ways that must meet.
    """
    account = sums.account
    kept = 0 if sums.cells is None else sum(sums.cells["lines"].to_pylist())
    stage = Stage(
        name=STAGE,
        read_rows=sums.read_rows,
        kept_rows=kept,
        read_amount=sums.read_amount,
        kept_amount=0 if sums.cells is None else sum(sums.cells["trade_minor"].to_pylist()),
        exclusions=tuple(
            Exclusion(reason=r, rows=account[r][0], amount=account[r][1]) for r in REASONS if r in account
        ),
    )
    if not kept:
        found = "; ".join(f"{e.reason}: {e.rows:,}" for e in stage.exclusions)
        msg = (
            f"None of the {stage.read_rows:,} rows of the log is usable ({found}). "
            "Check the columns, the window, `keep` and the ids against the regions."
        )
        if account.get(UNPARSABLE, (0, 0))[0]:
            msg += " Unparsable are times that are not as 2017-01-05 10:30:00, and amounts that are not as 1234.56."
        raise DataError(msg)
    return stage
