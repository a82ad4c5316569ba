"""Estimates on panels that stay in their files: a few periods at a time, each compared as a panel in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from tradelift.designs.comparison import Comparison, settle
from tradelift.designs.effects import default_effects
from tradelift.designs.screening import NoObservationError
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.solve import DenseProblem
from tradelift.solve.streaming import Part, StreamedProblem, fit_streamed

LOAD = "Read the files into a frame and build the panel with Panel.from_frame."
REFITS = ("jackknife", "leverage", "weidner-zylkin")  # what needs more of a fit than the scores of the pairs


class Comparing(Protocol):
    """What `estimate_parts` asks of a design."""

    @property
    def vcov(self) -> str | Sequence[str]:
        """A scheme, or a list of one or two columns."""
        ...

    @property
    def correction(self) -> str:
        """A small-sample correction."""
        ...

    def compare(self, panel: Panel) -> Comparison:
        """Say which flows of a panel in memory are compared."""
        ...


def estimate_parts(panel: Panel, design: Comparing) -> Estimate:
    """
    Estimate a design on a panel that stays in its files.

    Parameters
    ----------
    panel
        The flows.
    design
        Compares each part as if it were the panel.

    Raises
    ------
    DesignError
        If the design needs all cells at once, or for the reasons of its own `estimate`.
    ConvergenceError
        If PPML does not converge.
    """
    refuse_refits(design)
    first = _first(panel, design)
    _refuse_effects(panel, first)
    problem = StreamedProblem(
        parts=lambda: _parts(panel, design, first.terms),
        family=first.problem.family,
        n_regressors=len(first.terms),
        n_pairs=len(panel.pairs),
    )
    # the fit counts what all parts exclude
    return settle(fit_streamed(problem), replace(first, exclusions={}), design)


def refuse_refits(design: Comparing) -> None:
    """Refuse covariances for which the sums by pair are not enough."""
    if not isinstance(design.vcov, str):
        columns = " and ".join(f"'{name}'" for name in design.vcov)
        msg = f"Clustering by {columns} needs the codes of all cells in memory; this panel stays in its files. {LOAD}"
        raise DesignError(msg)
    for wish in (design.vcov, design.correction):
        if wish in REFITS:
            raise DesignError(_needs_memory(wish))


def refuse_stored(panel: Panel, wish: str) -> None:
    """Refuse what needs all cells at once where they stay in files, and what is no panel."""
    if in_files(panel):
        raise DesignError(_needs_memory(wish))


def in_files(panel: Panel) -> bool:
    """
    Whether the cells of a panel stay in files.

    Raises
    ------
    DesignError
        If it is no panel: frames become one first.
    """
    if not isinstance(panel, Panel):
        msg = f"A design is estimated on a panel; found {type(panel).__name__}. Make one: tl.Panel.from_frame(flows)."
        raise DesignError(msg)
    return panel.stored


def _needs_memory(wish: str) -> str:
    return f"'{wish}' needs all cells in memory; this panel stays in its files. {LOAD}"


def _first(panel: Panel, design: Comparing) -> Comparison:
    """The comparison on the first part that has an observation."""
    lost: dict[str, int] = {}
    for part in panel.parts():
        try:
            return design.compare(part)
        except NoObservationError as empty:
            lost = {reason: lost.get(reason, 0) + rows for reason, rows in empty.dropped.items()}
    msg = "No observation is left: " + ", ".join(f"{reason} {rows:,}" for reason, rows in lost.items())
    raise DesignError(msg, lost)


def _refuse_effects(panel: Panel, comparison: Comparison) -> None:
    """Refuse effects that are not two-way by period; a part of one period could not tell."""
    usual = default_effects(panel)
    if {_roles(effect) for effect in comparison.effects} != {_roles(effect) for effect in usual}:
        found = ", ".join(comparison.effects) or "none"
        msg = (
            f"On a panel that stays in its files effects are {' and '.join(usual)}, which live within a period; found "
            f"{found}. Write them so, or: {LOAD[0].lower()}{LOAD[1:]}"
        )
        raise DesignError(msg)


def _roles(effect: str) -> frozenset[str]:
    return frozenset(part.strip() for part in effect.split("^"))


def _parts(panel: Panel, design: Comparing, terms: Sequence[str]) -> Iterator[Part]:
    """The problem on each part."""
    for part in panel.parts():
        try:
            found = design.compare(part)
        except NoObservationError as empty:
            yield Part(pieces=(), excluded=empty.dropped)
            continue
        if found.terms != tuple(terms):
            odd = sorted(set(found.terms) ^ set(terms))
            msg = (
                f"The terms are not the same in all periods ({', '.join(odd[:5])}): on a panel that stays in its files "
                f"a treatment is split by a column that does not move, as the treatment. {LOAD}"
            )
            raise DesignError(msg)
        assert isinstance(found.problem, DenseProblem), "two-way effects by period on parts are dense"
        yield Part(pieces=found.problem.pieces, excluded=found.exclusions)
