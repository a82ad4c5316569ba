"""Randomization inference: what the estimate would be under programmes that could have been drawn instead."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Comparison, conclude
from tradelift.designs.comparison import fitted, settle
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.inference.inversion import Null, invert, p_value
from tradelift.inference.nulls import Products
from tradelift.inference.products import Draws
from tradelift.inference.randomized import Randomized
from tradelift.inference.refits import Refits
from tradelift.inference.relabelling import WITHIN_GROUP, Relabellings, draw_relabellings
from tradelift.inference.treatment import Comparing, check_comparison, masks_of
from tradelift.inference.within_groups import GroupDraws, check_stack, draw_within_groups, nulls_within_groups
from tradelift.panel import Panel
from tradelift.threads import one_blas_thread

Floats = NDArray[Any]

WITHOUT_PAIRS = ("none", "robust", "jackknife")  # schemes that are not made of score sums by pair


def randomize(
    design: Comparing,
    panel: Panel,
    *,
    scheme: str = "relabel",
    draws: int = 999,
    seed: int = 1,
    studentized: bool = False,
    refit: bool = False,
    interval: bool = True,
) -> Randomized:
    """
    Compare an estimate with those under programmes that could have been drawn instead.

    The same seed, programme and groups give the same draws, whatever the order of rows and whatever the outcome.

    Parameters
    ----------
    design
        `Gravity`, or any design whose treatment is `partner` and that has `compare(panel)`.
    panel
        With a programme and, but for "free", groups of the regions.
    scheme
        "relabel": the regions of a group (a province) change places, on each side, and keep the shape of the network;
        "swap": two partnerships of the same two groups exchange an end; "free": any two do, which keeps each region's
        number of partners alone and is a benchmark. A partnership takes its start, end and dose along. "within-group",
        for `SpatialRD` alone: the partner pair and its near controls change places in each group, whose rows and kernel
        weights stay.
    draws
        How many, B.
    seed
        Of the draws.
    studentized
        Compare t statistics in place of coefficients, by the design's covariance where it is made of pairs, else
        "dyadic".
    refit
        Estimate the design anew for each draw: exact for PPML, where the default is one Newton step from the null
        model; possible for any design; slow.
    interval
        Also find the interval: OLS on y - b0 D, PPML with offset b0 D. With several treatment terms, the others keep
        their estimates.

    Returns
    -------
    The estimate with its p-value, (1 + number of draws at least as large) / (1 + draws), and its interval.

    Raises
    ------
    DesignError
        If there is no programme, its treatment is not in the design, fewer than half of the partner pairs can move, or
        the design needs refit=True.
    ConvergenceError
        If PPML does not converge, or the interval does not settle.

    References
    ----------
    Fisher (1935), The Design of Experiments. Rosenbaum (2002), Observational Studies, for the interval.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> rows = [(a, b, 1.0 + (ord(a) * ord(b)) % 7) for a in "abcdef" for b in "abcdef" if a != b]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "trade"])
    >>> regions = pd.DataFrame({"region": list("abcdef"), "group": list("xxxyyy")})
    >>> partners = pd.DataFrame({"one": ["a", "b"], "other": ["d", "e"]})
    >>> panel = tl.Panel.from_frame(flows, regions=regions, partners=partners)
    >>> tl.randomize(tl.Gravity(), panel, draws=99).n_draws
    99
    """
    _check(design, draws, seed)
    with one_blas_thread():
        return _randomize(design, panel, scheme, draws, seed, studentized=studentized, refit=refit, interval=interval)


def _randomize(
    design: Comparing,
    panel: Panel,
    scheme: str,
    draws: int,
    seed: int,
    *,
    studentized: bool,
    refit: bool,
    interval: bool,
) -> Randomized:
    if scheme in WITHIN_GROUP:
        return _within_groups(design, panel, draws, seed, studentized=studentized, refit=refit, interval=interval)
    relabelled = draw_relabellings(panel, scheme, draws, np.random.default_rng(seed))
    comparison = design.compare(panel)
    check_comparison(comparison)
    estimate = conclude(comparison, design)
    assert panel.programme is not None, "without one nothing was drawn"
    drawn = Draws(first=relabelled.first, second=relabelled.second, programme=panel.programme)
    errors = _scheme(design) if studentized else None
    if refit:
        nulls = _by_refits(design, panel, comparison, estimate, drawn, studentized=studentized)
        own = design.vcov if isinstance(design.vcov, str) else " and ".join(design.vcov)
        statistic = f"t statistic ({own})" if studentized else "coefficient"
    else:
        masks = masks_of(design, panel, comparison)
        moves = not panel.is_fixed("partner")
        products = Products(
            comparison=comparison, estimate=estimate, masks=masks, draws=drawn, moves=moves, errors=errors
        )
        nulls = _by_products(products)
        step = "" if estimate.family == "gaussian" else ", after one Newton step from the null model"
        statistic = (f"t statistic ({errors[0]})" if errors else "coefficient") + step
    return _result(estimate, relabelled, nulls, scheme=scheme, seed=seed, statistic=statistic, interval=interval)


def _within_groups(
    design: Comparing, panel: Panel, draws: int, seed: int, *, studentized: bool, refit: bool, interval: bool
) -> Randomized:
    comparison = design.compare(panel)
    check_stack(comparison, studentized=studentized, refit=refit)
    found = fitted(comparison, design)
    estimate = settle(found, comparison, design)
    drawn = draw_within_groups(panel, comparison, found, draws, np.random.default_rng(seed))
    step = "" if estimate.family == "gaussian" else ", after one Newton step from the null model"
    nulls = [nulls_within_groups(comparison, found, drawn)]
    (scheme,) = WITHIN_GROUP
    return _result(estimate, drawn, nulls, scheme=scheme, seed=seed, statistic=f"coefficient{step}", interval=interval)


def _check(design: Any, draws: int, seed: int) -> None:
    if not hasattr(design, "compare"):
        msg = f"{type(design).__name__} has no compare(panel) to randomize; give a design such as Gravity()."
        raise DesignError(msg)
    if not isinstance(draws, int) or draws < 1:
        msg = f"draws is a number of relabelled programmes, at least 1; found {draws!r}."
        raise DesignError(msg)
    if not isinstance(seed, int) or seed < 0:
        msg = f"seed is a whole number that is not negative; found {seed!r}."
        raise DesignError(msg)


def _scheme(design: Comparing) -> tuple[str, str]:
    """Scheme and correction by which draws are studentized."""
    if not isinstance(design.vcov, str) or design.vcov in WITHOUT_PAIRS or design.correction == "weidner-zylkin":
        return "dyadic", "clusters"
    return design.vcov, design.correction


def _by_refits(
    design: Comparing, panel: Panel, comparison: Comparison, estimate: Estimate, draws: Draws, *, studentized: bool
) -> list[Callable[[float], Null]]:
    refits = Refits(
        design=design, panel=panel, comparison=comparison, estimate=estimate, draws=draws, studentized=studentized
    )
    return [refits.nulls(term) for term in range(len(comparison.treatment))]


def _by_products(products: Products) -> list[Callable[[float], Null]]:
    is_linear = products.estimate.family == "gaussian" and products.errors is None
    source = products.linear() if is_linear else products
    return [partial(source.null, term) for term in range(len(products.estimate.treatment))]


def _result(
    estimate: Estimate,
    relabelled: Relabellings | GroupDraws,
    nulls: Sequence[Callable[[float], Null]],
    *,
    scheme: str,
    seed: int,
    statistic: str,
    interval: bool,
) -> Randomized:
    known = dict(zip(estimate.terms, map(float, estimate.coefficients), strict=True))
    own = [known[term] for term in estimate.treatment]
    found = [null(0.0) for null in nulls]
    unknown = int(sum(np.isnan(null.statistics).sum() for null in found))
    notes = [f"{unknown:,} draws have no such statistic and count as larger."] if unknown else []
    if np.isnan([null.statistic for null in found]).any():
        notes.append("The standard error is not known, so neither are the p-value and the interval: see 'max-two-way'.")
    ends = [invert(null, b) if interval else (np.nan, np.nan) for null, b in zip(nulls, own, strict=True)]
    return Randomized(
        terms=estimate.treatment,
        estimates=np.array(own),
        statistics=np.array([null.statistic for null in found]),
        null_draws=np.stack([null.statistics for null in found]),
        p_values=np.array([p_value(null) for null in found]),
        intervals=np.array(ends, dtype=np.float64),
        statistic=statistic,
        moved=relabelled.moved,
        movable=relabelled.movable,
        scheme=scheme,
        seed=seed,
        n_draws=len(found[0].draws),
        digest=relabelled.digest,
        design=estimate.design,
        outcome=estimate.outcome,
        direction=estimate.direction,
        sample=estimate.sample,
        family=estimate.family,
        n_obs=estimate.n_obs,
        n_pairs=estimate.n_pairs,
        notes=(*estimate.diagnostics.notes, *notes),
    )
