"""How much does pairing two regions lift the trade between them?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tradelift.errors import ConvergenceError, DataError, DesignError, StudyError

if TYPE_CHECKING:
    from tradelift.designs import Gravity as Gravity
    from tradelift.designs import Matching as Matching
    from tradelift.designs import SpatialRD as SpatialRD
    from tradelift.designs import residual_correlogram as residual_correlogram
    from tradelift.designs import shared_borders as shared_borders
    from tradelift.estimate import Estimate as Estimate
    from tradelift.inference import benjamini_hochberg as benjamini_hochberg
    from tradelift.inference import randomize as randomize
    from tradelift.inference import romano_wolf as romano_wolf
    from tradelift.panel import Panel as Panel
    from tradelift.pipeline import run as run
    from tradelift.report import table as table
    from tradelift.study import Study as Study
    from tradelift.study import read_study as read_study

__version__ = "0.1.0"

# loaded at first use, so that `import tradelift` costs nothing
_ROOMS = {
    "Estimate": "estimate",
    "Gravity": "designs",
    "Matching": "designs",
    "Panel": "panel",
    "SpatialRD": "designs",
    "Study": "study",
    "benjamini_hochberg": "inference",
    "randomize": "inference",
    "read_study": "study",
    "residual_correlogram": "designs",
    "romano_wolf": "inference",
    "run": "pipeline",
    "shared_borders": "designs",
    "table": "report",
}

__all__ = [
    "ConvergenceError",
    "DataError",
    "DesignError",
    "Estimate",
    "Gravity",
    "Matching",
    "Panel",
    "SpatialRD",
    "Study",
    "StudyError",
    "benjamini_hochberg",
    "randomize",
    "read_study",
    "residual_correlogram",
    "romano_wolf",
    "run",
    "shared_borders",
    "table",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        msg = f"tradelift has no '{name}'; it has {', '.join(__all__)}."
        raise AttributeError(msg)
    return getattr(import_module(f"tradelift.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
