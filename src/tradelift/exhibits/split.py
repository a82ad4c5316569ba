"""What the exhibits of different effects share: two designs, two estimators, effects term by term, and tests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tradelift.designs import Finding, Gravity, SpatialRD
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.exhibits.careful import careful
from tradelift.exhibits.exhibit import has_coordinates
from tradelift.exhibits.gravity import Model, gravity_design, models
from tradelift.exhibits.headline import is_log, numbers
from tradelift.exhibits.labels import plain
from tradelift.exhibits.shown import Column, Interval, Value
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import EFFECT_COLUMNS, leading_flow, rd_design
from tradelift.inference import JointTest, joint, joint_test
from tradelift.inference.derived import derive
from tradelift.panel import Panel
from tradelift.study import Study

GRAVITY, RD = "gravity", "spatial RD"
NO_MAP = "Spatial RD is left out: give longitude and latitude of the regions."


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """A design and a model, as a table calls them: "spatial RD", "OLS"."""

    design: str
    model: Model
    stored: bool = False

    def key(self, what: str, direction: str) -> str:
        """Name of a column of estimates, as in estimates.csv."""
        return f"{what}, {self.design}, {self.model.key(direction)}"

    @property
    def words(self) -> str:
        """In a sentence: "spatial RD by OLS"."""
        return f"{self.design} by {self.model.estimator}"

    def make(self, study: Study, direction: str, **options: object) -> Gravity | SpatialRD:
        """Make the design that a study means."""
        if self.design == RD:
            return careful(rd_design(study, self.model, direction, **options))
        design = gravity_design(study, self.model, direction)
        return careful(replace(design, **options) if options else design, stored=self.stored)  # type: ignore[arg-type]


def approaches(panel: Panel, of_models: Sequence[Model]) -> list[Approach]:
    """Both designs with each model; gravity alone where no coordinates are known."""
    designs = (GRAVITY, RD) if has_coordinates(panel) else (GRAVITY,)
    return [Approach(design=d, model=m, stored=panel.stored) for d in designs for m in of_models]


def flow_approaches(study: Study, panel: Panel) -> list[Approach]:
    """Both designs with the leading flow, by OLS on logs and by PPML."""
    return approaches(panel, leading_flow(models(study, panel)))


def leading_approach(found: Sequence[Approach]) -> Approach | None:
    """Spatial RD where there is one, by OLS: what sentences are about."""
    first = [a for a in found if a.design == RD] or list(found)
    return first[0] if first else None


def lacking(panel: Panel) -> list[str]:
    """What is left out for want of a map."""
    return [] if has_coordinates(panel) else [NO_MAP]


APPROACH_COLUMNS = (Column(name="design", label="Design"), Column(name="estimator", label=""))
"""Columns that `approach_values` fills."""

TEST_COLUMNS = (
    Column(name="test", label="Test"),
    Column(name="statistic", label="Statistic", kind="number", digits=2),
    Column(name="restrictions", label="Restrictions", kind="count"),
    Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
)
"""Columns of a joint test; `equal_values` fills them."""

TEST_NOTE = (
    "Largest t: of each effect less the mean of all, p times their number (Bonferroni). It takes the place of F where "
    "there are fewer than ten clusters a restriction, since F then rejects too often."
)
"""What the columns of a joint test do not say themselves."""

DIFFERENCE_COLUMNS = tuple(replace(c, label="Difference") if c.name == "estimate" else c for c in EFFECT_COLUMNS)
"""Columns of a difference between effects; percent is that of one effect over the other."""


def approach_values(approach: Approach) -> tuple[Value, ...]:
    """Design and estimator."""
    return (approach.design, approach.model.estimator)


def of_term(estimate: Estimate, term: str) -> Estimate:
    """The same estimate about one of its terms: `size_of`, `effect_values` and `interval` take the first."""
    return replace(estimate, treatment=(term, *(t for t in estimate.treatment if t != term)))


def effects_of(estimate: Estimate) -> dict[str, tuple[Value, ...]]:
    """Fill `EFFECT_COLUMNS` for each effect, in their order."""
    tidy = {str(row["term"]): row for row in estimate.records()}
    percent = dict.fromkeys(tidy, None)
    if is_log(estimate):
        percent |= {str(row["term"]): row["percent"] for row in estimate.percent().to_dict("records")}
    names = ("estimate", "std_error", "conf_low", "conf_high")
    return {
        term: (*(float(tidy[term][name]) for name in names), percent[term], float(tidy[term]["p_value"]))
        for term in estimate.treatment
    }


def part_of(term: str) -> str:
    """What a term is the effect in: "2019" of "partner[2019]"."""
    return term[term.index("[") + 1 : -1] if "[" in term else term


def equal_values(estimate: Estimate) -> tuple[Value, ...]:
    """Test that all effects are equal, for `TEST_COLUMNS`; blank where there is one, or the test is not known."""
    if len(estimate.treatment) < 2:
        return (None,) * len(TEST_COLUMNS)
    found = joint_test(estimate)
    return (found.test, found.statistic, found.restrictions, found.p_value)


def test_words(found: JointTest) -> str:
    """A joint test in a sentence: F = 2.31, p = 0.012."""
    named = "F" if found.test == "F" else f"largest t of {found.restrictions}"
    return f"{named} = {plain(found.statistic, 2)}, {p_words(found.p_value)}"


def difference(estimate: Estimate, plus: str, minus: str, name: str = "difference") -> Estimate:
    """
    The difference between two effects as an estimate, under the errors of the estimate.

    Parameters
    ----------
    estimate
        With both terms.
    plus, minus
        Names of terms.
    name
        Of the difference.
    """
    return weighed(estimate, {plus: 1.0, minus: -1.0}, name)


def weighed(estimate: Estimate, weights: Mapping[str, float], name: str) -> Estimate:
    """A weighted sum of effects as an estimate."""
    gradient = np.array([[weights.get(term, 0.0) for term in estimate.terms]])
    return replace(derive(estimate, [name], gradient @ estimate.coefficients, gradient), treatment=(name,))


def together(estimates: Mapping[str, Estimate]) -> Estimate | None:
    """Estimates as one; None where their errors do not allow it."""
    try:
        return joint(estimates, controls=False)
    except DesignError:
        return None


def line(row: str, series: str, size: Size) -> Interval:
    """An effect as a line of a figure."""
    low, high = (size.low, size.high) if size.is_known else (None, None)
    return Interval(row=row, series=series, value=size.value, low=low, high=high)


def sizes(estimate: Estimate) -> dict[str, Size]:
    """Each effect with its interval, by its part."""
    percent = is_log(estimate)
    frame, name = (estimate.percent(), "percent") if percent else (estimate.tidy(), "estimate")
    out = {}
    for row in frame.to_dict("records"):
        low, high = float(row["conf_low"]), float(row["conf_high"])
        if not np.isfinite(high - low):
            low = high = np.nan
        if row["term"] in estimate.treatment:
            size = Size(value=float(row[name]), low=low, high=high, unit="%" if percent else "")
            out[part_of(str(row["term"]))] = size
    return out


def p_of(estimate: Estimate) -> float:
    """The p-value of the first effect; NaN where it is not known."""
    return numbers(estimate, estimate.treatment[0])["p_value"]


def p_words(p: float) -> str:
    """Say a p-value: "p = 0.03", "p < 0.001"."""
    if not np.isfinite(p):
        return "p is not known"
    return "p < 0.001" if p < 0.001 else f"p = {plain(p, 3)}"


def unit_of(estimates: Sequence[Estimate]) -> str:
    """Label of the axis of effects."""
    return "Effect in percent" if estimates and is_log(estimates[0]) else "Effect"


def estimates_by(
    results: Mapping[str, Finding], found: Sequence[Approach], what: str, directions: Sequence[str]
) -> Iterator[tuple[str, Approach, Estimate]]:
    """Yield direction, approach and estimate of what was planned under a name."""
    for direction in directions:
        for approach in found:
            estimate = results.get(approach.key(what, direction))
            if isinstance(estimate, Estimate):
                yield direction, approach, estimate
