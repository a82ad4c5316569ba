"""From a transaction log to the cells of a panel; the only room that knows Ibis and its engines."""

from tradelift.log.reading import Log, read_log

__all__ = ["Log", "read_log"]
