"""The numbers of a study's report beside their truths, in one simulated world."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from tradelift.designs import Finding, Gravity, SpatialRD, Task
from tradelift.errors import ConvergenceError, DesignError
from tradelift.estimate import Estimate
from tradelift.exhibits.dynamics_tables import changes_of
from tradelift.exhibits.gravity import OLS, PPML, Model
from tradelift.exhibits.split import Approach, difference
from tradelift.inference import (
    ByTrait,
    HeldLog,
    Mediated,
    Mediation,
    Parted,
    SideBySide,
    SpendingMonths,
    joint,
)
from tradelift.inference.by_trait import CONTINUOUS
from tradelift.inference.magnitude import ALL_YEARS, Magnitude, Money
from tradelift.inference.parted import periods_by
from tradelift.inference.spending import MONTHS
from tradelift.inference.spillovers import Exposed, Exposure
from tradelift.panel import Panel
from tradelift.study import Study
from tradelift.worlds.panels import PanelDraw
from tradelift.worlds.traits import TRAITS
from tradelift.worlds.treated import Effect, effects, treated_cells

BOTH, EAST, WEST = "both", "east->west", "west->east"
DIRECTIONS = {
    "categories": (BOTH, WEST),
    "traits": (BOTH, WEST),
    "dynamics": (BOTH, EAST, WEST),
    "migration": (BOTH, WEST),
    "awareness": (BOTH, WEST),
    "flights": (BOTH,),
    "spending": (WEST,),
    "magnitude": (BOTH, EAST, WEST),
    "concentration": (BOTH,),
    "spillovers": (BOTH,),
}
"""
Sections of the report whose claims have a truth (a task that two of them plan stands under the first), and where they
are looked at: both directions together lead; from west to east goods and pairs differ; each has its change at the
break, and its money.
"""

HALVES = "halves"
ESTIMATOR = {"gaussian": OLS, "poisson": PPML}
GAP, MONEY, TOP = "difference", "percent of partners' trade", "top less other sellers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """An estimate with its standard error and 95% interval; NaN where it is not known."""

    value: float = np.nan
    std_error: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A number of the report in one world, and the truth. `what` is the term; `outcome` what it is an effect on."""

    section: str
    what: str
    outcome: str
    direction: str
    design: str
    estimator: str
    seed: int
    truth: float
    value: float
    std_error: float
    low: float
    high: float


def study_of(draw: PanelDraw) -> Study:
    """The study that `tradelift simulate` writes beside the flows of such a world."""
    assert draw.world.scale.break_at is not None, "there is a break to look at"
    name, period = draw.world.scale.break_at
    return Study(
        name="A simulated world",
        flows={"file": "flows.parquet", "by_category": "flows_by_category.parquet"},
        regions={"file": "cities.csv", "sides": ["east", "west"]},
        partners={"file": "partners.csv"},
        mediators=("log(migration)", "log(search)"),
        traits=TRAITS,
        breaks={name: period},
    )


def found_in(draw: PanelDraw) -> Iterator[Found]:
    """Estimate what the sections of the report plan, and put each number beside its truth."""
    study, panel = study_of(draw), draw.with_goods()
    seen: set[str] = set()
    for section in DIRECTIONS:
        plan = import_module(f"tradelift.exhibits.{section}").EXHIBIT.plan(study, panel)
        results: dict[str, tuple[Task, Finding | None]] = {}
        for key, task in plan.items():
            if repr(task) in seen or not (truths := truths_of(section, task, draw, panel)):
                continue
            seen.add(repr(task))
            result = _estimated(task, panel)
            results[key] = task, result
            numbers = {} if result is None else numbers_of(task, result)
            for what, truth in truths.items():
                yield _line(section, what, task, draw, truth, numbers.get(what, Number()))
        if section == "dynamics":
            yield from _changes(results, draw, panel)
        if section == "spillovers":
            yield from _rings(plan, draw, panel)


def _estimated(task: Task, panel: Panel) -> Finding | None:
    """What a task finds; None where it is refused."""
    try:
        return task.estimate(panel)
    except (DesignError, ConvergenceError):
        return None


def _line(section: str, what: str, task: Any, draw: PanelDraw, truth: float, number: Number) -> Found:
    design = getattr(task, "design", task)
    outcome = " and ".join(task.outcomes) if isinstance(task, SideBySide) else design.outcome
    return Found(
        section=section,
        what=what,
        outcome=outcome,
        direction=design.direction,
        design=type(design).__name__,
        estimator=ESTIMATOR[str(design.family)],
        seed=draw.truth.seed,
        truth=truth,
        value=number.value,
        std_error=number.std_error,
        low=number.low,
        high=number.high,
    )


