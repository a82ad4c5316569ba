"""The simulation of placebo partners: its draws, and the committed table."""

import csv
import importlib
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SIZE, ERRORS = 0.05, 3.0  # of a 95% interval that leaves out 0 by chance, and Monte Carlo errors allowed
AS_OFF = 0.03  # at most, between gravity's placebo and what gravity is off, on average
SELECTED, ROUGH, RANDOM = "500 km, selected", "250 km, selected", "500 km, at random"


@pytest.fixture(scope="module")
def simulation():
    sys.path.insert(0, str(PROJECT / "scripts"))
    yield importlib.import_module("placebo_coverage")
    sys.path.remove(str(PROJECT / "scripts"))
    for name in ("placebo_coverage", "spatial_rd_coverage", "spatial_rd_report"):
        sys.modules.pop(name, None)


def table(name):
    with (PROJECT / "docs" / "simulations" / name).open(encoding="utf-8") as file:
        return {(row["world"], row["design"]): row for row in csv.DictReader(file)}


def test_a_draw_estimates_every_placebo_once(simulation):
    found = simulation.draw("none, selected", 10_000)
    assert [one.design for one in found] == list(simulation.DESIGNS)
    assert all(abs(one.gap) < 5 * one.half_width for one in found)


def test_the_committed_table_is_what_the_guide_claims():
    placebo, true = table("placebo.csv"), table("spatial_rd.csv")
    for world in (SELECTED, ROUGH):
        gravity = placebo[world, "gravity"]
        assert float(gravity["coverage"]) == 0
        assert abs(float(gravity["bias"]) - float(true[world, "gravity"]["bias"])) < AS_OFF
    fair = placebo[RANDOM, "150 km"]
    assert abs(float(fair["bias"])) <= ERRORS * float(fair["bias_error"])
    assert 1 - float(fair["coverage"]) <= SIZE + ERRORS * float(fair["coverage_error"])
    rough = placebo[ROUGH, "150 km"]
    assert SIZE < 1 - float(rough["coverage"]) < 0.5  # seldom told from 0, though the estimate is off


def test_the_page_says_what_the_table_has(simulation):
    draws = [simulation.draw(world, seed) for world in (SELECTED, ROUGH) for seed in (1, 2)]
    summaries = simulation.summarize([one for found in draws for one in found])
    page = simulation.report(summaries, 0.0471)
    assert page.count(f"| {ROUGH} |") == len(simulation.DESIGNS)
    assert "2 draws a world (seeds 0 to 1)" in page
    assert "is +0.0471 off" in page
    assert simulation.bias_of_true_partners(PROJECT / "docs" / "simulations") == float(
        table("spatial_rd.csv")[ROUGH, "150 km"]["bias"]
    )


def test_the_committed_page_is_made_of_the_committed_table(simulation):
    kinds = {"world": str, "design": str, "draws": int}
    rows = [
        simulation.Summary(**{name: kinds.get(name, float)(value) for name, value in row.items()})
        for row in table("placebo.csv").values()
    ]
    folder = PROJECT / "docs" / "simulations"
    page = simulation.report(rows, simulation.bias_of_true_partners(folder))
    assert page == (folder / "placebo.md").read_text(encoding="utf-8")
