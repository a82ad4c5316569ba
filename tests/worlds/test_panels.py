import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY_FLOWS
from tradelift.pipeline.inputs import load
from tradelift.study import read_study
from tradelift.worlds.affinity import OVERSHOOT
from tradelift.worlds.panels import REDUCED, draw_panel
from tradelift.worlds.traits import TRAITS


@pytest.fixture(scope="module")
def draw():
    return draw_panel(seed=SEED)


def test_the_panel_is_that_of_the_files(written_flows, tmp_path):
    study = read_study(written_flows.folder / "study.yaml")
    expected = load(study, spill=tmp_path, progress=lambda *_: None)
    found = draw_panel(TINY_FLOWS, seed=SEED, overshoot=OVERSHOOT)
    assert found.truth == written_flows.truth
    assert found.panel.regions.ids.tolist() == expected.panel.regions.ids.tolist()
    for name in ("origin", "destination", "period"):
        np.testing.assert_array_equal(found.panel.cells.column(name), expected.panel.cells.column(name))
    for name in ("trade", "deals", "sellers", "seller_concentration", "migration", "search", "flights", "partner"):
        np.testing.assert_array_equal(found.panel.column(name), expected.panel.column(name))
    assert found.goods.equals(expected.by_category)


def test_traits_of_pairs_are_the_study_s(draw):
    columns, pairs = draw.panel.regions.columns, draw.panel.pairs
    side = draw.panel.regions.side
    east = np.where(side[pairs.origin] == 0, pairs.origin, pairs.destination)
    west = np.where(side[pairs.origin] == 0, pairs.destination, pairs.origin)
    for name in TRAITS:
        expected = columns[name][west] if name != "gdp_gap" else np.log(columns["gdp"][east] / columns["gdp"][west])
        np.testing.assert_allclose(pairs.columns[name], expected)


def test_the_panel_by_category_adds_up(draw):
    goods = draw.by_category()
    assert goods.n_cells == 8 * draw.panel.n_cells
    assert goods.column("trade").sum() == pytest.approx(draw.panel.column("trade").sum())


def test_another_seed_is_another_world_and_the_same_seed_the_same(draw):
    assert draw_panel(seed=SEED).panel.digest == draw.panel.digest
    assert draw_panel(seed=SEED + 1).panel.digest != draw.panel.digest


def test_nothing_leads_gravity_astray(draw):
    """Without affinity its limits are the effects, but for what differs between pairs."""
    for limit in draw.truth.limits:
        if limit.outcome == "deals":  # PPML weighs by orders then, the truth by money
            continue
        weighting = "gaussian" if limit.outcome.startswith("log(") else "poisson"
        effect = draw.truth.estimands["average"][limit.direction][weighting]
        assert limit.partner == pytest.approx(effect, abs=0.006), limit


def test_the_reduced_world_has_months_on_both_sides_of_the_break():
    after = REDUCED.after_break()
    assert 0 < sum(after) < len(after)
