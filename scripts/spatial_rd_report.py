"""What the draws of `spatial_rd_coverage.py` show: rows a world and design, and a page in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from tradelift.designs.correlogram_finding import SHARE

NORMAL = 1.959964
SELECTED, DEFAULT, SLOPE = "500 km, selected", "150 km", "250 km, d"
COVERAGE, LEVEL = 0.92, 0.05  # of the default; of the one-sided binomial test that it is reached
WIDEST = 1.3  # mean half width, in 1.96 standard deviations of the estimate
BIAS = {DEFAULT: 0.02, SLOPE: 0.015}
FIRES, QUIET = 0.8, 0.1  # shares of draws that warn: at least with 250 km, at most with 500 km or none
SHARES = {
    "at_30": 0.3,
    "at_35": 0.35,
    "at_40": 0.4,
    "at_45": 0.45,
    "at_50": 0.5,
}  # of the half distance, at which the rule is looked at

TEXT = """\
# Spatial RD and gravity where partners were selected

Made by `scripts/spatial_rd_coverage.py`: {draws} draws a world (seeds 0 to {last}) of 87 x 110 cities and 128 partners
with a true effect of .10 (`worlds/affinity_panels.py`), one period, both directions, log(trade). Cities' sizes are not
smooth on the map; the affinity of pairs is, over 500 km, over 250 km, or there is none. Partners were picked by it
(log odds of 2 a standard deviation; by a field that does not matter where there is none), or at random. Errors are the
defaults: dyadic for gravity, for spatial RD max-two-way with degrees of freedom. Monte Carlo errors in brackets.

| affinity, partners | design | bias | sd | coverage of 95% | mean half width / 1.96 sd |
|---|---|---|---|---|---|
{rows}

`spatial_rd.csv` has all numbers.

**Gravity** takes affinity for an effect: {gravity.bias:+.3f} where partners were selected by one that is smooth over
500 km. **Spatial RD** at 150 km is {default.bias:+.4f} ({default.bias_error:.4f}) off there, at 250 km with
a slope in d {slope.bias:+.4f} ({slope.bias_error:.4f}). The interval of the default covers {default.coverage:.3f}:
that it covers at least {coverage} is {kept} by a one-sided binomial test at 5% (p = {p:.2f}). On average it
reaches {default.relative_width:.2f} times as far as 1.96 standard deviations of the estimate.

Where the affinity is smooth over 250 km only, the default is {rough.bias:+.4f} off and covers {rough.coverage:.3f}:
near controls are not near enough. Whether that is so in a study is what the residual correlogram asks.

## The warning of the residual correlogram

`tl.residual_correlogram` warns where the bandwidth, here 150 km, is more than {share} times the distance at which the
correlation of residuals of pairs that are not partners has halved. Share of draws that warn, at this rule and at
others:

| affinity, partners | warn | half distance, km: 10% | median | 90% | none found | {shares} |
|---|---|---|---|---|---|{rule}
{warned}

`spatial_rd_warning.csv` has all numbers. The curve is fitted to half squared differences of flows with one city in
common: city effects multiply what is smooth in them by a factor, and leave its shape in distance. A correlogram of
products of residuals falls too early, since the effects set the mean of residuals to 0. Residuals cannot reveal
selection: the warning is much the same whether partners were selected or not.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One estimate of one draw: how far from the truth, half its 95% interval, and how long it took."""

    world: str
    design: str
    seed: int
    gap: float
    half_width: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """What the residual correlogram of one draw says."""

    world: str
    seed: int
    half_km: float
    warns: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Over draws: bias, standard deviation (`spread`), coverage, and mean half width over 1.96 `spread`."""

    world: str
    design: str
    draws: int
    bias: float
    bias_error: float
    spread: float
    coverage: float
    coverage_error: float
    relative_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """
    Over draws of a world: the share that warn, quantiles of the half distance, and the share without one.

    The last fields are the shares that would warn at other shares of the half distance.
    """

    world: str
    draws: int
    warn: float
    half_10: float
    half_50: float
    half_90: float
    none: float
    at_30: float
    at_35: float
    at_40: float
    at_45: float
    at_50: float


def summarize(found: Iterable[Found]) -> list[Summary]:
    """Bias, coverage and width of each design in each world."""
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.world, one.design), []).append(one)
    return [_summary(world, design, group) for (world, design), group in groups.items()]


