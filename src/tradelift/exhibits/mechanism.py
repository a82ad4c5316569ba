"""An exhibit of mediators: plan and show for those that it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tradelift.designs import Finding, Task
from tradelift.exhibits.mediator_tables import held_curve, held_figure, held_table, parts_table
from tradelift.exhibits.mediator_words import finding, sentences, tells_parts
from tradelift.exhibits.mediators import Held, plan_held, read_held
from tradelift.exhibits.shown import Shown
from tradelift.panel import Panel
from tradelift.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """
    What an exhibit of mediators is about.

    Parameters
    ----------
    name
        Of the exhibit.
    mediators
        From study and panel to its mediators.
    """

    name: str
    mediators: Callable[[Study, Panel], tuple[str, ...]]

    def plan(self, study: Study, panel: Panel) -> dict[str, Task]:
        """Plan the first flow without and with each mediator held, and every mediator as an outcome."""
        return plan_held(study, panel, self.mediators(study, panel))

    def show(self, study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
        """Show what holding the mediators changes."""
        return show_held(read_held(study, panel, results, self.name, self.mediators(study, panel)))


def show_held(held: Held) -> Shown:
    """Show the effect without and with mediators held, the parts where several are, and what that rests on."""
    if not held.models:
        return Shown()
    tables = [held_table(held), *([parts_table(held)] if tells_parts(held) else [])]
    figures = [f for m in held.mediators for f in (held_figure(held, m), held_curve(held, m)) if f is not None]
    return Shown(tables=tuple(tables), figures=tuple(figures), sentences=tuple(sentences(held)), finding=finding(held))
