"""What a run gives back: estimates and exhibits, as they stand in its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradelift.designs import Finding, records
from tradelift.display import Displayed
from tradelift.exhibits import Shown
from tradelift.panel import Panel

if TYPE_CHECKING:
    import pandas as pd

ESTIMATE_COLUMNS = (
    "exhibit", "column", "design", "outcome", "direction", "sample", "term", "estimate", "std_error", "se_type",
    "statistic", "p_value", "conf_low", "conf_high", "n_obs", "n_pairs",
)  # fmt: skip
BRIEF_COLUMNS = ("column", "term", "estimate", "std_error", "p_value", "conf_low", "conf_high", "n_obs")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExhibitResult(Displayed):
    """
    What one exhibit estimated and shows.

    Parameters
    ----------
    estimates
        By the exhibit's column: an `Estimate`, or a `Randomized`; from the folder that keeps them where there is one.
    rows
        Of all of them in estimates.csv.
    refused
        Why each other column could not be estimated.
    shown
        Tables, figures and sentences.
    """

    estimates: Mapping[str, Finding]
    rows: tuple[Mapping[str, Any], ...]
    refused: Mapping[str, str]
    shown: Shown

    def _shown(self) -> tuple[list[str], "pd.DataFrame", list[str]]:
        """What was found, every term of every estimate, and what the exhibit says of them."""
        import pandas as pd

        table = pd.DataFrame(list(self.rows), columns=list(BRIEF_COLUMNS))
        before = [self.shown.finding] if self.shown.finding else []
        return before, table, list(self.shown.sentences)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Results(Displayed):
    """
    What a run found.

    Parameters
    ----------
    out
        Folder of the report, tables and figures.
    panel
        The panel that was estimated on.
    exhibits
        Results by name: `results["gravity"]`.
    absent
        Why each other exhibit is not there.
    """

    out: Path
    panel: Panel
    exhibits: Mapping[str, ExhibitResult]
    absent: Mapping[str, str]

    def __getitem__(self, name: str) -> ExhibitResult:
        if name not in self.exhibits:
            why = self.absent.get(name, f"there are {', '.join(self.exhibits)}")
            msg = f"These results have no exhibit '{name}': {why}."
            raise KeyError(msg)
        return self.exhibits[name]

    def _shown(self) -> tuple[list[str], "pd.DataFrame", list[str]]:
        """Where the report is, what each exhibit found, and why others are not there."""
        import pandas as pd

        rows = [(name, x.shown.finding, len(x.estimates), len(x.refused)) for name, x in self.exhibits.items()]
        table = pd.DataFrame(rows, columns=["exhibit", "finding", "estimates", "refused"])
        return [f"{self.out / 'report.html'}"], table, [f"{name}: {why}" for name, why in self.absent.items()]

    @property
    def estimates(self) -> "pd.DataFrame":
        """
        Every estimate, one row a term, as in estimates.csv.

        Of an `Estimate`, statistic is t and se_type the scheme of the covariance. Where se_type is
        "randomization (relabel)", the draws stand in their place: statistic is what the draws are of, p_value the
        share of programmes whose statistic is at least as large, conf_low and conf_high the effects that they do not
        reject, infinite where they set no bound, and std_error is missing. n_obs and n_pairs are the design's.
        """
        import pandas as pd

        return pd.DataFrame(list(estimate_rows(self.exhibits)), columns=list(ESTIMATE_COLUMNS))


def estimate_rows(exhibits: Mapping[str, ExhibitResult]) -> Iterator[Mapping[str, Any]]:
    """Yield one record for each term of each estimate."""
    for exhibit in exhibits.values():
        yield from exhibit.rows


def finding_rows(exhibit: str, found: Mapping[str, Finding]) -> Iterator[dict[str, Any]]:
    """
    Yield one record for each term of what an exhibit found.

    Parameters
    ----------
    exhibit
        Its name.
    found
        By column.
    """
    for column, e in found.items():
        about = {
            "exhibit": exhibit,
            "column": column,
            "design": e.design,
            "outcome": e.outcome,
            "direction": e.direction,
            "sample": e.sample,
            "se_type": e.se_type,
            "n_obs": e.n_obs,
            "n_pairs": e.n_pairs,
        }
        for term in records(e):
            row = {"std_error": None} | about | term
            yield {key: row[key] for key in ESTIMATE_COLUMNS}
