"""
PPML standard errors in panels of 30 to 69 countries, and what the corrections of Weidner and Zylkin mend.

Flows as in the simulations of Weidner and Zylkin (2021): effects of origin and destination by period, with three-way
models also of pairs, a regressor that depends on them, coefficient 1, and log-normal noise that is correlated over the
periods of a directed pair. Its variance relative to the squared mean m is 1/m (as of counts) or 1 (the same for all).

    python scripts/country_errors.py [--draws 200] [--out docs/simulations]

writes country_errors.csv (one row a model, noise and number of countries) and country_errors.md (what it says).
"""

import argparse
import csv
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import tradelift as tl

Floats = NDArray[np.float64]

N_DRAWS = 200
SIZES = (30, 50, 69)
PERIODS = 5
MODELS = {
    "two-way": ("origin^period", "destination^period"),
    "three-way": ("origin^period", "destination^period", "origin^destination"),
}
NOISES = ("count", "relative")
EFFECT_SD = 0.25
REGRESSOR_SD = np.sqrt(0.5)
PERSISTENCE = 0.5  # of the regressor
CORRELATION = 0.3  # of the noise of a directed pair from one period to the next

TEXT = """\
# PPML standard errors in panels of countries

Made by `scripts/country_errors.py`: {draws} draws a row, {periods} periods, every pair of different countries, flows
as in the simulations of Weidner and Zylkin (2021). Clusters are directed pairs. *Size of the error* is the mean
standard error over the standard deviation of the coefficient over draws: 1 is right. Coverage is of 95% intervals, with
its Monte Carlo error in brackets; bias is that of the coefficient, whose truth is 1, likewise. The noise of a flow has
a variance like that of a count, or the same variance relative to its squared mean. "Corrected" is
`correction="weidner-zylkin"`; with two-way effects it leaves the coefficient as it is.

| effects | noise | countries | size of the error | corrected | coverage | corrected | bias | corrected |
|---|---|---|---|---|---|---|---|---|
{rows}

The size has a Monte Carlo error of about {size_error:.0%}.

**Two-way effects.** Errors clustered by pair are {two_count.size:.2f} times what they should be with noise as of
counts, {two_relative.size:.2f} with the same relative noise for all (means over the numbers of countries); corrected,
{two_count.corrected:.2f} and {two_relative.corrected:.2f}. In the second case few large flows carry the estimate: the
correction gives back what the effects absorb of their noise, and no more.

**Three-way effects.** Noise as of counts moves the coefficient by {three_count.bias:+.4f} on average, which is
{three_count.share:.1f} of its standard deviation; after the correction by {three_count.bias_corrected:+.4f}. Coverage
rises from {three_count.coverage:.3f} to {three_count.coverage_corrected:.3f}. With the same relative noise for all
there is little bias to correct, and errors are {three_relative.size:.2f} and {three_relative.corrected:.2f} times what
they should be.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The coefficient and its 95% interval in one draw."""

    estimate: float
    error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Plain and corrected errors over draws; `size` is the mean error over the standard deviation of the estimates."""

    effects: str
    noise: str
    countries: int
    draws: int
    size: float
    size_corrected: float
    coverage: float
    coverage_error: float
    coverage_corrected: float
    coverage_corrected_error: float
    bias: float
    bias_error: float
    bias_corrected: float
    bias_corrected_error: float


def draw_panel(model: str, noise: str, countries: int, seed: int) -> tl.Panel:
    """Flows between countries under the model, with one regressor x whose coefficient is 1."""
    rng = np.random.default_rng([seed, countries, list(MODELS).index(model), NOISES.index(noise)])
    shape = (countries, countries)
    origin, destination = EFFECT_SD * rng.standard_normal((2, PERIODS, countries))
    pair = EFFECT_SD * rng.standard_normal(shape) * (model == "three-way")
    both = origin[:, :, None] + destination[:, None, :]
    fresh = REGRESSOR_SD * rng.standard_normal((PERIODS, *shape))
    regressor, normal = np.empty_like(fresh), rng.standard_normal((PERIODS, *shape))
    for t in range(PERIODS):
        regressor[t] = PERSISTENCE * (regressor[t - 1] if t else pair) + both[t] + fresh[t]
        if t:
            normal[t] = CORRELATION * normal[t - 1] + np.sqrt(1 - CORRELATION**2) * normal[t]
    mean = np.exp(both + pair + regressor)
    variance = np.log1p(1 / mean if noise == "count" else np.ones_like(mean))  # of the logarithm
    flows = mean * np.exp(np.sqrt(variance) * normal - variance / 2)
    i, j = np.nonzero(~np.eye(countries, dtype=bool))
    frame = {
        "origin": np.tile(i, PERIODS),
        "destination": np.tile(j, PERIODS),
        "period": np.repeat(np.arange(PERIODS), len(i)),
        "trade": flows[:, i, j].ravel(),
        "x": regressor[:, i, j].ravel(),
    }
    return tl.Panel.from_frame(pa.table(frame))


def fit(panel: tl.Panel, model: str, correction: str) -> Fitted:
    """PPML with errors clustered by directed pair."""
    design = tl.Gravity(controls=["x"], effects=MODELS[model], vcov="directed-pair", correction=correction)
    row = design.estimate(panel).tidy().iloc[0]
    return Fitted(
        estimate=float(row["estimate"]),
        error=float(row["std_error"]),
        low=float(row["conf_low"]),
        high=float(row["conf_high"]),
    )


def compare(model: str, noise: str, countries: int, draws: int) -> Row:
    """Fit all draws with and without the correction."""
    plain, corrected = [], []
    for seed in range(draws):
        panel = draw_panel(model, noise, countries, seed)
        plain.append(fit(panel, model, "clusters"))
        corrected.append(fit(panel, model, "weidner-zylkin"))
    size, coverage, coverage_error, bias, bias_error = judge(plain)
    after = judge(corrected)
    return Row(
        effects=model, noise=noise, countries=countries, draws=draws,
        size=size, size_corrected=after[0],
        coverage=coverage, coverage_error=coverage_error,
        coverage_corrected=after[1], coverage_corrected_error=after[2],
        bias=bias, bias_error=bias_error, bias_corrected=after[3], bias_corrected_error=after[4],
    )  # fmt: skip


def judge(draws: list[Fitted]) -> tuple[float, float, float, float, float]:
    """Size of the error, coverage and its Monte Carlo error, bias and its own."""
    estimate, error, low, high = (
        np.array([getattr(x, name) for x in draws]) for name in ("estimate", "error", "low", "high")
    )
    spread, root = float(estimate.std(ddof=1)), np.sqrt(len(draws))
    held = float(((low <= 1) & (high >= 1)).mean())
    return (
        float(error.mean()) / spread,
        held,
        float(np.sqrt(held * (1 - held)) / root),
        float(estimate.mean()) - 1,
        float(spread / root),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Means over numbers of countries; `share` is the bias over the standard deviation of the coefficient."""

    size: float
    corrected: float
    bias: float
    bias_corrected: float
    share: float
    coverage: float
    coverage_corrected: float


