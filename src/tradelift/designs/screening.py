"""Which cells of a sample can be used, and for every other cell the first reason why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.terms import Column
from tradelift.errors import DesignError
from tradelift.panel import Panel

Floats = NDArray[Any]
Bools = NDArray[Any]
Array = NDArray[Any]

# beyond these the products of an outcome, a weight and regressors, squared, leave the range of floats
LARGEST, SMALLEST = 1e50, 1e-50
LARGEST_OFFSET = 300.0  # in logs: e^300 is 1e130
OUTSIDE = "not in the sample"


class NoObservationError(DesignError):
    """The sample has none that can be used; a part of a panel may, where others do not."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screened:
    """
    A sample and what of it can be used.

    Parameters
    ----------
    sample
        Cells that the design compares, shape (N,).
    masks
        By reason, the cells that it excludes, shape (N,) each; the first reason counts.
    counts
        Cells of the sample that each reason excludes.
    used
        Cells of the sample without any reason, shape (N,).
    """

    sample: Bools
    masks: Mapping[str, Sequence[Bools]]
    counts: Mapping[str, int]
    used: Bools

    def reasons(self) -> Array:
        """Why each cell is not used, "" where it is, shape (N,)."""
        out = np.where(self.sample, "", OUTSIDE).astype(object)
        for reason, masks in self.masks.items():
            for mask in masks:
                out[(out == "") & mask] = reason
        return out


def screen(sample: Bools, masks: Mapping[str, Sequence[Bools]]) -> Screened:
    """
    Count what cannot be used, each cell under its first reason.

    Parameters
    ----------
    sample
        Cells that the design compares, shape (N,).
    masks
        By reason, the cells that it excludes, shape (N,) each.
    """
    left = sample.copy()
    counts = {}
    for reason, found in masks.items():
        lost = [mask for mask in found if mask.any()]
        bad = left & reduce(np.logical_or, lost) if lost else None
        counts[reason] = 0 if bad is None else int(np.count_nonzero(bad))
        if bad is not None:
            left &= ~bad
    return Screened(sample=sample, masks=masks, counts=counts, used=left)


def missing_cells(panel: Panel, by_cell: Mapping[str, Floats], columns: Sequence[Column]) -> dict[str, Bools]:
    """
    Find the cells where something is not known, shape (N,), by the name of the column.

    Parameters
    ----------
    panel
        The flows.
    by_cell
        Outcome, weights and offset, shape (N,) each.
    columns
        The regressors.

    Raises
    ------
    DesignError
        If numbers are so large or so small that their products cannot be held.
    """
    out = {name: np.isnan(values) for name, values in by_cell.items() if _lacks(name, values)}
    for column in columns:
        if _lacks(column.name, column.values):
            mask = np.isnan(column.values)
            out[column.name] = mask[panel.pair_of_cell] if column.fixed else mask
    return out


def _lacks(name: str, values: Floats) -> bool:
    """Whether a value is missing; refuses numbers that are too large or too small."""
    square = float(np.vdot(values, values))
    if SMALLEST**2 <= square <= LARGEST**2:
        return False
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if size > LARGEST or 0 < size < SMALLEST:
        msg = (
            f"'{name}' holds numbers as {'large' if size > 1 else 'small'} as {size:.3g}, whose products a computer "
            f"cannot hold. Rescale it."
        )
        raise DesignError(msg)
    return not np.isfinite(square) and bool(np.isnan(values).any())


def read_weights(panel: Panel, name: str, sample: Bools) -> Floats:
    """
    Read weights by cell, shape (N,).

    Raises
    ------
    DesignError
        If they are text, infinite, or negative in the sample.
    """
    values = _numbers(panel, name)
    negative = int(np.count_nonzero(sample & (values < 0)))
    if negative:
        msg = f"Weights must not be negative; '{name}' is negative in {negative:,} cells. Give 0 to leave a cell out."
        raise DesignError(msg)
    return values


def read_offset(panel: Panel, name: str, sample: Bools, family: str) -> Floats:
    """
    Read an offset by cell, shape (N,).

    Raises
    ------
    DesignError
        If it is text, infinite, or for Poisson too large to be a log.
    """
    values = _numbers(panel, name)
    size = float(np.abs(values[sample & ~np.isnan(values)]).max(initial=0.0))
    if family == "poisson" and size > LARGEST_OFFSET:
        msg = (
            f"The offset '{name}' reaches {size:,.0f}. With PPML it is added to the log of the flow: give the log of "
            f"an exposure, not the exposure."
        )
        raise DesignError(msg)
    return values


def _numbers(panel: Panel, name: str) -> Floats:
    values = panel.column(name)
    if values.dtype.kind not in "iufb":
        msg = f"'{name}' is text; weights and offsets are numbers."
        raise DesignError(msg)
    values = values.astype(np.float64)
    endless = int(np.count_nonzero(np.isinf(values)))
    if endless:
        msg = f"The column '{name}' holds {endless:,} infinite values; correct or remove them."
        raise DesignError(msg)
    return values


def nothing_left(screened: Screened, about: str, missing: Mapping[str, Bools]) -> str:
    """Say that no cell can be used, and why."""
    n = int(np.count_nonzero(screened.sample))
    if not n:
        return f"No observation is left: the sample ({about}) has no cell. Choose a wider one."
    counts = ", ".join(f"{reason} {count:,}" for reason, count in screened.counts.items() if count)
    throughout = [f"'{name}'" for name, mask in missing.items() if mask[screened.sample].all()]
    hint = f" Leave out or complete {', '.join(throughout)}: missing in every cell." if throughout else ""
    return f"No observation is left of {n:,} ({about}): {counts}.{hint}"
