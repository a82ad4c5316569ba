"""What the draws of `interval_coverage.py` show: a row an interval, and a page in Markdown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

NORMAL = 1.959964
FAMILIES = ("OLS", "PPML")
PROMISE = 0.93  # coverage of the headline interval

TEXT = """\
# Coverage of 95% intervals at the programme's geometry

Made by `scripts/interval_coverage.py`: {draws} draws a scenario of 56 eastern and 81 western cities in their own
provinces, 128 partner pairs, {months} months, both directions. In each draw provinces are paired anew and cities within
them (`worlds/pairing.py`), and shocks are drawn that know nothing of partners (`worlds/shocks.py`); the true effect is
0 in half of the draws and .10 in the others. OLS is on log(trade), PPML on trade, of the same flows, which are all
positive. Swaps and free rewiring stand on {benchmark} draws, the jackknife on {jackknife}; randomization draws
{relabelled} programmes. `coverage.csv` has all numbers.

| scenario | shocks besides those of the month | OLS: bias | OLS: sd | PPML: bias | PPML: sd |
|---|---|---|---|---|---|
{scenarios}

{tables}
{findings}
"""

TABLES = """\
## {family}: coverage (Monte Carlo error)

| interval | {names} |
|{rule}
{coverage}

## {family}: median width, relative to 2 x 1.96 standard deviations of the estimate

| interval | {names} |
|{rule}
{width}
"""

FINDINGS = """\
## What it says

**The headline**, the widest of the dyadic, the province and the relabelling interval, covers {lowest.coverage:.3f}
({lowest.coverage_error:.3f}) where it covers least ({lowest.family}, {lowest.scenario}); the promise is {promise}.

**Pair and dyadic** intervals take flows without a common city as independent. They are right with shocks of pairs
(OLS: {pair.coverage:.3f} and {dyadic.coverage:.3f}); with shocks of pairs of provinces they cover
{pair_province.coverage:.3f} and {dyadic_province.coverage:.3f}.

**Province** intervals cover {province_low.coverage:.3f} to {province_high.coverage:.3f} over all scenarios. There are
nine eastern provinces, four of them with one or two cities that take part, and ten western ones, and the two-way
formula subtracts the variance of their intersection: the estimate is noisy, now and then far too small, and not
positive, hence not known, in up to {unknown:.1%} of the draws. It pays to look at it beside others, not alone.

**Relabelling** cities within provinces is how this programme was drawn, so its test is exact in every scenario and for
both families. Nothing else that is printed covers as evenly in PPML ({relabel_low.coverage:.3f} to
{relabel_high.coverage:.3f}), where few large flows carry the estimate and all standard errors are too small. Free
rewiring, as if partners had been drawn over the whole map, covers {free.coverage:.3f} with shocks of pairs of
provinces (OLS).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One 95% interval of one draw, NaN where it is not known, and the p-value of no effect that goes with it."""

    scenario: str
    seed: int
    family: str
    kind: str
    effect: float
    estimate: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    Over draws: how often an interval holds the truth, its width, and how often a true zero is rejected at 5%.

    The width is the median, relative to 2 x 1.96 standard deviations of the estimate (`spread`); intervals that are
    not known count in `unknown` alone. Errors are those of the simulation.
    """

    scenario: str
    family: str
    kind: str
    draws: int
    coverage: float
    coverage_error: float
    relative_width: float
    unknown: float
    rejected: float
    bias: float
    bias_error: float
    spread: float


def summarize(draws: Iterable[Interval]) -> list[Summary]:
    """Coverage and width of each interval over draws."""
    groups: dict[tuple[str, str, str], list[Interval]] = {}
    for draw in draws:
        groups.setdefault((draw.scenario, draw.family, draw.kind), []).append(draw)
    # all draws tell how far estimates spread, also where an interval stands on fewer
    return [_summary(group, groups[scenario, family, "headline"]) for (scenario, family, _), group in groups.items()]


