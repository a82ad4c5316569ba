"""
The sums that Poisson gravity needs, made by an engine from a table of cells that may be larger than this process.

What comes here are sums by origin and period, by destination and period, and by pair. No flow of a single period does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import Table
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.log.engine import Engine, number
from tradelift.solve.summed import Solution, SummedPiece, Weighted

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlowSums:
    """
    A table of cells in an engine, from which sums are asked for.

    Parameters
    ----------
    engine
        Where the table is.
    cells
        `origin`, `destination`, `period` (text) and `flow` (float), one row a cell.
    periods
        Labels, in order.
    totals
        Sums over periods by pair: `origin`, `destination`, `flow`, with the pairs that never trade.
    """

    engine: Engine
    cells: Table
    periods: tuple[str, ...]
    totals: pa.Table

    def margins(self, pairs: pa.Table, pieces: Sequence[SummedPiece]) -> tuple[list[SummedPiece], float]:
        """
        Sum the flows of some pairs.

        Parameters
        ----------
        pairs
            `origin`, `destination`, and their place: `block`, `i`, `j`.
        pieces
            Blocks, whose sums are filled.

        Returns
        -------
        The blocks with their sums, and the sum of flow x log(flow).
        """
        held = self._held(pairs)
        logs = ibis.ifelse(held.flow > number(0), held.flow, number(1)).ln()
        plan = self.engine.plan(
            {
                "rows": held.group_by(["block", "t", "i"]).agg(flow=held.flow.sum()),
                "columns": held.group_by(["block", "t", "j"]).agg(flow=held.flow.sum()),
                "pairs": held.group_by(["block", "i", "j"]).agg(flow=held.flow.sum()),
                "entropy": held.agg(flow=(held.flow * logs).sum()),
            }
        )
        found = self.engine.fetch_all(plan)
        out, n_periods = [], len(self.periods)
        for n, piece in enumerate(pieces):
            n_rows, n_columns = piece.mask.shape
            sums = {
                "rows": _dense(found["rows"], n, ("t", "i"), (n_periods, n_rows)),
                "columns": _dense(found["columns"], n, ("t", "j"), (n_periods, n_columns)),
                "pairs": _dense(found["pairs"], n, ("i", "j"), (n_rows, n_columns)),
            }
            out.append(SummedPiece(x=piece.x, mask=piece.mask, pair=piece.pair, **sums))
        return out, float(found["entropy"]["flow"][0].as_py() or 0.0)

    def weighted(self, pairs: pa.Table, solutions: Sequence[Solution]) -> Weighted:
        """
        Sum the flows of some pairs with the weights that a solution gives them, as `Weighted` says.

        Parameters
        ----------
        pairs
            As in `margins`.
        solutions
            By block.
        """
        k = len(solutions[0].x)
        held = self._held(pairs)
        held = held.inner_join(self._solution("solved_pairs", solutions, k), ["block", "i", "j"])
        held = held.inner_join(self._effects("solved_rows", "i", "a", "p", solutions), ["block", "t", "i"])
        held = held.inner_join(self._effects("solved_columns", "j", "b", "q", solutions), ["block", "t", "j"])
        nets = [held[f"x{n}"] - held[f"p{n}"] - held[f"q{n}"] for n in range(k)]
        square = held.flow * (held.flow - number(2) * held.e * held.a * held.b)
        effects = {f"s{n}": (held.flow * (held[f"p{n}"] + held[f"q{n}"])).sum() for n in range(k)}
        squares = {f"m{n}_{m}": (square * nets[n] * nets[m]).sum() for n in range(k) for m in range(n + 1)}
        plan = self.engine.plan(
            {"pairs": held.group_by(["block", "i", "j"]).agg(**effects), "squares": held.agg(**squares)}
        )
        found = self.engine.fetch_all(plan)
        meat = np.zeros((k, k))
        for n in range(k):
            for m in range(n + 1):
                meat[n, m] = meat[m, n] = found["squares"][f"m{n}_{m}"][0].as_py() or 0.0
        sums = [
            np.array([_dense(found["pairs"], b, ("i", "j"), s.kernel.shape, f"s{n}") for n in range(k)])
            for b, s in enumerate(solutions)
        ]
        return Weighted(pairs=sums, squares=meat)

    def _held(self, pairs: pa.Table) -> Table:
        """The flows of some pairs that are not zero, with their places; `t` is the period's."""
        places = self.engine.memory("flow_pairs", pairs)
        labels = pa.table({"period": list(self.periods), "t": pa.array(range(len(self.periods)), pa.int32())})
        periods = self.engine.memory("flow_periods", labels)
        held = self.cells.filter(self.cells.flow != number(0))
        return held.inner_join(places, ["origin", "destination"]).inner_join(periods, "period")

    def _solution(self, name: str, solutions: Sequence[Solution], k: int) -> Table:
        """Kernel and regressors by pair."""
        parts = []
        for n, s in enumerate(solutions):
            i, j = np.indices(s.kernel.shape).reshape(2, -1)
            values = {f"x{m}": s.x[m].ravel() for m in range(k)}
            parts.append(pa.table({"block": np.full(i.size, n), "i": i, "j": j, "e": s.kernel.ravel()} | values))
        return self.engine.memory(name, pa.concat_tables(parts))

    def _effects(self, name: str, end: str, multiplier: str, part: str, solutions: Sequence[Solution]) -> Table:
        """Multipliers and effects in the regressors by period and origin, or destination."""
        parts = []
        for n, s in enumerate(solutions):
            own, nets = (s.rows, s.row_parts) if end == "i" else (s.columns, s.column_parts)
            t, place = np.indices(own.shape).reshape(2, -1)
            values = {f"{part}{m}": nets[..., m].ravel() for m in range(nets.shape[-1])}
            parts.append(pa.table({"block": np.full(t.size, n), "t": t, end: place, multiplier: own.ravel()} | values))
        return self.engine.memory(name, pa.concat_tables(parts))


