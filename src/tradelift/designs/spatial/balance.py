"""Whether partner pairs and their near controls differ in what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import covariance
from tradelift.designs.spatial.balance_fit import Compared, compare_covariate, joint_influence
from tradelift.designs.spatial.covariates import pair_covariates
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.rd import SpatialRD
from tradelift.designs.spatial.stacking import default_effects, stack_effects
from tradelift.designs.stored import refuse_stored
from tradelift.diagnostics import Diagnostics
from tradelift.errors import DesignError
from tradelift.estimate import Estimate, Wald
from tradelift.panel import Panel

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateBalance:
    """
    A covariate of partner pairs and of near controls.

    Parameters
    ----------
    name
        As "log(distance_km)" or "gdp[west]".
    partners, controls
        Means of partner pairs and of near controls, with the weights of the design.
    spread
        The unit of standardized differences: the root of the mean of both variances.
    everywhere
        Standardized difference between partner pairs and all other pairs of the direction, in the same unit.
    absorbed
        Whether the effects explain the covariate, so that it cannot differ.
    missing
        Rows of the stack that have no value, or whose partner pair has none.
    """

    name: str
    partners: float
    controls: float
    spread: float
    everywhere: float
    absorbed: bool
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Balanced:
    """
    The balance of covariates.

    Parameters
    ----------
    covariates
        One a covariate that is not the same everywhere.
    constant
        Names of those that are, or that no partner pair or no control knows.
    estimate
        Standardized differences by the equation, one a covariate that the effects do not explain.
    """

    covariates: tuple[CovariateBalance, ...]
    constant: tuple[str, ...]
    estimate: Estimate

    @property
    def design(self) -> str:
        """What was estimated."""
        return self.estimate.design

    @property
    def outcome(self) -> str:
        """Every covariate is one."""
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
        """Rows of the stack, each once."""
        return self.estimate.n_obs

    @property
    def n_pairs(self) -> int:
        """Directed pairs."""
        return self.estimate.n_pairs

    @property
    def test(self) -> Wald | None:
        """That all differences are zero; None where the effects explain every covariate."""
        return self.estimate.wald() if self.estimate.terms else None

    def tidy(self) -> "pd.DataFrame":
        """One row a covariate that the effects do not explain: its standardized difference."""
        return self.estimate.tidy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """
    Every covariate as the outcome of the equation of spatial RD, each pair once, without controls.

    Differences are in units of the covariate's spread, and tested together from the scores of all equations.

    Parameters
    ----------
    design
        The spatial design; where its effects are the group's alone, the regions are compared too. Its outcome, family
        and controls do not matter.
    named
        Further covariates, written as controls are.
    without
        Columns to leave out.

    References
    ----------
    Imbens and Rubin (2015), Causal Inference for Statistics, Social, and Biomedical Sciences, chapter 14.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = Balance(design=SpatialRD()).estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> found.estimate.terms
    ('log(distance_km)',)
    """

    design: SpatialRD
    named: Sequence[str] = ()
    without: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("named", "without"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def estimate(self, panel: Panel) -> Balanced:
        """
        Compare the covariates of partner pairs and near controls.

        Raises
        ------
        DesignError
            If nothing is known of the pairs and regions, no covariate differs between pairs, the effects explain the
            treatment, or as `SpatialRD.compare` does.
        """
        refuse_stored(panel, "Balance")
        near = near_pairs(panel, self.design.near, self.design.direction)
        columns = pair_covariates(panel, self.named, self.without)
        if not columns:
            msg = "The panel knows nothing of its pairs or regions to compare: give `pairs`, or traits of the regions."
            raise DesignError(msg)
        effects = default_effects(panel) if self.design.effects is None else tuple(self.design.effects)
        codes = stack_effects(panel, near, effects)
        compared = {name: compare_covariate(panel, near, codes, values) for name, values in columns.items()}
        known = {name: one for name, one in compared.items() if one is not None}
        if not known:
            msg = f"No covariate differs between near pairs ({', '.join(columns)}): there is nothing to balance."
            raise DesignError(msg)
        if not all(one.fit.kept for one in known.values()):
            msg = f"The effects absorb all variation in 'partner' among near pairs ({self.design.near.describe()})."
            raise DesignError(msg)
        among = panel.pair_direction(self.design.direction)
        return Balanced(
            covariates=tuple(_describe(panel, name, columns[name], one, among) for name, one in known.items()),
            constant=tuple(name for name, one in compared.items() if one is None),
            estimate=self._estimate(panel, {n: one for n, one in known.items() if not one.absorbed}, near, effects),
        )

    def _estimate(
        self, panel: Panel, left: Mapping[str, Compared], near: NearPairs, effects: tuple[str, ...]
    ) -> Estimate:
        """The standardized differences with their joint covariance."""
        design = self.design
        fits = [one.fit for one in left.values()]
        influence = joint_influence(panel, near, list(left.values()))
        k = len(fits)
        blank = Estimate(
            terms=tuple(left),
            coefficients=np.array([fit.coefficients[0] for fit in fits]),
            covariance=np.full((k, k), np.nan),
            dof=1,
            influence=influence,
            n_obs=influence.n_obs,
            n_pairs=int(influence.dyads.used.sum()),
            exclusions={},
            design=type(self).__name__,
            outcome="covariates, standardized",
            direction=design.direction,
            sample=design.near.describe(),
            family="gaussian",
            treatment=(),
            effects=effects,
            formula=f"covariate ~ partner | {' + '.join(effects)}",
            se_type="none",
            correction="none",
            diagnostics=Diagnostics(
                path="sums",
                iterations=1,
                omitted=(),
                effect_rank=max((fit.effect_rank for fit in fits), default=0),
                deviance=float(sum(fit.deviance for fit in fits)),
                pseudo_r2=np.nan,
                clusters=(),
            ),
        )
        scheme = design.vcov if isinstance(design.vcov, str) else "max-two-way"
        if not k:
            return blank
        return blank.under(covariance(influence, scheme, design.correction), scheme, design.correction)


def _describe(panel: Panel, name: str, values: Floats, one: Compared, among: Bools) -> CovariateBalance:
    """A covariate beside all pairs of the direction."""
    partner = panel.pairs.partnership >= 0
    known = among & np.isfinite(values)
    own, rest = values[known & partner], values[known & ~partner]
    apart = float(own.mean() - rest.mean()) / one.spread if len(own) and len(rest) else np.nan
    return CovariateBalance(
        name=name,
        partners=one.partners,
        controls=one.controls,
        spread=one.spread,
        everywhere=apart,
        absorbed=one.absorbed,
        missing=one.missing,
    )
