"""Amounts in words: a unit in which they are short, and their intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tradelift.exhibits.labels import plain, signed
from tradelift.inference.magnitude import Amount

SIZES = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of money: its size in the units of the flows, and its name, as "million CNY"."""

    size: float
    name: str

    @property
    def title(self) -> str:
        """The name as it begins a line."""
        return f"{self.name[:1].upper()}{self.name[1:]}"

    def write(self, amount: float) -> str:
        """Write an amount with the unit."""
        return f"{plain(amount / self.size)} {self.name}"

    def said(self, amount: Amount) -> str:
        """Write an effect with its sign and interval: "+2.4 billion CNY (95% interval 0.3 to 4.5)"."""
        low, high = amount.conf_low / self.size, amount.conf_high / self.size
        known = np.isfinite(high - low)
        span = f"95% interval {plain(low)} to {plain(high)}" if known else "its error is not known"
        return f"{signed(amount.value / self.size)} {self.name} ({span})"


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
    return Unit(size=size, name=f"{word} {money}".strip())
