"""What disclosure control masked: every cell, with its money, under one reason."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tradelift.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Cells and their money, in currency units, for one reason."""

    reason: str
    cells: int
    trade: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureReport:
    """
    What was masked, in balance: cells = released + masked.

    Parameters
    ----------
    total, released
        All cells, and those that left.
    masked
        Cells by reason; each once.
    ratios
        Released cells without the ratios of sellers, or of buyers; a cell may stand under both.
    withheld
        Column to reason: columns that did not leave at all.
    public
        Whether nothing was judged, because the flows were said to be public.

    Raises
    ------
    DataError
        If the cells do not add up.
    """

    total: Count
    released: Count
    masked: tuple[Count, ...] = ()
    ratios: tuple[Count, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()
    public: bool = False

    def __post_init__(self) -> None:
        hidden = sum(c.cells for c in self.masked)
        if self.total.cells != self.released.cells + hidden:
            msg = (
                f"Disclosure control does not balance: {self.total.cells:,} cells, {self.released.cells:,} released "
                f"and {hidden:,} masked. Nothing is written."
            )
            raise DataError(msg)

    @property
    def masked_cells(self) -> int:
        """How many cells are masked."""
        return self.total.cells - self.released.cells

    @property
    def complete(self) -> bool:
        """Whether every value that was in the panel left."""
        return not (self.masked_cells or any(c.cells for c in self.ratios) or self.withheld)

    def __add__(self, other: "DisclosureReport") -> "DisclosureReport":
        """Take two parts of a panel together."""
        return replace(
            self,
            total=_sum(self.total, other.total),
            released=_sum(self.released, other.released),
            masked=tuple(map(_sum, self.masked, other.masked)),
            ratios=tuple(map(_sum, self.ratios, other.ratios)),
        )

    def lines(self, *, money: bool = True) -> Iterator[str]:
        """
        Say it in sentences.

        Parameters
        ----------
        money
            Whether to say how much is masked; what leaves the house should not, for the money of few cells is theirs.
        """
        if self.public:
            yield f"{self.total.cells:,} cells, none judged: the flows were declared public."
            return
        yield f"{self.total.cells:,} cells: {self.released.cells:,} released, {self.masked_cells:,} masked."
        for count in self.masked:
            amount = f", trade {count.trade:,}" if money else ""
            yield f"  masked, {count.reason}: {count.cells:,} cells{amount}"
        for count in self.ratios:
            yield f"  {count.reason}: {count.cells:,} released cells"
        for name, why in self.withheld:
            yield f"  withheld, {name}: {why}"

    def record(self, *, money: bool = True) -> dict[str, Any]:
        """As JSON has it; amounts are decimals in text, so that no cent is lost."""

        def line(count: Count) -> dict[str, Any]:
            return {"reason": count.reason, "cells": count.cells} | ({"trade": str(count.trade)} if money else {})

        return {
            "public": self.public,
            "cells": self.total.cells,
            "released_cells": self.released.cells,
            "masked_cells": self.masked_cells,
            **({"trade": str(self.total.trade), "released_trade": str(self.released.trade)} if money else {}),
            "masked": [line(c) for c in self.masked],
            "ratios": [line(c) for c in self.ratios],
            "withheld": dict(self.withheld),
        }


def _sum(one: Count, two: Count) -> Count:
    return replace(one, cells=one.cells + two.cells, trade=one.trade + two.trade)
