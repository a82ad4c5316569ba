"""Names that the fonts of this machine can draw: pictures hold letters, pages leave them to their reader's fonts."""

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from tradelift.exhibits import Figure, MapFigure, Place
from tradelift.report.images import png

FIRST_RARE = "\N{LATIN SMALL LETTER TURNED A}"  # every font that draws figures has the letters before it
NOBODYS = "\U0010fffd"  # for private use: no font that is installed for all has it, so that it is drawn as a box
UNDRAWN = re.compile(r"<(title|desc)\b.*?</\1>", re.DOTALL)
LOG = logging.getLogger(__name__)


def has_letters(text: str) -> bool:
    """
    Tell whether a font of this machine has every letter of a text.

    Parameters
    ----------
    text
        Letters that no font has are drawn as boxes.
    """
    return all(c < FIRST_RARE or c.isspace() or _is_drawn(c) for c in sorted(set(text)))


def legible(figure: Figure, svg: str, can_draw: Callable[[str], bool] = has_letters) -> Figure:
    """
    Give places on a map names that can be drawn, where they have one.

    Parameters
    ----------
    figure
        Of any kind; only a map knows other names.
    svg
        The drawing.
    can_draw
        Whether a text can be drawn.

    Returns
    -------
    The same figure where all of it can be drawn. Else a map whose places have the first of their names that can, and
    none where there is no such name; what else cannot be drawn is logged, with what to do.
    """
    if can_draw(UNDRAWN.sub("", svg)):
        return figure
    if isinstance(figure, MapFigure):
        figure = replace(figure, places=tuple(_renamed(place, can_draw) for place in figure.places))
    LOG.warning(
        "%s: no font of this machine has some letters, so that its PNG and PDF have other names or boxes in their "
        "place. Install a font that has them (Debian: fonts-noto-cjk) and run again.",
        figure.name,
    )
    return figure


def _renamed(place: Place, can_draw: Callable[[str], bool]) -> Place:
    return replace(place, name=next(filter(can_draw, (place.name, *place.other_names)), ""))


@cache
def _is_drawn(letter: str) -> bool:
    return _picture(letter) != _picture(NOBODYS)


@cache
def _picture(letter: str) -> bytes:
    return png(
        '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" font-family="Helvetica, Arial, sans-serif">'
        f'<text x="2" y="18" font-size="16">{letter}</text></svg>'
    )
