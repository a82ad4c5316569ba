"""What share of all trade runs between partners: Table A.2 of the paper."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Finding
from tradelift.exhibits.exhibit import Exhibit, nothing
from tradelift.exhibits.finding import fitting
from tradelift.exhibits.labels import direction_label, panel_title, plain
from tradelift.exhibits.shown import Column, DataTable, Shown, Value
from tradelift.panel import Panel
from tradelift.study import Study

Floats = NDArray[Any]

SHARES = (
    Column(name="year", label=""),
    Column(name="pooled", label="Pooled (%)", kind="number", digits=2),
    Column(name="periods", label="Periods", kind="count"),
    Column(name="mean", label="Mean (%)", kind="number", digits=2),
    Column(name="sd", label="SD", kind="number", digits=2),
    Column(name="min", label="Min", kind="number", digits=2),
    Column(name="max", label="Max", kind="number", digits=2),
)
ALL = "all years"


def show(_study: Study, panel: Panel, _results: Mapping[str, Finding]) -> Shown:
    """Give the partners' share of trade by direction and year: pooled, and over the periods of the year."""
    rows = tuple(row for direction in panel.directions for row in _rows(panel, direction))
    words = {d: panel_title(panel, d) for d in panel.directions}
    table = DataTable(
        name="partner_shares",
        title="Partner pairs' share of trade",
        columns=(Column(name="direction", label="", words=words), *SHARES),
        rows=rows,
        label="year",
        group="direction",
        notes=(
            "Pooled: trade of partner pairs over all trade, in percent.",
            "Mean, SD, min and max: of that share over the periods with trade.",
            "Pairs on the partner list count in all periods.",
        ),
    )
    return Shown(tables=(table,), sentences=_sentences(panel, rows), finding=_finding(panel, rows))


def _rows(panel: Panel, direction: str) -> Iterator[tuple[Value, ...]]:
    pairs = panel.pair_direction(direction)
    pair, period = panel.pair_of_cell, panel.cells.column("period")
    trade = np.nan_to_num(panel.outcome("trade")) * pairs[pair]
    n = len(panel.periods)
    total = np.bincount(period, weights=trade, minlength=n)
    partners = np.bincount(period, weights=trade * (panel.pairs.partnership >= 0)[pair], minlength=n)
    years = np.array([_year(label) for label in panel.periods])
    for year in sorted(set(years)):
        yield (direction, str(year), *_share(partners[years == year], total[years == year]))
    if len(set(years)) > 1:
        yield (direction, ALL, *_share(partners, total))


def _year(label: str) -> str:
    """Year of a period; periods that do not begin with one stand together."""
    return label[:4] if label[:4].isdigit() and len(label) >= 4 else ALL


def _share(partners: Floats, total: Floats) -> tuple[Value, ...]:
    """Pooled share and its distribution over periods, in percent; None where there is no trade."""
    traded = total > 0
    share = 100 * partners[traded] / total[traded]
    n = len(share)
    if not n:
        return (None, 0, None, None, None, None)
    pooled = 100 * float(partners.sum() / total.sum())
    sd = float(share.std(ddof=1)) if n > 1 else None
    return (pooled, n, float(share.mean()), sd, float(share.min()), float(share.max()))


def _sentences(panel: Panel, rows: tuple[tuple[Value, ...], ...]) -> tuple[str, ...]:
    """The share over the whole time, by direction."""
    last = {row[0]: row[2] for row in rows}  # a direction's last row is all years, or its only year
    shares = [f"{plain(v, 2)}% ({direction_label(panel, str(d))})" for d, v in last.items() if isinstance(v, float)]
    if not shares:
        return ()
    pairs = 100 * float(np.mean(panel.pairs.partnership >= 0))
    return (f"Partner pairs are {plain(pairs, 2)}% of the directed pairs and carry {', '.join(shares)} of the trade.",)


def _finding(panel: Panel, rows: tuple[tuple[Value, ...], ...]) -> str:
    """The share of all trade over the whole time."""
    share = next((row[2] for row in reversed(rows) if row[0] == panel.directions[0]), None)
    pairs = 100 * float(np.mean(panel.pairs.partnership >= 0))
    if not isinstance(share, float):
        return ""
    return fitting(f"Partners are {plain(pairs, 2)}% of the pairs and have {plain(share, 2)}% of the trade")


EXHIBIT = Exhibit(
    name="partner_shares",
    title="How much of the trade is between partners",
    needs=frozenset({"partners", "trade"}),
    plan=nothing,
    show=show,
)
