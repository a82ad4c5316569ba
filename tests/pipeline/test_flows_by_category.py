import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.pipeline.studies import STUDY, write_study
from tradelift.pipeline import build_panel, check
from tradelift.pipeline.inputs import load


def by_category(folder):
    """The small study's flows, split into two goods at random."""
    whole = pd.read_csv(folder / "flows.csv")
    part = np.random.default_rng(2).integers(0, whole["trade"] + 1)
    split = [
        whole.assign(category=name, trade=trade, deals=np.minimum(trade, 1))
        for name, trade in (("food", part), ("rest", whole["trade"] - part))
    ]
    return pd.concat(split)[["origin", "destination", "period", "category", "trade", "deals"]]


def test_flows_by_category_of_a_file_of_their_own(tmp_path):
    text = STUDY.replace(
        "flows: flows.csv", "flows: {file: flows.csv, by_category: goods.csv, columns: {category: good}}"
    )
    study = tl.read_study(write_study(tmp_path, text))
    goods = by_category(tmp_path)
    goods.rename(columns={"category": "good"}).to_csv(tmp_path / "goods.csv", index=False)
    loaded = load(study, spill=tmp_path, progress=lambda *_: None)
    pd.testing.assert_frame_equal(loaded.by_category.to_pandas()[list(goods)], goods.reset_index(drop=True))
    assert loaded.panel.column("trade").sum() == goods["trade"].sum()
    assert "goods.csv" in loaded.inputs
    build_panel(study, tmp_path / "out")
    written = pd.concat(pd.read_parquet(f) for f in sorted((tmp_path / "out" / "panel_by_category").iterdir()))
    assert len(written) == len(goods)


def test_flows_that_are_by_category_are_summed(tmp_path):
    path = write_study(tmp_path)
    expected, _ = check(tl.read_study(path))
    goods = by_category(tmp_path)
    goods.to_csv(tmp_path / "flows.csv", index=False)
    loaded = load(tl.read_study(path), spill=tmp_path, progress=lambda *_: None)
    np.testing.assert_array_equal(loaded.panel.column("trade"), expected.column("trade"))
    assert loaded.by_category.num_rows == len(goods)
    goods.assign(share=1.0).to_csv(tmp_path / "flows.csv", index=False)
    with pytest.raises(tl.DataError, match=r"'share' does not add up over categories\. Give the flows of all goods"):
        load(tl.read_study(path), spill=tmp_path, progress=lambda *_: None)


def test_flows_by_category_without_periods(tmp_path):
    (tmp_path / "flows.csv").write_text("origin,destination,category,trade\na,b,food,5\na,b,toys,2\nb,a,toys,1\n")
    (tmp_path / "study.yaml").write_text("name: Once\nflows: flows.csv\n")
    loaded = load(tl.read_study(tmp_path / "study.yaml"), spill=tmp_path, progress=lambda *_: None)
    assert sorted(loaded.panel.column("trade")) == [1, 7]
    assert loaded.by_category["period"].to_pylist() == ["all"] * 3
    assert loaded.panel.periods == ("all",)


def test_flows_by_category_need_their_columns(tmp_path):
    text = STUDY.replace("flows: flows.csv", "flows: {file: flows.csv, by_category: goods.csv}")
    path = write_study(tmp_path, text)
    by_category(tmp_path).drop(columns="category").to_csv(tmp_path / "goods.csv", index=False)
    with pytest.raises(tl.DataError, match=r"flows by category goods.csv has no column 'category'"):
        load(tl.read_study(path), spill=tmp_path, progress=lambda *_: None)
