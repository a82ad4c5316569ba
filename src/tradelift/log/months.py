"""One period at a time: sort the rows out, then sum them; reasons and sums come from the same sorted rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

import ibis
import pyarrow as pa
from ibis.expr.types import Table, Value

from tradelift.log.concentration import concentrate
from tradelift.log.contract import Columns
from tradelift.log.duplicates import HASH, RAW, Duplicates, row_hash
from tradelift.log.engine import Engine, Plan
from tradelift.log.flows import sum_categories, sum_cells, sum_reasons
from tradelift.log.quality import final_reason, normalise, own_reason, panel_pair
from tradelift.log.source import Bounds

SIDES = {"seller": "o", "buyer": "d"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What decides about a row and how cells are summed.

    Parameters
    ----------
    keep
        Role to the values that count.
    digits
        Minor digits of the currency.
    window
        First moment and the first after it, as the log's clock shows them.
    two_sided, domestic
        Which pairs the panel holds.
    share, rounding
        Of the concentration ratios.
    width
        More than any code of a region: it makes one number of two codes.
    """

    keep: Mapping[str, tuple[str, ...]]
    digits: int
    window: Bounds
    two_sided: bool
    domestic: bool
    share: Fraction
    rounding: Literal["floor", "ceil", "fraction"]
    width: int


def by_role(rows: Table, columns: Columns, rules: Rules, *, raw: bool = False) -> Table:
    """The log's rows as ids, money, time and `own_reason`; `raw`: beside them the columns that tell rows apart."""
    beside: dict[str, Any] = {}
    if raw and not columns.has_line_ids:
        beside = {f"{RAW}{k}": rows[name] for k, name in enumerate(columns.every)}
    out = rows.select(**normalise(rows, columns, rules.digits, rules.window), **beside)
    out = out.mutate(own_reason=own_reason(out, columns, rules.keep))
    return out.drop("time_given", "time_read", "outside")


def sort_out(
    engine: Engine,
    rows: Table,
    columns: Columns,
    rules: Rules,
    found: Duplicates,
    suspects: Table | None,
    places: Table,
    edges: Sequence[datetime] = (),
) -> Table:
    """
    Give each row its region codes and its reason.

    Parameters
    ----------
    rows
        Of a period, as they stand in the files.
    found, suspects
        The duplicates, and those of the suspects that are of this period.
    places
        The regions: `place`, `code`, `side`.
    edges
        Where a next period begins within the rows, as the log's clock shows it.

    Returns
    -------
    `p` (position of the period, from 0), `o`, `d` (codes or null), `amount`, `reason`, `in_panel`, and `seller`,
    `buyer`, `transaction`, `category` where they are mapped.
    """
    unique = ibis.literal(False)
    if found.hashes is None or suspects is None:
        return _placed(by_role(rows, columns, rules).mutate(duplicate=unique), places, rules, edges)
    fresh = rows.mutate(**{HASH: row_hash(engine, rows, columns)}).anti_join(found.hashes, HASH)
    fresh = by_role(fresh, columns, rules).mutate(duplicate=unique)
    return _placed(fresh.union(suspects.select(fresh.columns).cast(fresh.schema())), places, rules, edges)


def _placed(rows: Table, places: Table, rules: Rules, edges: Sequence[datetime]) -> Table:
    origins = places.select(origin_place=places.place, o=places.code, o_side=places.side)
    destinations = places.select(destination_place=places.place, d=places.code, d_side=places.side)
    rows = rows.left_join(origins, rows.origin == origins.origin_place)
    rows = rows.left_join(destinations, rows.destination == destinations.destination_place)
    rows = rows.mutate(in_panel=panel_pair(rows, two_sided=rules.two_sided, domestic=rules.domestic))
    rows = rows.mutate(reason=final_reason(rows, two_sided=rules.two_sided))
    wanted = ("o", "d", "category", "seller", "buyer", "transaction", "amount", "reason", "in_panel")
    return rows.select(*[rows[name] for name in wanted if name in rows.columns], p=position(rows.time, edges))


