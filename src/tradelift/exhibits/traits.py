"""The effect by traits of pairs: halves and thirds of the partner pairs, and slopes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, way
from tradelift.exhibits.headline import is_log, percent
from tradelift.exhibits.labels import direction_label, label, plain
from tradelift.exhibits.leading import leading_notes
from tradelift.exhibits.shown import Column, DataTable, Figure, Interval, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import EFFECT_COLUMNS, direction_names, direction_words, effect_values, size_of, spoken
from tradelift.exhibits.split import (
    APPROACH_COLUMNS,
    DIFFERENCE_COLUMNS,
    TEST_COLUMNS,
    Approach,
    approach_values,
    difference,
    effects_of,
    equal_values,
    estimates_by,
    flow_approaches,
    lacking,
    leading_approach,
    line,
    p_of,
    part_of,
    sizes,
    unit_of,
)
from tradelift.inference import ByTrait, benjamini_hochberg, equivalence
from tradelift.inference.by_trait import CONTINUOUS
from tradelift.panel import Panel
from tradelift.study import Study

HALVES, TERCILES = "halves", "terciles"
SPLITS = (HALVES, TERCILES, CONTINUOUS)
LOW, HIGH = "partner[low]", "partner[high]"
LEVEL = 0.05


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan each trait: halves in both designs by OLS and PPML, terciles and slopes by the first estimator alone."""
    found = flow_approaches(study, panel)
    return {
        approach.key(_what(name, split), direction): ByTrait(
            design=approach.make(study, direction), trait=name, expression=text, split=split
        )
        for name, text in study.traits.items()
        for split in SPLITS
        for direction in panel.directions
        for approach in found
        if split == HALVES or approach.model == found[0].model
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the effects by trait, and say where they differ."""
    found = flow_approaches(study, panel)
    lead = leading_approach(found)
    if lead is None or not any(isinstance(x, Estimate) for x in results.values()):
        return Shown(sentences=tuple(lacking(panel)))
    tables = (
        _table(study, panel, results, found, lead),
        _differences(study, panel, results, found),
        _slopes(study, panel, results, found),
    )
    return Shown(
        tables=tuple(table for table in tables if table.rows),
        figures=tuple(_figures(study, panel, results, lead)),
        sentences=(*_sentences(study, panel, results, lead), *lacking(panel)),
        finding=_finding(study, panel, results, lead),
    )


def _what(trait: str, split: str) -> str:
    return f"{trait} in {split}" if split != CONTINUOUS else f"{trait}, {split}"


def _trait_column(study: Study, panel: Panel) -> Column:
    return Column(name="trait", label="", words={name: label(study, panel, name) for name in study.traits})


def _direction_column(panel: Panel) -> Column:
    return Column(name="direction", label="Direction", words=direction_words(panel))


def _table(
    study: Study, panel: Panel, results: Mapping[str, Finding], found: Sequence[Approach], lead: Approach
) -> DataTable:
    """Each group's effect, with a test that all groups of a trait have the same."""
    rows: list[tuple[Value, ...]] = []
    for name in study.traits:
        for own, split in product(panel.directions, (HALVES, TERCILES)):
            for direction, approach, e in estimates_by(results, found, _what(name, split), [own]):
                for n, (term, effect) in enumerate(effects_of(e).items()):
                    test = equal_values(e) if n == 0 else (None,) * len(TEST_COLUMNS)
                    rows.append((name, split, direction, *approach_values(approach), part_of(term), *effect, *test))
    return DataTable(
        name="traits",
        title="Effect by traits of pairs",
        columns=(
            _trait_column(study, panel),
            Column(name="split", label="Pairs in"),
            Column(name="direction", label="", words=direction_names(panel)),
            *APPROACH_COLUMNS,
            Column(name="group", label="Group"),
            *EFFECT_COLUMNS,
            *_renamed(TEST_COLUMNS),
        ),
        rows=tuple(rows),
        label=("design", "estimator"),
        group=("trait", "direction"),
        notes=(*_notes(study, results), *leading_notes(study, panel, _halves(study, panel, results, found), lead)),
        fold=24,
    )


def _halves(
    study: Study, panel: Panel, results: Mapping[str, Finding], found: Sequence[Approach]
) -> list[tuple[str, Approach, Estimate]]:
    """The halves of the first trait."""
    return list(estimates_by(results, found, _what(next(iter(study.traits)), HALVES), panel.directions))


def _renamed(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Columns of the test of equal effects, beside those of the effects."""
    heads = {"test": "Equal", "statistic": "", "restrictions": "of", "p_value": "p"}
    return tuple(replace(c, name=f"equal_{c.name}", label=heads[c.name]) for c in columns)


def _notes(study: Study, results: Mapping[str, Finding]) -> Iterator[str]:
    yield (
        "Low, middle and high: partner pairs, each once, in as many equal groups; other pairs are parted at the same "
        "values. All groups share one set of effects, and the trait's own association with trade is held."
    )
    yield "Equal: F test that the effects of the groups are the same, by the errors of the design."
    expressions = "; ".join(f"{name} = {text}" for name, text in study.traits.items() if name != text)
    yield f"Traits: {expressions}."
    cuts = dict.fromkeys(
        note
        for x in results.values()
        if isinstance(x, Estimate) and x.sample.endswith(f"in {HALVES}")
        for note in x.diagnostics.notes
        if " is parted at " in note
    )
    for note in cuts:
        trait, _, rest = note.partition(" ")
        yield f"{study.labels.get(trait, trait)} {rest}"


def _highs(
    study: Study, panel: Panel, results: Mapping[str, Finding], found: Sequence[Approach]
) -> Iterator[tuple[str, str, Approach, Estimate]]:
    """High less low, for each trait, direction and approach."""
    for name in study.traits:
        for direction, approach, e in estimates_by(results, found, _what(name, HALVES), panel.directions):
            if {LOW, HIGH} <= set(e.terms):
                yield name, direction, approach, difference(e, HIGH, LOW)


def _differences(study: Study, panel: Panel, results: Mapping[str, Finding], found: Sequence[Approach]) -> DataTable:
    """High less low, with p-values that allow for the number of traits."""
    gaps = list(_highs(study, panel, results, found))
    adjusted = _adjusted([(direction, approach, gap) for _, direction, approach, gap in gaps])
    rows = [
        (name, direction, *approach_values(approach), *effect_values(gap), q)
        for (name, direction, approach, gap), q in zip(gaps, adjusted, strict=True)
    ]
    return DataTable(
        name="trait_differences",
        title="Effect of pairs high in a trait less that of pairs low in it",
        columns=(
            _trait_column(study, panel),
            _direction_column(panel),
            *APPROACH_COLUMNS,
            *DIFFERENCE_COLUMNS,
            Column(name="false_discovery", label="p, adjusted", kind="number", digits=3, least=0.001),
        ),
        rows=tuple(rows),
        label="direction",
        group="trait",
        notes=(
            "Percent: by how much the effect of high pairs exceeds that of low pairs, as a factor on trade.",
            "p, adjusted: Benjamini and Hochberg over the traits of a direction and design.",
        ),
        fold=24,
    )


def _adjusted(gaps: Sequence[tuple[str, Approach, Estimate]]) -> list[float | None]:
    """Adjust p-values over the traits of each direction and approach."""
    out: list[float | None] = [None] * len(gaps)
    families: dict[tuple[str, Approach], list[int]] = {}
    for n, (direction, approach, gap) in enumerate(gaps):
        if np.isfinite(p_of(gap)):
            families.setdefault((direction, approach), []).append(n)
    for at in families.values():
        for n, q in zip(at, benjamini_hochberg([p_of(gaps[n][2]) for n in at]), strict=True):
            out[n] = float(q)
    return out


def _slopes(study: Study, panel: Panel, results: Mapping[str, Finding], found: Sequence[Approach]) -> DataTable:
    """By how much the effect grows with a trait."""
    rows: list[tuple[Value, ...]] = []
    for name in study.traits:
        for direction, approach, e in estimates_by(results, found, _what(name, CONTINUOUS), panel.directions):
            for what, effect in zip(("effect at the mean", "a unit more"), effects_of(e).values(), strict=True):
                rows.append((name, direction, *approach_values(approach), what, *effect))
    return DataTable(
        name="trait_slopes",
        title="Effect as a line in the trait",
        columns=(
            _trait_column(study, panel),
            _direction_column(panel),
            *APPROACH_COLUMNS,
            Column(name="what", label=""),
            *EFFECT_COLUMNS,
        ),
        rows=tuple(rows),
        label="direction",
        group="trait",
        notes=("A unit more: change of the effect, in logs, where the trait is larger by one.",),
        fold=24,
    )


def _figures(study: Study, panel: Panel, results: Mapping[str, Finding], lead: Approach) -> Iterator[Figure]:
    """One figure a direction: low and high of each trait."""
    for direction in panel.directions:
        intervals: list[Interval] = []
        every: list[Estimate] = []
        for name in study.traits:
            for _, _, e in estimates_by(results, [lead], _what(name, HALVES), [direction]):
                every.append(e)
                intervals += [line(name, part, size) for part, size in sizes(e).items()]
        if not intervals:
            continue
        words = {name: label(study, panel, name) for name in study.traits}
        said = "; ".join(f"{words[i.row]}, {i.series}: {spoken(i)}" for i in intervals)
        yield IntervalFigure(
            name=f"traits_{_file(direction)}",
            title=f"Effect by traits of pairs, {direction_label(panel, direction)}: {lead.words}",
            description=f"Estimates with 95% intervals for partner pairs low and high in each trait. {said}.",
            axis=f"{unit_of(every)}, 95% interval ({every[0].se_type})",
            intervals=tuple(intervals),
            words=words,
        )


def _file(direction: str) -> str:
    return direction.replace("->", "_to_")


def _finding(study: Study, panel: Panel, results: Mapping[str, Finding], lead: Approach) -> str:
    """Which traits part the effect, allowing for their number; where none does, what would have been seen."""
    direction = panel.directions[0]
    gaps = [(name, gap) for name, d, _, gap in _highs(study, panel, results, [lead]) if d == direction]
    known = [(name, gap) for name, gap in gaps if np.isfinite(p_of(gap))]
    if not known:
        return ""
    where = f" ({way(panel, direction)})" if way(panel, direction) else ""
    adjusted = benjamini_hochberg([p_of(gap) for _, gap in known])
    clear = [label(study, panel, name) for (name, _), q in zip(known, adjusted, strict=True) if q < LEVEL]
    if clear:
        some = f"{len(clear)} of {len(known)} traits"
        return fitting(f"The effect differs by {', '.join(clear)}{where}", f"The effect differs by {some}{where}")
    least = max(equivalence(float(g.coefficients[0]), float(g.std_errors[0]), g.dof).detectable for _, g in known)
    found = f"{plain(percent(least), 0)}%" if is_log(known[0][1]) else plain(least, 2)
    none = "The trait is not" if len(known) == 1 else f"None of {len(known)} traits is"
    return fitting(f"{none} seen to part the effect{where}; a gap of {found} would be found four times in five")


def _sentences(study: Study, panel: Panel, results: Mapping[str, Finding], lead: Approach) -> Iterator[str]:
    """Which traits go with a larger effect, by direction."""
    gaps = list(_highs(study, panel, results, [lead]))
    adjusted = _adjusted([(direction, approach, gap) for _, direction, approach, gap in gaps])
    for direction in panel.directions:
        own = [(name, gap, q) for (name, d, _, gap), q in zip(gaps, adjusted, strict=True) if d == direction]
        if not own:
            continue
        parts = [f"{label(study, panel, name)} {size_of(gap).brief}" for name, gap, _ in own]
        clear = [label(study, panel, name) for name, _, q in own if q is not None and q < LEVEL]
        yield (
            f"Effect of pairs high in a trait less that of pairs low in it, {direction_label(panel, direction)} "
            f"({lead.words}): {'; '.join(parts)}."
        )
        held = f"{len(clear) or 'none'} of {len(own)} differences {'is' if len(clear) < 2 else 'are'} told from 0 at 5%"
        yield f"Allowing for {len(own)} traits, {held}{': ' if clear else ''}{', '.join(clear)}."


EXHIBIT = Exhibit(
    name="traits",
    title="Effects by traits of pairs",
    needs=frozenset({"partners", "traits"}),
    plan=plan,
    show=show,
)
