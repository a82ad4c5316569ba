"""What was read, what was kept, and why the rest was not: nothing vanishes silently."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tradelift.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """
    Rows that are not used, for one reason.

    Parameters
    ----------
    reason
        Why, in words that stand in the report: "duplicate line".
    rows
        How many input rows.
    amount
        Their money in integer minor units; None where the input has no money or it cannot be read.
    examples
        A few of the values at fault, for who looks for the mistake; empty where they may not be shown.
    """

    reason: str
    rows: int
    amount: int | None = None
    examples: tuple[str, ...] = field(default=(), compare=False)

    @property
    def shown(self) -> str:
        """The reason, with the examples that there are."""
        return f"{self.reason} ({', '.join(self.examples)})" if self.examples else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """
    One step from input to panel, in balance: read = kept + excluded, in rows and in minor units.

    Parameters
    ----------
    name
        The input, as the report calls it: "transactions", "flows", "pairs: migration.csv".
    read_rows, kept_rows
        Input rows.
    read_amount, kept_amount
        Money in integer minor units, or None where the input has none.
    exclusions
        One for each reason; a reason without rows may stand with 0.

    Raises
    ------
    DataError
        If the rows or the amounts do not add up.
    """

    name: str
    read_rows: int
    kept_rows: int
    read_amount: int | None = None
    kept_amount: int | None = None
    exclusions: tuple[Exclusion, ...] = ()

    def __post_init__(self) -> None:
        excluded = sum(e.rows for e in self.exclusions)
        if self.read_rows != self.kept_rows + excluded:
            msg = (
                f"The account of {self.name} does not balance: {self.read_rows:,} rows read, "
                f"{self.kept_rows:,} kept and {excluded:,} excluded. No result is written."
            )
            raise DataError(msg)
        if self.read_amount is None or self.kept_amount is None:
            return
        excluded = sum(e.amount or 0 for e in self.exclusions)
        if self.read_amount != self.kept_amount + excluded:
            msg = (
                f"The account of {self.name} does not balance: {self.read_amount:,} minor units read, "
                f"{self.kept_amount:,} kept and {excluded:,} excluded. No result is written."
            )
            raise DataError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """
    The stages between the inputs and the panel.

    Parameters
    ----------
    stages
        In the order of the work.
    currency
        ISO 4217 code of the amounts, or None.
    digits
        Minor digits of the currency: 2 means that 100 minor units make one unit.
    """

    stages: tuple[Stage, ...] = ()
    currency: str | None = None
    digits: int = 2

    def rows(self) -> Iterator[dict[str, str | int | None]]:
        """Yield one record for each exclusion: stage, reason, rows, and amount as a decimal in the currency."""
        for stage in self.stages:
            for e in stage.exclusions:
                yield {"stage": stage.name, "reason": e.reason, "rows": e.rows, "amount": self.money(e.amount)}

    def money(self, amount: int | None) -> str | None:
        """Write minor units as an exact decimal of the currency: 123456 as "1234.56"."""
        return None if amount is None else str(Decimal(amount).scaleb(-self.digits))
