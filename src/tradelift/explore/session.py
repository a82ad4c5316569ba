"""A finished run in memory, and what was estimated on it since."""

from collections.abc import Iterator
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

    def curve(self, choice: Choice) -> Iterator[tuple[float, Estimate]]:
        """
        Yield estimates along the study's grid of bandwidths, and at the bandwidth that was chosen.

        Bandwidths where there is none are left out.
        """
        if choice.design == GRAVITY:
            return
        for km in sorted({*self.study.grid_km, self.study.model.bandwidth_km, choice.bandwidth_km}):
            try:
                yield km, self.estimate(choice.at(km))
            except (DesignError, ConvergenceError):
                continue
