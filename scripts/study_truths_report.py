"""What the worlds of `study_truths.py` show: a row a number of the report, and a page in Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, t
from study_truths_lines import Found

NORMAL = 1.959964
COVERAGE, WIDEST = 0.91, 2.0  # what is promised of a 95% interval, and of its half width over 1.96 `spread`
NOMINAL = 0.95
TOLD = 3.0  # Monte Carlo errors beyond which a mean counts as off
KEY = ("section", "what", "outcome", "direction", "design", "estimator")

TEXT = """\
# The report's numbers beside their truths

Made by `scripts/study_truths.py`: {worlds} worlds (seeds 0 to {last}, none left out) drawn at panel level
(`tradelift.worlds.draw_panel`) with 87 x 110 cities, 128 partners, both directions, three months about the break. No
affinity leads gravity astray in them, so that gravity and spatial RD are after the same truth. Every number is
estimated by the task that the report plans, with its errors: max-two-way for both designs, and under PPML scores as if
each pair had not been fitted (`correction="leverage"`, [record 21](../decisions/0021-errors-of-parts.md)).

A line holds where the 95% interval covers the truth in at least {coverage:.0%} of the worlds and is on average at most
{widest:g} times as wide as 1.96 standard deviations of the estimate about its truth ask for. An interval that is not
known, or an estimate that is refused, covers nothing. Monte Carlo errors in brackets; `study_truths.csv` has all
numbers.

**{holding} of {lines} lines hold.** A true 95% interval covers less than {coverage:.0%} in {unlucky:.1%} of such
simulations, so that {expected:.1f} of {lines} lines would miss by chance if all were exact and independent.
{refused}

| section | design | by | lines | hold | coverage: lowest | mean | width: largest | bias over its error: largest |
|---|---|---|---|---|---|---|---|---|
{overview}

## What does not hold

{missed}

## Where the mean is off

Lines whose mean is more than {told:g} Monte Carlo errors from the truth; {chance:.1f} of {lines} would be by chance.

{off}

## What it says

{findings}

{sections}
"""

FINDINGS = """\
**Truths.** An effect has two: the mean over partner cells for OLS, the log of the ratio of money for PPML
([the simulated world](../simulated-world.md)). Effects differ between pairs, and spatial RD weighs pairs by what
identifies them: this is part of `spread`, and small. Where a mediator's effect differs between directions, PPML on both
weighs them by their money. Money is in percent of what partners traded; of both directions together it is one
coefficient applied to all, which holds where effects are alike.

**Errors.** With the designs' own defaults (dyadic for gravity) PPML covered .80 for the effect of half of the partner
pairs from west to east, and .83 for that of all, in 80 worlds of four months: few large flows carry it, a fit goes
through them, and the dyadic formula takes their variance off again. Max-two-way lifted that to .91, and scores as if
each pair had not been fitted to .94 and .96, at .97 and 1.01 times the width that the spread asks for.

**Means.** Money from east to west is too low by OLS: the effect falls at the break, and OLS takes months as equal where
money does not, for November sells most. Spatial RD weighs pairs as its groups have them, which parts traits not quite
as the partner pairs do. Large sellers less the others by spatial RD under PPML is off by a quarter of its spread: the
flows of the others, the noisier ones, come out too large (.12, error .02, where .05 is true, in 36 further worlds; by
OLS on logs .04), as PPML may with effects of groups of a few pairs. The effect on search by spatial RD, and the part
through it, is low by chance: OLS is linear in noise that knows nothing of partners.

**Zeros.** The interval of a product of two effects that are both 0 (flights: on them, and of them) is wider than its
spread asks for, and covers nearly always: that is how the delta method errs there, on the safe side."""

ROWS = """\
## {section}

