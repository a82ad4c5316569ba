"""
How often 95% intervals hold the truth, at the geometry of the East-West programme.

Each draw pairs provinces and cities anew (`tradelift.worlds.pairing`), draws shocks (`tradelift.worlds.shocks`), and
estimates gravity by OLS on logs and by PPML on the same flows, with every standard error and by randomization. The
true effect is 0 in even draws and .10 in odd ones.

    python scripts/interval_coverage.py [--draws 400] [--scenarios province ...] [--processes 1]

writes coverage.csv (one row a scenario, family and interval) and coverage.md (what it says) to --out, by default
docs/simulations. Finished draws are kept in parts (--parts, by default a temporary folder named by the script's
content), so that a stopped run goes on.
"""

import argparse
import csv
import hashlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from interval_report import Interval, Summary, failures, report, summarize, with_widest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import tradelift as tl
from tradelift.worlds.cities import Side, distances_km
from tradelift.worlds.pairing import draw_programme, read_participants
from tradelift.worlds.shocks import Shocks, draw_shocks

Floats = NDArray[np.float64]

N_DRAWS = 400
N_BENCHMARK = 60  # of them with swaps and free rewiring
N_JACKKNIFE = 40  # of them with the jackknife, which fits again without each city
PART = 20  # draws a file of parts
MONTHS = 4
RELABELLED = 199  # programmes a randomization
EFFECTS = (0.0, 0.1)  # in even and in odd draws
SIZE = 1.0  # standard deviation, in logs, of how much a city exports, and of how much it imports
DECAY = 0.8  # elasticity of distance
OUTCOMES = {"OLS": "log(trade)", "PPML": "trade"}
ERRORS = (
    "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province", "spatial", "spatial(union)",
)  # fmt: skip

TIES = {"pair": 0.3, "flow": 0.3}  # of cities, in every scenario but the first
SCENARIOS = {
    "month": Shocks(month=1.0),
    "pair": Shocks(**TIES),
    "city-province": Shocks(**TIES, city_province=0.15),
    "province": Shocks(**TIES, province=0.16),
    "smooth": Shocks(**TIES, smooth=0.2),
    "uneven": Shocks(**TIES, uneven=True),
}

SHOCKS = {
    "month": "none; those of the month are twice as large",
    "pair": "of each pair of cities, half of it shared by the two directions",
    "city-province": "the same, and of a city's taste for a province",
    "province": "the same as pair, and of each pair of provinces",
    "smooth": "the same as pair, and a field that is smooth on the map at 500 km",
    "uneven": "those of pair with heavy tails and a spread of their own for each eastern city",
}


def draw_panel(scenario: str, seed: int, effect: float) -> tl.Panel:
    """Flows between the cities that take part, in both directions, under a programme and shocks of this seed."""
    rng = np.random.default_rng([seed, *scenario.encode()])
    east, west = _cities()
    partner = draw_programme(east, west, rng)
    exports, imports = (
        (SIZE * rng.standard_normal((len(east), 1)), SIZE * rng.standard_normal(len(west))) for _ in range(2)
    )
    log_flow = effect * partner - DECAY * np.log(distances_km(east, west))
    sizes = np.stack([exports[0] + imports[1], imports[0] + exports[1]])[:, None]
    shocks = draw_shocks(SCENARIOS[scenario], east, west, MONTHS, rng)
    return _panel(east, west, partner, np.exp(log_flow + sizes + shocks))


@cache
def _cities() -> tuple[Side, Side]:
    return read_participants()


def _panel(east: Side, west: Side, partner: NDArray[np.bool_], flows: Floats) -> tl.Panel:
    """Build a panel from flows of shape (2, T, east, west): exports of the east, then of the west."""
    shape = flows.shape[1:]
    east_of, west_of, month = (
        np.broadcast_to(x, shape).ravel() for x in (east.city[:, None], west.city, np.arange(shape[0])[:, None, None])
    )
    frame = {
        "origin": np.concatenate([east_of, west_of]),
        "destination": np.concatenate([west_of, east_of]),
        "period": np.concatenate([month, month]),
        "trade": flows.ravel(),
    }
    sides = [(s.city, s.longitude, s.latitude, s.province, np.full(len(s), s.name)) for s in (east, west)]
    names = ("region", "longitude", "latitude", "group", "side")
    regions = {name: np.concatenate(columns) for name, columns in zip(names, zip(*sides, strict=True), strict=True)}
    first, second = np.nonzero(partner)
    partners = {"east": east.city[first], "west": west.city[second]}
    return tl.Panel.from_frame(pa.table(frame), regions=pa.table(regions), partners=pa.table(partners))


