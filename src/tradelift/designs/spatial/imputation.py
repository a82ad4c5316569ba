"""Imputation: what untreated flows say of partner pairs, and how far their near controls are off it too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from tradelift.designs.spatial.averaging import average, check_averaging
from tradelift.designs.spatial.options import BOTH, Near
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Imputation:
    """
    Effect of partnership, from outcomes imputed by untreated flows, less the gap of near controls.

    Origin-period and destination-period effects and the slopes of the controls are fitted on pairs that are not
    partners. The effect of a partner pair is the gap of its outcome from what they say, less the mean gap of its near
    controls, weighted by their kernel: that takes out an affinity that is smooth on the map. The effect is the mean
    over partner pairs and periods, all alike: that of the treated, where `SpatialRD` weights by what identifies.

    Errors as in `Matching`: the first step is counted.

    Parameters
    ----------
    outcome
        A column, or log(x), log1p(x), asinh(x) of one; not a flow in levels.
    bandwidth_km, kernel, neighbours, nearest, donut_km, same_group, contiguous, not_yet
        As in `SpatialRD`.
    controls
        Columns, log(x), x:y; None for log(distance_km), [] for none.
    direction, where
        As in `SpatialRD`.
    control_types
        Kinds of near control, as in `SpatialRD`; the effects are fitted on untreated pairs of any type.
    vcov, correction
        As in `SpatialRD`, but no columns and no "jackknife".

    References
    ----------
    Borusyak, Jaravel and Spiess (2024), The Review of Economic Studies 91, 3253-3285.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = Imputation(bandwidth_km=250).estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> found.terms, found.diagnostics.matches.groups
    (('partner',), 256)
    """

    outcome: str = "log(trade)"
    bandwidth_km: float | None = 150.0
    kernel: str = "triangular"
    neighbours: str = BOTH
    nearest: int | None = None
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
        check_averaging(self)
        object.__setattr__(self, "control_types", self.near.control_types)
        if self.controls is not None:
            object.__setattr__(self, "controls", tuple(self.controls))

    @property
    def near(self) -> Near:
        """What near means in this design."""
        return Near(**{field.name: getattr(self, field.name) for field in fields(Near)})

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on a panel.

        Raises
        ------
        DesignError
            If the design contradicts itself or the panel, or no partner pair can be compared.
        """
        return average(panel, self, local=False)
