"""A choice as a table, a curve over bandwidths and a map: data and SVG, without rows or ids of a log."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Gravity
from tradelift.designs.spatial.near import near_pairs
from tradelift.estimate import Estimate
from tradelift.exhibits import Column, CurveFigure, CurvePoint, DataTable, Link, MapFigure, Place, PlaceKind
from tradelift.exhibits.labels import direction_label, label, panel_title
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import size_of
from tradelift.exhibits.split import sizes
from tradelift.explore.choices import GRAVITY, Choice, course_of, design_of
from tradelift.explore.session import Session
from tradelift.inference.calendar import are_months
from tradelift.report.compact import compact_svg
from tradelift.report.figures import figure_svg
from tradelift.report.tables import table_html

Ints = NDArray[Any]
MOST_TICKS = 6


def headline(session: Session, estimate: Estimate) -> str:
    """The effect in a line."""
    size = size_of(estimate) if estimate.treatment else None
    where = direction_label(session.panel, estimate.direction)
    return f"No effect of partnership is in this design, {where}" if size is None else f"{size}, {where}"


def table(session: Session, estimate: Estimate) -> str:
    """Coefficients with errors, as HTML."""
    rows = [
        (
            label(session.study, session.panel, str(row["term"])),
            row["estimate"],
            row["std_error"],
            row["p_value"],
            row["conf_low"],
            row["conf_high"],
        )
        for row in estimate.tidy().to_dict("records")
    ]
    numbers = (
        ("estimate", "Estimate"),
        ("std_error", "Error"),
        ("p_value", "p"),
        ("conf_low", "95% from"),
        ("conf_high", "to"),
    )
    made = DataTable(
        name="explored",
        title=f"{estimate.formula}",
        columns=(
            Column(name="term", label="Term"),
            *(
                Column(name=name, label=words, kind="number", digits=4, least=1e-4 if name == "p_value" else None)
                for name, words in numbers
            ),
        ),
        rows=tuple(rows),
        label="term",
    )
    return table_html(made)


def facts(estimate: Estimate) -> str:
    """Sample, errors, and what was left out by reason."""
    left = ", ".join(f"{why} {n:,}" for why, n in estimate.dropped.items() if n)
    size = f"{estimate.n_obs:,} observations, {estimate.n_pairs:,} directed pairs"
    about = f"{size}; {estimate.sample}; errors: {estimate.se_type}"
    return f"{about}. Left out: {left}." if left else f"{about}."


def curve(session: Session, choice: Choice) -> str:
    """The estimates that are known over bandwidths, or of gravity over time, as HTML; empty where there is none."""
    if choice.design == GRAVITY:
        return _course(session, choice)
    found, left = session.curve(choice), session.left(choice)
    points = tuple(_point(choice, km, size) for km, size in found.items())
    if not points:
        return ""
    svg = _curve_svg(
        session,
        choice,
        points,
        next(iter(found.values())),
        by="bandwidth",
        axis="Bandwidth, km",
        mark=choice.bandwidth_km,
    )
    waiting = f'<p class="tl-note">To follow: {", ".join(f"{km:g}" for km in sorted(left))} km</p>'
    return f"{svg}{waiting}" if left else svg


def _course(session: Session, choice: Choice) -> str:
    """The effect by period, quarter or year."""
    estimate = session.course(choice)
    if estimate is None or not estimate.treatment:
        return ""
    parts = sizes(estimate)
    points = tuple(_point(choice, float(n), size) for n, size in enumerate(parts.values()))
    first, last = next(iter(parts)), next(reversed(parts))
    svg = _curve_svg(
        session, choice, points, next(iter(parts.values())),
        by=_unit(session, choice), axis=f"{first} to {last}", ticks=_ticks(tuple(parts)),
    )  # fmt: skip
    notes = " ".join(escape(note) for note in estimate.diagnostics.notes if note.startswith("Not estimated"))
    return f'{svg}<p class="tl-note">{notes}</p>' if notes else svg


def _unit(session: Session, choice: Choice) -> str:
    """What a part of time is called: periods such as 2017-01 are months."""
    task = course_of(session.study, session.panel, choice)
    unit = "period" if task is None else task.by
    return "month" if unit == "period" and are_months(session.panel.periods) else unit


def _curve_svg(
    session: Session, choice: Choice, points: tuple[CurvePoint, ...], size: Size, *, by: str, axis: str,
    mark: float | None = None, ticks: Mapping[float, str] | None = None,
) -> str:  # fmt: skip
    name = label(session.study, session.panel, choice.model.outcome, short=True)
    figure = CurveFigure(
        name="explored-curve",
        title=f"{name}: {'percent' if size.unit else 'effect'} by {by}",
        description=f"Estimates with 95% intervals by {by}, {len(points)} in all.",
        x_axis=axis,
        y_axis="Difference in percent" if size.unit else "Difference",
        points=points,
        mark=mark,
        ticks=ticks or {},
        words={choice.direction: panel_title(session.panel, choice.direction)},
    )
    return compact_svg(figure_svg(figure))  # without the names that Altair gives to each group of marks


def _point(choice: Choice, x: float, size: Size) -> CurvePoint:
    low, high = (size.low, size.high) if size.is_known else (None, None)
    return CurvePoint(row=choice.direction, column=choice.design, x=x, value=size.value, low=low, high=high)


def _ticks(parts: Sequence[str]) -> dict[float, str]:
    """Label the first part of each year where they are by year, else every so many."""
    years = {part[:4]: float(n) for n, part in reversed(list(enumerate(parts)))}
    if all(year.isdigit() for year in years) and 1 < len(years) < len(parts):
        return {n: year for year, n in reversed(years.items())}
    step = -(-len(parts) // MOST_TICKS)
    return {float(n): parts[n] for n in range(0, len(parts), step)}


def map_of(session: Session, choice: Choice) -> str:
    """Who is compared with whom, as SVG; empty without coordinates or programme."""
    panel = session.panel
    lon, lat, programme = panel.regions.longitude, panel.regions.latitude, panel.programme
    if lon is None or lat is None or programme is None:
        return ""
    partner = np.zeros(len(panel.regions), dtype=bool)
    partner[programme.first] = partner[programme.second] = True
    compared, grouped = _compared(session, choice, partner)
    shown = np.flatnonzero(compared & np.isfinite(lon) & np.isfinite(lat))
    place = np.full(len(panel.regions), -1)
    place[shown] = np.arange(len(shown))
    links = tuple(
        Link(first=int(place[a]), second=int(place[b]), kind="compared" if row in grouped else "not compared")
        for row, (a, b) in enumerate(zip(programme.first, programme.second, strict=True))
        if place[a] >= 0 and place[b] >= 0
    )
    kinds, kind = _kinds(session, partner)
    return figure_svg(
        MapFigure(
            name="explored-map",
            title=f"{len(grouped):,} partnerships, {len(shown):,} regions compared",
            description=f"Map of {len(shown):,} regions and {len(links):,} partnerships.",
            kinds=kinds,
            places=tuple(
                Place(
                    name=str(panel.regions.names[r]),
                    longitude=float(lon[r]),
                    latitude=float(lat[r]),
                    kind=int(kind[r]),
                )
                for r in shown
            ),
            link_label="",
            links=links,
        )
    )


def _compared(session: Session, choice: Choice, partner: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], set[int]]:
    """Regions in the comparison, and rows of the partner list."""
    design, panel, programme = design_of(session.study, choice), session.panel, session.panel.programme
    assert programme is not None, "the caller has looked"
    if isinstance(design, Gravity):
        return np.ones(len(panel.regions), dtype=bool), set(range(len(programme.first)))
    near = near_pairs(panel, design.near, choice.direction)
    compared = partner.copy()
    compared[near.origin] = compared[near.destination] = True
    return compared, {int(row) for row in near.partner_row}


def _kinds(session: Session, partner: NDArray[np.bool_]) -> tuple[tuple[PlaceKind, ...], Ints]:
    """Kinds of region: by side, and whether it takes part."""
    regions = session.panel.regions
    names = regions.sides or ("regions",)
    side = regions.side if regions.side is not None else np.zeros(len(regions), dtype=int)
    kinds = tuple(
        PlaceKind(label=f"{name}, {words}", shape="square" if n == 0 and len(names) == 2 else "circle", filled=filled)
        for n, name in enumerate(names)
        for words, filled in (("control", False), ("partner", True))
    )
    return kinds, 2 * side + partner
