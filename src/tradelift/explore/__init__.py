"""Look at a finished run in a browser: choose outcome, design, bandwidth, controls and errors, and see what follows."""

from tradelift.explore.server import serve

__all__ = ["serve"]
