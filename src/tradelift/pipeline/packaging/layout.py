"""What stands where in a replication package."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tradelift.log.disclosure_report import DisclosureReport
from tradelift.pipeline.finished import PANEL, FinishedRun
from tradelift.pipeline.packaging.outputs import Outputs

INPUTS, OUTPUTS, MADE = "inputs", "outputs", "replication"
PANEL_FILE = "panel.parquet"
CATEGORIES_FILE = "panel_by_category.parquet"
DISCLOSURE = "disclosure.json"
FROM_PANEL = "study_from_panel.yaml"
"""The study with the packed panel in the place of inputs that are not packed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file that the run read: where it is, its place below `inputs`, its hash, and whether it is packed."""

    path: Path
    name: str
    digest: str
    packed: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """
    What a package is made of.

    Parameters
    ----------
    run
        The finished run.
    inputs
        Every file that it read.
    disclosure
        What was masked in the packed panel; None where there is none, because all inputs are packed.
    outputs
        What of the outputs was left out; None where nothing was judged.
    by_category
        Whether the flows by category are packed beside the panel.
    requirements
        Name to version.
    public
        Whether the flows were declared public.
    """

    run: FinishedRun
    inputs: tuple[InputFile, ...]
    disclosure: DisclosureReport | None
    outputs: Outputs | None
    by_category: bool
    requirements: Mapping[str, str]
    public: bool

    @property
    def as_they_are(self) -> tuple[str, ...]:
        """Names of the outputs that are packed as the run wrote them."""
        if self.outputs is not None:
            return self.outputs.as_they_are(self.run)
        return tuple(name for name in self.run.outputs if self.public or not name.startswith(PANEL))

    @property
    def study_name(self) -> str:
        """The study's file, below `inputs`."""
        path = self.run.study.path
        assert path is not None, "the run was opened with its study's file"
        return path.name
