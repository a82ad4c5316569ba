"""
Disclosure control: which cells and ratios of a panel would tell others about one seller or buyer.

A cell is masked if it has fewer contributors than a minimum, or if the second largest contributor could estimate the
largest within p percent (the p% rule). A ratio is masked if its top group, or the rest, has fewer members than a
minimum. Columns whose contributors the panel does not count are withheld as a whole. A cell without sales stays: it has
no contributor.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import fsum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tradelift.errors import DataError
from tradelift.log.disclosure_report import Count, DisclosureReport

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WHO = ("seller", "buyer")
LOGGED = frozenset({"trade", "trade_minor", "deals", "lines", "refunds"}) | {
    name
    for who in WHO
    for name in (
        f"{who}s", f"{who}_concentration", f"{who}_concentration_flow", f"{who}_concentration_city",
        f"top_{who}_trade", f"other_{who}_trade", f"{who}_share_1", f"{who}_share_2",
    )
}  # fmt: skip
"""The columns of a panel that come from its log."""

KEYS = ("origin", "destination", "period", "category")
DERIVED = ("domestic", "distance_km", "direction", "partner", "control_type")
"""What the panel computes from the map and the partner list; no transaction is in it."""

MASKED = "masked"
"""The column that says which values of a row were masked."""

SINGLE = "the share of one seller or buyer"
UNCOUNTED = "how many contribute is not counted"
NO_COUNT = "contributors unknown"
SLACK = 1e-12  # of the total: shares given as floats decide a tie for masking


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What may leave.

    Parameters
    ----------
    contributors
        Least number of sellers, and of buyers, of a cell.
    p
        Percent: how near the second largest contributor may not come to the largest one's amount.
    top
        Least number of members of a ratio's top group, and of the rest.
    share, ranking, rounding
        How the study's ratios rank and cut.
    digits
        Minor digits of the currency of `trade_minor`.
    """

    contributors: int = 10
    p: int = 10
    top: int = 3
    share: float = 0.1
    ranking: str = "flow"
    rounding: str = "floor"
    digits: int = 2


def disclose(cells: pa.Table, rules: Rules, covariates: Sequence[str] | None) -> tuple[pa.Table, DisclosureReport]:
    """
    Mask what cells would tell about one contributor.

    Parameters
    ----------
    cells
        Of a panel: `origin`, `destination`, `period`, `trade`, `sellers`, `buyers`, the largest two shares of each, and
        what else it has. Where `trade_minor` is there, the p% rule is decided in integers.
    rules
        What may leave.
    covariates
        Columns that no transaction is in; None: all but the keys and what the panel computes are taken for flows.

    Returns
    -------
    The cells with nulls in place of what is masked, without the columns that are withheld, and with a column `masked`:
    "", "cell", "seller ratios", "buyer ratios", "seller and buyer ratios"; and what was masked, by reason.

    Raises
    ------
    DataError
        If the panel does not hold what the rules need, or has a column `masked`.
    """
    refuse_unjudged(cells.column_names)
    withheld = _withheld(cells, rules)
    free = (*KEYS, *DERIVED, *(covariates or ()))
    empty = _empty(cells, [name for name in cells.column_names if name not in (*free, *withheld)])
    reasons = dict(_cell_reasons(cells, rules, empty))
    masked: Bools = np.logical_or.reduce(list(reasons.values()))
    narrow = {who: ~masked & _narrow(cells, who, rules) for who in WHO}
    out: dict[str, Any] = {}
    for name in cells.column_names:
        if name in withheld:
            continue
        hidden = np.zeros(len(masked), dtype=bool) if name in free else masked
        for who in WHO:
            if name in ratios(who):
                hidden = hidden | narrow[who]
        out[name] = _without(cells[name], hidden)
    report = _report(cells, rules, reasons, narrow, withheld)
    return _nulls(pa.table(out)).append_column(MASKED, _marks(masked, *narrow.values())), report


