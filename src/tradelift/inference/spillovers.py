"""What partnership may move outside of partner pairs: how exposed pairs trade beside those that are not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.gravity import Gravity
from tradelift.designs.sample import select
from tradelift.designs.spatial import Near, near_pairs
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import default_controls, parse_outcome
from tradelift.errors import DesignError
from tradelift.estimate import LEVEL, Estimate
from tradelift.panel import Panel
from tradelift.panel.extension import with_columns
from tradelift.programme import BOTH

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]
Bools = NDArray[Any]

Kind = Literal["near", "both"]
TREATMENT = "partner"
TERMS = {"near": "near_partner", "both": "both_take_part"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A sum of money with its standard error by the delta method and its 95% interval."""

    value: float
    std_error: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exposed:
    """
    Gravity in which pairs that partnership may have moved are told from other pairs that are no partners.

    Parameters
    ----------
    found
        The estimate: its terms are "partner", the exposure, and controls; other pairs are what they are compared with.
    exposure
        Name of its term.
    exposed_pairs, other_pairs
        Directed pairs of the direction that are no partners, exposed in some period, and not.
    bases
        Trade of partner cells and of exposed cells.
    """

    found: Estimate
    exposure: str
    exposed_pairs: int
    other_pairs: int
    bases: Mapping[str, float]

    @property
    def design(self) -> str:
        """What was estimated."""
        return self.found.design

    @property
    def outcome(self) -> str:
        """Of what."""
        return self.found.outcome

    @property
    def direction(self) -> str:
        """In which direction."""
        return self.found.direction

    @property
    def sample(self) -> str:
        """On which pairs."""
        return self.found.sample

    @property
    def se_type(self) -> str:
        """What the intervals stand on."""
        return self.found.se_type

    @property
    def n_obs(self) -> int:
        """Observations used."""
        return self.found.n_obs

    @property
    def n_pairs(self) -> int:
        """Directed pairs used."""
        return self.found.n_pairs

    def tidy(self) -> "pd.DataFrame":
        """One row a term, as of the estimate."""
        return self.found.tidy()

    def money(self, *terms: str) -> Sum:
        """
        Sum of base (1 - exp(-b)) over terms, b the coefficient of each.

        Parameters
        ----------
        terms
            Of "partner" and the exposure.
        """
        from scipy.special import stdtrit

        at = [self.found.terms.index(term) for term in terms]
        base, b = np.array([self.bases[term] for term in terms]), self.found.coefficients[at]
        slope = base * np.exp(-b)
        variance = float(slope @ self.found.covariance[np.ix_(at, at)] @ slope)
        value, error = float(base @ -np.expm1(-b)), float(np.sqrt(variance)) if variance >= 0 else np.nan
        half = float(stdtrit(self.found.dof, (1 + LEVEL) / 2)) * error
        return Sum(value=value, std_error=error, conf_low=value - half, conf_high=value + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """
    Gravity with a term for pairs that are no partners but that partnership may have moved.

    What partnership moves of all trade of a region falls away with the effects of regions: what is left is what a pair
    gains or loses beside the other pairs of its two regions. A difference is no proof of a spillover: regions near a
    partner may be alike in what made them partners.

    Parameters
    ----------
    design
        Gravity with the treatment `partner`.
    kind
        "near": pairs that share a region with a partner pair whose other region is near theirs; "both": pairs whose two
        regions take part, but not with each other, each of which shares a region with a partner pair on either side.
    within_km
        How near.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> panel = draw_affinity_world(AffinityWorld(), 1).panel
    >>> Exposure(design=Gravity()).estimate(panel).found.terms
    ('partner', 'near_partner', 'log(distance_km)')
    """

    design: Gravity
    kind: Kind = "near"
    within_km: float = 150.0

    def __post_init__(self) -> None:
        if self.kind not in TERMS:
            msg = f"kind is {' or '.join(map(repr, TERMS))}; found {self.kind!r}."
            raise DesignError(msg)
        if self.design.by is not None or self.design.treatment not in ("auto", TREATMENT):
            msg = "Exposure is to the programme: give gravity with the one treatment 'partner', without `by`."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Exposed:
        """
        Estimate gravity with the exposure.

        Raises
        ------
        DesignError
            If there is no programme, no pair is exposed, the effects explain exposure, or as gravity raises.
        ConvergenceError
            As gravity raises.
        """
        refuse_stored(panel, "Exposure")
        term = TERMS[self.kind]
        exposed = self._exposed(panel)
        extended = with_columns(panel, cells={term: exposed.astype(np.float64)})
        given = default_controls(panel) if self.design.controls is None else self.design.controls
        found = replace(self.design, treatment=TREATMENT, controls=(term, *given)).estimate(extended)
        if term not in found.terms:
            msg = (
                f"Effects and controls explain which pairs are exposed ('{term}'): there are no others to compare with."
            )
            raise DesignError(msg)
        column = parse_outcome(self.design.outcome).column
        sample = select(panel, self.design.direction, self.design.control_types, self.design.where)
        flow = np.nan_to_num(panel.outcome(column))
        there = np.zeros(len(panel.pairs), dtype=bool)
        there[panel.pair_of_cell[exposed & sample]] = True
        others = np.zeros(len(panel.pairs), dtype=bool)
        others[panel.pair_of_cell[sample & (panel.column(TREATMENT) == 0)]] = True
        return Exposed(
            found=found,
            exposure=term,
            exposed_pairs=int(there.sum()),
            other_pairs=int((others & ~there).sum()),
            bases={
                TREATMENT: float(flow[sample & (panel.column(TREATMENT) != 0)].sum()),
                term: float(flow[sample & exposed].sum()),
            },
        )

    def _exposed(self, panel: Panel) -> Bools:
        if panel.programme is None:
            msg = "Exposure is to a programme, and this panel has none: give partners."
            raise DesignError(msg)
        cells = near_a_partner(panel, self.within_km) if self.kind == "near" else both_take_part(panel)
        if not cells.any():
            msg = (
                f"No pair is exposed: none is {'near a partner pair in force' if self.kind == 'near' else 'of type 4'}."
            )
            raise DesignError(msg)
        return cells


def near_a_partner(panel: Panel, within_km: float) -> Bools:
    """
    Mark cells of pairs that share a region with a partner pair in force, whose other region is near theirs.

    Parameters
    ----------
    panel
        With a programme and coordinates.
    within_km
        How near.

    Returns
    -------
    Shape (N,); never a cell of a partner pair in force.
    """
    near = near_pairs(panel, Near(bandwidth_km=within_km))
    programme = panel.programme
    assert programme is not None, "near pairs have one"
    rows = ~near.is_partner
    own, pair = near.partner_row[near.group[rows]], near.pair[rows]
    marked = np.zeros((len(panel.periods), len(panel.pairs)), dtype=bool)
    for period, mark in enumerate(marked):
        mark[pair[(programme.start[own] <= period) & (period <= programme.end[own])]] = True
    cells = marked[panel.cells.column("period"), panel.pair_of_cell]
    return np.asarray(cells & (panel.column(TREATMENT) == 0))


def both_take_part(panel: Panel) -> Bools:
    """Mark cells of pairs whose two regions take part, but not with each other, shape (N,)."""
    kinds = panel.pairs.control_type
    assert kinds is not None, "there is a programme"
    return np.asarray((kinds == BOTH)[panel.pair_of_cell])