def truths_of(section: str, task: Any, draw: PanelDraw, panel: Panel) -> dict[str, float]:
    """What a task is after, by term; empty where the world does not say."""
    design = getattr(task, "design", task)
    direction = design.direction
    if direction not in DIRECTIONS[section]:
        return {}
    known = draw.truth.estimands

    if isinstance(task, Parted | SpendingMonths):
        months = dict(zip(MONTHS, known["spending"].values(), strict=True))
        return _in(_parts(task, draw, panel) if isinstance(task, Parted) else months, design)
    if isinstance(task, ByTrait):
        return _of_trait(task, draw)
    if isinstance(task, Mediation):
        return {} if task.lag else _mediated(task, draw)
    if isinstance(task, Magnitude):
        return {MONEY: 100 * known["money"][direction]["total"] / _base(panel, direction)}
    return _zeros(task) or _alone(section, task, draw)


def _in(of: Mapping[str, dict[str, Effect]], design: Any) -> dict[str, float]:
    """Effects in a design's direction, in the weighting of its family."""
    return {what: effect[design.direction][str(design.family)] for what, effect in of.items()}


def _of_trait(task: ByTrait, draw: PanelDraw) -> dict[str, float]:
    """Halves of the partner pairs and their difference, or the slope; thirds are not asked for."""
    own, design = draw.truth.estimands["traits"][task.trait], task.design
    if task.split == CONTINUOUS:
        return {f"{task.trait}: slope": own["slope"][design.direction]}
    if task.split != HALVES:
        return {}
    halves = {f"partner[{half}]": own[half] for half in ("low", "high")} | {GAP: own[GAP]}
    return {f"{task.trait}: {what}": value for what, value in _in(halves, design).items()}


def _zeros(task: Any) -> dict[str, float]:
    """What partnership does nothing to, under the names of `numbers_of`."""
    if isinstance(task, HeldLog):
        return {f"partner, {task.column} held": 0.0}
    if isinstance(task, SideBySide):
        return {TOP: 0.0} if "seller" in task.outcomes[0] else {}
    return {f"exposed pairs ({task.kind})": 0.0} if isinstance(task, Exposure) else {}


def _alone(section: str, design: Any, draw: PanelDraw) -> dict[str, float]:
    """Flights and mediators as outcomes."""
    if not isinstance(design, Gravity | SpatialRD) or section not in ("migration", "awareness", "flights"):
        return {}
    if design.outcome == "flights":
        return {"partner": 0.0}
    return {"partner": draw.truth.estimands["mediation"][design.outcome][design.direction]["on_mediator"]}


def _parts(task: Parted, draw: PanelDraw, panel: Panel) -> dict[str, dict[str, Effect]]:
    """Effects by category, by group of categories and around a break; months, quarters and years are not asked for."""
    treated = [treated_cells(d) for d in draw.world.directions]
    if task.groups is not None and "comparative advantage" in task.groups:
        return {}  # in these worlds nearly the groups of the programme's priority
    if task.by == "category":
        assert panel.goods is not None, "they stand beside the panel"
        groups = task.groups or {name: (name,) for name in panel.goods.names}
        found = {f"partner[{name}]": effects(treated, goods=tuple(members)) for name, members in groups.items()}
        return found | ({GAP: _less(*found.values())} if task.groups else {})
    if task.by != "break":
        return {}
    spans = periods_by(panel.periods, task.by, task.at)
    found = {f"partner[{name}]": effects(treated, months=_months(panel, span)) for name, span in spans.items()}
    before, after = found.values()
    return found | {GAP: _less(after, before)}


