"""One period at a time: sort the rows out, then sum them; reasons and sums come from the same sorted rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import Table, Value

from tradelift.log.concentration import concentrate
from tradelift.log.contract import Columns
from tradelift.log.duplicates import HASH, RAW, Duplicates, row_hash
from tradelift.log.engine import Engine, Near, Plan
from tradelift.log.flows import sum_categories, sum_cells, sum_reasons
from tradelift.log.grouping import Ints, Keys, NotHereError
from tradelift.log.here import Ranking, sum_here
from tradelift.log.narrow import narrow, places_by_id
from tradelift.log.quality import final_reason, normalise, own_reason, panel_pair
from tradelift.log.source import Bounds

SIDES = {"seller": "sent", "buyer": "received"}


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
    """The log's rows as ids, money, time and `own_reason`; `raw`: beside them what tells rows apart."""
    beside: dict[str, Any] = {HASH: rows[HASH]} if raw else {}
    if raw and not columns.has_line_ids:
        beside |= {f"{RAW}{k}": rows[name] for k, name in enumerate(columns.every)}
    out = rows.select(**normalise(rows, columns, rules.digits, rules.window), **beside)
    out = out.mutate(own_reason=own_reason(out, columns, rules.keep))
    return out.drop("time_given", "time_read", "outside")


