"""The effect by product category, by comparative advantage and by the programme's priorities."""

from collections.abc import Iterator, Mapping

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.designs.advantage import balassa
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.exhibits.category_tables import Category, category_table, equality_table, group_table
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, span, way
from tradelift.exhibits.gravity import PPML
from tradelift.exhibits.labels import direction_label, plain, signed
from tradelift.exhibits.leading import leading_notes
from tradelift.exhibits.shown import Figure, IntervalFigure, Shown
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import spoken
from tradelift.exhibits.split import (
    Approach,
    difference,
    estimates_by,
    flow_approaches,
    lacking,
    leading_approach,
    line,
    p_of,
    p_words,
    part_of,
    sizes,
    test_words,
    unit_of,
)
from tradelift.inference import Parted, joint_test, simultaneous
from tradelift.panel import Panel
from tradelift.study import Study

EACH = "by category"
LEVEL = 0.05
WHAT = {
    "priority": "categories with priority in the programme",
    "advantage": "categories in which {side} has a comparative advantage",
}
SHORT = {"priority": ("Priority categories", "others"), "advantage": ("Categories with an advantage", "others")}
GROUPS = {
    "priority": ("priority of the programme", "other categories"),
    "advantage": ("comparative advantage", "no advantage"),
}


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan every category in both designs by OLS and PPML, and the groups that the study has by PPML on their sums."""
    found = flow_approaches(study, panel)
    out: dict[str, Task] = {}
    grouped = _groups(panel)
    for direction in panel.directions:
        for a in found:
            design = a.make(study, direction)
            out[a.key(EACH, direction)] = Parted(design=design, by="category")
            if a.model.estimator == PPML:
                for name, groups in grouped.items():
                    out[a.key(f"by {name}", direction)] = Parted(design=design, by="category", groups=groups)
    return out


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the effects by category, and which differ."""
    found = flow_approaches(study, panel)
    lead = leading_approach(found)
    each = list(estimates_by(results, found, EACH, panel.directions))
    if lead is None or not each:
        return Shown(sentences=tuple(_absent(panel)))
    known = _categories(panel)
    groups = {name: list(estimates_by(results, found, f"by {name}", panel.directions)) for name in GROUPS}
    tables = (
        category_table(panel, each, known, tuple(leading_notes(study, panel, each, lead, "category"))),
        equality_table(panel, each, known),
        group_table(panel, groups, GROUPS),
    )
    return Shown(
        tables=tuple(table for table in tables if table.rows),
        figures=tuple(_figures(panel, each, lead, known)),
        sentences=(
            *_sentences(panel, each, lead, known),
            *_of_groups(panel, groups, lead),
            *_coverage(panel),
            *_absent(panel),
        ),
        finding=_finding(panel, each, groups, lead, known),
    )


def _categories(panel: Panel) -> dict[str, Category]:
    """What is known of each category."""
    goods = panel.goods
    assert goods is not None, "the exhibit needs it"
    names = goods.about.get("name")
    priority = goods.about.get("priority")
    index = _advantage(panel)
    return {
        name: Category(
            label=str(names[c]) if names is not None and names[c] else name,
            trade=float(goods.columns["trade"][goods.edges[c] : goods.edges[c + 1]].sum()),
            advantage=float(index[c]) if index is not None and np.isfinite(index[c]) else None,
            priority=float(priority[c]) if priority is not None and np.isfinite(priority[c]) else None,
        )
        for c, name in enumerate(goods.names)
    }


def _advantage(panel: Panel) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    try:
        return balassa(panel)
    except DesignError:
        return None


def _groups(panel: Panel) -> dict[str, dict[str, tuple[str, ...]]]:
    """Categories with and without priority, and with and without advantage, where there are some of both."""
    known = _categories(panel)
    marks = {
        "priority": {n: c.priority == 1 for n, c in known.items() if c.priority is not None},
        "advantage": {n: c.advantage > 1 for n, c in known.items() if c.advantage is not None},
    }
    return {
        name: {
            words[0]: tuple(n for n, has in marks[name].items() if has),
            words[1]: tuple(n for n, has in marks[name].items() if not has),
        }
        for name, words in GROUPS.items()
        if len(set(marks[name].values())) == 2
    }


def _figures(
    panel: Panel, each: list[tuple[str, Approach, Estimate]], lead: Approach, known: Mapping[str, Category]
) -> Iterator[Figure]:
    """One figure a direction: every category in both designs, by the leading model."""
    words = {name: c.label for name, c in known.items()}
    for direction in panel.directions:
        own = [(a, e) for d, a, e in each if d == direction and a.model == lead.model]
        found = [(a.design, sizes(e)) for a, e in own]
        nearest = found[-1][1] if found else {}
        parts = sorted(dict.fromkeys(p for _, of in found for p in of), key=lambda p: -_value(nearest, p))
        lines = [line(part, design, of[part]) for part in parts for design, of in found if part in of]
        if not lines:
            continue
        said = "; ".join(f"{words[i.row]}, {i.series}: {spoken(i)}" for i in lines)
        yield IntervalFigure(
            name=f"categories_{direction.replace('->', '_to_')}",
            title=f"Effect by category, {direction_label(panel, direction)}: {lead.model.estimator}",
            description=f"Estimates with 95% intervals by category and design. {said}.",
            axis=f"{unit_of([e for _, e in own])}, 95% interval",
            intervals=tuple(lines),
            words=words,
        )