def intervals(scenario: str, seed: int) -> list[Interval]:
    """Every interval of one draw."""
    effect = EFFECTS[seed % 2]
    panel = draw_panel(scenario, seed, effect)
    out = []
    for family, outcome in OUTCOMES.items():
        design = tl.Gravity(outcome=outcome)
        with threadpool_limits(limits=1, user_api="blas"):  # the matrices are small: threads only wait for each other
            estimate = design.estimate(panel)
            found = dict(_found(design, estimate, panel, seed))
        out += [
            Interval(
                scenario=scenario,
                seed=seed,
                family=family,
                kind=kind,
                effect=effect,
                estimate=float(estimate.coefficients[0]),
                low=low,
                high=high,
                p_value=p_value,
            )
            for kind, (low, high, p_value) in found.items()
        ]
    return out


Bounds = tuple[float, float, float]  # low, high, p-value


def _found(design: tl.Gravity, estimate: tl.Estimate, panel: tl.Panel, seed: int) -> Iterator[tuple[str, Bounds]]:
    for scheme in ERRORS:
        yield scheme, _by_errors(estimate.with_vcov(scheme))
    if estimate.family == "poisson":
        corrected = tl.Gravity(outcome=design.outcome, vcov="directed-pair", correction="weidner-zylkin")
        yield "weidner-zylkin", _by_errors(corrected.estimate(panel))
    if seed < N_JACKKNIFE:
        yield "jackknife", _by_errors(tl.Gravity(outcome=design.outcome, vcov="jackknife").estimate(panel))
    for scheme in ("relabel", "swap", "free") if seed < N_BENCHMARK else ("relabel",):
        yield scheme, _by_randomization(design, panel, scheme, seed)


def _by_errors(estimate: tl.Estimate) -> Bounds:
    row = estimate.tidy().iloc[0]
    return float(row["conf_low"]), float(row["conf_high"]), float(row["p_value"])


def _by_randomization(design: tl.Gravity, panel: tl.Panel, scheme: str, seed: int) -> Bounds:
    try:
        found = tl.randomize(design, panel, scheme=scheme, draws=RELABELLED, seed=seed)
    except tl.ConvergenceError:  # counted as not known
        return np.nan, np.nan, np.nan
    return found.conf_low, found.conf_high, found.p_value


def read_or_draw(scenario: str, start: int, stop: int, parts: Path) -> list[Interval]:
    """Draws of a part: from its file if it was finished before, else anew."""
    path = parts / f"{scenario}-{start}-{stop}.csv"
    if not path.exists():
        rows = [row for seed in range(start, stop) for row in intervals(scenario, seed)]
        write_rows(path.with_suffix(".new"), Interval, rows, digits=10)
        path.with_suffix(".new").replace(path)
        print(f"{scenario}: {stop} draws", file=sys.stderr, flush=True)
    with path.open(encoding="utf-8", newline="") as file:
        kinds: dict[str, Any] = {f.name: f.type for f in fields(Interval)}
        return [Interval(**{k: kinds[k](v) for k, v in row.items()}) for row in csv.DictReader(file)]


def write_rows(path: Path, kind: type[Any], rows: Iterable[Any], digits: int) -> None:
    """Write frozen records to a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(kind)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.{digits}f}" if isinstance(v, float) else v for k, v in asdict(row).items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--parts", type=Path, default=_own_folder())
    parser.add_argument("--out", type=Path, default=Path("docs/simulations"))
    arguments = parser.parse_args()
    arguments.parts.mkdir(parents=True, exist_ok=True)
    tasks = [
        (scenario, start, min(start + PART, arguments.draws), arguments.parts)
        for start in range(0, arguments.draws, PART)
        for scenario in arguments.scenarios
    ]
    with ProcessPoolExecutor(arguments.processes) as pool:
        draws = [row for rows in pool.map(read_or_draw, *zip(*tasks, strict=True)) for row in rows]
    summaries = summarize(with_widest(draws))
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_rows(arguments.out / "coverage.csv", Summary, summaries, digits=4)
    page = report(summaries, SHOCKS, months=MONTHS, benchmark=N_BENCHMARK, jackknife=N_JACKKNIFE, relabelled=RELABELLED)
    (arguments.out / "coverage.md").write_text(page, encoding="utf-8", newline="\n")
    if found := failures(summaries):
        sys.exit("\n".join(found))


def _own_folder() -> Path:
    content = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tradelift-coverage-{content}"


if __name__ == "__main__":
    main()
