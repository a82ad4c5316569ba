"""The specification curve as a figure."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.exhibits.small import CHINESE, HOSTILE
from tradelift.exhibits import Specification, SpecificationFigure
from tradelift.report import figure_svg
from tradelift.report.figures import figure_notes
from tradelift.report.specifications import limits


def spec(value, half, is_main=False, **choices):
    low, high = (None, None) if half is None else (value - half, value + half)
    return Specification(value=value, low=low, high=high, choices=choices, is_main=is_main)


FIGURE = SpecificationFigure(
    name="specifications_both",
    title=HOSTILE,
    description=CHINESE,
    axis="percent",
    specifications=(
        spec(5.0, 2.0, is_main=True, design="rd", bandwidth="150 km"),
        spec(-1.0, 3.0, design="rd", bandwidth="100 km"),
        spec(9.0, None, design="gravity"),
    ),
    decisions={"design": ("rd", "gravity"), "bandwidth": ("150 km", "100 km")},
    words={"design": "Design", "rd": "Spatial RD"},
    notes=("A note.",),
)


def test_records_are_in_order_with_a_column_for_each_decision():
    records = list(FIGURE.records())
    assert [r["value"] for r in records] == [-1.0, 5.0, 9.0]
    assert [r["rank"] for r in records] == [1, 2, 3]
    assert [r["bandwidth"] for r in records] == ["100 km", "150 km", None]
    assert [r["is_main"] for r in records] == [0, 1, 0]


def test_the_figure_is_well_formed_named_and_the_same_each_time():
    svg = figure_svg(FIGURE)
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ET.fromstring(svg).get("role") == "img"
    assert all(i.startswith("fig-specifications_both-") for i in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(ids)
    assert figure_svg(FIGURE) == svg
    assert "<script" not in svg
    assert figure_notes(FIGURE) == ("A note.",)


def test_alternatives_stand_below_in_words():
    svg = figure_svg(FIGURE)
    for text in ("Design", "Spatial RD", "gravity", "bandwidth", "150 km", "100 km", "interval leaves out 0"):
        assert f">{text}</text>" in svg


def test_an_interval_that_is_many_times_as_wide_is_cut_off():
    usual = tuple(spec(float(v), 1.0) for v in range(5))
    low, high = limits(replace(FIGURE, specifications=usual))
    assert low < -1 < 5 < high
    wide = replace(FIGURE, specifications=(*usual, spec(2.0, 500.0)))
    assert limits(wide)[1] == pytest.approx(high, abs=6)
    none = replace(FIGURE, specifications=(spec(0.0, None),))
    assert limits(none) == (-1.0, 1.0)
