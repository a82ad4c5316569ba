"""From a list of partners to treatment and the four kinds of control pair."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DataError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PARTNER, NEITHER, FIRST_ONLY, SECOND_ONLY, BOTH = 0, 1, 2, 3, 4
CONTROL_TYPES = (NEITHER, FIRST_ONLY, SECOND_ONLY, BOTH)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Programme:
    """
    Which regions are partners, undirected, and from when to when.

    Parameters
    ----------
    first, second
        Region codes of the L partnerships, shape (L,). With two sides, `first` is of the first side.
    start, end
        Positions of the first and last treated period, shape (L,); a start before the data is 0, an end after
        them the last period. A partnership outside the data has start > end.
    dose
        Strength of the treatment, shape (L,); 1 where none is given.
    columns
        What else the list says of each partnership (evidence, a mark of simulated ones), shape (L,) each.
    n_regions
        Number of regions that the codes count.
    """

    first: Ints
    second: Ints
    start: Ints
    end: Ints
    dose: Floats
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    n_regions: int

    def __post_init__(self) -> None:
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        _, counts = np.unique(low * self.n_regions + high, return_counts=True)
        if (counts > 1).any():
            msg = f"{int((counts > 1).sum())} partnerships are listed twice; list each pair of regions once."
            raise DataError(msg)
        if np.any(low == high):
            msg = "A region is listed as its own partner; remove that row."
            raise DataError(msg)

    def lookup(self, origin: Ints, destination: Ints) -> Ints:
        """
        Find the partnership of each pair.

        Parameters
        ----------
        origin, destination
            Region codes, shape (P,), in either order.

        Returns
        -------
        Row of the partner list, shape (P,); -1 where the two are not partners.
        """
        if not len(self.first):
            return np.full(len(origin), -1)
        own = np.minimum(self.first, self.second) * self.n_regions + np.maximum(self.first, self.second)
        order = np.argsort(own)
        keys = np.minimum(origin, destination).astype(np.int64) * self.n_regions + np.maximum(origin, destination)
        place = np.clip(np.searchsorted(own[order], keys), 0, len(own) - 1)
        return np.where(own[order][place] == keys, order[place], -1)

    def control_type(self, origin: Ints, destination: Ints, side: Ints | None) -> Ints:
        """
        Classify pairs: 0 partners, 1 neither takes part, 2 only the first side, 3 only the second, 4 both.

        Parameters
        ----------
        origin, destination
            Region codes, shape (P,).
        side
            Side of each region, 0 or 1, shape (R,); None for a one-sided programme, where "only one" is type 2.

        Returns
        -------
        Types, shape (P,).
        """
        takes_part = np.zeros(self.n_regions, dtype=bool)
        takes_part[self.first] = takes_part[self.second] = True
        if side is None:
            count = takes_part[origin].astype(np.int64) + takes_part[destination]
            kind = np.array([NEITHER, FIRST_ONLY, BOTH])[count]
        else:
            east = np.where(side[origin] == 0, origin, destination)
            west = np.where(side[origin] == 0, destination, origin)
            kind = NEITHER + takes_part[east] + 2 * takes_part[west].astype(np.int64)
        return np.where(self.lookup(origin, destination) >= 0, PARTNER, kind)

    def always_on(self, n_periods: int) -> bool:
        """Tell whether every partnership covers all periods, so that there is no period before it."""
        return bool(np.all(self.start == 0) and np.all(self.end == n_periods - 1))

    def never_on(self, n_periods: int) -> bool:
        """Tell whether no partnership covers a period."""
        return bool(np.all(np.maximum(self.start, 0) > np.minimum(self.end, n_periods - 1)))

    def treatment(self, partnership: Ints, period: Ints) -> Floats:
        """
        Treatment of cells: the dose from start up to and including end, else 0.

        Parameters
        ----------
        partnership
            Row of the partner list for each cell, shape (N,), -1 for none.
        period
            Position of the period of each cell, shape (N,).

        Returns
        -------
        Shape (N,).
        """
        if not len(self.first):
            return np.zeros(len(partnership))
        out = np.zeros(len(partnership))
        cells = np.flatnonzero(partnership >= 0)
        own, when = partnership[cells], period[cells]
        out[cells] = np.where((when >= self.start[own]) & (when <= self.end[own]), self.dose[own], 0.0)
        return out
