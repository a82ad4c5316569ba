"""Figures as SVG."""

from tradelift.exhibits import Figure, MapFigure
from tradelift.report import intervals, map  # noqa: A004 - the chart's own name
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
    chart = map.chart(figure) if isinstance(figure, MapFigure) else intervals.chart(figure)
    return render(chart, name=f"fig-{figure.name}", title=figure.title, description=figure.description)


def figure_notes(figure: Figure) -> tuple[str, ...]:
    """Sentences below a figure."""
    if not isinstance(figure, MapFigure):
        return ()
    names = map.outside(figure)
    return (*figure.notes, *([f"Outside the frame: {', '.join(names)}."] if names else []))