def public_cells(cells: pa.Table, rules: Rules) -> tuple[pa.Table, DisclosureReport]:
    """Leave cells as they are, because whoever answers for them says that they are public."""
    whole = _count("all", cells, np.ones(cells.num_rows, dtype=bool), rules)
    return _nulls(cells), DisclosureReport(total=whole, released=whole, public=True)


def refuse_unjudged(names: Sequence[str]) -> None:
    """
    Refuse a panel that cannot be judged.

    Raises
    ------
    DataError
        If it lacks the numbers of contributors or the largest ones' shares, or has a column `masked`.
    """
    needed = ("trade", *(f"{who}s" for who in WHO), *(f"{who}_share_{k}" for who in WHO for k in (1, 2)))
    lacking = [name for name in needed if name not in names]
    if lacking:
        msg = (
            f"This panel cannot be judged: it has no column {', '.join(lacking)}, so nobody can say whose trade its "
            "cells would show. Map seller and buyer under `columns` of the study's transactions, or give --public if "
            "the flows are public."
        )
        raise DataError(msg)
    if MASKED in names:
        msg = f"The panel has a column '{MASKED}' already; rename it in the study's files."
        raise DataError(msg)


def _empty(cells: pa.Table, flows: Sequence[str]) -> Bools:
    """Cells in which nothing was traded by anybody: every flow is 0 or missing."""
    out = np.ones(cells.num_rows, dtype=bool)
    for name in flows:
        column = cells[name]
        if pa.types.is_string(column.type):
            out &= np.asarray(column.is_null().to_numpy())
        else:
            out &= np.nan_to_num(_floats(cells, name)) == 0
    return out


def _cell_reasons(cells: pa.Table, rules: Rules, empty: Bools) -> Iterator[tuple[str, Bools]]:
    """Why cells are masked; each cell under the first reason that holds."""
    trade = _floats(cells, "trade")
    counts = {who: _floats(cells, f"{who}s") for who in WHO}
    free = empty
    unknown = ~free & np.logical_or.reduce([np.isnan(x) for x in (trade, *counts.values())])
    free = free | unknown
    yield NO_COUNT, unknown
    for who, n in counts.items():
        few = ~free & (n < rules.contributors)
        free = free | few
        yield f"fewer than {rules.contributors} {who}s", few
    for who in WHO:
        dominated = ~free & _dominated(cells, who, rules.p)
        free = free | dominated
        yield f"p% rule at {rules.p}: {who}s", dominated


def _dominated(cells: pa.Table, who: str, p: int) -> Bools:
    """Whether total - x1 - x2 < p/100 x1: what the second largest does not know of the rest is less than that."""
    shares = [_floats(cells, f"{who}_share_{k}") for k in (1, 2)]
    unknown = np.isnan(shares[0]) | np.isnan(shares[1])
    first, second = (np.nan_to_num(share) for share in shares)
    if "trade_minor" not in cells.column_names:
        return unknown | (100 * (1 - first - second) < p * first + 100 * SLACK)
    total = np.asarray(cells["trade_minor"].cast(pa.int64()).fill_null(0).to_numpy())
    x1, x2 = (np.rint(share * total).astype(np.int64) for share in (first, second))  # the money that the shares are of
    return unknown | is_within(total - x1 - x2, x1, p)


