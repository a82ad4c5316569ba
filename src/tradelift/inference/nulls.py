"""Null statistics of a design on dense blocks, from products alone: no draw is estimated anew."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Comparison
from tradelift.estimate import Estimate
from tradelift.inference.inversion import Null
from tradelift.inference.planes import fields, without_treatment
from tradelift.inference.products import Draws, Moments, moments, standard_errors
from tradelift.inference.treatment import shifted, treatment_of
from tradelift.solve import Fit, fit

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Products:
    """
    Null statistics from one fit of the null model a hypothesis.

    For OLS they are the coefficients of the draws. For PPML they are those of one Newton step from the null model, of
    the programme as it is, too: all on one scale.

    Parameters
    ----------
    comparison, estimate
        The design's own.
    masks
        As `masks_of` gives.
    draws
        The relabelled programmes, the programme as it is before them.
    moves
        Whether the programme changes over time.
    errors
        Scheme and correction of the standard errors of studentized statistics; None for plain ones.
    """

    comparison: Comparison
    estimate: Estimate
    masks: list[Floats]
    draws: Draws
    moves: bool
    errors: tuple[str, str] | None

    def null(self, term: int, effect: float) -> Null:
        """Statistics of a treatment term if its effect is as given, and those of the other terms as estimated."""
        effects = hypothesis(self.estimate, term, effect)
        found, errors = self._fitted(effects if effects.any() else None)
        return _null(found.coefficients(), found.slopes(), errors, term)

    def linear(self) -> "Lines":
        """The same for OLS and plain statistics, where one fit serves every hypothesis."""
        found, _ = self._fitted(None)
        return Lines(estimate=self.estimate, coefficients=found.coefficients(), slopes=found.slopes())

    def _fitted(self, effects: Floats | None) -> tuple[Moments, Floats | None]:
        """Moments of the draws under one null model, and the standard errors, shape (B, K)."""
        base = self.comparison
        model = base if effects is None else shifted(base, treatment_of(base), effects)
        fitted: Fit = fit(without_treatment(model), detail=True)
        planes = fields(
            base,
            fitted,
            self.masks,
            n_regions=self.draws.programme.n_regions,
            moves=self.moves,
            apart=self.errors is not None,
        )
        found = moments(planes, self.draws, fitted.bread, len(base.treatment))
        if self.errors is None:
            return found, None
        return found, standard_errors(planes, self.draws, found, fitted.bread, self.estimate.influence, *self.errors)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """
    Null statistics that are linear in the hypothetical effects.

    Parameters
    ----------
    estimate
        The design's own.
    coefficients, slopes
        Of each draw, shapes (B, K) and (B, K, K), the programme as it is first.
    """

    estimate: Estimate
    coefficients: Floats
    slopes: Floats

    def null(self, term: int, effect: float) -> Null:
        """As `Products.null`."""
        effects = hypothesis(self.estimate, term, effect)
        return _null(self.coefficients - self.slopes @ effects, self.slopes, None, term)


def hypothesis(estimate: Estimate, term: int, effect: float) -> Floats:
    """Effects of all treatment terms under a hypothesis of one: of the others, as estimated."""
    known = dict(zip(estimate.terms, estimate.coefficients, strict=True))
    effects = np.array([known[name] for name in estimate.treatment], dtype=np.float64)
    effects[term] = effect
    return effects


def _null(coefficients: Floats, slopes: Floats, errors: Floats | None, term: int) -> Null:
    null = Null(observed=float(coefficients[0, term]), draws=coefficients[1:, term], slopes=slopes[1:, term, term])
    if errors is None:
        return null
    return replace(null, observed_error=float(errors[0, term]), errors=errors[1:, term])
