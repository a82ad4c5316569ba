"""How much of an effect goes together with mediators: numbers, intervals, and what an unseen cause would change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.display import Displayed
from tradelift.estimate import Combination, Estimate
from tradelift.inference.derived import derive, ratio_interval

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]

TOTAL, DIRECT, MEDIATED, SHARE = "total", "direct", "mediated", "share"
ON, OF = "on", "of"  # the effect on a mediator, and of a mediator on the outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """
    What a cause of outcome and mediator that is not seen would have to be.

    Parameters
    ----------
    correlation
        Of outcome and mediator given all other terms: if the correlation of their errors were that, nothing of the
        mediator's coefficient would be left.
    scale
        Standard deviation of the outcome over that of the mediator, both given all other terms.
    """

    correlation: float
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Mediated(Displayed):
    """
    An effect without and with mediators held, on the same observations.

    Parameters
    ----------
    estimate
        Terms "total", the effect without mediators; "direct", with all of them held; "mediated", their difference; and
        for each mediator m "on[m]", the effect on it, "of[m]", its own coefficient beside the effect, and
        "mediated[m]", their product. For OLS the products add up to the difference (Gelbach 2016).
    mediators
        Names.
    hidden
        By mediator, for OLS: what a cause that is not seen would have to be; empty for PPML.
    """

    estimate: Estimate
    mediators: tuple[str, ...]
    hidden: Mapping[str, Hidden]

    @property
    def design(self) -> str:
        """The design whose effect it is."""
        return self.estimate.design

    @property
    def outcome(self) -> str:
        """Of the effect."""
        return self.estimate.outcome

    @property
    def direction(self) -> str:
        """Of the pairs."""
        return self.estimate.direction

    @property
    def sample(self) -> str:
        """Which pairs."""
        return self.estimate.sample

    @property
    def se_type(self) -> str:
        """What the errors allow for."""
        return self.estimate.se_type

    @property
    def n_obs(self) -> int:
        """Observations with every mediator known."""
        return self.estimate.n_obs

    @property
    def n_pairs(self) -> int:
        """Directed pairs."""
        return self.estimate.n_pairs

    def value(self, term: str) -> float:
        """One of the numbers."""
        return float(self.estimate.coefficients[self.estimate.terms.index(term)])

    @property
    def rest(self) -> float:
        """The difference less the parts of the mediators: 0 for OLS; PPML is not linear and may leave some."""
        return self.value(MEDIATED) - sum(self.value(f"{MEDIATED}[{m}]") for m in self.mediators)

    def share(self, term: str = MEDIATED) -> tuple[float, float, float]:
        """
        What share of the effect the difference is, or one mediator's part, with its 95% interval.

        Returns
        -------
        Share and ends; ends are infinite where the effect itself is not told from 0.
        """
        rows = [self.estimate.terms.index(name) for name in (term, TOTAL)]
        part, whole = map(float, self.estimate.coefficients[rows])
        low, high = ratio_interval(part, whole, self.estimate.covariance[np.ix_(rows, rows)], self.estimate.dof)
        return (part / whole if whole else np.nan), low, high

    def under_hidden(self, mediator: str, correlation: float) -> Combination:
        """
        A mediator's part if the errors of outcome and mediator were correlated, for a cause that is not seen.

        Parameters
        ----------
        mediator
            Its name.
        correlation
            Within (-1, 1); 0 gives the part as estimated. The spreads of the errors are taken as known.

        References
        ----------
        Imai, Keele and Yamamoto (2010), Statistical Science 25, 51-71, theorem 4.
        """
        on, of = self.value(f"{ON}[{mediator}]"), self.value(f"{OF}[{mediator}]")
        about = self.hidden[mediator]
        bias = about.scale * correlation * np.sqrt((1 - about.correlation**2) / (1 - correlation**2))
        part = f"{MEDIATED}[{mediator}]"
        gradient = np.zeros((1, len(self.estimate.terms)))
        for term, slope in ((ON, of - bias), (OF, on)):
            gradient[0, self.estimate.terms.index(f"{term}[{mediator}]")] = slope
        return derive(self.estimate, (part,), np.array([on * (of - bias)]), gradient).combine({part: 1.0})

    def tidy(self) -> "pd.DataFrame":
        """One row a number; the share's interval is Fieller's, and its test that of the difference."""
        import pandas as pd

        return pd.DataFrame(self.records())

    def records(self) -> list[dict[str, Any]]:
        """One record a number: the rows of `tidy`."""
        rows = self.estimate.records()
        share, low, high = self.share()
        difference = rows[self.estimate.terms.index(MEDIATED)]
        own = {"term": SHARE, "estimate": share, "std_error": np.nan, "conf_low": low, "conf_high": high}
        return [*rows, difference | own]

    def _shown(self) -> tuple[list[str], "pd.DataFrame", list[str]]:
        """What stands above the numbers, those, and what stands below."""
        share, low, high = self.share()
        bounds = "not bounded" if np.isinf(low) else f"{low:.2f} to {high:.2f}"
        head = f"{self.design}: {self.outcome} without and with {', '.join(self.mediators)} held, {self.direction}"
        said = f"Mediated share {share:.2f} (95% interval {bounds}), if nothing else moves mediators and outcome."
        return [head], self.tidy(), [said]
