"""The only place that fills templates."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from tradelift.report.explore import as_json
from tradelift.report.svg import BLUE, VERMILION

COLOURS = {"square": BLUE, "circle": VERMILION}
"""Of places on the map, by shape."""
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$| // .*?$", re.DOTALL | re.MULTILINE)
INDENT = re.compile(r"\n\s*")


def page(template: str, **content: Any) -> str:
    """
    Fill a template; all text is escaped but what tables and figures have made.

    Parameters
    ----------
    template
        A file of the folder `templates`.
    content
        What it names.
    """
    return str(_environment().get_template(template).render(**content))


@cache
def style() -> str:
    """Give the style of the page."""
    return page("style.css.j2")


@cache
def script() -> str:
    """Give the script of the page, without its comments and its indents."""
    text = (files("tradelift.report") / "templates" / "report.js").read_text(encoding="utf-8")
    return INDENT.sub("\n", COMMENT.sub("", text)).strip()


def integrity(text: str) -> str:
    """Name a script or style by its hash, as a content security policy does."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("tradelift.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["COLOURS"] = COLOURS
    environment.filters["integrity"] = integrity
    environment.filters["json"] = lambda data: Markup(as_json(data))  # noqa: S704 - it escapes what ends a script
    return environment
