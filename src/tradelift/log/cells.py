"""The columns of cells as the panel has them, from codes and integer sums."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.study.inputs import Concentration

Floats = NDArray[np.float64]


def published(
    cells: pa.Table, periods: Sequence[str], ids: list[str], digits: int, concentration: Concentration
) -> pa.Table:
    """
    Cells with ids, currency units and ratios, sorted by period, origin and destination (and category).

    Parameters
    ----------
    cells
        Sums, as `PeriodSums` has them.
    periods
        Label of each position that a period has in the cells' numbers.
    ids
        The region of each code.
    digits
        Minor digits of the currency.
    concentration
        The study's reading of the ratios.
    """
    cells = cells.sort_by([(name, "ascending") for name in ("cell", "category") if name in cells.column_names])
    places = pa.array(ids, pa.string())
    position, pair = np.divmod(np.asarray(cells["cell"].to_numpy()), (len(ids) + 1) ** 2)
    origin, destination = np.divmod(pair, len(ids) + 1)
    trade = _integers(cells, "trade_minor")
    out: dict[str, pa.Array | pa.ChunkedArray | NDArray[np.generic]] = {
        "origin": places.take(pa.array(origin)),
        "destination": places.take(pa.array(destination)),
        "period": pa.array(periods, pa.string()).take(pa.array(position)),
    }
    if "category" in cells.column_names:
        out["category"] = cells["category"]
    unit = 10.0**digits
    out["trade"] = trade / unit
    out["trade_minor"] = trade
    out["deals"] = _integers(cells, "deals")
    out["lines"] = _integers(cells, "lines")
    if "refunds_minor" in cells.column_names:
        out["refunds"] = _integers(cells, "refunds_minor") / unit
    for who in ("seller", "buyer"):
        if f"{who}_count" in cells.column_names:
            out |= _ratios(cells, who, trade, unit, concentration)
    return pa.table(out)


def _ratios(
    cells: pa.Table, who: str, trade: NDArray[np.int64], unit: float, how: Concentration
) -> dict[str, NDArray[np.generic]]:
    """Concentration of one kind of trader: percent, money and the largest two's shares."""
    count = _integers(cells, f"{who}_count")
    out: dict[str, NDArray[np.generic]] = {f"{who}s": count}
    ratios = {}
    tops = {}
    for reading in ("flow", "city"):
        tops[reading] = _integers(cells, f"{who}_top_{reading}").astype(np.float64)
        if f"{who}_part_{reading}" in cells.column_names:
            tops[reading] += _floats(cells, f"{who}_part_{reading}")
        ranked = _integers(cells, f"{who}_count_{reading}")
        defined = (trade > 0) & ((how.rounding != "floor") | (top_count(ranked, how.share) > 0))
        ratios[reading] = np.divide(100.0 * tops[reading], trade, out=np.full(len(trade), np.nan), where=defined)
    out[f"{who}_concentration"] = ratios[how.ranking]
    out |= {f"{who}_concentration_{reading}": values for reading, values in ratios.items()}
    out[f"top_{who}_trade"] = tops[how.ranking] / unit
    out[f"other_{who}_trade"] = (trade - tops[how.ranking]) / unit
    for k, name in enumerate(("first", "second"), start=1):
        money = _integers(cells, f"{who}_{name}").astype(np.float64)
        out[f"{who}_share_{k}"] = np.divide(money, trade, out=np.full(len(trade), np.nan), where=trade > 0)
    return out


def top_count(ranked: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """How many are wholly in the top, in exact arithmetic: .1 of 30 is 3."""
    exact = Fraction(str(share))
    return ranked * exact.numerator // exact.denominator


def _integers(cells: pa.Table, name: str) -> NDArray[np.int64]:
    """A column of counts or money; 0 where a cell has only refunds."""
    return np.asarray(cells[name].cast(pa.int64()).fill_null(0).to_numpy())


def _floats(cells: pa.Table, name: str) -> Floats:
    return np.asarray(cells[name].cast(pa.float64()).fill_null(0.0).to_numpy())
