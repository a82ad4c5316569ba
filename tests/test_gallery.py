"""The gallery shows every picture that is there, small enough to be read over a slow line."""

import re
from pathlib import Path

import pytest
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
SHOWN = dict(
    reversed(found)
    for found in re.findall(r"!\[([^\]]*)\]\((images/gallery/[^)]*)\)", (DOCS / "gallery.md").read_text())
)
MOST_BYTES = 1_500_000
MOST_PIXELS = 1_300  # across


def test_every_picture_is_shown_and_there():
    assert set(SHOWN) == {str(path.relative_to(DOCS)) for path in (DOCS / "images" / "gallery").iterdir()}
    assert sum((DOCS / name).stat().st_size for name in SHOWN) < MOST_BYTES


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_said_in_words_and_fits(name):
    assert len(SHOWN[name]) > 10
    with Image.open(DOCS / name) as picture:
        assert picture.width <= MOST_PIXELS
        assert len(set(picture.convert("L").getdata())) > 5, "nothing is on it"
