import re
from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import attempted
from tests.exhibits.worlds import KM, about, world
from tradelift.designs import ResidualCorrelogram, SameFlows, SingleGroups
from tradelift.exhibits import EXHIBITS, RegressionTable
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.labels import plain
from tradelift.exhibits.rd_words import partner_cells_without

RD = EXHIBITS["spatial_rd"]
LEAD = "log(trade), OLS, both"


@pytest.fixture(scope="module")
def panel():
    return world(mean=4.0)


@pytest.fixture(scope="module")
def results(panel):
    return attempted("spatial_rd", panel, about())[0]


@pytest.fixture(scope="module")
def shown(panel, results):
    return RD.show(about(), panel, results)


def test_every_model_is_planned_in_every_direction_with_gravity_on_the_same_flows(panel):
    tasks = RD.plan(about(), panel)
    models = [
        key.removesuffix(", both") for key, t in tasks.items() if isinstance(t, tl.SpatialRD) and key.endswith("both")
    ]
    assert models == ["log(trade), OLS", "trade, PPML", "log(deals), OLS", "deals, PPML", "seller_concentration, OLS"]
    for direction in panel.directions:
        for model in models:
            key = f"{model}, {direction}"
            design = tasks[key]
            assert (design.bandwidth_km, design.direction) == (KM, direction)
            assert design.family == ("poisson" if "PPML" in model else "gaussian")
            assert tasks[f"{key}, gravity"] == SameFlows(design=design)


def test_wider_bandwidths_with_distance_terms_always_stand_beside_the_first_flow(panel):
    tasks = RD.plan(about(), panel)
    wider = {key: t for key, t in tasks.items() if "250 km" in key}
    assert len(wider) == 2 * 2 * 3
    assert wider["trade, PPML, west->east, 250 km, d2"] == tl.SpatialRD(
        outcome="trade", family="poisson", direction="west->east", bandwidth_km=250.0, distance_terms=["d2"]
    )
    # the same task as gravity's own, which is estimated once
    own = EXHIBITS["gravity"].plan(about(), panel)
    for key in ("log(trade), OLS, both", "trade, PPML, east->west"):
        assert tasks[f"{key}, gravity, all pairs"] == own[key]


def test_single_groups_and_residuals_are_of_the_model_that_leads(panel):
    tasks = RD.plan(about(), panel)
    assert tasks["log(trade), OLS, both, single groups"] == SingleGroups(design=tasks[LEAD])
    residuals = [t for t in tasks.values() if isinstance(t, ResidualCorrelogram)]
    assert residuals == [ResidualCorrelogram(outcome="log(trade)", family="gaussian", bandwidth_km=KM)]


def test_the_study_chooses_outcomes_controls_and_bandwidth(panel):
    own = about(model={"outcomes": ["asinh(trade)"], "controls": ["migrants"], "bandwidth_km": 321})
    tasks = RD.plan(own, panel)
    design = tasks["asinh(trade), OLS, both"]
    assert (design.outcome, design.controls, design.bandwidth_km) == ("asinh(trade)", ("migrants",), 321.0)
    assert RD.plan(about(model={"outcomes": ["nothing"]}), panel) == {}
    assert RD.show(about(model={"outcomes": ["nothing"]}), panel, {}).tables == ()


def test_the_first_table_has_every_model(shown, results):
    table = shown.tables[0]
    assert isinstance(table, RegressionTable)
    assert [h.family for h in table.heads] == ["OLS", "PPML", "OLS", "PPML", "OLS"]
    assert table.panels["both"][0] is results[LEAD]
    assert any("group^period + origin^period + destination^period" in note for note in table.notes)
    assert any(note.startswith("No partner: ") for note in table.notes)


def test_gravity_and_wider_bandwidths_stand_beside(shown, results):
    rows = list(shown.tables[1].records())
    first = [r for r in rows if r["direction"] == "both" and (r["outcome"], r["estimator"]) == ("log(trade)", "OLS")]
    assert [r["comparison"] for r in first] == ["rd", "rd_d", "rd_d2", "gravity", "gravity_all"]
    endings = ("", ", 250 km, d", ", 250 km, d2", ", gravity", ", gravity, all pairs")
    for row, ending in zip(first, endings, strict=True):
        expected = numbers(results[f"{LEAD}{ending}"].tidy(), "partner")
        assert {k: row[k] for k in ("estimate", "std_error", "p_value")} == {k: expected[k] for k in ("estimate", "std_error", "p_value")}  # fmt: skip
        assert row["percent"] == pytest.approx(100 * np.expm1(expected["estimate"]))
    ratio = [r for r in rows if r["outcome"] == "seller_concentration"]
    assert [r["comparison"] for r in ratio] == ["rd", "gravity"] * 3
    assert all(r["percent"] is None for r in ratio)


def test_what_identifies_is_printed_for_every_estimate(shown, results):
    rows = {(r["direction"], r["model"]): r for r in shown.tables[2].records()}
    assert len(rows) == 15
    row, identified = rows["both", "log(trade), OLS"], results[LEAD].diagnostics.identification
    assert row["variance_left"] == pytest.approx(100 * identified.variance_left)
    assert row["effective_partners"] == identified.effective_partners
    assert (row["groups"], row["contributing"]) == (identified.groups, identified.contributing)
    assert row["lost_groups"] == sum(identified.lost_groups.values())
    assert row["no_partner"] == results[LEAD].exclusions["no_partner"] > 0
    said = next(s for s in shown.sentences if s.startswith("What identifies"))
    assert f"{identified.variance_left:.0%} of the treatment's variation" in said
    assert plain(identified.effective_partners) in said
    largest = max(identified.partners, key=lambda p: p.share)
    assert f"City {largest.first} and City {largest.second}" in said


