"""An exhibit: what it needs, what it plans to estimate, what it shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.exhibits.shown import Shown
from tradelift.panel import Panel
from tradelift.study import Study

Plan = Callable[[Study, Panel], dict[str, Task]]
Show = Callable[[Study, Panel, Mapping[str, Finding]], Shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """
    One section of the report.

    Parameters
    ----------
    name
        As in `--only`, estimates.csv and file names.
    title
        As in the report.
    needs
        Of "partners", "coordinates", "trade" and "explanation".
    plan
        From study and panel to the tasks that the pipeline estimates, by column.
    show
        From study, panel and what those tasks found to what is shown; it computes no estimate.
    """

    name: str
    title: str
    needs: frozenset[str]
    plan: Plan
    show: Show


def nothing(_study: Study, _panel: Panel) -> dict[str, Task]:
    """Plan no estimate: the exhibit describes the panel."""
    return {}


def missing(exhibit: Exhibit, study: Study, panel: Panel) -> str | None:
    """
    Tell what an exhibit lacks.

    Parameters
    ----------
    exhibit
        Of `EXHIBITS`.
    study, panel
        What there is.

    Returns
    -------
    "absent: give X", or None where nothing is missing.
    """
    has = {
        "partners": panel.programme is not None,
        "coordinates": _has_coordinates(panel),
        "trade": "trade" in panel.names,
    }
    has["explanation"] = has["partners"] or has["coordinates"] or bool(study.model.controls)
    say = {
        "partners": "partners",
        "coordinates": "longitude and latitude of the regions",
        "trade": "a column of flows called trade",
        "explanation": "partners, coordinates of the regions, or controls",
    }
    lacking = [say[need] for need in say if need in exhibit.needs and not has[need]]
    return f"absent: give {' and '.join(lacking)}" if lacking else None


def _has_coordinates(panel: Panel) -> bool:
    lon, lat = panel.regions.longitude, panel.regions.latitude
    return lon is not None and lat is not None and bool(np.any(np.isfinite(lon) & np.isfinite(lat)))
