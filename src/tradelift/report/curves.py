"""Estimates along a choice as small panels with the same axes."""

import json
from textwrap import wrap
from typing import Any

import numpy as np

from tradelift.exhibits import CurveFigure
from tradelift.report.svg import BLUE, CONFIG, INK, MUTED, inline

WIDTH, HEIGHT = 262, 128
LETTERS = 18  # of a line beside a panel
OUTLYING = 1.25  # of most intervals' width: an end farther than this beyond all estimates is cut off


def chart(figure: CurveFigure) -> Any:
    """
    Draw one panel for each row and column: a line through the estimates, and a band of intervals.

    Parameters
    ----------
    figure
        With one point or more.
    """
    import altair as alt

    rows = list(dict.fromkeys(p.row for p in figure.points))
    columns = list(dict.fromkeys(p.column for p in figure.points))
    panels = [
        _panel(figure, row, column, first=j == 0, top=i == 0, last=i == len(rows) - 1)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    return (
        alt.concat(*panels, columns=len(columns), spacing={"row": 18, "column": 16}, bounds="flush")
        .properties(title=alt.TitleParams(figure.title, anchor="start", offset=10))
        .configure(**CONFIG)
    )


def limits(figure: CurveFigure) -> tuple[float, float]:
    """Ends of the vertical axis: all estimates and zero, and intervals unless they are many times as wide as most."""
    values = np.array([p.value for p in figure.points])
    ends = np.array([(p.low, p.high) for p in figure.points if p.low is not None and p.high is not None])
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if len(ends):
        usual = float(np.median(ends[:, 1] - ends[:, 0])) * OUTLYING
        low = min(low, max(float(ends[:, 0].min()), float(values.min()) - usual))
        high = max(high, min(float(ends[:, 1].max()), float(values.max()) + usual))
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def _labels(figure: CurveFigure) -> dict[str, Any]:
    """Where the x axis has labels, and what they are."""
    if not figure.ticks:
        return {"tickCount": 5}
    names = {f"{x:g}": text for x, text in figure.ticks.items()}
    return {"values": list(figure.ticks), "labelExpr": f"({json.dumps(names)})[datum.value]", "labelOverlap": True}


def _panel(figure: CurveFigure, row: str, column: str, *, first: bool, top: bool, last: bool) -> Any:
    """One curve; labels stand at the outer panels alone."""
    import altair as alt

    points = [r for r in figure.records() if r["row"] == row and r["column"] == column]
    xs = [p.x for p in figure.points]
    x = alt.X(
        "x:Q",
        title=figure.x_axis if last and figure.x_axis else None,
        scale=alt.Scale(domain=[min(xs), max(xs)], nice=False, padding=15),
        axis=alt.Axis(labels=last, ticks=last, grid=False, **_labels(figure)),
    )
    y = alt.Y(
        "value:Q",
        title=wrap(figure.words.get(row, row), LETTERS) if first else None,
        scale=alt.Scale(domain=list(limits(figure)), nice=False, clamp=False),
        axis=alt.Axis(labels=first, ticks=first, tickCount=5, labelBound=True, titleFontWeight="bold"),
    )
    base = alt.Chart(inline(points))
    layers = [
        base.transform_filter("isValid(datum.low)").mark_area(color=BLUE, opacity=0.16, clip=True).encode(
            x=x, y=alt.Y("low:Q"), y2="high:Q"
        ),
        alt.Chart(inline([{"zero": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y="zero:Q"),
    ]  # fmt: skip
    if figure.mark is not None and min(xs) <= figure.mark <= max(xs):
        layers.append(
            alt.Chart(inline([{"mark": figure.mark}]))
            .mark_rule(color=INK, strokeWidth=0.8, opacity=0.6)
            .encode(x="mark:Q")
        )
    layers += [
        base.mark_line(color=BLUE, strokeWidth=2, clip=True).encode(x=x, y=y),
        base.mark_point(filled=True, size=34, color=BLUE, opacity=1, clip=True).encode(x=x, y=y),
    ]
    head = alt.TitleParams(figure.words.get(column, column), fontSize=13, fontWeight="normal", anchor="middle")
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, **({"title": head} if top else {}))