| what | outcome | direction | design | by | truth | mean | bias | sd | mean error | width | coverage | |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
{rows}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    A number of the report over worlds.

    Truths that differ between worlds are averaged; bias and `spread` are of estimate less truth. An interval that is
    not known, or an estimate that is refused (`refused`), holds no truth. `relative_width` is the mean half width over
    1.96 `spread`; errors are those of the simulation.
    """

    section: str
    what: str
    outcome: str
    direction: str
    design: str
    estimator: str
    worlds: int
    refused: int
    truth: float
    estimate: float
    bias: float
    bias_error: float
    spread: float
    std_error: float
    relative_width: float
    coverage: float
    coverage_error: float
    holds: bool


def summarize(found: Iterable[Found]) -> list[Summary]:
    """Bias, spread, coverage and width of every number over the worlds."""
    groups: dict[tuple[str, ...], list[Found]] = {}
    for one in found:
        groups.setdefault(tuple(getattr(one, name) for name in KEY), []).append(one)
    return [_summary(key, group) for key, group in groups.items()]


def _summary(key: tuple[str, ...], group: Sequence[Found]) -> Summary:
    truth, value, error, low, high = (
        np.array([getattr(x, name) for x in group]) for name in ("truth", "value", "std_error", "low", "high")
    )
    known, n = np.isfinite(high - low), len(group)
    gap = (value - truth)[np.isfinite(value)]
    spread = float(gap.std(ddof=1)) if len(gap) > 1 else np.nan
    coverage = float(((low <= truth) & (truth <= high)).mean())  # NaN holds nothing
    width = float((high - low)[known].mean()) / 2 / (NORMAL * spread) if known.any() else np.nan
    return Summary(
        **dict(zip(KEY, key, strict=True)),
        worlds=n,
        refused=int((~known).sum()),
        truth=float(truth.mean()),
        estimate=float(np.nanmean(value)) if len(gap) else np.nan,
        bias=float(gap.mean()) if len(gap) else np.nan,
        bias_error=spread / len(gap) ** 0.5 if len(gap) else np.nan,
        spread=spread,
        std_error=float(np.nanmean(error)) if known.any() else np.nan,
        relative_width=width,
        coverage=coverage,
        coverage_error=(coverage * (1 - coverage) / n) ** 0.5,
        holds=bool(coverage >= COVERAGE and width <= WIDEST),
    )


def report(summaries: Sequence[Summary]) -> str:
    """
    Write the page in Markdown.

    Parameters
    ----------
    summaries
        Of every number, in the order of the sections.
    """
    worlds, n = summaries[0].worlds, len(summaries)
    unlucky = float(binom.cdf(np.ceil(COVERAGE * worlds) - 1, worlds, NOMINAL))
    refused = sum(s.refused for s in summaries)
    off = [s for s in summaries if abs(s.bias) > TOLD * s.bias_error]
    sections = dict.fromkeys(s.section for s in summaries)
    return TEXT.format(
        worlds=worlds,
        last=worlds - 1,
        coverage=COVERAGE,
        widest=WIDEST,
        holding=sum(s.holds for s in summaries),
        lines=n,
        unlucky=unlucky,
        expected=unlucky * n,
        refused="No interval was unknown and no estimate refused."
        if not refused
        else f"Of {n * worlds:,} intervals {refused:,} were unknown or refused.",
        overview="\n".join(_overview(summaries)),
        missed=_table([s for s in summaries if not s.holds]) or "All lines hold.",
        told=TOLD,
        chance=2 * n * float(t.sf(TOLD, worlds - 1)),
        off=_table(off) or "There are none.",
        findings=FINDINGS,
        sections="\n".join(
            ROWS.format(section=_titled(name), rows="\n".join(_row(s) for s in summaries if s.section == name))
            for name in sections
        ).rstrip("\n"),
    )


def _table(summaries: Sequence[Summary]) -> str:
    """Lines of several sections; empty where there are none."""
    head = "| section | what | outcome | direction | design | by | truth | bias | sd | width | coverage |\n"
    rows = "\n".join(_row(s, section=True) for s in summaries)
    return head + "---".join("|" * 12) + "\n" + rows if summaries else ""


def _overview(summaries: Sequence[Summary]) -> Iterator[str]:
    """One row a section, design and estimator."""
    groups: dict[tuple[str, str, str], list[Summary]] = {}
    for s in summaries:
        groups.setdefault((s.section, s.design, s.estimator), []).append(s)
    for (section, design, estimator), own in groups.items():
        low = min(own, key=lambda s: s.coverage)
        cells = [section, design, estimator, str(len(own)), str(sum(s.holds for s in own))]
        cells += [f"{low.coverage:.3f} ({low.coverage_error:.3f})", f"{np.mean([s.coverage for s in own]):.3f}"]
        cells.append(f"{max(s.relative_width for s in own):.2f}")
        cells.append(f"{max(abs(s.bias) / s.bias_error for s in own):.1f}")
        yield f"| {' | '.join(cells)} |"


def _row(s: Summary, *, section: bool = False) -> str:
    cells = [s.what, s.outcome, s.direction, s.design, s.estimator, f"{s.truth:.4f}"]
    bias, width = f"{s.bias:+.4f} ({s.bias_error:.4f})", f"{s.relative_width:.2f}"
    coverage = f"{s.coverage:.3f} ({s.coverage_error:.3f})"
    if section:
        cells = [s.section, *cells, bias, f"{s.spread:.4f}", width, coverage]
    else:
        cells += [f"{s.estimate:.4f}", bias, f"{s.spread:.4f}", f"{s.std_error:.4f}", width, coverage]
        cells.append("" if s.holds else "**misses**")
    return f"| {' | '.join(cells)} |"


def _titled(name: str) -> str:
    return name[:1].upper() + name[1:]
