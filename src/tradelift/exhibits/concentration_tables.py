"""Tables of concentration: ratios, top sellers beside the rest, and bounds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tradelift.estimate import Estimate
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.labels import label, plain
from tradelift.exhibits.shown import Column, DataTable, Value
from tradelift.exhibits.spatial import direction_words
from tradelift.exhibits.split import Approach, difference, sizes
from tradelift.inference import Bounded, Equivalence, equivalence
from tradelift.panel import Panel
from tradelift.study import Study


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """
    What was estimated of concentration.

    Parameters
    ----------
    ratios
        By outcome, what is held ("none" or a column), approach and direction.
    bounds
        By outcome, approach and direction.
    apart
        Top and rest by who ("seller"), approach and direction.
    presence
        Whether there is trade, by approach and direction.
    """

    ratios: Mapping[tuple[str, str, Approach, str], Estimate]
    bounds: Mapping[tuple[str, Approach, str], Bounded]
    apart: Mapping[tuple[str, Approach, str], Estimate]
    presence: Mapping[tuple[Approach, str], Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Effects below these do not matter: of ratios in percentage points, of one flow over another in percent."""

    points: float
    percent: float

    @property
    def log(self) -> float:
        """The margin of a ratio of flows, in logs: below it both x and 1/x lie within the percentage."""
        return float(np.log1p(self.percent / 100))


EQUIVALENCE_COLUMNS = (
    Column(name="bound", label="Within \N{PLUS-MINUS SIGN}", kind="number", digits=2),
    Column(name="detectable", label="Detectable", kind="number", digits=2),
    Column(name="equivalence_p", label="p, within margin", kind="number", digits=3, least=0.001),
)

WHOSE = {"treated": "partner flows", "other flows": "other flows"}
ALWAYS_THERE = 1e-9  # share trimmed: rounding, where the ratio is defined in every flow that is compared


def is_equivalent(estimate: Estimate, margin: float) -> Equivalence:
    """Test that the first effect is smaller than a margin."""
    row = numbers(estimate, estimate.treatment[0])
    return equivalence(row["estimate"], row["std_error"], estimate.dof, margin)


def top_less_rest(estimate: Estimate) -> Estimate:
    """The effect on top sellers' flows less that on the others'."""
    top, rest = estimate.treatment
    return difference(estimate, top, rest)


def ratio_table(study: Study, panel: Panel, found: Findings, margins: Margins, more: tuple[str, ...] = ()) -> DataTable:
    """Effects on ratios in percentage points, and how large they can be."""
    outcomes = list(dict.fromkeys(o for o, *_ in found.ratios))
    rows: list[tuple[Value, ...]] = []
    for (outcome, held, a, direction), e in found.ratios.items():
        row, test = numbers(e, e.treatment[0]), is_equivalent(e, margins.points)
        effect = (row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], row["p_value"])
        rows.append((outcome, direction, a.design, held, *effect, test.bound, test.detectable, test.p_value, e.n_obs))
    rows.sort(key=lambda row: outcomes.index(str(row[0])))
    return DataTable(
        name="concentration_ratios",
        title="Concentration ratios: effect of partnership in percentage points",
        columns=(
            Column(name="outcome", label="", words={o: label(study, panel, o) for o in outcomes}),
            Column(name="direction", label="Direction", words=direction_words(panel)),
            Column(name="design", label="Design"),
            Column(name="held", label="Held"),
            Column(name="estimate", label="Points", kind="number", digits=2),
            Column(name="std_error", label="Std. error", kind="number", digits=2),
            Column(name="conf_low", label="95% from", kind="number", digits=2),
            Column(name="conf_high", label="to", kind="number", digits=2),
            Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
            *EQUIVALENCE_COLUMNS,
            Column(name="n_obs", label="Observations", kind="count"),
        ),
        rows=tuple(rows),
        label="direction",
        group="outcome",
        notes=(*_ratio_notes(found, margins), *more),
    )


def _ratio_notes(found: Findings, margins: Margins) -> Iterator[str]:
    yield (
        "flow: sellers (buyers) ranked within the flow; city: by all that they sell (buy) from (in) their city. "
        "Errors: max-two-way."
    )
    yield (
        f"Within: effects beyond this are rejected at 5% (90% interval). Detectable: found four times in five. "
        f"p, within margin: of an effect of {plain(margins.points, 2)} points or more, by two one-sided tests; "
        f"small says that there is none."
    )
    if any(held != "none" for _, held, *_ in found.ratios):
        yield "Held: log of their number in the cell; the ratio of few sellers moves by itself."


