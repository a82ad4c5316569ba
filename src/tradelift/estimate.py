"""The estimate: one type for every design."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import Covariance, Influence, covariance
from tradelift.diagnostics import Diagnostics
from tradelift.display import Displayed
from tradelift.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]

REASONS = ("missing", "not_positive", "zero_distance", "separated", "singleton")
"""Why observations of the sample are not used, as `Estimate.dropped` counts them."""

ZERO_WEIGHT = "zero_weight"
"""One more, counted only where a weight is 0."""

NO_PARTNER = "no_partner"
"""One more, of stacked designs: near controls in a period in which their group's partner pair cannot be used."""

LEVEL = 0.95
POSITIVE = 1e-12  # share of the largest eigenvalue above which one counts as positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Wald:
    """
    A joint test.

    Parameters
    ----------
    statistic
        F: the quadratic form over the number of restrictions.
    restrictions, dof
        Degrees of freedom of the F distribution.
    p_value
        Of the hypothesis that all restrictions hold.
    clipped
        Whether negative eigenvalues of the restrictions' covariance were set to zero, and those restrictions left out.
    """

    statistic: float
    restrictions: int
    dof: float
    p_value: float
    clipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A linear combination of coefficients with its standard error, t statistic, p-value and 95% interval."""

    estimate: float
    std_error: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Estimate(Displayed):
    """
    Coefficients with their covariance, the sample, and what was left out.

    Parameters
    ----------
    terms
        Names of the coefficients, K of them.
    coefficients, covariance
        Shapes (K,) and (K, K).
    dof
        Degrees of freedom of the t distribution.
    influence
        What other covariances start from; `influence.pairs` has shape (P, K) by directed pair.
    n_obs, n_pairs
        Observations and directed pairs used.
    exclusions
        Observations of the sample that are not used, by reason.
    design, outcome, direction, sample, family
        What was estimated, on what.
    treatment
        The terms that are the treatment; empty where there is none.
    effects
        Names of the fixed effects.
    formula
        The line to paste into fixest.
    se_type
        The covariance's scheme, or the columns that it clusters by.
    correction
        Its small-sample correction.
    diagnostics
        What stands behind it.
    """

    terms: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    dof: float
    influence: Influence
    n_obs: int
    n_pairs: int
    exclusions: Mapping[str, int]
    design: str
    outcome: str
    direction: str
    sample: str
    family: str
    treatment: tuple[str, ...]
    effects: tuple[str, ...]
    formula: str
    se_type: str
    correction: str
    diagnostics: Diagnostics

    @property
    def std_errors(self) -> Floats:
        """Standard errors, shape (K,); NaN where clusters overlap so much that the variance is not positive."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def dropped(self) -> dict[str, int]:
        """Observations of the sample that are not used, by each published reason; with n_obs they add up."""
        every = {reason: int(self.exclusions.get(reason, 0)) for reason in REASONS}
        return every | {r: int(self.exclusions[r]) for r in (ZERO_WEIGHT, NO_PARTNER) if self.exclusions.get(r)}

    def tidy(self) -> "pd.DataFrame":
        """One row a term: term, estimate, std_error, statistic, p_value, conf_low, conf_high (95%)."""
        import pandas as pd

        return pd.DataFrame({"term": list(self.terms)} | self._numbers())

    def records(self) -> list[dict[str, Any]]:
        """One record a term: the rows of `tidy`, of which a report reads thousands, without their frame."""
        numbers = self._numbers()
        names, columns = ("term", *numbers), (self.terms, *(column.tolist() for column in numbers.values()))
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _numbers(self) -> dict[str, Floats]:
        """The columns of numbers of `tidy`."""
        from scipy.special import stdtr, stdtrit

        error = self.std_errors
        statistic = np.divide(self.coefficients, error, out=np.full_like(error, np.nan), where=error > 0)
        half = stdtrit(self.dof, (1 + LEVEL) / 2) * error
        return {
            "estimate": self.coefficients,
            "std_error": error,
            "statistic": statistic,
            "p_value": 2 * stdtr(self.dof, -np.abs(statistic)),
            "conf_low": self.coefficients - half,
            "conf_high": self.coefficients + half,
        }

    def percent(self) -> "pd.DataFrame":
        """100 (exp(b) - 1) of each term, and its 95% interval by the end points."""
        import pandas as pd

        numbers = self._numbers()
        columns = {"percent": "estimate", "conf_low": "conf_low", "conf_high": "conf_high"}
        with np.errstate(over="ignore"):  # an effect beyond the largest float is infinite
            return pd.DataFrame(
                {"term": list(self.terms)} | {new: 100 * np.expm1(numbers[old]) for new, old in columns.items()}
            )

    def wald(self, terms: Sequence[str] | None = None, *, equal: bool = False) -> Wald:
        """
        Test that terms are all zero, or all equal.

        Parameters
        ----------
        terms
            Names; None for all.
        equal
            Test that they are equal instead.

        Raises
        ------
        DesignError
            If a term is unknown, or fewer than two are to be equal.

        References
        ----------
        Cameron, Gelbach and Miller (2011), Journal of Business and Economic Statistics 29, 238-249, for the clipping.
        """
        from scipy.special import fdtrc

        names = self.terms if terms is None else tuple(terms)
        chosen = np.stack([self._weights({name: 1.0}) for name in names]) if names else np.zeros((0, len(self.terms)))
        restrictions = chosen[1:] - chosen[:1] if equal else chosen
        if not len(restrictions):
            msg = f"A test that terms are {'equal needs two' if equal else 'zero needs one'}; found {len(names)}."
            raise DesignError(msg)
        distance = restrictions @ self.coefficients
        used = restrictions.any(axis=0)  # a variance that is not known elsewhere does not matter
        covariance = restrictions[:, used] @ self.covariance[np.ix_(used, used)] @ restrictions[:, used].T
        if not np.isfinite(covariance).all():
            return Wald(statistic=np.nan, restrictions=len(distance), dof=self.dof, p_value=np.nan, clipped=False)
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        kept = values > POSITIVE * values[-1]
        turned = vectors[:, kept].T @ distance
        count = int(kept.sum())
        if not count:
            return Wald(statistic=np.nan, restrictions=0, dof=self.dof, p_value=np.nan, clipped=True)
        statistic = float((turned**2 / values[kept]).sum() / count)
        return Wald(
            statistic=statistic,
            restrictions=count,
            dof=self.dof,
            p_value=float(fdtrc(count, self.dof, statistic)),
            clipped=not kept.all(),
        )

    def combine(self, weights: Mapping[str, float]) -> Combination:
        """
        Add up coefficients.

        Parameters
        ----------
        weights
            Term to weight: {"partner[food]": 1, "partner[other]": -1} for a difference.

        Raises
        ------
        DesignError
            If a term is unknown.
        """
        from scipy.special import stdtr, stdtrit

        w = self._weights(weights)
        used = w != 0
        value = float(w @ self.coefficients)
        variance = float(w[used] @ self.covariance[np.ix_(used, used)] @ w[used])
        error = np.sqrt(variance) if variance > 0 else np.nan
        half = float(stdtrit(self.dof, (1 + LEVEL) / 2)) * error
        return Combination(
            estimate=value,
            std_error=float(error),
            statistic=float(value / error),
            p_value=float(2 * stdtr(self.dof, -abs(value / error))),
            conf_low=float(value - half),
            conf_high=float(value + half),
        )

    def _weights(self, weights: Mapping[str, float]) -> Floats:
        for name in weights:
            if name not in self.terms:
                msg = f"The estimate has no term '{name}'; it has {', '.join(self.terms) or 'none'}."
                raise DesignError(msg)
        return np.array([float(weights.get(term, 0.0)) for term in self.terms])

    def with_vcov(self, scheme: str, correction: str | None = None) -> "Estimate":
        """
        Give the same estimate another covariance, without a refit.

        Parameters
        ----------
        scheme
            A scheme; to cluster by columns or to jackknife, estimate again with that `vcov`.
        correction
            None for the estimate's own.

        Raises
        ------
        DesignError
            If the scheme is unknown, names columns, or needs the data.
        """
        if not isinstance(scheme, str):
            msg = "Clustering by columns needs the data: estimate again with vcov=[...]."
            raise DesignError(msg)
        correction = self.correction if correction is None else correction
        return self.under(covariance(self.influence, scheme, correction), scheme, correction)

    def under(self, found: Covariance, se_type: str, correction: str) -> "Estimate":
        """Give the same estimate a covariance that was computed elsewhere."""
        about = replace(self.diagnostics, clusters=found.clusters)
        return replace(
            self, covariance=found.matrix, dof=found.dof, se_type=se_type, correction=correction, diagnostics=about
        )

    def _shown(self) -> tuple[list[str], "pd.DataFrame", list[str]]:
        """What stands above the coefficients, those, and what stands below."""
        about = f"{self.family}, {self.direction}, {self.sample}; errors: {self.se_type}"
        lost = ", ".join(f"{reason} {count:,}" for reason, count in self.dropped.items() if count) or "none"
        size = f"{self.n_obs:,} observations, {self.n_pairs:,} directed pairs; dropped: {lost}"
        found = (self.diagnostics.identification, self.diagnostics.matches)
        said = [str(what) for what in found if what is not None]
        none = [] if self.terms else ["no terms"]
        lines = "\n".join([*none, size, *said, *self.diagnostics.notes, *self._unknown()]).split("\n")
        return [f"{self.design}: {self.formula}", about], self.tidy(), lines

    def _unknown(self) -> list[str]:
        """Say why a standard error is not there."""
        names = [t for t, error in zip(self.terms, self.std_errors, strict=True) if np.isnan(error)]
        if not names:
            return []
        counts = " and ".join(map(str, self.diagnostics.clusters))
        said = (
            f"No standard error for {', '.join(names)}: with {counts} clusters the variance is not positive under "
            f"'{self.se_type}': the clusters overlap, or effects and regressors fit each cluster's sum. See "
            "with_vcov('max-two-way') or with_vcov('pair'); else use a larger sample or fewer effects."
        )
        return [said]

    # what maketables reads

    @property
    def __maketables_coef_table__(self) -> "pd.DataFrame":
        tidy = self.tidy().set_index("term")
        names = {"estimate": "b", "std_error": "se", "statistic": "t", "p_value": "p"}
        return tidy.rename(columns=names | {"conf_low": "ci95l", "conf_high": "ci95u"}).rename_axis("Coefficient")

    @property
    def __maketables_depvar__(self) -> str:
        return self.outcome

    @property
    def __maketables_fixef_string__(self) -> str | None:
        return "+".join(self.effects) or None  # maketables parts it at the sign alone, and blanks would stay

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        return {"vcov_type": self.se_type}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", "pairs", "se_type"]

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return {"pairs": "Directed pairs", "se_type": "Standard errors"}

    def __maketables_stat__(self, key: str) -> Any:
        return {"N": self.n_obs, "pairs": self.n_pairs, "r2": self.diagnostics.pseudo_r2}.get(key)
