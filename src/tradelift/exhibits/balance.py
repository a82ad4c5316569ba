"""What is known of partner pairs and of their near controls: section 5 of the paper."""

from collections.abc import Iterator, Mapping

import numpy as np

from tradelift.designs import Balance, Balanced, Finding, SpatialRD, Task
from tradelift.designs.spatial.balance import CovariateBalance
from tradelift.designs.spatial.stacking import default_effects
from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.finding import fitting
from tradelift.exhibits.gravity import FUNCTIONS, models
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.labels import label, plain, signed
from tradelift.exhibits.shown import Column, DataTable, Interval, IntervalFigure, Shown, Value
from tradelift.exhibits.spatial import NEEDS
from tradelift.exhibits.split import p_words
from tradelift.panel import Panel
from tradelift.study import Study

EVERYWHERE, GROUPS, EQUATION = "everywhere", "within groups", "equation"
TOGETHER = "joint test"
LEVEL = 0.05
SMALL = 0.1  # of a spread: differences below it are called small (Imbens and Rubin 2015 call .25 large)
SERIES = {
    EVERYWHERE: "All other pairs",
    GROUPS: "Near pairs",
    EQUATION: "Near pairs, net of regions",
}


def plan(study: Study, panel: Panel) -> dict[str, Task]:
    """Plan to compare every covariate, within groups and by the equation of spatial RD, in both directions together."""
    usual = default_effects(panel)
    return {
        name: Balance(
            design=SpatialRD(bandwidth_km=study.model.bandwidth_km, effects=effects),
            named=study.model.controls or (),
            without=_no_covariates(study, panel),
        )
        for name, effects in ((GROUPS, usual[:1]), (EQUATION, usual))
    }


def show(study: Study, panel: Panel, results: Mapping[str, Finding]) -> Shown:
    """Show the differences in units of each covariate's spread, and the joint tests."""
    found = {key: x for key, x in results.items() if isinstance(x, Balanced)}
    if not found:
        return Shown()
    return Shown(
        tables=(_table(study, panel, found),),
        figures=(_figure(study, panel, found),),
        sentences=tuple(_sentences(study, panel, found)),
        finding=_finding(found.get(GROUPS)),
    )


def _no_covariates(study: Study, panel: Panel) -> tuple[str, ...]:
    """What partnership may change: outcomes and mediators."""
    outcomes = [m.column for m in models(study, panel)]
    return tuple(sorted({*outcomes, *study.mediators}))


def _name(study: Study, panel: Panel, covariate: str) -> str:
    """Name a covariate: "gdp[west]" as "GDP, west"."""
    column, bracket, side = covariate.partition("[")
    words = label(study, panel, column)
    if words == column and not column.startswith(FUNCTIONS):
        words = column.replace("_", " ").capitalize()
    return f"{words}, {side.removesuffix(']')}" if bracket else words


def _table(study: Study, panel: Panel, found: Mapping[str, Balanced]) -> DataTable:
    groups, equation = found.get(GROUPS), found.get(EQUATION)
    covariates = next(iter(found.values())).covariates
    rows: list[tuple[Value, ...]] = [
        (
            one.name, one.partners, one.controls, one.everywhere, *_difference(groups, one.name),
            *_difference(equation, one.name), one.missing or None,
        )
        for one in covariates
    ]  # fmt: skip
    rows.append((TOGETHER, *(None,) * 3, *_joint(groups), *_joint(equation), None))
    words = {one.name: _name(study, panel, one.name) for one in covariates}
    columns = (
        Column(name="covariate", label="", words=words | {TOGETHER: "All together"}),
        Column(name="partners", label="Partner pairs", kind="number", significant=4),
        Column(name="controls", label="Near pairs", kind="number", significant=4),
        Column(name="everywhere", label="From all others", kind="number", digits=3),
        Column(name="near", label="From near pairs", kind="number", digits=3),
        Column(name="near_error", label="Std. error", kind="number", digits=3),
        Column(name="near_p", label="p", kind="number", digits=3, least=0.001),
        Column(name="net", label="Net of regions", kind="number", digits=3),
        Column(name="net_error", label="Std. error", kind="number", digits=3),
        Column(name="net_p", label="p", kind="number", digits=3, least=0.001),
        Column(name="missing", label="Unknown", kind="count"),
    )
    return DataTable(
        name="balance",
        title="Covariates of partner pairs and near pairs",
        columns=columns,
        rows=tuple(rows),
        label="covariate",
        notes=tuple(_notes(study, panel, found)),
    )


def _difference(balanced: Balanced | None, name: str) -> tuple[Value, ...]:
    """Standardized difference, error and p; blank where the effects explain the covariate."""
    if balanced is None or name not in balanced.estimate.terms:
        return None, None, None
    row = numbers(balanced, name)
    return row["estimate"], row["std_error"], row["p_value"]


def _joint(balanced: Balanced | None) -> tuple[Value, ...]:
    test = None if balanced is None else balanced.test
    return (None, None, None if test is None else test.p_value)


