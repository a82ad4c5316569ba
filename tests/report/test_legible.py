import logging
from dataclasses import replace

import pytest

from tests.exhibits.small import CHINESE, study, two_sides
from tradelift.exhibits import EXHIBITS
from tradelift.report.figures import figure_svg
from tradelift.report.legible import NOBODYS, has_letters, legible


def latin_only(text):
    return text.isascii() or all(c < "\u2e80" for c in text)


@pytest.fixture(scope="module")
def figure():
    """A map whose places have Chinese names first, some with a Latin one beside it."""
    (made,) = EXHIBITS["map"].show(study(), two_sides(), {}).figures
    places = [
        replace(place, name=CHINESE, other_names=(NOBODYS, f"Latin {i}") if i % 2 else (CHINESE,), weight=1.0)
        for i, place in enumerate(made.places)
    ]
    return replace(made, places=tuple(places))


def test_letters_that_no_font_has_are_found_out():
    assert has_letters("Ürümqi 1,234.5 & <b>")
    assert not has_letters(f"a{NOBODYS}")


def test_a_map_falls_back_to_names_that_can_be_drawn(figure, caplog):
    svg = figure_svg(figure)
    assert CHINESE in svg
    with caplog.at_level(logging.WARNING, logger="tradelift"):
        shown = legible(figure, svg, latin_only)
    assert [place.name for place in shown.places] == [f"Latin {i}" if i % 2 else "" for i in range(len(figure.places))]
    drawn = figure_svg(shown)
    assert CHINESE not in drawn
    assert ">Latin 1<" in drawn
    assert "></text>" not in drawn
    assert figure.name in caplog.text
    assert "fonts-noto-cjk" in caplog.text


def test_what_can_be_drawn_stays(figure, caplog):
    svg = figure_svg(figure)
    assert legible(figure, svg, lambda _: True) is figure
    assert legible(figure, svg.replace(CHINESE, "x") + f"<desc>{CHINESE}</desc>", latin_only) is figure
    assert not caplog.text
