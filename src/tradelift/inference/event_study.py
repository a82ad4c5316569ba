"""The effect by time since the start of a partnership, with pair effects: only where starts vary."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Gravity, compare, conclude
from tradelift.designs.effects import default_effects
from tradelift.designs.sample import describe, select
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import Column, read_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.inference.derived import derive
from tradelift.panel import Panel
from tradelift.programme import Programme

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

PAIR_EFFECT = "origin^destination"
NO_PERIOD_BEFORE = (
    "No partnership starts after the first period and within the data, so there is no period before it to compare "
    "with: pair effects, difference-in-differences and event studies are not identified. Give flows of earlier "
    "periods, or `start` of the partners."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStudy:
    """
    Effects by time since the start, beside the last periods before it; origin-period, destination-period, pair effects.

    Partnerships that hold in the first period already have no time before them, and those that end within the data
    are no simple before and after: their pairs are left out and counted. Later starters and pairs without a
    partnership are what the others are compared with. Where effects differ by when a partnership starts, one
    coefficient for each time since the start can weigh some of them negatively. `cohorts` gives early and late
    starters effects of their own, and the average over their flows is reported.

    Parameters
    ----------
    design
        Outcome, family, controls, direction and errors; without `by`, and with its own effects left at the default.
    every
        Periods that make one step of time.
    before, after
        Steps before the start and after its first that have effects of their own; what lies farther counts to the last.
    cohorts
        Groups of starts with effects of their own.

    References
    ----------
    Wooldridge (2023), The Econometrics Journal 26, C31-C66.
    Nagengast and Yotov (2025), American Economic Journal: Applied Economics 17, 271-296.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> pairs = [(a, b) for a in "abcdef" for b in "abcdef" if a != b]
    >>> rows = [(a, b, t, 2.0 + (3 * n + t * t) % 7) for t in range(4) for n, (a, b) in enumerate(pairs)]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"])
    >>> partners = pd.DataFrame({"one": ["a", "c"], "other": ["b", "d"], "start": [1, 2]})
    >>> panel = tl.Panel.from_frame(flows, partners=partners)
    >>> EventStudy(design=tl.Gravity(vcov="pair"), before=2, after=1).estimate(panel).treatment
    ('partner[-2]', 'partner[+0]', 'partner[+1]')
    """

    design: Gravity
    every: int = 1
    before: int = 4
    after: int = 8
    cohorts: int = 1

    def __post_init__(self) -> None:
        if self.every < 1 or self.before < 1 or self.after < 0 or self.cohorts < 1:
            msg = (
                f"every, before and cohorts are at least 1 and after at least 0; found {self.every}, {self.before}, "
                f"{self.cohorts} and {self.after}."
            )
            raise DesignError(msg)
        given = [n for n in ("by", "effects") if getattr(self.design, n) is not None]
        if given or self.design.treatment not in ("auto", "partner"):
            msg = f"An event study has its own treatment and effects; leave out {', '.join(given) or 'treatment'}."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the effects.

        Returns
        -------
        Terms "partner[-2]", "partner[+0]", ... in steps since the start; the step before it, -1, is what they are
        compared with.

        Raises
        ------
        DesignError
            If no partnership starts within the data.
        ConvergenceError
            If PPML does not converge.
        """
        refuse_stored(panel, "EventStudy")
        programme = _with_starts(panel)
        design, periods = self.design, len(panel.periods)
        own = panel.pairs.partnership[panel.pair_of_cell]
        begins = programme.start[own]
        is_partner = own >= 0
        usable = (programme.start > 0) & ((programme.end == periods - 1) | (programme.start >= periods))
        sample = select(panel, design.direction, design.control_types, design.where) & (~is_partner | usable[own])
        step = np.clip((panel.cells.column("period") - begins) // self.every, -self.before, self.after)
        dated = is_partner & (begins < periods)
        cohort = self._cohorts(programme, usable & (programme.start < periods))[own]
        columns, counts = self._columns(step, cohort, dated & sample)
        controls = [c for c in design.controls or () if c != "partner"]
        left_out = int((~usable).sum())
        about = describe(panel, design.control_types, design.where)
        comparison = compare(
            panel,
            outcome=design.outcome,
            treatment=columns,
            controls=read_controls(panel, controls),
            sample=sample,
            effects=(*default_effects(panel), PAIR_EFFECT),
            family=design.family,
            weights=design.weights,
            offset=design.offset,
            cluster=() if isinstance(design.vcov, str) else design.vcov,
            direction=design.direction,
            about=f"{about}, by time since the start",
            hint="Use fewer steps or cohorts, or a longer time.",
            notes=(self._note(left_out, len(usable)),),
        )
        found = conclude(comparison, design)
        return found if self.cohorts == 1 else _averaged(found, counts)

    def _cohorts(self, programme: Programme, dated: Bools) -> Ints:
        """Group of starts of each partnership: as even as equal starts allow."""
        starts = np.sort(programme.start[dated])
        cuts = np.unique([starts[len(starts) * k // self.cohorts] for k in range(1, self.cohorts)])
        return np.searchsorted(cuts, programme.start, side="right")

    def _columns(self, step: Ints, cohort: Ints, treated: Bools) -> tuple[list[Column], dict[str, dict[str, int]]]:
        """Indicators by cell; and for each step since the start, the flows of each of its indicators."""
        columns: list[Column] = []
        counts: dict[str, dict[str, int]] = {}
        for k in (k for k in range(-self.before, self.after + 1) if k != -1):
            groups = np.unique(cohort[treated & (step == k)]) if self.cohorts > 1 and k >= 0 else [None]
            for g in groups:
                here = treated & (step == k) & (True if g is None else cohort == g)
                if not here.any():
                    continue
                name = f"partner[{k:+d}]" if g is None else f"partner[{k:+d}, cohort {g + 1}]"
                columns.append(Column(name=name, values=here.astype(np.float64), fixed=False))
                counts.setdefault(f"partner[{k:+d}]", {})[name] = int(here.sum())
        return columns, counts

    def _note(self, left_out: int, all_of_them: int) -> str:
        step = "a step is one period" if self.every == 1 else f"a step is {self.every} periods"
        gone = f"; {left_out:,} of {all_of_them:,} partnerships are left out, without a time before or with an end"
        return f"Time since the start: {step}, compared with the last before it{gone if left_out else ''}."


def starts_vary(panel: Panel) -> bool:
    """Whether some partnership starts after the first period and within the data."""
    programme = panel.programme
    return programme is not None and bool(((programme.start > 0) & (programme.start < len(panel.periods))).any())


def _with_starts(panel: Panel) -> Programme:
    if panel.programme is None:
        msg = "An event study looks at partners, and this panel has no programme: give partners with `start`."
        raise DesignError(msg)
    if panel.categories is not None:
        msg = "Event studies are of panels without categories; take one category, or sum the flows."
        raise DesignError(msg)
    if not starts_vary(panel):
        raise DesignError(NO_PERIOD_BEFORE)
    return panel.programme


def _averaged(estimate: Estimate, counts: Mapping[str, Mapping[str, int]]) -> Estimate:
    """Effects by step, each the average of its cohorts' over their flows."""
    gradient = np.zeros((len(counts), len(estimate.terms)))
    for row, weights in enumerate(counts.values()):
        total = sum(weights.values())
        for name, count in weights.items():
            gradient[row, estimate.terms.index(name)] = count / total
    found = derive(estimate, list(counts), gradient @ estimate.coefficients, gradient)
    return replace(found, treatment=tuple(counts))
