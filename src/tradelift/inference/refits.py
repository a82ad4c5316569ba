"""Null statistics from estimating the design on each relabelled panel: slow, plain, and for any design."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Comparison, conclude
from tradelift.errors import ConvergenceError, DesignError
from tradelift.estimate import Estimate
from tradelift.inference.inversion import Null
from tradelift.inference.nulls import hypothesis
from tradelift.inference.products import Draws
from tradelift.inference.relabelling import under
from tradelift.inference.treatment import Comparing, same_sample, shifted, treatment_of
from tradelift.panel import Panel
from tradelift.solve import DenseProblem, RowProblem
from tradelift.solve.stack import StackProblem

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refits:
    """
    Null statistics as the design itself estimates them.

    Parameters
    ----------
    design, panel
        What is estimated.
    comparison, estimate
        The design's own.
    draws
        The relabelled programmes, the programme as it is before them.
    studentized
        Whether statistics are over their standard errors.
    """

    design: Comparing
    panel: Panel
    comparison: Comparison
    estimate: Estimate
    draws: Draws
    studentized: bool

    def nulls(self, term: int) -> Callable[[float], Null]:
        """Statistics of a treatment term by its hypothetical effect; slopes are those between the last two."""
        last: list[tuple[float, Floats]] = []

        def null(effect: float) -> Null:
            effects = hypothesis(self.estimate, term, effect)
            estimates = [self._draw(row, term, effects) for row in range(1, len(self.draws))]
            coefficients, errors = (np.array(x) for x in zip(*estimates, strict=True))
            slopes = np.zeros(len(coefficients))
            if last and last[-1][0] != effect:
                slopes = (last[-1][1] - coefficients) / (effect - last[-1][0])
            last.append((effect, coefficients))
            # whatever is taken out of the outcome, the programme as it is finds the rest of its own effect
            own = self._of(self.estimate, term)
            found = Null(observed=own[0] - effect, draws=coefficients, slopes=np.nan_to_num(slopes))
            return replace(found, observed_error=own[1], errors=errors) if self.studentized else found

        return null

    def _draw(self, row: int, term: int, effects: Floats) -> tuple[float, float]:
        """Coefficient and standard error of one draw; NaN where it has none."""
        panel = under(self.panel, self.draws.first[row], self.draws.second[row])
        try:
            comparison = self.design.compare(panel)
        except DesignError:
            return float("nan"), float("nan")
        if effects.any():
            comparison = shifted(comparison, self._observed(comparison), effects)
        try:
            return self._of(conclude(comparison, self.design), term)
        except (DesignError, ConvergenceError):
            return float("nan"), float("nan")

    def _of(self, estimate: Estimate, term: int) -> tuple[float, float]:
        place = estimate.terms.index(self.comparison.treatment[term])
        return float(estimate.coefficients[place]), float(estimate.std_errors[place])

    def _observed(self, comparison: Comparison) -> list[Floats]:
        """The observed treatments in the cells of a relabelled comparison."""
        if same_sample(self.comparison, comparison):
            return treatment_of(self.comparison)
        if self.panel.is_fixed("partner") and self.comparison.treatment == ("partner",):
            by_pair = np.append(self.panel.pair_column("partner"), 0.0)  # the last is for no pair
            problem = comparison.problem
            if isinstance(problem, DenseProblem):
                return [by_pair[piece.pair][None, None] for piece in problem.pieces]
            if isinstance(problem, StackProblem):
                return [by_pair[problem.pair][None, None]]
            assert isinstance(problem, RowProblem), "checked before"
            return [by_pair[problem.pair][None]]
        msg = (
            "The sample depends on the programme, and the programme on the period or on `by`: a hypothetical effect "
            "cannot be taken out of it. Use interval=False, and one treatment term."
        )
        raise DesignError(msg)
