"""From the influence of directed pairs to covariances: arrays only."""

from tradelift.covariance.dyads import Dyads, codes_of
from tradelift.covariance.schemes import (
    SCHEMES,
    Covariance,
    Influence,
    by_groups,
    check_columns,
    check_scheme,
    covariance,
)

__all__ = [
    "SCHEMES",
    "Covariance",
    "Dyads",
    "Influence",
    "by_groups",
    "check_columns",
    "check_scheme",
    "codes_of",
    "covariance",
]
