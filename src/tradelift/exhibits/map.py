"""The map: partnerships, or where there is no programme the largest flows. Figure 1 of the paper."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Finding
from tradelift.exhibits.exhibit import Exhibit, nothing
from tradelift.exhibits.labels import label
from tradelift.exhibits.map_figure import Link, MapFigure, Place, PlaceKind
from tradelift.exhibits.partners import simulated
from tradelift.exhibits.shown import Shown
from tradelift.panel import Panel
from tradelift.study import Study

Ints = NDArray[Any]
MOST_FLOWS = 60  # more lines hide each other


def show(study: Study, panel: Panel, _results: Mapping[str, Finding]) -> Shown:
    """Put regions, and the partnerships or flows between them, on a map."""
    lon, lat = panel.regions.longitude, panel.regions.latitude
    assert lon is not None, "the exhibit needs coordinates"
    assert lat is not None, "the exhibit needs coordinates"
    known = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
    place = np.full(len(panel.regions), -1)
    place[known] = np.arange(len(known))
    kinds, kind = _kinds(panel)
    links, link_label, title = _partnerships(panel, place) if panel.programme else _flows(study, panel, place)
    figure = MapFigure(
        name="map",
        title=title,
        description=f"Map of {len(known):,} regions. {title}: {len(links):,} lines.",
        kinds=kinds,
        places=tuple(
            Place(name=str(panel.regions.names[r]), longitude=float(lon[r]), latitude=float(lat[r]), kind=int(kind[r]))
            for r in known
        ),
        link_label=link_label,
        links=links,
        notes=_notes(panel, len(known)),
    )
    return Shown(figures=(figure,))


def _kinds(panel: Panel) -> tuple[tuple[PlaceKind, ...], Ints]:
    """The kinds of region, and the kind of each: by side, and by whether it takes part."""
    side = panel.regions.side if panel.regions.side is not None else np.zeros(len(panel.regions), dtype=int)
    names = panel.regions.sides or ("regions",)
    shapes = ("square", "circle") if len(names) == 2 else ("circle",)
    if panel.programme is None:
        kinds = tuple(PlaceKind(label=n, shape=s, filled=True) for n, s in zip(names, shapes, strict=True))  # type: ignore[arg-type]
        return kinds, side
    alone = np.ones(len(panel.regions), dtype=int)
    alone[panel.programme.first] = alone[panel.programme.second] = 0
    both = [
        PlaceKind(label=f"{n}, {'no partner' if a else 'partner'}", shape=s, filled=not a)  # type: ignore[arg-type]
        for n, s in zip(names, shapes, strict=True)
        for a in (0, 1)
    ]
    used, kind = np.unique(2 * side + alone, return_inverse=True)
    return tuple(both[u] for u in used), kind


def _partnerships(panel: Panel, place: Ints) -> tuple[tuple[Link, ...], str, str]:
    programme = panel.programme
    assert programme is not None, "a map of partnerships needs partners"
    first, second = place[programme.first], place[programme.second]
    links = tuple(
        Link(first=int(first[row]), second=int(second[row]), kind="simulated partnership" if made_up else "partnership")
        for row, made_up in enumerate(simulated(programme))
        if first[row] >= 0 and second[row] >= 0
    )
    return links, "", f"{len(programme.first):,} partnerships"


def _flows(study: Study, panel: Panel, place: Ints) -> tuple[tuple[Link, ...], str, str]:
    """The largest flows between different regions, both ways together."""
    if "trade" not in panel.names:
        return (), "", "Regions"
    trade = np.nan_to_num(panel.outcome("trade"))
    by_pair = np.bincount(panel.pair_of_cell, weights=trade, minlength=len(panel.pairs))
    by_dyad = np.bincount(panel.pairs.dyad, weights=by_pair)
    ends = np.full((len(by_dyad), 2), -1)
    ends[panel.pairs.dyad, 0] = place[np.minimum(panel.pairs.origin, panel.pairs.destination)]
    ends[panel.pairs.dyad, 1] = place[np.maximum(panel.pairs.origin, panel.pairs.destination)]
    drawn = (ends >= 0).all(axis=1) & (ends[:, 0] != ends[:, 1]) & (by_dyad > 0)
    top = np.flatnonzero(drawn)
    top = top[np.argsort(-by_dyad[top], kind="stable")][:MOST_FLOWS]
    links = tuple(Link(first=int(ends[d, 0]), second=int(ends[d, 1]), weight=float(by_dyad[d])) for d in top)
    name = label(study, panel, "trade")
    return links, f"{name}, both ways", f"The {len(links)} largest flows between regions"


def _notes(panel: Panel, known: int) -> tuple[str, ...]:
    unknown = len(panel.regions) - known
    notes = ["Lines are for the eye and show no routes. Outlines: Natural Earth, public domain."]
    if unknown:
        notes.append(f"{unknown:,} of {len(panel.regions):,} regions have no coordinates and are not on the map.")
    return tuple(notes)


EXHIBIT = Exhibit(name="map", title="On the map", needs=frozenset({"coordinates"}), plan=nothing, show=show)
