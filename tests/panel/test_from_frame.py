import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tradelift as tl
from tradelift.panel.digest import fingerprint


def regions(n_east=3, n_west=4, **more):
    ids = [f"e{i}" for i in range(n_east)] + [f"w{i}" for i in range(n_west)]
    n = len(ids)
    return pd.DataFrame(
        {
            "region": ids,
            "side": ["east"] * n_east + ["west"] * n_west,
            "longitude": np.linspace(80.0, 120.0, n),
            "latitude": np.linspace(20.0, 45.0, n),
            **more,
        }
    )


def flows(table, periods=("2017-01", "2017-02"), seed=1):
    rng = np.random.default_rng(seed)
    side = dict(zip(table["region"], table["side"], strict=True))
    rows = [
        {"origin": a, "destination": b, "period": t, "trade": float(rng.integers(1, 99))}
        for t in periods
        for a in side
        for b in side
        if side[a] != side[b]
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    "convert", [lambda f: f, pl.from_pandas, pa.Table.from_pandas], ids=["pandas", "polars", "arrow"]
)
def test_takes_any_frame(convert):
    reg = regions()
    panel = tl.Panel.from_frame(convert(flows(reg)), regions=convert(reg))
    assert panel.n_cells == 2 * 2 * 3 * 4
    assert panel.directions == ("both", "east->west", "west->east")
    assert panel.periods == ("2017-01", "2017-02")


def test_takes_a_duckdb_relation():
    import duckdb

    reg = regions()
    f = flows(reg)
    with duckdb.connect() as connection:
        relation = connection.from_df(f)
        panel = tl.Panel.from_frame(relation, regions=reg)
    assert panel.outcome("trade").sum() == f["trade"].sum()


def test_row_order_does_not_matter():
    reg = regions()
    f = flows(reg)
    one = tl.Panel.from_frame(f, regions=reg)
    two = tl.Panel.from_frame(f.sample(frac=1, random_state=3), regions=reg.sample(frac=1, random_state=4))
    assert one.digest == two.digest


def test_the_digest_sees_one_changed_number():
    reg = regions()
    f = flows(reg)
    changed = f.assign(trade=f["trade"] + (f.index == 5))
    assert tl.Panel.from_frame(f, regions=reg).digest != tl.Panel.from_frame(changed, regions=reg).digest


def test_the_digest_is_made_at_its_first_use():
    panel = tl.Panel.from_frame(flows(regions()), regions=regions())
    assert panel.fingerprint.made == []
    assert panel.digest == fingerprint(*panel.fingerprint.parts)
    assert panel.fingerprint.made == [panel.digest]
    (part,) = panel.parts()
    assert part.digest == panel.digest


def test_blocks_hold_every_cell_where_it_belongs():
    reg = regions()
    f = flows(reg).sample(frac=0.7, random_state=2)
    panel = tl.Panel.from_frame(f, regions=reg)
    known = f.set_index(["period", "origin", "destination"])["trade"].to_dict()
    seen = {}
    for block in panel.cells.blocks:
        tensor = block.tensor(panel.outcome("trade"), fill=np.nan)
        for (t, i, j), value in np.ndenumerate(tensor):
            if not np.isnan(value):
                ids = panel.regions.ids
                seen[panel.periods[t], ids[block.origins[i]], ids[block.destinations[j]]] = value
    assert seen == known


def test_a_complete_block_is_a_view():
    reg = regions()
    panel = tl.Panel.from_frame(flows(reg), regions=reg)
    trade = panel.outcome("trade")
    assert all(np.shares_memory(block.tensor(trade), trade) for block in panel.cells.blocks)


def test_many_tiny_blocks_are_left_to_the_rows():
    n = 200
    f = pd.DataFrame({"origin": [f"a{i}" for i in range(n)], "destination": [f"b{i}" for i in range(n)], "trade": 1.0})
    assert tl.Panel.from_frame(f).cells.blocks is None


def test_absent_cells_become_zero_flows():
    reg = regions()
    f = flows(reg)
    some = f[f["trade"] > 40].assign(deals=2, seller_concentration=50.0)
    panel = tl.Panel.from_frame(some, regions=reg, absent="zero")
    assert panel.n_cells == len(f)
    assert panel.outcome("trade").sum() == some["trade"].sum()
    absent = panel.absent
    assert absent.sum() == len(f) - len(some)
    assert (panel.outcome("deals")[absent] == 0).all()
    assert np.isnan(panel.outcome("seller_concentration")[absent]).all()