def sellers_table(panel: Panel, found: Findings, margins: Margins) -> DataTable:
    """Effects on top and rest in percent, and their difference."""
    rows: list[tuple[Value, ...]] = []
    for (who, a, direction), e in found.apart.items():
        gap = top_less_rest(e)
        row, test = numbers(gap, gap.treatment[0]), is_equivalent(gap, margins.log)
        effects = [x for s in sizes(e).values() for x in (s.value, s.low, s.high)]
        apart = (row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], row["p_value"])
        more = (100 * np.expm1(test.bound), 100 * np.expm1(test.detectable), test.p_value)
        rows.append((who, direction, a.design, *effects, *apart, *map(float, more[:2]), more[2]))
    designs = list(dict.fromkeys(a.design for _, a, _ in found.apart))
    rows.sort(key=lambda row: (row[0] != "seller", designs.index(str(row[2]))))
    percent = [
        Column(name=f"{which}_{part}", label=words, kind="number", digits=1)
        for which, name in (("top", "Top"), ("other", "Rest"))
        for part, words in (("percent", f"{name}, percent"), ("low", "95% from"), ("high", "to"))
    ]
    return DataTable(
        name="concentration_sellers",
        title="Flows of the largest sellers and buyers and of the rest: PPML",
        columns=(
            Column(name="who", label="", words={"seller": "Top sellers", "buyer": "Top buyers"}),
            Column(name="direction", label="Direction", words=direction_words(panel)),
            Column(name="design", label="Design"),
            *percent,
            Column(name="difference", label="Difference (logs)", kind="number", digits=3),
            Column(name="std_error", label="Std. error", kind="number", digits=3),
            Column(name="conf_low", label="95% from", kind="number", digits=3),
            Column(name="conf_high", label="to", kind="number", digits=3),
            Column(name="p_value", label="p, equal", kind="number", digits=3, least=0.001),
            *EQUIVALENCE_COLUMNS,
        ),
        rows=tuple(rows),
        label="direction",
        group=("who", "design"),
        notes=tuple(_seller_notes(margins)),
    )


def _seller_notes(margins: Margins) -> Iterator[str]:
    yield (
        "Both flows are estimated on all cells and put together by the scores of the pairs: the difference has the "
        "error of one stacked regression."
    )
    yield (
        f"Within, detectable: of the difference in percent. p, within margin: of a difference of "
        f"{plain(margins.percent)}% or more, by two one-sided tests."
    )


def bounds_table(study: Study, panel: Panel, found: Findings) -> DataTable:
    """Effects on whether there is trade and whether a ratio is defined, and bounds of the ratio's effect."""
    rows: list[tuple[Value, ...]] = []
    for (a, direction), e in found.presence.items():
        row = numbers(e, e.treatment[0])
        blank = (None,) * 6
        rows.append(("any_trade", direction, a.design, row["estimate"], row["std_error"], row["p_value"], *blank))
    for (outcome, a, direction), b in found.bounds.items():
        row = numbers(b.selection, b.selection.treatment[0])
        lower, upper = (numbers(x, x.treatment[0])["estimate"] for x in (b.lower, b.upper))
        there: tuple[Value, ...] = (100 * row["estimate"], 100 * row["std_error"], row["p_value"])
        if b.trimmed < ALWAYS_THERE:
            there = (0.0, None, None)
        rows.append(
            (outcome, direction, a.design, *there, 100 * b.trimmed, b.whose, lower, upper, b.conf_low, b.conf_high)
        )
    outcomes = list(dict.fromkeys(row[0] for row in rows))
    rows.sort(key=lambda row: outcomes.index(row[0]))
    return DataTable(
        name="concentration_bounds",
        title="Whether there is trade, whether a ratio is defined, and bounds of the effect on the ratio",
        columns=(
            Column(
                name="outcome",
                label="",
                words={"any_trade": "Any trade"} | {o: label(study, panel, o) for o, *_ in found.bounds},
            ),
            Column(name="direction", label="Direction", words=direction_words(panel)),
            Column(name="design", label="Design"),
            Column(name="present", label="There (points)", kind="number", digits=2),
            Column(name="present_std_error", label="Std. error", kind="number", digits=2),
            Column(name="present_p_value", label="p", kind="number", digits=3, least=0.001),
            Column(name="trimmed", label="Trimmed (%)", kind="number", digits=2),
            Column(name="whose", label="of", words=WHOSE),
            Column(name="lower", label="Lower bound", kind="number", digits=2),
            Column(name="upper", label="Upper bound", kind="number", digits=2),
            Column(name="conf_low", label="95% from", kind="number", digits=2),
            Column(name="conf_high", label="to", kind="number", digits=2),
        ),
        rows=tuple(rows),
        label="direction",
        group="outcome",
        notes=tuple(_bound_notes()),
    )


def _bound_notes() -> Iterator[str]:
    yield "There: effect of partnership on whether the cell has trade, or a ratio that is defined, in points (OLS)."
    yield (
        "Bounds (Lee 2009): the group in which the ratio is defined more often is trimmed by as much, of its largest, "
        "and of its smallest values net of effects. The interval holds the effect wherever it lies between them "
        "(Imbens and Manski 2004); it takes the trimmed share as known."
    )
