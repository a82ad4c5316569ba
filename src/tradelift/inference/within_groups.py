"""Randomization of a stacked design: which pair of a group plays the partner pair."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Comparison
from tradelift.errors import DesignError
from tradelift.inference.inversion import Null
from tradelift.inference.relabelling import WITHIN_GROUP
from tradelift.panel import Panel
from tradelift.panel.digest import fingerprint
from tradelift.solve import Fit
from tradelift.solve.stack import StackProblem, fit_stack
from tradelift.solve.stack_draws import left_of_draws

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

(SCHEME,) = WITHIN_GROUP
FLAT = 1e-10  # share of the largest squares left at which a draw has none: rounding is far below


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupDraws:
    """
    Which row of each group plays the partner pair.

    Parameters
    ----------
    chosen
        Rows of the stack, shape (1 + draws, G); row 0 is the programme as it is.
    moved, movable
        Share of the partner pairs that another plays, on average over draws, and that another can play.
    digest
        A fingerprint of the draws, by the pairs' regions.
    """

    chosen: Ints
    moved: float
    movable: float
    digest: str


def check_stack(comparison: Comparison, *, studentized: bool, refit: bool) -> StackProblem:
    """
    Refuse what cannot be drawn within groups.

    Raises
    ------
    DesignError
        If the design has no groups, more than one treatment term, or t statistics or refits are asked for.
    """
    problem = comparison.problem
    if not isinstance(problem, StackProblem):
        msg = f"scheme='{SCHEME}' draws within the groups of a stacked design such as SpatialRD(); use 'relabel'."
        raise DesignError(msg)
    if comparison.treatment != ("partner",):
        msg = f"scheme='{SCHEME}' draws one treatment; found {', '.join(comparison.treatment)}. Leave out `by`."
        raise DesignError(msg)
    if studentized or refit:
        msg = f"scheme='{SCHEME}' compares coefficients by products; leave out studentized and refit."
        raise DesignError(msg)
    return problem


def draw_within_groups(
    panel: Panel, comparison: Comparison, found: Fit, draws: int, rng: np.random.Generator
) -> GroupDraws:
    """
    Draw a pair of each group, every one with the same chance; both directions of a partnership draw the same pair.

    Parameters
    ----------
    panel
        The flows.
    comparison, found
        The design's own, and its fit.
    draws
        How many.
    rng
        Source of randomness.
    """
    problem = comparison.problem
    assert isinstance(problem, StackProblem), "checked before"
    own = np.flatnonzero(problem.is_partner)
    used: Bools = np.asarray(found.detail[0].sample.any(axis=0))
    dyad = panel.pairs.dyad[problem.pair]
    ids = panel.regions.ids
    chosen = np.tile(own, (1 + draws, 1))
    can, n = [], 0
    partnership = dyad[own]
    # in the order of their regions' ids: the order of rows does not change the draws
    for pair in np.unique(partnership):
        groups = np.flatnonzero((partnership == pair) & used[own])
        if not len(groups):
            continue
        members = [np.flatnonzero((problem.group == g) & used) for g in groups]
        common = np.unique(dyad[members[0]])
        for rows in members[1:]:
            common = np.intersect1d(common, dyad[rows])
        pick = common[rng.integers(0, len(common), draws)]
        for g, rows in zip(groups, members, strict=True):
            order = rows[np.argsort(dyad[rows], kind="stable")]
            chosen[1:, g] = order[np.searchsorted(dyad[order], pick)]
        can.append(len(common) > 1)
        n += 1
    moved = dyad[chosen[1:]] != partnership
    there = used[own]
    ends = panel.pairs.origin[problem.pair[chosen]], panel.pairs.destination[problem.pair[chosen]]
    return GroupDraws(
        chosen=chosen,
        moved=float(moved[:, there].mean()) if there.any() else 0.0,
        movable=float(np.mean(can)) if n else 0.0,
        digest=fingerprint(ids, *ends),
    )


def nulls_within_groups(comparison: Comparison, found: Fit, draws: GroupDraws) -> Callable[[float], Null]:
    """
    Null statistics by the hypothetical effect.

    For OLS the coefficients of the draws; for PPML those of one Newton step from the null model, of the programme as it
    is, too.

    Parameters
    ----------
    comparison, found
        The design's own, and its fit.
    draws
        The draws.
    """
    whole = comparison.problem
    assert isinstance(whole, StackProblem), "checked before"
    kept = list(found.kept)
    treatment = comparison.terms.index("partner")
    problem = replace(
        whole,
        weights=np.where(found.detail[0].sample, whole.weights, 0.0) if found.path == "tensor" else whole.weights,
        regressors=whole.regressors[[k for k in kept if k != treatment]],
    )
    own = whole.regressors[treatment]
    dose = own[:, whole.is_partner]
    last: dict[str, Any] = {}

    def null(effect: float) -> Null:
        if whole.family == "poisson" or not last:
            last.update(_moments(problem, own, dose, draws, effect if whole.family == "poisson" else 0.0))
        shift = 0.0 if whole.family == "poisson" else effect
        coefficients = (last["score"] - shift * last["slope"]) / last["left"]
        slopes = last["slope"] / last["left"]
        return Null(observed=float(coefficients[0]), draws=coefficients[1:], slopes=slopes[1:])

    return null


def _moments(problem: StackProblem, own: Floats, dose: Floats, draws: GroupDraws, effect: float) -> dict[str, Floats]:
    """Scores of the drawn treatments, their squares left, and how the scores fall with the effect, shape (B,) each."""
    model = problem
    if effect:
        shift = effect * np.broadcast_to(own, problem.outcome.shape)
        model = replace(problem, offset=shift if problem.offset is None else problem.offset + shift)
    fit = fit_stack(model)
    detail = fit.detail[0]
    prior = np.where(detail.sample, problem.weights, 0.0)
    shared = fit.path == "sums"
    weights = prior[:1] if shared else prior * (detail.fitted if problem.family == "poisson" else 1.0)
    error = prior * (np.where(detail.sample, problem.outcome, 0.0) - detail.fitted)
    by_group = dose[:, problem.group]

    def drawn(values: Floats) -> Floats:
        """Sums of (T, n) values over treated rows, shape (B,)."""
        return np.asarray((values * by_group).sum(axis=0)[draws.chosen].sum(axis=1))

    repeats = len(problem.outcome) if shared and len(dose) == 1 else 1
    controls = np.stack([repeats * drawn(x * weights) for x in detail.net]) if len(detail.net) else np.zeros((0, 1))
    left = left_of_draws(problem, weights, draws.chosen, dose)
    treated = _net_of_effects(problem, weights, own)
    slope = repeats * drawn(treated * weights)
    if len(controls):
        left = left - np.einsum("kb,kl,lb->b", controls, fit.bread, controls)
        slope = slope - controls.T @ fit.bread @ controls[:, 0]
    left = np.where(left > FLAT * left.max(), left, np.nan)  # the effects fit such a draw whole: it has no coefficient
    return {"score": drawn(error), "left": left, "slope": slope}


def _net_of_effects(problem: StackProblem, weights: Floats, own: Floats) -> Floats:
    """The treatment as it is, net of the effects, shape (T, n) or (1, n)."""
    shape = (max(len(own), len(weights)), own.shape[1])
    linear = replace(
        problem,
        family="gaussian",
        outcome=np.broadcast_to(own, shape),
        regressors=problem.regressors[:0, :1],
        weights=weights,
        offset=None,
    )
    fit = fit_stack(linear)
    return np.where(fit.detail[0].sample, linear.outcome - fit.detail[0].fitted, 0.0)
