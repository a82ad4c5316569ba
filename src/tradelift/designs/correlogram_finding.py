"""The correlation of residuals by distance, and the sentence about a bandwidth that it allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.correlogram_fit import Curve, Variogram
from tradelift.display import as_html

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]

SHARE = 0.4  # of the distance at which the correlation has halved: a longer bandwidth warns (docs/simulations)
SURE = 3.0  # standard deviations of likeness from which on residuals are held to be alike on the map

NOTHING = (
    "Residuals of near regions are no more alike than those of any two ({z:.1f} standard deviations; above {sure:.0f} "
    "would tell). They show no affinity that is smooth on the map, and say nothing of a bandwidth of {h:,.0f} km. They "
    "cannot exclude that partners were selected."
)
SHORT = (
    "The correlation of residuals has halved at {half}, and the bandwidth of {h:,.0f} km is more than {share:g} times "
    "that: what residuals share may differ between a partner pair and its near controls. If partners were selected by "
    "it, the comparison would take part of it for an effect; residuals cannot exclude that. Use near controls within "
    "{safe:,.0f} km if there are enough."
)
LONG = (
    "The correlation of residuals has halved at {half}, and the bandwidth of {h:,.0f} km is at most {share:g} times "
    "that: what residuals share differs little between a partner pair and its near controls. Residuals cannot exclude "
    "that partners were selected by something else, which changes faster on the map."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correlogram:
    """
    The correlation of residuals by distance, and what it says of a bandwidth.

    Parameters
    ----------
    outcome, direction, sample
        What the residuals are of.
    bandwidth_km
        That is judged.
    edges_km
        Of the bins, shape (B + 1,).
    sides
        Whose regions are compared; ("both",) where the panel has no sides.
    variograms
        Half squared differences, one a side.
    curve
        Fitted to them; None where residuals of near regions are not more alike than those of any two.
    likeness
        By how many standard deviations they are.
    n_obs, n_pairs
        Observations and directed pairs with a residual.
    dropped
        Directed pairs of the sample that have none, by reason.
    """

    outcome: str
    direction: str
    sample: str
    bandwidth_km: float
    edges_km: Floats
    sides: tuple[str, ...]
    variograms: tuple[Variogram, ...]
    curve: Curve | None
    likeness: float
    n_obs: int
    n_pairs: int
    dropped: Mapping[str, int]

    @property
    def design(self) -> str:
        """What was estimated."""
        return "ResidualCorrelogram"

    @property
    def se_type(self) -> str:
        """What the p-value stands on."""
        return "relabelling of regions"

    @property
    def half_km(self) -> float:
        """Distance at which the correlation has halved; NaN where there is none, inf beyond the reach of the bins."""
        if self.curve is None:
            return np.nan
        return self.curve.half_km if self.curve.half_km <= self.edges_km[-1] else np.inf

    @property
    def warns(self) -> bool:
        """Whether the bandwidth exceeds the share of the half distance that simulations hold to be safe."""
        return bool(self.bandwidth_km > SHARE * self.half_km)  # False where it is NaN

    @property
    def sentence(self) -> str:
        """What the residuals say of the bandwidth, in words that claim no more."""
        half = f"{self.half_km:,.0f} km" if np.isfinite(self.half_km) else f"more than {self.edges_km[-1]:,.0f} km"
        text = NOTHING if self.curve is None else SHORT if self.warns else LONG
        safe = SHARE * self.half_km
        return text.format(z=self.likeness, sure=SURE, h=self.bandwidth_km, half=half, share=SHARE, safe=safe)

    def __str__(self) -> str:
        return f"{self._head()}\n{self.sentence}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html([self._head()], self.frame(), [self.sentence])

    def _head(self) -> str:
        lost = ", ".join(f"{reason} {count:,}" for reason, count in self.dropped.items() if count)
        about = f"{self.outcome}, {self.direction}, {self.n_pairs:,} directed pairs"
        return f"Residual correlogram: {about}; dropped: {lost or 'none'}"

    def frame(self) -> "pd.DataFrame":
        """
        One row a bin: the correlation of residuals of pairs with one region in common, by distance of the others.

        Relative to pairs that are far from each other, so that it falls to 0; near 0 km it is the share of the
        residuals' variance that is smooth on the map. Columns from_km, to_km, distance_km, `correlation` and
        `products` (numbers of pairs of flows) over all, `fitted` (NaN where no curve is), and the same by side.
        """
        import pandas as pd

        count = np.sum([v.count for v in self.variograms], axis=0)
        km = _mean([v.distance_km for v in self.variograms], self.variograms)
        columns = {"from_km": self.edges_km[:-1], "to_km": self.edges_km[1:], "distance_km": km}
        found = [self._correlation(k) for k in range(len(self.sides))]
        columns["correlation"] = _mean([rho for rho, _ in found], self.variograms)
        columns["fitted"] = _mean([fitted for _, fitted in found], self.variograms)
        columns["products"] = count.astype(np.int64)
        if len(self.sides) > 1:
            for side, (rho, fitted), v in zip(self.sides, found, self.variograms, strict=True):
                columns |= {f"correlation_{side}": rho, f"fitted_{side}": fitted}
                columns[f"products_{side}"] = v.count.astype(np.int64)
        return pd.DataFrame(columns)

    def tidy(self) -> "pd.DataFrame":
        """One row, the distance at which the correlation has halved; the p-value is that of no correlation at all."""
        import pandas as pd
        from scipy.stats import norm

        row = {"term": "half_km", "estimate": self.half_km, "statistic": self.likeness}
        row |= {"p_value": float(norm.sf(self.likeness)), "conf_low": np.nan, "conf_high": np.nan}
        return pd.DataFrame([row])

    def _correlation(self, k: int) -> tuple[Floats, Floats]:
        """Of a side by bin: observed and fitted."""
        own = self.variograms[k]
        if self.curve is None:
            weight = np.where(own.count > 0, own.count, 0.0)
            far = np.vdot(weight, np.nan_to_num(own.level)) / max(weight.sum(), 1.0)
            return 1 - own.level / far, np.full_like(own.level, np.nan)
        smooth = self.curve.smooth[k]
        far = self.curve.noise + smooth
        fitted = smooth / far * np.exp(-(own.distance_km**2) / (2 * self.curve.length_km**2))
        return 1 - own.level / far, fitted


def _mean(columns: Sequence[Floats], variograms: Sequence[Variogram]) -> Floats:
    """Mean over sides by bin, weighted by differences; NaN where there are none."""
    count = np.stack([v.count for v in variograms])
    total = np.where(count > 0, count * np.nan_to_num(np.stack(columns)), 0.0).sum(axis=0)
    unknown = np.isnan(np.where(count > 0, np.stack(columns), 0.0)).any(axis=0) | (count.sum(axis=0) == 0)
    return np.where(unknown, np.nan, total / np.maximum(count.sum(axis=0), 1))
