"""Spatial RD with each set of control types that identifies it; those that do not, with the reason."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.designs.spatial.options import BOTH, CORNERS
from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import by_way, fitting
from tradelift.exhibits.gravity import Model, models
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.labels import direction_label, label, plain
from tradelift.exhibits.shown import Column, DataTable, Interval, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import (
    EFFECT_COLUMNS,
    NEEDS,
    direction_words,
    effect_values,
    estimates_of,
    interval,
    leading,
    model_label,
    rd_design,
    size_of,
    spoken,
)
from tradelift.panel import Panel
from tradelift.programme import BOTH as BOTH_TAKE_PART
from tradelift.programme import FIRST_ONLY, NEITHER, PARTNER, SECOND_ONLY
from tradelift.study import Study

COUNTS = " Observations dropped before: "  # the end of a refusal, which differs by direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A set of control types, and whether pairs that differ in both regions stand in."""

    types: tuple[int, ...]
    corners: bool

    @property
    def name(self) -> str:
        """As in columns of estimates: "types 2 4, corners"."""
        return f"types {' '.join(map(str, self.types))}{', corners' if self.corners else ''}"


def choices(panel: Panel) -> list[Choice]:
    """
    Every set of the control types that the panel has.

    A pair that differs from a partner pair in one region shares the other, so it is never of type 1: sets with it
    need pairs that differ in both.
    """
    kinds = panel.pairs.control_type
    there = set() if kinds is None else set(map(int, np.unique(kinds))) - {PARTNER}
    near = sorted(there - {NEITHER})
    every = sorted(there)
    one = [Choice(types=t, corners=False) for n in range(len(near), 0, -1) for t in combinations(near, n)]
    both = [
        Choice(types=t, corners=True) for n in range(len(every), 0, -1) for t in combinations(every, n) if NEITHER in t
    ]
    return [*one, *both]


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan the leading model with every set of control types, in every direction."""
    lead = leading(models(study, panel))
    if lead is None:
        return {}
    return {
        _key(lead, direction, choice): rd_design(
            study, lead, direction, control_types=choice.types, neighbours=CORNERS if choice.corners else BOTH
        )
        for direction in panel.directions
        for choice in choices(panel)
    }


def _key(model: Model, direction: str, choice: Choice) -> str:
    return f"{model.key(direction)}, {choice.name}"


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the sets that identify the effect."""
    lead = leading(models(study, panel))
    found = estimates_of(results)
    if lead is None or not found:
        return Shown()
    return Shown(
        tables=(_table(study, panel, lead, found),),
        figures=(_figure(study, panel, lead, found),),
        sentences=tuple(_sentences(study, panel, lead, found)),
        finding=_finding(panel, lead, found),
    )


def explain(study: Study, panel: Panel, shown: Shown, refused: Mapping[str, str]) -> Shown:
    """Set the sets that were refused in a table, each with its reason."""
    lead = leading(models(study, panel))
    if lead is None or not refused:
        return shown
    sets: dict[tuple[str, str], list[str]] = {}
    for choice in choices(panel):
        why: dict[str, list[str]] = {}
        for direction in panel.directions:
            key = _key(lead, direction, choice)
            if key in refused:
                why.setdefault(_reason(refused[key], choice), []).append(direction_label(panel, direction))
        for reason, where in why.items():
            sets.setdefault((", ".join(where), reason), []).append(_written(choice))
    rows: list[tuple[Value, ...]] = [("; ".join(own), where, reason) for (where, reason), own in sets.items()]
    table = DataTable(
        name="control_types_refused",
        title="Sets of control types that were refused",
        columns=(
            Column(name="control_types", label=""),
            Column(name="directions", label="In"),
            Column(name="reason", label="Why"),
        ),
        rows=tuple(rows),
        label="control_types",
    )
    count = len({one for own in sets.values() for one in own})
    what = "1 set is" if count == 1 else f"{count:,} sets are"
    said = f"{what} refused, for the reasons in the last table."
    return replace(shown, tables=(*shown.tables, table), sentences=(*shown.sentences, said))


def _reason(why: str, choice: Choice) -> str:
    """A refusal without what differs by set and direction, so that equal ones are said once."""
    start = why.split(COUNTS, maxsplit=1)[0].split(" Add type 4", maxsplit=1)[0]
    return re.sub(r" \([^()]*\)", "", start, count=1).replace(f"With control types {list(choice.types)} it", "It")


def _written(choice: Choice) -> str:
    return f"{', '.join(map(str, choice.types))}{' (corners)' if choice.corners else ''}"


