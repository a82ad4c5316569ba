"""What the draws of `interval_coverage.py` show: a row an interval, and a page in Markdown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

NORMAL = 1.959964
FAMILIES = ("OLS", "PPML")
PROMISE = 0.93  # coverage of the headline interval
WIDEST = {"dyadic or province": ("dyadic", "province"), "headline": ("dyadic", "province", "relabel")}

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
Without relabelling, the wider of dyadic and province covers {without.coverage:.3f} ({without.coverage_error:.3f}) where
it covers least ({without.family}, {without.scenario}).

**Pair and dyadic** intervals take flows without a common city as independent. With shocks of pairs they cover
{pair.coverage:.3f} and {dyadic.coverage:.3f} by OLS, with shocks of pairs of provinces {pair_province.coverage:.3f} and
{dyadic_province.coverage:.3f}. Spatial kernels reach no further than 250 km and change little. The jackknife without
each city counts a pair with both of its cities, and is {jackknife.relative_width:.2f} times as wide as needed where
pairs are independent (OLS).

**Province** intervals cover {province_low.coverage:.3f} to {province_high.coverage:.3f} by OLS. There are nine eastern
provinces, four of them with one or two cities that take part, and ten western ones, and the two-way formula subtracts
the variance of their intersection: the variance is noisy, now and then far too small, and not positive, hence not
known, in up to {unknown:.1%} of the draws. It should stand beside others, not alone.

**Relabelling** cities within provinces repeats how the programme was drawn, so its test of no effect is exact whatever
the shocks and the family: it rejects a true zero in {rejected:.3f} of all draws that have one, at a nominal .05. Its
interval covers {relabel_low.coverage:.3f} to {relabel_high.coverage:.3f}. Free rewiring, as if partners had been drawn
over the whole map, covers {free.coverage:.3f} with shocks of pairs of provinces (OLS).

**PPML** lets few large flows carry the estimate: it is {least:.1f} to {most:.1f} times as uncertain as OLS here, and
standard errors, but for those of the jackknife, are mostly too small (dyadic intervals cover {ppml_low.coverage:.3f} to
{ppml_high.coverage:.3f}). The correction of Weidner and Zylkin lifts directed pairs from {plain.coverage:.3f} to
{corrected.coverage:.3f} where shocks are of the month alone; of shocks that pairs share it does not know
({corrected_province.coverage:.3f} with those of pairs of provinces).
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


def with_widest(draws: Iterable[Interval]) -> list[Interval]:
    """Add to each draw the widest of some of its intervals, of those that are known."""
    groups: dict[tuple[str, int, str], dict[str, Interval]] = {}
    for draw in draws:
        groups.setdefault((draw.scenario, draw.seed, draw.family), {})[draw.kind] = draw
    out = []
    for group in groups.values():
        out += group.values()
        for kind, parts in WIDEST.items():
            known = [group[part] for part in parts if not np.isnan(group[part].high - group[part].low)]
            out.append(replace(max(known, key=lambda x: x.high - x.low), kind=kind))
    return out


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
        findings=_findings(summaries, by) if set(names) >= {"month", "pair", "province"} else "",
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

    province, relabel = ranked("province", "OLS"), ranked("relabel", *FAMILIES)
    ppml = ranked("dyadic", "PPML")
    ratios = [s.spread / by["OLS", s.scenario, "dyadic"].spread for s in ppml]
    return FINDINGS.format(
        lowest=ranked("headline", *FAMILIES)[0],
        promise=PROMISE,
        without=ranked("dyadic or province", *FAMILIES)[0],
        pair=by["OLS", "pair", "pair"],
        dyadic=by["OLS", "pair", "dyadic"],
        pair_province=by["OLS", "province", "pair"],
        dyadic_province=by["OLS", "province", "dyadic"],
        jackknife=by["OLS", "pair", "jackknife"],
        province_low=province[0],
        province_high=province[-1],
        unknown=max(s.unknown for s in ranked("province", *FAMILIES)),
        rejected=np.mean([s.rejected for s in relabel]),
        relabel_low=relabel[0],
        relabel_high=relabel[-1],
        free=by["OLS", "province", "free"],
        ppml_low=ppml[0],
        ppml_high=ppml[-1],
        least=min(ratios),
        most=max(ratios),
        corrected=by["PPML", "month", "weidner-zylkin"],
        corrected_province=by["PPML", "province", "weidner-zylkin"],
        plain=by["PPML", "month", "directed-pair"],
    )
