"""What near means: the options that decide which pairs stand beside a partner pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from tradelift.designs.spatial.kernels import check_kernel
from tradelift.errors import DesignError
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES

BOTH, CORNERS = "both", "corners"
ENDS = ("origin", "destination")  # what a side is where the programme has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """
    Which pairs are near controls of a partner pair.

    Parameters
    ----------
    bandwidth_km
        Distance up to which a city is near another; None for no limit, where every control weighs 1.
    kernel
        "triangular", "uniform" or "epanechnikov": the weight by distance over the bandwidth. The distance of a corner
        is the root of the squares of its two.
    neighbours
        The side on which the control's city is another: the name of a side (as "west"), "both" for either, "corners"
        for either and for both at once. In a programme without sides "origin", "destination", "both" or "corners".
    nearest
        Only so many controls of each group and side, the nearest; None for all.
    donut_km
        Only controls farther than this.
    same_group
        Only neighbours of the same group (province).
    contiguous
        Only neighbours that share a border.
    control_types
        Kinds of control pair: 1 neither region takes part, 2 only the first side's, 3 only the second's, 4 both, with
        others.
    not_yet
        Where partnerships start at different times: True to let a pair that is not treated yet be a control, "never"
        to take only pairs that never are.
    """

    bandwidth_km: float | None = 150.0
    kernel: str = "triangular"
    neighbours: str = BOTH
    nearest: int | None = None
    donut_km: float = 0.0
    same_group: bool = False
    contiguous: bool = False
    control_types: Sequence[int] = CONTROL_TYPES
    not_yet: bool | Literal["never"] = True

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        object.__setattr__(self, "control_types", check_types(self.control_types))
        if self.bandwidth_km is not None and not (_is_number(self.bandwidth_km) and self.bandwidth_km > 0):
            msg = f"bandwidth_km is a distance above 0, or None for no limit; found {self.bandwidth_km!r}."
            raise DesignError(msg)
        limit = float("inf") if self.bandwidth_km is None else self.bandwidth_km
        if not (_is_number(self.donut_km) and 0 <= self.donut_km < limit):
            msg = f"donut_km is a distance from 0 up to the bandwidth ({limit:g} km); found {self.donut_km!r}."
            raise DesignError(msg)
        if self.nearest is not None and (
            isinstance(self.nearest, bool) or not isinstance(self.nearest, int) or self.nearest < 1
        ):
            msg = f"nearest is a number of controls, at least 1, or None for all; found {self.nearest!r}."
            raise DesignError(msg)
        if self.not_yet is not True and self.not_yet != "never":
            msg = f"not_yet is True, or 'never' for controls that are never treated; found {self.not_yet!r}."
            raise DesignError(msg)

    def describe(self) -> str:
        """Say it in words."""
        limit = "any distance" if self.bandwidth_km is None else f"{self.bandwidth_km:g} km, {self.kernel}"
        parts = [f"near controls within {limit}", f"neighbours {self.neighbours}"]
        parts += [f"{self.nearest} nearest"] if self.nearest is not None else []
        parts += [f"beyond {self.donut_km:g} km"] if self.donut_km else []
        parts += ["same group"] if self.same_group else []
        parts += ["shared border"] if self.contiguous else []
        types = sorted(set(self.control_types))
        parts += [f"control types {types}"] if types != list(CONTROL_TYPES) else []
        return ", ".join(parts)


def check_types(types: Sequence[int]) -> tuple[int, ...]:
    """
    Refuse control types that are none.

    Raises
    ------
    DesignError
        If they are no list, or one is not among 1 to 4.
    """
    if isinstance(types, str) or not isinstance(types, Sequence):
        msg = f"control_types must be a list, as [2, 3, 4]; found {types!r}."
        raise DesignError(msg)
    wrong = [t for t in types if t not in CONTROL_TYPES]
    if wrong:
        msg = f"control_types are among 1, 2, 3 and 4; found {wrong[0]!r}."
        raise DesignError(msg)
    return tuple(types)


def side_names(panel: Panel) -> tuple[str, str]:
    """Names of the two ends at which a control can differ: the sides, or origin and destination without sides."""
    return panel.regions.sides or ENDS


def replaced_sides(panel: Panel, neighbours: str) -> tuple[bool, bool]:
    """
    Tell at which ends a control's city is another.

    Raises
    ------
    DesignError
        If `neighbours` is no side of this panel.
    """
    names = side_names(panel)
    if neighbours in (BOTH, CORNERS):
        return True, True
    if neighbours not in names:
        msg = f"There are no neighbours '{neighbours}' in this panel; use {', '.join((*names, BOTH, CORNERS))}."
        raise DesignError(msg)
    return neighbours == names[0], neighbours == names[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(value == value)  # noqa: PLR0124  NaN is none
