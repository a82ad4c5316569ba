"""Results as text, and as HTML for notebooks: words, a table, words."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def as_text(before: Sequence[str], table: "pd.DataFrame", after: Sequence[str]) -> str:
    """Write lines, a table and lines for a terminal."""
    shown = [] if table.empty else [table.to_string(index=False, float_format=_number)]
    return "\n".join([*before, *shown, *after])


def as_html(before: Sequence[str], table: "pd.DataFrame", after: Sequence[str]) -> str:
    """Write the same for a notebook, escaped, and readable without a style sheet."""
    shown = "" if table.empty else table.to_html(index=False, border=0, float_format=_number)
    return f"<div>{_paragraph(before)}{shown}{_paragraph(after)}</div>"


class Displayed:
    """What prints, and shows in a notebook, as the words, the table and the words of its `_shown`."""

    __slots__ = ()

    def _shown(self) -> tuple[Sequence[str], "pd.DataFrame", Sequence[str]]:
        """Lines above a table, the table, and lines below."""
        raise NotImplementedError

    def __str__(self) -> str:
        return as_text(*self._shown())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(*self._shown())


def _paragraph(lines: Sequence[str]) -> str:
    return f"<p>{'<br>'.join(map(escape, lines))}</p>" if lines else ""


def _number(value: float) -> str:
    return f"{value:.4f}"
