"""The path of designs that average differences: untreated effects, near controls, their mean, its errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import Dyads, Influence, check_scheme, codes_of, covariance
from tradelift.designs.effects import default_effects
from tradelift.designs.sample import select
from tradelift.designs.screening import NoObservationError, Screened, missing_cells, nothing_left, screen
from tradelift.designs.spatial.contrast import Contrast, Differences, contrast, differences
from tradelift.designs.spatial.matches import matches_of
from tradelift.designs.spatial.near import near_pairs
from tradelift.designs.spatial.one_row import in_words
from tradelift.designs.spatial.options import Near
from tradelift.designs.spatial.stacking import Stack, stack_panel
from tradelift.designs.spatial.untreated import Untreated, untreated_effects
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import Column, Outcome, default_controls, formula, parse_outcome, read_controls, transform
from tradelift.diagnostics import Diagnostics
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import BOTH, CONTROL_TYPES

Floats = NDArray[Any]
Bools = NDArray[Any]

TREATMENT = "partner"
SINGLETON = "singleton"  # a partner pair without a control in a period, or whose effects no untreated flow tells


class Averaging(Protocol):
    """What `average` asks of a design."""

    @property
    def outcome(self) -> str:
        """A column, or log(x), log1p(x), asinh(x) of one."""
        ...

    @property
    def controls(self) -> Sequence[str] | None:
        """Covariates; None for log distance."""
        ...

    @property
    def direction(self) -> str:
        """One, or "both"."""
        ...

    @property
    def where(self) -> Mapping[str, Any] | None:
        """Conditions on columns."""
        ...

    @property
    def vcov(self) -> str:
        """A scheme."""
        ...

    @property
    def correction(self) -> str:
        """A small-sample correction."""
        ...

    @property
    def near(self) -> Near:
        """What near means."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cells:
    """What the cells of a panel are for a design, shape (N,) each, and the columns (1 + K, N) that are read."""

    treated: Bools
    untreated: Bools
    screened: Screened
    columns: Floats
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """What was compared, and what came out."""

    stack: Stack
    cells: _Cells
    effects: Untreated
    differences: Differences
    counts: Floats
    contrast: Contrast


def check_averaging(design: Averaging) -> None:
    """
    Refuse what no design that averages differences can do.

    Raises
    ------
    DesignError
        If the outcome is a flow in levels, or the errors are of a kind that needs refits or columns.
    """
    name = type(design).__name__
    if not isinstance(design.outcome, str):
        msg = f"outcome is a column, or log(x), log1p(x) or asinh(x) of one; found {design.outcome!r}."
        raise DesignError(msg)
    if isinstance(design.controls, str):
        msg = f"controls must be a list; write controls=['{design.controls}']."
        raise DesignError(msg)
    if not isinstance(design.vcov, str) or design.vcov == "jackknife":
        msg = f"{name} takes a scheme that needs no refit and no columns, as 'max-two-way'; found {design.vcov!r}."
        raise DesignError(msg)
    check_scheme(design.vcov, design.correction)
    if design.correction == "weidner-zylkin":
        msg = "correction='weidner-zylkin' is for gravity by PPML; use 'full'."
        raise DesignError(msg)


def average(panel: Panel, design: Averaging, *, local: bool) -> Estimate:
    """
    Average the differences between partner pairs and their near controls.

    Parameters
    ----------
    panel
        In memory, with a programme.
    design
        What is compared.
    local
        Whether slopes are fitted on the near controls, as often as they serve, and the sides of a group count the same;
        else slopes are fitted on all untreated cells, and controls count by their kernel weight.

    Raises
    ------
    DesignError
        If no difference can be made, or a column or option is not as it should be.
    """
    name = type(design).__name__
    refuse_stored(panel, name)
    near = near_pairs(panel, design.near, design.direction)
    if panel.cells.blocks is None:
        msg = (
            f"{name} fits effects on dense blocks of origins and destinations; these flows are too scattered for them. "
            f"Use tl.SpatialRD, or the regions around the programme."
        )
        raise DesignError(msg)
    stack = stack_panel(panel, near, design.near)
    cells = _read(panel, design, stack)
    effects = untreated_effects(panel.cells.blocks, cells.untreated)
    programme = panel.programme
    assert programme is not None, "near pairs have one"
    made = differences(
        stack, cells.treated & effects.known, cells.untreated, programme.dose[near.partner_row], even_sides=local
    )
    if not made.weight.any():
        raise DesignError(_nothing(design, cells, made), dict(cells.screened.counts))
    if len(np.unique(near.partner_row[made.live.any(axis=0)])) < 2:
        msg = (
            f"Only one partner pair can be compared ({design.direction}, {design.near.describe()}): the error of a "
            f"mean of differences needs two. Use a larger bandwidth, fewer conditions, or tl.SpatialRD."
        )
        raise DesignError(msg, dict(cells.screened.counts))
    counts = made.by_cell(stack, panel.n_cells)
    fitted_on = np.where(cells.untreated, np.clip(-counts, 0.0, None) if local else 1.0, 0.0)
    found = contrast(effects, cells.columns, counts, fitted_on, centred=local)
    return _conclude(
        panel,
        design,
        _Found(stack=stack, cells=cells, effects=effects, differences=made, counts=counts, contrast=found),
    )


