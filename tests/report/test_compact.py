import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.exhibits.small import HOSTILE, estimated, study, two_sides
from tests.report.test_figures import CURVES, INTERVALS
from tradelift.exhibits import EXHIBITS, DataTable, Specification, SpecificationFigure
from tradelift.exhibits.shown import Column
from tradelift.report import figure_svg
from tradelift.report.compact import compact_svg, compact_table
from tradelift.report.tables import table_html

SPECIFICATIONS = SpecificationFigure(
    name="s",
    title=HOSTILE,
    description="d",
    axis="percent",
    specifications=tuple(
        Specification(value=v, low=v - 1, high=v + 1, choices={"errors": e}, is_main=v == 2.0)
        for v, e in ((1.0, "a"), (2.0, "b"), (-3.0, "b"))
    ),
    decisions={"errors": ("a", "b")},
    words={},
    notes=(),
)
SPACE = "{http://www.w3.org/2000/svg}"
STYLED = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "font-size",
    "font-weight",
    "text-anchor",
    "fill-opacity",
)
PLAIN = {"stroke": "none", "stroke-width": "1", "font-weight": "normal", "text-anchor": "start"}
ROUNDED = 0.25  # pixels: each of up to four nested shifts, and the position itself, to a twentieth


def seen(svg):
    """
    What a reader sees, by brute force: each mark with its place and the style that it has from all above it.

    Lines and rectangles are sets of corners, so that several drawn as one path count each for itself.
    """
    root = ET.fromstring(svg if "xmlns" in svg else svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))
    out = []

    def walk(element, style, x, y):
        style = {**style, **{k: element.attrib[k] for k in STYLED if k in element.attrib}}
        turned = ""
        if (shift := element.get("transform", "")) and (
            moved := re.match(r"translate\(([-\d.e]+)[, ]([-\d.e]+)\)", shift)
        ):
            x, y, turned = x + float(moved[1]), y + float(moved[2]), shift[moved.end() :]
        tag = element.tag.removeprefix(SPACE)
        if tag == "text":
            words = {k: style.get(k, PLAIN.get(k)) for k in ("fill", "font-size", "font-weight", "text-anchor")}
            out.append((("text", element.text, bool(turned), *words.values()), (x, y)))
        elif tag in ("path", "line", "circle"):
            look = {k: style.get(k, PLAIN.get(k)) for k in ("fill", "stroke", "stroke-dasharray", "fill-opacity")}
            look["stroke-width"] = style.get("stroke-width", "1") if look["stroke"] != "none" else None
            look["opacity"] = element.get("opacity", "1")
            unseen = look["fill"] == look["stroke"] == "none" or element.get("display") == "none"
            if not unseen:
                out.extend((tuple(look.values()), at) for at in places(element, tag, x, y))
        if tag not in ("defs", "title", "desc"):
            for child in element:
                walk(child, style, x, y)

    for child in root.findall(f"{SPACE}g"):
        walk(child, {}, 0.0, 0.0)
    return out


def places(element, tag, x, y):
    """Where the parts of a mark begin."""
    if tag == "line":
        return [(x, y)]
    if tag == "circle":
        return [(x + float(element.get("cx")), y + float(element.get("cy")))]
    starts = re.findall(r"M(-?[\d.]+)[, ](-?[\d.]+)", element.get("d"))
    if re.match(r"M[\d.]+,0A", element.get("d")):
        return [(x, y)]  # a circle about the origin
    return [(x + float(a), y + float(b)) for a, b in starts]


@pytest.mark.parametrize("figure", [INTERVALS, CURVES, SPECIFICATIONS], ids=["intervals", "curves", "specifications"])
def test_a_compact_figure_looks_as_before(figure):
    whole = figure_svg(figure)
    small = compact_svg(whole)
    assert len(small) < 0.6 * len(whole)
    before, after = seen(whole), seen(small)
    assert [look for look, _ in before] == [look for look, _ in after]
    assert np.abs(np.array([at for _, at in before]) - np.array([at for _, at in after])).max() < ROUNDED


def test_estimates_stand_in_groups_of_points():
    svg = compact_svg(figure_svg(CURVES))
    groups = re.findall(r'<g [^>]*class="points"[^>]*>(.*?)</g>', svg)
    assert [group.count("<circle") for group in groups] == [2, 1, 1]
    assert svg.startswith('<svg role="img" aria-labelledby="fig-bandwidth-title fig-bandwidth-desc" width=')
    assert "<script" not in svg


class Cells(HTMLParser):
    """Texts of cells with their tag and what they span."""

    def __init__(self, text):
        super().__init__()
        self.cells = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag in ("th", "td"):
            kept = {k: v for k, v in attrs if k in ("colspan", "rowspan", "scope") and v != "1"}
            self.cells.append([tag, kept, ""])

    def handle_endtag(self, tag):
        if tag == "th" and self.cells[-1][2] == "":  # a head without words is no head
            self.cells[-1][0] = "td"
            self.cells[-1][1].pop("scope", None)

    def handle_data(self, data):
        if self.cells:
            self.cells[-1][2] += data.strip()


def test_a_compact_table_says_the_same():
    table = DataTable(
        name="t",
        title=HOSTILE,
        columns=(
            Column(name="g", label="G"),
            Column(name="a", label="A"),
            Column(name="b", label='B <b> id="x"', kind="number"),
        ),
        rows=tuple((f"group {i // 20}", f'{i} class="gt_x" {HOSTILE}', i / 7) for i in range(40)),
        label="a",
        group="g",
        fold=30,
    )
    whole = table_html(table)
    small = compact_table(whole)
    assert len(small) < 0.75 * len(whole)
    assert Cells(small).cells == Cells(whole).cells
    assert not re.search(r"<[^>]*\sid=", small)
    assert small.count('<details class="rest">') == 1


def test_a_regression_table_keeps_its_spanners():
    panel, about = two_sides(), study()
    table = EXHIBITS["gravity"].show(about, panel, estimated("gravity", panel, about)).tables[0]
    whole = table_html(table)
    small = compact_table(whole)
    assert Cells(small).cells == Cells(whole).cells
    spanner = 'class="gt_column_spanner"'
    assert small.count(spanner) == whole.count(spanner) > 0


def test_captions_and_panels_hold_what_stays_in_sight():
    columns = (Column(name="g", label=""), Column(name="a", label="A"), Column(name="n", label="N", kind="count"))
    html = table_html(
        DataTable(name="t", title=HOSTILE, columns=columns, rows=(("p & q", "x", 1),), label="a", group="g")
    )
    small = compact_table(html)
    assert small.count("<caption><span>") == small.count("</span></caption>") == 1
    assert "<span>p &amp; q</span></th>" in small
    assert read_cells(small) == read_cells(html)


def read_cells(html):
    """Texts of a table, in order."""
    texts = []

    class Reader(HTMLParser):
        def handle_data(self, data):
            texts.append(data.strip())

    Reader().feed(html)
    return [text for text in texts if text]
