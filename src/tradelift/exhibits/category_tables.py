"""Tables of effects by product category."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tradelift.estimate import Estimate
from tradelift.exhibits.labels import direction_label
from tradelift.exhibits.shown import Column, DataTable, Value
from tradelift.exhibits.spatial import EFFECT_COLUMNS, direction_names, direction_words, effect_values
from tradelift.exhibits.split import (
    APPROACH_COLUMNS,
    TEST_COLUMNS,
    TEST_NOTE,
    Approach,
    approach_values,
    difference,
    effects_of,
    equal_values,
    of_term,
    part_of,
)
from tradelift.inference import simultaneous
from tradelift.inference.derived import derive
from tradelift.panel import Panel

SLOPE_COLUMNS = tuple(replace(c, label="Slope") if c.name == "estimate" else c for c in EFFECT_COLUMNS)
Estimates = Sequence[tuple[str, Approach, Estimate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """
    What is known of a category.

    Parameters
    ----------
    label
        Its name.
    trade
        Of the whole panel.
    advantage
        Balassa's index of the second side, or None.
    priority
        1 for a priority of the programme, 0 for others, None where it is not known.
    """

    label: str
    trade: float
    advantage: float | None
    priority: float | None


def category_table(
    panel: Panel, each: Estimates, known: Mapping[str, Category], more: tuple[str, ...] = ()
) -> DataTable:
    """One row a category, design and estimator, by direction; with p-values that allow for how many there are."""
    rows: list[tuple[Value, ...]] = []
    for direction, approach, e in each:
        adjusted = simultaneous(e)
        families = zip(adjusted["step_down"].tolist(), adjusted["false_discovery"].tolist(), strict=True)
        for (term, effect), family in zip(effects_of(e).items(), families, strict=True):
            c = known[part_of(term)]
            rows.append(
                (direction, part_of(term), c.priority, c.advantage, *approach_values(approach), *effect, *family)
            )
    return DataTable(
        name="categories",
        title="Effect by product category",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="category", label="Category", words={name: c.label for name, c in known.items()}),
            Column(name="priority", label="Priority", kind="number", digits=0),
            Column(name="advantage", label="Advantage", kind="number", digits=2),
            *APPROACH_COLUMNS,
            *EFFECT_COLUMNS,
            Column(name="step_down", label="p, all tests", kind="number", digits=3, least=0.001),
            Column(name="false_discovery", label="p, false discovery", kind="number", digits=3, least=0.001),
        ),
        rows=tuple(rows),
        label="category",
        group=("direction", "design", "estimator"),
        notes=(*_notes(panel), *_refused(panel, each), *more),
        fold=40,
    )


def _notes(panel: Panel) -> Iterator[str]:
    yield (
        "Every category has effects and a distance elasticity of its own: one regression on all categories with "
        "everything split by category. Covariances between categories come from the scores of the same pairs."
    )
    yield (
        "p, all tests: step-down over the categories of a direction, design and estimator, by their joint t "
        "distribution. p, false discovery: Benjamini and Hochberg."
    )
    if panel.regions.sides is not None:
        yield (
            f"Advantage: Balassa's index, the share of {panel.regions.sides[1]} in a category over its share of all, "
            f"in the flows of pairs that are no partners."
        )


def _refused(panel: Panel, each: Estimates) -> Iterator[str]:
    """Categories that could not be estimated, with the reason."""
    for direction, approach, e in each:
        for note in e.diagnostics.notes:
            if note.startswith("Not estimated"):
                yield f"{approach.words[:1].upper()}{approach.words[1:]}, {direction_label(panel, direction)}: {note}"


def equality_table(panel: Panel, each: Estimates, known: Mapping[str, Category]) -> DataTable:
    """Whether all categories have the same effect, and whether it grows with comparative advantage."""
    rows: list[tuple[Value, ...]] = []
    for direction, approach, e in each:
        slope = slope_on(e, {f"partner[{n}]": c.advantage for n, c in known.items() if c.advantage})
        values = effect_values(slope)
        rows.append((direction, *approach_values(approach), *equal_values(e), *values))
    return DataTable(
        name="category_tests",
        title="Do effects differ between categories, and do they grow with comparative advantage?",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            *APPROACH_COLUMNS,
            *TEST_COLUMNS,
            *(replace(c, name=f"slope_{c.name}") for c in SLOPE_COLUMNS),
        ),
        rows=tuple(rows),
        label=("design", "estimator"),
        group="direction",
        notes=(
            "Test: all categories have the same effect.",
            TEST_NOTE,
            "Slope: of the effects (in logs) on the log of Balassa's index; categories weigh by their precision.",
        ),
    )


def slope_on(estimate: Estimate, values: Mapping[str, float]) -> Estimate | None:
    """
    The line of effects in the log of a number, weighted by precision; None where fewer than three are known.

    Parameters
    ----------
    estimate
        With an effect for each.
    values
        Positive, by term.
    """
    at = [k for k, t in enumerate(estimate.terms) if t in values and np.isfinite(estimate.std_errors[k])]
    x = np.log([values[estimate.terms[k]] for k in at])
    if len(at) < 3 or np.ptp(x) == 0:
        return None
    weight = 1 / estimate.std_errors[at] ** 2
    lines = np.stack([np.ones(len(at)), x])
    solve = np.linalg.solve((lines * weight) @ lines.T, lines * weight)
    gradient = np.zeros((1, len(estimate.terms)))
    gradient[0, at] = solve[1]
    found = derive(estimate, ["slope"], gradient @ estimate.coefficients, gradient)
    return of_term(found, "slope")


def group_table(panel: Panel, groups: Mapping[str, Estimates], words: Mapping[str, tuple[str, str]]) -> DataTable:
    """Categories with priority, or advantage, beside the others: each effect, and their difference."""
    rows: list[tuple[Value, ...]] = []
    for name, estimates in groups.items():
        for direction, approach, e in estimates:
            found = {part_of(term): effect for term, effect in effects_of(e).items()}
            if set(words[name]) <= set(found):
                found["difference"] = effect_values(difference(e, *(f"partner[{w}]" for w in words[name])))
            for what, effect in found.items():
                rows.append((name, direction, *approach_values(approach), what, *effect))
    return DataTable(
        name="category_groups",
        title="Categories with priority and with comparative advantage beside the others",
        columns=(
            Column(name="grouping", label="", words={"priority": "Priority", "advantage": "Comparative advantage"}),
            Column(name="direction", label="", words=direction_names(panel)),
            *APPROACH_COLUMNS,
            Column(name="group", label="Categories"),
            *EFFECT_COLUMNS,
        ),
        rows=tuple(rows),
        label=("design", "estimator"),
        group=("grouping", "direction"),
        notes=(
            "PPML on the money of the categories of a group together, each group with effects of its own.",
            "Difference: of the first less the second, in logs; its percent is that of one effect over the other.",
        ),
    )
