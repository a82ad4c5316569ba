"""The report: one page that needs no network, with its tables and figures as files beside it."""

from tradelift.report.document import write_report
from tradelift.report.figures import figure_svg

__all__ = ["figure_svg", "write_report"]
