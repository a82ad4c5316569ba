"""Tables as LaTeX with the rules of booktabs, numbers under their decimal points, and all that a page cannot hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING

from tradelift.exhibits import Table
from tradelift.report.columns import Column, Row, columns, height, narrowed, rows, table_width
from tradelift.report.frames import frame
from tradelift.report.latex_text import escape, is_ascii, is_latin
from tradelift.report.numbers import MINUS

if TYPE_CHECKING:
    import pandas as pd

DIGIT = 0.5  # em
SAVED = 0.2  # em a column where columns stand nearer to each other, so that a table stands upright
SIZES = (("", 38.0, 36), (r"\small", 41.0, 38), (r"\footnotesize", 45.0, 44), (r"\scriptsize", 56.0, 56))
"""Letters, and the em and rows that a page of the article class holds with letters of 12 pt and margins of an inch."""
LANDSCAPE = ((r"\footnotesize", 65.0, 26), (r"\scriptsize", 81.0, 32), (r"\tiny", 108.0, 40))
SMALLEST = (r"\scriptsize", r"\tiny")
A_LINE_OF_NOTES = 110  # letters
NARROWEST = 4.5  # em of a line of a head, at least
ENGINE = "pdflatex, xelatex or lualatex"
OWN_FONT = "xelatex or lualatex, with a font that has the letters of this table (for Chinese: the package ctex)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How a table stands: the size of its letters, on its side or upright, on one page or several, how near columns."""

    size: str
    turned: bool
    long: bool
    tight: bool


def table_latex(table: Table) -> str:
    r"""
    Write a table that `\input` puts into a paper.

    Parameters
    ----------
    table
        Of an exhibit.

    Returns
    -------
    LaTeX: a comment that names the packages and the engine, and a float with caption, label (`tab:` and the name of
    the table) and notes, or a longtable where one page does not hold it.
    """
    cells = frame(table)
    lines = list(rows(cells))
    natural = columns(table, cells, lines)
    for tight in (False, True):
        room = SIZES[-1][1] + tight * SAVED * (len(natural) - 1)
        every, own = narrowed(natural, lines, room)
        if table_width(every) <= room:
            lines = own
            break
    page = _page(table, lines, every, tight=tight)
    heads = _heads(cells, every)
    body = list(_body(lines, every))
    build = _long if page.long else _float
    text = "\n".join(build(table, page, every, heads, body))
    return f"{_comment(text, page)}\n{text}\n"


