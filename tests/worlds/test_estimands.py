"""The truths of a world, against loops over its partner pairs that know only what makes intensities."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.worlds.conftest import SEED, TINY, TINY_FLOWS
from tradelift.worlds.estimands import balassa_index, estimands, partner_traits
from tradelift.worlds.goods import CATEGORIES, LINES, MIX, PRICE, relative_lifts
from tradelift.worlds.intensities import EFFECTS, draw_world
from tradelift.worlds.mediators import CHANNELS
from tradelift.worlds.scale import SCALES
from tradelift.worlds.treated import DECIMALS

WORLD = draw_world(TINY_FLOWS, SEED)
TRUTH = estimands(WORLD)
LABELS = TINY_FLOWS.labels()
ROUNDING = 2 * 10.0**-DECIMALS  # truths are rounded, and differences of two are rounded again


@pytest.fixture(scope="module")
def cells():
    """One row a partner cell and category, with its money with the programme and without."""
    rows = []
    for d in WORLD.directions:
        west = "west" in d.name[:4]
        for i, j in zip(*np.nonzero(d.partner), strict=True):
            pair = (j, i) if west else (i, j)
            for t, label in enumerate(LABELS):
                for c, category in enumerate(CATEGORIES):
                    value = PRICE[c] * (LINES @ [1, 2, 3]) * d.price[i]
                    with_it = d.intensity[t, i, j] * MIX[d.origins.name][c] * np.exp(d.tilt[c]) * value
                    effect = d.effect[t, i, j] + d.tilt[c]
                    noise = d.noise[i, j] * d.shock[t, i, j]
                    rows.append((d.name, *pair, label, category, effect, with_it, with_it * np.exp(-effect), noise))
    names = ["direction", "east", "west", "period", "category", "effect", "money", "without", "noise"]
    return pd.DataFrame(rows, columns=names)


def assert_truth(found, cells, *, by_good=False):
    """Compare an effect by direction with sums over rows."""
    for direction, effect in found.items():
        own = cells if direction == "both" else cells[cells["direction"] == direction]
        keys = ["direction", "east", "west", "period"]
        sums = own.groupby(keys)[["money", "without"]].sum()
        logs = own["effect"] if by_good else np.log(sums["money"] / sums["without"])
        assert effect["gaussian"] == pytest.approx(logs.mean(), abs=ROUNDING)
        assert effect["poisson"] == pytest.approx(np.log(own["money"].sum() / own["without"].sum()), abs=ROUNDING)


def test_average(cells):
    assert_truth(TRUTH["average"], cells)
    assert TRUTH["average"]["west->east"]["gaussian"] == pytest.approx(np.log(1.1), abs=ROUNDING)
    assert TRUTH["average"]["east->west"]["gaussian"] == 0


def test_categories(cells):
    for category in CATEGORIES:
        found = {direction: own[category] for direction, own in TRUTH["categories"].items()}
        assert_truth(found, cells[cells["category"] == category], by_good=True)


def test_priorities_gain_most_and_the_whole_is_the_whole():
    found = TRUTH["categories"]["west->east"]
    priority = [found[c]["gaussian"] for c in ("food", "apparel", "home")]
    assert min(priority) > max(e["gaussian"] for c, e in found.items() if c not in ("food", "apparel", "home"))
    lift = np.exp(relative_lifts("west->east", EFFECTS["west->east"]))
    assert MIX["west"] @ lift == pytest.approx(1, abs=1e-12)  # of orders
    assert (MIX["west"] * PRICE) @ lift == pytest.approx(MIX["west"] @ PRICE, abs=1e-9)  # of money
    assert (relative_lifts("east->west", 0.0) == 0).all()


@pytest.mark.parametrize("group", ["priority", "advantage"])
def test_category_groups(cells, group):
    marked = {"priority": ["food", "apparel", "home"], "advantage": [c for c in CATEGORIES if TRUTH["balassa"][c] > 1]}
    inside = cells["category"].isin(marked[group])
    assert_truth(TRUTH["category_groups"][group]["1"], cells[inside], by_good=True)
    assert_truth(TRUTH["category_groups"][group]["0"], cells[~inside], by_good=True)


def test_balassa_index():
    money = {}
    for d in WORLD.directions:
        without = d.intensity * np.exp(-d.effect) * d.price[:, None]
        money[d.origins.name] = [without.sum() * MIX[d.origins.name][c] * PRICE[c] for c in range(len(CATEGORIES))]
    west, both = np.array(money["west"]), np.array(money["west"]) + money["east"]
    for c, name in enumerate(CATEGORIES):
        expected = west[c] / west.sum() / (both[c] / both.sum())
        assert TRUTH["balassa"][name] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_the_west_is_good_at_the_priorities(scale):
    found = balassa_index(draw_world(SCALES[scale], 20170101))
    assert {name for name, index in found.items() if index > 1} == {"food", "apparel", "home", "crafts"}


def by_hand(name, east, west):
    """A trait of a pair from the cities' columns."""
    cities = WORLD.cities
    if name == "gdp_gap":
        return np.log(cities["east"]["gdp"][east] / cities["west"]["gdp"][west])
    return cities["west"][name][west]


