"""The map as a chart."""

from typing import Any

import numpy as np

from tradelift.exhibits import Link, MapFigure, Place
from tradelift.report.basemap import outlines
from tradelift.report.projection import Projection, fit_projection
from tradelift.report.svg import CONFIG, INK

LAND, BORDER = "#f3f1ec", "#cfcbc2"
COLOURS = {"square": "#1f4e9c", "circle": "#2e8b57"}
LINKS = ("#c0392b", "#d9a441")  # of the kinds of line
FLOW = "#c0392b"
BEND = 0.12  # of a line's length: arcs between the same two areas do not hide each other
STEPS = 12
SIZES = ((60, 90), (200, 45), (2000, 22))  # up to so many places, a mark has so many square pixels
MOST_NAMES = 60  # places up to which names are written
LETTER, WIDE_LETTER, LINE_HEIGHT = 6.4, 11.5, 13.0  # pixels


def chart(figure: MapFigure) -> Any:
    """
    Draw places and lines over the outlines of countries.

    Parameters
    ----------
    figure
        With one place or more.
    """
    import altair as alt

    longitude = np.array([p.longitude for p in figure.places])
    latitude = np.array([p.latitude for p in figure.places])
    projection = fit_projection(longitude, latitude)
    x, y = projection.pixels(projection.unwrap(longitude), latitude)
    size = next((s for most, s in SIZES if len(x) <= most), 14)
    layers = [_land(projection)]
    if figure.links:
        layers.append(_lines(figure, x, y))
    layers.append(_marks(figure, x, y, size))
    if len(x) <= MOST_NAMES:
        layers.append(_names(figure.places, x, y, projection))
    return (
        alt.layer(*layers)
        .resolve_scale(stroke="independent", fill="independent", shape="independent")
        .resolve_legend(stroke="independent")
        .properties(width=projection.width, height=projection.height)
        .configure(**CONFIG)
    )


def outside(figure: MapFigure) -> tuple[str, ...]:
    """Name the places that lie outside the frame, because they would squeeze the rest."""
    longitude = np.array([p.longitude for p in figure.places])
    latitude = np.array([p.latitude for p in figure.places])
    projection = fit_projection(longitude, latitude)
    x, y = projection.pixels(projection.unwrap(longitude), latitude)
    out = (x < 0) | (x > projection.width) | (y < 0) | (y > projection.height)
    return tuple(figure.places[i].name for i in np.flatnonzero(out))


def _plane() -> dict[str, Any]:
    """Coordinates are pixels already."""
    return {"type": "identity", "scale": 1, "translate": [0, 0]}


def _land(projection: Projection) -> Any:
    import altair as alt

    shapes = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": rings}} for rings in outlines(projection)
    ]
    return (
        alt.Chart(alt.InlineData(values=shapes))
        .mark_geoshape(fill=LAND, stroke=BORDER, strokeWidth=0.7, clip=True)
        .project(**_plane())
    )


def _lines(figure: MapFigure, x: Any, y: Any) -> Any:
    import altair as alt

    weighted = figure.links[0].weight is not None
    shapes = [
        {
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": _arc(link, x, y)},
            "weight": link.weight,
            "kind": link.kind,
        }
        for link in figure.links
    ]
    base = alt.Chart(alt.InlineData(values=shapes))
    if not weighted:
        kinds = list(dict.fromkeys(sorted(link.kind for link in figure.links)))
        colours = alt.Scale(domain=kinds, range=[LINKS[i % len(LINKS)] for i in range(len(kinds))])
        legend = alt.Legend(title=None, symbolType="stroke", symbolDash=[5, 3], symbolSize=220, symbolStrokeWidth=1.6)
        return (
            base.mark_geoshape(filled=False, strokeWidth=0.9, strokeDash=[5, 3], opacity=0.7, clip=True)
            .encode(stroke=alt.Stroke("kind:N", legend=legend, scale=colours))
            .project(**_plane())
        )
    legend = alt.Legend(
        title=figure.link_label,
        symbolType="stroke",
        symbolStrokeColor=FLOW,
        format="~s",
        values=_steps(max(link.weight or 0.0 for link in figure.links)),
    )
    width = alt.StrokeWidth("weight:Q", scale=alt.Scale(type="linear", domainMin=0, range=[0.4, 7]), legend=legend)
    lines = base.mark_geoshape(filled=False, stroke=FLOW, opacity=0.45, clip=True)
    return lines.encode(strokeWidth=width).project(**_plane())


