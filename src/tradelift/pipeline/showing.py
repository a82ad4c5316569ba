"""Exhibits from their plans to what they show, each as soon as its estimates are there."""

from collections.abc import Callable, Mapping
from contextlib import closing

from tradelift.designs import Finding, Task, task_json
from tradelift.errors import ConvergenceError, DesignError
from tradelift.exhibits import Exhibit
from tradelift.panel import Panel
from tradelift.pipeline.cache import EstimateCache, Recalled
from tradelift.pipeline.results import ExhibitResult, finding_rows
from tradelift.study import Study


def show_all(
    chosen: Mapping[str, Exhibit], study: Study, panel: Panel, cache: EstimateCache, done: Callable[[int, int], None]
) -> dict[str, ExhibitResult]:
    """
    Estimate what exhibits plan, each distinct task once, and let them show it.

    Parameters
    ----------
    chosen
        By name, in the order of the report; the inputs allow them all.
    study, panel
        What there is.
    cache
        Of estimates.
    done
        Called with how many of how many estimates are ready.
    """
    plans = {name: exhibit.plan(study, panel) for name, exhibit in chosen.items()}
    planned = [task for plan in plans.values() for task in plan.values()]
    results, ready = {}, set[str]()
    with closing(cache.prepare(planned, panel, done)) as arriving:
        for name, plan in plans.items():
            wanted = {task_json(task) for task in plan.values()}
            while not wanted <= ready:
                ready.add(next(arriving))
            results[name] = _show(chosen[name], study, panel, plan, cache)  # while processes estimate for the next
    return results


def _show(
    exhibit: Exhibit, study: Study, panel: Panel, plan: Mapping[str, Task], cache: EstimateCache
) -> ExhibitResult:  # fmt: skip
    """Show an exhibit; what it found is in memory as long as that takes. A column that is refused costs no other."""
    found: dict[str, Finding] = {}
    refused: dict[str, str] = {}
    for column, task in plan.items():
        try:
            found[column] = cache.estimate(task, panel)
        except (DesignError, ConvergenceError) as error:
            refused[column] = str(error)
    return ExhibitResult(
        estimates=Recalled({column: plan[column] for column in found}, cache, panel),
        rows=tuple(finding_rows(exhibit.name, found)),
        refused=refused,
        shown=exhibit.shown(study, panel, found, refused),
    )