def _notes(study: Study, panel: Panel, found: Mapping[str, Balanced]) -> Iterator[str]:
    first = next(iter(found.values()))
    yield (
        f"Means of partner pairs and of near pairs ({first.sample}), weighted by nearness; then how far partner pairs "
        f"are from all other pairs, from the near pairs of their group, and from these net of the effects of either "
        f"region, as spatial RD compares flows. Differences are in units of the covariate's spread (the root of the "
        f"mean of both variances)."
    )
    yield (
        f"Errors: {first.se_type}. Each pair counts once, whatever it trades. In fixest, for each covariate, on the "
        f"rows of the stack with their weights: feols({first.estimate.formula})."
    )
    if any(c.missing for b in found.values() for c in b.covariates):
        yield (
            "Unknown: rows of the stack without the covariate, or whose partner pair has none. The line of the "
            "covariate leaves them out."
        )
    if any(c.absorbed for b in found.values() for c in b.covariates):
        yield "Blank: region effects explain what is known of a region alone, so that it cannot differ."
    constant = dict.fromkeys(_name(study, panel, n) for b in found.values() for n in b.constant)
    if constant:
        yield f"Left out, for they are the same everywhere or not known: {', '.join(constant)}."
    if study.mediators:
        yield f"Left out, for partnership may change them: {', '.join(study.mediators)}."
    if any(b.test is not None and b.test.clipped for b in found.values()):
        yield "There are few regions for so many covariates: the joint test leaves out combinations without variance."


def _figure(study: Study, panel: Panel, found: Mapping[str, Balanced]) -> IntervalFigure:
    covariates = next(iter(found.values())).covariates
    words = {one.name: _name(study, panel, one.name) for one in covariates}
    intervals = tuple(i for one in covariates for i in _intervals(one, found))
    said = [f"{words[i.row]}, {i.series}: {signed(i.value, 2)}" for i in intervals]
    return IntervalFigure(
        name="balance",
        title="Partner pairs less other pairs",
        description=f"Standardized differences with 95% intervals. {'; '.join(said)}.",
        axis="Difference in units of the spread, 95% interval",
        intervals=intervals,
        words=words,
    )


def _intervals(one: CovariateBalance, found: Mapping[str, Balanced]) -> Iterator[Interval]:
    if np.isfinite(one.everywhere):
        yield Interval(row=one.name, series=SERIES[EVERYWHERE], value=one.everywhere, low=None, high=None)
    for name, balanced in found.items():
        if one.name in balanced.estimate.terms:
            row = numbers(balanced, one.name)
            low, high = (None if np.isnan(row[end]) else row[end] for end in ("conf_low", "conf_high"))
            yield Interval(row=one.name, series=SERIES[name], value=row["estimate"], low=low, high=high)


def _sentences(study: Study, panel: Panel, found: Mapping[str, Balanced]) -> Iterator[str]:
    groups, equation = found.get(GROUPS), found.get(EQUATION)
    if groups is not None:
        rows = {name: numbers(groups, name) for name in groups.estimate.terms}
        far, large = _apart(groups)
        clear = [name for name, row in rows.items() if row["p_value"] < LEVEL]
        yield (
            f"Of {len(groups.covariates):,} covariates, {len(far) or 'none':} differ by more than {SMALL:g} of their "
            f"spread between partner pairs and all other pairs, and {len(large) or 'none':} between partner pairs and "
            f"near pairs{_listed(study, panel, large)}. Clear of 0 from near pairs: "
            f"{'; '.join(_name(study, panel, name) for name in clear) or 'none'}."
        )
        yield from _said_test(study, panel, groups, "Near pairs")
    if equation is not None:
        yield from _said_test(study, panel, equation, "Net of the effects of regions, as spatial RD compares flows")
    yield "What nobody has measured may differ all the same."


def _apart(groups: Balanced) -> tuple[list[str], list[str]]:
    """Covariates in which all other pairs, and near pairs, differ from partner pairs by more than is small."""
    far = [c.name for c in groups.covariates if abs(c.everywhere) > SMALL]
    near = [n for n in groups.estimate.terms if abs(numbers(groups, n)["estimate"]) > SMALL]
    return far, near


def _finding(groups: Balanced | None) -> str:
    """In how many covariates all other pairs, and near pairs, differ; and the joint test."""
    if groups is None:
        return ""
    far, near = _apart(groups)
    count = len(groups.covariates)
    who = f"Of {count:,} covariate{'' if count == 1 else 's'}"
    said = f"{who}, {len(far)} differ{'s' * (len(far) == 1)} from all other pairs, {len(near)} from near pairs"
    test = groups.test
    if test is None or not np.isfinite(test.p_value):
        return fitting(said)
    return fitting(f"{said} (near pairs jointly {p_words(test.p_value)})")


def _listed(study: Study, panel: Panel, names: list[str]) -> str:
    return f" ({'; '.join(_name(study, panel, n) for n in names)})" if names else ""


def _said_test(study: Study, panel: Panel, balanced: Balanced, who: str) -> Iterator[str]:
    test, terms = balanced.test, balanced.estimate.terms
    if test is None or not np.isfinite(test.p_value):
        return
    alike = "no difference is detected" if test.p_value >= LEVEL else "a difference is detected"
    what = f"in {_name(study, panel, terms[0])}" if len(terms) == 1 else f"in {len(terms):,} covariates together"
    yield f"{who}: {alike} {what} (F = {plain(test.statistic, 2)}, p = {plain(test.p_value, 3)})."


EXHIBIT = Exhibit(
    name="balance",
    title="Partner pairs and near pairs",
    needs=NEEDS,
    plan=plan,
    show=show,
)
