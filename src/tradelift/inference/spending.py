"""Whether an effect is that of spending at the year's end or at Chinese New Year."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import default_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.inference.calendar import new_years, year_ends
from tradelift.panel import Panel
from tradelift.panel.cells import MemoryCells

YEAR_END, NEW_YEAR = "year end", "Chinese New Year"  # columns; a user's are no such words
TREATMENT = "partner"
MONTHS = (f"{TREATMENT}:{YEAR_END}", f"{TREATMENT}:{NEW_YEAR}")
"""The terms that the joint test is of."""


class Controllable(Protocol):
    """A frozen design with controls, whose treatment is partnership."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def controls(self) -> Sequence[str] | None:
        """As users write them; None for the default."""
        ...

    def estimate(self, panel: Panel) -> Estimate:
        """Estimate on a panel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingMonths:
    """
    A design whose effect may differ in December and in the month that holds Chinese New Year's day.

    Public bodies spend what is left of their budgets at the end of the year, and give presents at New Year. If the
    effect were such spending it would be larger in these months: the treatment is interacted with both. The term
    "partner" is the effect in all other months. `wald(MONTHS)` tests that both interactions are 0.

    Parameters
    ----------
    design
        `Gravity` or `SpatialRD` with partnership as its treatment, and effects by period.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> months = ("2017-11", "2017-12", "2018-01", "2018-02")
    >>> rows = [(a, b, t, 9.0 + ((7 * i + 5 * j + 3 * k) % 4)) for k, t in enumerate(months)
    ...         for i, a in enumerate("abcdef") for j, b in enumerate("abcdef") if a != b]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"])
    >>> panel = tl.Panel.from_frame(flows, partners=pd.DataFrame({"one": ["a", "c"], "other": ["b", "d"]}))
    >>> found = SpendingMonths(design=tl.Gravity(vcov="pair")).estimate(panel)
    >>> found.terms, found.wald(MONTHS).restrictions
    (('partner', 'partner:year end', 'partner:Chinese New Year'), 2)
    """

    design: Controllable

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design with the treatment interacted with these months.

        Raises
        ------
        DesignError
            If periods are no months, there are none of either kind or none beside them, the panel has no programme, or
            as the design raises.
        ConvergenceError
            If PPML does not converge.
        """
        refuse_stored(panel, "SpendingMonths")
        if panel.programme is None:
            msg = "SpendingMonths interacts partnership with months: give partners."
            raise DesignError(msg)
        marked = with_months(panel)
        controls = default_controls(panel) if self.design.controls is None else tuple(self.design.controls)
        design = replace(self.design, controls=(*controls, *MONTHS))
        return design.estimate(marked)


def with_months(panel: Panel) -> Panel:
    """
    A panel with a column for each kind of month.

    Raises
    ------
    DesignError
        If periods are no months, or there is no month of a kind or no other.
    """
    ends, starts = year_ends(panel.periods), new_years(panel.periods)
    for name, held in (("December", ends), ("month of Chinese New Year", starts), ("other month", ~(ends | starts))):
        if not held.any():
            msg = f"The panel has no {name}, so that effects in these months cannot be compared. Give longer flows."
            raise DesignError(msg)
    period = panel.cells.column("period")
    columns = {name: panel.cells.column(name) for name in panel.cells.names}
    own = {name: held.astype(np.float64)[period] for name, held in ((YEAR_END, ends), (NEW_YEAR, starts))}
    return replace(panel, cells=MemoryCells(columns=columns | own, blocks=panel.cells.blocks))
