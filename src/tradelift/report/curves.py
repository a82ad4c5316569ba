"""Estimates along a choice as small panels with the same axes."""

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

import numpy as np

from tradelift.exhibits import CurveFigure
from tradelift.report.svg import BLUE, CONFIG, INK, MUTED, inline

WIDTH, HEIGHT = 262, 128
NARROW, WIDE, LOW = 290, 350, 104  # of a panel on a page with three columns or more, or with fewer; and its height
LETTERS = 18  # of a line beside a panel
AXIS: dict[str, Any] = {"title": None, "tickCount": 5, "labelBound": True}
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
        _panel(
            figure,
            row,
            column,
            _beside(figure, row, first=j == 0),
            last=i == len(rows) - 1,
            **({"title": _head(figure, column)} if i == 0 else {}),
        )
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    return (
        alt.concat(*panels, columns=len(columns), spacing={"row": 18, "column": 16}, bounds="flush")
        .properties(title=alt.TitleParams(figure.title, anchor="start", offset=10))
        .configure(**CONFIG)
    )


def page_charts(figure: CurveFigure) -> Iterator[tuple[str, Any]]:
    """
    Draw each column as a chart of its own, which a page sets side by side or below one another.

    Parameters
    ----------
    figure
        With one point or more.

    Yields
    ------
    What the column is called, and its chart: its panels from the first row to the last, each with its own words.
    """
    import altair as alt

    rows = list(dict.fromkeys(p.row for p in figure.points))
    columns = list(dict.fromkeys(p.column for p in figure.points))
    width = NARROW if len(columns) > 2 else WIDE
    for column in columns:
        panels = [
            _panel(
                figure,
                row,
                column,
                AXIS,
                last=i == len(rows) - 1,
                width=width,
                height=LOW,
                title=_head(figure, row, anchor="start"),
            )
            for i, row in enumerate(rows)
        ]
        called = figure.words.get(column, column)
        head = {"text": called, "fontSize": 14, "anchor": "start", "offset": 6}
        yield called, alt.vconcat(*panels, spacing=10, title=head, config=CONFIG)


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


def _head(figure: CurveFigure, of: str, anchor: str = "middle") -> dict[str, Any]:
    """What stands above a panel: how a row or column is called."""
    return {"text": figure.words.get(of, of), "fontSize": 13, "fontWeight": "normal", "anchor": anchor}


def _beside(figure: CurveFigure, row: str, *, first: bool) -> dict[str, Any]:
    """The vertical axis where panels share one: labels and the name of the row stand at the first panel alone."""
    title = wrap(figure.words.get(row, row), LETTERS) if first else None
    return AXIS | {"title": title, "titleFontWeight": "bold", "labels": first, "ticks": first}


def _panel(figure: CurveFigure, row: str, column: str, axis: Mapping[str, Any], *, last: bool, **about: Any) -> Any:
    """One curve; the horizontal axis has its labels below the last panel alone."""
    import altair as alt

    points = inline(r for r in figure.records() if r["row"] == row and r["column"] == column)
    xs = [p.x for p in figure.points]
    x = _along("x") | {
        "scale": {"domain": [min(xs), max(xs)], "nice": False, "padding": 15},
        "axis": {
            "title": figure.x_axis if last and figure.x_axis else None,
            "labels": last,
            "ticks": last,
            "grid": False,
            **_labels(figure),
        },
    }
    y = _along("value") | {"scale": {"domain": list(limits(figure)), "nice": False, "clamp": False}, "axis": axis}
    band = {"x": x, "y": _along("low"), "y2": {"field": "high"}}
    layers = [
        _layer(points, {"type": "area", "color": BLUE, "opacity": 0.16, "clip": True}, band).transform_filter(
            "isValid(datum.low)"
        ),
        _layer(inline([{"zero": 0}]), {"type": "rule", "color": MUTED, "strokeDash": [3, 3]}, {"y": _along("zero")}),
    ]
    if figure.mark is not None and min(xs) <= figure.mark <= max(xs):
        rule = {"type": "rule", "color": INK, "strokeWidth": 0.8, "opacity": 0.6}
        layers.append(_layer(inline([{"mark": figure.mark}]), rule, {"x": _along("mark")}))
    point = {"type": "point", "filled": True, "size": 34, "color": BLUE, "opacity": 1, "clip": True}
    layers += [
        _layer(points, {"type": "line", "color": BLUE, "strokeWidth": 2, "clip": True}, {"x": x, "y": y}),
        _layer(points, point, {"x": x, "y": y}),
    ]
    return alt.layer(*layers, **({"width": WIDTH, "height": HEIGHT} | about))


def _layer(data: Any, mark: Any, encoding: Mapping[str, Any]) -> Any:
    """Marks of one kind, of plain mappings: Altair copies its own objects, with all that could stand in them, often."""
    import altair as alt

    return alt.Chart(data, mark=mark, encoding=alt.FacetedEncoding(**encoding))


def _along(field: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative"}
