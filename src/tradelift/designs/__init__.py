"""Identification strategies, one file each, and the path that they share."""

from tradelift.designs.comparison import Comparison, compare, conclude
from tradelift.designs.correlogram import ResidualCorrelogram, residual_correlogram
from tradelift.designs.correlogram_finding import Correlogram
from tradelift.designs.gravity import Gravity
from tradelift.designs.prediction import Prediction, predict
from tradelift.designs.spatial import (
    Balance,
    Balanced,
    GroupInfluence,
    Matching,
    SameFlows,
    SingleGroups,
    SpatialRD,
    is_polygons,
    outlines,
    shared_borders,
)
from tradelift.designs.task import Finding, Task, records, task_json

__all__ = [
    "Balance",
    "Balanced",
    "Comparison",
    "Correlogram",
    "Finding",
    "Gravity",
    "GroupInfluence",
    "Matching",
    "Prediction",
    "ResidualCorrelogram",
    "SameFlows",
    "SingleGroups",
    "SpatialRD",
    "Task",
    "compare",
    "conclude",
    "is_polygons",
    "outlines",
    "predict",
    "records",
    "residual_correlogram",
    "shared_borders",
    "task_json",
]
