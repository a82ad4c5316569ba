"""Variants of a design: outcomes side by side, whether there is a flow at all, and the log of a column held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from tradelift.designs.terms import default_controls
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.inference.joint import joint
from tradelift.panel import Panel
from tradelift.panel.extension import with_columns

NO_VARIATION = 1e-9  # squared percentage points a cell: the rounding of an outcome that the effects fit whole


class Variable(Protocol):
    """A frozen design with an outcome, a family and controls."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def outcome(self) -> str:
        """A column, or a function of one."""
        ...

    @property
    def controls(self) -> Sequence[str] | None:
        """As users write them; None for the default."""
        ...

    @property
    def where(self) -> Mapping[str, Any] | None:
        """Conditions on columns."""
        ...

    def estimate(self, panel: Panel) -> Estimate:
        """Estimate on a panel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """
    A design on several outcomes, as one estimate with a joint covariance: do they move alike?

    Parameters
    ----------
    design
        `Gravity`, `SpatialRD`, ...; its own outcome does not matter.
    outcomes
        Columns; the terms are called "partner[column]".
    """

    design: Variable
    outcomes: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcomes", tuple(self.outcomes))
        if len(set(self.outcomes)) < 2:
            msg = f"Outcomes stand side by side: give two or more; found {', '.join(self.outcomes) or 'none'}."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on each outcome.

        Raises
        ------
        DesignError, ConvergenceError
            As the design raises.
        """
        found = {name: replace(self.design, outcome=name).estimate(panel) for name in self.outcomes}
        return replace(joint(found, controls=False), outcome=" and ".join(self.outcomes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """
    The effect on whether there is a flow at all, in percentage points, by OLS.

    Parameters
    ----------
    design
        Whose outcome is a column: a flow is there where it is positive.
    """

    design: Variable

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the effect on presence.

        Raises
        ------
        DesignError
            If the flow is there in every cell, or in none; or as the design raises.
        """
        name = self.design.outcome
        there = panel.outcome(name) > 0
        if there.all() or not there.any():
            msg = f"'{name}' is positive in {'every cell' if there.all() else 'no cell'}: its presence does not vary."
            raise DesignError(msg)
        column = f"any_{name}"
        changed = with_columns(panel, cells={column: 100.0 * there})
        found = replace(self.design, outcome=column, family="gaussian").estimate(changed)
        if found.diagnostics.deviance < NO_VARIATION * found.n_obs:
            msg = f"Whether there is '{name}' is the same, given the effects, in all flows that are compared."
            raise DesignError(msg)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLog:
    """
    A design with the log of a column among its controls, on the cells where that is positive.

    Parameters
    ----------
    design
        `Gravity`, `SpatialRD`, ...
    column
        Such as the number of sellers, without which ratios of small flows move by themselves.
    """

    design: Variable
    column: str

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design with the column held.

        Raises
        ------
        DesignError
            If there is no such column, it is nowhere positive, or as the design raises.
        """
        values = panel.outcome(self.column)
        if not (values > 0).any():
            msg = f"'{self.column}' is nowhere positive: there is no log of it to hold."
            raise DesignError(msg)
        name, positive = f"log_of_{self.column}", f"{self.column}_positive"
        there = values > 0
        logs = np.log(values, out=np.zeros(len(values)), where=there)
        controls = default_controls(panel) if self.design.controls is None else self.design.controls
        where = {**(self.design.where or {}), positive: 1}
        changed = with_columns(panel, cells={name: logs, positive: there.astype(np.float64)})
        return replace(self.design, controls=(*controls, name), where=where).estimate(changed)
