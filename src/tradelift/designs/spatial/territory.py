"""Partner territory: pairs on either side of the border of where a city's partners lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.comparison import Comparison, compare, conclude
from tradelift.designs.sample import select, select_pairs
from tradelift.designs.spatial.cities import distances_km
from tradelift.designs.spatial.kernels import check_kernel, kernel_weight
from tradelift.designs.spatial.one_row import check_one_row, in_words
from tradelift.designs.spatial.options import BOTH, CORNERS, check_types, replaced_sides
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import Column, default_controls, read_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES

Floats = NDArray[Any]
Bools = NDArray[Any]

TREATMENT = "partner"
WEIGHT = "weight by distance to the border"  # a name that no column of a user has


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerTerritory:
    """
    Effect of partnership at the border of the territory in which a city's partners lie.

    The partners of a city make up its territory on the other side, the cities that are not its partners lie outside.
    Of cities as points, the border runs midway between a city and the nearest one across: a pair's distance to it is
    half that way, positive inside and negative outside. Pairs within the bandwidth of the border are compared, with a
    slope of the distance on either side of it:

        y_ijt = b D_ij + c_1 max(s_ij, 0) + c_0 min(s_ij, 0) + x_ij' g + a_it + l_jt + u_ijt,  weighted by K(|s| / h)

    City-period effects stay in, since cities differ in size from their neighbours. Each pair is one row; it may lie
    near the border of either city's territory, and the nearer counts.

    Parameters
    ----------
    outcome
        A column, or log(x), log1p(x), asinh(x) of one.
    bandwidth_km
        Distance to the border up to which pairs are compared. Half the way between cities, so that 75 km are as near
        as 150 km between the cities of `SpatialRD`.
    kernel
        "triangular", "uniform" or "epanechnikov".
    neighbours
        The side on which territories lie, or "both". Without sides "origin", "destination" or "both".
    slopes
        Whether there is a slope in the distance to the border; False compares means.
    controls
        Columns, log(x), x:y; None for log(distance_km), [] for none.
    family
        "poisson" or "gaussian"; None for gaussian for log(...) and concentration ratios, else poisson.
    direction, control_types, where
        As in `SpatialRD`.
    vcov, correction
        As in `SpatialRD`.

    References
    ----------
    Black (1999), The Quarterly Journal of Economics 114, 577-599.
    Keele and Titiunik (2015), Political Analysis 23, 127-155.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = PartnerTerritory().estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> found.terms
    ('partner', 'log(distance_km)', 'inside_km', 'outside_km')
    """

    outcome: str = "log(trade)"
    bandwidth_km: float = 100.0
    kernel: str = "triangular"
    neighbours: str = BOTH
    slopes: bool = True
    controls: Sequence[str] | None = None
    family: str | None = None
    direction: str = "both"
    control_types: Sequence[int] = CONTROL_TYPES
    where: Mapping[str, Any] | None = None
    vcov: str | Sequence[str] = "max-two-way"
    correction: str = "full"

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_one_row(self)
        object.__setattr__(self, "control_types", check_types(self.control_types))
        if not isinstance(self.bandwidth_km, (int, float)) or not self.bandwidth_km > 0:
            msg = f"bandwidth_km is a distance above 0; found {self.bandwidth_km!r}."
            raise DesignError(msg)
        if self.neighbours == CORNERS:
            msg = "A territory lies on one side: neighbours is a side, or 'both'; found 'corners'."
            raise DesignError(msg)

    def compare(self, panel: Panel) -> Comparison:
        """
        Say which flows are compared.

        Raises
        ------
        DesignError
            If there is no programme or no territory, coordinates are missing, or no partner pair is near a border.
        """
        refuse_stored(panel, "PartnerTerritory")
        signed = border_km(panel, self.neighbours)
        pairs = select_pairs(panel, self.direction, self.control_types)
        weight = np.where(pairs, kernel_weight(self.kernel, np.abs(signed) / self.bandwidth_km), 0.0)
        own = pairs & (panel.pairs.partnership >= 0)
        lost = {
            "no coordinates": int((own & np.isnan(signed)).sum()),
            "no border": int((own & np.isinf(signed)).sum()),
            "beyond the bandwidth": int((own & np.isfinite(signed) & (weight == 0)).sum()),
        }
        said = ", ".join(f"{reason} {count:,}" for reason, count in lost.items() if count)
        if not (own & (weight > 0)).any():
            msg = (
                f"No partner pair lies within {self.bandwidth_km:g} km of the border of a partner territory "
                f"({self.direction}, neighbours {self.neighbours}): {said or 'there is none'}. Use a larger bandwidth."
            )
            raise DesignError(msg)
        names = default_controls(panel) if self.controls is None else self.controls
        columns = dict(panel.pairs.columns) | {WEIGHT: weight}
        return compare(
            replace(panel, pairs=replace(panel.pairs, columns=columns)),
            outcome=self.outcome,
            treatment=read_controls(panel, [TREATMENT]),
            controls=[
                *read_controls(panel, [name for name in names if name != TREATMENT]),
                *(_slopes(signed, weight) if self.slopes else []),
            ],
            sample=select(panel, self.direction, CONTROL_TYPES, self.where) & (weight > 0)[panel.pair_of_cell],
            family=self.family,
            weights=WEIGHT,
            cluster=() if isinstance(self.vcov, str) else self.vcov,
            direction=self.direction,
            about=in_words(
                f"within {self.bandwidth_km:g} km of the border of a partner territory, {self.kernel}",
                panel,
                self.where,
            ),
            hint="City effects and the slopes explain partnership here: use a larger bandwidth, or slopes=False.",
            notes=(f"Partner pairs that are not compared: {said}.",) if said else (),
        )

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on a panel.

        Raises
        ------
        DesignError
            As `compare`, or if partnership is not identified.
        ConvergenceError
            If PPML does not converge.
        """
        return conclude(self.compare(panel), self)


