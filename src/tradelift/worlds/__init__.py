"""Simulated programmes with a known truth."""

from tradelift.worlds.simulation import simulate
from tradelift.worlds.truth import Truth

__all__ = ["Truth", "simulate"]