def _page(table: Table, lines: Sequence[Row], every: Sequence[Column], *, tight: bool) -> Page:
    """The largest letters that fit the width, upright where possible; smaller ones where one page then holds all."""
    width = table_width(every) - tight * SAVED * (len(every) - 1)
    tall = sum(height(every, line) for line in lines) + len({line.panel for line in lines})
    tall += sum(len(note) // A_LINE_OF_NOTES + 1 for note in table.notes)
    turned = width > SIZES[-1][1]
    tight = tight and not turned
    sizes = [(size, held) for size, ems, held in (LANDSCAPE if turned else SIZES) if width <= ems]
    sizes = sizes or [LANDSCAPE[-1][::2]]
    whole = [size for size, held in sizes if tall <= held]
    return Page(size=whole[0] if whole else sizes[0][0], turned=turned, long=not whole, tight=tight)


def _heads(cells: "pd.DataFrame", every: Sequence[Column]) -> list[str]:
    """Heads of columns over as many lines as they need; equal heads of neighbours stand once above both."""
    upper = [key[0] for key in cells.columns] if cells.columns.nlevels > 1 else []
    lines: list[str] = []
    starts = [i for i, head in enumerate(upper) if i == 0 or upper[i - 1] != head]
    if starts:
        spans = [(a, b) for a, b in zip(starts, [*starts[1:], len(upper)], strict=True)]
        room = [sum(c.width for c in every[a + 1 : b + 1]) for a, b in spans]
        parts = _stacked([_wrapped(upper[a], n) for (a, _), n in zip(spans, room, strict=True)])
        lines += [
            _joined(["", *(f"\\multicolumn{{{b - a}}}{{c}}{{{t}}}" for (a, b), t in zip(spans, part, strict=True))])
            for part in parts
        ]
        lines.append(" ".join(f"\\cmidrule(lr){{{a + 2}-{b + 1}}}" for a, b in spans))
    parts = _stacked([_wrapped(c.head, c.width) for c in every])
    return lines + [_joined([_head(c, t) for c, t in zip(every, part, strict=True)]) for part in parts]


def _wrapped(head: str, width: float) -> list[str]:
    """A head in lines that are hardly wider than what stands below, escaped."""
    letters = round(max(width, NARROWEST) / DIGIT)
    return [escape(x) for part in head.split("\n") for x in wrap(part, letters, break_long_words=False) or [""]]


def _stacked(heads: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Lines of heads that stand on the same ground."""
    n = max(map(len, heads))
    return list(zip(*([""] * (n - len(head)) + list(head) for head in heads), strict=True))


def _body(lines: Sequence[Row], every: Sequence[Column]) -> Iterator[str]:
    """Lines of the table, with a line above each panel; a page ends neither below that nor inside a row."""
    panel = ""
    for i, row in enumerate(lines):
        if row.panel != panel:
            panel = row.panel
            space = r"\addlinespace" if i else ""
            yield f"{space}\\multicolumn{{{len(every)}}}{{@{{}}l}}{{\\textit{{{escape(panel)}}}}} \\\\*"
        elif row.apart and i:
            yield r"\addlinespace[2pt]"
        texts = zip(every, (row.label, *row.cells), strict=True)
        yield _joined([_cell(c, text) for c, text in texts]) + "*" * row.goes_on


def _joined(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(column: Column, text: str) -> str:
    if column.kind != "decimal" or not text:
        return escape(text)
    if column.aligns(text):
        return text.replace(MINUS, "-").replace(",", "{,}").replace("%", r"\%")
    return f"\\multicolumn{{1}}{{c}}{{{escape(text)}}}"


def _head(column: Column, escaped: str) -> str:
    if not escaped or column.kind == "words":
        return escaped
    return f"\\multicolumn{{1}}{{{'r' if column.kind == 'whole' else 'c'}}}{{{escaped}}}"


def _spec(every: Sequence[Column]) -> str:
    """The preamble of the table."""
    return f"@{{}}{''.join(map(_letter, every))}@{{}}"


def _letter(column: Column) -> str:
    if column.kind == "decimal":
        return f"D{{.}}{{.}}{{{ceil(column.left / DIGIT)}.{ceil(column.right / DIGIT)}}}"
    if column.wraps:
        return rf">{{\raggedright\arraybackslash}}p{{{column.width:.4g}em}}"
    return {"words": "l", "whole": "r", "mark": "c"}[column.kind]


def _notes(table: Table, page: Page) -> list[str]:
    if not table.notes:
        return []
    begin = rf"\noindent\begin{{minipage}}{{\linewidth}}{_size(page)}\raggedright"
    return [r"\par\nopagebreak\smallskip", begin, " ".join(map(escape, table.notes)), r"\end{minipage}"]


def _foot(table: Table, page: Page, every: Sequence[Column]) -> list[str]:
    """Notes on the last page of a longtable, no wider than the table."""
    if not table.notes:
        return []
    box = rf"\parbox[t]{{{table_width(every):.1f}em}}{{{_size(page)}\raggedright {' '.join(map(escape, table.notes))}}}"
    return [  # in a box without width, so that no column is widened
        rf"\multicolumn{{{len(every)}}}{{@{{}}l@{{}}}}{{\rule{{0pt}}{{3ex}}\makebox[0pt][l]{{%",
        rf"{box}}}}} \\",
    ]


def _size(page: Page) -> str:
    """Letters of notes."""
    return r"\scriptsize" if page.size in SMALLEST else r"\footnotesize"


def _gap(page: Page) -> str:
    """Half of the room between columns."""
    return "2pt" if page.tight else "3pt"


def _float(table: Table, page: Page, every: Sequence[Column], heads: list[str], body: list[str]) -> list[str]:
    """A table on one page."""
    kind = "sidewaystable" if page.turned else "table"
    return [
        rf"\begin{{{kind}}}" + ("" if page.turned else "[htbp]"),
        r"\centering",
        rf"\caption{{{escape(table.title)}}}\label{{tab:{table.name}}}\smallskip",
        *([page.size] if page.size else []),
        rf"\setlength{{\tabcolsep}}{{{_gap(page)}}}",
        rf"\makebox[\linewidth][c]{{\begin{{tabular}}{{{_spec(every)}}}",
        r"\toprule", *heads, r"\midrule", *body, r"\bottomrule",
        r"\end{tabular}}",
        *_notes(table, page),
        rf"\end{{{kind}}}",
    ]  # fmt: skip


def _long(table: Table, page: Page, every: Sequence[Column], heads: list[str], body: list[str]) -> list[str]:
    """A table on several pages, with its heads on each."""
    n = len(every)
    return [
        *([r"\begin{landscape}"] if page.turned else []),
        r"\begingroup",
        *([page.size] if page.size else []),
        rf"\setlength{{\tabcolsep}}{{{_gap(page)}}}\setlength{{\LTcapwidth}}{{\linewidth}}",
        r"\setlength{\LTleft}{0pt plus 1fill minus 1fill}\setlength{\LTright}{\LTleft}",
        rf"\begin{{longtable}}{{{_spec(every)}}}",
        rf"\caption{{{escape(table.title)}}}\label{{tab:{table.name}}}\\",
        r"\toprule", *heads, r"\midrule", r"\endfirsthead",
        rf"\multicolumn{{{n}}}{{@{{}}l}}{{\textit{{continued}}}} \\",
        r"\toprule", *heads, r"\midrule", r"\endhead",
        r"\midrule", r"\endfoot", r"\bottomrule", *_foot(table, page, every), r"\endlastfoot",
        *body,
        r"\end{longtable}",
        r"\endgroup",
        *([r"\end{landscape}"] if page.turned else []),
    ]  # fmt: skip


def _comment(text: str, page: Page) -> str:
    """What the document must load, and what compiles it."""
    packages = ["booktabs", *(["dcolumn"] if "D{.}{.}" in text else ["array"])]
    if page.long:
        packages.append("longtable")
    if page.turned:
        packages.append("pdflscape" if page.long else "rotating")
    loads = f"\\usepackage{{{','.join(packages)}}}"
    if not is_ascii(text) and is_latin(text):
        loads += r" \usepackage[T1]{fontenc}"
    return f"% Needs {loads}; compile with {ENGINE if is_latin(text) else OWN_FONT}."
