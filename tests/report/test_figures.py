import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.exhibits.small import CHINESE, HOSTILE, one_side, study, two_sides
from tests.report.test_specifications import FIGURE as SPECIFICATIONS
from tradelift.exhibits import (
    EXHIBITS,
    CurveFigure,
    CurvePoint,
    Interval,
    IntervalFigure,
    Link,
    MapFigure,
    Place,
    PlaceKind,
)
from tradelift.exhibits.map_amounts import short
from tradelift.exhibits.map_figure import Outline
from tradelift.report import figure_svg, intervals
from tradelift.report.curves import limits, page_charts
from tradelift.report.figures import chart, figure_notes, page_svg
from tradelift.report.map import LINKS, TINTS
from tradelift.report.map_layout import INSET, lay_out
from tradelift.report.paths import arc, number, outline
from tradelift.report.svg import isolate

PHONE = 440  # pixels that a phone shows at four fifths of their size


def map_of(panel):
    return EXHIBITS["map"].show(study(), panel, {}).figures[0]


INTERVALS = IntervalFigure(
    name="gravity_trade",
    title=HOSTILE,
    description=CHINESE,
    axis="percent",
    intervals=(
        Interval(row="both", series="OLS", value=5.0, low=-1.0, high=11.0),
        Interval(row="west->east", series="PPML", value=9.0, low=3.0, high=15.0),
        Interval(row="east->west", series="PPML", value=2.0, low=None, high=None),
    ),
    words={"both": "Both directions"},
)

CURVES = CurveFigure(
    name="bandwidth",
    title=HOSTILE,
    description=CHINESE,
    x_axis="km",
    y_axis="percent",
    points=(
        CurvePoint(row="both", column="none", x=100.0, value=5.0, low=-1.0, high=11.0),
        CurvePoint(row="both", column="none", x=150.0, value=4.0, low=-2.0, high=10.0),
        CurvePoint(row="both", column="d", x=150.0, value=3.0, low=None, high=None),
        CurvePoint(row="west->east", column="none", x=150.0, value=4.0, low=0.0, high=900.0),
    ),
    mark=150.0,
    words={"both": "Both directions", "d": "a term in d"},
    notes=("with 95% intervals",),
)


@pytest.mark.parametrize(
    "figure",
    [map_of(two_sides()), map_of(one_side()), INTERVALS, CURVES],
    ids=["sides", "one", "intervals", "curves"],
)
def test_a_figure_is_well_formed_named_and_the_same_each_time(figure):
    svg = figure_svg(figure)
    root = ET.fromstring(svg)
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert root.get("role") == "img"
    assert all(i.startswith(f"fig-{figure.name}-") for i in ids)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(ids)
    assert figure_svg(figure) == svg


@pytest.mark.parametrize("figure", [INTERVALS, CURVES, SPECIFICATIONS], ids=lambda figure: type(figure).__name__)
def test_each_kind_of_chart_is_what_vega_lite_allows(figure):
    """A run does not ask: it takes a tenth of the time of a report."""
    assert chart(figure).to_dict(validate=True)["$schema"].startswith("https://vega.github.io/schema/vega-lite/")


def test_each_kind_of_chart_of_the_page_is_what_vega_lite_allows():
    assert "title" not in intervals.chart(INTERVALS, on_page=True).to_dict(validate=True)  # the page writes it
    assert [name for name, drawn in page_charts(CURVES) if drawn.to_dict(validate=True)] == ["none", "a term in d"]


