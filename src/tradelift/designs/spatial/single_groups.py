"""How much a single group moves an estimate: the estimate without it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.comparison import fitted
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.rd import SpatialRD
from tradelift.designs.stored import refuse_stored
from tradelift.errors import DesignError
from tradelift.panel import Panel
from tradelift.solve import Fit
from tradelift.solve.stack import StackProblem, fit_stack

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]
Ints = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """The coefficient without the group of a directed partner pair; NaN where it is not identified then."""

    origin: str
    destination: str
    estimate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInfluence:
    """
    Estimates without single groups, the largest change first.

    Parameters
    ----------
    term, estimate
        The treatment and its coefficient with all groups.
    without
        By group that was left out.
    n_groups
        Groups in all.
    outcome, direction, sample, n_obs, n_pairs
        Of the design.
    """

    term: str
    estimate: float
    without: tuple[Without, ...]
    n_groups: int
    outcome: str
    direction: str
    sample: str
    n_obs: int
    n_pairs: int

    @property
    def design(self) -> str:
        """What was estimated."""
        return "SingleGroups"

    @property
    def se_type(self) -> str:
        """There are no errors."""
        return "none"

    def tidy(self) -> "pd.DataFrame":
        """One row a group that was left out: the coefficient without it; there are no errors."""
        import pandas as pd

        rows = [
            {"term": f"{self.term} without {w.origin}->{w.destination}", "estimate": w.estimate} for w in self.without
        ]
        blank = dict.fromkeys(("statistic", "p_value", "conf_low", "conf_high"), np.nan)
        return pd.DataFrame([row | blank for row in rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleGroups:
    """
    Leave out one group at a time, and estimate again.

    The groups that are left out are those whose first-order influence on the coefficient is the largest: their scores
    over what they leave of the treatment's variation. Each is then left out for good and everything estimated again.

    Parameters
    ----------
    design
        The spatial design, with one treatment.
    most
        How many groups to leave out, one at a time; all where there are no more.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = SingleGroups(design=SpatialRD(), most=2).estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> len(found.without)
    2
    """

    design: SpatialRD
    most: int = 5

    def __post_init__(self) -> None:
        if self.most < 1:
            msg = f"most is a number of groups, at least 1; found {self.most!r}."
            raise DesignError(msg)
        if self.design.by is not None:
            msg = f"Single groups are left out of designs with one treatment; leave out by='{self.design.by}'."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> GroupInfluence:
        """
        Estimate a design without single groups.

        Raises
        ------
        DesignError, ConvergenceError
            As `SpatialRD.estimate`.
        """
        refuse_stored(panel, "SingleGroups")
        design = self.design
        near = near_pairs(panel, design.near, design.direction)
        comparison = design.compare(panel)
        problem = comparison.problem
        assert isinstance(problem, StackProblem), "a stack is compared"
        whole = fitted(comparison, design)
        if 0 not in whole.kept:
            design.estimate(panel)  # refuses with the reason
        first_order = _first_order(problem, whole, near)
        chosen = np.argsort(-np.abs(first_order), kind="stable")[: self.most]
        coefficient = float(whole.coefficients[0])
        found = [
            Without(
                origin=str(panel.regions.ids[panel.pairs.origin[near.partner_pair[g]]]),
                destination=str(panel.regions.ids[panel.pairs.destination[near.partner_pair[g]]]),
                estimate=_without(problem, near, g),
            )
            for g in chosen
        ]
        return GroupInfluence(
            term=comparison.terms[0],
            estimate=coefficient,
            without=tuple(sorted(found, key=lambda w: -abs(np.nan_to_num(w.estimate, nan=np.inf) - coefficient))),
            n_groups=near.n_groups,
            outcome=design.outcome,
            direction=design.direction,
            sample=comparison.sample,
            n_obs=whole.n_obs,
            n_pairs=int(whole.pairs_used.sum()),
        )


def _first_order(problem: StackProblem, whole: Fit, near: NearPairs) -> Floats:
    """Change of the treatment's coefficient without each group, to first order, shape (G,)."""
    detail = whole.detail[0]
    own = np.where(detail.sample, np.broadcast_to(problem.weights, detail.sample.shape), 0.0)
    error = own * np.where(detail.sample, problem.outcome - detail.fitted, 0.0)
    curved = own * detail.fitted if problem.family == "poisson" else own
    net = np.broadcast_to(detail.net, (len(detail.net), *detail.sample.shape))
    score = _by_group(np.einsum("ktm,tm->km", net, error), near)
    held = _by_group(np.einsum("ktm,tm,ltm->klm", net, curved, net).reshape(len(net) ** 2, -1), near)
    held = held.reshape(near.n_groups, len(net), len(net))
    left = held.sum(axis=0) - held
    return np.array([-(np.linalg.pinv(a) @ s)[0] for a, s in zip(left, score, strict=True)])


def _by_group(rows: Floats, near: NearPairs) -> Floats:
    """Sums over the rows of each group, shape (G, K) from (K, n)."""
    return np.stack([np.bincount(near.group, weights=row, minlength=near.n_groups) for row in rows], axis=1)


def _without(problem: StackProblem, near: NearPairs, group: int) -> float:
    """The treatment's coefficient without a group; NaN where it is not identified."""
    weights = np.where(near.group == group, 0.0, problem.weights)
    found = fit_stack(replace(problem, weights=weights))
    return float(found.coefficients[0]) if 0 in found.kept else np.nan
