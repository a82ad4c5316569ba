"""A stack as a comparison: which observations are used, and why others are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import Dyads, codes_of
from tradelift.designs.comparison import Comparison
from tradelift.designs.screening import (
    NoObservationError,
    Screened,
    missing_cells,
    nothing_left,
    read_offset,
    read_weights,
    screen,
)
from tradelift.designs.spatial.stacking import (
    Stack,
    cluster_gaps,
    distance_columns,
    regressors_of,
    stack_clusters,
    stack_effects,
)
from tradelift.designs.terms import Column, choose_family, formula, parse_outcome, transform
from tradelift.errors import DesignError
from tradelift.estimate import NO_PARTNER, ZERO_WEIGHT
from tradelift.panel import Panel
from tradelift.solve.stack import StackProblem

Floats = NDArray[Any]
Bools = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wanted:
    """
    What a stacked comparison is made of beside its rows.

    Parameters
    ----------
    outcome, family, weights, offset, direction
        As a design says them.
    treatment, controls
        Regressors of the panel.
    distance_terms
        Of "d" and "d2".
    effects, cluster
        Names.
    cells
        Cells that may be compared, shape (N,), or None for all.
    about, hint, notes
        As in `Comparison`.
    """

    outcome: str
    family: str | None
    weights: str | None
    offset: str | None
    direction: str
    treatment: Sequence[Column]
    controls: Sequence[Column]
    distance_terms: Sequence[str]
    effects: tuple[str, ...]
    cluster: Sequence[str]
    cells: Bools | None
    about: str
    hint: str
    notes: tuple[str, ...] = field(default=())


def compare_stack(panel: Panel, stack: Stack, wanted: Wanted) -> Comparison:
    """
    Turn a stack and columns of its panel into a comparison.

    Parameters
    ----------
    panel, stack
        The flows, and the cells of near pairs.
    wanted
        What the design says.

    Raises
    ------
    DesignError
        If a column is unknown or cannot be used, the family contradicts the outcome, or no observation is left.
    """
    what = parse_outcome(wanted.outcome)
    family = choose_family(what, wanted.family)
    raw = panel.outcome(what.column)
    columns = [*wanted.treatment, *wanted.controls]
    everything = np.ones(panel.n_cells, dtype=bool) if wanted.cells is None else wanted.cells
    weight = None if wanted.weights is None else read_weights(panel, wanted.weights, everything)
    shift = None if wanted.offset is None else read_offset(panel, wanted.offset, everything, family)
    by_cell = {what.column: raw, wanted.weights: weight, wanted.offset: shift}
    missing = missing_cells(panel, {str(n): v for n, v in by_cell.items() if v is not None}, columns)
    outcome, not_positive = transform(what, stack.take(raw))
    masks = {
        "zero_distance": [stack.take(c.no_distance) for c in columns if c.no_distance is not None],
        "missing": [*map(stack.take, missing.values()), cluster_gaps(panel, stack, wanted.cluster)],
        "not_positive": [not_positive],
    }
    if weight is not None:
        masks[ZERO_WEIGHT] = [stack.take(weight) == 0]
    screened = _screen(stack, wanted.cells, masks)
    used = screened.used
    if not used.any():
        missing_here = {name: stack.take(mask) for name, mask in missing.items()}
        raise NoObservationError(nothing_left(screened, wanted.about, missing_here), screened.counts)
    outcome = np.where(used, outcome, 0.0)
    negative = int(np.count_nonzero(outcome < 0)) if family == "poisson" else 0
    if negative:
        msg = f"PPML needs flows that are not negative; '{what.column}' is negative in {negative:,} observations."
        raise DesignError(msg)
    distances = distance_columns(panel, stack.near, wanted.distance_terms)
    terms = (*(c.name for c in columns), *distances)
    problem = StackProblem(
        outcome=outcome,
        regressors=regressors_of(stack, columns, distances),
        weights=_weights(stack, used, weight),
        offset=None if shift is None else np.where(used, stack.take(shift), 0.0),
        effects=stack_effects(panel, stack.near, wanted.effects),
        pair=stack.near.pair,
        group=stack.near.group,
        is_partner=stack.near.is_partner,
        family=family,
        n_pairs=len(panel.pairs),
    )
    spelled = dict.fromkeys([*(c.spelled or c.name for c in columns), *distances])
    return Comparison(
        problem=problem,
        terms=terms,
        treatment=tuple(c.name for c in wanted.treatment),
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
        clusters=stack_clusters(panel, stack, wanted.cluster),
        outcome=wanted.outcome,
        direction=wanted.direction,
        sample=wanted.about,
        effects=wanted.effects,
        formula=formula(wanted.outcome, list(spelled), wanted.effects),
        exclusions=screened.counts,
        screened=screened,
        hint=wanted.hint,
        notes=wanted.notes,
        regions=tuple(map(str, panel.regions.ids)),
    )


def _screen(stack: Stack, cells: Bools | None, masks: Mapping[str, Sequence[Bools]]) -> Screened:
    """Observations of the stack that can be used; a group's controls need its partner pair in the same period."""
    sample = (stack.cell >= 0) & stack.compared
    if cells is not None:
        sample &= stack.take(cells)
    first = screen(sample, masks)
    near = stack.near
    partner = first.used[:, near.is_partner][:, near.group]
    return screen(sample, {**masks, NO_PARTNER: [~partner & ~near.is_partner]})


def _weights(stack: Stack, used: Bools, weight: Floats | None) -> Floats:
    """Kernel weights, times the user's, 0 where an observation is not used; of one period where all have the same."""
    kernel = stack.near.weight
    if weight is not None:
        return np.where(used, stack.take(weight), 0.0) * kernel
    return (used[:1] if (used == used[0]).all() else used) * kernel
