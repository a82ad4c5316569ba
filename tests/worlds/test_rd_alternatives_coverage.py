"""The simulation of the other spatial designs: its borders, its draws, and the committed table."""

import csv
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from tradelift.geography import great_circle_km
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

PROJECT = Path(__file__).parents[2]
BIAS = 0.02  # of defaults where an affinity that is smooth over 500 km chose partners
SLOPE_BIAS = 0.03  # of the territory, whose errors are twice as large
COVERAGE, ERRORS = 0.95, 3.0  # of defaults where nothing selects, and Monte Carlo errors allowed
WIDEST = 1.3  # half width, in 1.96 Monte Carlo standard deviations
DEFAULTS = ("matching, 1 nearest", "imputation, 150 km", "location, degree 3", "territory, 100 km")


@pytest.fixture(scope="module")
def simulation():
    sys.path.insert(0, str(PROJECT / "scripts"))
    yield importlib.import_module("rd_alternatives_coverage")
    sys.path.remove(str(PROJECT / "scripts"))
    for name in ("rd_alternatives_coverage", "spatial_rd_coverage", "spatial_rd_report"):
        del sys.modules[name]


@pytest.fixture(scope="module")
def table():
    with (PROJECT / "docs" / "simulations" / "rd_alternatives.csv").open(encoding="utf-8") as file:
        return {(row["world"], row["design"]): row for row in csv.DictReader(file)}


def test_borders_join_each_city_and_its_nearest_within_a_side(simulation):
    panel = simulation.with_borders(draw_affinity_world(AffinityWorld(), 1).panel)
    first, second = panel.neighbours.T
    side = panel.regions.side
    assert (side[first] == side[second]).all()
    # Voronoi cells of a city and its nearest always touch
    x, y = panel.regions.longitude, panel.regions.latitude
    km = great_circle_km(x[:, None], y[:, None], x, y)
    km[(side[:, None] != side) | np.eye(len(side), dtype=bool)] = np.inf
    joined = set(map(frozenset, panel.neighbours.tolist()))
    nearest = {frozenset((city, int(other))) for city, other in enumerate(km.argmin(axis=1))}
    assert len(nearest - joined) <= 2  # degrees of latitude and longitude are not quite of one length off the equator
    assert len(joined) == len(panel.neighbours)


def test_a_draw_estimates_every_design_once(simulation):
    found = simulation.draw("none, selected", 10_000)
    assert [one.design for one in found] == list(simulation.DESIGNS)
    assert all(abs(one.gap) < 5 * one.half_width for one in found)


def test_the_committed_table_is_what_the_designs_claim(table):
    for design in DEFAULTS:
        selected, fair = table["500 km, selected", design], table["none, selected", design]
        assert abs(float(selected["bias"])) <= (SLOPE_BIAS if design.startswith("territory") else BIAS)
        assert abs(float(fair["bias"])) <= ERRORS * float(fair["bias_error"])
        assert float(fair["coverage"]) >= COVERAGE - ERRORS * float(fair["coverage_error"])
        assert float(fair["relative_width"]) <= WIDEST
    assert float(table["500 km, selected", "contiguous cities, no city effects"]["spread"]) > 2 * float(
        table["500 km, selected", "contiguous cities"]["spread"]
    )  # city sizes jump between neighbours


def test_the_page_has_a_row_for_each_design(simulation):
    draws = [simulation.draw(world, seed) for world in ("500 km, selected", "none, selected") for seed in (1, 2)]
    summaries = simulation.summarize([one for found in draws for one in found])
    page = simulation.report(summaries)
    assert page.count("| none, selected |") == len(simulation.DESIGNS)
    assert "2 draws a world (seeds 0 to 1)" in page
