"""Figures as SVG."""

from typing import Any

from tradelift.exhibits import CurveFigure, Figure, IntervalFigure, MapFigure, SpecificationFigure
from tradelift.report import curves, intervals, map, specifications  # noqa: A004 - the figure's own name
from tradelift.report.svg import render


def figure_svg(figure: Figure) -> str:
    """
    Draw a figure.

    Parameters
    ----------
    figure
        Of an exhibit.

    Returns
    -------
    An `svg` element that stands alone or inside a page; the same bytes for the same figure.
    """
    if isinstance(figure, MapFigure):
        return map.map_svg(figure)
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):  # else each part of each chart is validated as it is made, a tenth of what a report takes
        return render(chart(figure), name=f"fig-{figure.name}", title=figure.title, description=figure.description)


def chart(figure: CurveFigure | IntervalFigure | SpecificationFigure) -> Any:
    """Make the Altair chart of a figure."""
    if isinstance(figure, SpecificationFigure):
        return specifications.chart(figure)
    return curves.chart(figure) if isinstance(figure, CurveFigure) else intervals.chart(figure)


def figure_notes(figure: Figure) -> tuple[str, ...]:
    """Sentences below a figure."""
    if isinstance(figure, IntervalFigure):
        return ()
    if isinstance(figure, (CurveFigure, SpecificationFigure)):
        return figure.notes
    names = map.outside(figure)
    return (*figure.notes, *([f"Outside the frame: {', '.join(names)}."] if names else []))
