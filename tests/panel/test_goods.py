import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tradelift as tl
from tests.designs.panels import rebuilt, two_sided
from tradelift.inference import Parted
from tradelift.panel.goods import NO_CELL, goods_panel, with_goods

EXACT = 1e-12


@pytest.fixture(scope="module")
def source():
    """A panel of all goods, and its flows by category, empty cells left out."""
    panel, frame, chosen = two_sided(periods=3)
    rng = np.random.default_rng(5)
    share = rng.dirichlet([2, 1, 1], len(frame))
    keys = ["origin", "destination", "period"]
    parts = [
        frame[keys].assign(category=name, trade=np.floor(frame["trade"] * share[:, n]), deals=1)
        for n, name in enumerate(("food", "toys", "wear"))
    ]
    table = pd.concat(parts).query("trade > 0").sample(frac=1, random_state=1)
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    return rebuilt(panel, frame, partners), table, partners


def test_a_category_is_the_panel_of_its_flows(source):
    panel, table, partners = source
    beside = with_goods(panel, pa.Table.from_pandas(table))
    assert beside.goods.names == ("food", "toys", "wear")
    assert beside.goods.excluded == {NO_CELL: 0}
    for code, name in enumerate(beside.goods.names):
        part = goods_panel(beside, [code])
        grid = panel.to_arrow().to_pandas()[["origin", "destination", "period"]]
        own = table[table["category"] == name].drop(columns="category")
        full = grid.merge(own, how="left").fillna({"trade": 0.0, "deals": 0})
        alone = rebuilt(panel, full, partners)
        for column in ("trade", "deals", "partner", "distance_km"):
            np.testing.assert_array_equal(part.column(column), alone.column(column))
        assert "seller_concentration" not in part.names  # of all goods
        assert "shock" in part.names  # a covariate
        a, b = (tl.Gravity().estimate(p) for p in (part, alone))
        np.testing.assert_array_equal(a.coefficients, b.coefficients)


def test_groups_are_sums(source):
    panel, table, _ = source
    beside = with_goods(panel, pa.Table.from_pandas(table))
    both = goods_panel(beside, [0, 2]).column("trade")
    np.testing.assert_array_equal(both, sum(goods_panel(beside, [c]).column("trade") for c in (0, 2)))
    found = Parted(
        design=tl.Gravity(vcov="pair"), by="category", groups={"some": ("food", "wear"), "toys": ("toys",)}
    ).estimate(beside)
    alone = tl.Gravity(vcov="pair").estimate(goods_panel(beside, [0, 2]))
    assert found.treatment == ("partner[some]", "partner[toys]")
    assert found.coefficients[0] == alone.coefficients[0]
    assert found.std_errors[0] == pytest.approx(alone.std_errors[0], rel=EXACT)


def test_the_order_of_rows_does_not_matter_but_the_flows_do(source):
    panel, table, _ = source
    one, other = (with_goods(panel, pa.Table.from_pandas(t)) for t in (table, table.iloc[::-1]))
    assert one.digest == other.digest != panel.digest
    changed = table.assign(trade=table["trade"] + 1)
    assert with_goods(panel, pa.Table.from_pandas(changed)).digest != one.digest
    assert goods_panel(one, [0]).digest != goods_panel(one, [1]).digest


def test_rows_without_a_cell_are_counted_and_missing_categories_named(source):
    panel, table, _ = source
    odd = pd.DataFrame({"origin": ["e0", "x", "e0"], "destination": ["e1", "w0", "w0"], "period": "2017-01",
                        "category": ["food", "food", None], "trade": 7.0})  # fmt: skip
    beside = with_goods(panel, pa.Table.from_pandas(pd.concat([table, odd])))
    assert beside.goods.excluded == {NO_CELL: 2}
    assert beside.goods.names == ("food", "toys", "unknown", "wear")
    assert goods_panel(beside, [2]).column("trade").sum() == 7.0


def test_places_and_periods_that_a_small_panel_lacks(source):
    flows = pd.DataFrame({"origin": ["a"], "destination": ["b"], "period": ["2017-01"], "trade": [1.0]})
    panel = tl.Panel.from_frame(flows)
    odd = {"origin": ["a", "x", "a"], "destination": ["b", "y", "b"], "period": ["2017-01", "2017-01", "2017-09"]}
    beside = with_goods(panel, pa.table({**odd, "category": ["food"] * 3, "trade": [1.0, 2.0, 3.0]}))
    assert beside.goods.excluded == {NO_CELL: 2}
    assert goods_panel(beside, [0]).column("trade").tolist() == [1.0]


def test_flows_by_category_that_are_text_are_refused(source):
    panel, table, _ = source
    with pytest.raises(tl.DataError, match="column 'trade' holds text; give numbers"):
        with_goods(panel, pa.Table.from_pandas(table.assign(trade="1/0")))


def test_what_is_known_of_categories(source):
    panel, table, _ = source
    about = pa.table({"category": ["wear", "food", "other"], "priority": [1, 0, 1], "name": ["Wear", "Food", "Other"]})
    goods = with_goods(panel, pa.Table.from_pandas(table), about).goods
    np.testing.assert_array_equal(goods.about["priority"], [0, np.nan, 1])
    assert goods.about["name"].tolist() == ["Food", "", "Wear"]
    with pytest.raises(tl.DataError, match="list 'food' twice"):
        with_goods(panel, pa.Table.from_pandas(table), pa.table({"category": ["food", "food"]}))
    with pytest.raises(tl.DataError, match="The categories have no rows"):
        with_goods(panel, pa.Table.from_pandas(table), pa.table({"category": pa.array([], pa.string()), "name": []}))


def test_flows_that_stand_twice_are_refused(source):
    panel, table, _ = source
    with pytest.raises(tl.DataError, match="1 flows by category stand twice"):
        with_goods(panel, pa.Table.from_pandas(pd.concat([table, table.iloc[:1]])))
    with pytest.raises(tl.DataError, match="has no column 'category'"):
        with_goods(panel, pa.Table.from_pandas(table.drop(columns="category")))


def test_groups_that_are_not_there_are_refused(source):
    panel, table, _ = source
    beside = with_goods(panel, pa.Table.from_pandas(table))
    with pytest.raises(tl.DesignError, match="no category 'shoes'; there are food"):
        Parted(design=tl.Gravity(), by="category", groups={"a": ("shoes",)}).estimate(beside)
    with pytest.raises(tl.DesignError, match="groups are of categories"):
        Parted(design=tl.Gravity(), by="year", groups={"a": ("food",)})
    apart = tl.Panel.from_frame(table, category="category", partners=pd.DataFrame({"a": ["e0"], "b": ["w0"]}))
    with pytest.raises(tl.DesignError, match="stand apart here"):
        Parted(design=tl.Gravity(), by="category", groups={"a": ("food", "toys")}).estimate(apart)
