"""The steps of a run: workspace, cache, progress, account, manifest."""

from tradelift.pipeline.results import ExhibitResult, Results
from tradelift.pipeline.steps import build_panel, check, demo, run

__all__ = ["ExhibitResult", "Results", "build_panel", "check", "demo", "run"]