def _finding(
    panel: Panel,
    each: list[tuple[str, Approach, Estimate]],
    groups: Mapping[str, list[tuple[str, Approach, Estimate]]],
    lead: Approach,
    known: Mapping[str, Category],
) -> str:
    """What priority categories, else those with advantage, gain beside others; else the largest effect."""
    direction = panel.directions[0]
    where = f"{way(panel, direction)}; " if way(panel, direction) else ""
    for name, (one, other) in SHORT.items():
        for d, a, e in groups[name]:
            if d == direction and a.design == lead.design and len(e.treatment) == 2:
                first, second = sizes(e).values()
                numbers = [f"{signed(s.value)}{s.unit}" for s in (first, second)]
                spans = [f" ({span(s)})" if s.is_known else "" for s in (first, second)]
                gap = f"{where}difference {p_words(p_of(difference(e, *e.treatment)))}"
                return fitting(
                    f"{one} {numbers[0]}{spans[0]}, {other} {numbers[1]}{spans[1]}; {gap}",
                    f"{one} {numbers[0]}, {other} {numbers[1]} ({gap})",
                )
    own = next((e for d, a, e in each if d == direction and a == lead), None)
    if own is None or len(own.treatment) < 2:
        return ""
    test = joint_test(own)
    apart = "Effects differ between categories" if test.p_value < LEVEL else "No difference between categories is seen"
    name, size = max(sizes(own).items(), key=lambda x: x[1].value)
    largest = f"{known[name].label} is largest, {signed(size.value)}{size.unit} ({span(size)})" if size.is_known else ""
    start = f"{apart} ({where}{p_words(test.p_value)})"
    return fitting(f"{start}; {largest}" if largest else start, start)


def _value(of: Mapping[str, Size], part: str) -> float:
    """An effect to sort by; the least where it is not known."""
    return of[part].value if part in of else -np.inf


def _sentences(
    panel: Panel, each: list[tuple[str, Approach, Estimate]], lead: Approach, known: Mapping[str, Category]
) -> Iterator[str]:
    """The categories from the largest effect to the smallest, by direction, and whether they differ."""
    for direction, a, e in each:
        if a != lead:
            continue
        parts = sorted(sizes(e).items(), key=lambda x: -x[1].value)
        said = "; ".join(f"{known[name].label} {size.brief}" for name, size in parts)
        where = direction_label(panel, direction)
        yield f"{where[:1].upper()}{where[1:]} ({lead.words}): {said}."
        if len(parts) > 1:
            test = joint_test(e)
            clear = simultaneous(e)
            kept = [
                known[part_of(t)].label for t, p in zip(clear["term"], clear["step_down"], strict=True) if p < LEVEL
            ]
            equal = "Effects differ between categories" if test.p_value < LEVEL else "Equal effects are not rejected"
            from_0 = (
                f"{len(kept)} effects differ" if len(kept) > 1 else "1 effect differs" if kept else "no effect differs"
            )
            yield (
                f"{equal}: {test_words(test)}. Allowing for {len(parts)} tests, "
                f"{from_0} from 0 at 5%{': ' if kept else ''}{', '.join(kept)}."
            )


def _of_groups(
    panel: Panel, groups: Mapping[str, list[tuple[str, Approach, Estimate]]], lead: Approach
) -> Iterator[str]:
    """Categories with priority, or advantage, beside the others."""
    for name, estimates in groups.items():
        parts = []
        for direction, a, e in estimates:
            if a.design != lead.design or len(e.treatment) < 2:
                continue
            first, second = sizes(e).values()
            gap = difference(e, *e.treatment)
            parts.append(
                f"{direction_label(panel, direction)} {first.brief}, others {second.brief}, difference "
                f"{p_words(p_of(gap))}"
            )
        if parts:
            of = WHAT[name].format(side=panel.regions.sides[1] if panel.regions.sides else "")
            yield f"Money of {of} and of the others ({lead.design} by PPML): {'; '.join(parts)}."


def _coverage(panel: Panel) -> Iterator[str]:
    """How much of all trade is in the categories."""
    goods = panel.goods
    assert goods is not None, "the exhibit needs it"
    whole = float(np.nansum(panel.column("trade"))) if "trade" in panel.names else 0.0
    if whole > 0:
        share = 100 * float(goods.columns["trade"].sum()) / whole
        yield f"The categories hold {plain(share)}% of the trade of all goods."
    for reason, count in goods.excluded.items():
        if count:
            yield f"Flows by category that are not used: {reason} {count:,}."


def _absent(panel: Panel) -> Iterator[str]:
    goods = panel.goods
    if goods is not None and "priority" not in goods.about:
        yield "Priority categories are left out: give `categories`, a file with a column priority (1 or 0)."
    if panel.regions.sides is None:
        yield "Comparative advantage is left out: it is of a side; give the regions a column side."
    yield from lacking(panel)


EXHIBIT = Exhibit(
    name="categories",
    title="Effects by product category",
    needs=frozenset({"partners", "categories"}),
    plan=plan,
    show=show,
)
