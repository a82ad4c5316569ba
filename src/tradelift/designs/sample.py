"""Which cells a design compares: direction, kinds of control pair, and conditions on columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DataError, DesignError
from tradelift.panel import Panel
from tradelift.panel.period_order import period_position

Bools = NDArray[Any]
WINDOW = "where: period"


def select(panel: Panel, direction: str, control_types: Sequence[int], where: Mapping[str, Any] | None) -> Bools:
    """
    Mark the cells of a sample, shape (N,).

    Parameters
    ----------
    panel
        The flows.
    direction
        "both", or one as "west->east".
    control_types
        Kinds of control pair; partners always stay. Without a programme they do not matter.
    where
        Column to value or values; `period` also to {"from": label, "to": label}.

    Raises
    ------
    DesignError
        If the direction, a column or a value is unknown.
    """
    pairs = select_pairs(panel, direction, control_types)
    out: Bools = np.ones(panel.n_cells, dtype=bool) if pairs.all() else pairs[panel.pair_of_cell]
    for name, wanted in (where or {}).items():
        out = out & _matches(panel, name, wanted)
    return out


def select_pairs(panel: Panel, direction: str, control_types: Sequence[int]) -> Bools:
    """Mark the directed pairs of a sample, shape (P,): those of a direction and of some kinds."""
    pairs = panel.pair_direction(direction)
    if panel.pairs.control_type is not None:
        pairs = pairs & np.isin(panel.pairs.control_type, [0, *control_types])
    return pairs


def _matches(panel: Panel, name: str, wanted: Any) -> Bools:
    if isinstance(wanted, Mapping):
        return _window(panel, name, wanted)
    values = panel.column(name)
    choices = list(wanted) if isinstance(wanted, (list, tuple, set, frozenset)) else [wanted]
    labels = {
        "period": panel.periods,
        "category": panel.categories or (),
        "origin": tuple(panel.regions.ids),
        "destination": tuple(panel.regions.ids),
    }.get(name)
    if labels is None:
        return np.asarray(np.isin(values, choices))
    texts = [str(choice) for choice in choices]
    unknown = [t for t in texts if t not in labels]
    if unknown:
        msg = f"where: there is no {name} '{unknown[0]}'; there are {', '.join(map(str, labels[:5]))}, ..."
        raise DesignError(msg)
    return np.asarray(np.isin(values, [labels.index(t) for t in texts]))


def _window(panel: Panel, name: str, wanted: Mapping[str, Any]) -> Bools:
    if name != "period" or not set(wanted) <= {"from", "to"}:
        msg = f"where: only `period` takes {{'from': ..., 'to': ...}}; found {name} with {', '.join(map(str, wanted))}."
        raise DesignError(msg)
    period = panel.cells.column("period")
    first, last = 0, len(panel.periods) - 1
    try:
        if "from" in wanted:
            first = period_position(str(wanted["from"]), panel.periods, end=False, what=WINDOW)
        if "to" in wanted:
            last = period_position(str(wanted["to"]), panel.periods, end=True, what=WINDOW)
    except DataError as error:
        raise DesignError(str(error)) from None
    return np.asarray((period >= first) & (period <= last))


def describe(panel: Panel, control_types: Sequence[int], where: Mapping[str, Any] | None) -> str:
    """Name a sample in words."""
    parts = []
    if panel.pairs.control_type is not None:
        types = sorted(set(control_types))
        parts.append("all pairs" if types == [1, 2, 3, 4] else f"control types {types}")
    else:
        parts.append("all pairs")
    for name, wanted in (where or {}).items():
        if isinstance(wanted, Mapping):
            parts.append(f"{name} {wanted.get('from', '')}..{wanted.get('to', '')}")
        elif isinstance(wanted, (list, tuple, set, frozenset)):
            parts.append(f"{name} in {', '.join(map(str, wanted))}")
        else:
            parts.append(f"{name} = {wanted}")
    return ", ".join(parts)