@pytest.mark.parametrize("trait", list(TRUTH["traits"]))
def test_halves_and_thirds_of_traits(cells, trait):
    found = TRUTH["traits"][trait]
    value = np.array([by_hand(trait, e, w) for e, w in zip(cells["east"], cells["west"], strict=True)])
    pairs = pd.Series(value).groupby([cells["east"], cells["west"]]).first()
    assert len(pairs) == 128
    assert found["cut"] == pytest.approx(np.median(pairs))
    assert_truth(found["low"], cells[value <= found["cut"]])
    assert_truth(found["high"], cells[value > found["cut"]])
    for direction, effect in found["difference"].items():
        for weighting, gap in effect.items():
            expected = found["high"][direction][weighting] - found["low"][direction][weighting]
            assert gap == pytest.approx(expected, abs=ROUNDING)
    one, two = found["terciles"]["cuts"]
    assert_truth(found["terciles"]["low"], cells[value <= one])
    assert_truth(found["terciles"]["middle"], cells[(value > one) & (value <= two)])
    assert_truth(found["terciles"]["high"], cells[value > two])
    for direction, slope in found["slope"].items():
        own = cells[(cells["category"] == "food") & (cells["direction"].isin([direction]) | (direction == "both"))]
        x = np.array([by_hand(trait, e, w) for e, w in zip(own["east"], own["west"], strict=True)])
        assert slope == pytest.approx(np.polyfit(x, own["effect"], 1)[0], abs=1e-9)


@pytest.mark.parametrize("seed", [SEED, 20170101])
def test_traits_gain_as_the_paper_says(seed):
    found = estimands(draw_world(TINY, seed))["traits"]
    for trait, sign in {
        "gdp_gap": 1,
        "road_density": -1,
        "broadband": -1,
        "minority_share": 1,
        "gi_products": 1,
        "ecommerce_firms": 1,
    }.items():
        assert sign * found[trait]["difference"]["west->east"]["gaussian"] > 0.005
        assert found[trait]["difference"]["east->west"]["gaussian"] == 0


def test_traits_are_those_of_the_partners_in_order():
    first, second = np.nonzero(WORLD.directions[0].partner)
    for name, values in partner_traits(WORLD).items():
        np.testing.assert_allclose(values, [by_hand(name, e, w) for e, w in zip(first, second, strict=True)])


def test_the_break_lowers_the_overall_effect_and_leaves_west_to_east(cells):
    found = TRUTH["breaks"]["covid"]
    assert found["period"] == "2020-01"
    assert_truth(found["before"], cells[cells["period"] < "2020-01"])
    assert_truth(found["after"], cells[cells["period"] >= "2020-01"])
    assert found["change"]["west->east"]["gaussian"] == 0
    assert found["change"]["east->west"]["gaussian"] == pytest.approx(-0.06)
    assert found["change"]["both"]["gaussian"] == pytest.approx(-0.03)
    assert estimands(draw_world(SCALES["paper"], 1))["breaks"]["covid"]["change"]["both"]["poisson"] < -0.02


def test_periods_years_december_and_new_year(cells):
    assert set(TRUTH["periods"]) == set(LABELS)
    for label, found in TRUTH["periods"].items():
        assert_truth(found, cells[cells["period"] == label])
    for year, found in TRUTH["years"].items():
        assert_truth(found, cells[cells["period"].str.startswith(year)])
    others = cells[~cells["period"].isin(["2019-12", "2020-01"])]
    for name, period in (("december", "2019-12"), ("new_year", "2020-01")):
        own = cells[cells["period"] == period]
        for weighting, gap in TRUTH["spending"][name]["west->east"].items():
            logs = [x[x["direction"] == "west->east"] for x in (own, others)]
            ratio = [np.log(x["money"].sum() / x["without"].sum()) for x in logs]
            assert gap == pytest.approx(0 if weighting == "gaussian" else ratio[0] - ratio[1], abs=ROUNDING)


def test_year_end_does_nothing_at_the_scale_of_the_paper():
    """Five of each month, three before the break, so that December differs from others by nothing but chance's weights."""
    found = estimands(draw_world(SCALES["paper"], 1))["spending"]
    for own in found.values():
        assert all(effect["gaussian"] == 0 for effect in own.values())
        assert all(abs(effect["poisson"]) < 0.005 for effect in own.values())


def test_money(cells):
    gained = (cells["money"] - cells["without"]) * cells["noise"]
    for direction, found in TRUTH["money"].items():
        own = (cells["direction"] == direction) | (direction == "both")
        assert found["total"] == pytest.approx(gained[own].sum(), abs=0.05)
        for year in ("2019", "2020"):
            assert found[year] == pytest.approx(gained[own & cells["period"].str.startswith(year)].sum(), abs=0.05)


def test_mediated_parts():
    assert TRUTH["mediation"]["log(migration)"]["west->east"]["mediated"] == pytest.approx(0.03)
    assert TRUTH["mediation"]["log(search)"]["west->east"]["mediated"] == pytest.approx(0.024)
    assert TRUTH["mediation"]["log(search)"]["west->east"]["share"] == pytest.approx(0.024 / np.log(1.1))
    assert TRUTH["mediation"]["log(migration)"]["both"]["mediated"] == pytest.approx(0.015)
    assert TRUTH["mediation"]["log(migration)"]["east->west"]["share"] is None
    for direction in EFFECTS:
        assert TRUTH["mediation"]["flights"][direction]["mediated"] == 0
        assert sum(c[direction].share for c in CHANNELS.values()) < 1


def test_truths_stand_in_the_file(written_flows):
    record = json.loads((written_flows.folder / "truth.json").read_text())
    for name, value in TRUTH.items():
        assert record[name] == json.loads(json.dumps(value)), name
    assert set(record["zeros"].values()) == {0.0}
