"""Sections of the page: exhibits as markup, by chapter."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from tradelift.exhibits import (
    EXHIBITS,
    CurveFigure,
    Figure,
    Headline,
    IntervalFigure,
    MapFigure,
    Shown,
    SpecificationFigure,
    Table,
)
from tradelift.report.chapters import DOUBTS, chapter_of
from tradelift.report.compact import compact_table
from tradelift.report.explore import Data, curve_data, map_data
from tradelift.report.figures import figure_notes
from tradelift.report.map import Entry, legend

OPEN_ROWS = 16  # a table with more rows is folded where a figure stands before it
PRINTED_ROWS = 90
FIRST_SENTENCES = 4  # of a section stand open; more are folded
ROW = re.compile(r"<tr\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """
    A table or figure as markup, with what stands below it.

    Parameters
    ----------
    name, title, html, notes
        Of the table or figure.
    is_wide, scrolls
        Whether a figure needs the width of the page, and whether a small screen shows a part of it at a time.
    rows
        Of a table.
    is_folded, is_long
        Whether a table opens at a click, and whether it has too many rows to be printed.
    data
        What the page's script needs, where a figure answers.
    legend
        Of a map, which stands above it.
    """

    name: str
    title: str
    html: str
    notes: tuple[str, ...]
    is_wide: bool = True
    scrolls: bool = False
    rows: int = 0
    is_folded: bool = False
    is_long: bool = False
    data: Data | None = None
    legend: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One exhibit in the page; what it found is its heading, and where that is empty its title."""

    name: str
    number: int
    title: str
    finding: str
    sentences: tuple[str, ...]
    more: tuple[str, ...]
    figures: tuple[Drawn, ...]
    tables: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Sections that belong together."""

    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A line of the front page on how sure the answer is, and the section that shows it."""

    label: str
    text: str
    section: str


def chapters(
    shown: Mapping[str, Shown], answer: Headline | None, *, tables: Mapping[str, str], figures: Mapping[str, str]
) -> tuple[Chapter, ...]:
    """
    Put exhibits in chapters.

    Parameters
    ----------
    shown
        What each exhibit shows, in the order of the page.
    answer
        The headline that stands at the top; another is the first sentence of its section.
    tables, figures
        Markup by name: of tables as their files have it, of figures as the page has them.
    """
    sections = [_section(n, name, x, answer, tables, figures) for n, (name, x) in enumerate(shown.items(), 1)]
    return tuple(
        Chapter(title=title, sections=tuple(own)) for title, own in groupby(sections, key=lambda s: chapter_of(s.name))
    )


def doubts(shown: Mapping[str, Shown]) -> tuple[Doubt, ...]:
    """Say how sure the answer is, from what exhibits found."""
    return tuple(
        Doubt(label=label, text=shown[name].doubt or f"{shown[name].finding}.", section=name)
        for name, label in DOUBTS.items()
        if name in shown and (shown[name].doubt or shown[name].finding)
    )


def _section(
    number: int,
    name: str,
    shown: Shown,
    answer: Headline | None,
    tables: Mapping[str, str],
    figures: Mapping[str, str],
) -> Section:
    own = (shown.headline.text,) if shown.headline is not None and shown.headline is not answer else ()
    sentences = (*own, *shown.sentences)
    first = len(sentences) if len(sentences) <= FIRST_SENTENCES + 1 else FIRST_SENTENCES
    return Section(
        name=name,
        number=number,
        title=EXHIBITS[name].title if name in EXHIBITS else name,
        finding=shown.finding,
        sentences=sentences[:first],
        more=sentences[first:],
        figures=tuple(_figure(figure, figures[figure.name]) for figure in shown.figures),
        tables=tuple(draw_table(t, tables[t.name], may_fold=bool(shown.figures)) for t in shown.tables),
    )


def _figure(figure: Figure, html: str) -> Drawn:
    return Drawn(
        name=figure.name,
        title=figure.title,
        html=html,
        notes=figure_notes(figure),
        is_wide=not isinstance(figure, IntervalFigure),
        scrolls=isinstance(figure, SpecificationFigure),
        data=_data(figure),
        legend=tuple(legend(figure)) if isinstance(figure, MapFigure) else (),
    )


def _data(figure: Figure) -> Data | None:
    if isinstance(figure, MapFigure):
        return map_data(figure)
    return curve_data(figure) if isinstance(figure, CurveFigure) and figure.choice else None


def draw_table(table: Table, html: str, *, may_fold: bool) -> Drawn:
    """
    Make a table ready for the page.

    Parameters
    ----------
    table
        Of an exhibit.
    html
        As its file has it.
    may_fold
        Whether a long table is folded.
    """
    rows = len(ROW.findall(html))
    is_open = len(ROW.findall(html.partition("<details")[0]))
    return Drawn(
        name=table.name,
        title=table.title,
        html=compact_table(html),
        notes=table.notes,
        rows=rows,
        is_folded=may_fold and is_open > OPEN_ROWS,
        is_long=rows > PRINTED_ROWS,
    )


def drawn(parts: Iterable[Chapter]) -> Iterator[Drawn]:
    """Yield the figures of all sections."""
    for chapter in parts:
        for section in chapter.sections:
            yield from section.figures
