"""Estimates with their intervals as a chart."""

from typing import Any

from tradelift.exhibits import IntervalFigure
from tradelift.report.svg import BLUE, CONFIG, GREEN, GREY, MUTED, VERMILION, inline

WIDTH = 380
LONGEST = 260  # pixels of a row's label
ROW, LINE = 56, 19  # pixels a row, at least, and a series
MANY, LOW, CLOSE = 14, 40, 14  # the same where there are more rows than so many
ABOVE = 12  # pixels a row that labels above their rows take beside what is there
SWATCH, LETTER = 34, 6.6  # pixels of a mark in the legend, and of a letter beside it
COLOURS = (GREY, BLUE, VERMILION, GREEN)


def chart(figure: IntervalFigure, *, on_page: bool = False) -> Any:
    """
    Draw one row for each label and one offset line for each series, around zero.

    Parameters
    ----------
    figure
        With one interval or more.
    on_page
        Whether labels stand above their rows, so that a phone shows the figure, and the page writes the title.
    """
    import altair as alt

    rows = list(dict.fromkeys(figure.words.get(i.row, i.row) for i in figure.intervals))
    series = list(dict.fromkeys(i.series for i in figure.intervals))
    data = inline({**r, "row": figure.words.get(str(r["row"]), r["row"])} for r in figure.records())
    colour = alt.Color(
        "series:N",
        sort=series,
        title=None,
        scale=alt.Scale(domain=series, range=list(COLOURS[: len(series)])),
        legend=alt.Legend(columns=_beside(series)) if on_page else alt.Undefined,
    )
    row, line = (LOW, CLOSE) if len(rows) > MANY else (ROW, LINE)
    row = max(row, line * len(series)) + ABOVE * on_page
    y = alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(domain=False, ticks=False, **_labels(row, on_page)))
    offset = alt.YOffset("series:N", sort=series, scale=alt.Scale(paddingOuter=0.6))
    zero = alt.Chart(inline([{"zero": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x="zero:Q")
    base = alt.Chart(data)
    x = alt.X("low:Q", title=figure.axis, axis=alt.Axis(tickCount=6))
    bars = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2.4)
        .encode(x=x, x2="high:Q", y=y, yOffset=offset, color=colour)
    )
    shape = alt.Shape("series:N", sort=series, title=None, scale=alt.Scale(domain=series))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="value:Q", y=y, yOffset=offset, color=colour, shape=shape
    )
    whole = alt.layer(zero, bars, points).properties(width=WIDTH, height=row * len(rows))
    return (whole if on_page else whole.properties(title=figure.title)).configure(**CONFIG)


def _labels(row: int, on_page: bool) -> dict[str, Any]:  # noqa: FBT001 - one of two ways
    """Where the labels of rows stand: left of the axis, or in the middle between two rows, over all lines."""
    if not on_page:
        return {"labelLimit": LONGEST, "labelPadding": 8}
    above = {"labelAlign": "left", "labelPadding": -4, "labelOffset": 2 - row / 2, "zindex": 1}
    return {"labelLimit": WIDTH, **above}


def _beside(series: list[str]) -> int:
    """How many entries of the legend stand side by side."""
    return max(1, min(len(series), int(WIDTH / (SWATCH + LETTER * max(map(len, series))))))
