"""Effects in money, beside sums in plain loops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tradelift.errors import DesignError
from tradelift.inference.magnitude import A_YEAR, ALL_YEARS, Magnitude, money, year_of

EXACT = 1e-10  # sums in another order
STEP = 1e-6  # of a numerical derivative, whose error is about its square

EAST, WEST = ["e0", "e1", "e2", "e3"], ["w0", "w1", "w2", "w3", "w4"]
PARTNERS = {("e0", "w0"): 1.0, ("e1", "w2"): 2.0, ("e2", "w1"): 1.0}
PERIODS = ["2017-01", "2017-02", "2018-01", "2018-02"]


def frame(seed=4):
    rng = np.random.default_rng(seed)
    rows = [
        (a, b, period, float(np.exp(rng.normal(3, 1))))
        for period in PERIODS
        for e in EAST
        for w in WEST
        for a, b in ((e, w), (w, e))
    ]
    return pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"])


def panel_of(flows, **options):
    regions = pd.DataFrame({"region": EAST + WEST, "side": ["east"] * 4 + ["west"] * 5})
    partners = pd.DataFrame(
        [(*pair, dose) for pair, dose in PARTNERS.items()], columns=["east", "west", "dose"]
    ).assign(**options)
    return tl.Panel.from_frame(flows, regions=regions, partners=partners)


@pytest.fixture(scope="module")
def panel():
    return panel_of(frame())


def by_hand(b, direction="both", *, year="", start=""):
    total = base = 0.0
    for row in frame().itertuples():
        pair = (row.origin, row.destination) if row.origin in EAST else (row.destination, row.origin)
        way = "east->west" if row.origin in EAST else "west->east"
        if pair in PARTNERS and row.period.startswith(year) and direction in ("both", way) and row.period >= start:
            total += row.trade - row.trade / np.exp(b * PARTNERS[pair])
            base += row.trade
    return total, base


@pytest.mark.parametrize("direction", ["both", "east->west", "west->east"])
@pytest.mark.parametrize("design", [tl.Gravity(), tl.Gravity(outcome="log(trade)")], ids=["PPML", "OLS"])
def test_the_amount_is_the_sum_of_flows_less_what_they_would_have_been(panel, design, direction):
    design = replace(design, direction=direction, vcov="pair")
    found = Magnitude(design=design).estimate(panel)
    estimate = design.estimate(panel)
    row = estimate.tidy().iloc[0]
    for year, horizon in (("2017", "2017"), ("2018", "2018"), ("", ALL_YEARS)):
        amount = found.of(horizon)
        value, base = by_hand(row["estimate"], direction, year=year)
        assert (amount.value, amount.base) == pytest.approx((value, base), rel=EXACT)
        ends = by_hand(row["conf_low"], direction, year=year)[0], by_hand(row["conf_high"], direction, year=year)[0]
        assert (amount.conf_low, amount.conf_high) == pytest.approx(ends, rel=EXACT)
        up, down = (by_hand(row["estimate"] + s, direction, year=year)[0] for s in (STEP, -STEP))
        assert amount.std_error == pytest.approx((up - down) / (2 * STEP) * row["std_error"], rel=1e-7)
    assert found.p_value == row["p_value"]
    assert found.partner_pairs == (6 if direction == "both" else 3)


def test_years_add_up_and_their_mean_is_a_year(panel):
    found = Magnitude(design=tl.Gravity()).estimate(panel)
    assert [a.horizon for a in found.amounts] == ["2017", "2018", ALL_YEARS, A_YEAR]
    assert [a.periods for a in found.amounts] == [2, 2, 4, 4]
    for name in ("base", "value", "std_error", "conf_low", "conf_high"):
        first, second, whole, mean = (getattr(a, name) for a in found.amounts)
        assert first + second == pytest.approx(whole, rel=EXACT)
        assert mean == pytest.approx(whole / 2, rel=EXACT)
    assert found.tidy()["term"].tolist() == ["trade, 2017", "trade, 2018", "trade, all years", "trade, a year"]


def test_years_of_unequal_length_have_no_mean():
    flows = frame()
    found = Magnitude(design=tl.Gravity()).estimate(panel_of(flows[flows["period"] != "2018-02"]))
    assert [a.horizon for a in found.amounts] == ["2017", "2018", ALL_YEARS]
    one = Magnitude(design=tl.Gravity()).estimate(panel_of(flows[flows["period"] < "2018"]))
    assert [a.horizon for a in one.amounts] == [ALL_YEARS]
    assert [year_of(x) for x in ("2017-Q1", "2017", "all", "q1-2017")] == ["2017", "2017", ALL_YEARS, ALL_YEARS]


def test_only_flows_after_the_start_are_part_of_it():
    panel = panel_of(frame(), start="2018-01")
    found = Magnitude(design=tl.Gravity(direction="west->east")).estimate(panel)
    value, base = by_hand(found.coefficient, "west->east", start="2018-01")
    assert (found.of(ALL_YEARS).value, found.of(ALL_YEARS).base) == pytest.approx((value, base), rel=EXACT)
    assert found.of("2017").value == 0


def test_conditions_hold_for_the_base_and_unknown_flows_are_counted():
    flows = frame()
    flows.loc[(flows["origin"] == "e0") & (flows["destination"] == "w0"), "trade"] = np.nan
    panel = panel_of(flows)
    assert Magnitude(design=tl.Gravity()).estimate(panel).unknown == 4
    assert Magnitude(design=tl.Gravity()).estimate(panel).partner_pairs == 5
    early = Magnitude(design=tl.Gravity(where={"period": {"to": "2017-12"}})).estimate(panel_of(frame()))
    assert early.of("2018").base == 0
    assert early.of("2017").base == pytest.approx(by_hand(0.0, year="2017")[1], rel=EXACT)


def test_the_currency_is_that_of_the_flows(panel):
    cents = panel_of(frame().assign(trade=lambda f: 100 * f["trade"]))
    design = tl.Gravity(outcome="log(trade)")
    in_cents, in_units = (Magnitude(design=design).estimate(p).of(ALL_YEARS) for p in (cents, panel))
    for name in ("base", "value", "std_error", "conf_low", "conf_high"):
        assert getattr(in_cents, name) == pytest.approx(100 * getattr(in_units, name), rel=1e-7)


def test_a_panel_in_files_gives_the_same(panel, tmp_path):
    panel.to_parquet(tmp_path)
    regions = pd.DataFrame({"region": EAST + WEST, "side": ["east"] * 4 + ["west"] * 5})
    partners = pd.DataFrame([(*p, d) for p, d in PARTNERS.items()], columns=["east", "west", "dose"])
    stored = tl.Panel.from_parquet(tmp_path, regions=regions, partners=partners)
    assert stored.stored
    one, other = (Magnitude(design=tl.Gravity()).estimate(p).tidy() for p in (panel, stored))
    pd.testing.assert_frame_equal(one, other, rtol=1e-8)


def test_what_is_no_difference_in_logs_of_partner_pairs_is_refused(panel):
    with pytest.raises(DesignError, match="the one treatment 'partner'; found none"):
        Magnitude(design=tl.Gravity(treatment=None)).estimate(panel)
    with pytest.raises(DesignError, match=r"'trade' \(gaussian\).*outcome='trade' by PPML, or outcome='log\(trade\)'"):
        Magnitude(design=tl.Gravity(family="gaussian")).estimate(panel)
    with pytest.raises(DesignError, match="no difference in logs of 'deals'"):
        money(tl.Gravity().estimate(panel), panel, column="deals")
