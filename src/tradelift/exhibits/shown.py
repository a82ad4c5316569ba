"""What an exhibit shows: tables, figures and sentences as data, before any markup."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tradelift.estimate import Estimate
from tradelift.exhibits import record
from tradelift.exhibits.map_figure import MapFigure
from tradelift.exhibits.specification_figure import SpecificationFigure

Value = record.Value
Record = record.Record
Kind = Literal["text", "count", "number", "money"]
LONGEST_FINDING = 118  # letters: two lines of a heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """
    A column of a table.

    Parameters
    ----------
    name
        In the CSV file.
    label
        In the report.
    kind
        "text"; "count", an integer; "number"; "money", an exact decimal that is kept as text.
    digits
        Decimals of a number in the report; the CSV file has all. None: two, three below one, and none from 100,000 on.
    significant
        Digits that count, in place of decimals, where the sizes of a column's numbers are far apart; whole numbers
        have all of theirs.
    scale
        The report divides numbers by it, as by 1e6 where its title says million; the CSV file has them as they are.
    least
        The smallest number that the report writes; "<0.001" stands for those below it. None: all are written.
    words
        How the report calls values that the CSV file has as they are in the data: "west->east".
    """

    name: str
    label: str
    kind: Kind = "text"
    digits: int | None = None
    significant: int | None = None
    scale: float = 1.0
    least: float | None = None
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable:
    """
    A table of values.

    Parameters
    ----------
    name
        Of its files.
    title
        Its caption.
    columns
        In order.
    rows
        One value a column; None is blank.
    label
        Name of the column that labels the rows, or names of several whose words stand side by side.
    group
        Name of the column whose runs of equal values are panels of the table, or names of several; None for no panels.
    notes
        Sentences below the table.
    fold
        How many rows stand open in the report; the rest is folded. None: all.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    label: str | tuple[str, ...]
    group: str | tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    fold: int | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns that label the rows."""
        return (self.label,) if isinstance(self.label, str) else self.label

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the columns whose runs of equal values are panels."""
        return (self.group,) if isinstance(self.group, str) else self.group or ()

    def records(self) -> Iterator[Record]:
        """Yield one record a row, as in the CSV file."""
        names = [column.name for column in self.columns]
        for row in self.rows:
            yield dict(zip(names, row, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a column of estimates: what is explained, and how."""

    outcome: str
    family: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegressionTable:
    """
    Estimates side by side.

    Parameters
    ----------
    name
        Of its files.
    title
        Its caption.
    heads
        One a column.
    panels
        Direction of each panel of rows to its estimates, one a column; None where there is none.
    labels
        Terms, effects and directions as the report calls them; terms and effects in the order of the rows.
    percent
        Terms that also stand as a percentage, where the outcome is in logs or the family Poisson.
    unit
        What directed pairs are called: "Directed city pairs".
    notes
        Sentences below the table.
    """

    name: str
    title: str
    heads: tuple[Head, ...]
    panels: Mapping[str, tuple[Estimate | None, ...]]
    labels: Mapping[str, str]
    percent: frozenset[str] = frozenset()
    unit: str = "Directed pairs"
    notes: tuple[str, ...] = ()

    def records(self) -> Iterator[Record]:
        """Yield one record for each term of each estimate, as in the CSV file."""
        for direction, estimates in self.panels.items():
            for head, estimate in zip(self.heads, estimates, strict=True):
                if estimate is None:
                    continue
                about: Record = {
                    "direction": direction,
                    "outcome": estimate.outcome,
                    "estimator": head.family,
                }
                size: Record = {"se_type": estimate.se_type, "n_obs": estimate.n_obs, "n_pairs": estimate.n_pairs}
                for row in estimate.records():
                    term: Record = {str(key): value for key, value in row.items()}
                    yield about | term | size


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its interval, or None where its error is not known: its row and its series in the figure."""

    row: str
    series: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalFigure:
    """
    Estimates and their intervals around zero.

    Parameters
    ----------
    name
        Of its files.
    title
        Above the figure.
    description
        What it shows, for those who do not see it.
    axis
        Label of the axis, with its unit.
    intervals
        In the order of the rows.
    words
        How the figure calls rows that the CSV file has as they are in the data: "west->east".
    """

    name: str
    title: str
    description: str
    axis: str
    intervals: tuple[Interval, ...]
    words: Mapping[str, str] = field(default_factory=dict)

    def records(self) -> Iterator[Record]:
        """Yield one record an estimate, as in the CSV file."""
        for x in self.intervals:
            yield {"row": x.row, "series": x.series, "value": x.value, "low": x.low, "high": x.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """
    A point of a curve with its interval, or None where its error is not known: its panel, by row and column.

    The facts are what the page says of the point: names and values in words.
    """

    row: str
    column: str
    x: float
    value: float
    low: float | None
    high: float | None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFigure:
    """
    Estimates and their intervals along a choice, one curve a panel, with the same axes in all panels.

    Parameters
    ----------
    name
        Of its files.
    title
        Above the figure.
    description
        What it shows, for those who do not see it.
    x_axis, y_axis
        Labels of the axes, with their units.
    points
        In the order of rows, columns and x.
    mark
        An x that is marked in every panel, or None.
    ticks
        Labels of the x axis by their x; empty for numbers.
    choice, unit
        What the page lets its reader move along x, and the unit of x: "Bandwidth", "km"; empty for nothing.
    words
        How the figure calls rows and columns that the CSV file has as they are in the data.
    notes
        Sentences below the figure.
    """

    name: str
    title: str
    description: str
    x_axis: str
    y_axis: str
    points: tuple[CurvePoint, ...]
    mark: float | None = None
    ticks: Mapping[float, str] = field(default_factory=dict)
    choice: str = ""
    unit: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def records(self) -> Iterator[Record]:
        """Yield one record a point, as in the CSV file."""
        for p in self.points:
            yield {"row": p.row, "column": p.column, "x": p.x, "value": p.value, "low": p.low, "high": p.high}


Table = DataTable | RegressionTable
Figure = CurveFigure | IntervalFigure | MapFigure | SpecificationFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A number that stands large at the top of the report, and what it is."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """
    The answer to the study's question.

    Parameters
    ----------
    answer
        A sentence with the number and its interval.
    beside
        Sentences that put it beside other directions and other designs.
    condition
        What it rests on, and what the data cannot exclude.
    facts
        A few numbers beside it.
    """

    answer: str
    beside: str = ""
    condition: str = ""
    facts: tuple[Fact, ...] = ()

    @property
    def text(self) -> str:
        """All of it as one paragraph."""
        return " ".join(part for part in (self.answer, self.beside, self.condition) if part)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """
    What an exhibit shows.

    Parameters
    ----------
    tables, figures
        In order.
    sentences
        With numbers, above them.
    headline
        For the top of the report, or None.
    finding
        What was found, as the title of the section: one plain sentence of at most `LONGEST_FINDING` characters without
        a full stop, with the number that matters. Empty where nothing was found that a sentence can hold.
    doubt
        How sure the answer is, in sentences for the top of the report, where the finding does not say it.
    """

    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    sentences: tuple[str, ...] = field(default=())
    headline: Headline | None = None
    finding: str = ""
    doubt: str = ""