def position(time: Value, edges: Sequence[datetime], first: int = 0) -> Value:
    """How many edges a time has reached, found by halving them."""
    if not edges:
        return ibis.literal(first, "int64")
    middle = len(edges) // 2
    later = position(time, edges[middle + 1 :], first + middle + 1)
    return ibis.ifelse(time >= ibis.literal(edges[middle]), later, position(time, edges[:middle], first))


class Sorter:
    """
    Sorts the rows of one period after the other, or of all together, and sums them; it translates expressions once.

    Parameters
    ----------
    engine, columns, rules, found, places, edges
        As in `sort_out`.
    """

    def __init__(
        self,
        engine: Engine,
        columns: Columns,
        rules: Rules,
        found: Duplicates,
        places: Table,
        edges: Sequence[datetime] = (),
    ) -> None:
        self._engine, self._columns, self._rules, self._found, self._places = engine, columns, rules, found, places
        self._edges = edges
        self._sorting: dict[Any, Plan] = {}
        self._summing: dict[str, Plan] | None = None

    def period(self, rows: Table, bounds: Bounds) -> "PeriodSums":
        """Sum a period's rows, given as they stand in the files."""
        plan = self._plan(rows, bounds, rest=False)
        kept = self._engine.keep("sorted_rows", plan)
        if self._summing is None:
            self._summing = {name: self._engine.plan(e) for name, e in sums(kept, self._rules).items()}
        found = {name: self._engine.fetch(plan) for name, plan in self._summing.items()}
        return PeriodSums(cells=found["cells"], by_category=found.get("by_category"), reasons=found["reasons"])

    def rest(self, rows: Table, window: Bounds) -> pa.Table:
        """Rows and money by reason of the rows outside the window."""
        plan = self._plan(rows, window, rest=True)
        return self._engine.fetch(sum_reasons(self._engine.keep("sorted_rows", plan)))

    def _plan(self, rows: Table, bounds: Bounds, *, rest: bool) -> Plan:
        """How to sort out rows with these columns; files of one log may hold whole numbers of different widths."""
        rows = self._engine.name("period_rows", rows)
        suspects = self._found.suspects
        if suspects is not None:
            inside = (suspects.time >= bounds[0]) & (suspects.time < bounds[1])
            inside = ~ibis.coalesce(inside, False) if rest else inside
            suspects = self._engine.name("period_suspects", suspects.filter(inside))
        schema = rows.schema()
        if schema not in self._sorting:
            sorted_ = self._sort_out(rows, suspects)
            self._sorting[schema] = self._engine.plan(sorted_)
        return self._sorting[schema]

    def _sort_out(self, rows: Table, suspects: Table | None) -> Table:
        engine, columns, rules = self._engine, self._columns, self._rules
        return sort_out(engine, rows, columns, rules, self._found, suspects, self._places, self._edges)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeriodSums:
    """
    What leaves the engine of a period, in no order.

    Parameters
    ----------
    cells
        One row a cell, as `sum_cells` and `concentrate` give them, the cell as one number.
    by_category
        One row a cell and category, or None.
    reasons
        Rows and money by reason.
    """

    cells: pa.Table
    by_category: pa.Table | None
    reasons: pa.Table


def sums(rows: Table, rules: Rules) -> dict[str, Table]:
    """The fields of `PeriodSums` as expressions over the sorted rows of a period."""
    width = rules.width
    cells = sum_cells(rows, width)
    for who, home in SIDES.items():
        if who in rows.columns:
            ratios = concentrate(rows, who, home, width, rules.share, rules.rounding)
            flow = ratios.flow
            cell = flow if home == "o" else ((flow // width**2) * width + flow % width) * width + flow // width % width
            ratios = ratios.mutate(flow=cell).rename({f"{who}_{name}": name for name in ratios.columns})
            cells = cells.left_join(ratios, cells.cell == ratios[f"{who}_flow"]).drop(f"{who}_flow")
    by_category = {"by_category": sum_categories(rows, width)} if "category" in rows.columns else {}
    return {"cells": cells, **by_category, "reasons": sum_reasons(rows)}