def _months(panel: Panel, span: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    t = np.arange(len(panel.periods))
    return (span[0] <= t) & (t <= span[1])


def _less(one: dict[str, Effect], other: dict[str, Effect]) -> dict[str, Effect]:
    return {d: {family: one[d][family] - other[d][family] for family in one[d]} for d in one}


def _mediated(task: Mediation, draw: PanelDraw) -> dict[str, float]:
    """
    What goes through the mediators of a task.

    PPML weighs the two directions by their money: those of partners in the effect on a mediator, all in the effect of
    it.
    """
    known, design = draw.truth.estimands["mediation"], task.design
    parts = {}
    for m in task.mediators:
        own = known[m]
        parts[m] = float(own[design.direction]["mediated"])
        if design.direction == BOTH and design.family == "poisson":
            on, of = (
                np.average([own[d.name][key] for d in draw.world.directions], weights=_money(draw, key))
                for key in ("on_mediator", "elasticity")
            )
            parts[m] = float(on * of)
    found = {f"{' and '.join(task.mediators)}: mediated": sum(parts.values())}
    return found if len(parts) == 1 else found | {f"{m}: mediated, beside others": part for m, part in parts.items()}


def _money(draw: PanelDraw, key: str) -> list[float]:
    """Money of partners, or of all pairs, by direction."""
    return [
        float(d.money()[:, d.partner].sum() if key == "on_mediator" else d.money().sum()) for d in draw.world.directions
    ]


def _base(panel: Panel, direction: str) -> float:
    """What partner pairs traded, which the effect is part of."""
    own = panel.column("partner") > 0
    if direction != BOTH:
        side = np.asarray(panel.regions.side)[panel.cells.column("origin")]
        own &= side == (panel.regions.sides or ()).index(direction.split("->", maxsplit=1)[0])
    return float(panel.column("trade")[own].sum())


def numbers_of(task: Any, result: Finding) -> dict[str, Number]:
    """The numbers of a finding as the report prints them, under the names of `truths_of`."""
    if isinstance(result, Money):
        amount = result.of(ALL_YEARS)
        assert amount is not None, "there always is a sum over all years"
        ends = (amount.value, amount.std_error, amount.conf_low, amount.conf_high)
        values = (100 * end / amount.base for end in ends)
        return {MONEY: Number(**dict(zip(Number.__slots__, values, strict=True)))}
    if isinstance(result, Exposed):
        return {f"exposed pairs ({task.kind})": _of(result.found, result.exposure)}
    if isinstance(result, Mediated):
        alone = {f"{' and '.join(result.mediators)}: mediated": _of(result.estimate, "mediated")}
        parts = {f"{m}: mediated, beside others": _of(result.estimate, f"mediated[{m}]") for m in result.mediators}
        return alone if len(parts) == 1 else alone | parts
    assert isinstance(result, Estimate), "all else is one"
    return _of_estimate(task, result)


def _of_estimate(task: Any, result: Estimate) -> dict[str, Number]:
    found = _numbers(result)
    if isinstance(task, ByTrait):
        if task.split == CONTINUOUS:
            return {f"{task.trait}: slope": found[f"partner:{task.trait}"]}
        found[GAP] = _of(difference(result, "partner[high]", "partner[low]", GAP), GAP)
        return {f"{task.trait}: {what}": number for what, number in found.items()}
    if isinstance(task, HeldLog):
        return {f"partner, {task.column} held": found["partner"]}
    if isinstance(task, SideBySide):
        gap = _of(difference(result, *(f"partner[{name}]" for name in task.outcomes), GAP), GAP)
        return {TOP: gap}
    if isinstance(task, Parted) and len(result.treatment) == 2:
        one, other = result.treatment if task.groups else result.treatment[::-1]
        found[GAP] = _of(difference(result, one, other, GAP), GAP)
    return found


def _numbers(estimate: Estimate) -> dict[str, Number]:
    """The numbers of an estimate by term."""
    columns = ("estimate", "std_error", "conf_low", "conf_high")
    rows = estimate.tidy().set_index("term")[list(columns)]
    return {str(term): Number(value=b, std_error=e, low=low, high=high) for term, b, e, low, high in rows.itertuples()}


def _of(estimate: Estimate, term: str) -> Number:
    return _numbers(estimate)[term]


def _changes(results: Mapping[str, tuple[Task, Finding | None]], draw: PanelDraw, panel: Panel) -> Iterator[Found]:
    """The change at the break of one direction less that of the other, as `dynamics` makes it."""
    tasks = [(task, result) for task, result in results.values() if isinstance(task, Parted)]
    around = [(t.design.direction, _approach(t.design), e) for t, e in tasks if isinstance(e, Estimate)]
    between = changes_of(panel, around).between
    one, other = panel.directions[:0:-1]
    for task, _ in tasks:
        if task.design.direction == BOTH:
            found = between.get(_approach(task.design))
            number = Number() if found is None else _of(found, found.terms[0])
            of, family = _parts(task, draw, panel)[GAP], str(task.design.family)
            yield _line("dynamics", "difference of changes", task, draw, of[one][family] - of[other][family], number)


def _approach(design: Any) -> Approach:
    model = Model(outcome=design.outcome, column="trade", estimator=ESTIMATOR[design.family])
    return Approach(design=type(design).__name__, model=model)


def _rings(plan: Mapping[str, Task], draw: PanelDraw, panel: Panel) -> Iterator[Found]:
    """Spatial RD with the nearest controls less that with the farthest, as `spillovers` makes it."""
    designs = [task for task in plan.values() if isinstance(task, SpatialRD)]
    for direction in DIRECTIONS["spillovers"]:
        own = {d.donut_km: d for d in designs if d.direction == direction}
        near, far = own[min(own)], own[max(own)]
        found = {"near": _estimated(near, panel), "far": _estimated(far, panel)}
        number = Number()
        if all(isinstance(e, Estimate) for e in found.values()):
            both = joint(found, controls=False)  # type: ignore[arg-type]
            number = _of(difference(both, "partner[near]", "partner[far]", GAP), GAP)
        yield _line("spillovers", "nearest less farthest ring", near, draw, 0.0, number)
