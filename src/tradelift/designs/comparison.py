"""The path that every design shares: a comparison of flows, estimated, with its covariance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import (
    SCHEMES,
    Dyads,
    by_groups,
    check_problem,
    codes_of,
    covariance,
)
from tradelift.designs.assembly import Parts, cluster_codes, in_blocks, in_rows
from tradelift.designs.effects import are_two_way, check_effects, default_effects, effect_codes, gaps, third_effect
from tradelift.designs.influence import influence_of, notes_of
from tradelift.designs.screening import (
    NoObservationError,
    Screened,
    missing_cells,
    nothing_left,
    read_offset,
    read_weights,
    screen,
)
from tradelift.designs.terms import Column, choose_family, formula, parse_outcome, transform
from tradelift.diagnostics import Diagnostics, Identification
from tradelift.errors import DesignError
from tradelift.estimate import ZERO_WEIGHT, Estimate
from tradelift.panel import Panel
from tradelift.solve import DenseProblem, Fit, RowProblem, fit
from tradelift.solve.stack import StackProblem, fit_stack

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

NAMED = 5  # terms that a message names


class Design(Protocol):
    """What `conclude` asks of a design; anything frozen that has these serves."""

    @property
    def vcov(self) -> str | Sequence[str]:
        """A scheme, or a list of one or two columns."""
        ...

    @property
    def correction(self) -> str:
        """A small-sample correction."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """
    Which flows are compared, and how: what a design makes of a panel.

    Parameters
    ----------
    problem
        Arrays for the solvers.
    terms
        Names of the regressors, in the order of the problem.
    treatment
        Those of them that must be identified.
    dyads
        The directed pairs, for covariances.
    clusters
        Codes of the user's cluster columns, shaped as `tradelift.solve.fit` takes groups, and their intersection.
    outcome, direction, sample, effects
        What the estimate will say of itself.
    formula
        The line to paste into fixest.
    exclusions
        Observations of the sample that are not in the problem, by reason.
    screened
        The cells of the problem, and why others are not in it.
    hint
        Why the treatment may not be identified here.
    notes
        What a reader must know, in sentences.
    regions
        Ids of the regions that `dyads` codes, shape (R,), to name them.
    """

    problem: DenseProblem | RowProblem | StackProblem
    terms: tuple[str, ...]
    treatment: tuple[str, ...]
    dyads: Dyads
    clusters: tuple[Any, ...] = ()
    outcome: str
    direction: str
    sample: str
    effects: tuple[str, ...]
    formula: str
    exclusions: Mapping[str, int]
    screened: Screened
    hint: str = ""
    notes: tuple[str, ...] = ()
    regions: Sequence[str] = ()


def compare(
    panel: Panel,
    *,
    outcome: str,
    treatment: Sequence[Column],
    controls: Sequence[Column],
    sample: Bools,
    effects: Sequence[str] | None = None,
    family: str | None = None,
    weights: str | None = None,
    offset: str | None = None,
    cluster: Sequence[str] = (),
    direction: str = "both",
    about: str = "all pairs",
    hint: str = "",
    notes: Sequence[str] = (),
) -> Comparison:
    """
    Turn columns of a panel into a comparison.

    Parameters
    ----------
    panel
        The flows.
    outcome
        A column, or log, log1p or asinh of one.
    treatment, controls
        Regressors, from `read_controls` or made by the design.
    sample
        Cells that the design compares, shape (N,).
    effects
        Names; None for origin-period and destination-period.
    family
        "poisson" or "gaussian"; None for the outcome's own.
    weights, offset
        Columns, or None.
    cluster
        Columns of the user to cluster by, at most two.
    direction, about, hint, notes
        As in `Comparison`; `about` is its sample in words.

    Raises
    ------
    DesignError
        If a column is unknown or cannot be used, the family contradicts the outcome, or no observation is left.
    """
    what = parse_outcome(outcome)
    chosen = choose_family(what, family)
    raw = panel.outcome(what.column)
    values, not_positive = transform(what, raw)
    columns = [*treatment, *controls]
    usual = default_effects(panel)
    names = check_effects(usual if effects is None else effects)
    _refuse_schemes(panel, cluster)
    weight = None if weights is None else read_weights(panel, weights, sample)
    shift = None if offset is None else read_offset(panel, offset, sample, chosen)
    by_cell = {what.column: raw, weights: weight, offset: shift}
    missing = missing_cells(panel, {str(n): v for n, v in by_cell.items() if v is not None}, columns)
    masks = {
        "zero_distance": [c.no_distance for c in columns if c.no_distance is not None],
        "missing": [*missing.values(), gaps(panel, [*names, *cluster])],
        "not_positive": [not_positive],
    }
    screened = screen(sample, masks if weight is None else masks | {ZERO_WEIGHT: [weight == 0]})
    used = screened.used
    if not used.any():
        raise NoObservationError(nothing_left(screened, about, missing), screened.counts)
    negative = int(np.count_nonzero((raw < 0) & used)) if chosen == "poisson" else 0
    if negative:
        msg = f"PPML needs flows that are not negative; '{what.column}' is negative in {negative:,} cells."
        raise DesignError(msg)
    third = third_effect(panel, names)
    # the usual effects need no codes to be recognised
    codes = [] if set(names) == set(usual) or third is not None else [effect_codes(panel, name) for name in names]
    parts = Parts(
        panel=panel, used=used, family=chosen,
        # what is missing is not used: any number serves in its place
        columns=[replace(c, values=np.nan_to_num(c.values)) if c.name in missing else c for c in columns],
        outcome=np.where(used, values, 0.0) if what.column in missing else values,
        weights=None if weight is None else np.where(used, weight, 0.0),
        offset=None if shift is None else np.where(used, shift, 0.0),
        groups=cluster_codes(panel, cluster),
    )  # fmt: skip
    blocks = panel.cells.blocks
    problem: DenseProblem | RowProblem
    is_dense = third is not None or set(names) == set(usual) or are_two_way(panel, codes, used)
    if blocks is not None and is_dense:
        problem, clusters = in_blocks(parts, blocks, third)
    else:
        problem, clusters = in_rows(parts, codes or [effect_codes(panel, name) for name in names])
    return Comparison(
        problem=problem,
        terms=tuple(c.name for c in columns),
        treatment=tuple(c.name for c in treatment),
        dyads=Dyads(
            origin=panel.pairs.origin,
            destination=panel.pairs.destination,
            dyad=panel.pairs.dyad,
            used=np.zeros(len(panel.pairs), dtype=bool),
            side=panel.regions.side,
            group=codes_of(panel.regions.group),
            longitude=panel.regions.longitude,
            latitude=panel.regions.latitude,
        ),
        clusters=clusters,
        outcome=outcome,
        direction=direction,
        sample=about,
        effects=names,
        formula=formula(outcome, list(dict.fromkeys(c.spelled or c.name for c in columns)), names),
        exclusions=screened.counts,
        screened=screened,
        hint=hint,
        notes=tuple(notes),
        regions=tuple(map(str, panel.regions.ids)),
    )


def conclude(comparison: Comparison, design: Design) -> Estimate:
    """
    Estimate a comparison: fit, covariance, estimate.

    Parameters
    ----------
    comparison
        What the design made of a panel.
    design
        Its `vcov` and `correction`; its class names the estimate.

    Raises
    ------
    DesignError
        If the treatment is not identified; carries `.dropped`. If the covariance or correction is not for this problem.
    ConvergenceError
        If PPML does not converge.
    """
    return settle(fitted(comparison, design), comparison, design)


def fitted(comparison: Comparison, design: Design, *, detail: bool = False) -> Fit:
    """
    Fit a comparison, with what the covariance of its design needs.

    Parameters
    ----------
    comparison, design
        As in `conclude`.
    detail
        Also keep fitted flows by observation.
    """
    if isinstance(comparison.problem, StackProblem):
        return fit_stack(comparison.problem, comparison.clusters)
    corrects = design.correction == "weidner-zylkin"
    if corrects:
        check_problem(comparison.problem, comparison.dyads)
    detail = detail or corrects or design.correction == "leverage"
    return fit(comparison.problem, groups=comparison.clusters, detail=detail)


def settle(
    found: Fit,
    comparison: Comparison,
    design: Design,
    identification: Identification | None = None,
    like: Fit | None = None,
) -> Estimate:
    """
    Make an estimate of a fit.

    Parameters
    ----------
    found
        The fit of the comparison's problem.
    comparison, design
        As in `conclude`.
    identification
        What identifies a stacked design.
    like
        A fit of the same observations whose leverage counts, as `left_out` takes it.

    Raises
    ------
    DesignError
        If the treatment is not identified; carries `.dropped`.
    """
    exclusions = {**comparison.exclusions, **found.excluded}
    kept = tuple(comparison.terms[k] for k in found.kept)
    lost = [t for t in comparison.treatment if t not in kept]
    if lost:
        raise DesignError(_not_identified(lost, comparison, found), exclusions)
    if not found.n_obs:
        gone = ", ".join(f"{reason} {count:,}" for reason, count in exclusions.items() if count)
        msg = f"No observation is left ({comparison.sample}): {gone}. Use coarser effects or a larger sample."
        raise DesignError(msg, exclusions)
    influence = influence_of(found, comparison.problem, comparison.dyads, design.vcov, design.correction, like)
    bias = None if influence.corrected is None else influence.corrected.bias
    diagnostics = Diagnostics(
        path=found.path,
        iterations=found.iterations,
        omitted=tuple(t for t in comparison.terms if t not in kept),
        effect_rank=found.effect_rank,
        deviance=found.deviance,
        pseudo_r2=1 - found.deviance / found.total if found.total > 0 else np.nan,
        clusters=(),
        notes=(*comparison.notes, *notes_of(influence, comparison.regions)),
        uncorrected=None if bias is None else tuple(map(float, found.coefficients)),
        identification=identification,
        outcome_mean=found.mean,
    )
    k = len(kept)
    blank = Estimate(
        terms=kept,
        coefficients=found.coefficients if bias is None else found.coefficients - bias,
        covariance=np.full((k, k), np.nan),
        dof=1,
        influence=influence,
        n_obs=found.n_obs,
        n_pairs=int(found.pairs_used.sum()),
        exclusions=exclusions,
        design=type(design).__name__,
        outcome=comparison.outcome,
        direction=comparison.direction,
        sample=comparison.sample,
        family=comparison.problem.family,
        treatment=comparison.treatment,
        effects=comparison.effects,
        formula=comparison.formula,
        se_type="none",
        correction="none",
        diagnostics=diagnostics,
    )
    if isinstance(design.vcov, str):
        return blank.under(covariance(influence, design.vcov, design.correction), design.vcov, design.correction)
    sums = [g @ found.bread for g in found.group_scores]
    counts = tuple(int(np.abs(s).sum(axis=1).astype(bool).sum()) for s in found.group_scores[:2])
    return blank.under(
        by_groups(influence, design.correction, sums, counts), " and ".join(design.vcov), design.correction
    )


def _not_identified(lost: Sequence[str], comparison: Comparison, found: Fit) -> str:
    names = ", ".join(f"'{name}'" for name in lost[:NAMED])
    names += f" and {len(lost) - NAMED:,} more" if len(lost) > NAMED else ""
    gone = ", ".join(f"{reason} {count:,}" for reason, count in found.excluded.items() if count)
    gone = f" Observations dropped before: {gone}." if gone else ""
    if not found.n_obs and not comparison.hint:
        return f"No observation is left to identify {names} ({comparison.sample}).{gone}"
    why = comparison.hint or "Use another sample, other controls or coarser effects."
    return f"The effects and controls absorb all variation in {names} ({comparison.sample}). {why}{gone}"


def _refuse_schemes(panel: Panel, cluster: Sequence[str]) -> None:
    for name in cluster:
        if name in SCHEMES and name not in panel.names:
            msg = f"The panel has no column '{name}' to cluster by; for the scheme write vcov='{name}', without a list."
            raise DesignError(msg)
