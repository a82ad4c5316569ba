"""An effect without and with mediators held, tested on the scores of both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Comparison
from tradelift.designs.comparison import fitted, settle
from tradelift.designs.stored import refuse_stored
from tradelift.designs.subset import explaining, with_terms
from tradelift.designs.terms import default_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.inference.derived import derive
from tradelift.inference.joint import NEED_ROWS, joint
from tradelift.inference.lagged import lagged
from tradelift.inference.mediated import DIRECT, MEDIATED, OF, ON, TOTAL, Hidden, Mediated
from tradelift.panel import Panel
from tradelift.solve import Fit
from tradelift.threads import one_blas_thread

Floats = NDArray[Any]


class Mediable(Protocol):
    """A frozen design with controls, whose comparison can be fitted with and without some."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def controls(self) -> Sequence[str] | None:
        """As users write them; None for the default."""
        ...

    @property
    def vcov(self) -> str | Sequence[str]:
        """A scheme, or a list of columns."""
        ...

    @property
    def correction(self) -> str:
        """A small-sample correction."""
        ...

    def compare(self, panel: Panel) -> Comparison:
        """Say which flows are compared."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mediation:
    """
    How an effect changes when mediators are held, and which part goes together with each.

    The design is estimated with the mediators among its controls, and without them on the same observations; each
    mediator is explained by treatment and controls with the same effects and weights. All are put together by the
    scores of their pairs, so that the difference has an error of its own. For OLS it is the sum over mediators of the
    effect on the mediator times the mediator's coefficient (Gelbach 2016), whatever their order. For PPML mediators are
    explained with the weights of the last step, as if these were known, and what the products leave of the
    difference is `rest`.

    The difference is the part of the effect that works through the mediators only if, given effects and controls,
    nothing else moves treatment, mediators and outcome, and the outcome does not move the mediators (sequential
    ignorability). A mediator that follows the outcome makes it too large.

    Parameters
    ----------
    design
        `Gravity` or `SpatialRD` with one treatment, and errors made of the scores of pairs.
    mediators
        Columns, log(x) or x:y; of pairs, or of pairs by period.
    lag
        Periods by which mediators that move are earlier than the flows, so that these cannot have brought them; the
        first periods are left out.

    References
    ----------
    Gelbach (2016), Journal of Labor Economics 34, 509-543.
    Imai, Keele and Yamamoto (2010), Statistical Science 25, 51-71.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> rows = [(a, b, 9.0 + ((7 * i + 5 * j) % 4), (3 * i + j) % 5) for i, a in enumerate("abcdefgh")
    ...         for j, b in enumerate("abcdefgh") if a != b]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "trade", "visits"])
    >>> partners = pd.DataFrame({"one": ["a", "c", "e"], "other": ["b", "d", "g"]})
    >>> panel = tl.Panel.from_frame(flows, partners=partners)
    >>> design = tl.Gravity(outcome="log(trade)", vcov="pair")
    >>> found = Mediation(design=design, mediators=("visits",)).estimate(panel)
    >>> found.estimate.terms
    ('total', 'direct', 'mediated', 'on[visits]', 'of[visits]', 'mediated[visits]')
    """

    design: Mediable
    mediators: Sequence[str]
    lag: int = 0

    def __post_init__(self) -> None:
        names = (self.mediators,) if isinstance(self.mediators, str) else tuple(self.mediators)
        object.__setattr__(self, "mediators", names)
        if not names or len(set(names)) < len(names):
            msg = f"Mediation needs mediators, each once; found {', '.join(names) or 'none'}."
            raise DesignError(msg)
        if self.lag < 0:
            msg = f"lag counts periods before the flows, from 0 on; found {self.lag}."
            raise DesignError(msg)
        vcov, correction = self.design.vcov, self.design.correction
        if not isinstance(vcov, str) or vcov in NEED_ROWS or correction == "weidner-zylkin":
            named = vcov if isinstance(vcov, str) else f"by {' and '.join(vcov)}"
            msg = (
                f"Mediation compares estimates by the scores of pairs, which errors '{named}' with correction "
                f"'{correction}' are not made of; use 'pair', 'dyadic', 'max-two-way', 'province' or 'spatial'."
            )
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Mediated:
        """
        Estimate the design without and with the mediators held.

        Raises
        ------
        DesignError
            If the design has not one treatment, a mediator is a control already, does not vary beyond the effects, or
            as the design raises.
        ConvergenceError
            If PPML does not converge.
        """
        refuse_stored(panel, "Mediation")
        with one_blas_thread():
            return self._estimate(lagged(panel, self.mediators, self.lag) if self.lag else panel)

    def _estimate(self, panel: Panel) -> Mediated:
        own = self.design.controls
        controls = default_controls(panel) if own is None else tuple(own)
        known = [m for m in self.mediators if m in controls]
        if known:
            msg = f"The mediator '{known[0]}' is a control of the design already; leave it out of one."
            raise DesignError(msg)
        design = replace(self.design, controls=(*controls, *self.mediators))
        comparison = design.compare(panel)
        if len(comparison.treatment) != 1:
            msg = f"Mediation is of one treatment; the design has {len(comparison.treatment)}. Use none of its `by`."
            raise DesignError(msg)
        earlier = f" {self.lag} period{'s' * (self.lag > 1)} before" if self.lag else ""
        comparison = replace(comparison, sample=f"{comparison.sample}, {', '.join(self.mediators)}{earlier} known")
        few = [term for term in comparison.terms if term not in self.mediators]
        every = fitted(comparison, design, detail=comparison.problem.family == "poisson")
        held = settle(every, comparison, design)
        _refuse_absorbed(held, self.mediators)
        without = with_terms(comparison, few)
        # of the same leverage, for the difference is small beside either
        estimates = {TOTAL: settle(fitted(without, design), without, design, like=every), DIRECT: held}
        for m in self.mediators:
            explained = explaining(comparison, m, few, every)
            estimates[m] = settle(fitted(explained, design), explained, design)
        return _gather(estimates, self.mediators, comparison.treatment[0], every)


def _refuse_absorbed(held: Estimate, mediators: Sequence[str]) -> None:
    """A mediator that the effects explain cannot be held."""
    lost = [m for m in mediators if m not in held.terms]
    if lost:
        msg = (
            f"The mediator '{lost[0]}' does not vary beyond the effects and the terms before it, so that it is held "
            f"already. Use a mediator of pairs, leave out one of two that are the same, or use coarser effects."
        )
        raise DesignError(msg)


def _gather(estimates: dict[str, Estimate], mediators: Sequence[str], treatment: str, every: Fit) -> Mediated:
    """Put the estimates together, and derive difference and parts."""
    held = estimates[DIRECT]
    together = joint(estimates)
    place = {name: k for k, name in enumerate(together.terms)}
    eye, b = np.eye(len(place)), together.coefficients
    total, direct = place[f"{treatment}[{TOTAL}]"], place[f"{treatment}[{DIRECT}]"]
    rows = {TOTAL: (b[total], eye[total]), DIRECT: (b[direct], eye[direct])}
    rows[MEDIATED] = (b[total] - b[direct], eye[total] - eye[direct])
    for m in mediators:
        on, of = place[f"{treatment}[{m}]"], place[f"{m}[{DIRECT}]"]
        rows[f"{ON}[{m}]"] = (b[on], eye[on])
        rows[f"{OF}[{m}]"] = (b[of], eye[of])
        rows[f"{MEDIATED}[{m}]"] = (b[on] * b[of], b[of] * eye[on] + b[on] * eye[of])
    values, gradient = np.array([v for v, _ in rows.values()]), np.stack([g for _, g in rows.values()])
    found = derive(together, tuple(rows), values, gradient)
    # a mediator that separates flows is collinear on the others, and was refused
    assert held.n_obs == estimates[TOTAL].n_obs, "the same observations without and with mediators"
    about = replace(held.diagnostics, clusters=found.diagnostics.clusters)
    estimate = replace(
        found,
        n_obs=held.n_obs,
        n_pairs=held.n_pairs,
        exclusions=held.exclusions,
        outcome=held.outcome,
        family=held.family,
        formula=held.formula,
        effects=held.effects,
        diagnostics=about,
    )
    hidden = {m: _hidden(held, every, m) for m in mediators} if held.family == "gaussian" else {}
    return Mediated(estimate=estimate, mediators=tuple(mediators), hidden=hidden)


def _hidden(held: Estimate, every: Fit, mediator: str) -> Hidden:
    """What the outcome and a mediator share, given all other terms."""
    k = held.terms.index(mediator)
    of, spread = float(held.coefficients[k]), 1 / float(every.bread[k, k])
    left = of**2 * spread + every.deviance  # squares of the outcome, given all but the mediator
    return Hidden(correlation=of * np.sqrt(spread / left) if left else 0.0, scale=np.sqrt(left / spread))