def test_one_sided_grid_holds_domestic_cells_only_where_the_flows_do():
    f = pd.DataFrame({"origin": ["a", "b"], "destination": ["b", "c"], "trade": [1.0, 2.0]})
    assert tl.Panel.from_frame(f, absent="zero").n_cells == 6
    with_own = pd.concat([f, pd.DataFrame({"origin": ["a"], "destination": ["a"], "trade": [5.0]})])
    panel = tl.Panel.from_frame(with_own, absent="zero")
    assert panel.n_cells == 9
    assert panel.column("domestic").sum() == 3


def test_ids_compare_as_text():
    reg = pd.DataFrame({"region": [1, 2, 3], "side": ["a", "a", "b"]})
    f = pd.DataFrame({"origin": ["1", "2"], "destination": [3.0, 3.0], "trade": [1, 2]})
    assert tl.Panel.from_frame(f, regions=reg).n_cells == 2


def test_rows_that_are_not_used_are_counted():
    reg = regions()
    f = flows(reg)
    more = pd.DataFrame(
        {
            "origin": ["e0", "e0", None, "x"],
            "destination": ["e1", "y", "w0", "w0"],
            "period": "2017-01",
            "trade": 1.0,
        }
    )
    panel = tl.Panel.from_frame(pd.concat([f, more]), regions=reg)
    (stage,) = panel.account.stages
    assert {e.reason: e.rows for e in stage.exclusions} == {
        "null key": 1,
        "unknown region": 2,
        "not between the two sides": 1,
    }
    assert stage.read_rows == len(f) + 4
    assert stage.kept_rows == panel.n_cells == len(f)


def test_distance_is_the_great_circle():
    reg = pd.DataFrame({"region": ["a", "b"], "longitude": [0.0, 90.0], "latitude": [0.0, 0.0]})
    f = pd.DataFrame({"origin": ["a"], "destination": ["b"], "trade": [1.0]})
    panel = tl.Panel.from_frame(f, regions=reg)
    assert panel.column("distance_km")[0] == pytest.approx(6371.0088 * np.pi / 2, rel=1e-12)


def test_domestic_distance_needs_an_area():
    reg = pd.DataFrame(
        {"region": ["a", "b"], "longitude": [0.0, 9.0], "latitude": [0.0, 0.0], "area_km2": [np.pi, np.nan]}
    )
    f = pd.DataFrame({"origin": ["a", "b"], "destination": ["a", "b"], "trade": [1.0, 2.0]})
    distance = tl.Panel.from_frame(f, regions=reg).column("distance_km")
    assert distance[0] == pytest.approx(0.67)
    assert np.isnan(distance[1])


def test_own_distance_stands_only_where_the_panel_computes_none():
    reg = regions()
    f = flows(reg).assign(distance_km=7.0)
    assert (tl.Panel.from_frame(f, regions=reg).column("distance_km") != 7.0).all()
    bare = reg.drop(columns=["longitude", "latitude"])
    assert (tl.Panel.from_frame(f, regions=bare).column("distance_km") == 7.0).all()


def test_periods_that_are_years_sort_as_numbers():
    f = pd.DataFrame({"origin": "a", "destination": "b", "period": [999, 1000], "trade": 1.0})
    assert tl.Panel.from_frame(f).periods == ("999", "1000")


def test_dates_on_the_first_become_months():
    f = pd.DataFrame(
        {"origin": "a", "destination": "b", "period": pd.to_datetime(["2017-01-01", "2017-02-01"]), "trade": 1.0}
    )
    assert tl.Panel.from_frame(f).periods == ("2017-01", "2017-02")


def test_categories_stand_first_in_the_order():
    reg = regions(1, 2)
    f = pd.concat([flows(reg).assign(category=c) for c in ("food", "cloth")])
    panel = tl.Panel.from_frame(f, regions=reg, category="category")
    assert panel.categories == ("cloth", "food")
    assert len(panel.cells.blocks) == 4
    assert (np.diff(panel.cells.column("category")) >= 0).all()


def test_neighbours_become_codes():
    reg = regions()
    near = pd.DataFrame({"a": ["e0"], "b": ["e1"]})
    panel = tl.Panel.from_frame(flows(reg), regions=reg, neighbours=near)
    assert panel.neighbours.tolist() == [[0, 1]]


def test_parquet_holds_one_file_a_period(tmp_path):
    import pyarrow.parquet as pq

    reg = regions()
    f = flows(reg)
    panel = tl.Panel.from_frame(f[f["trade"] > 30], regions=reg, absent="zero")
    paths = panel.to_parquet(tmp_path / "panel")
    assert [p.name for p in paths] == ["2017-01.parquet", "2017-02.parquet"]
    back = pa.concat_tables([pq.read_table(p) for p in paths])
    again = tl.Panel.from_frame(back.select(["origin", "destination", "period", "trade"]), regions=reg)
    np.testing.assert_array_equal(again.outcome("trade"), panel.outcome("trade"))


