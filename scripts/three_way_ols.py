"""
OLS with pair effects beside those of origins and destinations by period: bias and coverage where the truth is known.

Agreements start when the later of two regions has joined, between regions whose pair effect is high, so that leaving
pair effects out misleads. A second regressor moves with all effects. The noise of a flow persists from one period to
the next, is partly shared by the two directions of a pair, and spreads differently for each region and after an
agreement.

    python scripts/three_way_ols.py [--draws 500] [--out docs/simulations]

writes three_way_ols.csv (one row a panel, share of missing flows, noise and coefficient) and three_way_ols.md (what it
says).
"""

import argparse
import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import tradelift as tl

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

N_DRAWS = 500
PERIODS = 8
PANELS = {"countries": (40, 0), "cities": (24, 36)}  # regions on each side; of countries all trade with all
MISSING = (0.0, 0.1)
NOISES = ("pair", "region")
TRUTH = {"agreement": 0.3, "x": 0.5}
EFFECTS = ("origin^period", "destination^period", "origin^destination")
ERRORS = ("robust", "directed-pair", "pair", "two-way", "dyadic")
TREATED = 0.2  # share of the pairs that ever agree
PERSISTENCE = 0.6  # of regressor and noise
REGION_SD = 0.3  # of the log spread of a region's noise
SHOCK_SD = 0.2  # of the shocks of a region that its partners share
AFTER = 1.5  # spread of the noise after an agreement, relative to before

TEXT = """\
# OLS with pair effects

Made by `scripts/three_way_ols.py`: {draws} draws a row, {periods} periods. *Countries* are {countries} that all trade
with each other; *cities* are {east} on one side and {west} on the other, with flows between the sides. OLS on
log(trade) with effects of origin-period, destination-period and directed pair. `agreement` turns to 1 when both
regions have joined, each in a period of its own, for a fifth of the pairs, more often where the pair effect is high;
`x` moves with all effects. The truth is {agreement} and {x}. Noise persists over the periods of a directed pair, is
half shared by its two directions, and spreads differently for each region and after an agreement; noise *region* adds
shocks of each region that its flows with those have in common with whom it ever agrees. A tenth of the flows is
missing where said, more often where the pair effect is low. Coverage is of 95% intervals; Monte Carlo errors in
brackets.

| panel | missing | noise | coefficient | bias | sd | without pair effects: bias | {names} |
|---|---|---|---|---|---|---|{bars}|
{rows}

**Bias.** The largest bias is {worst:.1f} Monte Carlo errors, of {count} coefficients; without pair effects the mean
bias of `agreement` is {without:+.3f}.

**Coverage** of `agreement`, means over the rows of a noise: where noise is of pairs, {robust_pair:.3f} for robust
errors, {pair_pair:.3f} for errors clustered by pair and {dyadic_pair:.3f} for dyadic ones; with shocks of regions,
{robust_region:.3f}, {pair_region:.3f} and {dyadic_region:.3f}.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a panel is drawn from."""

    panel: str
    missing: float
    noise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One coefficient in one draw; `held` says by standard error whether its interval holds the truth."""

    coefficient: str
    estimate: float
    without: float
    held: dict[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A coefficient over draws; `without` is its bias without pair effects, the rest coverage by standard error."""

    panel: str
    missing: float
    noise: str
    coefficient: str
    draws: int
    bias: float
    bias_error: float
    sd: float
    without: float
    robust: float
    directed_pair: float
    pair: float
    two_way: float
    dyadic: float


def draw_panel(setting: Setting, seed: int, periods: int = PERIODS) -> tl.Panel:
    """Flows under the model, with their agreements and regressor."""
    first, second = PANELS[setting.panel]
    names = [list(PANELS), MISSING, NOISES]
    keys = (setting.panel, setting.missing, setting.noise)
    rng = np.random.default_rng([seed, *(list(n).index(k) for n, k in zip(names, keys, strict=True))])
    n = first + second
    side = np.arange(n) >= first
    trades = side[:, None] != side if second else ~np.eye(n, dtype=bool)
    shared = _both_ways(rng.normal(size=(n, n)))  # of the two directions
    pair = 0.5 * shared + 0.5 * rng.normal(size=(n, n))
    origin, destination = (0.5 * rng.normal(size=(periods, n)) + rng.normal(size=n) for _ in range(2))
    effects = origin[:, :, None] + destination[:, None, :] + pair
    ever, start = _agreements(shared, trades, periods, rng)
    agreement = ever & (np.arange(periods)[:, None, None] >= start)
    x = 0.5 * effects + _persistent((periods, n, n), rng)
    logs = effects + TRUTH["agreement"] * agreement + TRUTH["x"] * x + _noise(agreement, rng)
    if setting.noise == "region":
        shock = SHOCK_SD * _persistent((periods, n), rng)
        logs += (shock[:, :, None] + shock[:, None, :]) * ever
    # a pair at the middle is missing as often as asked
    chance = 2 * setting.missing / (1 + np.exp(2 * (pair - np.median(pair[trades]))))
    there = trades & (rng.random(logs.shape) >= chance)
    t, i, j = np.nonzero(there)
    columns = {"trade": np.exp(logs[there]), "agreement": agreement[there].astype(float), "x": x[there]}
    frame = pa.table({"origin": i, "destination": j, "period": t} | columns)
    if not second:
        return tl.Panel.from_frame(frame)
    return tl.Panel.from_frame(
        frame, regions=pa.table({"region": np.arange(n), "side": np.where(side, "west", "east")})
    )