def sort_out(
    engine: Engine,
    rows: Table,
    columns: Columns,
    rules: Rules,
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
    suspects
        Those of `Duplicates` that are of this period; None where the log has none.
    places
        The regions: `place`, `code`, `side`.
    edges
        Where a next period begins within the rows, as the log's clock shows it.

    Returns
    -------
    `sent` and `received`, `amount`, `reason`, and `seller`, `buyer`, `transaction`, `category` where they are mapped.
    `sent` is the period's position, the origin and the destination as one number, to base `Rules.width`, where the last
    code stands for what the panel does not hold; null where the origin is not known. `received` has the destination
    before the origin.
    """
    unique = ibis.literal(False)
    if suspects is None:
        return _placed(by_role(rows, columns, rules).mutate(duplicate=unique), places, rules, edges)
    fresh = rows.mutate(**{HASH: row_hash(engine, rows, columns)}).anti_join(suspects, HASH)
    fresh = by_role(fresh, columns, rules).mutate(duplicate=unique)
    return _placed(fresh.union(suspects.select(fresh.columns).cast(fresh.schema())), places, rules, edges)


def _placed(rows: Table, places: Table, rules: Rules, edges: Sequence[datetime]) -> Table:
    origins = places.select(origin_place=places.place, o=places.code, o_side=places.side)
    destinations = places.select(destination_place=places.place, d=places.code, d_side=places.side)
    rows = rows.left_join(origins, rows.origin == origins.origin_place)
    rows = rows.left_join(destinations, rows.destination == destinations.destination_place)
    rows = rows.mutate(in_panel=panel_pair(rows, two_sided=rules.two_sided, domestic=rules.domestic))
    rows = rows.mutate(reason=final_reason(rows, two_sided=rules.two_sided))
    p, width = position(rows.time, edges), rules.width
    flows = {
        name: (p * width + rows[home]) * width + ibis.ifelse(rows.in_panel, rows[away], width - 1)
        for name, home, away in (("sent", "o", "d"), ("received", "d", "o"))
    }
    wanted = ("category", "seller", "buyer", "transaction", "amount", "reason")
    return rows.select(*[rows[name] for name in wanted if name in rows.columns], **flows)


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
    engine, columns, rules, places, edges
        As in `sort_out`.
    found
        The log's duplicates.
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
        self._plans: dict[Any, Plan] = {}

    def period(self, rows: Table, bounds: Bounds) -> "PeriodSums":
        """Sum a period's rows, given as they stand in the files: by loops of this process, or else by the engine."""
        rows, suspects = self._named(rows, bounds, rest=False)
        found = self._here(rows, suspects)
        if found is None:
            found = self._engine.fetch_all(self._plan(rows, "sums", lambda: self._sums(rows, suspects)))
        return PeriodSums(cells=found["cells"], by_category=found.get("by_category"), reasons=found["reasons"])

    def _sums(self, rows: Table, suspects: Table | None) -> dict[str, Table]:
        shared = self._engine.share("sorted_rows", self._sort_out(rows, suspects))
        return sums(self._engine, shared, self._rules)

    def _here(self, rows: Table, suspects: Table | None) -> dict[str, pa.Table] | None:
        """What the loops make of the rows; None where there are none, or the engine must do it."""
        near = self._engine.near
        if near is None:
            return None
        found = near.few(self._plan(rows, "near", lambda: {"rows": narrow(near, self._sort_out(rows, suspects))}))
        if found is None:
            return None
        how = Ranking(
            width=self._rules.width,
            share=self._rules.share,
            rounding=self._rules.rounding,
            order=lambda who, keys: self._by_id(near, rows, who, keys),
        )
        try:
            return sum_here(found, how)
        except NotHereError:
            return None

    def _by_id(self, near: Near, rows: Table, who: str, keys: Keys) -> Ints:
        """Places of some people by id as text."""
        some = self._engine.memory(f"equal_{who}s", pa.table({"key": keys}))
        column = rows[self._columns.names[who]]
        plan = self._plan(rows, who, lambda: {"places": places_by_id(near, column, rows, some)})
        found = self._engine.fetch_all(plan)["places"].sort_by("key")
        if len(found) != len(keys):
            raise NotHereError
        return np.asarray(found["place"].to_numpy())

    def _plan(self, rows: Table, name: str, parts: Callable[[], Mapping[str, Table]]) -> Plan:
        """Translate once; files of one log may hold whole numbers of different widths."""
        key = rows.schema(), name
        if key not in self._plans:
            self._plans[key] = self._engine.plan(parts())
        return self._plans[key]

    def rest(self, rows: Table, window: Bounds) -> pa.Table:
        """Rows and money by reason of the rows outside the window."""
        return self._engine.fetch(sum_reasons(self._sort_out(*self._named(rows, window, rest=True))))

    def _named(self, rows: Table, bounds: Bounds, *, rest: bool) -> tuple[Table, Table | None]:
        """Rows and their suspects under names that stay while the rows change."""
        rows = self._engine.name("period_rows", rows)
        suspects = self._found.suspects
        if suspects is not None:
            inside = (suspects.time >= bounds[0]) & (suspects.time < bounds[1])
            inside = ~ibis.coalesce(inside, False) if rest else inside
            suspects = self._engine.name("period_suspects", suspects.filter(inside))
        return rows, suspects

    def _sort_out(self, rows: Table, suspects: Table | None) -> Table:
        engine, columns, rules = self._engine, self._columns, self._rules
        return sort_out(engine, rows, columns, rules, suspects, self._places, self._edges)


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


def sums(engine: Engine, rows: Table, rules: Rules) -> dict[str, Table]:
    """The fields of `PeriodSums` as expressions over the sorted rows of a period."""
    width = rules.width
    cells = sum_cells(rows, width)
    for who, flow in SIDES.items():
        if who in rows.columns:
            ratios = concentrate(engine, rows, who, flow, width, rules.share, rules.rounding)
            cell = ratios.flow
            if flow == "received":
                cell = ((cell // width**2) * width + cell % width) * width + cell // width % width
            ratios = ratios.mutate(flow=cell).rename({f"{who}_{name}": name for name in ratios.columns})
            cells = cells.left_join(ratios, cells.cell == ratios[f"{who}_flow"]).drop(f"{who}_flow")
    by_category = {"by_category": sum_categories(rows)} if "category" in rows.columns else {}
    return {"cells": cells, **by_category, "reasons": sum_reasons(rows)}
