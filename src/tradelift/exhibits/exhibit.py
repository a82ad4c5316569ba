"""An exhibit: what it needs, what it plans to estimate, what it shows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.exhibits.labels import readable
from tradelift.exhibits.mediator_names import FLIGHTS, awareness_mediators, migration_mediators
from tradelift.exhibits.shown import Shown
from tradelift.inference.calendar import are_months
from tradelift.panel import Panel
from tradelift.study import Study

Plan = Callable[[Study, Panel], dict[str, Task]]
Show = Callable[[Study, Panel, Mapping[str, Finding]], Shown]
Explain = Callable[[Study, Panel, Shown, Mapping[str, str]], Shown]


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
        Of "partners", "coordinates", "trade", "explanation", "migration", "awareness", "flights" and "months".
    plan
        From study and panel to the tasks that the pipeline estimates, by column.
    show
        From study, panel and what those tasks found to what is shown; it computes no estimate.
    explain
        From study, panel, what is shown, and why columns could not be estimated to what is shown with that; None for
        a sentence a reason.
    """

    name: str
    title: str
    needs: frozenset[str]
    plan: Plan
    show: Show
    explain: Explain | None = None

    def shown(self, study: Study, panel: Panel, found: Mapping[str, Finding], refused: Mapping[str, str]) -> Shown:
        """
        Show what was found, and say why the rest was not.

        Parameters
        ----------
        study, panel
            What there is.
        found
            By column, what the planned tasks found.
        refused
            Why each other column could not be estimated.
        """
        shown = self.show(study, panel, found)
        if self.explain is not None:
            return self.explain(study, panel, shown, refused)
        return replace(shown, sentences=(*shown.sentences, *refusals(panel, refused)))


def refusals(panel: Panel, refused: Mapping[str, str]) -> Iterator[str]:
    """One sentence a reason, with every column that it holds for."""
    for why in dict.fromkeys(refused.values()):
        columns = [readable(panel, column) for column, other in refused.items() if other == why]
        yield f"Not estimated: {'; '.join(columns)}: {why}"


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
        "coordinates": has_coordinates(panel),
        "trade": "trade" in panel.names,
    }
    has["explanation"] = has["partners"] or has["coordinates"] or bool(study.model.controls)
    has["migration"] = bool(migration_mediators(study))
    has["awareness"] = bool(awareness_mediators(study))
    has["flights"] = FLIGHTS in panel.names
    has["months"] = are_months(panel.periods)
    has["categories"] = panel.goods is not None
    has["traits"] = bool(study.traits)
    has["periods"] = len(panel.periods) > 1
    has["concentration"] = any(name in panel.names for name in ("seller_concentration", "top_seller_trade"))
    say = {
        "partners": "partners",
        "coordinates": "longitude and latitude of the regions",
        "trade": "a column of flows called trade",
        "explanation": "partners, coordinates of the regions, or controls",
        "migration": "migration between regions, its file under `pairs` and its column under `mediators`",
        "awareness": "searches between regions, their file under `pairs` and their column under `mediators`",
        "flights": "direct flights between regions, a column called flights in a file under `pairs`",
        "months": "flows by month, with periods such as 2017-01",
        "categories": "flows by category: the log's column `category`, or `by_category` of `flows`",
        "traits": "traits of pairs under `traits`, such as gdp_gap: log(gdp[east] / gdp[west])",
        "periods": "flows of several periods",
        "concentration": "sellers: the log's column `seller`, or columns seller_concentration and top_seller_trade",
    }
    lacking = [say[need] for need in say if need in exhibit.needs and not has[need]]
    return f"absent: give {' and '.join(lacking)}" if lacking else None


def has_coordinates(panel: Panel) -> bool:
    """Whether the panel knows where some region lies."""
    lon, lat = panel.regions.longitude, panel.regions.latitude
    return lon is not None and lat is not None and bool(np.any(np.isfinite(lon) & np.isfinite(lat)))
