"""A finished run in memory, and what was estimated on it since."""

import time
from contextlib import suppress
from pathlib import Path

from tradelift.designs import task_json
from tradelift.errors import ConvergenceError, DesignError
from tradelift.estimate import Estimate
from tradelift.explore.choices import GRAVITY, Choice, Choices, choices, design_of
from tradelift.panel import Panel
from tradelift.pipeline.finished import open_run
from tradelift.pipeline.reopening import reopen
from tradelift.study import Study


class Session:
    """
    Estimates by choice, each made once.

    Parameters
    ----------
    study, panel
        Of a finished run.
    """

    def __init__(self, study: Study, panel: Panel) -> None:
        self.study, self.panel = study, panel
        self.choices: Choices = choices(study, panel)
        self._found: dict[str, Estimate | DesignError | ConvergenceError] = {}

    @classmethod
    def open(cls, folder: str | Path, study: str | Path | None = None) -> "Session":
        """Open a finished run, as `open_run` does."""
        run = open_run(folder, study)
        return cls(run.study, reopen(run))

    def estimate(self, choice: Choice) -> Estimate:
        """
        Estimate a choice, or recall it.

        Raises
        ------
        DesignError, ConvergenceError
            As the design does.
        """
        design = design_of(self.study, choice)
        key = task_json(design)
        if key not in self._found:
            try:
                self._found[key] = design.estimate(self.panel)
            except (DesignError, ConvergenceError) as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, Exception):
            raise found
        return found.with_vcov(choice.vcov)

    def curve(self, choice: Choice, seconds: float) -> tuple[dict[float, Estimate], tuple[float, ...]]:
        """
        Estimate along the study's grid of bandwidths and at the one that was chosen, the nearest first.

        Parameters
        ----------
        choice
            Of spatial RD; gravity has no bandwidth.
        seconds
            After these nothing more is estimated: a page that answers waits for nothing.

        Returns
        -------
        Estimates by bandwidth, without those that there are not; and the bandwidths that were not looked at.
        """
        if choice.design == GRAVITY:
            return {}, ()
        start = time.perf_counter()
        found, left = {}, []
        grid = {*self.study.grid_km, self.study.model.bandwidth_km, choice.bandwidth_km}
        for km in sorted(grid, key=lambda km: abs(km - choice.bandwidth_km)):
            if not self._knows(choice.at(km)) and time.perf_counter() - start > seconds:
                left.append(km)
                continue
            with suppress(DesignError, ConvergenceError):
                found[km] = self.estimate(choice.at(km))
        return dict(sorted(found.items())), tuple(sorted(left))

    def _knows(self, choice: Choice) -> bool:
        return task_json(design_of(self.study, choice)) in self._found
