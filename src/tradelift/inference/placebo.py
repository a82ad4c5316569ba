"""Placebos of the programme: near controls that play the partners, and the periods before the start."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.spatial import Near, near_pairs
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.programme import Programme

Ints = NDArray[Any]
Floats = NDArray[Any]

TRUE_PARTNER = "true partner"  # a name that no column of a user has
NO_CONTROL, SHARED = "without a near control", "whose nearest control plays another's partner already"


class Placeable(Protocol):
    """A design, frozen, whose cells can be chosen by a condition."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def where(self) -> Mapping[str, Any] | None:
        """Conditions on columns."""
        ...

    def estimate(self, panel: Panel) -> Estimate:
        """Estimate on a panel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placebos:
    """
    Pairs that play partners.

    Parameters
    ----------
    programme
        In which they are partners, with the starts, ends and doses of those they stand for; K of them.
    distance_km
        Between each and the partner pair that it stands for, shape (K,).
    lost
        Partner pairs that nobody plays, by reason.
    """

    programme: Programme
    distance_km: Floats
    lost: Mapping[str, int]

    def describe(self) -> str:
        """Say it in words."""
        count = len(self.distance_km)
        middle, farthest = float(np.median(self.distance_km)), float(self.distance_km.max())
        lost = "".join(f" Partner pairs {reason}: {n:,}." for reason, n in self.lost.items() if n)
        return (
            f"{count:,} placebo partner pairs, half of them within {middle:,.0f} km of whom they stand for, "
            f"all within {farthest:,.0f} km.{lost}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceboPartners:
    """
    A design estimated as if the nearest control of each partner pair were the partner; partner pairs are left out.

    Parameters
    ----------
    design
        Frozen, with `where`: `SpatialRD`, `Gravity`, ...
    near
        What near means for the choice of placebo partners.

    Examples
    --------
    >>> from tradelift.designs import SpatialRD
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> found = PlaceboPartners(design=SpatialRD()).estimate(draw_affinity_world(AffinityWorld(), 1).panel)
    >>> found.terms, found.sample.split(",")[0]
    (('partner', 'log(distance_km)'), 'placebo partners')
    """

    design: Placeable
    near: Near = field(default_factory=Near)

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on the placebo.

        Raises
        ------
        DesignError
            If no partner pair has a near control, or as the design raises.
        ConvergenceError
            As the design raises.
        """
        placebos = placebo_partners(panel, self.near)
        design = replace(self.design, where={**(self.design.where or {}), TRUE_PARTNER: 0})
        estimate: Estimate = design.estimate(with_programme(panel, placebos.programme))
        return _said(estimate, "placebo partners", placebos.describe())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceboPeriods:
    """
    A stacked design estimated as if partnerships had been there in the periods before their start, and only then.

    Parameters
    ----------
    design
        `SpatialRD`, whose groups end with their partnership.
    """

    design: Placeable

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on the periods before the start.

        Raises
        ------
        DesignError
            If no partnership starts within the data, or as the design raises.
        ConvergenceError
            As the design raises.
        """
        if not has_periods_before(panel):
            msg = (
                "No partnership starts within the data: there are no periods before it that a placebo could look at. "
                "Give flows of earlier periods, or `start` of the partners."
            )
            raise DesignError(msg)
        programme = panel.programme
        assert programme is not None, "there are periods before it"
        last = np.minimum(programme.start, len(panel.periods)) - 1
        before = replace(programme, start=np.zeros_like(programme.start), end=last)
        estimate = self.design.estimate(replace(panel, programme=before))
        count = int((last >= 0).sum())
        return _said(
            estimate,
            "periods before the start",
            f"{count:,} of {len(last):,} partnerships have periods before their start.",
        )


def has_periods_before(panel: Panel) -> bool:
    """Tell whether some partnership starts after the first period."""
    return panel.programme is not None and bool((panel.programme.start > 0).any())


def placebo_partners(panel: Panel, near: Near) -> Placebos:
    """
    Choose the nearest control of each partner pair, of two as near that with lower region codes.

    Parameters
    ----------
    panel
        With a programme and coordinates.
    near
        What near means. A placebo partner is never a partner, in any period.

    Raises
    ------
    DesignError
        If no partner pair has a near control.
    """
    found = near_pairs(panel, replace(near, not_yet="never"))
    programme = panel.programme
    assert programme is not None, "near pairs have one"
    rows = np.flatnonzero(~found.is_partner)
    owner, dyad = found.partner_row[found.group[rows]], panel.pairs.dyad[found.pair[rows]]
    order = np.lexsort((found.destination[rows], found.origin[rows], found.distance_km[rows], owner))
    _, first = np.unique(owner[order], return_index=True)
    chosen = order[first]  # one a partnership, by its row
    chosen = chosen[np.argsort(found.distance_km[rows][chosen], kind="stable")]
    _, once = np.unique(dyad[chosen], return_index=True)
    kept = chosen[np.sort(once)]
    pair, own = found.pair[rows[kept]], owner[kept]
    ends = _by_side(panel, panel.pairs.origin[pair], panel.pairs.destination[pair])
    played = Programme(
        first=ends[0],
        second=ends[1],
        start=programme.start[own],
        end=programme.end[own],
        dose=programme.dose[own],
        n_regions=programme.n_regions,
    )
    lost = {NO_CONTROL: len(programme.first) - len(chosen), SHARED: len(chosen) - len(kept)}
    return Placebos(programme=played, distance_km=found.distance_km[rows[kept]], lost=lost)


def with_programme(panel: Panel, programme: Programme) -> Panel:
    """A panel under another programme; its own partner pairs are marked in the column `TRUE_PARTNER`."""
    pairs = panel.pairs
    true = (pairs.partnership >= 0).astype(np.int64)
    own = replace(
        pairs,
        partnership=programme.lookup(pairs.origin, pairs.destination),
        control_type=programme.control_type(pairs.origin, pairs.destination, panel.regions.side),
        columns={**pairs.columns, TRUE_PARTNER: true},
    )
    return replace(panel, programme=programme, pairs=own)


def _by_side(panel: Panel, origin: Ints, destination: Ints) -> tuple[Ints, Ints]:
    """Region codes of the first side and of the second; without sides as they are."""
    side = panel.regions.side
    if side is None:
        return origin, destination
    turned = side[origin] == 1
    return np.where(turned, destination, origin), np.where(turned, origin, destination)


def _said(estimate: Estimate, sample: str, note: str) -> Estimate:
    """The estimate with what it is a placebo of."""
    diagnostics = replace(estimate.diagnostics, notes=(*estimate.diagnostics.notes, note))
    return replace(estimate, sample=f"{sample}, {estimate.sample}", diagnostics=diagnostics)
