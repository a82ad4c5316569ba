"""Panels against a plain construction: rows sorted one by one, with a table for every step of the way."""

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tradelift as tl
from tradelift import threads
from tradelift.panel import arrangement, loops, pair_frame, row_codes, screening
from tradelift.panel.cells import MAX_BLOCKS, MIN_FILL
from tradelift.solve import compiled

IDS = {
    "text": lambda n: np.array([f"r{7 * i % 10}{i}" for i in range(n)], dtype=object),
    "small": lambda n: np.arange(n) + 1,
    "negative": lambda n: 3 * np.arange(n) - 7,
    "far apart": lambda n: 10**15 * np.arange(n) - 10**16,
    "unsigned": lambda n: np.arange(n).astype(np.uint64) + np.uint64(2**63),
    "bytes": lambda n: (30 * np.arange(n) - 100).astype(np.int8),
    "floats": lambda n: np.arange(n) * 1.0,
    "halves": lambda n: np.arange(n) + 0.5,
}
SHAPES = {"full": 1.0, "gaps": 0.7, "sparse": 0.1}
FRAMES = {"pandas": lambda f: f, "polars": pl.from_pandas, "arrow": pa.Table.from_pandas}


def world(rng, ids, shape):
    """A frame of random cells, shuffled or not, and the side of each region or None."""
    n, t, c = rng.integers(2, 8), rng.integers(1, 4), rng.integers(1, 4)
    region = IDS[ids](n)
    side = None
    if rng.random() < 0.5:
        side = np.array([0, 1, *rng.integers(0, 2, n - 2)])
    cells = np.array([(k, p, i, j) for k in range(c) for p in range(t) for i in range(n) for j in range(n)])
    keep = rng.random(len(cells)) < SHAPES[shape]
    keep[rng.integers(len(cells))] = True
    if side is not None:
        keep &= (side[cells[:, 2]] != side[cells[:, 3]]) | (rng.random(len(cells)) < 0.1)
        keep |= (cells[:, 2] == 0) & (cells[:, 3] == 1) & (cells[:, 0] == 0)
    cells = cells[keep]
    if rng.random() < 0.7:
        cells = cells[rng.permutation(len(cells))]
    frame = pd.DataFrame(
        {
            "origin": region[cells[:, 2]],
            "destination": region[cells[:, 3]],
            "period": cells[:, 1] * 1000 + 998,  # as text, 1998 stands before 998
            "kind": np.array(["b", "a", "zz"])[cells[:, 0]],
            "trade": rng.normal(size=len(cells)),
            "count": rng.integers(0, 9, len(cells)),
            "word": np.array(["x", "yy"])[rng.integers(0, 2, len(cells))],
        }
    )
    return frame, region, side


def label(value):
    return str(int(value)) if isinstance(value, (int, float, np.number)) and value == int(value) else str(value)


def plain(frame, region, side):
    """Cells in canonical order with their codes, as a frame; the number of components; the pairs."""
    texts = sorted(label(r) for r in region)
    place = {text: n for n, text in enumerate(texts)}
    rows = frame.assign(
        origin=[place[label(r)] for r in frame["origin"]], destination=[place[label(r)] for r in frame["destination"]]
    )
    rows["period"] = rows["period"].map({p: n for n, p in enumerate(sorted(rows["period"].unique()))})
    rows["category"] = rows["kind"].map({k: n for n, k in enumerate(sorted(rows["kind"].unique()))})
    own = None
    if side is not None:
        own = {place[label(r)]: s for r, s in zip(region, side, strict=True)}
        rows = rows[rows["origin"].map(own) != rows["destination"].map(own)]
    pairs = sorted({(i, j) for i, j in zip(rows["origin"], rows["destination"], strict=True)})
    component = {}
    for first, _ in pairs:
        if first in component:
            continue
        members, grown = {first}, True
        while grown:
            markets = {j for i, j in pairs if i in members}
            wider = {i for i, j in pairs if j in markets}
            grown, members = wider != members, wider
        component |= dict.fromkeys(members, len(set(component.values())))
    if own is not None:
        ordered = sorted(set(component.values()), key=lambda k: own[next(i for i in component if component[i] == k)])
        component = {i: ordered.index(k) for i, k in component.items()}
    rows = rows.assign(component=rows["origin"].map(component))
    rows = rows.sort_values(["category", "component", "period", "origin", "destination"])
    rows["#pair"] = [pairs.index(pair) for pair in zip(rows["origin"], rows["destination"], strict=True)]
    return rows.reset_index(drop=True), len(set(component.values())), pairs


