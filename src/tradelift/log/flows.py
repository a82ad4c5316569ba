"""Sums by cell: money, deals, lines and refunds; and by reason."""

import ibis
from ibis.expr.types import Table

from tradelift.log.contract import CODE, KEPT, REFUND
from tradelift.log.engine import total


def sum_cells(rows: Table, width: int) -> Table:
    """
    One row a cell with sales or refunds.

    Parameters
    ----------
    rows
        Sorted rows: `sent`, `amount`, `reason`, and `transaction` if mapped.
    width
        The base of `sent`; its last digit is width - 1 where the panel does not hold the pair.

    Returns
    -------
    `cell` (period, origin and destination as one number), `trade_minor`, `lines`, `deals` (distinct transactions, or
    lines where there are no ids) and `refunds_minor`; null where a cell has no sales, or no refunds.
    """
    sold = rows.filter(rows.reason == KEPT)
    sales = sold.group_by(cell=sold.sent).agg(
        trade_minor=total(sold.amount),
        lines=sold.count(),
        deals=sold.transaction.nunique() if "transaction" in rows.columns else sold.count(),
    )
    back = rows.filter((rows.reason == CODE[REFUND]) & (rows.sent % width != width - 1))
    refunds = back.group_by(refund_cell=back.sent).agg(refunds_minor=total(-back.amount))
    both = sales.outer_join(refunds, sales.cell == refunds.refund_cell)
    return both.mutate(cell=ibis.coalesce(both.cell, both.refund_cell)).drop("refund_cell")


def sum_categories(rows: Table) -> Table:
    """One row a cell and category with sales: `trade_minor`, `lines`, `deals`."""
    rows = rows.filter(rows.reason == KEPT)
    return rows.group_by(cell=rows.sent, category=rows.category).agg(
        trade_minor=rows.amount.sum(),
        lines=rows.count(),
        deals=rows.transaction.nunique() if "transaction" in rows.columns else rows.count(),
    )


def sum_reasons(rows: Table) -> Table:
    """Rows and money by reason, of the rows that are not kept: those stand in the cells."""
    rows = rows.filter(rows.reason != KEPT)
    return rows.group_by("reason").agg(rows=rows.count(), amount=ibis.coalesce(rows.amount, 0).sum())
