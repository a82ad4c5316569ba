"""Differences between partner pairs and their near controls, net of effects that are fitted on untreated cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.spatial.stacking import Stack
from tradelift.designs.spatial.untreated import Untreated
from tradelift.solve.rank import independent

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Differences:
    """
    Which differences are averaged; T counts periods, n rows of a stack, G groups.

    Parameters
    ----------
    live
        Groups with their partner pair and a control in a period, shape (T, G).
    share
        Of each control in its group and period, adding up to 1 there, shape (T, n); 0 for partner pairs.
    weight
        Of each difference in the effect, shape (T, G): dose / sum of dose^2, so that it is the effect of a dose of 1.
    dose
        Of each group, shape (G,).
    """

    live: Bools
    share: Floats
    weight: Floats
    dose: Floats

    def by_cell(self, stack: Stack, n_cells: int) -> Floats:
        """How much each cell counts, shape (N,): partner pairs up, controls down."""
        group, own = stack.near.group, stack.near.is_partner
        rows = np.where(own, self.weight[:, group], -self.weight[:, group] * self.share)
        there = stack.cell >= 0
        return np.bincount(stack.cell[there], weights=rows[there], minlength=n_cells)

    def of(self, stack: Stack, values: Floats) -> Floats:
        """Differences of a column of cells, shape (T, G); 0 where a group is not live."""
        near = stack.near
        taken = np.where(self.share > 0, stack.take(values), 0.0)
        controls = _by_group(self.share * taken, near.group, near.n_groups)
        own = stack.take(values)[:, near.is_partner]
        return np.asarray(np.where(self.live, own - controls, 0.0))


def differences(stack: Stack, treated: Bools, untreated: Bools, dose: Floats, *, even_sides: bool) -> Differences:
    """
    Put the controls of each group and period beside its partner pair.

    Parameters
    ----------
    stack
        Near pairs over the periods.
    treated, untreated
        Cells that may stand as a partner pair and as a control, shape (N,) each.
    dose
        Of each group, shape (G,).
    even_sides
        Whether the sides of a group count the same, whatever their controls weigh.
    """
    near = stack.near
    there = stack.cell >= 0
    own = near.is_partner
    control = there & stack.compared & stack.take(untreated) & ~own
    weight = np.where(control, near.weight, 0.0)
    if even_sides:
        part = near.group * 4 + near.side
        total = _by_group(weight, part, near.n_groups * 4)[:, part]
        weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    total = _by_group(weight, near.group, near.n_groups)
    live = (there & stack.compared & stack.take(treated))[:, own] & (total > 0)
    spread = np.where(live, total, np.inf)[:, near.group]
    by_group = np.where(live, dose, 0.0)
    square = float((by_group * dose).sum())
    return Differences(
        live=live,
        share=weight / spread,
        weight=by_group / square if square > 0 else by_group,
        dose=dose,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """
    A weighted sum of outcomes that is the mean difference, and what it is made of.

    Parameters
    ----------
    effect
        The mean difference, net of effects and slopes.
    net
        Outcome net of both, shape (N,).
    direct
        Weights in the sum of what is net of the effects alone, shape (N,).
    weights
        Weights in the sum of outcomes, shape (N,): their product with the outcomes is the effect.
    slopes
        Of the covariates that are kept.
    kept
        Their positions.
    """

    effect: float
    net: Floats
    direct: Floats
    weights: Floats
    slopes: Floats
    kept: tuple[int, ...]


def contrast(effects: Untreated, columns: Floats, cells: Floats, fitted_on: Floats, *, centred: bool) -> Contrast:
    """
    Average differences, net of effects fitted on untreated cells and of slopes.

    Parameters
    ----------
    effects
        Of the untreated cells.
    columns
        The outcome and K covariates, finite, shape (1 + K, N).
    cells
        How much each cell counts in the mean difference, shape (N,).
    fitted_on
        Weights of the cells on which slopes are fitted, shape (N,): of the outcome on the covariates, both net.
    centred
        Whether slopes are fitted about the means of these cells.
    """
    net = effects.net(columns)
    net[:, ~(effects.sample | effects.known)] = 0.0
    outcome, covariates = net[0], net[1:]
    raw = columns[1:] - _mean(columns[1:], fitted_on)
    x = covariates - _mean(covariates, fitted_on) if centred else covariates
    kept = list(independent((x * fitted_on) @ x.T, (raw**2) @ fitted_on))
    weighted = x[kept] * fitted_on
    cross = weighted @ x[kept].T
    slopes = np.linalg.solve(cross, weighted @ outcome) if kept else np.zeros(0)
    direct = cells - (np.linalg.solve(cross, covariates[kept] @ cells) @ weighted if kept else 0.0)
    return Contrast(
        effect=float(direct @ outcome),
        net=outcome - slopes @ covariates[kept],
        direct=direct,
        weights=effects.carry(direct),
        slopes=slopes,
        kept=tuple(kept),
    )


def _mean(x: Floats, weights: Floats) -> Floats:
    """Weighted means of columns, shape (K, 1)."""
    return np.asarray((x @ weights / max(float(weights.sum()), 1e-300))[:, None])


def _by_group(values: Floats, code: Ints, n: int) -> Floats:
    """Sums by group within each period, shape (T, n)."""
    n_periods = len(values)
    at = np.arange(n_periods)[:, None] * n + code
    return np.bincount(at.ravel(), weights=values.ravel(), minlength=n_periods * n).reshape(n_periods, n)
