"""Summary statistics: Table 1 of the paper."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Finding
from tradelift.exhibits.exhibit import Exhibit, nothing
from tradelift.exhibits.finding import fitting, way
from tradelift.exhibits.labels import direction_label, label, plain
from tradelift.exhibits.shown import Column, DataTable, Shown, Value
from tradelift.panel import Panel
from tradelift.study import Study

Floats = NDArray[Any]

STATISTICS = (
    Column(name="observations", label="Observations", kind="count"),
    Column(name="mean", label="Mean", kind="number"),
    Column(name="sd", label="SD", kind="number"),
    Column(name="min", label="Min", kind="number"),
    Column(name="p25", label="P25", kind="number"),
    Column(name="p50", label="P50", kind="number"),
    Column(name="p75", label="P75", kind="number"),
    Column(name="max", label="Max", kind="number"),
)
RATIOS = ("seller_concentration", "buyer_concentration")
READINGS = ("flow", "city")


def show(study: Study, panel: Panel, _results: Mapping[str, Finding]) -> Shown:
    """Describe partner pairs and flows, in all and by direction."""
    rows = [(key, *row) for key, values in _panels(panel, _outcomes(study, panel)) for row in values]
    titles = {"pairs": "partner pairs", "both": "flows, full sample"}
    titles |= {d: f"flows, {direction_label(panel, d)}" for d in panel.directions if d != "both"}
    keys = dict.fromkeys(str(row[0]) for row in rows)
    panels = {key: f"Panel {letter}: {titles[key]}" for letter, key in zip("ABCD", keys, strict=False)}
    variables = {str(row[1]): label(study, panel, str(row[1])) for row in rows}
    table = DataTable(
        name="summary",
        title="Pairs and flows",
        columns=(
            Column(name="panel", label="", words=panels),
            Column(name="variable", label="", words=variables),
            *STATISTICS,
        ),
        rows=tuple(rows),
        label="variable",
        group="panel",
        notes=tuple(_notes(study, panel, variables)),
    )
    return Shown(tables=(table,), finding=_finding(panel))


def _finding(panel: Panel) -> str:
    """How large trade is one way beside the other; without two ways, how often there is none."""
    if "trade" not in panel.names:
        return ""
    trade, pair = panel.outcome("trade"), panel.pair_of_cell
    ways = [(d, float(np.nansum(trade[panel.pair_direction(d)[pair]]))) for d in panel.directions if d != "both"]
    if len(ways) == 2 and all(money > 0 for _, money in ways):
        (large, most), (small, least) = sorted(ways, key=lambda x: -x[1])
        return fitting(f"Trade {way(panel, large)} is {plain(most / least)} times trade {way(panel, small)}")
    known = trade[np.isfinite(trade)]
    if not len(known):
        return ""
    return fitting(f"{plain(100 * float(np.mean(known == 0)))}% of {len(known):,} observations have no trade")


def _notes(study: Study, panel: Panel, variables: Mapping[str, str]) -> Iterator[str]:
    """What an observation is, and where ratios are not defined."""
    cells = "cells of directed pair and period"
    if panel.programme is None:
        yield f"Observations are {cells}."
    else:
        yield f"Observations are directed pairs for the partner pairs, and {cells} for flows."
    if not any(name.startswith(RATIOS) for name in variables):
        return
    log = study.transactions
    if log is None or log.concentration.rounding != "floor":
        yield f"Ratios are undefined in cells without trade{_without_ratio(panel, variables)}."
        return
    share = f"{100 * log.concentration.share:g}%"
    yield (
        f"Ratios are undefined in cells without trade, and where {share} of the ranked sellers or buyers is less than "
        f"one of them."
    )


def _without_ratio(panel: Panel, variables: Mapping[str, str]) -> str:
    """How many cells have trade and no ratio, where the flows come summed and do not say why."""
    if "trade" not in panel.names:
        return ""
    traded = np.nan_to_num(panel.outcome("trade")) > 0
    counts = [int((traded & np.isnan(panel.outcome(n))).sum()) for n in variables if n.startswith(RATIOS)]
    return f", and not given in up to {max(counts):,} cells with trade" if max(counts) else ""


def _panels(panel: Panel, outcomes: list[str]) -> Iterator[tuple[str, list[tuple[Value, ...]]]]:
    if panel.programme is not None:
        partner = np.where(panel.pairs.partnership >= 0, 1.0, 0.0)
        yield "pairs", [("partner", *statistics(partner))]
    pair = panel.pair_of_cell
    for direction in panel.directions:
        rows = panel.pair_direction(direction)[pair]
        yield direction, [(name, *statistics(panel.outcome(name)[rows])) for name in outcomes]


def _outcomes(study: Study, panel: Panel) -> list[str]:
    """Trade, deals, both readings of the concentration ratios, and the study's other outcomes."""
    ratios = [
        reading
        for ratio in RATIOS
        for reading in ([f"{ratio}_{r}" for r in READINGS if f"{ratio}_{r}" in panel.names] or [ratio])
    ]
    names = dict.fromkeys(("trade", "deals", *ratios, *(study.model.outcomes or ())))
    known = [n for n in names if n in panel.names and panel.column(n).dtype.kind in "iuf"]
    return [n for n in known if n not in RATIOS or not any(f"{n}_{r}" in known for r in READINGS)]


def statistics(values: Floats) -> tuple[Value, ...]:
    """
    Observations, mean, standard deviation, minimum, quartiles and maximum.

    Parameters
    ----------
    values
        Shape (N,); NaN is missing and counts nowhere.

    Returns
    -------
    Eight values; all but the count are None where nothing is left, the standard deviation also for one value.
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if not n:
        return (0, *[None] * 7)
    quartiles = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
    sd = float(known.std(ddof=1)) if n > 1 else None
    return (n, float(known.mean()), sd, *(float(q) for q in quartiles))


EXHIBIT = Exhibit(name="summary", title="Summary statistics", needs=frozenset(), plan=nothing, show=show)