def flow_sums(
    engine: Engine,
    cells: Table,
    *,
    outcome: str = "trade",
    absent: Literal[0] | None = None,
    regions: Sequence[str] | None = None,
) -> FlowSums:
    """
    Look at a table of cells.

    Parameters
    ----------
    engine
        Where the table is.
    cells
        One row a cell: `origin`, `destination`, `period` and the outcome.
    outcome
        Its column.
    absent
        0 where a cell without a row is a flow of zero; None where every pair must have a row in every period.
    regions
        With `absent`, all regions, so that pairs that never trade count; None: those that the cells name.

    Raises
    ------
    DataError
        If `absent` is another value, a key or an outcome is missing or negative, a cell stands twice, or a pair lacks
        a period.
    """
    if absent not in (None, 0):
        msg = f"absent must be None or 0; found {absent!r}."
        raise DataError(msg)
    needed = ("origin", "destination", "period", outcome)
    lost = [name for name in needed if name not in cells.columns]
    if lost:
        msg = f"The cells have no column {', '.join(map(repr, lost))}; found {', '.join(cells.columns)}."
        raise DataError(msg)
    keys = {name: cells[name].cast("string") for name in needed[:3]}
    table = cells.select(**keys, flow=cells[outcome].cast("float64"))
    _check(engine, table, outcome)
    by_pair = table.group_by(["origin", "destination"]).agg(flow=table.flow.sum(), rows=table.count())
    named = table.group_by("period").agg(rows=table.count()).order_by("period")
    found = {"pairs": engine.fetch(by_pair), "periods": engine.fetch(named)}
    periods = tuple(found["periods"]["period"].to_pylist())
    short = int(np.sum(np.asarray(found["pairs"]["rows"]) < len(periods)))
    if absent is None and short:
        msg = (
            f"{short:,} of {len(found['pairs']):,} pairs lack a row in one of {len(periods):,} periods. Where no row "
            f"means no flow, say absent=0; else sums are not enough: open the cells with Panel.from_parquet."
        )
        raise DataError(msg)
    totals = found["pairs"].select(["origin", "destination", "flow"])
    if absent is not None:
        totals = _with_zeros(totals, regions)
    return FlowSums(engine=engine, cells=table, periods=periods, totals=totals)


def _check(engine: Engine, table: Table, outcome: str) -> None:
    """Refuse what no sum would show."""
    null = table.origin.isnull() | table.destination.isnull() | table.period.isnull() | table.flow.isnull()
    bad = engine.one(
        table.agg(rows=table.count(), null=(null | table.flow.isnan()).sum(), negative=(table.flow < number(0)).sum())
    )
    if not bad["rows"]:
        msg = "The cells are empty."
        raise DataError(msg)
    for kind, words in (
        ("null", "lack a key or the outcome"),
        ("negative", "are negative, and PPML needs none that is"),
    ):
        if bad[kind]:
            msg = f"{int(bad[kind]):,} of {bad['rows']:,} cells {words} (column '{outcome}')."
            raise DataError(msg)
    counted = table.group_by(["origin", "destination", "period"]).agg(rows=table.count())
    twice = engine.one(counted.agg(rows=(counted.rows > 1).sum()))["rows"]
    if twice:
        msg = f"{int(twice):,} cells stand more than once in the table; sum them first."
        raise DataError(msg)


def _with_zeros(totals: pa.Table, regions: Sequence[str] | None) -> pa.Table:
    """Add the pairs of two different regions that never trade."""
    origins, destinations = totals["origin"].to_pylist(), totals["destination"].to_pylist()
    known = sorted({*origins, *destinations}) if regions is None else [str(region) for region in regions]
    there = set(zip(origins, destinations, strict=True))
    more = [(a, b) for a in known for b in known if a != b and (a, b) not in there]
    zeros = pa.table(
        {"origin": [a for a, _ in more], "destination": [b for _, b in more], "flow": [0.0] * len(more)},
        schema=totals.schema,
    )
    return pa.concat_tables([totals, zeros])


def _dense(sums: pa.Table, block: int, places: tuple[str, str], shape: tuple[int, int], name: str = "flow") -> Floats:
    """Sums of one block by two places, 0 where there are none."""
    out = np.zeros(shape)
    own = np.asarray(sums["block"]) == block
    first, second = (np.asarray(sums[place])[own].astype(np.int64) for place in places)
    out[first, second] = np.asarray(sums[name])[own]
    return out
