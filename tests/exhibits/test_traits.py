from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import tradelift as tl
from tests.exhibits.goods import TRAITS, about, whole
from tests.exhibits.small import estimated, two_sides
from tradelift.estimate import Estimate
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.headline import numbers
from tradelift.inference import ByTrait, benjamini_hochberg, joint_test

EXHIBIT = EXHIBITS["traits"]


@pytest.fixture(scope="module")
def panel():
    return whole()


@pytest.fixture(scope="module")
def found(panel):
    return estimated("traits", panel, about())


@pytest.fixture(scope="module")
def shown(panel, found):
    return EXHIBIT.show(about(), panel, found)


def test_both_designs_are_split_by_every_trait(panel):
    tasks = EXHIBIT.plan(about(), panel)
    assert len(tasks) == 2 * 3 * (4 + 2 + 2)  # traits, directions, halves by two estimators, terciles and slopes by one
    key = "gdp_gap in halves, spatial RD, log(trade), OLS, west->east"
    design = tl.SpatialRD(outcome="log(trade)", family="gaussian", bandwidth_km=200, direction="west->east")
    assert tasks[key] == ByTrait(design=design, trait="gdp_gap", expression=TRAITS["gdp_gap"], split="halves")


def test_the_tables_hold_the_estimates(found, shown):
    rows = list(shown.tables[0].records())
    assert len(rows) == 2 * 3 * (4 * 2 + 2 * 3)
    for row in rows:
        estimator = "log(trade), OLS" if row["estimator"] == "OLS" else "trade, PPML"
        e = found[f"{row['trait']} in {row['split']}, {row['design']}, {estimator}, {row['direction']}"]
        tidy = numbers(e.tidy(), f"partner[{row['group']}]")
        assert (row["estimate"], row["p_value"]) == pytest.approx((tidy["estimate"], tidy["p_value"]), nan_ok=True)
        if row["equal_p_value"] is not None:
            test = joint_test(e)
            assert (row["equal_statistic"], row["equal_p_value"]) == pytest.approx(
                (test.statistic, test.p_value), nan_ok=True
            )
    assert sum(row["equal_p_value"] is not None for row in rows) == 2 * 3 * 6


def widest(e, weights):
    """The largest of the two-way, one-way and pair errors of a sum of coefficients, by loops over clusters."""
    own = e.influence.pairs @ np.array([weights.get(t, 0.0) for t in e.terms])
    dyads, used = e.influence.dyads, e.influence.dyads.used
    east, west = dyads.ends

    def variance(codes, counts):
        sums = sum(own[codes == c].sum() ** 2 for c in np.unique(codes))
        return sums * counts / (counts - 1)

    n, m, p = (len(np.unique(codes[used])) for codes in (east, west, dyads.dyad))
    both = dyads.dyad  # a pair is where its two cities meet
    two_way = sum(variance(codes, min(n, m)) * sign for codes, sign in ((east, 1), (west, 1), (both, -1)))
    largest = max(two_way, variance(east, n), variance(west, m), variance(both, p))
    return np.sqrt(largest * (e.n_obs - 1) / (e.n_obs - e.influence.rank))


def test_differences_are_high_less_low_and_adjusted(found, shown):
    table = next(t for t in shown.tables if t.name == "trait_differences")
    rows = [
        r for r in table.records() if (r["direction"], r["design"], r["estimator"]) == ("both", "spatial RD", "OLS")
    ]
    assert [r["trait"] for r in rows] == list(TRAITS)
    for row in rows:
        e = found[f"{row['trait']} in halves, spatial RD, log(trade), OLS, both"]
        low, high = (e.coefficients[e.terms.index(f"partner[{g}]")] for g in ("low", "high"))
        assert row["estimate"] == pytest.approx(high - low)
        assert row["percent"] == pytest.approx(100 * np.expm1(high - low))
        assert row["std_error"] == pytest.approx(widest(e, {"partner[high]": 1, "partner[low]": -1}))
    np.testing.assert_allclose([r["false_discovery"] for r in rows], benjamini_hochberg([r["p_value"] for r in rows]))


def test_slopes_stand_beside_the_effect_at_the_mean(found, shown):
    table = next(t for t in shown.tables if t.name == "trait_slopes")
    row = next(r for r in table.records() if r["what"] == "a unit more")
    e = found[f"gdp_gap, continuous, {row['design']}, log(trade), OLS, both"]
    assert row["estimate"] == e.coefficients[e.terms.index("partner:gdp_gap")]


def test_figures_and_sentences_say_the_same_numbers(found, shown):
    assert [f.name for f in shown.figures] == ["traits_both", "traits_east_to_west", "traits_west_to_east"]
    line = shown.figures[0].intervals[0]
    e = found["gdp_gap in halves, spatial RD, log(trade), OLS, both"]
    assert line.value == pytest.approx(numbers(e.percent(), "partner[low]")["percent"])
    high, low = (e.coefficients[e.terms.index(f"partner[{part}]")] for part in ("high", "low"))
    gap = f"{100 * np.expm1(high - low):+.1f}%".replace("-", "\N{MINUS SIGN}")
    assert f"gdp_gap {gap} (" in shown.sentences[0]
    assert "Allowing for 2 traits, " in shown.sentences[1]
    assert "gdp_gap is parted at" in " ".join(shown.tables[0].notes)


def test_without_a_map_gravity_stands_alone():
    bare = whole(coordinates=False, goods=False)
    content = about(traits={"share": "share[west]"})
    tasks = EXHIBIT.plan(content, bare)
    assert {type(task.design) for task in tasks.values()} == {tl.Gravity}
    shown = EXHIBIT.show(content, bare, estimated("traits", bare, content))
    assert shown.sentences[-1] == "Spatial RD is left out: give longitude and latitude of the regions."


def test_a_trait_that_cannot_be_told_is_named_once(panel):
    content = about(traits={"wealth": "wealth[west]"})
    refused = {}
    for key, task in EXHIBIT.plan(content, panel).items():
        with pytest.raises(tl.DesignError) as error:
            task.estimate(panel)
        refused[key] = str(error.value)
    said = EXHIBIT.shown(content, panel, {}, refused).sentences
    assert len(said) == 1
    assert "regions have no column 'wealth' of numbers; there are" in said[0]


def test_it_is_absent_without_traits():
    assert missing(EXHIBIT, about(traits={}), two_sides()).startswith("absent: give traits of pairs under `traits`")


def test_the_title_says_the_gap_that_would_have_been_found(found, shown):
    rows = [r for r in shown.tables[1].records() if r["direction"] == "both" and r["design"] == "spatial RD"]
    error = max(r["std_error"] for r in rows if r["estimator"] == "OLS")
    dof = found["share in halves, spatial RD, log(trade), OLS, both"].dof
    log = (stats.t.ppf(0.975, dof) + stats.t.ppf(0.8, dof)) * error
    assert shown.finding == (
        f"None of 2 traits is seen to part the effect (both ways); a gap of {100 * np.expm1(log):.0f}% would be found "
        f"four times in five"
    )


def test_the_title_names_traits_that_part_the_effect(panel, found):
    def apart(e):
        if not isinstance(e, Estimate) or "partner[high]" not in e.terms:
            return e
        return replace(e, coefficients=e.coefficients + 3.0 * (np.array(e.terms) == "partner[high]"))

    other = {k: apart(x) for k, x in found.items()}
    assert EXHIBIT.show(about(), panel, other).finding == "The effect differs by gdp_gap, share (both ways)"
