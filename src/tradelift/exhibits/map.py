"""The map: partnerships, or where there is no programme the largest flows. Figure 1 of the paper."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Finding, is_polygons, outlines
from tradelift.exhibits.exhibit import Exhibit, nothing
from tradelift.exhibits.finding import fitting
from tradelift.exhibits.labels import label, plain
from tradelift.exhibits.map_amounts import Traded, short, traded
from tradelift.exhibits.map_figure import Link, MapFigure, Outline, Place, PlaceKind
from tradelift.exhibits.partners import simulated
from tradelift.exhibits.shown import Shown
from tradelift.geography import great_circle_km
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
    sums = traded(panel)
    links, link_label, title = _partnerships(panel, place, sums) if panel.programme else _flows(study, panel, place)
    figure = MapFigure(
        name="map",
        title=title,
        description=f"Map of {len(known):,} regions. {title}: {len(links):,} lines.",
        kinds=kinds,
        places=tuple(
            Place(
                name=str(panel.regions.names[r]),
                longitude=float(lon[r]),
                latitude=float(lat[r]),
                kind=int(kind[r]),
                other_names=tuple(str(column[r]) for column in _other_names(panel)),
                group="" if panel.regions.group is None else str(panel.regions.group[r]),
                amounts=() if sums is None else sums.amounts(int(r)),
                weight=0.0 if sums is None else float(sums.sold[r] + sums.bought[r]),
            )
            for r in known
        ),
        link_label=link_label,
        links=links,
        notes=_notes(study, panel, len(known)),
        measures=() if sums is None else sums.measures,
        unit="" if sums is None else _unit(study, panel),
        outlines=tuple(_outlines(study, panel)),
    )
    return Shown(figures=(figure,), finding=_finding(panel, place) if panel.programme else _of_flows(panel, links))


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


def _other_names(panel: Panel) -> list[Ints]:
    """Columns such as `name_zh`: what else regions are called."""
    return [
        column
        for name, column in panel.regions.columns.items()
        if name.startswith("name_") and column.dtype.kind in "UTO"
    ]


def _unit(study: Study, panel: Panel) -> str:
    first, last = panel.periods[0], panel.periods[-1]
    when = "" if len(panel.periods) == 1 else f", {first} to {last}"
    return f"{label(study, panel, 'trade')}{when}"


def _outlines(study: Study, panel: Panel) -> Iterator[Outline]:
    """The study's polygons, where it has some."""
    source = study.neighbours
    if source is None or not is_polygons(source.file):
        return
    side = panel.regions.side
    of = {} if side is None else dict(zip(map(str, panel.regions.ids), map(int, side), strict=True))
    for name, rings in outlines(study.resolve(source.file), source.region):
        yield Outline(rings=rings, side=of.get(name))


def _partnerships(panel: Panel, place: Ints, sums: Traded | None) -> tuple[tuple[Link, ...], str, str]:
    programme = panel.programme
    assert programme is not None, "a map of partnerships needs partners"
    first, second = place[programme.first], place[programme.second]
    links = tuple(
        Link(
            first=int(first[row]),
            second=int(second[row]),
            kind="simulated partnership" if made_up else "partnership",
            amounts=None if sums is None else (short(float(sums.between[row, 0])), short(float(sums.between[row, 1]))),
        )
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


def _finding(panel: Panel, place: Ints) -> str:
    """How far partners are from each other."""
    programme, lon, lat = panel.programme, panel.regions.longitude, panel.regions.latitude
    assert programme is not None, "a map of partnerships needs partners"
    assert lon is not None, "the exhibit needs coordinates"
    assert lat is not None, "the exhibit needs coordinates"
    drawn = (place[programme.first] >= 0) & (place[programme.second] >= 0)
    if not drawn.any():
        return ""
    a, b = programme.first[drawn], programme.second[drawn]
    km = float(np.median(great_circle_km(lon[a], lat[a], lon[b], lat[b])))
    if len(a) == 1:
        return fitting(f"The partners are {plain(km, 0)} km apart")
    return fitting(f"Half of the partnerships span {plain(km, 0)} km or more")


def _of_flows(panel: Panel, links: tuple[Link, ...]) -> str:
    """How much of all trade the lines stand for."""
    total = float(np.nansum(panel.outcome("trade"))) if links else 0.0
    if not total > 0:
        return ""
    share = 100 * sum(link.weight or 0.0 for link in links) / total
    return fitting(f"The {len(links)} largest flows are {plain(share)}% of all trade")


def _notes(study: Study, panel: Panel, known: int) -> tuple[str, ...]:
    unknown = len(panel.regions) - known
    of_study = study.neighbours is not None and is_polygons(study.neighbours.file)
    source = f"{study.neighbours.file}, and " if study.neighbours is not None and of_study else ""
    notes = [f"Lines are for the eye and show no routes. Outlines: {source}Natural Earth, public domain."]
    if unknown:
        notes.append(f"{unknown:,} of {len(panel.regions):,} regions have no coordinates and are not on the map.")
    return tuple(notes)


EXHIBIT = Exhibit(name="map", title="On the map", needs=frozenset({"coordinates"}), plan=nothing, show=show)
