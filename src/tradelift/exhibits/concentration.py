"""Do large and small sellers gain alike: concentration ratios, and the flows of top sellers beside the rest."""

from collections.abc import Iterator, Mapping

from tradelift.designs import Finding, Task
from tradelift.estimate import Estimate
from tradelift.exhibits.concentration_tables import (
    Findings,
    Margins,
    bounds_table,
    ratio_table,
    sellers_table,
)
from tradelift.exhibits.concentration_words import finding, sentences
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.gravity import OLS, PPML, Model
from tradelift.exhibits.labels import label
from tradelift.exhibits.leading import leading_notes
from tradelift.exhibits.shown import Figure, IntervalFigure, Shown
from tradelift.exhibits.spatial import direction_words, interval, spoken
from tradelift.exhibits.split import approaches, lacking, leading_approach, line, sizes
from tradelift.inference import Bounded, HeldLog, Presence, SelectionBounds, SideBySide
from tradelift.panel import Panel
from tradelift.study import Study

WHO = {"seller": "sellers", "buyer": "buyers"}
READINGS = ("flow", "city")
MONEY = {who: (f"top_{who}_trade", f"other_{who}_trade") for who in WHO}
HELD, BOUNDS, PRESENCE, APART = "{} held", "bounds", "any trade", "top {} and the rest"


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan both readings of ratios in both designs, sellers held, bounds of the first, presence, top against rest."""
    out: dict[str, Task] = {}
    for direction in panel.directions:
        for who, many in WHO.items():
            out |= _of_ratios(study, panel, who, direction)
            if set(MONEY[who]) <= set(panel.names):
                for a in approaches(panel, [_money(who)]):
                    task = SideBySide(design=a.make(study, direction), outcomes=MONEY[who])
                    out[a.key(APART.format(many), direction)] = task
        if "trade" in panel.names:
            for a in approaches(panel, [_trade()]):
                out[a.key(PRESENCE, direction)] = Presence(design=a.make(study, direction, outcome="trade"))
    return out


def _of_ratios(study: Study, panel: Panel, who: str, direction: str) -> dict[str, Task]:
    """Every reading without and with numbers held, and bounds of the first."""
    out: dict[str, Task] = {}
    for n, model in enumerate(_ratios(panel, who)):
        for a in approaches(panel, [model]):
            design = a.make(study, direction)
            out[a.key("ratio", direction)] = design
            if WHO[who] in panel.names:
                out[a.key(HELD.format(WHO[who]), direction)] = HeldLog(design=design, column=WHO[who])
            if n == 0:
                out[a.key(BOUNDS, direction)] = SelectionBounds(design=design)
    return out


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show ratios, bounds, and top sellers beside the rest."""
    found = _found(panel, results)
    absent = tuple(_absent(panel))
    if not found.ratios and not found.apart:
        return Shown(sentences=(*absent, *lacking(panel)))
    points, percent = study.concentration_margins
    margins = Margins(points=points, percent=percent)
    tables = (
        ratio_table(study, panel, found, margins, tuple(_leading(study, panel, found))),
        sellers_table(panel, found, margins),
        bounds_table(study, panel, found),
    )
    return Shown(
        tables=tuple(table for table in tables if table.rows),
        figures=tuple(_figures(study, panel, found)),
        sentences=(*sentences(study, panel, found, margins), *absent, *lacking(panel)),
        finding=finding(study, panel, found, margins),
    )


def _leading(study: Study, panel: Panel, found: Findings) -> Iterator[str]:
    """What stands behind the first ratio, by spatial RD where there is one."""
    each = [(d, a, e) for (_, held, a, d), e in found.ratios.items() if held == "none"]
    lead = leading_approach([a for _, a, _ in each])
    if lead is not None:
        yield from leading_notes(study, panel, each, lead)


def _ratios(panel: Panel, who: str) -> list[Model]:
    """Both readings of a ratio where the panel has them, else the one that it has."""
    name = f"{who}_concentration"
    names = [f"{name}_{reading}" for reading in READINGS if f"{name}_{reading}" in panel.names]
    names = names or [n for n in (name,) if n in panel.names]
    return [Model(outcome=n, column=n, estimator=OLS) for n in names]