def is_within(rest: Ints, largest: Ints, p: int) -> Bools:
    """
    Apply the p% rule: whether what the second largest does not know, the rest, is less than p percent of the largest.

    Parameters
    ----------
    rest, largest
        In minor units, shape (N,).
    p
        Percent.
    """
    whole, part = np.divmod(largest, 100)  # without a product that could exceed 64 bits
    near: Bools = rest < p * whole + -(-p * part // 100)
    return near


def _narrow(cells: pa.Table, who: str, rules: Rules) -> Bools:
    """Whether the ratio's top group, or the rest, has too few members."""
    n = np.nan_to_num(_floats(cells, f"{who}s")).astype(np.int64)
    share = Fraction(str(rules.share))
    whole = n * share.numerator // share.denominator
    top = whole if rules.rounding == "floor" else -(-n * share.numerator // share.denominator)
    narrow: Bools = (n > 0) & ((top < rules.top) | (n - top < rules.top))
    return narrow


def ratios(who: str) -> tuple[str, ...]:
    """The columns that tell what the top group has."""
    return f"{who}_concentration", f"{who}_concentration_flow", f"top_{who}_trade", f"other_{who}_trade"


def _withheld(cells: pa.Table, rules: Rules) -> dict[str, str]:
    """Columns that never leave, and why."""
    out = {f"{who}_share_{k}": SINGLE for who in WHO for k in (1, 2)}
    city = [f"{who}_concentration_city" for who in WHO]
    if rules.ranking == "city":
        # how many of the city's largest sell within the cell does not stand in the panel
        city += [name for who in WHO for name in (f"{who}_concentration", f"top_{who}_trade", f"other_{who}_trade")]
    out |= dict.fromkeys((*city, "refunds"), UNCOUNTED)
    return {name: why for name, why in out.items() if name in cells.column_names}


def _without(column: pa.ChunkedArray, hidden: Bools) -> pa.ChunkedArray:
    """Put a null in the place of what is hidden."""
    if not hidden.any():
        return column
    return pc.if_else(pa.array(~hidden), column, pa.scalar(None, column.type))


def _nulls(cells: pa.Table) -> pa.Table:
    """Null, not NaN, where a number is not known: readers of every format take it for missing."""
    columns = {
        name: pc.if_else(pc.is_nan(cells[name]), pa.scalar(None, cells[name].type), cells[name])
        if pa.types.is_floating(cells[name].type)
        else cells[name]
        for name in cells.column_names
    }
    return pa.table(columns)


def _marks(masked: Bools, seller: Bools, buyer: Bools) -> pa.Array:
    """What is masked in each row."""
    words = np.array(["", "seller ratios", "buyer ratios", "seller and buyer ratios", "cell"])
    return pa.array(words[np.where(masked, 4, seller.astype(int) + 2 * buyer)], pa.string())


def _report(
    cells: pa.Table,
    rules: Rules,
    reasons: Mapping[str, Bools],
    narrow: Mapping[str, Bools],
    withheld: Mapping[str, str],
) -> DisclosureReport:
    """Count what was masked."""
    everything = np.ones(cells.num_rows, dtype=bool)
    released = ~np.logical_or.reduce(list(reasons.values()))
    few = f"fewer than {rules.top} in the top group or the rest"
    return DisclosureReport(
        total=_count("all", cells, everything, rules),
        released=_count("released", cells, released, rules),
        masked=tuple(_count(why, cells, rows, rules) for why, rows in reasons.items()),
        ratios=tuple(_count(f"{who} ratios masked, {few}", cells, rows, rules) for who, rows in narrow.items()),
        withheld=tuple(withheld.items()),
    )


def _count(reason: str, cells: pa.Table, rows: Bools, rules: Rules) -> Count:
    """Cells and their trade: exact where there are minor units."""
    if "trade_minor" in cells.column_names:
        money = Decimal(sum(cells["trade_minor"].filter(pa.array(rows)).drop_null().to_pylist()))
        return Count(reason=reason, cells=int(rows.sum()), trade=money.scaleb(-rules.digits))
    known = fsum(np.nan_to_num(_floats(cells, "trade")[rows])) if "trade" in cells.column_names else 0.0
    return Count(reason=reason, cells=int(rows.sum()), trade=Decimal(repr(known)))


def _floats(cells: pa.Table, name: str) -> Floats:
    """A column of numbers; NaN where it is missing."""
    return np.asarray(cells[name].cast(pa.float64()).fill_null(np.nan).to_numpy())
