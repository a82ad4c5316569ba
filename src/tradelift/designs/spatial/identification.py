"""What identifies the effect of a stack: the variation that the effects leave, and whose it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.spatial.near import NearPairs
from tradelift.diagnostics import Identification, PartnerWeight
from tradelift.panel import Panel
from tradelift.solve import Fit
from tradelift.solve.stack import StackProblem

Floats = NDArray[Any]
Ints = NDArray[Any]

NOTHING = 1e-9  # share of a partner row's treatment that is left where the effects fit it whole, for rounding


def identify(
    panel: Panel, near: NearPairs, problem: StackProblem, found: Fit, treatment: Sequence[int]
) -> Identification | None:
    """
    Say what identifies the treatment.

    Parameters
    ----------
    panel, near, problem, found
        The stack and its fit.
    treatment
        Positions of the treatment terms among the regressors of the problem; with several, of their sum.

    Returns
    -------
    None where nothing is left.
    """
    detail = found.detail[0]
    place = [found.kept.index(k) for k in treatment if k in found.kept]
    if not place or not found.n_obs:
        return None
    # a singleton is fitted whole: it keeps its treatment and has nothing left of it
    whole = np.broadcast_to(problem.weights, detail.sample.shape)
    if problem.family == "poisson":
        whole = whole * np.where(detail.sample, detail.fitted, problem.outcome)
    weights = np.where(detail.sample, whole, 0.0)
    dose = problem.regressors[list(treatment)].sum(axis=0)
    left = detail.net[place].sum(axis=0)
    own = near.is_partner
    squares = (weights * left**2)[:, own].sum(axis=0)
    by_row = near.partner_row[near.group[own]]
    names, partner = np.unique(by_row, return_inverse=True)
    shares = np.bincount(partner, weights=squares)
    effect = np.bincount(partner, weights=(weights * _partial(detail.net, place, weights) * dose)[:, own].sum(axis=0))
    there = np.bincount(near.group, weights=detail.sample.sum(axis=0)) > 0
    size = (weights * dose**2)[:, own].sum(axis=0)
    fitted = squares <= NOTHING * size
    alone = np.bincount(near.group[~own], weights=detail.sample[:, ~own].any(axis=0), minlength=near.n_groups)
    ids, programme = panel.regions.ids, panel.programme
    assert programme is not None, "near pairs have one"
    return Identification(
        variance_left=float((weights * left**2).sum() / (whole * dose**2).sum()),
        groups=int(there.sum()),
        contributing=int((there & ~fitted).sum()),
        controls=float(alone.sum() / max(int(there.sum()), 1)),
        effective_partners=float(shares.sum() ** 2 / (shares**2).sum()) if shares.any() else 0.0,
        partners=tuple(
            PartnerWeight(
                first=str(ids[programme.first[row]]),
                second=str(ids[programme.second[row]]),
                share=float(share / shares.sum()),
                weight=float(weight / effect.sum()),
            )
            for row, share, weight in zip(names, shares, effect, strict=True)
        ),
        lost_groups=_lost(near.lost_groups, int((~there).sum())),
        lost_pairs=near.lost_pairs,
    )


def _partial(net: Floats, place: Sequence[int], weights: Floats) -> Floats:
    """The treatment net of effects and controls, shape (T | 1, n)."""
    others = [k for k in range(len(net)) if k not in place]
    own = net[list(place)].sum(axis=0)
    if not others:
        return np.asarray(own)
    controls = net[others]
    full = np.broadcast_to(controls, (len(others), *weights.shape))
    slopes = np.linalg.solve(
        np.einsum("ktm,tm,ltm->kl", full, weights, full),
        np.einsum("ktm,tm->k", full, weights * own),
    )
    return np.asarray(own - np.tensordot(slopes, controls, 1))


def _lost(lost: Mapping[str, int], unobserved: int) -> Mapping[str, int]:
    """Lost groups, with those of which no observation is used."""
    return {**lost, "no observation left": unobserved}
