"""Gravity: the association of a treatment with trade, given what origins and destinations have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import check_columns, check_scheme
from tradelift.designs.comparison import Comparison, compare, conclude, formula
from tradelift.designs.sample import describe, select
from tradelift.designs.stored import estimate_parts
from tradelift.designs.terms import Column, choose_family, default_controls, parse_outcome, read_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES

Bools = NDArray[Any]
IDENTIFIES = "Add type 4 or 3, or use coarser effects."


@dataclass(frozen=True, slots=True, kw_only=True)
class Gravity:
    """
    Effect of a treatment on trade flows, with origin-period and destination-period effects.

    Partners were chosen, so this is an association and no causal effect.

    Parameters
    ----------
    outcome
        A column, or log(x), log1p(x), asinh(x) of one.
    treatment
        "auto": `partner` where there is a programme, else none; any numeric column; None.
    controls
        Columns, log(x), x:y; None for log(distance_km) where it is known, [] for none.
    effects
        Roles (origin, destination, period, category) or columns, joined by ^; None for origin^period and
        destination^period (^category); [] for none but a constant.
    family
        "poisson" or "gaussian"; None for gaussian for log(...) and concentration ratios, else poisson.
    direction
        "both", or one as "west->east".
    control_types
        Kinds of control pair beside the partners: 1 neither region takes part, 2 only the first side's, 3 only the
        second's, 4 both, with others.
    where
        Column to value or values, and `period` to {"from": label, "to": label}.
    by
        A column whose levels each get a treatment effect of their own.
    weights, offset
        Columns, or None.
    vcov
        "none", "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province", "jackknife" or
        "spatial", this also as "spatial(union, uniform, 400)"; or a list of one or two columns.
    correction
        "none"; "clusters": G/(G-1); "full": also (N-1)/(N-K); or "weidner-zylkin", with vcov="directed-pair" for PPML:
        errors with two-way effects, errors and coefficients with pair effects too.

    References
    ----------
    Santos Silva and Tenreyro (2006), The Review of Economics and Statistics 88, 641-658.
    Aronow, Samii and Assenova (2015), Political Analysis 23, 564-577.
    Weidner and Zylkin (2021), Journal of International Economics 132, 103513.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> rows = [(a, b, 1.0 + (a < b)) for a in "abcd" for b in "abcd" if a != b]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "trade"])
    >>> partners = pd.DataFrame({"one": ["a", "c"], "other": ["b", "d"]})
    >>> tl.Gravity(vcov="pair").estimate(tl.Panel.from_frame(flows, partners=partners)).terms
    ('partner',)
    """

    outcome: str = "trade"
    treatment: str | None = "auto"
    controls: Sequence[str] | None = None
    effects: Sequence[str] | None = None
    family: str | None = None
    direction: str = "both"
    control_types: Sequence[int] = CONTROL_TYPES
    where: Mapping[str, Any] | None = None
    by: str | None = None
    weights: str | None = None
    offset: str | None = None
    vcov: str | Sequence[str] = "dyadic"
    correction: str = "clusters"

    def __post_init__(self) -> None:
        for name in ("controls", "effects", "control_types"):
            value = getattr(self, name)
            if isinstance(value, str):
                msg = f"{name} must be a list; write {name}=['{value}']."
                raise DesignError(msg)
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        choose_family(parse_outcome(self.outcome), self.family)
        if isinstance(self.vcov, str):
            check_scheme(self.vcov, self.correction)
        else:
            object.__setattr__(self, "vcov", tuple(self.vcov))
            check_columns(self.vcov, self.correction)
        wrong = [t for t in self.control_types if t not in CONTROL_TYPES]
        if wrong:
            msg = f"control_types are among 1, 2, 3 and 4; found {wrong[0]!r}."
            raise DesignError(msg)

    @classmethod
    def from_formula(cls, text: str, **options: Any) -> Self:
        """
        Read a design from a formula, as fixest writes it.

        Parameters
        ----------
        text
            "outcome ~ partner + control + control | effect + effect". `partner` is the treatment, every other term a
            control; without effects there is a constant.
        options
            Any parameter that the formula does not say.

        Raises
        ------
        DesignError
            If the formula cannot be read, or an option repeats it.
        """
        left, tilde, right = text.partition("~")
        terms, _, effects = right.partition("|")
        names = [term.strip() for term in terms.split("+")]
        if not tilde or not left.strip() or not all(names) or "|" in effects or "~" in right:
            msg = f"'{text}' is no formula; write outcome ~ term + term | effect + effect."
            raise DesignError(msg)
        repeated = {"outcome", "treatment", "controls", "effects"} & set(options)
        if repeated:
            msg = f"The formula says {', '.join(sorted(repeated))} already; leave it out of the options."
            raise DesignError(msg)
        names = [name for name in names if name not in ("0", "1")]
        return cls(
            outcome=left.strip(),
            treatment="partner" if "partner" in names else None,
            controls=[name for name in names if name != "partner"],
            effects=[effect.strip() for effect in effects.split("+")] if effects.strip() else [],
            **options,
        )

    @property
    def formula(self) -> str:
        """The line to paste into fixest, with the defaults of a panel that has a programme and coordinates."""
        treatment = "partner" if self.treatment == "auto" else self.treatment
        controls = ("log(distance_km)",) if self.controls is None else self.controls
        effects = ("origin^period", "destination^period") if self.effects is None else self.effects
        return formula(self.outcome, [*([treatment] if treatment else []), *controls], effects)

    def compare(self, panel: Panel) -> Comparison:
        """
        Say which flows are compared.

        Raises
        ------
        DesignError
            If the design contradicts itself or the panel.
        """
        treatment = self._treatment(panel)
        controls = default_controls(panel) if self.controls is None else self.controls
        regressors = [] if treatment is None else read_controls(panel, [treatment])
        sample = select(panel, self.direction, self.control_types, self.where)
        if self.by is not None:
            regressors = [level for column in regressors for level in _split(panel, column, self.by, sample)]
        return compare(
            panel,
            outcome=self.outcome,
            treatment=regressors,
            controls=read_controls(panel, [c for c in controls if c != treatment]),
            sample=sample,
            effects=self.effects,
            family=self.family,
            weights=self.weights,
            offset=self.offset,
            cluster=() if isinstance(self.vcov, str) else self.vcov,
            direction=self.direction,
            about=describe(panel, self.control_types, self.where),
            hint=self._hint(panel, treatment),
            notes=self._notes(panel, treatment),
        )

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
        if panel.stored:
            return estimate_parts(panel, self)
        return conclude(self.compare(panel), self)

    def _treatment(self, panel: Panel) -> str | None:
        if self.treatment != "auto":
            return self.treatment
        return "partner" if panel.programme is not None else None

    def _hint(self, panel: Panel, treatment: str | None) -> str:
        """Why a programme that takes part by city cannot be told from city effects, or from pair effects."""
        if treatment != "partner" or panel.programme is None:
            return ""
        if self.effects is not None and panel.is_fixed("partner") and any(_is_pair(panel, e) for e in self.effects):
            return (
                "Every partnership covers all periods, so there is no period before it: pair effects, "
                "difference-in-differences and event studies are not identified. Leave out the pair effect."
            )
        types = sorted(set(self.control_types))
        if 4 in types or types == [1, 2, 3]:
            return ""
        return f"With control types {types} it is a sum of city effects. {IDENTIFIES}"

    def _notes(self, panel: Panel, treatment: str | None) -> tuple[str, ...]:
        if treatment == "partner" and panel.programme is not None and sorted(set(self.control_types)) == [1, 2, 3]:
            return ("With control types 1, 2 and 3, partnership is not told apart from both cities taking part.",)
        return ()


def _is_pair(panel: Panel, effect: str) -> bool:
    """Whether an effect is as fine as the pairs: no code of it covers two undirected pairs."""
    if {part.strip() for part in effect.split("^")} >= {"origin", "destination"}:
        return True
    if not panel.is_fixed(effect):
        return False
    codes = np.unique(panel.pair_column(effect), return_inverse=True)[1]
    dyads = np.unique(np.stack([codes, panel.pairs.dyad]), axis=1)
    return bool(dyads.shape[1] == len(np.unique(codes)))


def _split(panel: Panel, column: Column, by: str, sample: Bools) -> list[Column]:
    """One treatment for each level of a column."""
    fixed = column.fixed and panel.is_fixed(by)
    levels = panel.pair_column(by) if fixed else panel.column(by)
    values = column.values if fixed or not column.fixed else column.by_cell(panel.pair_of_cell)
    names = np.unique(levels if fixed else levels[sample])
    if by in ("origin", "destination", "period", "category"):
        labels = {"period": panel.periods, "category": panel.categories or ()}.get(by, panel.regions.ids)
    else:
        labels = None
    return [
        Column(
            name=f"{column.name}[{labels[level] if labels is not None else level}]",
            values=np.where(levels == level, values, 0.0),
            fixed=fixed,
        )
        for level in names
    ]
