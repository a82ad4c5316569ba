"""
Time the spatial RD at the paper's scale, beside pyfixest on the same stack, and the exhibits that it has.

    python benchmarks/spatial_rd.py                 five minutes; writes benchmarks/spatial_rd.md
    python benchmarks/spatial_rd.py --months 2      seconds; prints, and writes nothing
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import describe
from panels import write_panel
from processes import Setting
from tools import flows_and_lists
from work import Shape

import tradelift as tl
from tradelift.designs.spatial import Near, near_pairs

HERE = Path(__file__).parent
MONTHS = 60
FEWER = 6  # months of the PPML of pyfixest: it takes minutes with all
REPEATS = 5
MOST = 100_000  # turns of pyfixest over the effects: the usual 10,000 do not do
WANTED = 0.5  # seconds of one estimate
EXHIBITS = ("balance", "spatial_rd", "bandwidth", "control_types", "rd_alternatives", "matching", "placebo")
WANTED_EXHIBITS = 60.0  # seconds of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One estimate: the median of our seconds, and what pyfixest took for the same once, if it was asked."""

    title: str
    months: int
    rows: int
    seconds: float
    peer: float | None = None
    digits: float | None = None


def main() -> int:
    """Measure and write, or print where the size is not the usual one."""
    months = _read_months()
    warnings.simplefilter("ignore")
    machine = describe(Setting(peers=None, r=None, threads=os.cpu_count() or 1, size="full"))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        panel = _panel(Path(folder), months)
        fewer = _panel(Path(folder), min(FEWER, months))
    timed = [
        _time("OLS, 150 km", panel, months, tl.SpatialRD(), beside=True),
        _time("OLS, 250 km, d", panel, months, tl.SpatialRD(bandwidth_km=250, distance_terms=["d"])),
        _time("PPML, 150 km", panel, months, tl.SpatialRD(outcome="trade")),
        _time("PPML, 250 km, d", panel, months, tl.SpatialRD(outcome="trade", bandwidth_km=250, distance_terms=["d"])),
        _time("PPML, 250 km", fewer, min(FEWER, months), tl.SpatialRD(outcome="trade", bandwidth_km=250), beside=True),
    ]
    text = _page(machine, timed, _time_exhibits(panel))
    if months != MONTHS:
        sys.stdout.write(text)
        return 0
    (HERE / "spatial_rd.md").write_text(text, encoding="utf-8")
    return 0


def _read_months() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=MONTHS, help="periods of the panel")
    return int(parser.parse_args().months)


def _panel(folder: Path, months: int) -> tl.Panel:
    at = folder / str(months)
    at.mkdir(exist_ok=True)
    write_panel(Shape(months=months), at)
    flows, regions, partners = flows_and_lists(at)
    return tl.Panel.from_frame(flows, regions=regions, partners=partners)


def _time(title: str, panel: tl.Panel, months: int, design: tl.SpatialRD, *, beside: bool = False) -> Timed:
    found = design.estimate(panel)
    seconds = float(np.median([_seconds(lambda: design.estimate(panel)) for _ in range(REPEATS)]))
    if not beside:
        return Timed(title=title, months=months, rows=found.n_obs, seconds=seconds)
    rows = _stack(panel, design)
    fits: list[Any] = []
    peer = _seconds(lambda: fits.append(_with_pyfixest(rows, design)))
    digits = abs(float(fits[0].coef()["partner"]) / float(found.coefficients[0]) - 1)
    return Timed(title=title, months=months, rows=found.n_obs, seconds=seconds, peer=peer, digits=digits)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _stack(panel: tl.Panel, design: tl.SpatialRD) -> pd.DataFrame:
    """The stack as rows, as a user of pyfixest would make it."""
    near = near_pairs(panel, Near(bandwidth_km=design.bandwidth_km), "both")
    pairs = pd.DataFrame({"group": near.group, "pair": near.pair, "kernel": near.weight, "is_partner": near.is_partner})
    cells = panel.to_arrow().to_pandas()
    cells["pair"] = panel.pair_of_cell
    rows = pairs.merge(cells, on="pair")
    rows = rows[rows["trade"] > 0] if design.outcome.startswith("log") else rows
    there = rows.loc[rows["is_partner"], ["group", "period"]]  # a month without its partner pair says nothing
    return rows.merge(there, on=["group", "period"])


def _with_pyfixest(rows: pd.DataFrame, design: tl.SpatialRD) -> Any:
    import pyfixest

    estimate = pyfixest.feols if design.outcome.startswith("log") else pyfixest.fepois
    formula = f"{design.outcome} ~ partner + log(distance_km) | group^period + origin^period + destination^period"
    return estimate(formula, rows, weights="kernel", vcov="iid", fixef_maxiter=MOST, copy_data=False, store_data=False)


def _time_exhibits(panel: tl.Panel) -> dict[str, tuple[int, float]]:
    """Estimates and seconds of each exhibit, alone."""
    from tradelift.exhibits import EXHIBITS as KNOWN
    from tradelift.study import read_study

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "study.yaml"
        for name in ("flows", "regions", "partners"):
            (Path(folder) / f"{name}.csv").write_text("region,other\na,b\n", encoding="utf-8")
        path.write_text("name: Benchmark\nflows: flows.csv\nregions: regions.csv\npartners: partners.csv\n", "utf-8")
        study = read_study(path)
    out = {}
    for name in EXHIBITS:
        start = time.perf_counter()
        tasks = KNOWN[name].plan(study, panel)
        found = {}
        for key, task in tasks.items():
            try:
                found[key] = task.estimate(panel)
            except (tl.DesignError, tl.ConvergenceError):  # what a panel does not allow, an exhibit says
                continue
        KNOWN[name].show(study, panel, found)
        out[name] = (len(tasks), time.perf_counter() - start)
    return out


def _page(machine: dict[str, str], timed: list[Timed], exhibits: dict[str, tuple[int, float]]) -> str:
    lines = [
        "# Spatial RD: what was measured",
        "",
        "Made by `benchmarks/spatial_rd.py`: 87 x 110 cities, both directions, 128 partner pairs, the panel of",
        "`panels.py` with one zero flow in a hundred, so that no month has the sample of another.",
        "",
        "| machine |  |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in machine.items()),
        "",
        f"Median of {REPEATS} estimates, from a built panel to standard errors; wanted: under {WANTED} s. pyfixest",
        f"starts from the rows of the stack, with its usual tolerances and {MOST:,} turns, and runs once.",
        "",
        "| estimate | months | rows of the stack | seconds | under 0.5 s | pyfixest | ratio | relative difference |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for t in timed:
        peer = "" if t.peer is None else f"{t.peer:.1f}"
        ratio = "" if t.peer is None else f"{t.peer / t.seconds:.0f}"
        digits = "" if t.digits is None else f"{t.digits:.0e}"
        reached = "yes" if t.seconds < WANTED else "**no**"
        lines.append(
            f"| {t.title} | {t.months} | {t.rows:,} | {t.seconds:.2f} | {reached} | {peer} | {ratio} | {digits} |"
        )
    total = sum(seconds for _, seconds in exhibits.values())
    lines += [
        "",
        "| exhibit | estimates | seconds |",
        "| --- | --- | --- |",
        *(f"| {name} | {n} | {seconds:.1f} |" for name, (n, seconds) in exhibits.items()),
        f"| all | {sum(n for n, _ in exhibits.values())} | {total:.1f} (wanted: under {WANTED_EXHIBITS:.0f}) |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