def border_km(panel: Panel, neighbours: str = BOTH) -> Floats:
    """
    Signed distance of each directed pair to the border of its cities' partner territories.

    Parameters
    ----------
    panel
        With a programme and coordinates.
    neighbours
        The side on which territories lie, or "both" for the nearer of the two borders.

    Returns
    -------
    Kilometres, shape (P,): positive inside; infinite where there is no border, NaN where coordinates are missing.

    Raises
    ------
    DesignError
        If there is no programme, no coordinates, or no such side.
    """
    programme = panel.programme
    if programme is None or not len(programme.first):
        msg = "Partners make up the territories: give `partners` to Panel.from_frame."
        raise DesignError(msg)
    first, second = replaced_sides(panel, neighbours)
    across = _across_km(panel, distances_km(panel))
    origin, destination = panel.pairs.origin, panel.pairs.destination
    side = np.zeros(len(origin), dtype=np.int64) if panel.regions.side is None else panel.regions.side[origin]
    of_first = np.where(side == 0, across[destination, origin], across[origin, destination])
    of_second = np.where(side == 0, across[origin, destination], across[destination, origin])
    found = np.full(len(origin), np.nan)
    for there, km in ((first, of_first), (second, of_second)):
        found = np.fmin(found, km) if there else found  # of two that are known the nearer
    return np.where(panel.pairs.partnership >= 0, found, -found) / 2


def _across_km(panel: Panel, km: Floats) -> Floats:
    """
    Distance from a city to the nearest across the border of another city's territory.

    Returns
    -------
    Shape (R, R): of the city of the column, by the owner of the territory of the row; infinite where there is none, NaN
    where the city's coordinates are missing.
    """
    n = len(panel.regions)
    partner, held = np.zeros((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    origin, destination = panel.pairs.origin, panel.pairs.destination
    held[origin, destination] = held[destination, origin] = origin != destination
    own = panel.pairs.partnership >= 0
    partner[origin[own], destination[own]] = partner[destination[own], origin[own]] = True
    side = np.zeros(n, dtype=np.int64) if panel.regions.side is None else panel.regions.side
    within = np.where((side[:, None] == side) & ~np.isnan(km), km, np.inf)
    out = np.full((n, n), np.inf)
    for owner in np.flatnonzero(partner.any(axis=1)):
        inside, outside = partner[owner], held[owner] & ~partner[owner]
        to_inside = within[:, inside].min(axis=1, initial=np.inf)
        to_outside = within[:, outside].min(axis=1, initial=np.inf)
        out[owner] = np.where(inside, to_outside, to_inside)
    return np.where(np.isnan(np.diag(km)), np.nan, out)


def _slopes(signed: Floats, weight: Floats) -> list[Column]:
    """Distance to the border inside and outside, by pair; 0 where a pair is not compared."""
    known = np.where(weight > 0, signed, 0.0)
    return [
        Column(name="inside_km", values=np.maximum(known, 0.0), fixed=True),
        Column(name="outside_km", values=np.minimum(known, 0.0), fixed=True),
    ]
