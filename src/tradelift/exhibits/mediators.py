"""What the exhibits of mechanisms share: the effect without and with mediators held, by both designs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradelift.designs import Finding, Gravity, SpatialRD, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.careful import careful
from tradelift.exhibits.gravity import OLS, Model, gravity_design, models
from tradelift.exhibits.mediator_names import every_mediator
from tradelift.exhibits.spatial import leading_flow, rd_design
from tradelift.inference import Mediated, Mediation
from tradelift.inference.lagged import columns_of
from tradelift.panel import Panel
from tradelift.study import Study

RD, GRAVITY = "spatial RD", "gravity"
ALL = "all mediators held"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """
    Effects without and with mediators held.

    Parameters
    ----------
    study, panel
        What was estimated on.
    name
        Of the exhibit.
    mediators
        Those that the exhibit is about.
    models
        The first flow by its estimators, the leading one first.
    single
        By design, mediator, model and direction: the effect with that mediator held.
    earlier
        The same, for mediators that move, with that of the period before held; of the leading model.
    every
        By design, model (the leading one) and direction: the effect with all mediators of the study held.
    on
        By design, mediator and direction: the effect on the mediator, on all flows.
    """

    study: Study
    panel: Panel
    name: str
    mediators: tuple[str, ...]
    models: tuple[Model, ...]
    single: Mapping[tuple[str, str, Model, str], Mediated]
    earlier: Mapping[tuple[str, str, Model, str], Mediated]
    every: Mapping[tuple[str, Model, str], Mediated]
    on: Mapping[tuple[str, str, str], Estimate]

    def of(self, design: str, mediator: str, *, earlier: bool = False) -> dict[str, Mediated]:
        """By direction, of the leading model."""
        found = self.earlier if earlier else self.single
        keys = {d: (design, mediator, self.models[0], d) for d in self.panel.directions}
        return {d: found[key] for d, key in keys.items() if key in found}

    @property
    def designs(self) -> tuple[str, ...]:
        """The designs of which there is an estimate, the closer one first."""
        return tuple(d for d in (RD, GRAVITY) if any(key[0] == d for key in self.single))


def plan_held(study: Study, panel: Panel, mediators: Sequence[str]) -> dict[str, Task]:
    """
    Plan the first flow with each mediator held, with all held, and every mediator as an outcome.

    All together, and mediators that move as they were a period before, are held in the leading model.

    Parameters
    ----------
    study, panel
        What there is.
    mediators
        Those that the exhibit is about.
    """
    out: dict[str, Task] = {}
    every = every_mediator(study, panel)
    flow = leading_flow(models(study, panel))
    lead = next(iter(flow), None)
    for name, make in designs_of(panel).items():
        for direction in panel.directions:
            for model in flow:
                design = make(study, model, direction)
                for m in mediators:
                    out[_held_key(name, m, model, direction)] = Mediation(design=design, mediators=(m,))
                if model == lead and len(every) > 1 and set(mediators) <= set(every):
                    out[_every_key(name, model, direction)] = Mediation(design=design, mediators=every)
            for m in mediators:
                if lead is not None and _moves(panel, m):
                    earlier = Mediation(design=make(study, lead, direction), mediators=(m,), lag=1)
                    out[_earlier_key(name, m, lead, direction)] = earlier
                if ":" not in m:  # a product is no outcome
                    outcome = Model(outcome=m, column=m, estimator=OLS)
                    out[_on_key(name, m, direction)] = make(study, outcome, direction)
    return out


def read_held(study: Study, panel: Panel, results: Mapping[str, Finding], name: str, mediators: Sequence[str]) -> Held:
    """
    Sort what was found by what it is.

    Parameters
    ----------
    study, panel, results
        As an exhibit shows them.
    name, mediators
        As in `Held`.
    """
    flow = leading_flow(models(study, panel))
    single: dict[tuple[str, str, Model, str], Mediated] = {}
    earlier: dict[tuple[str, str, Model, str], Mediated] = {}
    every: dict[tuple[str, Model, str], Mediated] = {}
    on: dict[tuple[str, str, str], Estimate] = {}
    for design in designs_of(panel):
        for d in panel.directions:
            for model in flow:
                for m in mediators:
                    for into, key in ((single, _held_key), (earlier, _earlier_key)):
                        found = results.get(key(design, m, model, d))
                        if isinstance(found, Mediated):
                            into[design, m, model, d] = found
                together = results.get(_every_key(design, model, d))
                if isinstance(together, Mediated):
                    every[design, model, d] = together
            for m in mediators:
                outcome = results.get(_on_key(design, m, d))
                if isinstance(outcome, Estimate):
                    on[design, m, d] = outcome
    used = {key[2] for key in single}
    return Held(
        study=study,
        panel=panel,
        name=name,
        mediators=tuple(mediators),
        models=tuple(m for m in flow if m in used),
        single=single,
        earlier=earlier,
        every=every,
        on=on,
    )


def designs_of(panel: Panel) -> dict[str, Callable[[Study, Model, str], Gravity | SpatialRD]]:
    """The designs that a panel allows, by name: spatial RD where there are coordinates, and gravity."""
    found: dict[str, Callable[[Study, Model, str], Any]] = {}
    if panel.regions.longitude is not None:
        found[RD] = lambda *wanted: careful(rd_design(*wanted))
    found[GRAVITY] = lambda *wanted: careful(gravity_design(*wanted), stored=panel.stored)
    return found


def _moves(panel: Panel, mediator: str) -> bool:
    """Whether a mediator differs by period, and there is one before."""
    return len(panel.periods) > 1 and any(c in panel.cells.names for c in columns_of(mediator))


def _held_key(design: str, mediator: str, model: Model, direction: str) -> str:
    return f"{design}, {model.key(direction)}, {mediator} held"


def _earlier_key(design: str, mediator: str, model: Model, direction: str) -> str:
    return f"{design}, {model.key(direction)}, {mediator} of the period before held"


def _every_key(design: str, model: Model, direction: str) -> str:
    return f"{design}, {model.key(direction)}, {ALL}"


def _on_key(design: str, mediator: str, direction: str) -> str:
    return f"{design}, effect on {mediator}, {direction}"