def test_the_page_has_an_image_for_each_column_of_curves():
    parts = [ET.fromstring(part + "</svg>") for part in page_svg(CURVES, "").split("</svg>")[:-1]]
    assert [part.find("title").text for part in parts] == [f"{HOSTILE}, none", f"{HOSTILE}, a term in d"]
    ids = [element.get("id") for part in parts for element in part.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    points = [[len(group) for group in part.iter("g") if group.get("class") == "points"] for part in parts]
    assert points == [[2, 1], [1]]  # in the order that the page's data gives as places
    for part in parts:
        texts = [element.text for element in part.iter("text")]
        assert {"Both directions", "west->east", "km"} <= set(texts)


def test_rows_of_intervals_have_their_labels_above_them_on_the_page():
    named = replace(
        INTERVALS, words={"both": "Both directions", "west->east": "A much longer name of a row, in two parts"}
    )
    root = ET.fromstring(page_svg(named, ""))
    assert float(root.get("width")) < PHONE
    assert "A much longer name of a row, in two parts" in [element.text for element in root.iter("text")]
    assert float(ET.fromstring(figure_svg(named)).get("width")) > PHONE  # its file has them beside the rows


def test_hostile_text_stays_text():
    svg = figure_svg(INTERVALS)
    assert "<script" not in svg
    assert CHINESE in svg


def test_names_stand_on_the_map_where_there_is_room():
    svg = figure_svg(map_of(two_sides()))
    assert CHINESE in svg
    assert "<script" not in svg
    assert "Zunyi" in svg


def test_the_legend_names_kinds_and_lines():
    svg = figure_svg(map_of(two_sides()))
    for text in ("partnership", "east, partner", "west, no partner"):
        assert f">{text}</text>" in svg


def test_simulated_partnerships_have_a_colour_and_a_legend_of_their_own():
    figure = map_of(two_sides())
    links = (replace(figure.links[0], kind="simulated partnership"), *figure.links[1:])
    svg = figure_svg(replace(figure, links=links))
    assert ">simulated partnership</text>" in svg
    assert svg.count("stroke-dasharray") == 2  # the line and its legend
    assert svg.count(f'stroke="{LINKS[1]}"') == 2


def test_the_legend_of_flows_gives_their_size():
    figure = map_of(one_side())
    most = max(link.weight for link in figure.links)
    svg = figure_svg(figure)
    assert f">{short(float(f'{most:.0e}'))}</text>" in svg
    assert svg.count('stroke-width="7.0"') == 1  # the largest


def islands(*far):
    """A map of ninety-nine places side by side, and others far away: longitude and latitude."""
    kinds = (PlaceKind(label="regions", shape="circle", filled=True),)
    near = [Place(name=f"n{i}", longitude=100 + i % 10, latitude=30 + i // 10, kind=0) for i in range(99)]
    others = [Place(name=f"Island {i}", longitude=x, latitude=y, kind=0) for i, (x, y) in enumerate(far)]
    return MapFigure(
        name="map",
        title="m",
        description="m",
        kinds=kinds,
        places=(*near, *others),
        link_label="",
        links=tuple(Link(first=0, second=99 + i, kind="k") for i in range(len(far))),
        notes=("a",),
    )


def marks(svg):
    """Centres of the circles of places, by position."""
    found = re.findall(r'<circle class="city" data-i="(\d+)" cx="([^"]+)" cy="([^"]+)"', svg)
    return {int(i): (float(x), float(y)) for i, x, y in found}


def test_a_far_island_stands_in_an_inset_with_its_name_and_its_line():
    figure = islands((104.0, -20.0))
    svg = figure_svg(figure)
    (left, top) = map(
        float,
        re.search(r'<g transform="translate\(([\d.]+) ([\d.]+)\)"><g clip-path="url\(#fig-map-inset', svg).groups(),
    )
    x, y = marks(svg)[99]
    assert left < x < left + INSET[0]
    assert top < y < top + INSET[1]
    assert ">Island 0</text>" in svg
    assert all(
        not (left < a < left + INSET[0] and top < b < top + INSET[1]) for i, (a, b) in marks(svg).items() if i != 99
    )
    line = re.search(r'<g class="arcs".*?<path d="M([^Q]+)Q[^ -]+[ -][^ -]+ ([^"]+)"', svg)
    assert line is not None
    assert figure_notes(figure) == ("a",)
    assert figure_notes(INTERVALS) == ()
    assert "fig-map-inset)" not in figure_svg(islands())


def test_islands_that_are_near_each_other_share_an_inset():
    places = islands().places
    longitude = np.array([p.longitude for p in places] + [104.0, 105.0, 20.0])
    latitude = np.array([p.latitude for p in places] + [-20.0, -21.0, -35.0])
    longitude, latitude = (
        np.r_[np.repeat(longitude[:99], 2), longitude[99:]],
        np.r_[np.repeat(latitude[:99], 2), latitude[99:]],
    )
    laid = lay_out(longitude, latitude)
    assert sorted(frame.places for frame in laid.insets) == [(198, 199), (200,)]
    assert laid.left_out == ()
    assert np.isfinite(laid.x).all()


def test_places_beyond_the_last_inset_are_named_below():
    rng = np.random.default_rng(1)
    far = ((104.0, -20.0), (20.0, -35.0), (-60.0, -30.0), (30.0, 60.0), (-100.0, 45.0))
    longitude = np.r_[rng.uniform(100, 110, 400), [x for x, _ in far]]
    latitude = np.r_[rng.uniform(30, 40, 400), [y for _, y in far]]
    laid = lay_out(longitude, latitude)
    assert len(laid.insets) == 4
    assert len(laid.left_out) == 1
    figure = islands()
    kept = [
        Place(name=f"p{i}", longitude=x, latitude=y, kind=0)
        for i, (x, y) in enumerate(zip(longitude, latitude, strict=True))
    ]
    figure = replace(figure, places=tuple(kept), links=(Link(first=0, second=laid.left_out[0], kind="k"),))
    assert figure_notes(figure) == ("a", f"Outside the frame: p{laid.left_out[0]}.")
    assert 'd="M0 0"' in figure_svg(figure)  # so that lines count as links do


def test_the_outlines_of_the_study_are_drawn_by_side():
    ring = ((105.0, 33.0), (107.0, 33.0), (107.0, 36.0), (105.0, 36.0), (105.0, 33.0))
    figure = replace(islands(), outlines=(Outline(rings=(ring,), side=1), Outline(rings=(ring,))))
    svg = figure_svg(figure)
    assert svg.count(f'fill="{TINTS[1]}"') == 1
    assert TINTS[0] not in svg
    projection = lay_out(
        *(np.array([getattr(p, n) for p in figure.places]) for n in ("longitude", "latitude"))
    ).main.projection
    x, y = (float(v[0]) for v in projection.pixels(np.array([107.0]), np.array([33.0])))
    path = re.search(rf'fill="{TINTS[1]}" stroke="#ffffff" d="([^"]+)"', svg)[1]
    assert any(abs(a - x) < 0.11 and abs(b - y) < 0.11 for a, b in corners(path))


def corners(path):
    """Points of a path of `paths.outline`, by adding its steps up."""
    x = y = 0.0
    out = []
    for ring in path.split("z")[:-1]:
        start, steps = ring.removeprefix("M").split("l")
        values = [float(v) for v in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", start)]
        x, y = values
        out.append((x, y))
        values = [float(v) for v in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", steps)]
        for dx, dy in zip(values[::2], values[1::2], strict=True):
            x, y = x + dx, y + dy
            out.append((x, y))
    return out


def test_paths_hold_the_points_to_a_tenth_of_a_pixel():
    rng = np.random.default_rng(2)
    ring = rng.uniform(-20, 900, (200, 2))
    closed = [*ring.tolist(), ring[0].tolist()]
    assert np.allclose(corners(outline([closed])), ring, atol=0.0501)
    assert [number(n) for n in (0, 12, 30, -4, -120, 5)] == ["0", "1.2", "3", "-.4", "-12", ".5"]
    assert arc((0.0, 0.0), (10.0, 0.0), 0.1) == "M0 0Q5-1 10 0"


def test_ids_are_renumbered_without_touching_other_text():
    svg = '<svg><clipPath id="clip7"/><g id="clip70" clip-path="url(#clip7)"/><use href="#clip70"/><text>clip7</text></svg>'
    assert isolate(svg, "fig-a") == (
        '<svg><clipPath id="fig-a-0"/><g id="fig-a-1" clip-path="url(#fig-a-0)"/><use href="#fig-a-1"/><text>clip7</text></svg>'
    )


def test_curves_stand_in_a_panel_for_each_row_and_column_on_the_same_axes():
    svg = figure_svg(CURVES)
    for text in ("Both directions", "west-&gt;east", "a term in d", "none", "km"):
        assert f">{text}</text>" in svg
    assert svg.count('class="mark-line') == 4  # one panel is empty, and has its axes all the same
    assert CHINESE in svg
    assert figure_notes(CURVES) == ("with 95% intervals",)


def test_an_interval_many_times_as_wide_as_most_does_not_squeeze_the_curves():
    low, high = limits(CURVES)
    assert low < -2.0
    assert 11.0 < high < 30.0
    wide = tuple(replace(p, low=-300.0, high=300.0) for p in CURVES.points)
    assert limits(replace(CURVES, points=wide))[1] > 300.0
    alone = replace(CURVES, points=(replace(CURVES.points[2], value=0.0),))
    assert limits(alone) == (-1.0, 1.0)


def test_rows_with_many_series_are_higher():
    def height(figure):
        return float(ET.fromstring(figure_svg(figure)).get("height"))

    four = tuple(Interval(row="both", series=s, value=1.0, low=0.0, high=2.0) for s in "abcd")
    two = four[:2]
    assert height(replace(INTERVALS, intervals=four)) > height(replace(INTERVALS, intervals=two))