def _summary(world: str, design: str, group: Sequence[Found]) -> Summary:
    gap, half = (np.array([getattr(x, f) for x in group]) for f in ("gap", "half_width"))
    held, spread, n = float((np.abs(gap) <= half).mean()), float(gap.std(ddof=1)), len(group)
    return Summary(
        world=world,
        design=design,
        draws=n,
        bias=float(gap.mean()),
        bias_error=spread / n**0.5,
        spread=spread,
        coverage=held,
        coverage_error=(held * (1 - held) / n) ** 0.5,
        relative_width=float(half.mean()) / (NORMAL * spread),
    )


def judge(residuals: Iterable[Residuals], bandwidth_km: float = 150.0) -> list[Warned]:
    """How often each world warns, at the rule and at other shares of the half distance."""
    groups: dict[str, list[Residuals]] = {}
    for one in residuals:
        groups.setdefault(one.world, []).append(one)
    out = []
    for world, group in groups.items():
        half = np.array([x.half_km for x in group])
        known = np.where(np.isfinite(half), half, np.inf)[~np.isnan(half)]
        low, middle, high = np.quantile(known, [0.1, 0.5, 0.9], method="nearest") if len(known) else [np.nan] * 3
        out.append(
            Warned(
                world=world,
                draws=len(group),
                warn=float(np.mean([x.warns for x in group])),
                half_10=float(low),
                half_50=float(middle),
                half_90=float(high),
                none=float(np.isnan(half).mean()),
                **{name: float(np.mean(bandwidth_km > share * half)) for name, share in SHARES.items()},
            )
        )
    return out


def p_value(s: Summary) -> float:
    """One-sided binomial test that an interval covers as often as promised."""
    return float(binomtest(round(s.coverage * s.draws), s.draws, COVERAGE, alternative="less").pvalue)


def failures(summaries: Iterable[Summary], warned: Iterable[Warned]) -> list[str]:
    """What is promised and does not hold."""
    out = []
    for s in summaries:
        if s.world != SELECTED:
            continue
        if abs(s.bias) > BIAS.get(s.design, np.inf):
            out.append(f"The bias of {s.design} is {s.bias:+.4f}.")
        if s.design == DEFAULT and p_value(s) < LEVEL:
            out.append(f"The default covers {s.coverage:.3f} ({s.coverage_error:.3f}).")
        if s.design == DEFAULT and s.relative_width > WIDEST:
            out.append(f"The interval of the default is {s.relative_width:.2f} times as wide as needed.")
    for w in warned:
        fires = w.world.startswith("250")
        if (fires and w.warn < FIRES) or (not fires and w.warn > QUIET):
            out.append(f"The residuals warn in {w.warn:.3f} of draws with affinity '{w.world}'.")
    return out


def report(summaries: Sequence[Summary], warned: Sequence[Warned]) -> str:
    """
    Say in Markdown what the draws show.

    Parameters
    ----------
    summaries, warned
        Of all worlds.
    """
    by = {(s.world, s.design): s for s in summaries}
    default = by[SELECTED, DEFAULT]
    p = p_value(default)
    return TEXT.format(
        draws=default.draws,
        last=default.draws - 1,
        rows="\n".join(map(_row, summaries)),
        gravity=by[SELECTED, "gravity"],
        default=default,
        slope=by[SELECTED, SLOPE],
        rough=by["250 km, selected", DEFAULT],
        coverage=COVERAGE,
        kept="not rejected" if p >= LEVEL else "rejected",
        p=p,
        share=SHARE,
        shares=" | ".join(f"at {share:g}" for share in SHARES.values()),
        rule="---|" * len(SHARES),
        warned="\n".join(map(_warned_row, warned)),
    )


def _row(s: Summary) -> str:
    cells: list[Any] = [s.world, s.design, f"{s.bias:+.4f} ({s.bias_error:.4f})", f"{s.spread:.4f}"]
    cells += [f"{s.coverage:.3f} ({s.coverage_error:.3f})", f"{s.relative_width:.2f}"]
    return f"| {' | '.join(cells)} |"


def _warned_row(w: Warned) -> str:
    halves = [
        "" if np.isnan(x) else "beyond 1,500" if np.isinf(x) else f"{x:,.0f}" for x in (w.half_10, w.half_50, w.half_90)
    ]
    cells = [w.world, f"{w.warn:.3f}", *halves, f"{w.none:.3f}", *(f"{getattr(w, name):.3f}" for name in SHARES)]
    return f"| {' | '.join(cells)} |"
