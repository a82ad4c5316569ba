"""How strong an omitted variable would have to be to change an OLS estimate: partial R2, robustness values, bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from tradelift.designs.terms import default_controls
from tradelift.errors import DesignError
from tradelift.estimate import LEVEL, Estimate
from tradelift.inference.omitted import as_strong, robustness_value, with_omitted
from tradelift.panel import Panel

if TYPE_CHECKING:
    import pandas as pd

TIMES = (1.0, 2.0, 3.0)


class Controlled(Protocol):
    """A design, frozen, whose controls can be added to."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def controls(self) -> Sequence[str] | None:
        """As users write them; None for the default."""
        ...

    def estimate(self, panel: Panel) -> Estimate:
        """Estimate on a panel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Confounder:
    """
    An omitted variable of a given strength, and what the estimate would be with it.

    Parameters
    ----------
    name
        The observed covariate that its strength is measured by.
    times
        How many times as strong as that it is.
    r2_treatment
        Share of the treatment's variance that it explains, of what effects and controls leave.
    r2_outcome
        Share of the outcome's variance that it explains, of what effects, controls and treatment leave.
    estimate, std_error, conf_low, conf_high
        With it, where it takes from the estimate all that it can; NaN where no variable can be so strong.
    """

    name: str
    times: float
    r2_treatment: float
    r2_outcome: float
    estimate: float
    std_error: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """
    An OLS estimate, and how strong an omitted variable would have to be to change it.

    Parameters
    ----------
    term, estimate, std_error, se_type
        The treatment, and its error under the design's scheme.
    critical, t_dof
        Of the t distribution at 95%, and its degrees of freedom.
    classical_error, dof
        Its error under independent errors of one variance, and the degrees of freedom: the scale of variances.
    partial_r2
        Share of the outcome's variance, of what effects and controls leave, that the treatment explains.
    robustness_value
        An omitted variable that explains this share of what is left of the treatment and of the outcome both takes the
        estimate to zero; a weaker one does not.
    interval_value
        The same, to let the 95% interval under the design's errors reach zero; 0 where it does already.
    confounders
        As strong as observed covariates.
    design, outcome, direction, sample, n_obs, n_pairs
        Of the estimate.
    notes
        What a reader must know, in sentences.
    """

    term: str
    estimate: float
    std_error: float
    se_type: str
    critical: float
    t_dof: float
    classical_error: float
    dof: float
    partial_r2: float
    robustness_value: float
    interval_value: float
    confounders: tuple[Confounder, ...]
    design: str
    outcome: str
    direction: str
    sample: str
    n_obs: int
    n_pairs: int
    notes: tuple[str, ...] = ()

    def tidy(self) -> "pd.DataFrame":
        """The estimate, and one row a confounder: what the estimate would be with it."""
        import pandas as pd
        from scipy.special import stdtr

        rows = [(self.term, self.estimate, self.std_error)]
        rows += [(f"{self.term} beside {c.times:g} x {c.name}", c.estimate, c.std_error) for c in self.confounders]
        out = pd.DataFrame(rows, columns=["term", "estimate", "std_error"])
        statistic = out["estimate"] / out["std_error"]
        half = self.critical * out["std_error"]
        return out.assign(
            statistic=statistic,
            p_value=2 * stdtr(self.t_dof, -np.abs(statistic.to_numpy())),
            conf_low=out["estimate"] - half,
            conf_high=out["estimate"] + half,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """
    How strong an omitted variable would have to be to change the estimate of a design by OLS.

    Parameters
    ----------
    design
        Frozen, with `controls`: `Gravity` or `SpatialRD`, on logs or levels.
    observed
        Further columns by which strength is measured: each is added to the controls once, and what it explains there
        is the strength of a variable that is left out.
    times
        How many times as strong as an observed covariate.

    References
    ----------
    Cinelli and Hazlett (2020), Journal of the Royal Statistical Society B 82, 39-67.

    Examples
    --------
    >>> from tradelift.designs import SpatialRD
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> panel = draw_affinity_world(AffinityWorld(), 1).panel
    >>> found = Sensitivity(design=SpatialRD()).estimate(panel)
    >>> 0 < found.interval_value < found.robustness_value < 1
    True
    """

    design: Controlled
    observed: Sequence[str] = ()
    times: Sequence[float] = TIMES

    def __post_init__(self) -> None:
        if isinstance(self.observed, str):
            msg = f"observed must be a list; write observed=['{self.observed}']."
            raise DesignError(msg)
        object.__setattr__(self, "observed", tuple(self.observed))
        object.__setattr__(self, "times", tuple(map(float, self.times)))
        wrong = [k for k in self.times if not k > 0]
        if wrong:
            msg = f"times are positive: an omitted variable is so many times as strong as another; found {wrong[0]:g}."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Robustness:
        """
        Estimate the design, and once more with each further column.

        Raises
        ------
        DesignError
            If the design is estimated by PPML or has more than one treatment, or as it raises.
        """
        estimate = self.design.estimate(panel)
        found = robustness(estimate, times=self.times)
        given = default_controls(panel) if self.design.controls is None else self.design.controls
        more: list[Confounder] = []
        notes: list[str] = []
        for name in self.observed:
            if name in given:
                continue
            beside = replace(self.design, controls=(*given, name)).estimate(panel)
            if name not in beside.terms:
                notes.append(f"'{name}' has no variation beside the effects and controls, and measures no strength.")
                continue
            if beside.n_obs != estimate.n_obs:
                notes.append(f"The strength of '{name}' is that in {beside.n_obs:,} observations where it is known.")
            own = strengths(beside)[name]
            more += [_confounder(found, name, k, min(k * own[0], 1.0), min(k * own[1], 1.0)) for k in self.times]
        return replace(found, confounders=(*found.confounders, *more), notes=(*found.notes, *notes))


def robustness(estimate: Estimate, *, times: Sequence[float] = TIMES) -> Robustness:
    """
    Tell how strong an omitted variable would have to be, beside the estimate's own controls.

    Variances are what fixed effects and controls leave; with weights they are weighted. They are counted by
    observation, as classical errors do; intervals have the estimate's own errors, which are taken to keep their ratio
    to classical ones when a variable is added.

    Parameters
    ----------
    estimate
        By OLS, with one treatment.
    times
        How many times as strong as each control.

    Raises
    ------
    DesignError
        If the estimate is of PPML, or has another number of treatments than one.

    References
    ----------
    Cinelli and Hazlett (2020), Journal of the Royal Statistical Society B 82, 39-67.
    """
    from scipy.special import stdtrit

    at = _treatment(estimate)
    b, error = float(estimate.coefficients[at]), float(estimate.std_errors[at])
    classical, dof = float(np.sqrt(estimate.influence.iid[at, at])), _dof(estimate)
    critical = float(stdtrit(estimate.dof, (1 + LEVEL) / 2))
    f = float(abs(b) / (classical * np.sqrt(dof)))
    found = Robustness(
        term=estimate.terms[at],
        estimate=b,
        std_error=error,
        se_type=estimate.se_type,
        critical=critical,
        t_dof=estimate.dof,
        classical_error=classical,
        dof=dof,
        partial_r2=f**2 / (1 + f**2),
        robustness_value=robustness_value(f),
        interval_value=robustness_value(f, critical * error / classical / np.sqrt(dof - 1)),
        confounders=(),
        design=estimate.design,
        outcome=estimate.outcome,
        direction=estimate.direction,
        sample=estimate.sample,
        n_obs=estimate.n_obs,
        n_pairs=estimate.n_pairs,
        notes=estimate.diagnostics.notes,
    )
    own = [
        _confounder(found, name, k, *as_strong(r2_treatment, r2_outcome, k))
        for name, (r2_treatment, r2_outcome) in strengths(estimate).items()
        for k in times
    ]
    return replace(found, confounders=tuple(own))


def strengths(estimate: Estimate) -> dict[str, tuple[float, float]]:
    """
    Partial R2 of each term but the treatment: with the treatment, and with the outcome.

    With the treatment given the other controls; with the outcome given the treatment, too.

    Parameters
    ----------
    estimate
        As in `robustness`.
    """
    at, v = _treatment(estimate), estimate.influence.iid
    out = {}
    for k, term in enumerate(estimate.terms):
        if k != at:
            # the covariance is an inverse cross product: its correlations are partial ones, of opposite sign
            squared = float(estimate.coefficients[k]) ** 2 / v[k, k]
            out[term] = float(v[at, k] ** 2 / (v[at, at] * v[k, k])), float(squared / (squared + _dof(estimate)))
    return out


def _confounder(found: Robustness, name: str, times: float, r2_treatment: float, r2_outcome: float) -> Confounder:
    value, error = with_omitted(
        found.estimate, found.std_error, found.classical_error, found.dof, r2_treatment, r2_outcome
    )
    return Confounder(
        name=name,
        times=times,
        r2_treatment=r2_treatment,
        r2_outcome=r2_outcome,
        estimate=value,
        std_error=error,
        conf_low=value - found.critical * error,
        conf_high=value + found.critical * error,
    )


def _dof(estimate: Estimate) -> float:
    return float(max(estimate.influence.n_obs - estimate.influence.rank, 2))


def _treatment(estimate: Estimate) -> int:
    """Position of the one treatment of an estimate by OLS."""
    if estimate.family != "gaussian":
        msg = (
            f"Partial R2 are of least squares; '{estimate.outcome}' is estimated by PPML. "
            f"Use outcome='log({estimate.outcome})'."
        )
        raise DesignError(msg)
    if len(estimate.treatment) != 1:
        msg = f"Robustness is of one treatment; found {', '.join(estimate.treatment) or 'none'}."
        raise DesignError(msg)
    return estimate.terms.index(estimate.treatment[0])
