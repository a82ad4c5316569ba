"""The regions of a panel and the directed pairs between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regions:
    """
    One row a region, sorted by id; a region's code is its row.

    Parameters
    ----------
    ids
        Text, shape (R,).
    sides
        Names of the two sides, or None for a one-sided panel.
    side
        0 or 1 for the side of each region, shape (R,), or None.
    longitude, latitude
        Degrees, shape (R,), or None.
    columns
        Everything else that is known of a region: `group`, `name`, `area_km2`, traits; shape (R,) each.
    """

    ids: Array
    sides: tuple[str, str] | None = None
    side: Ints | None = None
    longitude: Floats | None = None
    latitude: Floats | None = None
    columns: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> Array:
        """Names to show, shape (R,): the column `name`, else the ids."""
        return self.columns.get("name", self.ids)

    @property
    def group(self) -> Array | None:
        """The larger unit of each region (a province), shape (R,), or None."""
        return self.columns.get("group")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """
    The directed pairs that the panel holds, with what is fixed about them.

    Parameters
    ----------
    origin, destination
        Region codes, shape (P,).
    dyad
        Code of the undirected pair, the same both ways, shape (P,).
    partnership
        Row of the partner list, shape (P,); -1 where the two are not partners.
    control_type
        0 for partners, 1 to 4 for controls, shape (P,); None without a programme.
    columns
        Fixed dyadic columns, shape (P,) each: `distance_km` where known, `domestic`, and the user's.
    """

    origin: Ints
    destination: Ints
    dyad: Ints
    partnership: Ints
    control_type: Ints | None
    columns: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.origin)
