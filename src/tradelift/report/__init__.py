"""The report: one page that needs no network, with its tables and figures as files beside it."""

from tradelift.report.document import write_report
from tradelift.report.figures import figure_svg
from tradelift.report.own import table

__all__ = ["figure_svg", "table", "write_report"]