def average(rows: list[Row], model: str, noise: str) -> Mean:
    """Average the rows of a model and a noise."""
    own = [r for r in rows if (r.effects, r.noise) == (model, noise)]
    return Mean(
        size=float(np.mean([r.size for r in own])),
        corrected=float(np.mean([r.size_corrected for r in own])),
        bias=float(np.mean([r.bias for r in own])),
        bias_corrected=float(np.mean([r.bias_corrected for r in own])),
        share=float(np.mean([r.bias / (r.bias_error * np.sqrt(r.draws)) for r in own])),
        coverage=float(np.mean([r.coverage for r in own])),
        coverage_corrected=float(np.mean([r.coverage_corrected for r in own])),
    )


def report(rows: list[Row]) -> str:
    """Say in Markdown what the draws show."""
    return TEXT.format(
        draws=rows[0].draws,
        periods=PERIODS,
        rows="\n".join(map(_row, rows)),
        size_error=1 / np.sqrt(2 * rows[0].draws),  # of a standard deviation of normal draws
        two_count=average(rows, "two-way", "count"),
        two_relative=average(rows, "two-way", "relative"),
        three_count=average(rows, "three-way", "count"),
        three_relative=average(rows, "three-way", "relative"),
    )


def _row(r: Row) -> str:
    cells = [
        r.effects, r.noise, str(r.countries), f"{r.size:.2f}", f"{r.size_corrected:.2f}",
        f"{r.coverage:.3f} ({r.coverage_error:.3f})", f"{r.coverage_corrected:.3f} ({r.coverage_corrected_error:.3f})",
        f"{r.bias:+.4f} ({r.bias_error:.4f})", f"{r.bias_corrected:+.4f} ({r.bias_corrected_error:.4f})",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    rows = []
    for model in MODELS:
        for noise in NOISES:
            for countries in SIZES:
                rows.append(compare(model, noise, countries, arguments.draws))
                print(_row(rows[-1]), file=sys.stderr, flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "country_errors.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.5f}" if isinstance(v, float) else v for k, v in asdict(row).items()})
    (arguments.out / "country_errors.md").write_text(report(rows), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