def _summary(group: list[Interval], everyone: list[Interval]) -> Summary:
    effect, low, high, p_value = (
        np.array([getattr(x, f) for x in group]) for f in ("effect", "low", "high", "p_value")
    )
    gap = np.array([x.estimate - x.effect for x in everyone])
    known = ~np.isnan(high - low)
    held = ((low <= effect) & (effect <= high))[known]
    null = known & (effect == 0)
    spread = float(gap.std(ddof=1))
    return Summary(
        scenario=group[0].scenario,
        family=group[0].family,
        kind=group[0].kind,
        draws=len(group),
        coverage=float(held.mean()),
        coverage_error=float(np.sqrt(held.mean() * (1 - held.mean()) / len(held))),
        relative_width=float(np.median((high - low)[known])) / (2 * NORMAL * spread),
        unknown=float(1 - known.mean()),
        rejected=float((p_value[null] <= 0.05).mean()),
        bias=float(gap.mean()),
        bias_error=spread / float(np.sqrt(len(gap))),
        spread=spread,
    )


def failures(summaries: Iterable[Summary]) -> list[str]:
    """Where the headline interval does not hold what is promised."""
    return [
        f"The headline covers {s.coverage:.3f} ({s.coverage_error:.3f}) by {s.family} with shocks '{s.scenario}'."
        for s in summaries
        if s.kind == "headline" and s.coverage < PROMISE
    ]


def report(summaries: list[Summary], shocks: Mapping[str, str], **numbers: Any) -> str:
    """
    Say in Markdown what the draws show.

    Parameters
    ----------
    summaries
        Of all scenarios that were drawn.
    shocks
        What there is in each scenario, in words.
    numbers
        Months, draws of the benchmarks and of the jackknife, and relabelled programmes, for the text.
    """
    by = {(s.family, s.scenario, s.kind): s for s in summaries}
    names = list(dict.fromkeys(s.scenario for s in summaries))
    return TEXT.format(
        draws=max(s.draws for s in summaries),
        scenarios="\n".join(_scenario(name, shocks[name], by) for name in names),
        tables="\n".join(_tables(family, names, by) for family in FAMILIES),
        findings=_findings(summaries, by) if set(names) >= {"pair", "province"} else "",
        **numbers,
    )


Lookup = dict[tuple[str, str, str], Summary]


def _scenario(name: str, shocks: str, by: Lookup) -> str:
    cells = [name, shocks]
    for family in FAMILIES:
        s = by[family, name, "headline"]
        cells += [f"{s.bias:+.4f} ({s.bias_error:.4f})", f"{s.spread:.4f}"]
    return f"| {' | '.join(cells)} |"


def _tables(family: str, names: list[str], by: Lookup) -> str:
    kinds = [kind for own, name, kind in by if (own, name) == (family, names[0])]
    rows = {kind: [by[family, name, kind] for name in names] for kind in kinds}
    covers = {k: [f"{s.coverage:.3f} ({s.coverage_error:.3f})" for s in row] for k, row in rows.items()}
    widths = {k: [f"{s.relative_width:.2f}" for s in row] for k, row in rows.items()}
    return TABLES.format(
        family=family,
        names=" | ".join(names),
        rule="---|" * (len(names) + 1),
        coverage="\n".join(f"| {k} | {' | '.join(row)} |" for k, row in covers.items()),
        width="\n".join(f"| {k} | {' | '.join(row)} |" for k, row in widths.items()),
    )


def _findings(summaries: list[Summary], by: Lookup) -> str:
    def ranked(kind: str, *families: str) -> list[Summary]:
        return sorted((s for s in summaries if s.kind == kind and s.family in families), key=lambda s: s.coverage)

    province, relabel = ranked("province", *FAMILIES), ranked("relabel", "PPML")
    return FINDINGS.format(
        lowest=ranked("headline", *FAMILIES)[0],
        promise=PROMISE,
        pair=by["OLS", "pair", "pair"],
        dyadic=by["OLS", "pair", "dyadic"],
        pair_province=by["OLS", "province", "pair"],
        dyadic_province=by["OLS", "province", "dyadic"],
        province_low=province[0],
        province_high=province[-1],
        unknown=max(s.unknown for s in province),
        relabel_low=relabel[0],
        relabel_high=relabel[-1],
        free=by["OLS", "province", "free"],
    )
