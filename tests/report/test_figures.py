import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.exhibits.small import CHINESE, HOSTILE, one_side, study, two_sides
from tradelift.exhibits import (
    EXHIBITS,
    CurveFigure,
    CurvePoint,
    Interval,
    IntervalFigure,
    MapFigure,
    Place,
    PlaceKind,
)
from tradelift.report import figure_svg
from tradelift.report.curves import limits
from tradelift.report.figures import figure_notes
from tradelift.report.svg import isolate


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
    assert "stroke-dasharray" in svg


def test_simulated_partnerships_have_a_colour_and_a_legend_of_their_own():
    figure = map_of(two_sides())
    links = (replace(figure.links[0], kind="simulated partnership"), *figure.links[1:])
    svg = figure_svg(replace(figure, links=links))
    assert ">simulated partnership</text>" in svg
    assert svg.count('stroke="#d9a441"') == 2  # the line and its legend


def test_the_legend_of_flows_gives_their_size():
    figure = map_of(one_side())
    most = max(link.weight for link in figure.links)
    assert f">{float(f'{most:.0e}'):g}</text>" in figure_svg(figure)


def test_places_outside_the_frame_are_named():
    kinds = (PlaceKind(label="regions", shape="circle", filled=True),)
    near = [Place(name=f"n{i}", longitude=100 + i % 10, latitude=30 + i // 10, kind=0) for i in range(99)]
    far = Place(name="Far Island", longitude=104.0, latitude=-20.0, kind=0)
    figure = MapFigure(
        name="map", title="m", description="m", kinds=kinds, places=(*near, far), link_label="", links=(), notes=("a",)
    )
    assert figure_notes(figure) == ("a", "Outside the frame: Far Island.")
    assert figure_notes(replace(figure, places=tuple(near))) == ("a",)
    assert figure_notes(INTERVALS) == ()


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
