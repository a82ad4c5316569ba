"""Gravity: the association of a treatment with trade, given what origins and destinations have in common."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.comparison import Comparison, compare, conclude
from tradelift.designs.levels import spelled, split_by_levels
from tradelift.designs.named import check_errors, check_names, make_tuples
from tradelift.designs.prediction import Prediction, predict
from tradelift.designs.sample import describe, select, select_pairs
from tradelift.designs.stored import estimate_parts, in_files, refuse_stored
from tradelift.designs.terms import (
    choose_family,
    default_controls,
    formula,
    parse_outcome,
    parted,
    read_controls,
    unquoted,
)
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES
from tradelift.threads import one_blas_thread

Bools = NDArray[Any]
SPLIT = re.compile(r"^i\(([^,]+),([^,]+)\)$")  # fixest's treatment by levels
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
        "none"; "clusters": G/(G-1); "full": also (N-1)/(N-K); "leverage": also each pair's scores as if it had not been
        fitted, for effects by period; or "weidner-zylkin", with vcov="directed-pair" for PPML: errors with two-way
        effects, errors and coefficients with pair effects too.

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
        make_tuples(self, ("controls", "effects", "control_types"))
        check_names(self, ("treatment", "weights", "offset", "by"))
        choose_family(parse_outcome(self.outcome), self.family)
        check_errors(self)
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
            control; i(direction, partner) is the treatment by direction. Without effects there is a constant. Names
            may stand in backticks.
        options
            Any parameter that the formula does not say, and `treatment` where the treatment has another name.

        Raises
        ------
        DesignError
            If the formula cannot be read, or an option repeats it.
        """
        left, *right = parted(text, "~")
        terms, *effects = parted(right[0], "|") if right else [""]
        names = [unquoted(name) for name in parted(terms, "+")]
        if len(right) != 1 or not left or not all(names) or len(effects) > 1:
            msg = f"'{text}' is no formula; write outcome ~ term + term | effect + effect."
            raise DesignError(msg)
        repeated = {"outcome", "controls", "effects"} & set(options)
        if repeated:
            msg = f"The formula says {', '.join(sorted(repeated))} already; leave it out of the options."
            raise DesignError(msg)
        names = [name for name in names if name not in ("0", "1")]
        split = [found for found in map(SPLIT.match, names) if found]
        if len(split) > 1:
            msg = f"'{text}' splits more than one treatment by levels; a design has one."
            raise DesignError(msg)
        if split:
            options = {"treatment": split[0][2].strip(), "by": split[0][1].strip()} | options
            names[names.index(split[0][0])] = split[0][2].strip()
        treatment = options.pop("treatment", "partner" if "partner" in names else None)
        if treatment is not None and treatment not in names:
            msg = f"The treatment '{treatment}' is no term of '{text}'."
            raise DesignError(msg)
        return cls(
            outcome=unquoted(left),
            treatment=treatment,
            controls=[name for name in names if name != treatment],
            effects=[unquoted(effect) for effect in parted(effects[0], "+")] if any(effects) else [],
            **options,
        )

    @property
    def formula(self) -> str:
        """
        The line to paste into fixest, with the defaults of a panel that has a programme and coordinates.

        `feols` for gaussian, `fepois` for poisson. The sample, weights, offset and errors are other arguments there.
        An estimate's formula has the defaults of its own panel. Beside the control `domestic`, set log(distance_km)
        of domestic flows to 0 first, as is done here.
        """
        treatment = "partner" if self.treatment == "auto" else self.treatment
        if treatment is not None and self.by is not None:
            treatment = spelled(treatment, self.by)
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
        untreated: tuple[str, ...] = ()
        if self.by is not None:
            if treatment is None:
                msg = f"by='{self.by}' splits the treatment, and this design has none; name one, or leave out by."
                raise DesignError(msg)
            pairs = select_pairs(panel, self.direction, self.control_types)
            if set(self.where or ()) - {"period"}:
                pairs = pairs & (np.bincount(panel.pair_of_cell[sample], minlength=len(pairs)) > 0)
            regressors, untreated = split_by_levels(panel, regressors[0], self.by, pairs, sample)
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
            notes=(*self._notes(panel, treatment), *untreated),
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
        if in_files(panel):
            return estimate_parts(panel, self)
        with one_blas_thread():
            return conclude(self.compare(panel), self)

    def predict(self, panel: Panel) -> Prediction:
        """
        Estimate the design on a panel and keep the fitted flows, residuals and effects.

        An estimate keeps no data; this is the same estimate, fitted again, with an array of the panel's length for
        each of these.

        Raises
        ------
        DesignError
            As `estimate`, or if the panel stays in its files.
        ConvergenceError
            If PPML does not converge.

        Examples
        --------
        >>> import pandas as pd
        >>> import tradelift as tl
        >>> rows = [(a, b, 2.0) for a in "abcd" for b in "abcd" if a != b]
        >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "trade"])
        >>> tl.Gravity().predict(tl.Panel.from_frame(flows)).fitted.round(6).max()
        np.float64(2.0)
        """
        refuse_stored(panel, "predict")
        return predict(panel, self.compare(panel), self)

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
