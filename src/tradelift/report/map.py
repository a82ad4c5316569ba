"""The map as an SVG of its own: what the page's script finds again by the classes and numbers that stand in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tradelift.exhibits import Link, MapFigure, PlaceKind
from tradelift.exhibits.map_amounts import short
from tradelift.report.basemap import outlines
from tradelift.report.html import COLOURS, page
from tradelift.report.map_layout import INSET, Frame, Layout, lay_out
from tradelift.report.paths import arc, number, outline

TINTS = ("#dfeaf4", "#f9e8da")  # of the outlines of regions, by side
LINKS = ("#6b5b95", "#9a9aa2")  # of the kinds of line
FLOW = "#6b5b95"
WIDTHS = (0.4, 7.0)  # pixels, of no flow and of the largest
BEND = 0.12  # of a line's length: arcs between the same two areas do not hide each other
SIZES = ((60, 5.0), (200, 3.6), (2000, 2.6))  # up to so many places, a mark is so many pixels to each side
MOST_NAMES = 60  # places up to which all names are written, where there is room; else those of ...
LARGEST = 14  # ... so many of the largest
LETTER, WIDE_LETTER, LINE_HEIGHT = 0.58, 1.05, 1.18  # of the size of names
LEGEND_LETTER, LEGEND_LINE, LEGEND_GAP, SWATCH = 6.9, 24, 26, 26  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place: its position in the figure, and its centre, tenths of a pixel as text."""

    place: int
    x: str
    y: str
    left: str
    top: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Places of one kind, which share shape and colour."""

    shape: str
    colour: str
    fill: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the legend: a mark or a line, its words, and where it stands above the map."""

    label: str
    x: float = 0.0
    y: float = 0.0
    kind: PlaceKind | None = None
    colour: str = ""
    width: float = 1.4
    dashes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name, and where it begins."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A link, by its position in the figure: its path, colour, width and dashes."""

    path: str
    colour: str
    width: float
    dashes: str


