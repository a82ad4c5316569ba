"""Amounts in words: a unit in which they are short, and their intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tradelift.exhibits.labels import plain, signed
from tradelift.exhibits.shown import Column
from tradelift.inference.magnitude import Amount

SIZES = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of money: its size in the units of the flows, its name, as "million CNY", and that without its size."""

    size: float
    name: str
    money: str

    @property
    def title(self) -> str:
        """The name as it begins a line."""
        return f"{self.name[:1].upper()}{self.name[1:]}"

    @property
    def finer(self) -> "Unit":
        """The unit a thousandth of its size, in which a table says more than a sentence."""
        sizes = [*SIZES, (1.0, "")]
        place = next(i for i, (size, _) in enumerate(sizes) if size == self.size)
        size, word = sizes[min(place + 1, len(SIZES))]
        return Unit(size=size, name=f"{word} {self.money}".strip(), money=self.money)

    def write(self, amount: float) -> str:
        """Write an amount with the unit."""
        return f"{plain(amount / self.size)} {self.name}"

    def said(self, amount: Amount) -> str:
        """Write an effect with its sign and interval: "+2.4 billion CNY (95% interval 0.3 to 4.5)"."""
        low, high = amount.conf_low / self.size, amount.conf_high / self.size
        known = np.isfinite(high - low)
        span = f"95% interval {plain(low)} to {plain(high)}" if known else "its error is not known"
        return f"{signed(amount.value / self.size)} {self.name} ({span})"


def amount_columns(unit: Unit, base: str, *beside: Column) -> tuple[Column, ...]:
    """
    Give the columns of amounts that tables share, in a unit.

    Parameters
    ----------
    unit
        Of the report; the CSV file has amounts as they are.
    base
        What the first column is called: the trade that an effect is part of.
    beside
        Columns between that and the effect.
    """
    trade, effect, error, low, high = (
        Column(name=name, label=label, kind="number", significant=4, scale=unit.size)
        for name, label in (
            ("base", base),
            ("estimate", "Effect"),
            ("std_error", "Std. error"),
            ("conf_low", "95% from"),
            ("conf_high", "to"),
        )
    )
    return (trade, *beside, effect, error, low, high)


def unit_for(amounts: Iterable[float], currency: str | None) -> Unit:
    """
    Choose the largest unit in which the largest amount is one or more.

    Parameters
    ----------
    amounts
        In the units of the flows; those that are not known do not matter.
    currency
        Its code, or None.
    """
    largest = max((abs(a) for a in amounts if np.isfinite(a)), default=0.0)
    size, word = next(((s, w) for s, w in SIZES if largest >= s), (1.0, ""))
    money = currency or "units of trade"
    return Unit(size=size, name=f"{word} {money}".strip(), money=money)
