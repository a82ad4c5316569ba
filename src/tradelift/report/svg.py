"""From a chart to an SVG that can stand beside others in one page."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

IDS = re.compile(r'\bid="([^"]+)"')
INK, MUTED, LINE = "#1b2a38", "#5b6770", "#e3e7ea"
# told apart also by those who confuse red and green (Okabe and Ito 2008)
GREY, BLUE, VERMILION, GREEN = "#8a949c", "#0072b2", "#d55e00", "#009e73"
FONT = "Helvetica, Arial, sans-serif"

CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "white",
    "aria": False,  # one description for the whole figure; hundreds of marks would drown it
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "normal",
        "gridColor": LINE, "domainColor": MUTED, "tickColor": MUTED,
    },
    "legend": {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "normal",
        "orient": "top", "labelLimit": 320, "titleLimit": 320,
    },
    "title": {"color": INK, "fontSize": 15, "anchor": "start", "fontWeight": "bold"},
}  # fmt: skip


def inline(records: Iterable[Mapping[str, Any]]) -> Any:
    """
    Put data into a chart.

    Parameters
    ----------
    records
        One a mark. Altair copies lists, and all that stands in them, each time it puts charts together; tuples it
        leaves alone.
    """
    import altair as alt

    return alt.InlineData(values=tuple(records))


def render(chart: Any, *, name: str, title: str, description: str) -> str:
    """
    Render an Altair chart.

    Parameters
    ----------
    chart
        Of any kind.
    name
        Of the figure; its ids begin with it.
    title, description
        For those who do not see it.

    Returns
    -------
    An `svg` element: the same bytes for the same chart.
    """
    import vl_convert

    specification = chart.to_json(validate=False)  # the tests validate one chart of each kind
    return label(isolate(vl_convert.vegalite_to_svg(specification), name), name, title, description)


def isolate(svg: str, name: str) -> str:
    """Renumber the ids of an SVG under its own name, so that they meet no others and do not count earlier charts."""
    for number, old in enumerate(dict.fromkeys(IDS.findall(svg))):
        new = f"{name}-{number}"
        svg = svg.replace(f'id="{old}"', f'id="\0{new}"')
        svg = svg.replace(f"url(#{old})", f"url(#\0{new})").replace(f'href="#{old}"', f'href="#\0{new}"')
    return svg.replace("\0", "")


def label(svg: str, name: str, title: str, description: str) -> str:
    """Give an SVG its title and description, as an image of one piece that scales with its box."""
    start, end = re.search(r"<svg\b", svg), re.search(r"<svg\b[^>]*>", svg)
    assert start is not None, "a rendered chart is an svg element"
    assert end is not None, "a rendered chart is an svg element"
    ids = f'role="img" aria-labelledby={quoteattr(f"{name}-title {name}-desc")}'
    words = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return f"<svg {ids}{svg[start.end() : end.end()]}{words}{svg[end.end() :]}"