def _read(panel: Panel, design: Averaging, stack: Stack) -> _Cells:
    """Columns, and which cells are treated and untreated."""
    what = parse_outcome(design.outcome)
    _refuse_flows(what, design)
    raw = panel.outcome(what.column)
    names = default_controls(panel) if design.controls is None else design.controls
    controls = read_controls(panel, [name for name in names if name != TREATMENT])
    outcome, not_positive = transform(what, raw)
    treated, untreated = _treated(panel, design, stack)
    missing = missing_cells(panel, {what.column: raw}, controls)
    masks = {
        "zero_distance": [c.no_distance for c in controls if c.no_distance is not None],
        "missing": list(missing.values()),
        "not_positive": [not_positive],
    }
    screened = screen(treated | untreated, masks)
    if not (screened.used & untreated).any():
        raise NoObservationError(nothing_left(screened, design.near.describe(), missing), screened.counts)
    return _Cells(
        treated=treated & screened.used,
        untreated=untreated & screened.used,
        screened=screened,
        columns=_columns(panel, outcome, controls, screened.used),
        names=tuple(c.name for c in controls),
    )


def _refuse_flows(what: Outcome, design: Averaging) -> None:
    if what.function is None and what.column in ("trade", "deals"):
        msg = (
            f"{type(design).__name__} averages differences of an outcome that city effects shift; flows in levels they "
            f"multiply. Use outcome='log({what.column})', or tl.SpatialRD for PPML."
        )
        raise DesignError(msg)


def _columns(panel: Panel, outcome: Floats, controls: Sequence[Column], used: Bools) -> Floats:
    """The outcome and the controls by cell, 0 where they are not used, shape (1 + K, N)."""
    out = np.zeros((1 + len(controls), panel.n_cells))
    for own, values in zip(out, (outcome, *(c.by_cell(panel.pair_of_cell) for c in controls)), strict=True):
        np.copyto(own, values, where=used)
    return out


def _treated(panel: Panel, design: Averaging, stack: Stack) -> tuple[Bools, Bools]:
    """Cells of partner pairs that have a group, while they are treated; and cells that never are, or not yet."""
    programme = panel.programme
    assert programme is not None, "near pairs have one"
    selected = select(panel, design.direction, CONTROL_TYPES, design.where)
    pair = panel.pair_of_cell
    partnership = panel.pairs.partnership[pair]
    never = partnership < 0
    own = stack.cell[:, stack.near.is_partner]
    grouped = np.zeros(panel.n_cells, dtype=bool)
    grouped[own[own >= 0]] = True
    if programme.always_on(len(panel.periods)):
        return selected & grouped, selected & never
    period = panel.cells.column("period")
    before = ~never & (period < programme.start[partnership])
    on = ~never & ~before & (period <= programme.end[partnership])
    waiting = before & (design.near.not_yet is True and BOTH in design.near.control_types)
    return selected & grouped & on, selected & (never | waiting)