def map_svg(figure: MapFigure, *, has_legend: bool = True, letters: int = 11) -> str:
    """
    Draw places and lines over the outlines of countries, or of the regions where the figure has them.

    Parameters
    ----------
    figure
        With one place or more.
    has_legend
        Whether the legend stands above the map; the page has its own.
    letters
        Size of names, pixels; larger where the map will be shown smaller than it is.

    Returns
    -------
    An `svg` element. Each place is an element of the class "city" whose `data-i` is its position in the figure; lines
    stand in the group "arcs" in the order of the figure's links.
    """
    laid = _laid(figure)
    projection = laid.main.projection
    size = next((s for most, s in SIZES if len(figure.places) <= most), 2.0)
    entries = tuple(_placed(figure, projection.width)) if has_legend else ()
    head = LEGEND_LINE * (1 + int(entries[-1].y) // LEGEND_LINE) if entries else 0
    svg = page(
        "map.svg.j2",
        figure=figure,
        id=f"fig-{figure.name}",
        width=projection.width,
        height=projection.height + head,
        head=head,
        frame=projection,
        entries=entries,
        land=_land(laid.main, figure),
        insets=[(frame, _land(frame, figure), _inset_name(figure, frame)) for frame in laid.insets],
        inset=INSET,
        lines=tuple(_lines(figure, laid)),
        marks=tuple(_marks(figure, laid, size)),
        size=size,
        letters=letters,
        names=tuple(_names(figure, laid, letters)),
    )
    return svg.strip().replace("\n", "")


def legend(figure: MapFigure) -> Iterator[Entry]:
    """Yield the entries of the legend: kinds of places where there are several, and what lines mean."""
    if len(figure.kinds) > 1:
        for kind in figure.kinds:
            yield Entry(label=kind.label, kind=kind)
    for place, kind_of_link in enumerate(_link_kinds(figure.links)):
        colour, dashes = _dressed(place)
        yield Entry(label=kind_of_link, colour=colour, dashes=dashes)
    most = max((link.weight or 0.0 for link in figure.links), default=0.0)
    if most > 0:
        yield Entry(label=f"{figure.link_label}:", colour="none")
        for weight in _steps(most):
            yield Entry(label=short(weight), colour=FLOW, width=_width(weight, most))


def outside(figure: MapFigure) -> tuple[str, ...]:
    """Name the places that are not on the map: they lie far away, and there is no inset left for them."""
    return tuple(figure.places[i].name for i in _laid(figure).left_out)


def _laid(figure: MapFigure) -> Layout:
    return lay_out(np.array([p.longitude for p in figure.places]), np.array([p.latitude for p in figure.places]))


def _land(frame: Frame, figure: MapFigure) -> list[tuple[str, str]]:
    """Paths of land and their colours: countries, and regions upon them."""
    paths = [("", "".join(outline(rings) for rings in outlines(frame.projection)))]
    for side in (None, 0, 1):
        shapes = [tuple(np.array(ring) for ring in o.rings) for o in figure.outlines if o.side == side]
        rings = [ring for shape in outlines(frame.projection, shapes) for ring in shape] if shapes else []
        if rings:
            paths.append(("#eceae4" if side is None else TINTS[side], outline(rings)))
    return paths


def _inset_name(figure: MapFigure, frame: Frame) -> str:
    return ", ".join(filter(None, (figure.places[i].name for i in frame.places)))


def _lines(figure: MapFigure, laid: Layout) -> Iterator[Line]:
    """One line a link, also where an end is left out, so that they count as the links do."""
    most = max((link.weight or 0.0 for link in figure.links), default=0.0)
    kinds = _link_kinds(figure.links)
    for link in figure.links:
        ends = [(float(laid.x[i]), float(laid.y[i])) for i in (link.first, link.second)]
        known = bool(np.isfinite(ends).all())
        path = arc(ends[0], ends[1], BEND) if known else "M0 0"
        if link.weight is None:
            colour, dashes = _dressed(kinds.index(link.kind))
            yield Line(path=path, colour=colour, width=0.9, dashes=dashes)
        else:
            yield Line(path=path, colour=FLOW, width=_width(link.weight, most), dashes="")


def _link_kinds(links: Sequence[Link]) -> list[str]:
    return sorted({link.kind for link in links if link.weight is None})


def _dressed(kind: int) -> tuple[str, str]:
    """Colour and dashes of a kind of line."""
    return LINKS[kind % len(LINKS)], "" if kind == 0 else "4 3"


def _width(weight: float, most: float) -> float:
    low, high = WIDTHS
    return round(low + (high - low) * weight / most, 1) if most > 0 else low


def _marks(figure: MapFigure, laid: Layout, size: float) -> Iterator[Marks]:
    """Marks by kind, those that are filled on top."""
    for kind in sorted(range(len(figure.kinds)), key=lambda k: figure.kinds[k].filled):
        own = [i for i, p in enumerate(figure.places) if p.kind == kind and np.isfinite(laid.x[i])]
        about = figure.kinds[kind]
        colour = COLOURS[about.shape]
        yield Marks(
            shape=about.shape,
            colour=colour,
            fill=colour if about.filled else "#ffffff",
            marks=tuple(_mark(i, float(laid.x[i]), float(laid.y[i]), size) for i in own),
        )


def _mark(place: int, x: float, y: float, size: float) -> Mark:
    across, down, left, top = (number(round(10 * v)) for v in (x, y, x - 0.9 * size, y - 0.9 * size))
    return Mark(place=place, x=across, y=down, left=left, top=top)


def _placed(figure: MapFigure, width: int) -> Iterator[Entry]:
    """Set the legend in rows that fit the width."""
    x, y = 0.0, 0.0
    for entry in legend(figure):
        needs = SWATCH + LEGEND_LETTER * len(entry.label)
        if x > 0 and x + needs > width:
            x, y = 0.0, y + LEGEND_LINE
        yield replace(entry, x=round(x, 1), y=y)
        x += needs + LEGEND_GAP


def _steps(most: float) -> list[float]:
    """A quarter, half and whole of the largest weight, to one digit."""
    return [float(f"{share * most:.0e}") for share in (0.25, 0.5, 1.0)]


def _names(figure: MapFigure, laid: Layout, letters: int) -> Iterator[Name]:
    """Names of all places, or of the largest, where they hide no mark and no other name; insets name their own."""
    inside = set(laid.main.places)
    order = sorted(inside, key=lambda i: -figure.places[i].weight)
    if len(figure.places) > MOST_NAMES:
        order = [i for i in order if figure.places[i].weight > 0][:LARGEST]
    projection = laid.main.projection
    taken = [
        (float(a) - 5, float(b) - 5, float(a) + 5, float(b) + 5)
        for a, b in zip(laid.x, laid.y, strict=True)
        if np.isfinite(a)
    ]
    taken += [(f.left, f.top, f.left + INSET[0], f.top + INSET[1]) for f in laid.insets]
    for i in order:
        name, a, b = figure.places[i].name, float(laid.x[i]), float(laid.y[i])
        if not name:
            continue
        width = letters * sum(WIDE_LETTER if ord(c) > 0x2E7F else LETTER for c in name)
        high = letters * LINE_HEIGHT
        for left, middle in ((a + 8, b), (a - 8 - width, b), (a - width / 2, b - high), (a - width / 2, b + high)):
            box = (left, middle - high / 2, left + width, middle + high / 2)
            fits = box[0] >= 0 and box[1] >= 0 and box[2] <= projection.width and box[3] <= projection.height
            if fits and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield Name(x=round(left, 1), y=round(middle, 1), text=name)
                break


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