def assert_blocks(blocks, rows, n_components, n_periods):
    groups = [group for _, group in rows.groupby(["category", "component"])]
    wanted = [(sorted(set(g["origin"])), sorted(set(g["destination"])), g) for g in groups]
    thin = any(len(g) < MIN_FILL * n_periods * len(i) * len(j) for i, j, g in wanted)
    if thin or n_components * rows["category"].nunique() > MAX_BLOCKS:
        assert blocks is None
        return
    assert len(blocks) == len(wanted)
    for block, (i, j, group) in zip(blocks, wanted, strict=True):
        assert (block.origins.tolist(), block.destinations.tolist()) == (i, j)
        assert (block.start, block.stop) == (group.index[0], group.index[-1] + 1)
        position = [
            (t * len(i) + i.index(o)) * len(j) + j.index(d)
            for t, o, d in zip(group["period"], group["origin"], group["destination"], strict=True)
        ]
        if block.position is None:
            assert position == list(range(n_periods * len(i) * len(j)))
        else:
            assert block.position.tolist() == position


WAYS = [*(["compiled", "stretches"] if compiled.loaded() else []), "tables", "parts", "sorts"]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Compiled loops, whole or eleven rows at a time in threads; NumPy; seven rows at a time; where no table has room."""
    if request.param in ("compiled", "stretches"):
        if request.param == "stretches":
            monkeypatch.setattr(loops, "STRETCH", 11)
            monkeypatch.setattr(threads, "WORTHWHILE", 0)
        return request.param
    monkeypatch.setattr(compiled, "loaded", lambda: False)
    if request.param != "tables":
        monkeypatch.setattr(row_codes, "PART", 7)
    if request.param == "sorts":
        for module in (arrangement, row_codes, pair_frame, screening):
            monkeypatch.setattr(module, "fits", lambda _size, _n: False)
    return request.param


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ids", IDS)
def test_a_panel_is_what_a_plain_construction_gives(ids, shape, way):
    for seed in range(3):
        rng = np.random.default_rng([seed, *map(ord, ids + shape)])
        frame, region, side = world(rng, ids, shape)
        rows, n_components, pairs = plain(frame, region, side)
        regions = pd.DataFrame({"region": region, **({} if side is None else {"side": np.array(["e", "w"])[side]})})
        convert = FRAMES[list(FRAMES)[seed % len(FRAMES)]]
        panel = tl.Panel.from_frame(convert(frame), regions=convert(regions), category="kind")
        for name in ("category", "period", "origin", "destination", "trade", "count", "word", "#pair"):
            assert panel.cells.column(name).tolist() == rows[name].tolist(), name
        assert list(zip(panel.pairs.origin, panel.pairs.destination, strict=True)) == pairs
        (stage,) = panel.account.stages
        assert stage.kept_rows == panel.n_cells == len(rows)
        assert {e.reason: e.rows for e in stage.exclusions} == (
            {} if len(rows) == len(frame) else {"not between the two sides": len(frame) - len(rows)}
        )
        if way == "sorts":
            assert panel.cells.blocks is None
        else:
            assert_blocks(panel.cells.blocks, rows, n_components, len(panel.periods))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_completed_panel_is_one_whose_frame_names_every_cell(shape, way):
    for seed in range(5):
        rng = np.random.default_rng([seed, *map(ord, shape)])
        frame, region, side = world(rng, "text", shape)
        regions = pd.DataFrame({"region": region, **({} if side is None else {"side": np.array(["e", "w"])[side]})})
        place = dict(zip(region, np.arange(len(region)) if side is None else side, strict=True))
        known = frame[frame["origin"].map(place) != frame["destination"].map(place)] if side is not None else frame
        domestic = side is None and (known["origin"] == known["destination"]).any()
        every = pd.MultiIndex.from_product(
            [region, region, known["period"].unique(), known["kind"].unique()],
            names=["origin", "destination", "period", "kind"],
        ).to_frame(index=False)
        every = every[(every["origin"].map(place) != every["destination"].map(place)) | domestic]
        filled = every.merge(known, how="left", on=list(every.columns))
        absent = filled["trade"].isna().to_numpy()
        filled = filled.assign(trade=filled["trade"].fillna(0.0), word=filled["word"].fillna(""))
        one = tl.Panel.from_frame(known, regions=regions, category="kind", absent="zero")
        two = tl.Panel.from_frame(filled.assign(missing=absent * 1.0), regions=regions, category="kind")
        for name in ("category", "period", "origin", "destination", "trade", "count", "word", "#pair"):
            np.testing.assert_array_equal(one.cells.column(name), two.cells.column(name))
        np.testing.assert_array_equal(one.absent, two.column("missing") == 1.0)


def test_regions_that_leave_no_room_for_tables_are_sorted():
    n = 3000  # a table of all pairs would be four hundred times as long as the rows
    rng = np.random.default_rng(1)
    a, b = rng.permutation(n)[:2000], rng.permutation(n)[:2000]
    frame = pd.DataFrame({"origin": a, "destination": b, "trade": rng.normal(size=2000)})
    frame = pd.concat([frame.assign(period=p, trade=frame["trade"] + p) for p in (1, 0)])
    panel = tl.Panel.from_frame(frame)
    assert panel.cells.blocks is None
    ids = panel.regions.ids.astype(int)
    got = pd.DataFrame(
        {
            "origin": ids[panel.cells.column("origin")],
            "destination": ids[panel.cells.column("destination")],
            "trade": panel.outcome("trade"),
            "period": panel.cells.column("period"),
        }
    )
    keys = ["origin", "destination", "period"]
    pd.testing.assert_frame_equal(
        got.sort_values(keys).reset_index(drop=True), frame.sort_values(keys).reset_index(drop=True)
    )
    pair = panel.pair_of_cell
    np.testing.assert_array_equal(panel.pairs.origin[pair], panel.cells.column("origin"))
    np.testing.assert_array_equal(panel.pairs.destination[pair], panel.cells.column("destination"))


def test_flows_that_stand_twice_are_refused_with_the_first(way):
    frame = pd.DataFrame({"origin": list("cabb"), "destination": list("abcc"), "period": [1, 2, 1, 2], "trade": 1.0})
    with pytest.raises(tl.DataError, match=r"2 flows stand twice, the first of them b -> c in 1;"):
        tl.Panel.from_frame(pd.concat([frame, frame.iloc[[3, 2]]]))


def test_rows_against_several_reasons_count_once(way):
    regions = pd.DataFrame({"region": list("abcd"), "side": ["e", "e", "w", "w"]})
    good = pd.DataFrame({"origin": ["a", "c"], "destination": ["c", "b"], "period": 1.0})
    bad = pd.DataFrame(
        {
            "origin": [None, "x", None, "a", "a", "x"],
            "destination": ["c", "c", "x", "b", "c", "a"],
            "period": [1.0, 1.0, 1.0, 1.0, np.nan, np.nan],
        }
    )
    panel = tl.Panel.from_frame(pd.concat([bad[:3], good, bad[3:]]).assign(trade=1.0), regions=regions)
    (stage,) = panel.account.stages
    found = [(e.reason, e.rows) for e in stage.exclusions]
    assert found == [("null key", 4), ("unknown region", 1), ("not between the two sides", 1)]
    assert panel.n_cells == 2


def test_covariates_that_move_are_looked_up_by_key(way):
    rng = np.random.default_rng(5)
    frame, region, _ = world(rng, "small", "gaps")
    frame = frame.drop_duplicates(["origin", "destination", "period"]).drop(columns=["kind", "word", "count"])
    more = frame.rename(columns={"trade": "price"}).sample(frac=0.6, random_state=1)
    panel = tl.Panel.from_frame(frame, pairs=more, regions=pd.DataFrame({"region": region}))
    keys = ["origin", "destination", "period"]
    price = more.set_index(keys)["price"].to_dict()
    trade = frame.set_index(keys)["trade"].to_dict()
    wanted = {value: price.get(key, np.nan) for key, value in trade.items()}
    np.testing.assert_array_equal(panel.column("price"), [wanted[v] for v in panel.column("trade")])


def test_a_frame_that_changes_later_does_not_change_the_panel():
    frame = pd.DataFrame({"origin": list("ab"), "destination": list("ba"), "trade": [1.0, 2.0]})
    values = frame["trade"].to_numpy(copy=True)
    frame = pd.DataFrame({"origin": list("ab"), "destination": list("ba"), "trade": values}, copy=False)
    panel = tl.Panel.from_frame(frame)
    values[:] = 9.0
    assert panel.outcome("trade").tolist() == [1.0, 2.0]


def test_codes_are_made_when_they_are_asked_for():
    frame = pd.DataFrame({"origin": list("abab"), "destination": list("baba"), "period": [1, 1, 2, 2], "trade": 1.0})
    columns = tl.Panel.from_frame(frame).cells.columns
    assert list(columns) == ["origin", "destination", "period", "trade", "#pair"]
    assert len(columns) == 5
    assert "origin" in columns
    assert "category" not in columns
    with pytest.raises(KeyError):
        columns["category"]
    assert columns["origin"] is columns["origin"]
    assert columns["#pair"].tolist() == [0, 0, 1, 1]


def test_slots_of_all_blocks_follow_one_another():
    frame, region, _ = world(np.random.default_rng(3), "small", "full")
    panel = tl.Panel.from_frame(frame, category="kind", regions=pd.DataFrame({"region": region}))
    stops = [0, *(block.stop for block in panel.cells.blocks)]
    assert all(block.start == first for block, (first, _) in zip(panel.cells.blocks, pairwise(stops), strict=True))
    assert stops[-1] == panel.n_cells