def _conclude(panel: Panel, design: Averaging, found: _Found) -> Estimate:
    cells, effects, result = found.cells, found.effects, found.contrast
    there = found.stack.cell[:, found.stack.near.is_partner][found.differences.live]
    kept = tuple(cells.names[k] for k in result.kept)
    counts = dict(cells.screened.counts)
    counts[SINGLETON] = int(cells.treated.sum()) - len(there)
    n_obs = int(cells.untreated.sum()) + len(there)
    used = np.zeros(len(panel.pairs), dtype=bool)
    used[panel.pair_of_cell[cells.untreated]] = used[panel.pair_of_cell[there]] = True
    rank = effects.rank + len(kept) + 1
    residual = np.where(cells.untreated, result.net, 0.0)
    deviance = float(residual @ residual)
    outcome = cells.columns[0][cells.untreated]
    total = float(((outcome - outcome.mean()) ** 2).sum())
    influence = _influence(panel, found, n_obs, rank, deviance / max(int(cells.untreated.sum()) - rank + 1, 1))
    blank = Estimate(
        terms=(TREATMENT,),
        coefficients=np.array([result.effect]),
        covariance=np.full((1, 1), np.nan),
        dof=1,
        influence=influence,
        n_obs=n_obs,
        n_pairs=int(used.sum()),
        exclusions=counts,
        design=type(design).__name__,
        outcome=design.outcome,
        direction=design.direction,
        sample=in_words(design.near.describe(), panel, design.where),
        family="gaussian",
        treatment=(TREATMENT,),
        effects=default_effects(panel),
        formula=formula(design.outcome, cells.names, default_effects(panel)),
        se_type="none",
        correction="none",
        diagnostics=Diagnostics(
            path="tensor",
            iterations=1,
            omitted=tuple(name for name in cells.names if name not in kept),
            effect_rank=effects.rank,
            deviance=deviance,
            pseudo_r2=1 - deviance / total if total > 0 else np.nan,
            clusters=(),
            notes=("The formula is of the untreated flows; the effect is a mean of differences net of it.",),
            matches=matches_of(
                panel,
                found.stack.near,
                design.near,
                found.differences,
                found.counts,
                dict(zip(kept, map(float, result.slopes), strict=True)),
            ),
        ),
    )
    return blank.under(covariance(influence, design.vcov, design.correction), design.vcov, design.correction)


def _influence(panel: Panel, found: _Found, n_obs: int, rank: int, spread: float) -> Influence:
    """
    Part the error of the effect among pairs.

    The error of a difference, its gap from the effect, is its partner pair's: what a partner pair shares with its near
    controls cancels there, which the residuals of the pairs one by one do not know. Gaps are from a mean that their own
    partner pair pulls: they are divided by the root of what it does not (HC2). What the first step takes of each
    untreated flow is that flow's own.
    """
    result, made, near = found.contrast, found.differences, found.stack.near
    gap = made.of(found.stack, result.net) - result.effect * made.dose
    leverage = np.bincount(near.partner_row, weights=(made.weight * made.dose).sum(axis=0))[near.partner_row]
    by_group = np.where(made.live, made.weight * gap, 0.0) / np.sqrt(1 - leverage)
    own = np.where(found.cells.untreated, (result.weights - found.counts) * result.net, 0.0)
    n_pairs = len(panel.pairs)
    pairs = np.bincount(panel.pair_of_cell, weights=own, minlength=n_pairs)
    pairs += np.bincount(near.partner_pair, weights=by_group.sum(axis=0), minlength=n_pairs)
    compared = np.bincount(panel.pair_of_cell, weights=np.abs(found.counts), minlength=n_pairs) > 0
    return Influence(
        pairs=pairs[:, None],
        dyads=Dyads(
            origin=panel.pairs.origin,
            destination=panel.pairs.destination,
            dyad=panel.pairs.dyad,
            used=compared,
            side=panel.regions.side,
            group=codes_of(panel.regions.group),
            longitude=panel.regions.longitude,
            latitude=panel.regions.latitude,
        ),
        robust=np.array([[float((by_group**2).sum() + own @ own)]]),
        iid=np.array([[spread * float(result.weights @ result.weights)]]),
        n_obs=n_obs,
        rank=rank,
    )


def _nothing(design: Averaging, cells: _Cells, made: Differences) -> str:
    """Say why there is no difference."""
    lost = ", ".join(f"{reason} {count:,}" for reason, count in cells.screened.counts.items() if count)
    lost = f" Observations dropped before: {lost}." if lost else ""
    return (
        f"No partner pair can be compared ({design.direction}, {design.near.describe()}): of {made.live.shape[1]:,} "
        f"groups none has, in one period, an outcome of the partner pair and of a control, and untreated flows of both "
        f"its regions.{lost} Use a larger bandwidth, fewer conditions or another outcome."
    )
