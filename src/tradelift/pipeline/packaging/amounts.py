"""What the cells of a run say of the sums and extremes that its outputs show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.log.disclosure import DERIVED, KEYS, LOGGED, MASKED, WHO, Bools, Floats, Ints, Rules, ratios
from tradelift.log.disclosure_sums import Contributions, contributions, telling_extremes, telling_sums
from tradelift.panel import Panel
from tradelift.pipeline.exporting import disclosed, rules_of
from tradelift.pipeline.finished import FinishedRun
from tradelift.pipeline.reopening import reopen

SIDES = 4  # a quartile has a quarter of the observations on one side: each must have enough


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Amounts:
    """
    A run's panel, and what of its cells may leave.

    Parameters
    ----------
    panel
        Read back from the run's files.
    rules
        What may leave.
    known
        Of the contributors of cells, in the panel's order.
    marks
        What export masks in each cell, shape (N,).
    released
        Columns that export lets leave as a whole or in part.
    logged
        Whether the flows come from a log, so that covariates are told from flows.
    """

    panel: Panel
    rules: Rules
    known: Contributions
    marks: NDArray[np.str_]
    released: frozenset[str]
    logged: bool

    def sums_tell(self, group: Ints, n: int) -> Bools:
        """Which sums of trade may not leave, shape (n,); `group` as in `telling_sums`."""
        return telling_sums(self.known, group, n, self.rules)

    def sum_tells(self, cells: Bools) -> bool:
        """Whether the sum of trade over some cells may not leave."""
        return bool(self.sums_tell(np.where(cells, 0, -1), 1)[0])

    def is_free(self, column: str) -> bool:
        """Whether no transaction is in a column."""
        return column in (*KEYS, *DERIVED) or (self.logged and column not in LOGGED)

    def hidden(self, column: str) -> Bools:
        """Cells whose value of a column may not leave, shape (N,)."""
        if self.is_free(column):
            return np.zeros(len(self.marks), dtype=bool)
        if column not in self.released:
            return np.asarray(self.known.trade != 0)
        out: Bools = self.marks == "cell"
        for who in WHO:
            if column in ratios(who):
                out = out | (np.char.find(self.marks, who) >= 0)
        return out

    def statistics_tell(self, column: str, cells: Bools) -> tuple[bool, ...]:
        """
        Judge the mean, standard deviation, minimum, quartiles and maximum of a column over some cells.

        Quartiles do not say whose value they are: they leave where enough observations stand on each side.
        """
        values = self.panel.outcome(column)
        cells = cells & np.isfinite(values)
        own, hidden = values[cells], self.hidden(column)[cells]
        if self.is_free(column) or not len(own):
            return (False,) * 7
        few = len(own) < SIDES * self.rules.contributors and bool(hidden.any())
        is_sum = not any(column in ratios(who) for who in WHO)
        mean = few or (is_sum and self.sum_tells(cells))
        lowest, highest = (telling_extremes(own, hidden, float(x), self.rules) for x in (own.min(), own.max()))
        return (mean, mean, lowest, few, few, few, highest)

    def trade(self) -> Floats:
        """Trade of the cells, 0 where it is not known."""
        return np.nan_to_num(self.panel.outcome("trade"))

    def direction(self, name: str) -> Bools:
        """Cells of a direction, shape (N,)."""
        return np.asarray(self.panel.pair_direction(name)[self.panel.pair_of_cell])


def amounts_of(run: FinishedRun) -> Amounts:
    """
    Judge the cells of a run, a period at a time.

    Raises
    ------
    DataError
        If they cannot be judged.
    """
    panel = reopen(run)
    rules = rules_of(run)
    period = panel.cells.column("period")
    marks = np.empty(panel.n_cells, dtype="<U32")
    parts: list[tuple[Ints, Contributions]] = []
    released: frozenset[str] = frozenset()
    for t in range(len(panel.periods)):
        rows = np.flatnonzero(period == t)
        cells = panel.to_arrow(t)
        found, _ = disclosed(run, cells, public=False)
        marks[rows] = found[MASKED].to_numpy()
        released |= {*found.column_names}
        parts.append((rows, contributions(cells)))
    return Amounts(
        panel=panel,
        rules=rules,
        known=_together(parts, panel.n_cells),
        marks=marks,
        released=released,
        logged=run.study.transactions is not None,
    )


def _together(parts: Sequence[tuple[Ints, Contributions]], n: int) -> Contributions:
    """Contributions of the periods, in the order of the cells."""

    def column(name: str) -> Ints:
        some = getattr(parts[0][1], name)
        out: Ints = np.zeros((n, *some.shape[1:]), dtype=some.dtype)
        for rows, part in parts:
            out[rows] = getattr(part, name)
        return out

    return Contributions(trade=column("trade"), most=column("most"), largest=column("largest"), rest=column("rest"))
