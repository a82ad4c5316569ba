from itertools import permutations

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.exhibits.small import flows, one_side, study, two_sides
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.summary import statistics
from tradelift.study import Study


def rows(panel, about=None):
    return list(EXHIBITS["summary"].show(about or study(), panel, {}).tables[0].records())


def test_the_panels_are_pairs_full_sample_and_directions():
    found = rows(two_sides())
    assert list(dict.fromkeys(row["panel"] for row in found)) == ["pairs", "both", "east->west", "west->east"]
    assert found[0]["observations"] == 60
    assert found[0]["mean"] == pytest.approx(8 / 60)


def test_statistics_are_those_of_pandas():
    wanted = flows().query("origin.str.startswith('w')")["trade"].describe()
    row = next(r for r in rows(two_sides()) if r["panel"] == "west->east" and r["variable"] == "trade")
    names = {"observations": "count", "mean": "mean", "sd": "std", "min": "min", "p25": "25%", "p50": "50%", "p75": "75%", "max": "max"}  # fmt: skip
    assert {ours: row[ours] for ours in names} == pytest.approx(
        {ours: wanted[theirs] for ours, theirs in names.items()}
    )


def test_missing_values_do_not_count():
    both = {r["variable"]: r for r in rows(two_sides()) if r["panel"] == "both"}
    assert both["trade"]["observations"] == 180
    assert both["seller_concentration"]["observations"] == 179


@pytest.mark.parametrize("blank", [np.nan, 0.0])
def test_what_is_missing_is_not_without_trade(blank):
    frame = pd.DataFrame(
        [(a, b, float(n)) for n, (a, b) in enumerate(permutations("abcd", 2))],
        columns=["origin", "destination", "trade"],
    )
    frame.loc[[5, 6, 7], "trade"] = blank
    shown = EXHIBITS["summary"].show(study(), tl.Panel.from_frame(frame), {})
    wanted = "11.1% of 9" if np.isnan(blank) else "33.3% of 12"
    assert shown.finding == f"{wanted} observations have no trade"


def test_statistics_that_do_not_exist_are_blank():
    assert statistics(np.array([np.nan])) == (0, None, None, None, None, None, None, None)
    assert statistics(np.array([2.0])) == (1, 2.0, None, 2.0, 2.0, 2.0, 2.0, 2.0)


def test_both_readings_of_a_ratio_take_its_place():
    frame = flows().assign(seller_concentration_flow=50.0, seller_concentration_city=60.0)
    names = [r["variable"] for r in rows(tl.Panel.from_frame(frame))]
    assert names == ["trade", "deals", "seller_concentration_flow", "seller_concentration_city"]


def test_further_outcomes_of_the_study_are_described_and_text_is_not():
    frame = flows().assign(weight=2.0, note="x")
    about = study(model={"outcomes": ["weight", "note", "unknown"]})
    assert "weight" in [r["variable"] for r in rows(tl.Panel.from_frame(frame), about)]
    assert not {"note", "unknown"} & {r["variable"] for r in rows(tl.Panel.from_frame(frame), about)}


def test_without_programme_the_letters_begin_with_the_flows():
    table = EXHIBITS["summary"].show(study(), one_side(), {}).tables[0]
    assert table.columns[0].words == {"both": "Panel A: flows, full sample"}
    assert isinstance(pd.DataFrame(table.records()), pd.DataFrame)


def test_the_notes_speak_of_what_is_there():
    log = {"files": ["log.csv"], "columns": {"time": "t", "origin": "o", "destination": "d", "amount": "a"}, "currency": "CNY"}  # fmt: skip
    from_log = Study(name="s", transactions=log)
    ceil = Study(name="s", transactions=log | {"concentration": {"rounding": "ceil"}})

    def notes(panel, about):
        return " ".join(EXHIBITS["summary"].show(about, panel, {}).tables[0].notes)

    assert "partner pairs" in notes(two_sides(), from_log)
    assert "where 10% of the ranked sellers or buyers is less than one" in notes(two_sides(), from_log)
    assert notes(two_sides(), ceil).endswith("Ratios are undefined in cells without trade.")
    gaps = flows()
    gaps.loc[gaps.query("trade > 0").index[:7], "seller_concentration"] = np.nan
    assert notes(tl.Panel.from_frame(gaps), study()).endswith(
        "Ratios are undefined in cells without trade, and not given in up to 7 cells with trade."
    )
    assert notes(one_side(), study()) == "Observations are cells of directed pair and period."
