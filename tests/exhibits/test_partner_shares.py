import pandas as pd
import pytest

import tradelift as tl
from tests.exhibits.small import PARTNERS, flows, study, two_sides
from tradelift.exhibits import EXHIBITS


def rows(panel):
    return list(EXHIBITS["partner_shares"].show(study(), panel, {}).tables[0].records())


def test_shares_are_those_of_a_group_by():
    frame = flows().query("origin.str.startswith('w')").copy()
    frame["partner"] = [(d, o) in PARTNERS for o, d in zip(frame["origin"], frame["destination"], strict=True)]
    by = frame.groupby("period").apply(lambda g: 100 * g.loc[g["partner"], "trade"].sum() / g["trade"].sum())
    pooled = 100 * frame.loc[frame["partner"], "trade"].sum() / frame["trade"].sum()
    row = next(r for r in rows(two_sides()) if r["direction"] == "west->east" and r["year"] == "all years")
    assert row["pooled"] == pytest.approx(pooled)
    assert row["periods"] == 3
    found = [row[k] for k in ("mean", "sd", "min", "max")]
    assert found == pytest.approx([by.mean(), by.std(), by.min(), by.max()])


def test_years_stand_apart_and_together():
    years = [r["year"] for r in rows(two_sides()) if r["direction"] == "both"]
    assert years == ["2017", "2018", "all years"]


def test_a_year_without_trade_is_blank():
    frame = flows()
    frame.loc[frame["period"] == "2018-01", "trade"] = 0.0
    listed = pd.DataFrame(PARTNERS, columns=["east", "west"])
    panel = tl.Panel.from_frame(frame, partners=listed)
    row = next(r for r in rows(panel) if r["year"] == "2018")
    assert (row["pooled"], row["periods"], row["mean"]) == (None, 0, None)


def test_periods_without_a_year_stand_together():
    frame = flows().query("period == '2017-11'").drop(columns="period")
    panel = tl.Panel.from_frame(frame, partners=pd.DataFrame(PARTNERS, columns=["east", "west"]))
    assert [r["year"] for r in rows(panel)] == ["all years"]


def test_the_sentence_gives_the_share_of_all_years():
    shown = EXHIBITS["partner_shares"].show(study(), two_sides(), {})
    row = next(r for r in rows(two_sides()) if r["direction"] == "both" and r["year"] == "all years")
    assert f"carry {row['pooled']:.2f}% (both directions)" in shown.sentences[0]
