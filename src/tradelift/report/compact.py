"""The same tables and figures in fewer bytes, for a page that holds all of them."""

import re
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from tradelift.report.paths import TENTHS, number
from tradelift.report.svg import FONT

SPACE = "{http://www.w3.org/2000/svg}"
# what a parent may say for its children
INHERITED = (
    "fill", "fill-opacity", "font-family", "font-size", "font-weight", "stroke", "stroke-dasharray", "stroke-width",
    "text-anchor",
)  # fmt: skip
# what changes nothing on a leaf whose parents do not say otherwise, and none of them does
DEFAULTS = {"opacity": "1", "x2": "0", "y2": "0", "stroke-width": "1", "font-weight": "normal", "text-anchor": "start"}
UNSEEN = frozenset({"class", "role", "aria-hidden", "aria-label", "aria-roledescription", "pointer-events"})
SIZED = frozenset({"transform", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height"})
POINTS = "mark-symbol role-mark"
NUMBER = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
SHIFT = re.compile(r"translate\((-?[\d.]+),(-?[\d.]+)\)")
CIRCLE = re.compile(r"M([\d.]+),0A\1,\1,0,1,1,-\1,0A\1,\1,0,1,1,\1,0Z?")
START = re.compile(r"M(-?[\d.]+),(-?[\d.]+)(?=[hv])")

GAPS = re.compile(r">\s+<")
NAMED = re.compile(r'\s+(?:id="[^"]*"|class="gt_(?!column_spanner")[^"]*"|(?:row|col)span="1")')
EMPTY = re.compile(r'<th((?: rowspan="\d+")?) scope="col"></th>')
PANEL = re.compile(r'(<th[^>]*\bcolspan="\d+"[^>]*scope="(?:col|row)group"[^>]*>)([^<]*)</th>')
BLANKS = re.compile(r"<(\w+)\s+(?=>|\w)")


def compact_table(html: str) -> str:
    """
    Take from a table what nothing on the page refers to: ids, classes of its cells, blanks between tags.

    A page of many tables has no use for each as a landmark, either: their boxes become plain groups. A head without
    words is no head.

    Parameters
    ----------
    html
        With one table or more, as `table_html` gives it.
    """
    html = html.replace("<details>", '<details class="rest">').replace('role="region"', 'role="group"')
    html = PANEL.sub(r"\1<span>\2</span></th>", html)  # what stays in sight where a table scrolls
    html = html.replace("<caption>", "<caption><span>").replace("</caption>", "</span></caption>")
    html = BLANKS.sub(_tight, NAMED.sub("", GAPS.sub("><", html)))
    return EMPTY.sub(r"<td\1></td>", html)


def _tight(match: re.Match[str]) -> str:
    return f"<{match[1]}" if match.string[match.end()] == ">" else f"<{match[1]} "


def compact_svg(svg: str) -> str:
    """
    Draw the same with what is equal said once, positions to a tenth of a pixel, and nothing that is not seen.

    Parameters
    ----------
    svg
        An `svg` element, as `figure_svg` gives it.

    Returns
    -------
    An `svg` element for an HTML page whose style gives figures their font. Marks of estimates stand in groups of the
    class "points", one mark an estimate, in their order.
    """
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing
    for child in list(root):
        if child.tag == f"{SPACE}rect":  # the background; the page has its own
            root.remove(child)
        elif child.tag in (f"{SPACE}g", f"{SPACE}defs"):
            _clean(child, "none")
    inside = "".join(_written(child) for child in root)
    kept = ("role", "aria-labelledby", "width", "height", "viewBox")
    return f"<svg{''.join(f' {name}={quoteattr(root.attrib[name])}' for name in kept)}>{inside}</svg>"


def _clean(element: ET.Element, stroke: str) -> None:
    """Clean an element and all below, so that a parent says what its children share."""
    is_points = POINTS in element.get("class", "")
    stroke = element.get("stroke", stroke)
    for name in [n for n in element.attrib if n in UNSEEN or DEFAULTS.get(n) == element.attrib[n]]:
        del element.attrib[name]
    if stroke == "none" and "stroke" not in element.attrib:
        element.attrib.pop("stroke-width", None)
    if element.get("font-family") == FONT:
        del element.attrib["font-family"]
    for name in SIZED & element.attrib.keys():
        element.set(name, NUMBER.sub(_rounded, element.attrib[name]))
    if element.get("transform") == "translate(0,0)":
        del element.attrib["transform"]
    _shape(element)
    for child in list(element):
        if _is_unseen(child):
            element.remove(child)
            continue
        _clean(child, stroke)
        if child.tag in (f"{SPACE}g", f"{SPACE}defs") and len(child) == 0:
            element.remove(child)
    _lift(element)
    _unwrap(element)
    if is_points:
        element.set("class", "points")


def _is_unseen(element: ET.Element) -> bool:
    """Whether a path is the empty ground of a group."""
    grounds = element.get("class") in ("background", "foreground")
    return grounds and not ({"fill", "stroke"} & element.attrib.keys())


def _rounded(match: re.Match[str]) -> str:
    return _tenths(float(match[0]))


def _tenths(value: float) -> str:
    return number(round(TENTHS * value))


def _shape(element: ET.Element) -> None:
    """Say a line, a circle or a rectangle in the shortest way."""
    moved = SHIFT.fullmatch(element.get("transform", ""))
    if moved is None:
        return
    x, y = moved.groups()
    if element.tag == f"{SPACE}line":
        dx, dy = element.attrib.pop("x2", "0"), element.attrib.pop("y2", "0")
        element.tag = f"{SPACE}path"
        del element.attrib["transform"]
        way = f"h{dx}" if dy == "0" else f"v{dy}" if dx == "0" else f"l{dx},{dy}"
        element.attrib = {"d": f"M{x},{y}{way}", **element.attrib}
    elif element.tag == f"{SPACE}path" and (circle := CIRCLE.fullmatch(element.get("d", ""))):
        element.tag = f"{SPACE}circle"
        del element.attrib["d"], element.attrib["transform"]
        element.attrib = {"cx": x, "cy": y, "r": circle[1], **element.attrib}
    elif element.tag == f"{SPACE}path" and (start := START.match(element.get("d", ""))):
        del element.attrib["transform"]
        to = [_tenths(float(a) + float(b)) for a, b in zip((x, y), start.groups(), strict=True)]
        element.set("d", f"M{to[0]},{to[1]}{element.attrib['d'][start.end() :]}")


def _lift(element: ET.Element) -> None:
    """Say once what all children say; and draw opaque lines of one kind as one."""
    if element.tag != f"{SPACE}g" or len(element) == 0:
        return
    for name in INHERITED:
        values = {child.get(name) for child in element}
        if len(values) == 1 and None not in values and (len(element) > 1 or name not in element.attrib):
            element.set(name, values.pop() or "")
            for child in element:
                del child.attrib[name]
    paths = [child for child in element if set(child.attrib) == {"d"} and child.tag == f"{SPACE}path"]
    if len(paths) == len(element) > 1:
        paths[0].set("d", "".join(path.attrib["d"] for path in paths))
        for path in paths[1:]:
            element.remove(path)


def _unwrap(element: ET.Element) -> None:
    """Put what a group without attributes holds in its place; and let an only child that is a group be it."""
    for place in reversed(range(len(element))):
        child = element[place]
        if child.tag == f"{SPACE}g" and not child.attrib:
            element[place : place + 1] = list(child)
    if element.tag == f"{SPACE}g" and len(element) == 1 and element[0].tag == f"{SPACE}g":
        only = element[0]
        if not (element.attrib.keys() & only.attrib.keys()) and "clip-path" not in {**element.attrib, **only.attrib}:
            element.attrib |= only.attrib
            element[:] = list(only)


def _written(element: ET.Element) -> str:
    """Write an element as HTML takes it."""
    name = element.tag.removeprefix(SPACE)
    about = "".join(f" {key}={quoteattr(value)}" for key, value in element.attrib.items())
    inside = escape(element.text or "") + "".join(_written(child) for child in element)
    return f"<{name}{about}>{inside}</{name}>" if inside or name in ("title", "desc") else f"<{name}{about}/>"
