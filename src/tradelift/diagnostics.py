"""What stands behind an estimate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerWeight:
    """
    How much a partner pair counts in an estimate.

    Parameters
    ----------
    first, second
        Ids of its regions.
    share
        Of the sum of r^2 over partner rows, r the treatment net of the effects: what identifies.
    weight
        Of its own effect in the coefficient, where effects differ; the weights add up to 1, and one may be negative.
    """

    first: str
    second: str
    share: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """
    What identifies the effect of a stacked design.

    Parameters
    ----------
    variance_left
        Share of the treatment's sum of squares that the effects leave, weighted as the estimate; of singletons
        nothing is left.
    groups, contributing
        Partner pairs (each direction by itself) with near controls, and those whose partner pair the effects do not
        fit whole.
    controls
        Near controls a group, on average.
    effective_partners
        (sum r^2)^2 / sum r^4 over partner pairs, r^2 summed over periods and directions.
    partners
        The weight of each partner pair.
    lost_groups
        Partner pairs that have no group, by reason.
    lost_pairs
        Pairs with near cities that are no controls, by reason.
    """

    variance_left: float
    groups: int
    contributing: int
    controls: float
    effective_partners: float
    partners: tuple[PartnerWeight, ...] = field(repr=False)
    lost_groups: Mapping[str, int]
    lost_pairs: Mapping[str, int]

    def frame(self) -> "pd.DataFrame":
        """One row a partner pair: first, second, share, weight; the largest share first."""
        import pandas as pd

        rows = [(p.first, p.second, p.share, p.weight) for p in self.partners]
        found = pd.DataFrame(rows, columns=["first", "second", "share", "weight"])
        return found.sort_values("share", ascending=False, kind="stable", ignore_index=True)

    def __str__(self) -> str:
        largest = max(self.partners, key=lambda p: p.share, default=None)
        top = "" if largest is None else f", most {largest.first}-{largest.second} ({largest.share:.1%})"
        groups = f"{self.contributing:,} of {self.groups:,} groups contribute, {self.controls:.1f} controls each"
        lines = [
            f"Identified by {self.variance_left:.1%} of the treatment's variation, left after the effects; {groups}.",
            f"{self.effective_partners:.1f} effective partner pairs of {len(self.partners):,}, weighted by r^2{top}.",
        ]
        return "\n".join([*lines, *_said_lost(self.lost_groups, self.lost_pairs)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """
    Which differences between partner pairs and near controls an estimate averages.

    Parameters
    ----------
    groups
        Partner pairs (each direction by itself) with a near control in some period.
    controls
        Near controls a group, on average.
    pairs
        Directed pairs that serve as near controls.
    most_used
        Groups that one of them serves, at most.
    short
        Groups, each side by itself, that have fewer controls than asked for.
    effective_partners
        (sum w)^2 / sum w^2 over partner pairs, w their weight in the mean.
    effective_controls
        The same over the pairs that serve as controls.
    slopes
        Of the covariates by which differences are adjusted.
    lost_groups
        Partner pairs that have no group, by reason.
    lost_pairs
        Pairs with near cities that are no controls, by reason.
    """

    groups: int
    controls: float
    pairs: int
    most_used: int
    short: int
    effective_partners: float
    effective_controls: float
    slopes: Mapping[str, float]
    lost_groups: Mapping[str, int]
    lost_pairs: Mapping[str, int]

    def __str__(self) -> str:
        partners = f"{self.groups:,} partner pairs ({self.effective_partners:.1f} effective)"
        controls = f"{self.pairs:,} control pairs ({self.effective_controls:.1f} effective)"
        lines = [
            f"{partners} beside {self.controls:.1f} near controls each.",
            f"{controls}, one in {self.most_used:,} groups at most.",
        ]
        if self.slopes:
            lines.append("Adjusted by " + ", ".join(f"{v:.3f} {name}" for name, v in self.slopes.items()) + ".")
        if self.short:
            lines.append(f"Fewer controls than asked for on {self.short:,} sides of groups.")
        return "\n".join([*lines, *_said_lost(self.lost_groups, self.lost_pairs)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """
    What stands behind an estimate.

    Parameters
    ----------
    path
        "sums", "tensor" or "rows": how the numbers were computed. For a stacked design "sums" is the collapse over
        time.
    iterations
        Newton steps; 1 for OLS.
    omitted
        Controls without variation after the effects, or collinear with those before them.
    effect_rank
        Rank of the fixed effects.
    deviance
        Poisson deviance, or the sum of squared residuals.
    pseudo_r2
        One less the deviance over that of a constant; R2 for OLS.
    clusters
        Number of clusters in each dimension.
    notes
        What a reader must know, in sentences.
    uncorrected
        The coefficients before a correction of their bias; None where there was none.
    identification
        What identifies the effect of a stacked design; None for others.
    matches
        What a design that averages differences compares; None for others.
    outcome_mean
        Mean of the outcome over the observations, weighted as the estimate; NaN for a design that averages differences.
    """

    path: str
    iterations: int
    omitted: tuple[str, ...]
    effect_rank: int
    deviance: float
    pseudo_r2: float
    clusters: tuple[int, ...]
    notes: tuple[str, ...] = ()
    uncorrected: tuple[float, ...] | None = None
    identification: Identification | None = None
    matches: Matches | None = None
    outcome_mean: float = math.nan


def _said_lost(groups: Mapping[str, int], pairs: Mapping[str, int]) -> list[str]:
    """Say what is lost, a line for partner pairs and one for near pairs."""
    out = []
    for what, lost in (("Partner pairs without a group", groups), ("Near pairs left out", pairs)):
        said = ", ".join(f"{reason} {count:,}" for reason, count in lost.items() if count)
        out += [f"{what}: {said}."] if said else []
    return out
