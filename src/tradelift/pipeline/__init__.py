"""The steps of a run: workspace, cache, progress, account, manifest."""

from tradelift.pipeline.repetition import Repetition, repeat
from tradelift.pipeline.results import ExhibitResult, Results
from tradelift.pipeline.steps import build_panel, check, demo, run
from tradelift.pipeline.truth import beside_truth

__all__ = [
    "ExhibitResult",
    "Repetition",
    "Results",
    "beside_truth",
    "build_panel",
    "check",
    "demo",
    "repeat",
    "run",
]
