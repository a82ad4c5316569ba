"""
Gravity against its probability limit, over many seeds of the simulated East-West world.

Each seed draws cities, affinity, pair noise, orders and amounts anew, by the code that writes the log, and stops
before orders are given to sellers and buyers; the flows that gravity needs are then complete.

    python scripts/gravity_bias.py [--seeds 20] [--out docs/simulations]

writes gravity_bias.csv (one row a seed, outcome and direction) and gravity_bias.md (what it says).
"""

import argparse
import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from math import lgamma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.baskets import draw_baskets
from tradelift.worlds.intensities import EFFECTS, World, draw_world
from tradelift.worlds.limits import OUTCOMES, gravity, limit
from tradelift.worlds.scale import SCALES, Scale

Floats = NDArray[np.float64]

FIRST_SEED = 1
N_SEEDS = 20
NOISE_ONLY = "log(intensity)"  # pair noise without counts: what OLS would see if nothing were zero or small
MEANS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)

TEXT = """\
# Gravity against its probability limit

Made by `scripts/gravity_bias.py` from {n_seeds} seeds of the small East-West world; each draw stands in
`gravity_bias.csv`. Coefficient of partner in logs, means over seeds; in brackets the Monte Carlo error of the mean. The
limit is computed anew in each seed, from noise-free intensities. `log(intensity)` is OLS on the intensity times pair
noise, before orders are counted: what OLS on logs would see if no flow were zero or small.

| direction | family | outcome | causal | limit | estimate | estimate - limit | of it from counts | empty cells |
|---|---|---|---|---|---|---|---|---|
{rows}

**PPML.** The mean west -> east estimate for trade, {ppml.estimate:.4f}, is {inside} two Monte Carlo errors of its
limit, {ppml.limit:.4f}, and {above:.4f} above the causal effect, {ppml.causal:.4f}: gravity takes the affinity that it
cannot see for an effect of partnership. More data of the same kind would not mend that.

**OLS on logs.** Pair noise alone leaves OLS at its limit: {noise.gap:+.4f} ({noise.gap_error:.4f}) west -> east.
Counting orders, all other draws the same, moves the coefficient for log(deals) by {deals.counts:+.4f}
({deals.counts_error:.4f}) and for log(trade) by {trade.counts:+.4f} ({trade.counts_error:.4f}). The reason is what a
log does to an order count n of mean m:

| m | {means} |
{rule}
| E[log n given n > 0] - log m | {compression} |

A cell that trades at all has at least one order. So where m is small the logs of positive flows lie far above log m,
and the cells without trade, which would hold them down, are left out: a tenth more trade shows as less than a tenth,
and the coefficient shrinks. At a few orders a month the sign turns, since the log of a noisy number lies below the log
of its mean. The log of trade has this second loss from the spread of amounts as well, most where there is a single
order, which works against the first. So the two outcomes part although their limits are the same, and the gap says how
many cells are small, not what partnership does.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One estimate beside what it should tend to."""

    seed: int
    outcome: str
    direction: str
    estimate: float
    limit: float
    causal: float
    zero_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Means over seeds: gap = estimate - limit; counts = the part of it that pair noise alone does not make."""

    outcome: str
    direction: str
    causal: float
    limit: float
    estimate: float
    gap: float
    gap_error: float
    counts: float
    counts_error: float
    zero_share: float


def draw_flows(world: World) -> dict[str, dict[str, Floats]]:
    """Orders and money of all pairs and months, by direction and outcome, shape (T, I, J) each."""
    months = [draw_baskets(world, month) for month in range(world.scale.months)]
    return {
        d.name: {
            "deals": np.stack([m[k].deals for m in months]).astype(float),
            "trade": np.stack([m[k].trade() for m in months]) / 100,
            "intensity": d.intensity * d.noise,
        }
        for k, d in enumerate(world.directions)
    }


def compare(seed: int, scale: Scale = SCALES["small"]) -> list[Draw]:
    """Estimate one world in each direction, by each estimator."""
    world = draw_world(scale, seed)
    draws = []
    for d, flows in zip(world.directions, draw_flows(world).values(), strict=True):
        for outcome in (*OUTCOMES, NOISE_ONLY):
            flow = flows[outcome.removeprefix("log(").removesuffix(")")]
            known = limit((d,), d.name, "log(deals)" if outcome == NOISE_ONLY else outcome)
            draws.append(
                Draw(
                    seed=seed,
                    outcome=outcome,
                    direction=d.name,
                    estimate=gravity((d,), [flow], outcome)[0],
                    limit=known.partner,
                    causal=EFFECTS[d.name],
                    zero_share=float((flow == 0).mean()),
                )
            )
    return draws


def summarize(draws: Iterable[Draw]) -> list[Summary]:
    """Mean gap of each estimator over seeds, with its Monte Carlo error."""
    groups: dict[tuple[str, str], list[Draw]] = {}
    for draw in draws:
        groups.setdefault((draw.direction, draw.outcome), []).append(draw)
    return [_summary(group, groups[direction, NOISE_ONLY]) for (direction, _), group in groups.items()]


def _summary(group: list[Draw], noise_only: list[Draw]) -> Summary:
    gap, gap_error = _mean([x.estimate - x.limit for x in group])
    counts, counts_error = _mean([x.estimate - n.estimate for x, n in zip(group, noise_only, strict=True)])
    return Summary(
        outcome=group[0].outcome,
        direction=group[0].direction,
        causal=group[0].causal,
        limit=_mean([x.limit for x in group])[0],
        estimate=_mean([x.estimate for x in group])[0],
        gap=gap,
        gap_error=gap_error,
        counts=counts,
        counts_error=counts_error,
        zero_share=_mean([x.zero_share for x in group])[0],
    )


def _mean(values: list[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def compression(mean: float) -> float:
    """E[log n | n > 0] - log m of a Poisson count n with mean m."""
    n = np.arange(1, int(mean + 12 * np.sqrt(mean) + 30))
    log_mass = n * np.log(mean) - np.array([lgamma(k + 1) for k in n])
    mass = np.exp(log_mass - log_mass.max())
    return float((mass * np.log(n)).sum() / mass.sum() - np.log(mean))


def failures(summaries: Iterable[Summary]) -> list[str]:
    """What the world promises of PPML from west to east, and does not hold."""
    found = []
    for s in summaries:
        if s.direction != "west->east" or s.outcome.startswith("log("):
            continue
        if abs(s.gap) > 2 * s.gap_error:
            found.append(f"PPML of {s.outcome} is {s.gap:+.4f} from its limit, Monte Carlo error {s.gap_error:.4f}.")
        if s.estimate <= s.causal:
            found.append(f"PPML of {s.outcome} is not above the causal effect.")
    return found


def report(summaries: list[Summary], n_seeds: int) -> str:
    """Say in Markdown what the draws show."""
    by = {(s.outcome, s.direction): s for s in summaries}
    ppml = by["trade", "west->east"]
    return TEXT.format(
        n_seeds=n_seeds,
        rows="\n".join(_row(s) for s in summaries),
        ppml=ppml,
        inside="within" if abs(ppml.gap) <= 2 * ppml.gap_error else "not within",
        above=ppml.estimate - ppml.causal,
        noise=by[NOISE_ONLY, "west->east"],
        deals=by["log(deals)", "west->east"],
        trade=by["log(trade)", "west->east"],
        means=" | ".join(f"{m:g}" for m in MEANS),
        rule="|---" * (len(MEANS) + 1) + "|",
        compression=" | ".join(f"{compression(m):+.3f}" for m in MEANS),
    )


def _row(s: Summary) -> str:
    family = "OLS" if s.outcome.startswith("log(") else "PPML"
    counts = "" if s.outcome == NOISE_ONLY or family == "PPML" else f"{s.counts:+.4f} ({s.counts_error:.4f})"
    cells = [s.direction, family, s.outcome, f"{s.causal:.4f}", f"{s.limit:.4f}", f"{s.estimate:.4f}"]
    return "| " + " | ".join([*cells, f"{s.gap:+.4f} ({s.gap_error:.4f})", counts, f"{s.zero_share:.1%}"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    draws = []
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds):
        draws += compare(seed)
        print(f"seed {seed} of {arguments.seeds}", file=sys.stderr, flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "gravity_bias.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Draw)], lineterminator="\n")
        writer.writeheader()
        for draw in draws:
            writer.writerow({k: f"{v:.6f}" if isinstance(v, float) else v for k, v in asdict(draw).items()})
    summaries = summarize(draws)
    (arguments.out / "gravity_bias.md").write_text(report(summaries, arguments.seeds), encoding="utf-8", newline="\n")
    if found := failures(summaries):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
