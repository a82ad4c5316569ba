"""Bounds for an outcome that is only there for some flows, whose presence the treatment may change."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr

from tradelift.designs import Gravity, SpatialRD
from tradelift.designs.assembly import by_cell
from tradelift.designs.comparison import fitted
from tradelift.designs.spatial.near import near_pairs
from tradelift.designs.spatial.stacking import stack_panel
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import parse_outcome
from tradelift.errors import DesignError
from tradelift.estimate import LEVEL, Estimate
from tradelift.panel import Panel
from tradelift.panel.extension import with_columns
from tradelift.solve.stack import StackProblem

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

PARTNER = "partner"
KNOWN, TRIMMED = "is_known", "trimmed"
LOWER, UPPER = "lower bound", "upper bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """
    Bounds of an effect on flows whose outcome is there with and without treatment.

    Parameters
    ----------
    selection
        Effect on the outcome's being there: a difference in shares.
    lower, upper
        The design without the flows that are trimmed.
    trimmed
        Share of the treated flows (of the others, where treatment takes outcomes away) that is trimmed.
    whose
        "treated" or "other flows".
    conf_low, conf_high
        The 95% interval of the effect, wherever it lies between the bounds.
    outcome
        What the effect is on.
    """

    selection: Estimate
    lower: Estimate
    upper: Estimate
    trimmed: float
    whose: str
    conf_low: float
    conf_high: float
    outcome: str

    design: ClassVar[str] = "SelectionBounds"

    @property
    def direction(self) -> str:
        """In which direction."""
        return self.lower.direction

    @property
    def sample(self) -> str:
        """On which pairs."""
        return self.lower.sample

    @property
    def se_type(self) -> str:
        """What the intervals stand on."""
        return self.lower.se_type

    @property
    def n_obs(self) -> int:
        """Observations that are left after trimming."""
        return self.lower.n_obs

    @property
    def n_pairs(self) -> int:
        """Directed pairs that are left."""
        return self.lower.n_pairs

    def tidy(self) -> "pd.DataFrame":
        """Rows "is known", "lower bound" and "upper bound"."""
        import pandas as pd

        rows = []
        for name, estimate in (("is known", self.selection), (LOWER, self.lower), (UPPER, self.upper)):
            own = estimate.tidy()
            rows.append(own[own["term"] == PARTNER].assign(term=name))
        return pd.concat(rows, ignore_index=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionBounds:
    """
    A design whose outcome is missing in some flows, with bounds for the case that treatment changes where it is there.

    A ratio is not defined without trade. If partnership makes trade where there would be none, the ratios of those
    flows have nothing to be compared with. Lee (2009) trims the group in which the outcome is there more often, by as
    much as that: once the largest, once the smallest values. Values are compared net of effects and controls, and
    what is trimmed is the same share everywhere. Treatment is taken to move presence in one direction only; the
    share that is trimmed is taken as known in the errors.

    Parameters
    ----------
    design
        `Gravity` or `SpatialRD` by OLS, without `by`.

    References
    ----------
    Lee (2009), The Review of Economic Studies 76, 1071-1102.
    Imbens and Manski (2004), Econometrica 72, 1845-1857, for the interval.
    """

    design: Gravity | SpatialRD

    def __post_init__(self) -> None:
        if self.design.by is not None or self.design.weights is not None:
            msg = "Bounds are for designs with one treatment and without weights; leave out by and weights."
            raise DesignError(msg)
        if parse_outcome(self.design.outcome).function is not None or self.design.family == "poisson":
            msg = f"Bounds are of outcomes that may be missing, by OLS in levels; found '{self.design.outcome}'."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Bounded:
        """
        Estimate the bounds.

        Raises
        ------
        DesignError
            If the outcome is there in no treated flow, or as the design raises.
        """
        refuse_stored(panel, "SelectionBounds")
        outcome = panel.outcome(self.design.outcome)
        known = np.isfinite(outcome)
        of_presence = replace(self.design, outcome=KNOWN, family="gaussian")
        with_presence = with_columns(panel, cells={KNOWN: known.astype(np.float64)})
        rows = _observations(of_presence, with_presence)
        selection = of_presence.estimate(with_presence)
        there = float(known[rows.cell[rows.treated]].mean()) if rows.treated.any() else 0.0
        change = float(selection.coefficients[selection.terms.index(PARTNER)])
        if not there > 0 or not there - change > 0:
            msg = f"'{self.design.outcome}' is there in {there:.1%} of the treated flows: there is nothing to bound."
            raise DesignError(msg)
        share = change / there if change >= 0 else -change / (there - change)
        estimates = self._trimmed(panel, outcome, share, treated=change >= 0)
        low, high = imbens_manski(*estimates)
        return Bounded(
            selection=selection,
            lower=estimates[0],
            upper=estimates[1],
            trimmed=share,
            whose="treated" if change >= 0 else "other flows",
            conf_low=low,
            conf_high=high,
            outcome=self.design.outcome,
        )

    def _trimmed(self, panel: Panel, outcome: Floats, share: float, *, treated: bool) -> list[Estimate]:
        """The lower and the upper bound: without the largest and the smallest of the treated, or of the others."""
        rows = _observations(self.design, panel)
        own = np.flatnonzero(rows.treated == treated)
        cells, place = np.unique(rows.cell[own], return_inverse=True)
        net = np.bincount(place, weights=rows.residual[own]) / np.bincount(place)  # a control may stand in many groups
        order, count = np.argsort(net, kind="stable"), round(share * len(cells))
        smallest, largest = order[:count], order[len(order) - count :]
        return [
            self._without(panel, outcome, cells[gone])
            for gone in ((largest, smallest) if treated else (smallest, largest))
        ]

    def _without(self, panel: Panel, outcome: Floats, cells: Ints) -> Estimate:
        kept = outcome.copy()
        kept[cells] = np.nan
        changed = with_columns(panel, cells={self.design.outcome: kept})
        return replace(self.design, family="gaussian").estimate(changed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Observations:
    """Cell of each observation, what the design leaves of its outcome, and whether it is treated, shape (n,) each."""

    cell: Ints
    residual: Floats
    treated: Bools


def _observations(design: Gravity | SpatialRD, panel: Panel) -> _Observations:
    comparison = design.compare(panel)
    detail = fitted(comparison, design, detail=True).detail
    partner = panel.column(PARTNER) > 0
    if isinstance(design, Gravity):
        assert not isinstance(comparison.problem, StackProblem), "gravity is no stack"
        there = by_cell(comparison.problem, panel, comparison.screened.used, [part.sample for part in detail])
        expected = by_cell(comparison.problem, panel, comparison.screened.used, [part.fitted for part in detail])
        cell = np.flatnonzero(there)
        left = panel.outcome(design.outcome)[cell] - expected[cell]
        return _Observations(cell=cell, residual=left, treated=partner[cell])
    assert isinstance(comparison.problem, StackProblem), "a stack is compared"
    near = near_pairs(panel, design.near, design.direction)
    stack = stack_panel(panel, near, design.near)
    used = np.asarray(detail[0].sample)
    cell = stack.cell[used]
    left = np.asarray(comparison.problem.outcome - detail[0].fitted)[used]
    treated = np.broadcast_to(near.is_partner, used.shape)[used] & partner[cell]
    return _Observations(cell=cell, residual=left, treated=treated)


def imbens_manski(lower: Estimate, upper: Estimate) -> tuple[float, float]:
    """
    Interval that holds an effect between two bounds with 95%, wherever it lies.

    Parameters
    ----------
    lower, upper
        Estimates of the bounds.
    """
    b, error = (
        [float(values[e.terms.index(PARTNER)]) for e, values in ((lower, one), (upper, other))]
        for one, other in ((lower.coefficients, upper.coefficients), (lower.std_errors, upper.std_errors))
    )
    if not np.isfinite(error).all():
        return np.nan, np.nan
    dof, gap = min(lower.dof, upper.dof), max(b[1] - b[0], 0.0) / max(error)
    critical = float(brentq(lambda c: stdtr(dof, c + gap) - stdtr(dof, -c) - LEVEL, 0.0, 100.0))
    return b[0] - critical * error[0], b[1] + critical * error[1]
