"""The effect in money, by direction and year: the paper's 2-3 billion yuan."""

from collections.abc import Iterator, Mapping

import numpy as np

from tradelift.designs import Finding, Task
from tradelift.exhibits.about import about_column
from tradelift.exhibits.careful import careful
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting, way
from tradelift.exhibits.gravity import OLS, PPML, Model, gravity_design
from tradelift.exhibits.labels import direction_label, panel_title, plain, signed
from tradelift.exhibits.money import Unit, amount_columns, unit_for
from tradelift.exhibits.shown import Column, DataTable, Interval, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import direction_words, model_label, rd_design
from tradelift.inference.magnitude import A_YEAR, ALL_YEARS, Amount, Magnitude, Money
from tradelift.panel import Panel
from tradelift.study import Study

TRADE = "trade"
MODELS = (
    Model(outcome=f"log({TRADE})", column=TRADE, estimator=OLS),
    Model(outcome=TRADE, column=TRADE, estimator=PPML),
)
SPATIAL, GRAVITY = "Spatial RD", "Gravity"
METHODS = (f"{SPATIAL}, {OLS}", f"{SPATIAL}, {PPML}", f"{GRAVITY}, {PPML}", f"{GRAVITY}, {OLS}")
"""Ways to the coefficient; the first that could be estimated leads."""

SHARE = Column(name="share", label="Share, %", kind="number", digits=1)
P_VALUE = Column(name="p_value", label="p", kind="number", digits=3, least=0.001)
NOTES = (
    "Effect: trade of partner pairs, y, less what it would have been without it, y exp(-b); share: of that trade.",
    "Partial: what partners may have traded less with others is not taken off.",
    "Standard errors by the delta method; 95%: the ends of the coefficient's interval, in money.",
    "One coefficient holds for all years: years differ in the trade that it is applied to.",
    "Each direction has a coefficient of its own: the amounts do not add up to that of both.",
)


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan spatial RD where there are coordinates, and gravity beside it, by OLS on logs and by PPML."""
    near = panel.regions.longitude is not None
    tasks: dict[str, Task] = {}
    for direction in panel.directions:
        for model in MODELS:
            if near:
                tasks[_key(SPATIAL, model, direction)] = Magnitude(design=careful(rd_design(study, model, direction)))
            gravity = careful(gravity_design(study, model, direction), stored=panel.stored)
            tasks[_key(GRAVITY, model, direction)] = Magnitude(design=gravity)
    return tasks


def _key(design: str, model: Model, direction: str) -> str:
    return f"{design}, {model.estimator}, {direction}"


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the amounts over all years and a year, and the leading method's year by year."""
    found = {
        method: {d: x for d in panel.directions if isinstance(x := results.get(f"{method}, {d}"), Money)}
        for method in METHODS
    }
    found = {method: by_direction for method, by_direction in found.items() if by_direction}
    if not found:
        return Shown()
    lead = next(iter(found))
    unit = unit_for([a.conf_high for x in found[lead].values() for a in x.amounts], panel.account.currency)
    years = _years(panel, lead, found[lead], unit.finer)
    return Shown(
        tables=(_table(study, panel, found, unit.finer), *([years] if years.rows else [])),
        figures=(_figure(panel, found, unit), *_by_year(panel, lead, found[lead], unit)),
        sentences=tuple(_sentences(panel, found, unit)),
        finding=_finding(panel, found, unit),
    )


def _horizon(money: Money) -> Amount:
    """A year where years are whole, else all."""
    amount = money.of(A_YEAR) or money.of(ALL_YEARS)
    assert amount is not None, "there always is a sum over all years"
    return amount


def _values(money: Money, amount: Amount) -> tuple[Value, ...]:
    share = 100 * amount.value / amount.base if amount.base > 0 else None
    return (
        amount.base, share, amount.value, amount.std_error, amount.conf_low, amount.conf_high, money.p_value,
    )  # fmt: skip


