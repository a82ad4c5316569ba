"""Matching: each partner pair beside its nearest controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tradelift.designs.spatial.averaging import average, check_averaging
from tradelift.designs.spatial.options import BOTH, Near
from tradelift.designs.terms import parse_outcome
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """
    Effect of partnership, from each partner pair beside the nearest pairs that differ in one city.

    Cities differ in size from their neighbours, so pairs are not compared as they are: origin-period and
    destination-period effects are fitted on pairs that are not partners, and taken out of all, of the outcome and of
    the covariates alike. Then each partner pair stands beside its `nearest` controls on either side; the two sides
    count the same. Differences that are left in the covariates (log distance) are adjusted by the slopes of the
    controls, each counted as often as it serves. The effect is the mean over partner pairs and periods, all alike: that
    of the treated.

    The errors count the first step and the controls that serve several partner pairs. The gap of each difference from
    the effect belongs to its partner pair, over the root of one less that pair's share of the mean: pairs with a common
    city covary, and so do groups with a common control, unless they share it by different cities. What the fitted
    effects and slopes take of each untreated flow belongs to that flow. Residuals of single pairs would count the
    affinity that cancels in differences: where it is smooth over 500 km they make the errors of simulated worlds more
    than half too large.

    Parameters
    ----------
    outcome
        A column, or log(x), log1p(x), asinh(x) of one; not a flow in levels.
    nearest
        Controls of each partner pair and side; where there are fewer, these, and `diagnostics.matches.short` counts.
    bandwidth_km
        A control is no farther than this; None for no limit.
    neighbours, donut_km, same_group, contiguous, not_yet, control_types
        As in `SpatialRD`. Control types limit the controls; the effects are fitted on untreated pairs of any type.
    controls
        Covariates to adjust by: columns, log(x), x:y; None for log(distance_km), [] for none.
    direction, where
        As in `SpatialRD`.
    vcov, correction
        As in `SpatialRD`, but no columns and no "jackknife".

    References
    ----------
    Abadie and Imbens (2006), Econometrica 74, 235-267; (2011), Journal of Business and Economic Statistics 29, 1-11.
    Borusyak, Jaravel and Spiess (2024), The Review of Economic Studies 91, 3253-3285, for the first step.

    Examples
    --------
    >>> import tradelift as tl
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = tl.Matching().estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> found.terms, found.diagnostics.matches.groups
    (('partner',), 256)
    """

    outcome: str = "log(trade)"
    nearest: int = 1
    bandwidth_km: float | None = None
    neighbours: str = BOTH
    donut_km: float = 0.0
    same_group: bool = False
    contiguous: bool = False
    not_yet: bool | Literal["never"] = True
    controls: Sequence[str] | None = None
    direction: str = "both"
    control_types: Sequence[int] = CONTROL_TYPES
    where: Mapping[str, Any] | None = None
    vcov: str = "max-two-way"
    correction: str = "full"

    def __post_init__(self) -> None:
        if self.nearest is None:
            msg = "nearest is a number of controls, at least 1; for all within a bandwidth use Imputation."
            raise DesignError(msg)
        check_averaging(self)
        parse_outcome(self.outcome)
        object.__setattr__(self, "control_types", self.near.control_types)
        if self.controls is not None:
            object.__setattr__(self, "controls", tuple(self.controls))

    @property
    def near(self) -> Near:
        """What near means in this design: any control within the bandwidth weighs the same."""
        return Near(
            bandwidth_km=self.bandwidth_km,
            kernel="uniform",
            neighbours=self.neighbours,
            nearest=self.nearest,
            donut_km=self.donut_km,
            same_group=self.same_group,
            contiguous=self.contiguous,
            control_types=self.control_types,
            not_yet=self.not_yet,
        )

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on a panel.

        Raises
        ------
        DesignError
            If the design contradicts itself or the panel, or no partner pair can be compared.
        """
        return average(panel, self, local=True)