def _both_ways(values: Floats) -> Floats:
    """Give both directions of each pair the values of one, along the last two axes."""
    upper = np.triu(values)
    return np.asarray(upper + np.swapaxes(np.triu(values, 1), -1, -2))


def _agreements(shared: Floats, trades: Bools, periods: int, rng: np.random.Generator) -> tuple[Bools, Ints]:
    """Which pairs ever agree, the same both ways, and the period from which on, never the first; shape (n, n) each."""
    inclined = shared + _both_ways(rng.normal(size=shared.shape))
    ever = inclined > np.quantile(inclined[trades], 1 - TREATED)
    joined = rng.integers(1, periods, len(shared))
    return ever & trades, np.maximum(joined[:, None], joined)


def _persistent(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Draw standard normals that persist along the first axis."""
    out = rng.normal(size=shape)
    for t in range(1, shape[0]):
        out[t] = PERSISTENCE * out[t - 1] + np.sqrt(1 - PERSISTENCE**2) * out[t]
    return out


def _noise(agreement: Bools, rng: np.random.Generator) -> Floats:
    """Noise of each flow's log, shape (T, n, n)."""
    both = _both_ways(_persistent(agreement.shape, rng))
    own = np.sqrt(0.5) * both + np.sqrt(0.5) * _persistent(agreement.shape, rng)
    region = np.exp(REGION_SD * rng.normal(size=agreement.shape[1]))
    return np.asarray(0.5 * region[:, None] * region * np.where(agreement, AFTER, 1.0) * own)


def fit(panel: tl.Panel) -> list[Fitted]:
    """Estimate with every standard error, and once more without pair effects."""
    design = tl.Gravity(outcome="log(trade)", treatment="agreement", controls=["x"], effects=EFFECTS, vcov=ERRORS[0])
    estimate = design.estimate(panel)
    tables = {name: estimate.with_vcov(name).tidy().set_index("term") for name in ERRORS}
    plain = tl.Gravity(outcome="log(trade)", treatment="agreement", controls=["x"], effects=EFFECTS[:2], vcov="robust")
    without = plain.estimate(panel).tidy().set_index("term")
    return [
        Fitted(
            coefficient=name,
            estimate=float(tables[ERRORS[0]].loc[name, "estimate"]),
            without=float(without.loc[name, "estimate"]),
            held={e: bool(t.loc[name, "conf_low"] <= truth <= t.loc[name, "conf_high"]) for e, t in tables.items()},
        )
        for name, truth in TRUTH.items()
    ]


def simulate(setting: Setting, seeds: Iterable[int]) -> list[Row]:
    """Fit the draws of a setting; one row a coefficient."""
    draws = [fit(draw_panel(setting, seed)) for seed in seeds]
    return [judge(setting, list(own)) for own in zip(*draws, strict=True)]


def judge(setting: Setting, draws: list[Fitted]) -> Row:
    """Bias, its Monte Carlo error, and coverage."""
    name = draws[0].coefficient
    estimates = np.array([d.estimate for d in draws])
    sd = float(estimates.std(ddof=1))
    return Row(
        panel=setting.panel,
        missing=setting.missing,
        noise=setting.noise,
        coefficient=name,
        draws=len(draws),
        bias=float(estimates.mean()) - TRUTH[name],
        bias_error=sd / np.sqrt(len(draws)),
        sd=sd,
        without=float(np.mean([d.without for d in draws])) - TRUTH[name],
        **{e.replace("-", "_"): float(np.mean([d.held[e] for d in draws])) for e in ERRORS},
    )


def coverage_error(share: float, draws: int) -> float:
    """Monte Carlo error of a coverage."""
    return float(np.sqrt(share * (1 - share) / draws))


def report(rows: list[Row]) -> str:
    """Say in Markdown what the draws show."""
    own = [r for r in rows if r.coefficient == "agreement"]
    means = {
        f"{e}_{noise}": float(np.mean([getattr(r, e) for r in own if r.noise == noise]))
        for e in ("robust", "pair", "dyadic")
        for noise in NOISES
    }
    return TEXT.format(
        draws=rows[0].draws,
        periods=PERIODS,
        countries=PANELS["countries"][0],
        east=PANELS["cities"][0],
        west=PANELS["cities"][1],
        **TRUTH,
        names=" | ".join(ERRORS),
        bars="---|" * (len(ERRORS) - 1) + "---",
        rows="\n".join(map(_line, rows)),
        worst=max(abs(r.bias) / r.bias_error for r in rows),
        count=len(rows),
        without=float(np.mean([r.without for r in own])),
        **means,
    )


def _line(r: Row) -> str:
    shares = [getattr(r, e.replace("-", "_")) for e in ERRORS]
    cells = [
        r.panel, f"{r.missing:.0%}", r.noise, r.coefficient, f"{r.bias:+.4f} ({r.bias_error:.4f})", f"{r.sd:.4f}",
        f"{r.without:+.3f}", *(f"{s:.3f} ({coverage_error(s, r.draws):.3f})" for s in shares),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    rows: list[Row] = []
    for panel in PANELS:
        for missing in MISSING:
            for noise in NOISES:
                found = simulate(Setting(panel=panel, missing=missing, noise=noise), range(arguments.draws))
                rows += found
                print("\n".join(map(_line, found)), file=sys.stderr, flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "three_way_ols.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.5f}" if isinstance(v, float) else v for k, v in asdict(row).items()})
    (arguments.out / "three_way_ols.md").write_text(report(rows), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
