"""A specification curve: estimates in order above, and the choices behind each below."""

from typing import Any

from tradelift.exhibits import SpecificationFigure
from tradelift.report.svg import BLUE, CONFIG, INK, LINE, MUTED, VERMILION, inline

WIDTH, HEIGHT = 760, 240
ROW = 17
PALE = "#8fbfdd"
CLEAR, UNCLEAR = "interval leaves out 0", "interval holds 0"
OUTLYING = 3.0  # times the extent of most intervals: an end beyond it is cut off


def chart(figure: SpecificationFigure) -> Any:
    """
    Draw the curve and the dashboard of choices.

    Parameters
    ----------
    figure
        With one estimate or more.
    """
    import altair as alt

    records = list(figure.records())
    x = alt.X("rank:Q", axis=None, scale=alt.Scale(domain=[0, len(records) + 1], nice=False))
    return (
        alt.vconcat(_curve(figure, records, x), _dashboard(figure, records, x), spacing=6)
        .properties(title=alt.TitleParams(figure.title, anchor="start", offset=10))
        .configure(**CONFIG)
    )


def limits(figure: SpecificationFigure) -> tuple[float, float]:
    """Ends of the vertical axis: all estimates and zero, and intervals unless they are many times as wide as most."""
    values = [s.value for s in figure.specifications]
    ends = [(s.low, s.high) for s in figure.specifications if s.low is not None and s.high is not None]
    low, high = min(0.0, *values), max(0.0, *values)
    if ends:
        usual = sorted(b - a for a, b in ends)[len(ends) // 2] * OUTLYING
        low = min(low, max(min(a for a, _ in ends), min(values) - usual))
        high = max(high, min(max(b for _, b in ends), max(values) + usual))
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def _curve(figure: SpecificationFigure, records: list[dict[str, Any]], x: Any) -> Any:
    """Points with their intervals; the study's own stands out."""
    import altair as alt

    data = inline({**r, "kind": _kind(r)} for r in records)
    kinds = [k for k in (CLEAR, UNCLEAR) if any(_kind(r) == k for r in records)]
    shades = {CLEAR: BLUE, UNCLEAR: PALE}
    colour = alt.Color(
        "kind:N", title=None, sort=kinds, scale=alt.Scale(domain=kinds, range=[shades[k] for k in kinds])
    )
    y = alt.Y(
        "value:Q",
        title=figure.axis,
        scale=alt.Scale(domain=list(limits(figure)), nice=False),
        axis=alt.Axis(tickCount=6, gridColor=LINE),
    )
    base = alt.Chart(data)
    thickness = max(1.0, min(2.4, 0.5 * WIDTH / (len(records) + 1)))
    layers = [
        alt.Chart(inline([{"zero": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y="zero:Q"),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=thickness, opacity=0.55, clip=True)
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour),
        base.mark_point(filled=True, size=22, opacity=1).encode(x=x, y=y, color=colour),
        base.transform_filter("datum.is_main == 1")
        .mark_point(filled=True, shape="diamond", size=110, color=VERMILION, opacity=1)
        .encode(x=x, y=y),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def _kind(record: dict[str, Any]) -> str:
    low, high = record["low"], record["high"]
    return CLEAR if low is not None and high is not None and not low <= 0 <= high else UNCLEAR


def _dashboard(figure: SpecificationFigure, records: list[dict[str, Any]], x: Any) -> Any:
    """One row an alternative, in blocks by decision, with a tick below every estimate that takes it."""
    import altair as alt

    blocks = []
    for decision, alternatives in figure.decisions.items():
        names = [figure.words.get(a, a) for a in alternatives]
        marks = [
            {"rank": r["rank"], "row": figure.words.get(str(r[decision]), str(r[decision])), "is_main": r["is_main"]}
            for r in records
            if r[decision] is not None
        ]
        y = alt.Y(
            "row:N",
            sort=names,
            scale=alt.Scale(domain=names),
            title=figure.words.get(decision, decision),
            axis=alt.Axis(
                domain=False,
                ticks=False,
                labelFontSize=11,
                labelLimit=118,
                minExtent=120,
                titleAngle=0,
                titleAlign="right",
                titleFontSize=11,
                titleFontWeight="bold",
                titleX=-124,
                grid=True,
                gridColor=LINE,
            ),
        )
        base = alt.Chart(inline(marks))
        tick = base.mark_tick(thickness=2, height=ROW - 7, orient="vertical", color=INK).encode(x=x, y=y)
        own = (
            base.transform_filter("datum.is_main == 1")
            .mark_point(filled=True, shape="diamond", size=60, color=VERMILION, opacity=1)
            .encode(x=x, y=y)
        )
        blocks.append(alt.layer(tick, own).properties(width=WIDTH, height=ROW * len(names)))
    return alt.vconcat(*blocks, spacing=5)
