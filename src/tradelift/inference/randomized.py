"""What randomization finds: an estimate among its null draws."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.display import Displayed
from tradelift.errors import DesignError
from tradelift.inference.relabelling import KEEPS, WITHIN_GROUP

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Randomized(Displayed):
    """
    An estimate among its null draws; K counts the treatment terms and B the draws.

    Parameters
    ----------
    terms
        Names of the treatment terms.
    estimates
        The design's coefficients, shape (K,).
    statistics
        Of the programme as it is, on the scale of the draws, shape (K,).
    null_draws
        Statistics of the relabelled programmes, shape (K, B); NaN where one has none, which counts as larger.
    p_values
        Of no effect, shape (K,).
    intervals
        Smallest intervals of all effects whose p-value is above .05, shape (K, 2); infinite where the draws reject none
        on that side, NaN where they were not asked for.
    statistic
        What the draws are of, in words.
    moved, movable
        Share of the partner pairs that cease to be partners, on average over draws, and that can at all.
    scheme, seed, n_draws
        How the draws were made.
    digest
        A fingerprint of the relabelled programmes: equal draws can be compared across outcomes.
    design, outcome, direction, sample, family
        What was estimated, on what.
    n_obs, n_pairs
        Observations and directed pairs that the design used.
    notes
        What a reader must know, in sentences.
    """

    terms: tuple[str, ...]
    estimates: Floats
    statistics: Floats
    null_draws: Floats
    p_values: Floats
    intervals: Floats
    statistic: str
    moved: float
    movable: float
    scheme: str
    seed: int
    n_draws: int
    digest: str
    design: str
    outcome: str
    direction: str
    sample: str
    family: str
    n_obs: int
    n_pairs: int
    notes: tuple[str, ...] = ()

    @property
    def se_type(self) -> str:
        """What the p-values and intervals stand on, in place of a standard error: "randomization (relabel)"."""
        return f"randomization ({self.scheme})"

    @property
    def estimate(self) -> float:
        """The design's coefficient, of its one treatment term."""
        return float(self.estimates[self._one()])

    @property
    def p_value(self) -> float:
        """(1 + number of draws at least as large) / (1 + draws), of the one treatment term."""
        return float(self.p_values[self._one()])

    @property
    def conf_low(self) -> float:
        """Lower end of the 95% interval, of the one treatment term."""
        return float(self.intervals[self._one(), 0])

    @property
    def conf_high(self) -> float:
        """Upper end of the 95% interval, of the one treatment term."""
        return float(self.intervals[self._one(), 1])

    @property
    def draws(self) -> Floats:
        """Statistics of the relabelled programmes, shape (B,), of the one treatment term."""
        return np.asarray(self.null_draws[self._one()])

    def tidy(self) -> "pd.DataFrame":
        """One row a treatment term: term, estimate, statistic, p_value, conf_low, conf_high (95%)."""
        import pandas as pd

        return pd.DataFrame(
            {
                "term": list(self.terms),
                "estimate": self.estimates,
                "statistic": self.statistics,
                "p_value": self.p_values,
                "conf_low": self.intervals[:, 0],
                "conf_high": self.intervals[:, 1],
            }
        )

    def _shown(self) -> tuple[list[str], "pd.DataFrame", tuple[str, ...]]:
        """What stands above the terms, those, and what stands below."""
        keeps = (KEEPS | WITHIN_GROUP)[self.scheme]
        draws = f"{self.n_draws:,} draws by '{self.scheme}' (seed {self.seed})"
        how = f"{draws}, which keeps {keeps}; of the {self.statistic}"
        moved = f"{self.moved:.0%} of the partner pairs move on average, {self.movable:.0%} can"
        head = [f"{self.design}, {self.outcome}: {self.family}, {self.direction}, {self.sample}", how, moved]
        return head, self.tidy(), self.notes

    def _one(self) -> int:
        if len(self.terms) == 1:
            return 0
        msg = f"The design has {len(self.terms)} treatment terms, {', '.join(self.terms[:3])}, ...: see tidy()."
        raise DesignError(msg)