def _money(who: str) -> Model:
    top = MONEY[who][0]
    return Model(outcome=top, column=top, estimator=PPML)


def _trade() -> Model:
    return Model(outcome="trade", column="trade", estimator=OLS)


def _found(panel: Panel, results: Mapping[str, Finding]) -> Findings:
    """Take the results apart by what they are about."""
    of_ratios = [
        (who, a, direction)
        for direction in panel.directions
        for who in WHO
        for model in _ratios(panel, who)
        for a in approaches(panel, [model])
    ]
    ratios = {
        (a.model.outcome, held, a, direction): results.get(a.key(what, direction))
        for who, a, direction in of_ratios
        for held, what in (("none", "ratio"), (WHO[who], HELD.format(WHO[who])))
    }
    bounds = {(a.model.outcome, a, direction): results.get(a.key(BOUNDS, direction)) for _, a, direction in of_ratios}
    apart = {
        (who, a, direction): results.get(a.key(APART.format(WHO[who]), direction))
        for direction in panel.directions
        for who in WHO
        for a in approaches(panel, [_money(who)])
    }
    presence = {
        (a, direction): results.get(a.key(PRESENCE, direction))
        for direction in panel.directions
        for a in approaches(panel, [_trade()])
    }
    return Findings(
        ratios={k: e for k, e in ratios.items() if isinstance(e, Estimate)},
        bounds={k: b for k, b in bounds.items() if isinstance(b, Bounded)},
        apart={k: e for k, e in apart.items() if isinstance(e, Estimate)},
        presence={k: e for k, e in presence.items() if isinstance(e, Estimate)},
    )


def _absent(panel: Panel) -> Iterator[str]:
    """What is left out, and which input would bring it."""
    if not any(_ratios(panel, who) for who in WHO):
        yield "Ratios are left out: give the log's columns `seller` and `buyer`, or a column seller_concentration."
    if "sellers" not in panel.names:
        yield "The number of sellers is not held: give the log's column `seller`, or a column sellers."
    if not set(MONEY["seller"]) <= set(panel.names):
        yield (
            "Top sellers beside the rest are left out: give the log's column `seller`, or columns top_seller_trade and "
            "other_seller_trade."
        )


def _figures(study: Study, panel: Panel, found: Findings) -> Iterator[Figure]:
    """One figure of ratios and one of money."""
    words = direction_words(panel)
    outcome = next((o for o, *_ in found.ratios if o.startswith("seller")), next((o for o, *_ in found.ratios), None))
    lines = [
        interval(d, f"{a.design}{'' if held == 'none' else f', {held} held'}", e)
        for (o, held, a, d), e in found.ratios.items()
        if o == outcome
    ]
    if outcome is not None and lines:
        said = "; ".join(f"{words[i.row]}, {i.series}: {spoken(i)}" for i in lines)
        yield IntervalFigure(
            name="concentration_ratio",
            title=f"{label(study, panel, outcome)}: effect of partnership",
            description=f"Estimates with 95% intervals. {said}.",
            axis="Effect in percentage points, 95% interval",
            intervals=tuple(lines),
            words=words,
        )
    lines = [
        line(d, f"{a.design}, {'top' if part.startswith('top') else 'the rest'}", size)
        for (who, a, d), e in found.apart.items()
        if who == "seller"
        for part, size in sizes(e).items()
    ]
    if lines:
        said = "; ".join(f"{words[i.row]}, {i.series}: {spoken(i)}" for i in lines)
        yield IntervalFigure(
            name="concentration_money",
            title="Flows of top sellers and of the rest: effect of partnership",
            description=f"Estimates by PPML with 95% intervals. {said}.",
            axis="Effect in percent, 95% interval",
            intervals=tuple(lines),
            words=words,
        )


EXHIBIT = Exhibit(
    name="concentration",
    title="Large and small sellers",
    needs=frozenset({"partners", "concentration"}),
    plan=plan,
    show=show,
)
