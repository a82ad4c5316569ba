"""The panel of flows and its cells; it does not know where they come from."""

from tradelift.panel.panel import Panel

__all__ = ["Panel"]
