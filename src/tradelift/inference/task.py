"""Randomization as a task: what an exhibit plans and the pipeline estimates once."""

from dataclasses import dataclass

from tradelift.inference.randomization import randomize
from tradelift.inference.randomized import Randomized
from tradelift.inference.treatment import Comparing
from tradelift.panel import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomization:
    """
    Randomization of a design, to be done later.

    Parameters
    ----------
    design, scheme, draws, seed, studentized, refit, interval
        As in `randomize`.
    """

    design: Comparing
    scheme: str = "relabel"
    draws: int = 999
    seed: int = 1
    studentized: bool = False
    refit: bool = False
    interval: bool = True

    def estimate(self, panel: Panel) -> Randomized:
        """
        Randomize the design on a panel.

        Raises
        ------
        DesignError, ConvergenceError
            As `randomize` does.
        """
        return randomize(
            self.design,
            panel,
            scheme=self.scheme,
            draws=self.draws,
            seed=self.seed,
            studentized=self.studentized,
            refit=self.refit,
            interval=self.interval,
        )