def _table(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> DataTable:
    rows: list[tuple[Value, ...]] = []
    for direction in panel.directions:
        for choice in choices(panel):
            estimate = found.get(_key(lead, direction, choice))
            if estimate is None:
                continue
            about = estimate.diagnostics.identification
            support = (None, None) if about is None else (about.controls, about.effective_partners)
            rows.append((direction, _written(choice), *effect_values(estimate), *support, estimate.n_obs))
    return DataTable(
        name="control_types",
        title=f"Spatial RD by control types: {model_label(study, panel, lead)}",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="control_types", label="Control types"),
            *EFFECT_COLUMNS,
            Column(name="controls", label="Controls", kind="number", digits=1),
            Column(name="effective_partners", label="Effective", kind="number", digits=1),
            Column(name="n_obs", label="Observations", kind="count"),
        ),
        rows=tuple(rows),
        label="control_types",
        group="direction",
        notes=(*_notes(panel, found), *_leading(study, panel, lead, found)),
    )


def _leading(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    """What stands behind the first set."""
    own = next(iter(found.values()))
    yield about_column(panel, own, model_label(study, panel, lead), own.formula, own.dropped)


def _notes(panel: Panel, found: Mapping[str, Estimate]) -> Iterator[str]:
    words = _kinds(panel)
    kinds = panel.pairs.control_type
    count = {k: int(np.count_nonzero(kinds == k)) for k in words}
    said = "; ".join(f"{k} {text} ({count[k]:,} directed pairs)" for k, text in words.items())
    yield f"Control types: {said}. Partner pairs: {int(np.count_nonzero(kinds == PARTNER)):,}."
    yield "Corners: with pairs that differ from the partner pair in both regions, each of them near."
    yield from dict.fromkeys(note for e in found.values() for note in e.diagnostics.notes)


def _kinds(panel: Panel) -> dict[int, str]:
    """What the types of control pair are, of those that the panel has."""
    sides = panel.regions.sides
    one = (
        ("only one region takes part",) * 2
        if sides is None
        else tuple(f"only the {s} region takes part" for s in sides)
    )
    words = {
        NEITHER: "neither region takes part",
        FIRST_ONLY: one[0],
        SECOND_ONLY: one[1],
        BOTH_TAKE_PART: "both take part, with others",
    }
    used = {kind for choice in choices(panel) for kind in choice.types}
    return {kind: text for kind, text in words.items() if kind in used}


def _figure(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> IntervalFigure:
    words = direction_words(panel)
    intervals: list[Interval] = [
        interval(_written(choice), words[direction], found[key])
        for choice in choices(panel)
        for direction in panel.directions
        if (key := _key(lead, direction, choice)) in found
    ]
    percent = is_log(next(iter(found.values())))
    said = [f"{i.row}, {i.series}: {spoken(i)}" for i in intervals]
    return IntervalFigure(
        name="control_types",
        title=f"{label(study, panel, lead.outcome, short=True)}: partners against near pairs, by control types",
        description=f"Estimates with 95% intervals. {'; '.join(said)}.",
        axis="Difference in percent, 95% interval" if percent else "Difference, 95% interval",
        intervals=tuple(intervals),
    )


def _finding(panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> str:
    """The range of the estimates over sets of control pairs, by direction."""
    here = {d: [found[key] for c in choices(panel) if (key := _key(lead, d, c)) in found] for d in panel.directions}
    sizes = {d: [size_of(e) for e in estimates] for d, estimates in here.items() if estimates}
    sets = max(len(x) for x in sizes.values())
    said = {
        d: f"{plain(min(s.value for s in x))} to {plain(max(s.value for s in x))}{x[0].unit}" for d, x in sizes.items()
    }
    if sets < 2:
        return ""
    over = f"Over {sets} sets of control pairs partners differ by"
    return fitting(f"{over} {by_way(panel, said)}", f"{over} {next(iter(said.values()))}")


def _sentences(study: Study, panel: Panel, lead: Model, found: Mapping[str, Estimate]) -> Iterator[str]:
    model = model_label(study, panel, lead)
    for with_both, what in ((True, "sets that hold type 4"), (False, "sets without type 4")):
        parts = []
        for direction in panel.directions:
            here = {
                choice: found[key]
                for choice in choices(panel)
                if (BOTH_TAKE_PART in choice.types) == with_both and (key := _key(lead, direction, choice)) in found
            }
            if here:
                parts.append(f"{direction_label(panel, direction)} {_range(here)}")
        if parts:
            yield f"{model}, {what}: {'; '.join(parts)}."


def _range(found: Mapping[Choice, Estimate]) -> str:
    """The estimates of some sets from the lowest to the highest, and the fewest partner pairs behind one."""
    values = [size_of(e).value for e in found.values()]
    unit = size_of(next(iter(found.values()))).unit
    low, high = f"{plain(min(values))}{unit}", f"{plain(max(values))}{unit}"
    every = [e.diagnostics.identification for e in found.values()]
    fewest = min((about.effective_partners for about in every if about is not None), default=np.nan)
    more = " or more" if len(found) > 1 else ""
    counted = f", {plain(fewest)} effective partner pairs{more}" if np.isfinite(fewest) else ""
    over = f"{low} to {high} over {len(found):,} sets" if len(found) > 1 else low
    return f"{over}{counted}"


EXHIBIT = Exhibit(
    name="control_types",
    title="Which pairs are controls",
    needs=NEEDS,
    plan=plan,
    show=show,
    explain=explain,
)
