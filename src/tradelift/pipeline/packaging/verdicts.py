"""Which numbers of a run's outputs would tell others about one seller or buyer, exhibit by exhibit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tradelift.exhibits import EXHIBITS, DataTable, MapFigure, Shown
from tradelift.inference.spillovers import near_a_partner
from tradelift.log.disclosure import Bools
from tradelift.pipeline.finished import FinishedRun
from tradelift.pipeline.packaging.amounts import Amounts

if TYPE_CHECKING:
    import pandas as pd

SAME = 1e-9  # of a sum: the order of its terms, and the digits of its file
ALL_YEARS = "all years"
STATISTICS = slice(3, None)  # of a row of the summary: after its panel, its variable and their number

ESTIMATES = frozenset({
    "partners", "gravity", "balance", "spatial_rd", "bandwidth", "control_types", "rd_alternatives", "matching",
    "placebo", "specifications", "concentration", "categories", "traits", "dynamics", "migration", "awareness",
    "spending", "flights", "inference", "sensitivity",
})  # fmt: skip
"""Exhibits that show estimates, counts of cells, and what the study's own files say; no sum and no value of cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    What of an exhibit may leave.

    Parameters
    ----------
    judged, telling
        How many sums and values of cells it shows, and how many of them may not leave.
    tables
        Tables to write anew, with what is masked left out.
    withheld
        Names of tables and figures that leave in no form.
    reason
        Why its section does not stand in the report of the package; empty where it does.
    estimates
        Whether its rows of estimates.csv may not leave either.
    """

    judged: int = 0
    telling: int = 0
    tables: tuple[DataTable, ...] = ()
    withheld: tuple[str, ...] = ()
    reason: str = ""
    estimates: bool = False


def verdict(name: str, run: FinishedRun, amounts: Amounts) -> Verdict:
    """
    Judge an exhibit of a run.

    Parameters
    ----------
    name
        Of the exhibit.
    run
        That has it.
    amounts
        Of the run.

    Returns
    -------
    Of an exhibit that nobody has said anything about nothing leaves.
    """
    if name in ESTIMATES:
        return Verdict()
    judge = JUDGES.get(name)
    if judge is None:
        shown = run.manifest["exhibits"][name]
        return Verdict(withheld=(*shown["tables"], *shown["figures"]), reason=UNJUDGED, estimates=True)
    return judge(run, amounts)


UNJUDGED = "Left out of this package: nobody has judged what it tells of single sellers or buyers."


def _told(judged: int, telling: int, what: str) -> str:
    return (
        f"Left out of this package: {telling:,} of the {judged:,} {what} that stand here would tell others about "
        "single sellers or buyers."
    )


def _shown(name: str, run: FinishedRun, amounts: Amounts) -> Shown:
    """An exhibit that estimates nothing, made again."""
    return EXHIBITS[name].show(run.study, amounts.panel, {})


def _masked(table: DataTable, masks: Mapping[int, Iterable[int]]) -> DataTable:
    """A table without the values at some columns of some rows."""
    rows = tuple(
        tuple(None if c in masks.get(r, ()) else value for c, value in enumerate(row))
        for r, row in enumerate(table.rows)
    )
    note = "Values that would tell others about single sellers or buyers are left out."
    return replace(table, rows=rows, notes=(*table.notes, note))


def _summary(run: FinishedRun, amounts: Amounts) -> Verdict:
    """Means, spreads, extremes and quartiles of cells."""
    (table,) = _shown("summary", run, amounts).tables
    assert isinstance(table, DataTable), "it is a table of numbers"
    masks: dict[int, list[int]] = {}
    judged = 0
    width = len(table.columns)
    for r, row in enumerate(table.rows):
        if row[0] not in amounts.panel.directions:
            continue  # of pairs: the partner list
        tells = amounts.statistics_tell(str(row[1]), amounts.direction(str(row[0])))
        judged += len(tells)
        masks[r] = [c for c, tell in zip(range(width)[STATISTICS], tells, strict=True) if tell]
    telling = sum(map(len, masks.values()))
    if not telling:
        return Verdict(judged=judged)
    return Verdict(
        judged=judged,
        telling=telling,
        tables=(_masked(table, masks),),
        reason=_told(judged, telling, "statistics"),
    )


def _partner_shares(run: FinishedRun, amounts: Amounts) -> Verdict:
    """Trade of partner pairs and of all, by direction and period: their ratio tells either from the other."""
    (table,) = _shown("partner_shares", run, amounts).tables
    assert isinstance(table, DataTable), "it is a table of numbers"
    panel = amounts.panel
    period = np.asarray(panel.cells.column("period"))
    partners = (panel.pairs.partnership >= 0)[panel.pair_of_cell]
    masks: dict[int, list[int]] = {}
    judged = 0
    columns = [column.name for column in table.columns]
    for r, row in enumerate(table.rows):
        year = str(row[1])
        rows = amounts.direction(str(row[0])) & _in_year(panel.periods, year)[period]
        groups = [np.where(rows & own, period, -1) for own in (np.ones_like(partners), partners)]
        each = any(amounts.sums_tell(group, len(panel.periods)).any() for group in groups)
        whole = any(amounts.sum_tells(group >= 0) for group in groups)
        hide = (["pooled"] if whole else []) + (["mean", "sd", "min", "max"] if each else [])
        masks[r] = [columns.index(name) for name in hide]
        judged += 5
    telling = sum(map(len, masks.values()))
    if not telling:
        return Verdict(judged=judged)
    return Verdict(
        judged=judged, telling=telling, tables=(_masked(table, masks),), reason=_told(judged, telling, "shares")
    )


def _in_year(periods: Iterable[str], year: str) -> Bools:
    """Periods of a year, as the exhibit tells them; those that begin with none stand in all years."""
    own = np.array([label[:4] if label[:4].isdigit() and len(label) >= 4 else ALL_YEARS for label in periods])
    return np.asarray(own == year) if year in own else np.ones(len(own), dtype=bool)


def _map(run: FinishedRun, amounts: Amounts) -> Verdict:
    """Trade by region in all and with partners, and along each line."""
    (figure,) = _shown("map", run, amounts).figures
    assert isinstance(figure, MapFigure), "it is the map"
    panel = amounts.panel
    if "trade" not in panel.names:
        return Verdict()
    pairs, cell = panel.pairs, panel.pair_of_cell
    beyond = (pairs.origin != pairs.destination)[cell]
    listed = pairs.partnership[cell] >= 0
    n = len(panel.regions)
    tells = [
        amounts.sums_tell(np.where(beyond & own, ends[cell], -1), n)
        for own in ([beyond] if panel.programme is None else [beyond, listed])
        for ends in (pairs.origin, pairs.destination)
    ]
    if panel.programme is not None:
        lines = amounts.sums_tell(np.where(beyond & listed, cell, -1), len(pairs))[pairs.partnership >= 0]
        weighted = False
    else:
        lines = _drawn(figure, amounts)
        weighted = bool(lines.any())
    judged = sum(map(len, tells)) + len(lines)
    telling = sum(int(x.sum()) for x in (*tells, lines))
    if not telling:
        return Verdict(judged=judged)
    return Verdict(
        judged=judged,
        telling=telling,
        withheld=("map",) if weighted else (),
        reason=_told(judged, telling, "amounts"),
    )


def _drawn(figure: MapFigure, amounts: Amounts) -> Bools:
    """Which lines tell, on a map of flows: each is both ways together."""
    panel = amounts.panel
    longitude, latitude = panel.regions.longitude, panel.regions.latitude
    assert longitude is not None, "the map needs coordinates"
    assert latitude is not None, "the map needs coordinates"
    known = np.flatnonzero(np.isfinite(longitude) & np.isfinite(latitude))
    dyads = {
        tuple(sorted((int(o), int(d)))): int(k)
        for o, d, k in zip(panel.pairs.origin, panel.pairs.destination, panel.pairs.dyad, strict=True)
    }
    drawn = [dyads[tuple(sorted((int(known[line.first]), int(known[line.second]))))] for line in figure.links]
    tells = amounts.sums_tell(np.asarray(panel.pairs.dyad)[panel.pair_of_cell], int(panel.pairs.dyad.max()) + 1)
    return np.asarray(tells[np.array(drawn, dtype=np.int64)])


def _magnitude(run: FinishedRun, amounts: Amounts) -> Verdict:
    """What partner pairs traded while they were partners, by direction and year: the effect is a share of it."""
    panel = amounts.panel
    years = np.array([label[:4] for label in panel.periods])[np.asarray(panel.cells.column("period"))]
    treated = np.asarray(panel.column("partner") != 0)
    sums: dict[tuple[str, str], Bools] = {}
    for direction in panel.directions:
        own = treated & amounts.direction(direction)
        sums |= {(direction, str(year)): own & (years == year) for year in np.unique(years)}
        sums[direction, ALL_YEARS] = own
    names = run.manifest["exhibits"]["magnitude"]
    told = []
    for name in names["tables"]:
        table = _csv(run, name)
        of_years = "horizon" not in table
        for direction, when, base in zip(
            table["direction"], table["year" if of_years else "horizon"].astype(str), table["base"], strict=True
        ):
            if of_years or when == ALL_YEARS:
                told.append(_tells(amounts, sums.get((direction, when)), float(base)))
    return _withhold(names, told, "sums")


def _spillovers(run: FinishedRun, amounts: Amounts) -> Verdict:
    """What partner pairs and those near them traded."""
    panel = amounts.panel
    shown = run.manifest["exhibits"]["spillovers"]
    money = [name for name in shown["tables"] if name == "spillovers_money"]
    if not money:
        return Verdict()
    treated = np.asarray(panel.column("partner") != 0)
    near = near_a_partner(panel, run.study.model.bandwidth_km)
    told = []
    for direction, base in _csv(run, money[0])[["direction", "base"]].itertuples(index=False):
        own = amounts.direction(direction)
        parts = [own & which for which in (treated, near, treated | near)]
        sums = amounts.trade()
        known = [cells for cells in parts if np.isclose(sums[cells].sum(), float(base), rtol=SAME, atol=0)]
        told.append(_tells(amounts, known[0] if known else None, float(base)))
    found = _withhold({"tables": money, "figures": []}, told, "sums")
    return Verdict(judged=found.judged, telling=found.telling, withheld=found.withheld, reason=found.reason)


def _tells(amounts: Amounts, cells: Bools | None, base: float) -> bool:
    """Whether a sum that a file shows may not leave; one of other cells than these was not judged."""
    if cells is None or not np.isclose(amounts.trade()[cells].sum(), base, rtol=SAME, atol=0):
        return True
    return amounts.sum_tells(cells)


def _withhold(names: Mapping[str, list[str]], told: list[bool], what: str) -> Verdict:
    """All or nothing: estimates in money and shares tell their sum."""
    if not any(told):
        return Verdict(judged=len(told))
    return Verdict(
        judged=len(told),
        telling=sum(told),
        withheld=(*names["tables"], *names["figures"]),
        reason=_told(len(told), sum(told), what),
        estimates=True,
    )


def _csv(run: FinishedRun, name: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(BytesIO(run.output(f"tables/{name}.csv").read_bytes()), dtype={"year": str, "horizon": str})


JUDGES: Mapping[str, Callable[[FinishedRun, Amounts], Verdict]] = MappingProxyType({
    "summary": _summary,
    "partner_shares": _partner_shares,
    "map": _map,
    "magnitude": _magnitude,
    "spillovers": _spillovers,
})  # fmt: skip
"""Exhibits that show sums or values of cells."""
