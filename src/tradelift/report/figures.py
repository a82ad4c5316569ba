"""Figures as SVG."""

from contextlib import AbstractContextManager
from typing import Any, cast

from tradelift.exhibits import CurveFigure, Figure, IntervalFigure, MapFigure, SpecificationFigure
from tradelift.report import curves, intervals, map, specifications  # noqa: A004 - the figure's own name
from tradelift.report.compact import compact_svg
from tradelift.report.svg import render

PAGE_LETTERS = 15  # the page shows the map at two thirds of its width


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
    with _unchecked():
        return render(chart(figure), **_about(figure))


def page_svg(figure: Figure, svg: str) -> str:
    """
    Draw a figure for the page, which writes its title.

    Parameters
    ----------
    figure
        Of an exhibit.
    svg
        As its file has it.

    Returns
    -------
    An `svg` element in few bytes, which fits the width of a phone with letters that can be read; curves as an element
    for each column, which stand side by side or below one another; a specification curve as its file has it, title
    and all.
    """
    if isinstance(figure, MapFigure):
        return map.map_svg(figure, has_legend=False, letters=PAGE_LETTERS)
    if isinstance(figure, SpecificationFigure):
        return compact_svg(svg)
    with _unchecked():
        if isinstance(figure, CurveFigure):
            parts = enumerate(curves.page_charts(figure))
            return "".join(compact_svg(render(drawn, **_about(figure, f"-{i}", f", {of}"))) for i, (of, drawn) in parts)
        return compact_svg(render(intervals.chart(figure, on_page=True), **_about(figure)))


def chart(figure: CurveFigure | IntervalFigure | SpecificationFigure) -> Any:
    """Make the Altair chart of a figure's file."""
    if isinstance(figure, SpecificationFigure):
        return specifications.chart(figure)
    return curves.chart(figure) if isinstance(figure, CurveFigure) else intervals.chart(figure)


def _about(figure: Figure, part: str = "", of: str = "") -> dict[str, str]:
    """Name, title and description of a figure, or of a part of it."""
    return {"name": f"fig-{figure.name}{part}", "title": f"{figure.title}{of}", "description": figure.description}


def _unchecked() -> AbstractContextManager[Any]:
    """Validate no part of a chart as it is made, which is a tenth of what a report takes."""
    from altair.utils.schemapi import debug_mode

    return cast("AbstractContextManager[Any]", debug_mode(False))


def figure_notes(figure: Figure) -> tuple[str, ...]:
    """Sentences below a figure."""
    if isinstance(figure, IntervalFigure):
        return ()
    if isinstance(figure, (CurveFigure, SpecificationFigure)):
        return figure.notes
    names = map.outside(figure)
    return (*figure.notes, *([f"Outside the frame: {', '.join(names)}."] if names else []))
