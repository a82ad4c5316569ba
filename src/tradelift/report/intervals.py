"""Estimates with their intervals as a chart."""

from typing import Any

from tradelift.exhibits import IntervalFigure
from tradelift.report.svg import BLUE, CONFIG, GREEN, GREY, MUTED, VERMILION, inline

WIDTH = 380
LONGEST = 260  # pixels of a row's label
ROW, LINE = 56, 19  # pixels a row, at least, and a series
MANY, LOW, CLOSE = 14, 40, 14  # the same where there are more rows than so many
COLOURS = (GREY, BLUE, VERMILION, GREEN)


def chart(figure: IntervalFigure) -> Any:
    """
    Draw one row for each label and one offset line for each series, around zero.

    Parameters
    ----------
    figure
        With one interval or more.
    """
    import altair as alt

    rows = list(dict.fromkeys(figure.words.get(i.row, i.row) for i in figure.intervals))
    series = list(dict.fromkeys(i.series for i in figure.intervals))
    data = inline({**r, "row": figure.words.get(str(r["row"]), r["row"])} for r in figure.records())
    colour = alt.Color(
        "series:N", sort=series, title=None, scale=alt.Scale(domain=series, range=list(COLOURS[: len(series)]))
    )
    row, line = (LOW, CLOSE) if len(rows) > MANY else (ROW, LINE)
    y = alt.Y(
        "row:N", sort=rows, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=LONGEST, labelPadding=8)
    )
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
    return (
        alt.layer(zero, bars, points)
        .properties(width=WIDTH, height=max(row, line * len(series)) * len(rows), title=figure.title)
        .configure(**CONFIG)
    )