def _table(study: Study, panel: Panel, found: Mapping[str, Mapping[str, Money]], unit: Unit) -> DataTable:
    rows: list[tuple[Value, ...]] = []
    for direction in panel.directions:
        for method, by_direction in found.items():
            money = by_direction.get(direction)
            for horizon in (A_YEAR, ALL_YEARS):
                amount = None if money is None else money.of(horizon)
                if money is not None and amount is not None:
                    rows.append((direction, method, horizon, *_values(money, amount)))
    return DataTable(
        name="magnitude",
        title=f"The effect in money, {unit.name}",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="method", label=""),
            Column(name="horizon", label="Horizon"),
            *_columns(unit),
        ),
        rows=tuple(rows),
        label="method",
        group="direction",
        notes=(*NOTES, *_about(panel, found), *_leading(study, panel, found)),
    )


def _leading(study: Study, panel: Panel, found: Mapping[str, Mapping[str, Money]]) -> Iterator[str]:
    """What stands behind the method that leads."""
    lead, by_direction = next(iter(found.items()))
    own = next(iter(by_direction.values()))
    model = next(m for m in MODELS if m.estimator == lead.rsplit(", ", 1)[1])
    make = rd_design if lead.startswith(SPATIAL) else gravity_design
    yield about_column(panel, own, model_label(study, panel, model), make(study, model, own.direction).formula)


def _columns(unit: Unit) -> tuple[Column, ...]:
    return (*amount_columns(unit, "Trade of partners", SHARE), P_VALUE)


def _about(panel: Panel, found: Mapping[str, Mapping[str, Money]]) -> Iterator[str]:
    """Horizon, errors, and which partner pairs the amounts are carried over to."""
    yield f"Horizon: {panel.periods[0]} to {panel.periods[-1]}, {len(panel.periods):,} periods."
    errors: dict[str, list[str]] = {}
    for method, by_direction in found.items():
        errors.setdefault(next(iter(by_direction.values())).se_type, []).append(method)
    by_kind = [f"{kind} ({', '.join(methods)})" if len(errors) > 1 else kind for kind, methods in errors.items()]
    yield f"Errors: {'; '.join(by_kind)}."
    money = next(iter(next(iter(found.values())).values()))
    if money.estimated_on < money.partner_pairs:
        yield (
            f"{money.estimated_on:,} of the {money.partner_pairs:,} directed partner pairs with trade identify the "
            f"effect of spatial RD ({direction_label(panel, money.direction)}); the amounts take it for all."
        )
    unknown = max(x.unknown for by_direction in found.values() for x in by_direction.values())
    if unknown:
        yield f"{unknown:,} flows of partner pairs are missing and add nothing."


def _years(panel: Panel, lead: str, found: Mapping[str, Money], unit: Unit) -> DataTable:
    rows = [
        (direction, amount.horizon, *_values(money, amount))
        for direction, money in found.items()
        for amount in money.amounts
        if amount.horizon not in (A_YEAR, ALL_YEARS)
    ]
    return DataTable(
        name="magnitude_years",
        title=f"The effect in money by year, {unit.name}: {lead}",
        columns=(
            Column(name="direction", label="", words=direction_words(panel)),
            Column(name="year", label=""),
            *_columns(unit),
        ),
        rows=tuple(rows),
        label="year",
        group="direction",
    )


def _figure(panel: Panel, found: Mapping[str, Mapping[str, Money]], unit: Unit) -> IntervalFigure:
    intervals = tuple(
        _interval(direction, method, _horizon(by_direction[direction]), unit)
        for direction in panel.directions
        for method, by_direction in found.items()
        if direction in by_direction
    )
    per = " a year" if _horizon(next(iter(found[next(iter(found))].values()))).horizon == A_YEAR else ""
    said = [f"{panel_title(panel, i.row)}, {i.series}: {signed(i.value)}{_spoken(i)}" for i in intervals]
    return IntervalFigure(
        name="magnitude",
        title="What partners trade more, in money",
        description=f"Effects in {unit.name}{per} with 95% intervals. {'; '.join(said)}.",
        axis=f"{unit.title}{per}, 95% interval",
        intervals=intervals,
        words=direction_words(panel),
    )


