"""From the influence of directed pairs to covariances: arrays only."""

from tradelift.covariance.dyads import Dyads, codes_of
from tradelift.covariance.jackknife import Deleted, without_each
from tradelift.covariance.leverage import left_out
from tradelift.covariance.observed import check_problem
from tradelift.covariance.schemes import (
    SCHEMES,
    Covariance,
    Influence,
    by_groups,
    check_columns,
    check_scheme,
    covariance,
)
from tradelift.covariance.weidner_zylkin import Corrected, weidner_zylkin

__all__ = [
    "SCHEMES",
    "Corrected",
    "Covariance",
    "Deleted",
    "Dyads",
    "Influence",
    "by_groups",
    "check_columns",
    "check_problem",
    "check_scheme",
    "codes_of",
    "covariance",
    "left_out",
    "weidner_zylkin",
    "without_each",
]
