"""From an SVG to a PDF and a PNG."""

import re

SCALE = 2.0  # pixels of a PNG for one of the figure
ENTRIES = re.compile(rb"(?:^ *\/\w+ \d+ 0 R\n){2,}", re.MULTILINE)
FONT = re.compile(rb"^  /BaseFont /[A-Z]{6}\+(\S+)\n  /Encoding", re.MULTILINE)
MOST_TRIES = 40


def pdf(svg: str) -> bytes:
    """
    Draw an SVG on one page, with its letters as text.

    Parameters
    ----------
    svg
        Of a figure.

    Returns
    -------
    The same bytes for the same figure: the library writes fonts, and the names of what a page uses, in the order of a
    hash table that differs each time. Drawing again until fonts stand in the order of their names takes a fiftieth of a
    second a time, and sorting the names moves nothing else.
    """
    import vl_convert

    content = b""
    for _ in range(MOST_TRIES):
        content = vl_convert.svg_to_pdf(svg)
        fonts = FONT.findall(content)
        if fonts == sorted(fonts):
            break
    return ENTRIES.sub(lambda match: b"".join(sorted(match[0].splitlines(keepends=True))), content)


def png(svg: str) -> bytes:
    """Draw an SVG in pixels; the same bytes for the same figure."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, scale=SCALE))
