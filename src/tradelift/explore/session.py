"""A finished run in memory, and what was estimated on it since."""

import pickle
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tradelift.designs import Task, task_json
from tradelift.errors import ConvergenceError, DesignError
from tradelift.estimate import Estimate
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import size_of
from tradelift.explore.choices import GRAVITY, Choice, Choices, choices, columns_read, course_of, design_of
from tradelift.explore.findings import Findings
from tradelift.explore.reported import is_of_today, reported
from tradelift.panel import Panel
from tradelift.pipeline.cache import KEPT, KeptFindings
from tradelift.pipeline.finished import FinishedRun
from tradelift.pipeline.reopening import reopen
from tradelift.study import Study


class Session:
    """
    Estimates by choice, each made once.

    Parameters
    ----------
    study, panel
        Of a finished run.
    known
        Effects that the run itself found, by the canonical JSON of design and errors.
    kept
        What the run kept of its estimates; None where that is not to be used.
    """

    def __init__(
        self,
        study: Study,
        panel: Panel,
        *,
        known: Mapping[str, Size | None] | None = None,
        kept: KeptFindings | None = None,
    ) -> None:
        self.study, self.panel, self._known, self._kept = study, panel, dict(known or {}), kept
        self.choices: Choices = choices(study, panel)
        self._findings = Findings(panel, kept)

    @classmethod
    def open(cls, run: FinishedRun) -> "Session":
        """Open a finished run, of its panel what can be chosen."""
        panel = reopen(run, columns_read(run.study))
        kept = KeptFindings(folder=run.study.folder / KEPT, digest=run.manifest["panel"]) if is_of_today(run) else None
        return cls(run.study, panel, known=reported(run, panel), kept=kept)

    def hand_over(self, place: Path) -> None:
        """Write the session where another process looks for it."""
        part = place.with_suffix(".part")
        own = self.study, self.panel, self._known, self._kept
        part.write_bytes(pickle.dumps(own, protocol=pickle.HIGHEST_PROTOCOL))
        part.rename(place)

    @classmethod
    def take_over(cls, place: Path) -> "Session":
        """Wait for a session that another process opens."""
        while not place.exists():
            time.sleep(0.02)
        own = pickle.loads(place.read_bytes())  # noqa: S301 - of our own command, in a folder that only its user reads
        study, panel, known, kept = own
        return cls(study, panel, known=known, kept=kept)

    def estimate(self, choice: Choice) -> Estimate:
        """
        Estimate a choice, or recall it.

        Raises
        ------
        DesignError, ConvergenceError
            As the design does.
        """
        return self._findings.find(design_of(self.study, choice)).with_vcov(choice.vcov)

    def course(self, choice: Choice) -> Estimate | None:
        """
        Estimate the effect of gravity by parts of time, or recall it; None where there is nothing to part.

        Raises
        ------
        DesignError, ConvergenceError
            As the design does.
        """
        task = course_of(self.study, self.panel, choice) if choice.design == GRAVITY else None
        return None if task is None else self._findings.find(task).with_vcov(choice.vcov)

    def curve(self, choice: Choice) -> dict[float, Size]:
        """
        Recall what is known of the effects along the study's grid of bandwidths, and at the one that was chosen.

        Returns
        -------
        Effects by bandwidth, without those that there are not; empty for gravity, which has none.
        """
        found = {km: self._size(choice.at(km)) for km in sorted(self._grid(choice)) if self._knows(choice.at(km))}
        return {km: size for km, size in found.items() if size is not None}

    def left(self, choice: Choice) -> tuple[float, ...]:
        """The bandwidths of the curve that are to be estimated, the nearest first."""
        return tuple(km for km in self._grid(choice) if not self._knows(choice.at(km)))

    def begin(self, choice: Choice) -> None:
        """Begin the curve where processes can, while the choice itself is estimated here."""
        others = [km for km in self.left(choice) if km != choice.bandwidth_km]
        self._findings.hand_out(design_of(self.study, choice.at(km)) for km in others)

    def extend(self, choice: Choice) -> bool:
        """Estimate the next bandwidth of the curve, or more; False where none is left."""
        return self._findings.find_next(design_of(self.study, choice.at(km)) for km in self.left(choice))

    def prepare(self, choice: Choice) -> bool:
        """
        Estimate what may be chosen next, with its curve; False where all is known.

        That is another outcome or direction, which the run may hold, then a kind of control pair more or less.
        """
        others = [
            *(
                replace(choice, model=model, direction=direction)
                for model in self.choices.models.values()
                for direction in self.choices.directions.values()
            ),
            *(replace(choice, control_types=kinds) for kinds in self._kinds_beside(choice)),
        ]
        tasks: list[Task | None] = [design_of(self.study, other) for other in others]
        tasks += [course_of(self.study, self.panel, o) for o in others] if choice.design == GRAVITY else []
        tasks += [design_of(self.study, other.at(km)) for other in others for km in self.left(other)]
        return self._findings.find_next((task for task in tasks if task is not None), spare=1)

    def begin_beside(self) -> None:
        """Start processes that estimate, too."""
        self._findings.begin_beside()

    def _kinds_beside(self, choice: Choice) -> list[tuple[int, ...]]:
        """Kinds of control pair with one more or one less than those that were chosen, some left."""
        own = set(choice.control_types)
        return [tuple(sorted(own ^ {kind})) for kind in self.choices.control_types.values() if own != {kind}]

    def _grid(self, choice: Choice) -> list[float]:
        """The bandwidths of a curve, the nearest first."""
        if choice.design == GRAVITY:
            return []
        grid = {*map(float, self.study.grid_km), float(self.study.model.bandwidth_km), choice.bandwidth_km}
        return sorted(grid, key=lambda km: (abs(km - choice.bandwidth_km), km))

    def _knows(self, choice: Choice) -> bool:
        return self._findings.knows(design_of(self.study, choice)) or self._key(choice) in self._known

    def _size(self, choice: Choice) -> Size | None:
        """The effect of what is known, as the run has it, else as it was estimated here; None where there is none."""
        key = self._key(choice)
        if key in self._known:
            return self._known[key]
        with suppress(DesignError, ConvergenceError):
            return size_of(self.estimate(choice))
        return None

    def _key(self, choice: Choice) -> str:
        """A design with the errors that were chosen, as canonical JSON."""
        return task_json(replace(design_of(self.study, choice), vcov=choice.vcov))
