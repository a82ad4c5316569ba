"""Gravity on the flows that a stacked design compares, so that the two differ in the comparison alone."""

from dataclasses import dataclass

import numpy as np

from tradelift.designs.comparison import compare, conclude, fitted
from tradelift.designs.gravity import Gravity
from tradelift.designs.spatial.near import near_pairs
from tradelift.designs.spatial.rd import SpatialRD
from tradelift.designs.spatial.stacking import stack_panel
from tradelift.designs.stored import refuse_stored
from tradelift.designs.terms import default_controls, read_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.threads import one_blas_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class SameFlows:
    """
    Gravity on the estimation sample of spatial RD: each flow once, unweighted, with the effects of gravity.

    Outcome, family, controls, direction and errors are those of the spatial design.

    Parameters
    ----------
    design
        The spatial design; without `by`, `weights` and `offset`.

    Examples
    --------
    >>> from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world
    >>> design = SpatialRD(bandwidth_km=150.0)
    >>> SameFlows(design=design).estimate(draw_affinity_world(AffinityWorld(), 1).panel).design
    'Gravity'
    """

    design: SpatialRD

    def __post_init__(self) -> None:
        given = [name for name in ("by", "weights", "offset") if getattr(self.design, name) is not None]
        if given:
            msg = f"Gravity on the same flows is for designs without by, weights and offset; found {given[0]}."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate gravity on the flows that the spatial design uses.

        Raises
        ------
        DesignError, ConvergenceError
            As `SpatialRD.estimate` and `Gravity.estimate`.
        """
        refuse_stored(panel, "SameFlows")
        design = self.design
        near = near_pairs(panel, design.near, design.direction)
        stack = stack_panel(panel, near, design.near)
        used = fitted(design.compare(panel), design).detail[0].sample
        sample = np.zeros(panel.n_cells, dtype=bool)
        sample[stack.cell[used]] = True
        controls = default_controls(panel) if design.controls is None else design.controls
        gravity = Gravity(
            outcome=design.outcome,
            controls=controls,
            family=design.family,
            direction=design.direction,
            vcov=design.vcov if isinstance(design.vcov, str) else "max-two-way",
            correction=design.correction,
        )
        with one_blas_thread():
            comparison = compare(
                panel,
                outcome=design.outcome,
                treatment=read_controls(panel, ["partner"]),
                controls=read_controls(panel, [c for c in controls if c != "partner"]),
                sample=sample,
                family=design.family,
                direction=design.direction,
                about=f"flows of spatial RD: {design.near.describe()}",
            )
            return conclude(comparison, gravity)
