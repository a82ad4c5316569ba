"""The effect by a trait of pairs: halves, terciles, or a slope."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from tradelift.designs.terms import default_controls
from tradelift.designs.traits import LEVELS, partner_values, split_pairs, trait_values
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.panel.extension import with_columns

CONTINUOUS = "continuous"
PARTNER = "partner"


class Splittable(Protocol):
    """A frozen design whose treatment can be split by a column."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def by(self) -> str | None:
        """A column whose levels each get an effect of their own."""
        ...

    @property
    def controls(self) -> Sequence[str] | None:
        """As users write them; None for the default."""
        ...

    def estimate(self, panel: Panel) -> Estimate:
        """Estimate on a panel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ByTrait:
    """
    A design whose effect differs by a trait of pairs.

    All groups share one set of effects and controls. The trait itself is held, too (its groups, or its value), as
    far as the effects do not hold it already: pairs with a wide gap may trade more whether or not they are partners.

    Parameters
    ----------
    design
        `Gravity` or `SpatialRD`, without `by`.
    trait
        Its name.
    expression
        Columns of pairs, column[side], numbers, log() and + - * /.
    split
        "halves" and "terciles" of partner pairs: effects "partner[low]", "partner[high]"; "continuous": the effect at
        the partner pairs' mean, and "partner:<trait>", by how much it grows a unit of the trait.

    Examples
    --------
    >>> from tradelift.designs import Gravity
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> panel = draw_affinity_world(AffinityWorld(), 1).panel
    >>> ByTrait(design=Gravity(), trait="lat", expression="latitude[west]", split="halves").estimate(panel).treatment
    ('partner[low]', 'partner[high]')
    """

    design: Splittable
    trait: str
    expression: str
    split: str

    def __post_init__(self) -> None:
        if self.split not in (*LEVELS, CONTINUOUS):
            msg = f"split is one of {', '.join((*LEVELS, CONTINUOUS))}; found {self.split!r}."
            raise DesignError(msg)
        if self.design.by is not None:
            msg = f"A trait splits designs with one treatment; leave out by='{self.design.by}'."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design with effects by trait.

        Raises
        ------
        DesignError
            If the trait cannot be evaluated, does not part the partner pairs, or the effects are not identified.
        ConvergenceError
            If PPML does not converge.
        """
        values = trait_values(panel, self.expression)
        controls = default_controls(panel) if self.design.controls is None else self.design.controls
        if self.split == CONTINUOUS:
            return self._slope(panel, values, tuple(controls))
        split = split_pairs(panel, values, self.split)
        held = {
            f"{self.trait}_is_{level}": np.where(split.labels == "", np.nan, split.labels == level)
            for level in split.levels[1:]
        }
        group = f"{self.trait}_group"
        changed = with_columns(panel, pairs={group: split.labels, **held})
        found = replace(self.design, by=group, controls=(*controls, *held)).estimate(changed)
        lost = [level for level in split.levels if f"{PARTNER}[{level}]" not in found.terms]
        if lost:
            msg = (
                f"The design compares no partner pair that is {lost[0]} in {self.trait}: those have no near control or "
                f"no flow. Use a larger bandwidth or sample, or fewer groups."
            )
            raise DesignError(msg)
        found = _in_order(found, [f"{PARTNER}[{level}]" for level in split.levels])
        cuts = ", ".join(f"{cut:.4g}" for cut in split.cuts)
        counts = ", ".join(f"{level} {n:,}" for level, n in zip(split.levels, split.partners, strict=True))
        return _said(found, self._sample(found), f"{self.trait} is parted at {cuts}: partner pairs {counts}.")

    def _slope(self, panel: Panel, values: Any, controls: tuple[str, ...]) -> Estimate:
        mean = float(partner_values(panel, values).mean())
        own = f"{self.trait}_centred"
        interaction = f"{PARTNER}:{own}"
        changed = with_columns(panel, pairs={own: values - mean})
        found = replace(self.design, controls=(*controls, interaction, own)).estimate(changed)
        if interaction not in found.terms:
            msg = (
                f"The effects explain all of '{interaction}': the effect does not vary with {self.trait} here in a way "
                f"that the flows can tell. Use a trait that differs between partner pairs."
            )
            raise DesignError(msg)
        names = {interaction: f"{PARTNER}:{self.trait}"}
        found = replace(
            found,
            terms=tuple(names.get(term, term) for term in found.terms),
            treatment=(PARTNER, f"{PARTNER}:{self.trait}"),
        )
        return _said(found, self._sample(found), f"{PARTNER}: at {self.trait} = {mean:.4g}, the partner pairs' mean.")

    def _sample(self, found: Estimate) -> str:
        how = f" in {self.split}" if self.split in LEVELS else ""
        return f"{found.sample}, by {self.trait}{how}"


def _in_order(estimate: Estimate, treatment: Sequence[str]) -> Estimate:
    """The same estimate with the levels in the order of the trait."""
    others = [term for term in estimate.terms if term not in treatment]
    wanted = [*treatment, *others]
    at = [estimate.terms.index(term) for term in wanted]
    own = replace(estimate.influence, deleted=None, corrected=None)
    left_out = None if own.left_out is None else own.left_out[:, at]
    square = np.ix_(at, at)
    return replace(
        estimate,
        terms=tuple(wanted),
        coefficients=estimate.coefficients[at],
        covariance=estimate.covariance[square],
        treatment=tuple(treatment),
        influence=replace(
            own, pairs=own.pairs[:, at], robust=own.robust[square], iid=own.iid[square], left_out=left_out
        ),
    )


def _said(estimate: Estimate, sample: str, note: str) -> Estimate:
    about = replace(estimate.diagnostics, notes=(*estimate.diagnostics.notes, note))
    return replace(estimate, sample=sample, diagnostics=about)
