"""Location polynomial: pairs near partner pairs, beside a polynomial in where their cities are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.comparison import Comparison, compare, conclude
from tradelift.designs.sample import select
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.one_row import check_one_row, in_words
from tradelift.designs.spatial.options import BOTH, Near, side_names
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import Column, default_controls, read_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.geography import EARTH_RADIUS_KM
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES

Floats = NDArray[Any]

TREATMENT = "partner"
UNIT_KM = 1000.0  # of the polynomial's coordinates: powers of numbers about 1 are told apart
HIGHEST = 6  # degree


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationPolynomial:
    """
    Effect of partnership among pairs near partner pairs, beside a polynomial in the coordinates of both cities.

    Dell (2010) compares places near a border beside a polynomial in their position; a pair has two. Each pair near a
    partner pair is one row, once, whatever partner pairs it is near:

        y_ijt = b D_ij + x_ij' g + p(position of both cities) + a_it + l_jt + u_ijt

    Terms of p in one city alone are part of its city-period effects; those in both, up to `degree`, take up an affinity
    that is smooth on the map. The polynomial is the same in both directions.

    Parameters
    ----------
    outcome
        A column, or log(x), log1p(x), asinh(x) of one.
    degree
        Of the polynomial, from 2 to 6, both cities together.
    bandwidth_km, neighbours, same_group, contiguous, control_types
        Which pairs are near partner pairs, as in `SpatialRD`; all weigh the same.
    controls
        Columns, log(x), x:y; None for log(distance_km), [] for none.
    family
        "poisson" or "gaussian"; None for gaussian for log(...) and concentration ratios, else poisson.
    direction, where
        As in `SpatialRD`.
    vcov, correction
        As in `SpatialRD`.

    References
    ----------
    Dell (2010), Econometrica 78, 1863-1903.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = LocationPolynomial(degree=2).estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> found.terms[:3]
    ('partner', 'log(distance_km)', 'y[east] y[west]')
    """

    outcome: str = "log(trade)"
    degree: int = 3
    bandwidth_km: float | None = 150.0
    neighbours: str = BOTH
    same_group: bool = False
    contiguous: bool = False
    controls: Sequence[str] | None = None
    family: str | None = None
    direction: str = "both"
    control_types: Sequence[int] = CONTROL_TYPES
    where: Mapping[str, Any] | None = None
    vcov: str | Sequence[str] = "max-two-way"
    correction: str = "full"

    def __post_init__(self) -> None:
        if isinstance(self.degree, bool) or not isinstance(self.degree, int) or not 2 <= self.degree <= HIGHEST:
            msg = f"degree is a number from 2 to {HIGHEST}; found {self.degree!r}."
            raise DesignError(msg)
        check_one_row(self)
        object.__setattr__(self, "control_types", self.near.control_types)

    @property
    def near(self) -> Near:
        """What near means in this design."""
        return Near(
            bandwidth_km=self.bandwidth_km,
            kernel="uniform",
            neighbours=self.neighbours,
            same_group=self.same_group,
            contiguous=self.contiguous,
            control_types=self.control_types,
        )

    def compare(self, panel: Panel) -> Comparison:
        """
        Say which flows are compared.

        Raises
        ------
        DesignError
            If the design contradicts itself or the panel, coordinates are missing, or no partner pair has a near
            control.
        """
        refuse_stored(panel, "LocationPolynomial")
        near = near_pairs(panel, self.near, self.direction)
        inside = np.zeros(len(panel.pairs), dtype=bool)
        inside[near.pair] = True
        names = default_controls(panel) if self.controls is None else self.controls
        return compare(
            panel,
            outcome=self.outcome,
            treatment=read_controls(panel, [TREATMENT]),
            controls=[
                *read_controls(panel, [name for name in names if name != TREATMENT]),
                *location_terms(panel, inside, self.degree),
            ],
            sample=select(panel, self.direction, CONTROL_TYPES, self.where) & inside[panel.pair_of_cell],
            family=self.family,
            cluster=() if isinstance(self.vcov, str) else self.vcov,
            direction=self.direction,
            about=in_words(f"pairs near partner pairs: {self.near.describe()}", panel, self.where),
            hint="City effects and the polynomial explain partnership here: use a larger bandwidth or a lower degree.",
            notes=_lost(near),
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


def location_terms(panel: Panel, inside: NDArray[np.bool_], degree: int) -> list[Column]:
    """
    Products of powers of both cities' coordinates, as regressors by pair.

    Parameters
    ----------
    panel
        With coordinates.
    inside
        Directed pairs that are compared, shape (P,); coordinates count from the mean of their cities.
    degree
        Of the polynomial.
    """
    first, second = panel.pairs.origin, panel.pairs.destination
    if panel.regions.side is not None:
        turned = panel.regions.side[first] == 1
        first, second = np.where(turned, second, first), np.where(turned, first, second)
    names = side_names(panel)
    places = [_place(panel, city, inside) for city in (first, second)]
    out = []
    powers = [p for p in product(range(degree), repeat=4) if sum(p) <= degree and any(p[:2]) and any(p[2:])]
    for power in sorted(powers, key=lambda p: (sum(p), p)):
        values = np.ones(len(panel.pairs))
        said = []
        for end, axis, exponent in ((0, 0, power[0]), (0, 1, power[1]), (1, 0, power[2]), (1, 1, power[3])):
            values = values * places[end][axis] ** exponent
            name = f"{'xy'[axis]}[{names[end]}]"
            said += [name if exponent == 1 else f"{name}^{exponent}"] if exponent else []
        out.append(Column(name=" ".join(said), values=values, fixed=True))
    return out


def _place(panel: Panel, city: NDArray[Any], inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Thousands of km east and north of the middle of the cities compared, shape (P,) each."""
    longitude, latitude = panel.regions.longitude, panel.regions.latitude
    if longitude is None or latitude is None:
        msg = "A polynomial in locations needs coordinates: give the regions longitude and latitude in degrees."
        raise DesignError(msg)
    cities = np.unique(city[inside])
    turn = np.exp(1j * np.radians(longitude[cities]))
    middle = np.degrees(np.angle(np.nansum(turn)))  # of a circle: the date line is no border
    east = (longitude[city] - middle + 180) % 360 - 180
    centre = np.nanmean(latitude[cities])
    scale = EARTH_RADIUS_KM / UNIT_KM
    x = scale * np.cos(np.radians(centre)) * np.radians(east)
    return np.asarray(x), np.asarray(scale * np.radians(latitude[city] - centre))


def _lost(near: NearPairs) -> tuple[str, ...]:
    """Say which partner pairs are not compared."""
    said = ", ".join(f"{reason} {count:,}" for reason, count in near.lost_groups.items() if count)
    return (f"Partner pairs that are not compared: {said}.",) if said else ()
