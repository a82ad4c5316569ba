"""Text as LaTeX sets it."""

from unicodedata import category

from tradelift.report.numbers import INFINITY, MINUS

FIRST_BEYOND = 0x7F  # code of the first character that is not printed ASCII
LETTERS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$", '"': "''",
    "[": "{[}", "]": "{]}",  # after the end of a row, LaTeX takes a bracket for a distance
    "*": "{*}",  # as well as a star
    MINUS: "$-$", INFINITY: r"$\infty$", "\N{RIGHTWARDS ARROW}": r"$\to$", "\N{LEFTWARDS ARROW}": r"$\leftarrow$",
    "\N{LEFT RIGHT ARROW}": r"$\leftrightarrow$", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{DEGREE SIGN}": r"$^\circ$", "\N{SUPERSCRIPT TWO}": "$^2$",
    "\N{SUPERSCRIPT THREE}": "$^3$", "\N{ALMOST EQUAL TO}": r"$\approx$", "\N{NOT EQUAL TO}": r"$\neq$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$", "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''", "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}", "\N{NO-BREAK SPACE}": "~",
    "\N{ZERO WIDTH SPACE}": "{}", "\N{EURO SIGN}": r"\texteuro{}",
}  # fmt: skip
LATIN = frozenset(map(chr, range(0xA1, 0x180))) - frozenset("ĦħĸĿŀŉŦŧſ") | frozenset("ȘșȚț")
"""Letters beside ASCII that pdfLaTeX sets under T1, as a document of all of them showed."""


def escape(text: str) -> str:
    """
    Write a text so that LaTeX sets it as it is.

    Parameters
    ----------
    text
        In one line. Letters beside ASCII stay as they are.
    """
    return "".join(LETTERS.get(c, " " if category(c) == "Cc" else c) for c in text)


def is_ascii(text: str) -> bool:
    """Tell whether a text needs no letters beside those that every LaTeX document has."""
    return all(c in LETTERS or ord(c) < FIRST_BEYOND for c in text)


def is_latin(text: str) -> bool:
    r"""Tell whether pdfLaTeX can set a text under `\usepackage[T1]{fontenc}`."""
    return all(c in LETTERS or c in LATIN or ord(c) < FIRST_BEYOND for c in text)
