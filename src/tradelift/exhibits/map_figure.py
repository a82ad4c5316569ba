"""A map as data, before any markup."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tradelift.exhibits.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceKind:
    """How a kind of place stands on the map."""

    label: str
    shape: Literal["square", "circle"]
    filled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """
    A region on the map.

    Parameters
    ----------
    name
        To show.
    longitude, latitude
        Degrees.
    kind
        Position of its kind.
    other_names, group
        What else it is called, and the larger unit that it belongs to.
    amounts
        One for each of the figure's `measures`, in words.
    weight
        How much it trades: where there is no room for all names, larger places have theirs.
    """

    name: str
    longitude: float
    latitude: float
    kind: int
    other_names: tuple[str, ...] = ()
    group: str = ""
    amounts: tuple[str, ...] = ()
    weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """
    A line between two places, by their positions; a weight gives its width, None a dashed line of a kind.

    The amounts are what flows from the first to the second and back, in words.
    """

    first: int
    second: int
    weight: float | None = None
    kind: str = ""
    amounts: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The outline of a region: closed rings of points in degrees, holes after what they lie in; its side, or None."""

    rings: tuple[tuple[tuple[float, float], ...], ...]
    side: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFigure:
    """
    Places and the lines between them.

    Parameters
    ----------
    name
        Of its files.
    title
        Above the map.
    description
        What it shows, for those who do not see it.
    kinds
        Of the places, as in the legend.
    places
        With known coordinates.
    link_label
        What the width of lines means, as in the legend.
    links
        Between places.
    notes
        Sentences below the map.
    measures
        What the amounts of places are.
    unit
        What the amounts are counted in.
    outlines
        Of the regions, where the study gives them; else the map has those of countries.
    """

    name: str
    title: str
    description: str
    kinds: tuple[PlaceKind, ...]
    places: tuple[Place, ...]
    link_label: str
    links: tuple[Link, ...]
    notes: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    unit: str = ""
    outlines: tuple[Outline, ...] = ()

    def records(self) -> Iterator[Record]:
        """Yield one record a line, and one for each place without a line, as in the CSV file."""
        linked = set()
        for link in self.links:
            a, b = self.places[link.first], self.places[link.second]
            linked |= {link.first, link.second}
            yield {
                "first": a.name,
                "first_longitude": a.longitude,
                "first_latitude": a.latitude,
                "first_kind": self.kinds[a.kind].label,
                "second": b.name,
                "second_longitude": b.longitude,
                "second_latitude": b.latitude,
                "second_kind": self.kinds[b.kind].label,
                "weight": link.weight,
                "kind": link.kind or None,
            }
        for i, a in enumerate(self.places):
            if i not in linked:
                yield {
                    "first": a.name,
                    "first_longitude": a.longitude,
                    "first_latitude": a.latitude,
                    "first_kind": self.kinds[a.kind].label,
                    "second": None,
                    "second_longitude": None,
                    "second_latitude": None,
                    "second_kind": None,
                    "weight": None,
                    "kind": None,
                }
