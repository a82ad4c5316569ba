"""Sums by cell: money, deals, lines and refunds; and by reason."""

import ibis
from ibis.expr.types import Table

from tradelift.log.contract import CODE, KEPT, REFUND


def sum_cells(rows: Table, width: int) -> Table:
    """
    One row a cell with sales or refunds.

    Parameters
    ----------
    rows
        Sorted rows: `p`, `o`, `d`, `amount`, `reason`, `in_panel`, and `transaction` if mapped.
    width
        More than any code of a region.

    Returns
    -------
    `cell` (period, origin and destination as one number), `trade_minor`, `lines`, `deals` (distinct transactions, or
    lines where there are no ids) and `refunds_minor`.
    """
    rows = _with_cell(rows.filter(rows.in_panel & ((rows.reason == KEPT) | (rows.reason == CODE[REFUND]))), width)
    sold = rows.reason == KEPT
    deals = rows.transaction.nunique(where=sold) if "transaction" in rows.columns else sold.sum()
    return rows.group_by("cell").agg(
        trade_minor=ibis.ifelse(sold, rows.amount, 0).sum(),
        lines=sold.sum(),
        deals=deals,
        refunds_minor=ibis.ifelse(sold, 0, -rows.amount).sum(),
    )


def sum_categories(rows: Table, width: int) -> Table:
    """One row a cell and category with sales: `trade_minor`, `lines`, `deals`."""
    rows = _with_cell(rows.filter(rows.reason == KEPT), width)
    return rows.group_by(["cell", "category"]).agg(
        trade_minor=rows.amount.sum(),
        lines=rows.count(),
        deals=rows.transaction.nunique() if "transaction" in rows.columns else rows.count(),
    )


def sum_reasons(rows: Table) -> Table:
    """Rows and money by reason."""
    return rows.group_by("reason").agg(rows=rows.count(), amount=ibis.coalesce(rows.amount, 0).sum())


def _with_cell(rows: Table, width: int) -> Table:
    """Name the cell by one number: engines group by one faster than by three."""
    return rows.mutate(cell=(rows.p * width + rows.o) * width + rows.d)
