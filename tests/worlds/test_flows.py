"""Flows as they are written and read, against the cells that were drawn."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.worlds.conftest import SEED, TINY_FLOWS
from tradelift.pipeline.inputs import load
from tradelift.study import read_study
from tradelift.worlds.cells import Crowds, draw_cells
from tradelift.worlds.goods import CATEGORIES
from tradelift.worlds.intensities import draw_world
from tradelift.worlds.mediators import draw_mediators
from tradelift.worlds.simulation import simulate_at

WORLD = draw_world(TINY_FLOWS, SEED)


@pytest.fixture(scope="module")
def loaded(written_flows, tmp_path_factory):
    study = read_study(written_flows.folder / "study.yaml")
    return load(study, spill=tmp_path_factory.mktemp("spill"), progress=lambda *_: None)


def cube(panel, name, direction):
    """A column of the panel, shape (T, I, J)."""
    place = {city: n for n, city in enumerate(panel.regions.ids)}
    row, column = ([place[c] for c in side.city] for side in (direction.origins, direction.destinations))
    full = np.full((len(panel.periods), len(place), len(place)), np.nan)
    full[tuple(panel.cells.column(key) for key in ("period", "origin", "destination"))] = panel.column(name)
    return full[:, row][:, :, column]


@pytest.mark.parametrize("k", [0, 1])
def test_the_panel_holds_the_flows_that_were_drawn(loaded, k):
    d = WORLD.directions[k]
    cells = [draw_cells(WORLD, month) for month in range(TINY_FLOWS.months)]
    trade = np.stack([c[k].fen.sum(0) for c in cells])
    np.testing.assert_array_equal(cube(loaded.panel, "trade", d), trade / 100)
    np.testing.assert_array_equal(cube(loaded.panel, "deals", d), np.stack([c[k].deals.sum(0) for c in cells]))
    crowds = Crowds(WORLD)
    ratios = [crowds.draw(month, own)[k] for month, own in enumerate(cells)]
    for who in ("seller", "buyer"):
        count = np.stack([r[who].count for r in ratios])
        np.testing.assert_array_equal(cube(loaded.panel, f"{who}s", d), count)
        for reading in ("flow", "city"):
            top = np.stack([r[who].top[reading] for r in ratios])
            found = cube(loaded.panel, f"{who}_concentration_{reading}", d)
            np.testing.assert_array_equal(np.isnan(found), count < 10)
            np.testing.assert_allclose(found[count >= 10], (100 * top / np.maximum(trade, 1))[count >= 10])
        flow = cube(loaded.panel, f"{who}_concentration", d)
        np.testing.assert_array_equal(flow, cube(loaded.panel, f"{who}_concentration_flow", d))
        top, other = (cube(loaded.panel, f"{name}_{who}_trade", d) for name in ("top", "other"))
        np.testing.assert_allclose(top + other, trade / 100)
        np.testing.assert_allclose(flow[count >= 10], 100 * top[count >= 10] / (trade / 100)[count >= 10])


def test_goods_add_up_to_flows(loaded):
    goods = loaded.by_category.to_pandas().astype({"origin": str, "destination": str, "period": str, "category": str})
    assert set(goods["category"]) == set(CATEGORIES)
    assert (goods["deals"] > 0).all()
    assert not goods.duplicated(["origin", "destination", "period", "category"]).any()
    panel = loaded.panel
    ids = panel.regions.ids
    whole = pd.DataFrame(
        {
            "origin": ids[panel.cells.column("origin")],
            "destination": ids[panel.cells.column("destination")],
            "period": np.array(panel.periods)[panel.cells.column("period")],
            "trade": panel.column("trade"),
            "deals": panel.column("deals"),
        }
    ).set_index(["origin", "destination", "period"])
    sums = goods.groupby(["origin", "destination", "period"])[["trade", "deals"]].sum().reindex(whole.index).fillna(0)
    np.testing.assert_allclose(sums["trade"], whole["trade"], atol=1e-6)
    np.testing.assert_array_equal(sums["deals"], whole["deals"])


def test_every_row_is_accounted_for(loaded, written_flows):
    stage = loaded.panel.account.stages[0]
    truth = written_flows.truth
    assert (stage.read_rows, stage.kept_rows) == (truth.read.rows, truth.kept.rows) == (2 * 87 * 110 * 4,) * 2
    assert truth.dirt == {}
    assert round(loaded.panel.column("trade").sum() * 100) == truth.kept.amount == truth.read.amount
    assert all(not s.exclusions or not any(e.rows for e in s.exclusions) for s in loaded.panel.account.stages)


def test_mediators_stand_with_their_pairs(loaded):
    drawn = draw_mediators(WORLD)
    for k, d in enumerate(WORLD.directions):
        for name, values in (("migration", drawn.migration[None]), ("flights", drawn.flights)):
            own = values if k == 0 else values.transpose(0, 2, 1)
            np.testing.assert_array_equal(cube(loaded.panel, name, d), np.broadcast_to(own, d.intensity.shape))
        np.testing.assert_array_equal(cube(loaded.panel, "search", d), drawn.search[k])


def test_traits_of_cities_are_read_as_they_were_drawn(loaded):
    regions = loaded.panel.regions
    place = {city: n for n, city in enumerate(regions.ids)}
    for side in (WORLD.east, WORLD.west):
        for name, values in WORLD.cities[side.name].items():
            found = np.asarray(regions.columns[name], dtype=float)[[place[c] for c in side.city]]
            np.testing.assert_array_equal(found, values)


def test_same_seed_same_bytes(written_flows, tmp_path):
    simulate_at(tmp_path, TINY_FLOWS, SEED)
    files = sorted(p.name for p in written_flows.folder.iterdir())
    assert files == [
        "categories.csv", "cities.csv", "flights.parquet", "flows.parquet", "flows_by_category.parquet",
        "migration.csv", "partners.csv", "search.parquet", "study.yaml", "truth.json",
    ]  # fmt: skip
    for file in files:
        assert (tmp_path / file).read_bytes() == (written_flows.folder / file).read_bytes(), file


def test_a_month_is_a_row_group(written_flows):
    file = pq.ParquetFile(written_flows.folder / "flows.parquet")
    assert file.num_row_groups == TINY_FLOWS.months
    for month, label in enumerate(TINY_FLOWS.labels()):
        assert set(file.read_row_group(month, ["period"])["period"].to_pylist()) == {label}
