"""The other spatial designs, for one table beside the main one."""

from typing import Any

from tradelift.designs.spatial.imputation import Imputation
from tradelift.designs.spatial.location import LocationPolynomial
from tradelift.designs.spatial.rd import SpatialRD
from tradelift.designs.spatial.territory import PartnerTerritory

__all__ = ["Imputation", "LocationPolynomial", "PartnerTerritory", "contiguous_cities"]


def contiguous_cities(**options: Any) -> SpatialRD:
    """
    Partner pairs beside pairs that differ in a city across a shared border, with an effect of each group and period.

    Dube, Lester and Reich (2010) compare contiguous counties with effects of each county and of each pair of counties
    and period. Here a group is a partner pair with its contiguous controls, and its effect by period stands beside
    those of origins and destinations by period. It is `SpatialRD` with every contiguous control, each of weight 1;
    effects=["group^period"] leaves the city effects out, and city sizes in. A city across a border may be far, and so
    not much like: bandwidth_km leaves the farther ones out.

    Parameters
    ----------
    options
        Any other of `SpatialRD`.

    References
    ----------
    Dube, Lester and Reich (2010), The Review of Economics and Statistics 92, 945-964.

    Examples
    --------
    >>> contiguous_cities(direction="west->east").bandwidth_km is None
    True
    """
    return SpatialRD(**{"contiguous": True, "bandwidth_km": None, **options})
