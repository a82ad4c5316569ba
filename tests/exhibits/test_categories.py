from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.goods import about, whole
from tests.exhibits.small import estimated, two_sides
from tradelift.designs.advantage import balassa
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.careful import careful
from tradelift.exhibits.category_tables import slope_on
from tradelift.exhibits.headline import numbers, percent
from tradelift.exhibits.labels import plain, signed
from tradelift.inference import Parted, joint_test, simultaneous
from tradelift.panel.goods import goods_panel

EXHIBIT = EXHIBITS["categories"]


@pytest.fixture(scope="module")
def panel():
    return whole()


@pytest.fixture(scope="module")
def found(panel):
    return estimated("categories", panel, about())


@pytest.fixture(scope="module")
def shown(panel, found):
    return EXHIBIT.show(about(), panel, found)


def test_each_category_and_the_groups_are_planned(panel):
    tasks = EXHIBIT.plan(about(), panel)
    assert len(tasks) == 3 * (4 + 2 * 2)  # directions: two designs by two estimators; two groupings by PPML
    design = careful(tl.SpatialRD(outcome="trade", family="poisson", bandwidth_km=200, direction="both"))
    assert tasks["by category, spatial RD, trade, PPML, both"] == Parted(design=design, by="category")
    groups = tasks["by priority, spatial RD, trade, PPML, both"].groups
    assert groups == {"priority of the programme": ("food", "wear"), "other categories": ("toys",)}
    advantage = tasks["by advantage, spatial RD, trade, PPML, both"].groups
    above = tuple(n for n, x in zip(panel.goods.names, balassa(panel), strict=True) if x > 1)
    assert advantage["comparative advantage"] == above == ("food",)


def test_the_table_holds_each_category_by_itself(panel, found, shown):
    rows = list(shown.tables[0].records())
    assert len(rows) == 3 * 4 * 3
    for row in rows:
        if (row["design"], row["estimator"], row["direction"]) != ("gravity", "PPML", "west->east"):
            continue
        alone = careful(tl.Gravity(direction="west->east", family="poisson")).estimate(
            goods_panel(panel, [panel.goods.names.index(row["category"])])
        )
        tidy = numbers(alone.tidy(), "partner")
        assert (row["estimate"], row["std_error"]) == pytest.approx((tidy["estimate"], tidy["std_error"]), nan_ok=True)
    e = found["by category, spatial RD, log(trade), OLS, both"]
    own = [r for r in rows if (r["design"], r["estimator"], r["direction"]) == ("spatial RD", "OLS", "both")]
    np.testing.assert_array_equal([r["step_down"] for r in own], simultaneous(e)["step_down"])
    assert [r["priority"] for r in own] == [1, 0, 1]
    np.testing.assert_allclose([r["advantage"] for r in own], balassa(panel))


def test_tests_of_equal_effects_are_joint_tests(found, shown):
    table = next(t for t in shown.tables if t.name == "category_tests")
    for row in table.records():
        estimator = "log(trade), OLS" if row["estimator"] == "OLS" else "trade, PPML"
        e = found[f"by category, {row['design']}, {estimator}, {row['direction']}"]
        test = joint_test(e)
        assert (row["statistic"], row["p_value"]) == pytest.approx((test.statistic, test.p_value), nan_ok=True)


def test_the_slope_is_weighted_least_squares(found):
    e = found["by category, spatial RD, log(trade), OLS, both"]
    values = dict(zip(e.treatment, (2.0, 1.0, 0.5), strict=True))
    slope = slope_on(e, values)
    x = np.log([2.0, 1.0, 0.5])
    fit = np.polyfit(x, e.coefficients, 1, w=1 / e.std_errors)
    assert slope.coefficients[0] == pytest.approx(fit[0])
    assert slope_on(e, dict.fromkeys(e.treatment, 1.0)) is None
    assert slope_on(e, dict.fromkeys(e.treatment[:2], 2.0)) is None


def test_groups_are_sums_and_their_difference_is_joint(panel, found, shown):
    table = next(t for t in shown.tables if t.name == "category_groups")
    rows = [
        r for r in table.records()
        if (r["grouping"], r["direction"], r["design"]) == ("priority", "both", "spatial RD")
    ]  # fmt: skip
    assert [r["group"] for r in rows] == ["priority of the programme", "other categories", "difference"]
    design = tl.SpatialRD(outcome="trade", family="poisson", bandwidth_km=200)
    alone = [design.estimate(goods_panel(panel, codes)).coefficients[0] for codes in ([0, 2], [1])]
    assert [r["estimate"] for r in rows] == pytest.approx([*alone, alone[0] - alone[1]])


def test_figures_and_sentences_name_the_largest_first(found, shown):
    assert [f.name for f in shown.figures] == [
        "categories_both", "categories_east_to_west", "categories_west_to_east"
    ]  # fmt: skip
    assert shown.figures[0].words["wear"] == "Clothing"
    first = shown.sentences[0]
    assert first.startswith("Both directions (spatial RD by OLS): Food +")
    assert first.index("Food") < first.index("Clothing") < first.index("Toys")
    e = found["by category, spatial RD, log(trade), OLS, both"]
    assert f"Food {numbers(e.percent(), 'partner[food]')['percent']:+.1f}%" in first
    assert any(s.startswith("Effects differ between categories: largest t of 3 = ") for s in shown.sentences)


def test_coverage_and_what_is_left_out_are_said(panel, found):
    odd = replace(panel, goods=replace(panel.goods, excluded={"no cell of the panel": 3}, about={}))
    text = " ".join(EXHIBIT.show(about(), odd, found).sentences)
    share = 100 * panel.goods.columns["trade"].sum() / panel.column("trade").sum()
    assert f"The categories hold {share:.1f}% of the trade of all goods." in text
    assert "not used: no cell of the panel 3" in text
    assert "Priority categories are left out: give `categories`" in text
    assert "by priority, gravity, trade, PPML, both" not in EXHIBIT.plan(about(), odd)


def test_it_is_absent_without_categories():
    assert missing(EXHIBIT, about(), two_sides()).startswith("absent: give flows by category: the log's column")


def test_the_title_sets_priority_categories_beside_the_others(shown):
    wanted = {"grouping": "priority", "direction": "both", "design": "spatial RD"}
    one, other, gap = (r for r in shown.tables[2].records() if wanted.items() <= r.items())
    spans = ["{} to {}%".format(*(plain(percent(r[k])) for k in ("conf_low", "conf_high"))) for r in (one, other)]
    assert gap["p_value"] < 0.001
    assert shown.finding == (
        f"Priority categories {signed(one['percent'])}% ({spans[0]}), others {signed(other['percent'])}% ({spans[1]}); "
        f"both ways; difference p < 0.001"
    )


def test_without_priorities_the_title_says_the_largest_effect(panel, found):
    each = {k: x for k, x in found.items() if k.startswith("by category")}
    title = EXHIBIT.show(about(), panel, each).finding
    assert title.startswith("Effects differ between categories (both ways; p < 0.001); Food is largest, +")
