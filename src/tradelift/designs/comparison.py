"""The path that every design shares: a comparison of flows, estimated, with its covariance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from tradelift.designs.terms import Column, choose_family, parse_outcome, transform
from tradelift.errors import DesignError
from tradelift.estimate import Diagnostics, Estimate
from tradelift.panel import Panel
from tradelift.solve import DenseProblem, Fit, RowProblem, fit

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


class NoObservationError(DesignError):
    """The sample has none that can be used; a part of a panel may, where others do not."""


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
    exclusions
        Observations of the sample that are not in the problem, by reason.
    hint
        Why the treatment may not be identified here.
    notes
        What a reader must know, in sentences.
    regions
        Ids of the regions that `dyads` codes, shape (R,), to name them.
    """

    problem: DenseProblem | RowProblem
    terms: tuple[str, ...]
    treatment: tuple[str, ...]
    dyads: Dyads
    clusters: tuple[Any, ...] = ()
    outcome: str
    direction: str
    sample: str
    effects: tuple[str, ...]
    exclusions: Mapping[str, int]
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
        If a column is unknown, the family contradicts the outcome, or no observation is left.
    """
    what = parse_outcome(outcome)
    chosen = choose_family(what, family)
    raw = panel.outcome(what.column)
    values, not_positive = transform(what, raw)
    columns = [*treatment, *controls]
    usual = default_effects(panel)
    names = check_effects(usual if effects is None else effects)
    _refuse_schemes(panel, cluster)
    by_cell = [raw, *_numbers(panel, weights, offset), *(c.values for c in columns if not c.fixed)]
    unknown = [np.isnan(values) for values in by_cell if not _is_finite(values)]
    unknown += [c.by_cell(panel.pair_of_cell) for c in _unknown_pairs(columns)]
    unknown.append(gaps(panel, [*names, *cluster]))
    near = [c.no_distance for c in columns if c.no_distance is not None]
    reasons, used = _screen(sample, {"zero_distance": near, "missing": unknown, "not_positive": [not_positive]})
    negative = int(np.count_nonzero((raw < 0) & used)) if chosen == "poisson" else 0
    if negative:
        msg = f"PPML needs flows that are not negative; '{what.column}' is negative in {negative:,} cells."
        raise DesignError(msg)
    if not used.any():
        msg = f"No observation is left of {int(sample.sum()):,}: " + ", ".join(f"{r} {n:,}" for r, n in reasons.items())
        raise NoObservationError(msg, reasons)
    third = third_effect(panel, names)
    # the usual effects need no codes to be recognised
    codes = [] if set(names) == set(usual) or third is not None else [effect_codes(panel, name) for name in names]
    parts = Parts(
        panel=panel, columns=columns, used=used, family=chosen,
        outcome=values if used.all() else np.where(used, values, 0.0),
        weights=None if weights is None else np.where(used, panel.column(weights), 0.0).astype(float),
        offset=None if offset is None else np.where(used, panel.column(offset), 0.0).astype(float),
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
        exclusions=reasons,
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
    corrects = design.correction == "weidner-zylkin"
    if corrects:
        check_problem(comparison.problem, comparison.dyads)
    return settle(fit(comparison.problem, groups=comparison.clusters, detail=corrects), comparison, design)


def settle(found: Fit, comparison: Comparison, design: Design) -> Estimate:
    """
    Make an estimate of a fit.

    Parameters
    ----------
    found
        The fit of the comparison's problem.
    comparison, design
        As in `conclude`.

    Raises
    ------
    DesignError
        If the treatment is not identified; carries `.dropped`.
    """
    exclusions = {**comparison.exclusions, **found.excluded}
    kept = tuple(comparison.terms[k] for k in found.kept)
    lost = [t for t in comparison.treatment if t not in kept]
    if lost:
        raise DesignError(_not_identified(lost, comparison, found.excluded), exclusions)
    if not found.n_obs:
        gone = ", ".join(f"{reason} {count:,}" for reason, count in exclusions.items() if count)
        msg = f"No observation is left ({comparison.sample}): {gone}. Use coarser effects or a larger sample."
        raise DesignError(msg, exclusions)
    influence = influence_of(found, comparison.problem, comparison.dyads, design.vcov, design.correction)
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
        formula=formula(comparison.outcome, comparison.terms, comparison.effects),
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


def formula(outcome: str, terms: Sequence[str], effects: Sequence[str]) -> str:
    """The line to paste into fixest."""
    right = " + ".join(terms) or "1"
    return f"{outcome} ~ {right}" + (f" | {' + '.join(effects)}" if effects else "")


def _not_identified(lost: Sequence[str], comparison: Comparison, excluded: Mapping[str, int]) -> str:
    names = ", ".join(f"'{name}'" for name in lost)
    why = comparison.hint or "Use another sample, other controls or coarser effects."
    gone = ", ".join(f"{reason} {count:,}" for reason, count in excluded.items() if count)
    gone = f" Observations dropped before: {gone}." if gone else ""
    return f"The effects and controls absorb all variation in {names} ({comparison.sample}). {why}{gone}"


def _refuse_schemes(panel: Panel, cluster: Sequence[str]) -> None:
    for name in cluster:
        if name in SCHEMES and name not in panel.names:
            msg = f"The panel has no column '{name}' to cluster by; for the scheme write vcov='{name}', without a list."
            raise DesignError(msg)


def _numbers(panel: Panel, *names: str | None) -> list[Floats]:
    out = []
    for name in names:
        if name is not None:
            values = panel.column(name)
            if values.dtype.kind not in "iufb":
                msg = f"'{name}' is text; weights and offsets are numbers."
                raise DesignError(msg)
            out.append(values.astype(np.float64))
    return out


def _is_finite(values: Floats) -> bool:
    """Whether nothing is missing, by one sum; False where it cannot tell."""
    return bool(np.isfinite(values.sum()))


def _unknown_pairs(columns: Sequence[Column]) -> list[Column]:
    """Where fixed regressors are missing, as columns of truth values."""
    fixed = [c for c in columns if c.fixed and not _is_finite(c.values)]
    return [Column(name=c.name, values=np.isnan(c.values), fixed=True) for c in fixed]


def _screen(sample: Bools, masks: Mapping[str, Sequence[Bools]]) -> tuple[dict[str, int], Bools]:
    """Count what cannot be used, each cell under its first reason, and give what can."""
    left = sample.copy()
    reasons = {}
    for reason, found in masks.items():
        lost = [mask for mask in found if mask.any()]
        bad = left & np.logical_or.reduce(lost) if lost else None
        reasons[reason] = 0 if bad is None else int(np.count_nonzero(bad))
        if bad is not None:
            left &= ~bad
    return reasons, left
