"""Figures as PDF and PNG: whole, and the same bytes each time."""

import re
import struct

import pytest
import vl_convert

from tests.report.test_figures import CURVES, INTERVALS
from tradelift.report import figure_svg, images

# more names and fonts than any order of a hash table is likely to leave in order by chance
CROWDED = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90" font-family="sans-serif">{}</svg>'.format(
    "".join(
        f'<g opacity="0.{i}"><rect x="{i}" y="{i}" width="20" height="20"/><text y="{9 * i}" font-weight="{w}">a</text></g>'
        for i, w in zip(range(1, 10), ("bold", "normal") * 5, strict=False)
    )
)


@pytest.mark.parametrize(
    "svg", [figure_svg(INTERVALS), figure_svg(CURVES), CROWDED], ids=["intervals", "curves", "crowded"]
)
def test_the_same_figure_gives_the_same_bytes(svg):
    assert len({images.pdf(svg) for _ in range(6)}) == 1
    assert len({images.png(svg) for _ in range(2)}) == 1


@pytest.mark.parametrize("svg", [figure_svg(CURVES), CROWDED], ids=["curves", "crowded"])
def test_every_object_of_a_pdf_stands_where_its_table_says(svg):
    content = images.pdf(svg)
    assert content.startswith(b"%PDF-")
    start = int(re.search(rb"startxref\s+(\d+)\s+%%EOF", content)[1])
    lines = content[start:].split(b"\n")
    assert lines[0].strip() == b"xref"
    entries = [line.split() for line in lines[2:] if re.match(rb"\d{10} \d{5} [fn]", line)]
    assert len(entries) > 5
    for number, (offset, _, kind) in enumerate(entries):
        if kind == b"n":
            assert content[int(offset) :].startswith(f"{number} 0 obj".encode())


def test_fonts_that_never_stand_in_order_are_given_up(monkeypatch):
    tries = []
    unordered = b"".join(b"  /BaseFont /ABCDEF+%s\n  /Encoding /x\n" % name for name in (b"Z", b"A"))
    monkeypatch.setattr(vl_convert, "svg_to_pdf", lambda svg: tries.append(svg) or unordered)
    assert images.pdf("x") == unordered
    assert len(tries) == images.MOST_TRIES


def test_a_png_has_twice_the_pixels_of_the_figure():
    width, height = struct.unpack(">II", images.png(CROWDED)[16:24])
    assert (width, height) == (180, 180)
