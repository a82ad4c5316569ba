import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import tradelift as tl
from tests.exhibits.goods import about, whole
from tests.exhibits.small import estimated, one_side, two_sides
from tradelift.estimate import Estimate
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.careful import careful
from tradelift.exhibits.concentration_tables import Findings, bounds_table
from tradelift.exhibits.gravity import models
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.labels import plain
from tradelift.exhibits.split import Approach, difference
from tradelift.inference import HeldLog, Presence, SelectionBounds, SideBySide, joint

EXHIBIT = EXHIBITS["concentration"]
MONEY = ("top_seller_trade", "other_seller_trade")


@pytest.fixture(scope="module")
def panel():
    return whole(goods=False)


@pytest.fixture(scope="module")
def found(panel):
    return estimated("concentration", panel, about())


@pytest.fixture(scope="module")
def shown(panel, found):
    return EXHIBIT.show(about(), panel, found)


def rd(outcome, direction="both", family="gaussian"):
    return tl.SpatialRD(outcome=outcome, family=family, bandwidth_km=200, direction=direction)


def test_both_readings_in_both_designs(panel):
    tasks = EXHIBIT.plan(about(), panel)
    assert len(tasks) == 3 * 2 * (
        2 * 2 + 1 + 1 + 1
    )  # directions, designs, readings: ratio, held; bounds; apart; presence
    flow = "seller_concentration_flow"
    assert tasks[f"ratio, spatial RD, {flow}, OLS, both"] == rd(flow)
    assert tasks[f"sellers held, spatial RD, {flow}, OLS, both"] == HeldLog(design=rd(flow), column="sellers")
    assert tasks[f"bounds, spatial RD, {flow}, OLS, both"] == SelectionBounds(design=rd(flow))
    assert tasks["any trade, spatial RD, trade, OLS, both"] == Presence(design=rd("trade"))
    apart = SideBySide(design=careful(rd(MONEY[0], family="poisson")), outcomes=MONEY)
    assert tasks["top sellers and the rest, spatial RD, top_seller_trade, PPML, both"] == apart


def test_ratios_stand_with_what_they_exclude(found, shown):
    rows = list(shown.tables[0].records())
    assert len(rows) == 2 * 3 * 2 * 2
    for row in rows:
        what = "ratio" if row["held"] == "none" else "sellers held"
        e = found[f"{what}, {row['design']}, {row['outcome']}, OLS, {row['direction']}"]
        tidy = numbers(e.tidy(), "partner")
        assert (row["estimate"], row["p_value"]) == pytest.approx((tidy["estimate"], tidy["p_value"]), nan_ok=True)
        t = stats.t(e.dof)
        half = t.ppf(0.95) * tidy["std_error"]
        assert row["bound"] == pytest.approx(abs(tidy["estimate"]) + half, nan_ok=True)
        assert row["detectable"] == pytest.approx((t.ppf(0.975) + t.ppf(0.8)) * tidy["std_error"], nan_ok=True)
    assert [r["outcome"] for r in rows[:12]] == ["seller_concentration_flow"] * 12


def test_top_sellers_differ_from_the_rest_by_a_joint_error(panel, found, shown):
    table = next(t for t in shown.tables if t.name == "concentration_sellers")
    for row in table.records():
        family = {"outcome": MONEY[0], "direction": row["direction"]}
        design = tl.Gravity(**family) if row["design"] == "gravity" else rd(MONEY[0], row["direction"], "poisson")
        from dataclasses import replace

        each = {name: replace(careful(design), outcome=name).estimate(panel) for name in MONEY}
        b = [e.coefficients[0] for e in each.values()]
        assert row["difference"] == pytest.approx(b[0] - b[1])
        assert (row["top_percent"], row["other_percent"]) == pytest.approx(tuple(100 * np.expm1(b)))
        if row["design"] == "gravity":
            gap = difference(joint(each), *(f"partner[{name}]" for name in MONEY))
            assert row["std_error"] == pytest.approx(float(gap.std_errors[0]), nan_ok=True)


