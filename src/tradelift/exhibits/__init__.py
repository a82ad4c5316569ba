"""The sections of the report, in its order: what each needs, plans to estimate, and shows."""

from collections.abc import Mapping
from types import MappingProxyType

from tradelift.exhibits import (
    gravity,
    map,  # noqa: A004 - the exhibit's own name
    matching,
    partner_shares,
    partners,
    placebo,
    rd_alternatives,
    summary,
)
from tradelift.exhibits.exhibit import Exhibit, missing
from tradelift.exhibits.shown import (
    Column,
    DataTable,
    Fact,
    Figure,
    Head,
    Headline,
    Interval,
    IntervalFigure,
    Link,
    MapFigure,
    Place,
    PlaceKind,
    RegressionTable,
    Shown,
    Table,
)

EXHIBITS: Mapping[str, Exhibit] = MappingProxyType(
    {
        x.name: x
        for x in (
            partners.EXHIBIT,
            map.EXHIBIT,
            summary.EXHIBIT,
            partner_shares.EXHIBIT,
            gravity.EXHIBIT,
            rd_alternatives.EXHIBIT,
            matching.EXHIBIT,
            placebo.EXHIBIT,
        )
    }
)

__all__ = [
    "EXHIBITS",
    "Column",
    "DataTable",
    "Exhibit",
    "Fact",
    "Figure",
    "Head",
    "Headline",
    "Interval",
    "IntervalFigure",
    "Link",
    "MapFigure",
    "Place",
    "PlaceKind",
    "RegressionTable",
    "Shown",
    "Table",
    "missing",
]
