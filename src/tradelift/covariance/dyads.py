"""Which regions, groups and pairs the observations share: what covariances cluster by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DENSE = 8  # codes a pair up to which a list of all of them costs less than to sort the pairs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dyads:
    """
    The directed pairs behind score sums.

    Parameters
    ----------
    origin, destination
        Region codes, shape (P,).
    dyad
        Code of the undirected pair, shape (P,).
    used
        Pairs with an observation, shape (P,), boolean.
    side
        Side of each region, 0 or 1, shape (R,), or None.
    group
        Code of the larger unit of each region, shape (R,), or None.
    longitude, latitude
        Degrees of each region, shape (R,), NaN where unknown; or None.
    """

    origin: Ints
    destination: Ints
    dyad: Ints
    used: NDArray[np.bool_]
    side: Ints | None
    group: Ints | None
    longitude: Floats | None = None
    latitude: Floats | None = None

    @property
    def ends(self) -> tuple[Ints, Ints]:
        """
        Region codes of the pair whichever exports, shape (P,) each.

        With two sides the region of the first and of the second side, else the lower and the higher code.
        """
        if self.side is None:
            return np.minimum(self.origin, self.destination), np.maximum(self.origin, self.destination)
        first = self.side[self.origin] == 0
        return np.where(first, self.origin, self.destination), np.where(first, self.destination, self.origin)


def compact(codes: Ints) -> Ints:
    """Number codes from 0 without gaps, in their order, shape (P,)."""
    n = int(codes.max(initial=-1)) + 1
    if n > DENSE * len(codes):
        return np.unique(codes, return_inverse=True)[1].astype(np.int64)
    seen = np.zeros(n, dtype=bool)
    seen[codes] = True
    return np.asarray((np.cumsum(seen) - 1)[codes])


def codes_of(labels: NDArray[Any] | None) -> Ints | None:
    """Code labels from 0 in their order."""
    return None if labels is None else np.unique(labels, return_inverse=True)[1].astype(np.int64)
