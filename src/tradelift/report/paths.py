"""Lines and outlines as the short commands of an SVG path."""

import itertools
from collections.abc import Iterable, Sequence

Point = Sequence[float]
TENTHS = 10  # positions are tenths of a pixel


def outline(rings: Iterable[Sequence[Point]]) -> str:
    """
    Write closed rings as one path, each point from the one before it.

    Parameters
    ----------
    rings
        Pixels; the last point of a ring is its first.
    """
    return "".join(_ring(ring[:-1]) for ring in rings if len(ring) > 1)


def arc(start: Point, end: Point, bend: float) -> str:
    """
    Write a slightly bent line: a quadratic curve.

    Parameters
    ----------
    start, end
        Pixels.
    bend
        How far the middle of its control polygon lies beside the straight line, as a share of its length.
    """
    across, down = end[0] - start[0], end[1] - start[1]
    side = 1 if across >= 0 else -1
    middle = ((start[0] + end[0]) / 2 + bend * down * side, (start[1] + end[1]) / 2 - bend * across * side)
    return f"M{_pair(start)}Q{_pair(middle)} {_pair(end)}"


def _ring(points: Sequence[Point]) -> str:
    tenths = [(round(x * TENTHS), round(y * TENTHS)) for x, y in points]
    steps = [(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in itertools.pairwise(tenths)]
    moves = "".join(_joined(number(dx), number(dy)) for dx, dy in steps)
    x, y = tenths[0]
    return f"M{_joined(number(x), number(y)).lstrip()}l{moves.lstrip()}z"


def _joined(x: str, y: str) -> str:
    """Two numbers with the blanks that part them from what stands before and from each other; a sign parts, too."""
    return f"{x if x.startswith('-') else f' {x}'}{y if y.startswith('-') else f' {y}'}"


def _pair(point: Point) -> str:
    return _joined(*(number(round(v * TENTHS)) for v in point)).lstrip()


def number(tenths: int) -> str:
    """Write a number of tenths: 12 as "1.2", 30 as "3", -4 as "-.4"."""
    whole, rest = divmod(abs(tenths), TENTHS)
    sign = "-" if tenths < 0 else ""
    if rest == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole or ''}.{rest}"