def test_bounds_and_presence_stand_together(found, shown):
    table = next(t for t in shown.tables if t.name == "concentration_bounds")
    rows = list(table.records())
    assert len(rows) == 3 * 2 * (1 + 1)
    b = found["bounds, spatial RD, seller_concentration_flow, OLS, both"]
    row = next(
        r for r in rows
        if (r["outcome"], r["direction"], r["design"]) == ("seller_concentration_flow", "both", "spatial RD")
    )  # fmt: skip
    assert (row["lower"], row["upper"]) == (b.lower.coefficients[0], b.upper.coefficients[0])
    assert row["present"] == pytest.approx(100 * b.selection.coefficients[0])
    any_trade = next(r for r in rows if (r["outcome"], r["design"]) == ("any_trade", "gravity"))
    assert any_trade["present"] == found["any trade, gravity, trade, OLS, both"].coefficients[0]


def test_no_effect_is_said_only_where_it_is_shown(panel, found):
    loose = about(exhibits={"concentration": {"margin_points": 30, "margin_percent": 500}})
    tight = about(exhibits={"concentration": {"margin_points": 0.01, "margin_percent": 0.1}})
    said = {name: " ".join(EXHIBIT.show(s, panel, found).sentences) for name, s in (("loose", loose), ("tight", tight))}
    assert said["loose"].count("no effect that matters is a finding here") == 6  # ratio and flows, by direction
    assert "an effect of 30.00 points or more" in said["loose"]
    assert "no effect that matters" not in said["tight"]
    assert said["tight"].count("that there is none is not shown") == 6
    e = found["sellers held, spatial RD, seller_concentration_flow, OLS, both"]
    assert (
        f"the number of sellers held, in points: both directions {e.coefficients[0]:+.2f} (95% interval"
        in said["tight"]
    )


def test_figures_hold_the_leading_ratio_and_the_money(found, shown):
    assert [f.name for f in shown.figures] == ["concentration_ratio", "concentration_money"]
    line = next(i for i in shown.figures[0].intervals if i.series == "spatial RD, sellers held")
    e = found[f"sellers held, spatial RD, seller_concentration_flow, OLS, {line.row}"]
    assert line.value == e.coefficients[0]


def test_what_is_not_there_is_said():
    bare = two_sides()
    shown = EXHIBIT.show(about(), bare, estimated("concentration", bare, about()))
    text = " ".join(shown.sentences)
    assert "The number of sellers is not held: give the log's column `seller`" in text
    assert "Top sellers beside the rest are left out" in text
    assert [t.name for t in shown.tables] == ["concentration_ratios", "concentration_bounds"]


def test_it_is_absent_without_sellers_or_partners():
    assert missing(EXHIBIT, about(), one_side()).startswith("absent: give partners and sellers: the log's column")


def test_margins_are_options_of_the_study():
    assert about().concentration_margins == (1.0, 5.0)
    with pytest.raises(ValueError, match="greater than 0"):
        about(exhibits={"concentration": {"margin_points": 0}})


def test_the_title_says_what_would_have_been_found_where_nothing_is_seen(shown):
    row = next(r for r in shown.tables[0].records() if r["design"] == "spatial RD" and r["held"] == "none")
    assert row["conf_low"] < 0 < row["conf_high"]
    said = f"no effect is seen; one of {plain(row['detectable'])} points would be found four times in five"
    assert shown.finding.endswith(said)


@pytest.mark.parametrize(
    ("shift", "error", "said"),
    [(0.1, 0.2, ": effects beyond \N{PLUS-MINUS SIGN}0.4"), (5.0, 0.5, ": +5.00 points for partners (3.")],
)
def test_the_title_says_effects_that_are_seen_and_those_that_are_excluded(panel, found, shift, error, said):
    def moved(e):
        return replace(e, coefficients=e.coefficients * 0 + shift, covariance=np.eye(len(e.terms)) * error**2)

    other = {k: moved(x) if isinstance(x, Estimate) and "ratio, " in k else x for k, x in found.items()}
    assert said in EXHIBIT.show(about(), panel, other).finding


def test_each_outcome_has_one_panel_of_bounds(panel, found):
    b = found["bounds, spatial RD, seller_concentration_flow, OLS, both"]
    approach = Approach(design="spatial RD", model=models(about(), panel)[0])
    bounds = {(o, approach, d): b for d in ("both", "east->west") for o in ("seller_concentration", "buyer_share")}
    table = bounds_table(about(), panel, Findings(ratios={}, bounds=bounds, apart={}, presence={}))
    runs = [(name, len(list(rows))) for name, rows in itertools.groupby(row[0] for row in table.rows)]
    assert runs == [("seller_concentration", 2), ("buyer_share", 2)]
