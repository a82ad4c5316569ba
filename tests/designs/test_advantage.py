import numpy as np
import pyarrow as pa
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tests.exhibits.goods import whole
from tradelift.designs.advantage import balassa
from tradelift.panel.goods import goods_panel, with_goods


def test_it_is_the_share_of_a_category_over_the_share_of_all():
    panel = whole()
    frames = {n: goods_panel(panel, [c]).to_arrow().to_pandas() for c, n in enumerate(panel.goods.names)}
    frames = {n: f[f["partner"] == 0] for n, f in frames.items()}

    def west(frame):
        return frame.loc[frame["origin"].str.startswith("w"), "trade"].sum()

    total = sum(f["trade"].sum() for f in frames.values())
    share = sum(west(f) for f in frames.values()) / total
    expected = [west(f) / f["trade"].sum() / share for f in frames.values()]
    np.testing.assert_allclose(balassa(panel), expected, rtol=1e-12)
    assert balassa(panel)[0] > 1 > balassa(panel, side=0)[0]  # the west sells food


def test_weighted_by_trade_both_sides_make_one():
    """Shares of the two sides add up, so the indices average to 1 by the shares of all trade."""
    panel = whole()
    pair = panel.pair_of_cell[panel.goods.cell]
    kept = panel.pairs.partnership[pair] < 0
    west = panel.regions.side[panel.pairs.origin[pair]] == 1
    w = panel.goods.columns["trade"][kept & west].sum() / panel.goods.columns["trade"][kept].sum()
    np.testing.assert_allclose(w * balassa(panel) + (1 - w) * balassa(panel, side=0), 1.0, rtol=1e-12)


def test_without_sides_or_categories_there_is_none():
    with pytest.raises(tl.DesignError, match="needs trade by category"):
        balassa(two_sided()[0])
    panel = one_sided()[0]
    flows = pa.table({"origin": ["r0"], "destination": ["r1"], "period": ["0"], "category": ["food"], "trade": [1.0]})
    with pytest.raises(tl.DesignError, match="these regions have none"):
        balassa(with_goods(panel, flows))


def test_nothing_sold_is_no_index():
    panel = two_sided()[0]
    flows = pa.table(
        {"origin": ["e7"], "destination": ["w8"], "period": ["2017-01"], "category": ["food"], "trade": [1.0]}
    )
    assert np.isnan(balassa(with_goods(panel, flows))).all()
