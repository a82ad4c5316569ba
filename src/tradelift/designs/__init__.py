"""Identification strategies, one file each, and the path that they share."""

from tradelift.designs.comparison import Comparison, compare, conclude
from tradelift.designs.gravity import Gravity
from tradelift.designs.prediction import Prediction, predict
from tradelift.designs.task import Finding, Task, task_json

__all__ = ["Comparison", "Finding", "Gravity", "Prediction", "Task", "compare", "conclude", "predict", "task_json"]
