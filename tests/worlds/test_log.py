import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY
from tradelift.pipeline.inputs import load
from tradelift.study import read_study
from tradelift.worlds.baskets import draw_baskets
from tradelift.worlds.intensities import draw_world

NOT_A_NUMBER = "unparsable"  # its money is unknown in the truth, and adds nothing to an account


@pytest.fixture(scope="module")
def panel(written, tmp_path_factory):
    study = read_study(written.folder / "study.yaml")
    return load(study, spill=tmp_path_factory.mktemp("spill"), progress=lambda *_: None).panel


def test_the_log_room_counts_what_the_truth_says(panel, written):
    stage = panel.account.stages[0]
    truth = written.truth
    assert (stage.read_rows, stage.read_amount) == (truth.read.rows, truth.read.amount)
    assert (stage.kept_rows, stage.kept_amount) == (truth.kept.rows, truth.kept.amount)
    found = {e.reason: (e.rows, e.amount) for e in stage.exclusions if e.rows}
    assert found == {r: (t.rows, 0 if r == NOT_A_NUMBER else t.amount) for r, t in truth.dirt.items()}


@pytest.mark.parametrize("k", [0, 1])
def test_the_panel_holds_the_flows_that_were_drawn(panel, k):
    world = draw_world(TINY, SEED)
    d = world.directions[k]
    place = {city: n for n, city in enumerate(panel.regions.ids)}
    row = np.array([place[c] for c in d.origins.city])
    column = np.array([place[c] for c in d.destinations.city])
    cube = np.zeros((2, TINY.months, len(place), len(place)), dtype=np.int64)
    where = tuple(panel.cells.column(name) for name in ("period", "origin", "destination"))
    for n, name in enumerate(("deals", "trade_minor")):
        cube[n][where] = panel.column(name)
    for month in range(TINY.months):
        baskets = draw_baskets(world, month)[k]
        assert (cube[0, month][np.ix_(row, column)] == baskets.deals).all()
        assert (cube[1, month][np.ix_(row, column)] == baskets.trade()).all()
