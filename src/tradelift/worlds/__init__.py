"""Simulated programmes with a known truth."""

from tradelift.worlds.panels import PanelDraw, draw_panel
from tradelift.worlds.simulation import simulate
from tradelift.worlds.truth import Truth

__all__ = ["PanelDraw", "Truth", "draw_panel", "simulate"]
