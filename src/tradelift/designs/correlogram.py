"""
How far the residuals of pairs that are not partners reach on the map, and what that says of a bandwidth.

The spatial comparison trusts that what makes partners changes little between near regions. Nobody sees that; but where
even the residuals of pairs that are not partners change fast on the map, the trust stands on little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.correlogram_finding import SURE, Correlogram
from tradelift.designs.correlogram_fit import Ends, fit_curve, likeness, variogram, without_effects
from tradelift.designs.gravity import Gravity
from tradelift.designs.prediction import Prediction
from tradelift.errors import DesignError
from tradelift.geography import great_circle_km
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

NEAR = 0.25  # of the reach: regions that the test of likeness takes for near
FEWEST_REGIONS = 8  # of a side, to be compared with each other
FEWEST_BINS = 8
ZERO = 1e-9  # a residual, relative to the largest outcome
NO_RESIDUAL, NO_FLOW = "no residual", "no flow in any period"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualCorrelogram:
    """
    How the correlation of residuals falls with distance, for pairs that are not partners.

    Residuals after region effects and log distance, averaged over periods (PPML: the log of a pair's flows over its
    fitted flows). Two flows with one region in common are compared by the distance between their other regions.
    The curve that is fitted has the shape of a Gaussian kernel, on a level of noise that near flows do not share; where
    what they share is rougher than that, the distance at which it has halved is found less well.

    Parameters
    ----------
    outcome, family, controls, direction, where
        As in `Gravity`, whose residuals without a treatment are looked at.
    bandwidth_km
        Of the spatial comparison, to be judged.
    bin_km, reach_km
        Width of the bins of distance, and where they end.

    References
    ----------
    Cressie (1993), Statistics for Spatial Data, chapter 2.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = ResidualCorrelogram().estimate(draw_affinity_world(AffinityWorld(length_km=250.0), 1).panel)
    >>> found.warns
    True
    """

    outcome: str = "log(trade)"
    family: str | None = None
    controls: Sequence[str] | None = None
    direction: str = "both"
    where: Mapping[str, Any] | None = None
    bandwidth_km: float = 150.0
    bin_km: float = 50.0
    reach_km: float = 1500.0

    def __post_init__(self) -> None:
        for name in ("bandwidth_km", "bin_km", "reach_km"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value < np.inf:
                msg = f"{name} is a distance in km, above 0; found {value!r}."
                raise DesignError(msg)
        if self.reach_km < FEWEST_BINS * self.bin_km:
            msg = (
                f"reach_km={self.reach_km:g} holds fewer than {FEWEST_BINS} bins of bin_km={self.bin_km:g}; "
                f"make the bins narrower, or the reach wider."
            )
            raise DesignError(msg)
        if self.controls is not None and not isinstance(self.controls, str):
            object.__setattr__(self, "controls", tuple(self.controls))
        self._gravity(programme=False, domestic=False)  # refuses what it cannot read

    def estimate(self, panel: Panel) -> Correlogram:
        """
        Look at the residuals of a panel.

        Raises
        ------
        DesignError
            If the regions have no coordinates, no side has enough regions with residuals, none of them are near each
            other, residuals are all zero, or for the reasons of `Gravity.predict`.
        ConvergenceError
            If PPML does not converge.
        """
        if panel.regions.longitude is None or panel.regions.latitude is None:
            msg = "The residual correlogram needs coordinates: give the regions columns `longitude` and `latitude`."
            raise DesignError(msg)
        domestic = bool(panel.pairs.columns["domestic"].any())
        predicted = self._gravity(programme=panel.programme is not None, domestic=domestic).predict(panel)
        residual, dropped = _by_pair(panel, predicted)
        if np.nanmax(np.abs(residual), initial=0.0) <= ZERO * np.nanmax(np.abs(predicted.outcome)):
            msg = "The residuals are all zero: effects and controls fit every flow. Use fewer of them, or more flows."
            raise DesignError(msg)
        sides = _sides(panel, residual)
        edges = np.arange(0.0, self.reach_km + self.bin_km / 2, self.bin_km)
        variograms = tuple(variogram(parts, edges) for parts in sides.values())
        alike = np.array([likeness(parts, NEAR * self.reach_km) for parts in sides.values()])
        tested = alike[np.isfinite(alike)]
        if not len(tested):
            msg = (
                f"No two regions of a side with residuals are within {NEAR * self.reach_km:,.0f} km of each other, or "
                f"all are; choose reach_km so that a quarter of it parts near from far regions."
            )
            raise DesignError(msg)
        total = float(tested.sum() / np.sqrt(len(tested)))
        return Correlogram(
            outcome=self.outcome,
            direction=self.direction,
            sample=predicted.estimate.sample,
            bandwidth_km=float(self.bandwidth_km),
            edges_km=edges,
            sides=tuple(sides),
            variograms=variograms,
            curve=fit_curve(variograms, self.bin_km, self.reach_km) if total > SURE else None,
            likeness=total,
            n_obs=predicted.estimate.n_obs,
            n_pairs=int(np.isfinite(residual).sum()),
            dropped=dropped,
        )

    def _gravity(self, *, programme: bool, domestic: bool) -> Gravity:
        """The equation whose residuals are looked at: of pairs of two regions that are not partners."""
        where: dict[str, Any] = {"control_type": list(CONTROL_TYPES)} if programme else {}
        if domestic:
            where["domestic"] = 0
        return Gravity(
            outcome=self.outcome,
            family=self.family,
            controls=self.controls,
            direction=self.direction,
            treatment=None,
            where=where | dict(self.where or {}),
        )


def residual_correlogram(panel: Panel, **options: Any) -> Correlogram:
    """
    Look how the correlation of residuals falls with distance, for pairs that are not partners.

    Parameters
    ----------
    panel
        Flows, and regions with coordinates.
    options
        Those of `ResidualCorrelogram`: outcome, bandwidth_km, direction, ...

    Raises
    ------
    DesignError, ConvergenceError
        As `ResidualCorrelogram.estimate`.
    """
    return ResidualCorrelogram(**options).estimate(panel)


def _by_pair(panel: Panel, predicted: Prediction) -> tuple[Floats, dict[str, int]]:
    """Residual of each directed pair, shape (P,), NaN where there is none; and how many of the sample have none."""
    used = np.isfinite(predicted.fitted)
    pair, n = panel.pair_of_cell[used], len(panel.pairs)
    outcome, fitted, count = (
        np.bincount(pair, weights=w, minlength=n)
        for w in (predicted.outcome[used], predicted.fitted[used], np.ones(len(pair)))
    )
    asked = np.zeros(n, dtype=bool)
    asked[panel.pair_of_cell[predicted.dropped != "not in the sample"]] = True
    here = count > 0
    dropped = {NO_RESIDUAL: int((asked & ~here).sum())}
    if predicted.estimate.family == "poisson":
        dropped[NO_FLOW] = int((here & (outcome <= 0)).sum())
        here &= outcome > 0
        ratio = np.divide(outcome, fitted, out=np.ones(n), where=here)
        return np.where(here, np.log(ratio), np.nan), dropped
    mean = np.divide(outcome - fitted, count, out=np.zeros(n), where=here)
    return np.where(here, mean, np.nan), dropped


def _sides(panel: Panel, residual: Floats) -> dict[str, list[Ends]]:
    """
    Matrices of residuals, seen from the regions of each side that has enough.

    Raises
    ------
    DesignError
        If no side has enough regions with residuals.
    """
    regions, pairs = panel.regions, panel.pairs
    matrix = np.full((len(regions), len(regions)), np.nan)
    matrix[pairs.origin, pairs.destination] = residual
    known = np.isfinite(matrix)
    active = known.any(axis=0) | known.any(axis=1)
    if regions.sides is None or regions.side is None:
        own = {"both": np.flatnonzero(active)}
        flows = [("both", "both")]
    else:
        own = {name: np.flatnonzero(active & (regions.side == k)) for k, name in enumerate(regions.sides)}
        flows = [regions.sides, regions.sides[::-1]]
    ends: dict[str, list[Ends]] = {name: [] for name in own}
    for exporter, importer in flows:
        block = np.ix_(own[exporter], own[importer])
        if known[block].any():
            values = without_effects(matrix[block], known[block])
            ends[exporter].append(_ends(panel, own[exporter], values, known[block]))
            ends[importer].append(_ends(panel, own[importer], values.T, known[block].T))
    enough = {name: parts for name, parts in ends.items() if len(own[name]) >= FEWEST_REGIONS and parts}
    if not enough:
        counts = ", ".join(f"{len(codes)} ({name})" for name, codes in own.items())
        msg = f"A residual correlogram compares at least {FEWEST_REGIONS} regions of a side; with residuals: {counts}."
        raise DesignError(msg)
    return enough


def _ends(panel: Panel, codes: Ints, values: Floats, known: Bools) -> Ends:
    longitude, latitude = panel.regions.longitude, panel.regions.latitude
    assert longitude is not None, "estimate refuses regions without coordinates"
    assert latitude is not None, "estimate refuses regions without coordinates"
    lon, lat = longitude[codes], latitude[codes]
    return Ends(residual=values, known=known, distance_km=great_circle_km(lon[:, None], lat[:, None], lon, lat))
