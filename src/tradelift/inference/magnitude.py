"""An effect in money: what partner pairs would not have traded without it, by year."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.sample import select
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]
Bools = NDArray[Any]

TREATMENT = "partner"
ALL_YEARS, A_YEAR = "all years", "a year"


class Priced(Protocol):
    """A design whose effect on partner pairs is a difference in logs."""

    @property
    def direction(self) -> str:
        """One, or "both"."""
        ...

    @property
    def where(self) -> Mapping[str, Any] | None:
        """Conditions on columns."""
        ...

    def estimate(self, panel: Panel) -> Estimate:
        """Estimate on a panel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """
    What the effect comes to in a span of time.

    Parameters
    ----------
    horizon
        A year, "all years", or "a year" for the mean of years that have equally many periods.
    periods
        How many it is summed over; of "a year", all.
    base
        What partner pairs traded while they were partners: the sum that the effect is part of.
    value
        Base less what it would have been without the effect.
    std_error
        By the delta method.
    conf_low, conf_high
        Of the coefficient's 95% interval: the amount grows with the coefficient, so they hold 0 where that does.
    """

    horizon: str
    periods: int
    base: float
    value: float
    std_error: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """
    An effect in money.

    Parameters
    ----------
    amounts
        By horizon.
    coefficient, p_value, statistic
        Of the treatment, in logs, and of no effect.
    column
        What was summed: "trade".
    partner_pairs, estimated_on
        Directed partner pairs with a flow in the base, and those that the estimate compares.
    unknown
        Cells of partner pairs whose flow is missing, which add nothing.
    family, design, outcome, direction, sample, se_type, n_obs, n_pairs
        Of the estimate.
    """

    amounts: tuple[Amount, ...]
    coefficient: float
    p_value: float
    statistic: float
    column: str
    partner_pairs: int
    estimated_on: int
    unknown: int
    family: str
    design: str
    outcome: str
    direction: str
    sample: str
    se_type: str
    n_obs: int
    n_pairs: int

    def of(self, horizon: str) -> Amount | None:
        """The amount of a horizon, or None."""
        return next((a for a in self.amounts if a.horizon == horizon), None)

    def tidy(self) -> "pd.DataFrame":
        """One row a horizon, in the units of the flows; statistic and p-value are the coefficient's."""
        import pandas as pd

        rows = [
            (f"{self.column}, {a.horizon}", a.value, a.std_error, self.statistic, self.p_value, a.conf_low, a.conf_high)
            for a in self.amounts
        ]
        names = ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
        return pd.DataFrame(rows, columns=names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitude:
    """
    The effect of a design in money: the sum over partner cells of y (1 - exp(-b D)), by year.

    y is what was traded, so y exp(-b D) is what would have been traded without the effect, all else the same: a
    partial effect, without what it moves elsewhere. One coefficient holds for all years; what differs between them is
    the base.

    Parameters
    ----------
    design
        Frozen, with `direction` and `where`: `Gravity` or `SpatialRD`, by PPML or on the log of the column.
    column
        What is summed over partner cells of the design's direction and conditions, also of partner pairs that the
        design cannot compare.

    Examples
    --------
    >>> from tradelift.designs import SpatialRD
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = Magnitude(design=SpatialRD()).estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> [a.horizon for a in found.amounts]
    ['all years']
    """

    design: Priced
    column: str = "trade"

    def estimate(self, panel: Panel) -> Money:
        """
        Estimate the design, and sum.

        Raises
        ------
        DesignError
            If the effect is no difference in logs of `partner` alone, or as the design raises.
        ConvergenceError
            As the design raises.
        """
        return money(self.design.estimate(panel), panel, column=self.column, where=self.design.where)


def money(estimate: Estimate, panel: Panel, *, column: str = "trade", where: Mapping[str, Any] | None = None) -> Money:
    """
    Give an estimate in money.

    Parameters
    ----------
    estimate
        Of the treatment `partner`, in logs.
    panel
        That it was estimated on.
    column
        What is summed.
    where
        Conditions on columns, as in the design.

    Raises
    ------
    DesignError
        If the effect is no difference in logs of `partner` alone.
    """
    _check(estimate, column)
    found = estimate.tidy()
    row = {str(k): float(v) for k, v in found.iloc[estimate.terms.index(TREATMENT)].items() if k != "term"}
    base = _base(panel, estimate.direction, column, where)
    amounts = [
        _amount(horizon, int(span.sum()), base.dose, base.flow[span].sum(axis=0) * share, row)
        for horizon, span, share in _horizons(panel.periods)
    ]
    about = estimate.diagnostics.identification
    return Money(
        amounts=tuple(amounts),
        coefficient=row["estimate"],
        p_value=row["p_value"],
        statistic=row["statistic"],
        column=column,
        partner_pairs=base.pairs,
        estimated_on=base.pairs if about is None else about.contributing,
        unknown=base.unknown,
        family=estimate.family,
        design=estimate.design,
        outcome=estimate.outcome,
        direction=estimate.direction,
        sample=estimate.sample,
        se_type=estimate.se_type,
        n_obs=estimate.n_obs,
        n_pairs=estimate.n_pairs,
    )


def year_of(label: str) -> str:
    """Year of a period's label; periods that do not begin with one stand together."""
    return label[:4] if len(label) >= 4 and label[:4].isdigit() else ALL_YEARS


def _horizons(periods: Sequence[str]) -> Iterator[tuple[str, Bools, float]]:
    """Each span of periods and the share of it that counts: years, all of them, and their mean where they are whole."""
    years = np.array([year_of(label) for label in periods])
    counts = {year: int((years == year).sum()) for year in sorted(set(years))}
    if len(counts) > 1:
        for year in counts:
            yield year, years == year, 1.0
    yield ALL_YEARS, np.ones(len(years), dtype=bool), 1.0
    if len(counts) > 1 and len(set(counts.values())) == 1:
        yield A_YEAR, np.ones(len(years), dtype=bool), 1 / len(counts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Base:
    """Flows of treated cells by period and dose, shape (T, L); doses, shape (L,); pairs with a flow; unknown cells."""

    flow: Floats
    dose: Floats
    pairs: int
    unknown: int


def _base(panel: Panel, direction: str, column: str, where: Mapping[str, Any] | None) -> _Base:
    """Sum the flows of partner cells, part by part where the panel stays in files."""
    doses = np.unique(panel.programme.dose) if panel.programme is not None else np.ones(1)
    flow, unknown = np.zeros((len(panel.periods), len(doses))), 0
    there: Bools = np.zeros(len(panel.pairs), dtype=bool)
    for part in panel.parts():
        cells = np.flatnonzero(select(part, direction, CONTROL_TYPES, where) & (part.column(TREATMENT) != 0))
        y, pair = part.outcome(column)[cells], part.pair_of_cell[cells]
        known = np.isfinite(y)
        unknown += int(np.count_nonzero(~known))
        there[pair[known & (y > 0)]] = True
        level = np.searchsorted(doses, part.column(TREATMENT)[cells[known]])
        np.add.at(flow, (part.cells.column("period")[cells[known]], level), y[known])
    return _Base(flow=flow, dose=doses, pairs=int(there.sum()), unknown=unknown)


def _amount(horizon: str, periods: int, dose: Floats, flow: Floats, row: Mapping[str, float]) -> Amount:
    """Sum over doses of flow (1 - exp(-b dose)), and its gradient times the coefficient's error."""
    low, value, high = (float(flow @ -np.expm1(-row[end] * dose)) for end in ("conf_low", "estimate", "conf_high"))
    slope = float((flow * dose) @ np.exp(-row["estimate"] * dose))
    return Amount(
        horizon=horizon,
        periods=periods,
        base=float(flow.sum()),
        value=value,
        std_error=slope * row["std_error"],
        conf_low=low,
        conf_high=high,
    )


def _check(estimate: Estimate, column: str) -> None:
    if estimate.treatment != (TREATMENT,):
        found = ", ".join(estimate.treatment) or "none"
        msg = f"An effect in money is of the one treatment '{TREATMENT}'; found {found}. Leave out `by`."
        raise DesignError(msg)
    on_log = estimate.outcome == f"log({column})" and estimate.family == "gaussian"
    if not on_log and not (estimate.outcome == column and estimate.family == "poisson"):
        msg = (
            f"The effect is on '{estimate.outcome}' ({estimate.family}), which is no difference in logs of '{column}'; "
            f"use outcome='{column}' by PPML, or outcome='log({column})'."
        )
        raise DesignError(msg)
