"""
Parts of docs/reliability.md: each script fills its own, between two marks, and leaves the rest.

    <!-- part: memory -->
    <!-- end: memory -->

The table at the top of the page is made of the parts, and of docs/scale.md, whenever one of them is written:

    python scripts/reliability.py
"""

import re
from pathlib import Path

from reliability_summary import summary

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
SUMMARY = "summary"


def write_part(name: str, text: str, page: Path = PAGE) -> None:
    """
    Put text in place of what stands between the marks of a part, print it, and bring the table at the top up to date.

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
    new = _with_part(page.read_text(encoding="utf-8"), name, text, page)
    parts = {part: _part(new, part) for part in re.findall(r"<!-- part: (\w+) -->", new)}
    if SUMMARY in parts:
        scale = page.with_name("scale.md").read_text(encoding="utf-8")
        new = _with_part(new, SUMMARY, summary(parts | {"scale": scale}), page)
    page.write_text(new, encoding="utf-8")


def _with_part(old: str, name: str, text: str, page: Path) -> str:
    pattern = re.compile(rf"(<!-- part: {re.escape(name)} -->\n).*?(<!-- end: {re.escape(name)} -->)", re.DOTALL)
    new, count = pattern.subn(lambda match: f"{match[1]}{text.strip()}\n{match[2]}", old)
    if count != 1:
        msg = f"{page} has {count} parts named '{name}'; one is wanted."
        raise ValueError(msg)
    return new


def _part(page: str, name: str) -> str:
    found = re.search(rf"<!-- part: {name} -->\n(.*?)<!-- end: {name} -->", page, re.DOTALL)
    return "" if found is None else found[1]


if __name__ == "__main__":
    write_part("ids", _part(PAGE.read_text(encoding="utf-8"), "ids"))