BAD = {
    "no column": (lambda f: {"frame": f.rename(columns={"origin": "orign"})}, "has no column 'origin'.*mean 'orign'"),
    "no rows": (lambda f: {"frame": f.iloc[:0]}, "no rows"),
    "not a frame": (lambda f: {"frame": 7}, "must be a data frame"),
    "duplicate": (lambda f: {"frame": pd.concat([f, f.iloc[:2]])}, "2 flows stand twice"),
    "absent": (lambda f: {"absent": "nil"}, "must be 'missing' or 'zero'"),
    "nothing known": (lambda f: {"frame": f.assign(origin="nowhere")}, "None of the .* flows is usable"),
    "region twice": (lambda f: {"regions": pd.concat([regions(), regions().iloc[:1]])}, "'e0' stands twice"),
    "both sides": (
        lambda f: {"regions": pd.concat([regions(), regions().iloc[:1].assign(side="west")])},
        "'e0' stands on both sides",
    ),
    "longitude": (lambda f: {"regions": regions().assign(longitude=200.0)}, "longitude 200, outside -180..180"),
    "latitude": (lambda f: {"regions": regions().assign(latitude=-91.0)}, "latitude -91.*swapped"),
    "text degrees": (lambda f: {"regions": regions().assign(latitude="north")}, "must hold degrees"),
    "one side": (lambda f: {"regions": regions().assign(side="east")}, "must hold two values"),
    "no side": (lambda f: {"regions": regions().assign(side=["east"] * 6 + [None])}, "'w3' has no side"),
    "no id": (lambda f: {"regions": regions().assign(region=[None, *"abcdef"])}, "no region id in row 1"),
    "no regions": (lambda f: {"regions": regions().iloc[:0]}, "no rows"),
    "neighbour": (lambda f: {"neighbours": pd.DataFrame({"a": ["e0"], "b": ["zz"]})}, "1 rows of the neighbours"),
    "neighbour columns": (lambda f: {"neighbours": pd.DataFrame({"a": ["e0"]})}, "needs two columns"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_clear_message(name):
    change, message = BAD[name]
    good = {"frame": flows(regions()), "regions": regions()}
    with pytest.raises(tl.DataError, match=message):
        tl.Panel.from_frame(**(good | change(good["frame"])))


def test_unknown_column_suggests_the_one_that_was_meant():
    panel = tl.Panel.from_frame(flows(regions()), regions=regions())
    with pytest.raises(tl.DesignError, match=r"no column 'trde'.*mean 'trade'"):
        panel.column("trde")
    with pytest.raises(tl.DesignError, match="no direction 'north'"):
        panel.pair_direction("north")


def test_text_is_no_outcome():
    panel = tl.Panel.from_frame(flows(regions()).assign(word="a"), regions=regions())
    with pytest.raises(tl.DesignError, match="is text"):
        panel.outcome("word")


def test_columns_called_pair_or_absent_are_the_users_own():
    f = flows(regions()).assign(pair=7.0, absent=1.0)
    panel = tl.Panel.from_frame(f[f["trade"] > 30], regions=regions(), absent="zero")
    listed = ~panel.absent
    assert set(panel.column("pair")[listed]) == {7.0}
    assert set(panel.column("absent")[listed]) == {1.0}
    assert {"pair", "absent"} <= set(panel.to_arrow().column_names)


def test_pandas_periods_are_labels_and_missing_ids_are_null():
    reg = regions()
    f = flows(reg)
    months = f.assign(period=pd.PeriodIndex(f["period"], freq="M"))
    assert tl.Panel.from_frame(months, regions=reg).periods == ("2017-01", "2017-02")
    numbers = pl.DataFrame({"origin": [1.0, float("nan"), 2.0], "destination": [2, 1, 1], "trade": [1, 2, 3]})
    panel = tl.Panel.from_frame(numbers)
    assert panel.regions.ids.tolist() == ["1", "2"]
    assert [(e.reason, e.rows) for e in panel.account.stages[0].exclusions] == [("null key", 1)]


def test_an_infinite_flow_is_no_outcome():
    f = flows(regions())
    panel = tl.Panel.from_frame(f.assign(trade=f["trade"].where(f.index != 3, np.inf)), regions=regions())
    with pytest.raises(tl.DesignError, match="infinite in 1 cells"):
        panel.outcome("trade")


def test_regions_that_are_unknown_beside_few_that_are_known():
    flows = {"origin": ["b", "a", None, "c"], "destination": ["b", "c", "a", "d"], "trade": [1.0, 2.0, 3.0, 4.0]}
    panel = tl.Panel.from_frame(pa.table(flows), regions=pa.table({"region": ["b"]}))
    assert panel.column("trade").tolist() == [1.0]
    assert {e.reason: e.rows for e in panel.account.stages[0].exclusions} == {"null key": 1, "unknown region": 2}
