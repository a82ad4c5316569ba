"""The only place that fills templates."""

from functools import cache
from typing import Any


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
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("tradelift.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