def _steps(most: float) -> list[float]:
    """A quarter, half and whole of the largest weight, to one digit."""
    return [float(f"{share * most:.0e}") for share in (0.25, 0.5, 1.0)]


def _arc(link: Link, x: Any, y: Any) -> list[list[float]]:
    """A slightly bent line (a quadratic curve) from one place to the other, pixels."""
    a, b = np.array([x[link.first], y[link.first]]), np.array([x[link.second], y[link.second]])
    along = b - a
    bend = (a + b) / 2 + BEND * np.array([along[1], -along[0]]) * (1 if along[0] >= 0 else -1)
    t = np.linspace(0, 1, STEPS + 1)[:, None]
    points = (1 - t) ** 2 * a + 2 * t * (1 - t) * bend + t**2 * b
    out: list[list[float]] = np.round(points, 1).tolist()
    return out


def _marks(figure: MapFigure, x: Any, y: Any, size: int) -> Any:
    import altair as alt

    kinds = figure.kinds
    order = sorted(range(len(figure.places)), key=lambda i: kinds[figure.places[i].kind].filled)  # partners on top
    rows = [
        {"x": round(float(x[i]), 1), "y": round(float(y[i]), 1), "kind": kinds[figure.places[i].kind].label}
        for i in order
    ]
    labels = [k.label for k in kinds]
    colours = [COLOURS[k.shape] for k in kinds]
    fills = [colour if k.filled else "#ffffff" for k, colour in zip(kinds, colours, strict=True)]
    legend = alt.Legend(title=None, symbolSize=80, symbolOpacity=1, columns=len(labels)) if len(labels) > 1 else None

    def scale(values: list[str]) -> Any:
        return alt.Scale(domain=labels, range=values)

    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_point(size=size, strokeWidth=1.1, opacity=1, clip=True)
        .encode(
            x=alt.X("x:Q", scale=None, axis=None),
            y=alt.Y("y:Q", scale=None, axis=None),
            shape=alt.Shape("kind:N", scale=scale([k.shape for k in kinds]), legend=legend),
            stroke=alt.Stroke("kind:N", scale=scale(colours), legend=legend),
            fill=alt.Fill("kind:N", scale=scale(fills), legend=legend),
        )
    )


def _names(places: tuple[Place, ...], x: Any, y: Any, projection: Projection) -> Any:
    import altair as alt

    rows = [
        {"x": place[0], "y": place[1], "name": text}
        for text, place in _settle([p.name for p in places], x, y, projection).items()
    ]
    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_text(align="left", baseline="middle", fontSize=11, color=INK, clip=True)
        .encode(x=alt.X("x:Q", scale=None, axis=None), y=alt.Y("y:Q", scale=None, axis=None), text=alt.Text("name:N"))
    )


def _settle(names: list[str], x: Any, y: Any, projection: Projection) -> dict[str, tuple[float, float]]:
    """Place each name beside its mark where it hides no mark and no other name; else leave it out."""
    taken = [(float(a) - 5, float(b) - 5, float(a) + 5, float(b) + 5) for a, b in zip(x, y, strict=True)]
    out = {}
    for name, a, b in zip(names, x, y, strict=True):
        width = sum(WIDE_LETTER if ord(c) > 0x2E7F else LETTER for c in name)
        for left, middle in ((a + 7, b), (a - 7 - width, b), (a - width / 2, b - 13), (a - width / 2, b + 13)):
            box = (left, middle - LINE_HEIGHT / 2, left + width, middle + LINE_HEIGHT / 2)
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= projection.width and box[3] <= projection.height
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                out[name] = (round(float(left), 1), round(float(middle), 1))
                break
    return out


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
