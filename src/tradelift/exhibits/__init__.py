"""The sections of the report, in its order: what each needs, plans to estimate, and shows."""

from collections.abc import Mapping
from types import MappingProxyType

from tradelift.exhibits import (
    awareness,
    balance,
    bandwidth,
    categories,
    concentration,
    control_types,
    dynamics,
    flights,
    gravity,
    inference,
    magnitude,
    map,  # noqa: A004 - the exhibit's own name
    matching,
    migration,
    partner_shares,
    partners,
    placebo,
    rd_alternatives,
    sensitivity,
    spatial_rd,
    specifications,
    spending,
    spillovers,
    summary,
    traits,
)
from tradelift.exhibits.exhibit import Exhibit, missing
from tradelift.exhibits.map_figure import Link, MapFigure, Place, PlaceKind
from tradelift.exhibits.shown import (
    Column,
    CurveFigure,
    CurvePoint,
    DataTable,
    Fact,
    Figure,
    Head,
    Headline,
    Interval,
    IntervalFigure,
    RegressionTable,
    Shown,
    Table,
)
from tradelift.exhibits.specification_figure import Specification, SpecificationFigure

EXHIBITS: Mapping[str, Exhibit] = MappingProxyType(
    {
        x.name: x
        for x in (
            map.EXHIBIT,
            partners.EXHIBIT,
            summary.EXHIBIT,
            partner_shares.EXHIBIT,
            gravity.EXHIBIT,
            balance.EXHIBIT,
            spatial_rd.EXHIBIT,
            bandwidth.EXHIBIT,
            control_types.EXHIBIT,
            rd_alternatives.EXHIBIT,
            matching.EXHIBIT,
            placebo.EXHIBIT,
            specifications.EXHIBIT,
            concentration.EXHIBIT,
            categories.EXHIBIT,
            traits.EXHIBIT,
            dynamics.EXHIBIT,
            migration.EXHIBIT,
            awareness.EXHIBIT,
            spending.EXHIBIT,
            flights.EXHIBIT,
            magnitude.EXHIBIT,
            inference.EXHIBIT,
            sensitivity.EXHIBIT,
            spillovers.EXHIBIT,
        )
    }
)

__all__ = [
    "EXHIBITS",
    "Column",
    "CurveFigure",
    "CurvePoint",
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
    "Specification",
    "SpecificationFigure",
    "Table",
    "missing",
]
