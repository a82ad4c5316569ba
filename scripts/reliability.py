"""
Parts of docs/reliability.md: each script fills its own, between two marks, and leaves the rest.

    <!-- part: memory -->
    <!-- end: memory -->
"""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"


def write_part(name: str, text: str, page: Path = PAGE) -> None:
    """
    Put text in place of what stands between the marks of a part, and print it.

    Parameters
    ----------
    name
        Of the part.
    text
        Markdown.
    page
        The page that holds the marks.

    Raises
    ------
    ValueError
        If the page does not hold the marks exactly once.
    """
    print(text)
    old = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- part: {re.escape(name)} -->\n).*?(<!-- end: {re.escape(name)} -->)", re.DOTALL)
    new, count = pattern.subn(lambda match: f"{match[1]}{text.strip()}\n{match[2]}", old)
    if count != 1:
        msg = f"{page} has {count} parts named '{name}'; one is wanted."
        raise ValueError(msg)
    page.write_text(new, encoding="utf-8")
