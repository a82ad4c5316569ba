"""One coefficient under every error that a reader may ask for, and by randomization."""

from collections.abc import Iterator, Mapping

import numpy as np

from tradelift.estimate import Estimate
from tradelift.exhibits.headline import RANDOMIZATION, by, cautious, main_term, numbers, under
from tradelift.exhibits.labels import direction_label, label, panel_title
from tradelift.exhibits.shown import Column, DataTable, Value
from tradelift.inference import Randomized
from tradelift.panel import Panel
from tradelift.study import Study

SCHEMES = ("pair", "dyadic", "province")


def errors_table(
    study: Study, panel: Panel, leading: Mapping[str, Estimate], randomized: Mapping[str, Randomized]
) -> DataTable:
    """
    Set the headline's coefficient with errors by pair, dyadic and by province beside its randomization.

    Parameters
    ----------
    study, panel
        Names of columns and directions.
    leading
        Direction to its estimate, all of one model.
    randomized
        Direction to the same design randomized, where it could be.
    """
    first = next(iter(leading.values()))
    term = str(main_term(first))
    estimator = "PPML" if first.family == "poisson" else "OLS"
    and_more = " and randomization" if randomized else ""
    rows: list[tuple[Value, ...]] = []
    for direction, estimate in leading.items():
        for scheme in SCHEMES:
            variant = under(estimate, scheme)
            if variant is not None:
                rows.append((direction, scheme, *_by_errors(variant, term)))
        if direction in randomized:
            rows.append((direction, RANDOMIZATION, *_by_draws(randomized[direction], term)))
    return DataTable(
        name="gravity_errors",
        title=f"Standard errors{and_more} of {label(study, panel, term)} in "
        f"{label(study, panel, first.outcome, short=True)}, {estimator}",
        columns=(
            Column(name="direction", label="", words={d: panel_title(panel, d) for d in leading}),
            Column(name="errors", label=""),
            Column(name="estimate", label="Estimate", kind="number", digits=4),
            Column(name="std_error", label="Std. error", kind="number", digits=4),
            Column(name="conf_low", label="95% from", kind="number", digits=4),
            Column(name="conf_high", label="to", kind="number", digits=4),
            Column(name="p_value", label="p", kind="number", digits=3, least=0.001),
            Column(name="clusters", label="Clusters"),
        ),
        rows=tuple(rows),
        label="errors",
        group="direction",
        notes=tuple(_notes(panel, leading, randomized, {str(row[1]) for row in rows})),
    )


def _by_errors(estimate: Estimate, term: str) -> tuple[Value, ...]:
    row = numbers(estimate, term)
    clusters = " and ".join(f"{n:,}" for n in estimate.diagnostics.clusters) or None
    return (row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], row["p_value"], clusters)


def _by_draws(randomized: Randomized, term: str) -> tuple[Value, ...]:
    row = numbers(randomized, term)
    return (row["estimate"], None, row["conf_low"], row["conf_high"], row["p_value"], None)


def _notes(
    panel: Panel, leading: Mapping[str, Estimate], randomized: Mapping[str, Randomized], schemes: set[str]
) -> Iterator[str]:
    """What each row allows for, and which of them the headline takes."""
    yield "Errors by pair take flows of different pairs as independent."
    provinces = ", province errors all that share a province" if "province" in schemes else ""
    yield f"Dyadic errors let all pairs that share a region move together{provinces}."
    yield from _about_draws(panel, leading, randomized)
    taken: dict[str, list[str]] = {}
    for direction, estimate in leading.items():
        effect = cautious(estimate, randomized.get(direction))
        if effect.is_known:
            taken.setdefault(by(effect), []).append(direction_label(panel, direction))
    if taken:
        found = "; ".join(f"{how} ({', '.join(directions)})" for how, directions in taken.items())
        yield f"The headline takes the widest interval, that by pair only where another is not known: {found}."


def _about_draws(panel: Panel, leading: Mapping[str, Estimate], randomized: Mapping[str, Randomized]) -> Iterator[str]:
    if not randomized:
        if panel.programme is not None:
            yield "There is no randomization: the reason stands above."
        return
    first = next(iter(randomized.values()))
    yield (
        f"Randomization compares the programme with {first.n_draws:,} others in which the regions of a province have "
        f"changed places, so that on average {first.moved:.0%} of the partner pairs are partners no longer. p: the "
        f"share of programmes whose statistic is at least as large ({first.statistic}); the interval: every effect "
        f"that they do not reject."
    )
    if any(np.isinf(r.intervals).any() for r in randomized.values()):
        yield "Infinite: 1 in 20 or more of these programmes look as large under any effect, as repetitions do."
    known = {note for e in leading.values() for note in e.diagnostics.notes}
    yield from dict.fromkeys(note for r in randomized.values() for note in r.notes if note not in known)
