"""What can be chosen, and the design that a choice means."""

import re
from dataclasses import dataclass, replace

from tradelift.designs import Gravity, SpatialRD
from tradelift.exhibits.exhibit import has_coordinates
from tradelift.exhibits.gravity import OUTCOMES, Model, gravity_design, models
from tradelift.exhibits.labels import direction_label
from tradelift.exhibits.spatial import model_label, rd_design
from tradelift.inference import Parted
from tradelift.inference.parted import can_part, periods_by
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES
from tradelift.study import Study

GRAVITY, SPATIAL_RD = "Gravity", "Spatial RD"
AS_REPORTED = "as in the report"
ERRORS = ("dyadic", "max-two-way", "two-way", "pair", "directed-pair", "province", "robust")
"""Schemes that need no second estimate."""

TYPES = {
    1: "1: neither region takes part",
    2: "2: only the first side's",
    3: "3: only the second side's",
    4: "4: both, with others",
}
STEP_KM, LAST_KM = 10.0, 500.0
MOST_PARTS = 40  # of a curve over time that answers at once and can be read
LONGER = ("quarter", "year")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    One comparison.

    Parameters
    ----------
    design
        `GRAVITY` or `SPATIAL_RD`.
    model
        Outcome and estimator.
    direction
        Of the panel.
    bandwidth_km
        Of spatial RD.
    control_types
        Kinds of control pair.
    vcov
        Of `ERRORS`.
    """

    design: str
    model: Model
    direction: str
    bandwidth_km: float
    control_types: tuple[int, ...]
    vcov: str

    def at(self, bandwidth_km: float) -> "Choice":
        """The same at another bandwidth."""
        return replace(self, bandwidth_km=bandwidth_km)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """
    What a panel lets one choose, by what it is called.

    Parameters
    ----------
    designs, errors
        In order.
    models, directions, control_types
        Label to value.
    bandwidth_km, bandwidths_km
        Where the study starts, and all that can be chosen, ascending.
    """

    designs: tuple[str, ...]
    models: dict[str, Model]
    directions: dict[str, str]
    control_types: dict[str, int]
    errors: tuple[str, ...]
    bandwidth_km: float
    bandwidths_km: tuple[float, ...]


def columns_read(study: Study) -> tuple[str, ...]:
    """Columns of the panel that some choice reads: those that outcomes and controls name."""
    named = " ".join([*(study.model.outcomes or OUTCOMES), *(study.model.controls or ())])
    return tuple(dict.fromkeys(re.findall(r"\w+", named)))


def choices(study: Study, panel: Panel) -> Choices:
    """List what can be chosen on a panel."""
    spatial = panel.programme is not None and has_coordinates(panel)
    return Choices(
        designs=(SPATIAL_RD, GRAVITY) if spatial else (GRAVITY,),
        models={model_label(study, panel, model): model for model in models(study, panel)},
        directions={direction_label(panel, d): d for d in panel.directions},
        control_types={TYPES[kind]: kind for kind in CONTROL_TYPES} if panel.programme is not None else {},
        errors=(AS_REPORTED, *(e for e in ERRORS if e != "province" or panel.regions.group is not None)),
        bandwidth_km=study.model.bandwidth_km,
        bandwidths_km=_bandwidths(study),
    )


def usual_errors(design: str) -> str:
    """The scheme of a design's errors in the report, which is its default."""
    scheme = Gravity().vcov if design == GRAVITY else SpatialRD().vcov
    assert isinstance(scheme, str), "no default names columns"
    return scheme


def _bandwidths(study: Study) -> tuple[float, ...]:
    """Round ones up to the widest of the study, and those of the study."""
    own = {float(study.model.bandwidth_km), *map(float, study.grid_km)}
    last = max(LAST_KM, *own)
    step = STEP_KM * max(1, round(last / (2 * LAST_KM)))
    return tuple(sorted({*(step * k for k in range(1, int(last / step) + 1)), *own}))


def course_of(study: Study, panel: Panel, choice: Choice) -> Parted | None:
    """The effect of gravity over time, by the longest parts of which there are enough; None where nothing is parted."""
    if panel.programme is None or len(panel.periods) < 2:
        return None
    units = ["period"] if len(panel.periods) <= MOST_PARTS else [u for u in LONGER if can_part(panel.periods, u)]
    parts = {u: len(periods_by(panel.periods, u)) for u in units}
    unit = next((u for u, n in parts.items() if n <= MOST_PARTS), None)
    return None if unit is None else Parted(design=design_of(study, choice), by=unit)


def design_of(study: Study, choice: Choice) -> Gravity | SpatialRD:
    """Make the design that a choice means, under its own default errors."""
    if choice.design == GRAVITY:
        design = gravity_design(study, choice.model, choice.direction)
        return replace(design, control_types=choice.control_types)
    return rd_design(
        study,
        choice.model,
        choice.direction,
        bandwidth_km=choice.bandwidth_km,
        control_types=choice.control_types,
    )
