"""Spatial regression discontinuity: the effect on partner pairs, beside pairs that differ in a near city."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from tradelift.designs.comparison import Comparison, fitted, settle
from tradelift.designs.levels import spelled, split_by_levels
from tradelift.designs.named import check_errors, check_names, make_tuples
from tradelift.designs.sample import describe, select
from tradelift.designs.spatial.comparing import Wanted, compare_stack
from tradelift.designs.spatial.identification import identify
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.options import BOTH, CORNERS, Near
from tradelift.designs.spatial.stacking import POWERS, default_effects, stack_panel
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import choose_family, default_controls, formula, parse_outcome, read_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES
from tradelift.solve.stack import StackProblem
from tradelift.threads import one_blas_thread

TREATMENT = "partner"
NO_BIAS = "correction='weidner-zylkin' is for gravity; a stack has three effects and repeats pairs. Use 'full'."


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialRD:
    """
    Effect of partnership, from partner pairs beside near controls: pairs that differ in a near city.

    Partners were chosen for an affinity that the data do not show; where it varies smoothly over the map, a pair with a
    near city shares it. Each partner pair makes a group with its near controls, in each direction:

        y_ijt = b D_ij + x_ij' g + m(d_gij) + mu_gt + a_it + l_jt + u,  weighted by K(d / bandwidth)

    with d the distance between the control's city and the partner's city that it stands for. Partner pairs count by
    what the effects leave of their treatment, which `diagnostics.identification` tells.

    Parameters
    ----------
    outcome
        A column, or log(x), log1p(x), asinh(x) of one.
    bandwidth_km
        Distance up to which a city is near; None for no limit.
    kernel
        "triangular", "uniform" or "epanechnikov".
    distance_terms
        Of "d" and "d2": terms in the distance, one slope a side.
    neighbours
        The side on which the control's city is another (as "west"), "both" for either, "corners" for either and for
        both at once. Without sides "origin", "destination", "both" or "corners".
    nearest, donut_km, same_group, contiguous
        Only the nearest controls of each group and side, those beyond a distance, of the same group (province), with a
        shared border.
    not_yet
        Where partnerships start at different times: True to let a pair that is not treated yet be a control, and
        groups begin before their partnership; "never" for pairs that never are, and groups from its start.
    controls
        Columns, log(x), x:y; None for log(distance_km), [] for none.
    effects
        Made of group, origin, destination and columns of pairs, each by period (and category), joined by ^; None for
        group^period, origin^period and destination^period.
    family
        "poisson" or "gaussian"; None for gaussian for log(...) and concentration ratios, else poisson.
    direction
        "both", or one as "west->east".
    control_types
        Kinds of control pair: 1 neither region takes part, 2 only the first side's, 3 only the second's, 4 both, with
        others.
    where
        Column to value or values, and `period` to {"from": label, "to": label}.
    by
        A column whose levels each get an effect of their own.
    weights, offset
        Columns, or None; weights multiply the kernel's.
    vcov, correction
        As in `Gravity`, but for "weidner-zylkin". A list may also name "group". "jackknife" leaves out each city, with
        the groups that lose their partner pair.

    References
    ----------
    Keele and Titiunik (2015), Political Analysis 23, 127-155.
    Dube, Lester and Reich (2010), The Review of Economics and Statistics 92, 945-964.
    Cameron, Gelbach and Miller (2011), Journal of Business and Economic Statistics 29, 238-249.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> east, west = [f"e{i}" for i in range(4)], [f"w{i}" for i in range(5)]
    >>> regions = pd.DataFrame(
    ...     {
    ...         "region": east + west,
    ...         "side": ["east"] * 4 + ["west"] * 5,
    ...         "longitude": [118, 119, 120, 121, 100, 101, 102, 103, 104],
    ...         "latitude": 30.0,
    ...     }
    ... )
    >>> rows = [(w, e, 2.0 + (7 * i + 5 * j) % 4) for i, w in enumerate(west) for j, e in enumerate(east)]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "trade"])
    >>> partners = pd.DataFrame({"east": ["e0", "e1", "e2", "e3"], "west": ["w0", "w2", "w1", "w3"]})
    >>> panel = tl.Panel.from_frame(flows, regions=regions, partners=partners)
    >>> found = tl.SpatialRD(direction="west->east", controls=[]).estimate(panel)
    >>> found.terms, found.diagnostics.identification.groups
    (('partner',), 4)
    """

    outcome: str = "log(trade)"
    bandwidth_km: float | None = 150
    kernel: str = "triangular"
    distance_terms: Sequence[str] = ()
    neighbours: str = BOTH
    nearest: int | None = None
    donut_km: float = 0
    same_group: bool = False
    contiguous: bool = False
    not_yet: bool | Literal["never"] = True
    controls: Sequence[str] | None = None
    effects: Sequence[str] | None = None
    family: str | None = None
    direction: str = "both"
    control_types: Sequence[int] = CONTROL_TYPES
    where: Mapping[str, Any] | None = None
    by: str | None = None
    weights: str | None = None
    offset: str | None = None
    vcov: str | Sequence[str] = "max-two-way"
    correction: str = "full"

    def __post_init__(self) -> None:
        make_tuples(self, ("controls", "effects", "distance_terms"))
        object.__setattr__(self, "control_types", self.near.control_types)
        wrong = [term for term in self.distance_terms if term not in POWERS]
        if wrong:
            msg = f"distance_terms are among {', '.join(POWERS)}; found {wrong[0]!r}."
            raise DesignError(msg)
        if self.distance_terms and self.bandwidth_km is None and self.contiguous:
            msg = "distance_terms need distances: give bandwidth_km, or leave them out beside contiguous=True."
            raise DesignError(msg)
        check_names(self, ("by", "weights", "offset"))
        choose_family(parse_outcome(self.outcome), self.family)
        if self.correction == "weidner-zylkin":
            raise DesignError(NO_BIAS)
        check_errors(self)

    @property
    def near(self) -> Near:
        """What near means in this design."""
        return Near(**{field.name: getattr(self, field.name) for field in fields(Near)})

    @property
    def formula(self) -> str:
        """
        The line to paste into fixest, for the rows of the stack and their kernel weights.

        An estimate's formula has the defaults of its own panel, and the names of its sides.
        """
        treatment = TREATMENT if self.by is None else spelled(TREATMENT, self.by)
        controls = ("log(distance_km)",) if self.controls is None else self.controls
        effects = ("group^period", "origin^period", "destination^period") if self.effects is None else self.effects
        return formula(self.outcome, [treatment, *controls, *self.distance_terms], effects)

    def compare(self, panel: Panel) -> Comparison:
        """
        Say which flows are compared.

        Raises
        ------
        DesignError
            If the design contradicts itself or the panel, or no partner pair has a near control.
        """
        return self._compare(panel, self._near_pairs(panel))

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on a panel.

        Raises
        ------
        DesignError
            If the design contradicts itself or the panel, or its treatment is not identified.
        ConvergenceError
            If PPML does not converge.
        """
        with one_blas_thread():
            near = self._near_pairs(panel)
            comparison = self._compare(panel, near)
            found = fitted(comparison, self)
            assert isinstance(comparison.problem, StackProblem), "a stack is compared"
            treatment = [comparison.terms.index(term) for term in comparison.treatment]
            return settle(found, comparison, self, identify(panel, near, comparison.problem, found, treatment))

    def _near_pairs(self, panel: Panel) -> NearPairs:
        refuse_stored(panel, "SpatialRD")
        return near_pairs(panel, self.near, self.direction)

    def _compare(self, panel: Panel, near: NearPairs) -> Comparison:
        treatment = read_controls(panel, [TREATMENT])
        controls = default_controls(panel) if self.controls is None else self.controls
        cells = None if self.where is None else select(panel, "both", CONTROL_TYPES, self.where)
        stack = stack_panel(panel, near, self.near)
        untreated: tuple[str, ...] = ()
        if self.by is not None:
            used = stack.cells_used(panel.n_cells)
            pairs = stack.pairs_used(len(panel.pairs))
            treatment, untreated = split_by_levels(panel, treatment[0], self.by, pairs, used)
        return compare_stack(
            panel,
            stack,
            Wanted(
                outcome=self.outcome,
                family=self.family,
                weights=self.weights,
                offset=self.offset,
                direction=self.direction,
                treatment=treatment,
                controls=read_controls(panel, [c for c in controls if c != TREATMENT]),
                distance_terms=self.distance_terms,
                effects=default_effects(panel) if self.effects is None else tuple(self.effects),
                cluster=() if isinstance(self.vcov, str) else self.vcov,
                cells=cells,
                about=", ".join([self.near.describe(), *_conditions(panel, self.where)]),
                hint=self._hint(near),
                notes=(*self._notes(), *untreated),
            ),
        )

    def _hint(self, near: NearPairs) -> str:
        """Why the effects may explain the treatment here."""
        types = sorted(set(self.control_types))
        admitted = self.neighbours == CORNERS and types == [1, 2, 3]
        if 4 not in types and not admitted:
            return (
                f"With control types {types} it is a sum of city and group effects: a pair that differs in one city "
                f"shares the other with the partner pair, so it is never of type 1, and only sets that hold type 4 "
                f"identify. Add type 4, or use neighbours='corners' with types [1, 2, 3], or effects=['group^period']."
            )
        return (
            f"A partner pair and its controls alone are fitted by the effects whole: the effect is identified where "
            f"groups overlap, and these {near.n_groups:,} do not enough. Use a larger bandwidth, neighbours='both' or "
            f"'corners', fewer filters, or effects=['group^period']."
        )

    def _notes(self) -> tuple[str, ...]:
        if sorted(set(self.control_types)) == [1, 2, 3]:
            return ("With control types 1, 2 and 3, partnership is not told apart from both cities taking part.",)
        return ()


def _conditions(panel: Panel, where: Mapping[str, Any] | None) -> list[str]:
    """The conditions on columns in words."""
    return describe(panel, CONTROL_TYPES, where).split(", ")[1:] if where else []
