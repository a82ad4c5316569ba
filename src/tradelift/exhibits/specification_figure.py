"""A specification curve as data: estimates in order, and the choices behind each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tradelift.exhibits.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """
    An estimate with its interval, or None where its error is not known, and the choices that lead to it.

    Parameters
    ----------
    value, low, high
        As the axis says.
    choices
        By decision: {"design": "spatial RD", "bandwidth": "150 km"}; a decision that it does not face is left out.
    is_main
        Whether it is the study's own.
    """

    value: float
    low: float | None
    high: float | None
    choices: Mapping[str, str]
    is_main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationFigure:
    """
    Estimates in order of size, and below them a mark at every choice.

    Parameters
    ----------
    name
        Of its files.
    title
        Above the figure.
    description
        What it shows, for those who do not see it.
    axis
        Label of the axis of estimates, with its unit.
    specifications
        In any order.
    decisions
        Each with its alternatives, in the order of the rows.
    words
        How the figure calls decisions and alternatives.
    notes
        Sentences below the figure.
    """

    name: str
    title: str
    description: str
    axis: str
    specifications: tuple[Specification, ...]
    decisions: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ordered(self) -> tuple[Specification, ...]:
        """From the smallest estimate to the largest."""
        return tuple(sorted(self.specifications, key=lambda s: s.value))

    def records(self) -> Iterator[Record]:
        """Yield one record an estimate, in order, with a column for each decision, as in the CSV file."""
        for rank, s in enumerate(self.ordered, start=1):
            record: Record = {"rank": rank, "value": s.value, "low": s.low, "high": s.high, "is_main": int(s.is_main)}
            yield record | {decision: s.choices.get(decision) for decision in self.decisions}
