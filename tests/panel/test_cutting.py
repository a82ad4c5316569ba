import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tradelift.panel.cutting import cut_category, cut_periods


def same_cells(part, whole):
    """Every column of a part, cell by cell, is that of the whole."""
    keys = ["origin", "destination", "period"]
    a = part.to_arrow().to_pandas().sort_values(keys, ignore_index=True)
    b = whole.sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(a, b[list(a)])


def blocks_hold_their_cells(panel):
    """Each block's rows stand where its tensor says."""
    cells = panel.cells
    period, origin, destination = (cells.column(n) for n in ("period", "origin", "destination"))
    assert cells.blocks[-1].stop == len(period) == panel.n_cells
    for block in cells.blocks:
        t, i, j = np.unravel_index(
            np.arange(np.prod(block.shape)) if block.position is None else block.position, block.shape
        )
        own = slice(block.start, block.stop)
        assert (period[own] == t).all()
        assert (origin[own] == block.origins[i]).all()
        assert (destination[own] == block.destinations[j]).all()


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 2), (3, 3), (0, 3)])
def test_periods_keep_their_cells(missing, first, last):
    panel = two_sided(missing=missing)[0]
    part = cut_periods(panel, first, last)
    frame = panel.to_arrow().to_pandas()
    same_cells(part, frame[frame["period"].isin(panel.periods[first : last + 1])])
    blocks_hold_their_cells(part)
    assert part.periods == panel.periods[first : last + 1]
    assert part.digest != panel.digest


def test_absent_cells_stay_absent():
    panel = two_sided(missing=0.4, absent="zero")[0]
    part = cut_periods(panel, 1, 1)
    assert part.absent.sum() == (panel.absent & (panel.column("period") == 1)).sum() > 0


def test_rows_without_blocks_are_cut_too():
    rng = np.random.default_rng(0)
    ids = [f"r{i}" for i in range(60)]
    rows = [(a, b, t, rng.uniform()) for t in range(3) for a, b in rng.choice(ids, (90, 2)) if a != b]
    frame = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"])
    panel = tl.Panel.from_frame(frame.drop_duplicates(["origin", "destination", "period"]))
    assert panel.cells.blocks is None
    whole = panel.to_arrow().to_pandas()
    same_cells(cut_periods(panel, 1, 2), whole[whole["period"] != "0"])


def test_partnerships_start_and_end_as_before():
    start = ["2017-01", "2017-02", "2017-03", "2017-04"] * 3
    panel = two_sided(start=start)[0]
    whole = panel.to_arrow().to_pandas()
    for first, last in ((0, 1), (1, 2), (2, 3), (3, 3)):
        same_cells(cut_periods(panel, first, last), whole[whole["period"].isin(panel.periods[first : last + 1])])


def test_a_category_is_a_panel_without_categories():
    frames = [two_sided(seed=s, missing=m)[1].assign(kind=k) for s, m, k in ((1, 0.2, "food"), (2, 0.0, "toys"))]
    source = two_sided()[0]
    regions = pd.DataFrame({"region": source.regions.ids, "side": np.array(["east", "west"])[source.regions.side]})
    frame = pd.concat(frames)
    panel = tl.Panel.from_frame(frame, category="kind", regions=regions)
    for code, name in enumerate(("food", "toys")):
        part = cut_category(panel, code)
        alone = tl.Panel.from_frame(frame[frame["kind"] == name].drop(columns="kind"), regions=regions)
        same_cells(part, alone.to_arrow().to_pandas())
        blocks_hold_their_cells(part)
        assert part.categories is None


def test_panels_in_files_are_not_cut(tmp_path):
    one_sided()[0].to_parquet(tmp_path)
    with pytest.raises(tl.DesignError, match="stays in its files"):
        cut_periods(tl.Panel.from_parquet(tmp_path), 0, 0)