def test_partner_flows_of_zero_are_counted_and_ppml_stands_beside(panel, shown, results):
    estimate = results[LEAD]
    ids = panel.regions.ids
    pairs = {(str(ids[a]), str(ids[b])) for a, b in zip(panel.programme.first, panel.programme.second, strict=True)}
    with_group = {(p.first, p.second) for p in estimate.diagnostics.identification.partners}
    cells = panel.to_arrow().to_pandas()
    kept = [
        trade
        for a, b, trade in zip(cells["origin"], cells["destination"], cells["trade"], strict=True)
        if {(a, b), (b, a)} & pairs & with_group
    ]
    zero = sum(t == 0 for t in kept)
    assert partner_cells_without(panel, "trade", estimate) == (zero, len(kept))
    assert zero > 0
    said = next(s for s in shown.sentences if "have no trade in" in s)
    assert f"in {zero:,} of {len(kept):,} observations (both directions)" in said
    assert f"{estimate.exclusions['no_partner']:,} observations of their near pairs" in said
    ppml = numbers(results["trade, PPML, both"].percent(), "partner")["percent"]
    assert f"PPML keeps them: {ppml:+.1f}%".replace("-", "\N{MINUS SIGN}") in said


def test_the_largest_change_without_a_group_is_said(panel, shown, results):
    said = next(s for s in shown.sentences if s.startswith("Without the single group"))
    for direction in panel.directions:
        found = results[f"log(trade), OLS, {direction}, single groups"]
        one = found.without[0]
        now, then = (f"{100 * np.expm1(v):.1f}%".replace("-", "\N{MINUS SIGN}") for v in (found.estimate, one.estimate))
        assert f"from {now} to {then} without City {one.origin}\N{NO-BREAK SPACE}" in said
    lost = replace(found, without=(replace(one, estimate=np.nan),))
    other = RD.show(about(), panel, results | {"log(trade), OLS, both, single groups": lost})
    assert any("both directions nothing is identified without City" in s for s in other.sentences)


def test_the_headline_leads_with_near_pairs_and_has_gravity_beside_it(shown, results):
    text = shown.headline.text
    row = numbers(results[LEAD].percent(), "partner")
    more = "more" if row["percent"] >= 0 else "less"
    assert text.startswith(
        f"Partner pairs trade {abs(row['percent']):.1f}% {more} than near pairs that are no partners (95%"
    )
    interval = f"95% interval {plain(row['conf_low'])} to {plain(row['conf_high'])} by max-two-way errors"
    assert interval in text
    assert ("not distinguishable from 0)" in text) == (row["conf_low"] <= 0 <= row["conf_high"])
    gravity = [
        numbers(results[f"{LEAD}, {k}"].percent(), "partner")["percent"] for k in ("gravity, all pairs", "gravity")
    ]
    for value, where in zip(gravity, ("on all pairs", "on these flows"), strict=True):
        said = f"{value:+.1f}%".replace("-", "\N{MINUS SIGN}")
        assert re.search(re.escape(said) + r" \([^)]*\) " + where, text)
    assert "if the two differ in nothing else" in text
    assert "the data cannot exclude" in text
    assert "biased" not in text
    assert len(shown.headline.facts) == 5
    assert shown.headline.facts[3].label.startswith("by gravity on all pairs (OLS), both directions")
    effective = results[LEAD].diagnostics.identification.effective_partners
    assert shown.headline.facts[4].value == f"{effective:.0f}"


def test_a_single_direction_leads_where_both_could_not_be_estimated(panel, results):
    few = {k: x for k, x in results.items() if "both" not in k}
    text = RD.show(about(), panel, few).headline.text
    assert "no partners (east\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}west) (" in text


def test_deals_and_ratios_lead_in_their_own_words(panel):
    for outcome, said in (
        ("deals", "Partner pairs have"),
        ("seller_concentration", "Seller concentration (%), partner"),
    ):
        own = about(model={"outcomes": [outcome]})
        shown = RD.show(own, panel, attempted("spatial_rd", panel, own)[0])
        assert shown.headline.text.startswith(said)
        assert not any("PPML keeps" in s for s in shown.sentences) or outcome == "deals"
    assert "%" not in shown.headline.facts[0].value
    assert shown.figures == ()


def test_an_error_that_is_not_known_is_said_so(panel, results):
    whole = results[LEAD]
    shown = RD.show(about(), panel, results | {LEAD: replace(whole, covariance=whole.covariance * np.nan)})
    assert "its error is not known" in shown.headline.text
    assert "not distinguishable" not in shown.headline.text.split(")")[0]
    assert shown.figures[0].intervals[1].low is None
    assert any(note.startswith("n/a: ") for note in shown.tables[0].notes)


def test_a_warning_of_residuals_is_said_in_the_section_and_the_headline(panel, results, shown):
    class Rough:
        warns, sentence = True, "The correlation of residuals has halved at 90 km. Residuals cannot exclude that."

    assert not any("Residuals" in s for s in shown.sentences)
    found = replace_residuals(panel, results, Rough)
    assert found.sentences[-1] == Rough.sentence
    assert found.headline.text.endswith("see the warning below.")


def replace_residuals(panel, results, kind):
    from tradelift.designs import Correlogram

    rough = object.__new__(type("Rough", (Correlogram,), {"warns": kind.warns, "sentence": kind.sentence}))
    return RD.show(about(), panel, results | {"log(trade), residuals": rough})


def test_flows_have_a_figure_with_gravity_beside(shown):
    assert [f.name for f in shown.figures] == ["spatial_rd_trade", "spatial_rd_deals"]
    series = [i.series for i in shown.figures[0].intervals if i.row == "both"]
    assert series == ["Gravity, OLS", "Spatial RD, OLS", "Gravity, PPML", "Spatial RD, PPML"]
