from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import estimated, one_side, study
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.headline import percent
from tradelift.exhibits.labels import plain
from tradelift.inference import Randomized
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

INFERENCE = EXHIBITS["inference"]


@pytest.fixture(scope="module")
def panel():
    return draw_affinity_world(AffinityWorld(), 4).panel


@pytest.fixture(scope="module")
def found(panel):
    return estimated("inference", panel, study())


@pytest.fixture(scope="module")
def shown(panel, found):
    return INFERENCE.show(study(), panel, found)


def test_every_error_stands_beside_the_others(panel, shown):
    gravity, spatial = shown.tables
    first = [r["errors"] for r in gravity.records() if r["direction"] == "both"]
    assert first == [
        "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province", "spatial", "weidner-zylkin",
        "jackknife", "relabel", "swap", "free",
    ]  # fmt: skip
    later = [r["errors"] for r in gravity.records() if r["direction"] == "west->east"]
    assert later == [*first[:9], "relabel"]
    assert [r["errors"] for r in spatial.records() if r["direction"] == "west->east"] == [
        "none", *first[:8], "jackknife", "within-group",
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["pair", "max-two-way", "province", "jackknife"])
def test_each_row_is_the_design_estimated_with_that_error(panel, shown, scheme):
    row = next(r for r in shown.tables[1].records() if (r["direction"], r["errors"]) == ("both", scheme))
    alone = tl.SpatialRD(vcov=scheme).estimate(panel).tidy().iloc[0]
    for name in ("estimate", "std_error", "conf_low", "p_value"):
        assert row[name] == pytest.approx(alone[name], rel=1e-9)
    own = tl.SpatialRD().estimate(panel).std_errors[0]
    assert row["ratio"] == pytest.approx(alone["std_error"] / own, rel=1e-9)


def test_sentences_count_intervals_that_leave_out_zero(shown):
    rows = [r for r in shown.tables[0].records() if r["direction"] == "both" and r["conf_low"] is not None]
    assert len(rows) == 11  # of 13: by swaps and free draws there is a p-value alone
    notes, others = (table.notes for table in shown.tables)
    assert "By swap and free there is a p-value alone." in notes
    assert "For both directions alone, since each asks for many estimates: jackknife, swap, free." in notes
    assert not any(note.startswith("For both directions alone") for note in others)
    assert "Corrections: full, but the jackknife, with a correction of its kind." in others
    clear = sum(not r["conf_low"] <= 0 <= r["conf_high"] for r in rows)
    assert f"zero lies outside of {clear} of {len(rows)} intervals; randomization: relabel p = " in shown.sentences[0]
    widest = max((r for r in rows if r["std_error"]), key=lambda r: r["std_error"])
    assert f"under {widest['errors']}, " in shown.sentences[0]
    assert len(shown.sentences) == 6


def test_figures_draw_percent_and_no_end_that_is_not_known(panel, found):
    assert {f.name for f in INFERENCE.show(study(), panel, found).figures} == {
        "inference_gravity", "inference_spatial_rd",
    }  # fmt: skip
    key = next(k for k in found if k.endswith("both, relabel"))
    endless = {**found, key: replace(found[key], intervals=np.array([[-np.inf, np.inf]]))}
    line = next(i for i in INFERENCE.show(study(), panel, endless).figures[0].intervals if i.row == "relabel")
    assert (line.low, line.high) == (None, None)
    assert line.value == pytest.approx(100 * np.expm1(found[key].estimate), rel=1e-12)
    assert "relabel, both directions" in INFERENCE.show(study(), panel, endless).figures[0].description


def test_what_could_not_be_estimated_is_not_there(panel, found):
    only = {key: x for key, x in found.items() if key.startswith("gravity")}
    assert len(INFERENCE.show(study(), panel, only).tables) == 1
    assert INFERENCE.show(study(), panel, {}).tables == ()
    assert INFERENCE.plan(study(model={"outcomes": ["deals"]}), panel) == {}
    assert missing(INFERENCE, study(), one_side()) == "absent: give partners"


def test_the_title_counts_intervals_that_leave_out_zero(shown):
    said = []
    for table, name in zip(reversed(shown.tables), ("spatial RD", "gravity"), strict=True):
        rows = [r for r in table.records() if r["direction"] == "both" and r["conf_low"] is not None]
        rows = [r for r in rows if r["conf_low"] == r["conf_low"]]
        clear = sum(not r["conf_low"] <= 0 <= r["conf_high"] for r in rows)
        said.append(f"{clear} of {len(rows)} intervals of {name}")
    assert shown.finding.startswith(f"Zero lies outside of {' and '.join(said)}")


def test_the_top_of_the_report_names_the_widest_interval_and_randomization(panel, shown, found):
    rows = [r for r in shown.tables[1].records() if r["direction"] == "both" and r["conf_low"] is not None]
    rows = [r for r in rows if not np.isnan(r["conf_low"])]
    widest = max(rows, key=lambda r: r["conf_high"] - r["conf_low"])
    clear = sum(not r["conf_low"] <= 0 <= r["conf_high"] for r in rows)
    if np.isinf(widest["conf_high"] - widest["conf_low"]):
        assert f"under {widest['errors']} the effect is not bounded." in shown.doubt
    else:
        low, high = (plain(percent(widest[end])) for end in ("conf_low", "conf_high"))
        assert f"intervals at 95% is {low} to {high}%, under {widest['errors']}." in shown.doubt
    drawn = next(r for r in rows if r["errors"] == "within-group")
    assert f"By randomization, within-group p = {plain(drawn['p_value'], 3)}." in shown.doubt
    assert shown.doubt.startswith("Spatial RD both ways: ")
    assert shown.doubt.endswith(f"{clear} of the {len(rows)} intervals leave out 0.")
    bounded = {k: f for k, f in found.items() if not isinstance(f, Randomized)}
    assert "intervals at 95% is " in INFERENCE.show(study(), panel, bounded).doubt
    assert INFERENCE.show(study(), panel, {}).doubt == ""