def _by_year(panel: Panel, lead: str, found: Mapping[str, Money], unit: Unit) -> Iterator[IntervalFigure]:
    intervals = tuple(
        _interval(amount.horizon, direction_label(panel, direction), amount, unit)
        for direction, money in found.items()
        for amount in money.amounts
        if amount.horizon not in (A_YEAR, ALL_YEARS)
    )
    if intervals:
        said = [f"{i.row}, {i.series}: {signed(i.value)}{_spoken(i)}" for i in intervals]
        yield IntervalFigure(
            name="magnitude_years",
            title=f"What partners trade more, year by year: {lead}",
            description=f"Effects in {unit.name} with 95% intervals. {'; '.join(said)}.",
            axis=f"{unit.title}, 95% interval",
            intervals=tuple(sorted(intervals, key=lambda i: i.row)),
        )


def _interval(row: str, series: str, amount: Amount, unit: Unit) -> Interval:
    low, high = amount.conf_low / unit.size, amount.conf_high / unit.size
    known = low == low and high == high  # noqa: PLR0124 - NaN is not itself
    return Interval(
        row=row,
        series=series,
        value=amount.value / unit.size,
        low=low if known else None,
        high=high if known else None,
    )


def _spoken(line: Interval) -> str:
    return (
        " (error not known)" if line.low is None or line.high is None else f" ({plain(line.low)} to {plain(line.high)})"
    )


def _finding(panel: Panel, found: Mapping[str, Mapping[str, Money]], unit: Unit) -> str:
    """The leading method's amount over all flows, of what partners traded."""
    direction, money = next(iter(next(iter(found.values())).items()))
    amount = _horizon(money)
    per = " a year" if amount.horizon == A_YEAR else ""
    low, high = (plain(x / unit.size) for x in (amount.conf_low, amount.conf_high))
    if not np.isfinite(amount.conf_high - amount.conf_low):
        return ""
    start = f"The effect comes to {unit.write(amount.value)}{per} (95% interval {low} to {high})"
    where = f", {way(panel, direction)}" if way(panel, direction) else ""
    return fitting(f"{start} of {unit.write(amount.base)}{where}", start)


def _sentences(panel: Panel, found: Mapping[str, Mapping[str, Money]], unit: Unit) -> Iterator[str]:
    """The amount of the leading method with its base and horizon, by direction, and the others beside it."""
    lead, *others = found
    direction, main = next(iter(found[lead].items()))
    amount = _horizon(main)
    per = " a year" if amount.horizon == A_YEAR else ""
    yield (
        f"In money, {lead}, {direction_label(panel, direction)}: partner pairs traded {unit.write(amount.base)}{per} "
        f"({panel.periods[0]} to {panel.periods[-1]}), and the effect comes to {unit.said(amount)} of it. It is that "
        f"of partnership if nothing else parts them from those that they are compared with."
    )
    rest = [
        f"{direction_label(panel, d)} {unit.said(_horizon(x))} of {unit.write(_horizon(x).base)}"
        for d, x in found[lead].items()
        if d != direction
    ]
    if rest:
        yield f"By direction{per}: {'; '.join(rest)}."
    beside = [f"{m} {unit.said(_horizon(found[m][direction]))}" for m in others if direction in found[m]]
    if beside:
        yield f"The same by other methods ({direction_label(panel, direction)}{per}): {'; '.join(beside)}."


EXHIBIT = Exhibit(
    name="magnitude",
    title="The effect in money",
    needs=frozenset({"partners", "trade"}),
    plan=plan,
    show=show,
)
