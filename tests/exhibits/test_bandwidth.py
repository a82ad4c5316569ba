import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import attempted
from tests.exhibits.worlds import KM, about, world
from tradelift.designs.spatial import near_pairs
from tradelift.exhibits import EXHIBITS, CurveFigure
from tradelift.exhibits.headline import numbers

BANDWIDTH = EXHIBITS["bandwidth"]
GRID = (400.0, 500.0, 700.0)


@pytest.fixture(scope="module")
def panel():
    return world()


@pytest.fixture(scope="module")
def results(panel):
    return attempted("bandwidth", panel, about())[0]


@pytest.fixture(scope="module")
def shown(panel, results):
    return BANDWIDTH.show(about(), panel, results)


def test_the_curve_is_planned_for_no_distance_term_and_two(panel):
    tasks = BANDWIDTH.plan(about(), panel)
    curve = {k: t for k, t in tasks.items() if k.startswith("log(trade), OLS, both,") and "beyond" not in k}
    assert list(curve) == [f"log(trade), OLS, both, {km:g} km{term}" for term in ("", ", d", ", d2") for km in GRID]
    assert curve["log(trade), OLS, both, 700 km, d"] == tl.SpatialRD(
        family="gaussian", bandwidth_km=700.0, distance_terms=["d"]
    )


def test_the_studys_bandwidth_stands_in_the_curve_and_is_the_main_estimate(panel):
    own = about(model={"bandwidth_km": 444})
    tasks = BANDWIDTH.plan(own, panel)
    assert tasks["log(trade), OLS, both, 444 km"] == EXHIBITS["spatial_rd"].plan(own, panel)["log(trade), OLS, both"]


def test_donuts_leave_out_the_nearest_controls(panel):
    tasks = BANDWIDTH.plan(about(), panel)
    donuts = [t.donut_km for k, t in tasks.items() if "both, beyond" in k]
    assert donuts == [pytest.approx(KM / 6, abs=0.1), pytest.approx(KM / 3, abs=0.1)]
    assert BANDWIDTH.plan(about(model={"outcomes": ["nothing"]}), panel) == {}


def test_the_table_says_what_each_bandwidth_costs(panel, shown, results):
    rows = list(shown.tables[0].records())
    assert len(rows) == 3 * (3 * 3 + 2)
    for row in rows[:9]:
        term = "" if row["distance_term"] == "none" else f", {row['distance_term']}"
        estimate = results[f"log(trade), OLS, both, {row['bandwidth_km']:g} km{term}"]
        assert row["estimate"] == numbers(estimate.tidy(), "partner")["estimate"]
        near = near_pairs(panel, tl.SpatialRD(bandwidth_km=row["bandwidth_km"]).near)
        assert row["groups"] + row["lost_groups"] == 28
        assert row["groups"] == near.n_groups
        assert row["controls"] <= (~near.is_partner).sum() / near.n_groups
        assert row["effective_partners"] == estimate.diagnostics.identification.effective_partners
    lost = [row["lost_groups"] for row in rows[:3]]
    assert lost == sorted(lost, reverse=True)


def test_reuse_is_how_many_groups_a_control_stands_in(panel, shown):
    """All cells are there and positive, so that the stack is used whole but for those alone in an effect."""
    row = next(r for r in shown.tables[0].records() if r["bandwidth_km"] == 700 and r["distance_term"] == "none")
    near = near_pairs(panel, tl.SpatialRD(bandwidth_km=700).near)
    controls = near.pair[~near.is_partner]
    assert row["reuse"] == pytest.approx(len(controls) / len(np.unique(controls)), rel=0.02)


def test_the_figure_is_a_curve_for_each_direction_and_term(panel, shown, results):
    figure = shown.figures[0]
    assert isinstance(figure, CurveFigure)
    assert len(figure.points) == 27
    assert figure.mark == KM
    point = next(p for p in figure.points if (p.row, p.column, p.x) == ("west->east", "d2", 700.0))
    row = numbers(results["log(trade), OLS, west->east, 700 km, d2"].percent(), "partner")
    assert (point.value, point.low, point.high) == (row["percent"], row["conf_low"], row["conf_high"])
    assert next(iter(figure.records()))["x"] == 400.0


def test_the_sentences_say_the_span_and_what_lies_outside(panel, shown, results):
    values = [numbers(results[f"log(trade), OLS, both, {km:g} km"].percent(), "partner")["percent"] for km in GRID]
    said = f"{min(values):.1f} to {max(values):.1f}% with no distance term".replace("-", "\N{MINUS SIGN}")
    first = shown.sentences[0]
    assert first.startswith("Over 400 to 700 km, ln(Trade), OLS, both directions: ")
    assert said in first
    start = numbers(results["log(trade), OLS, both, 500 km"].percent(), "partner")
    outside = [
        f"{km:g} km with {words}"
        for term, words in (
            ("", "no distance term"),
            (", d", "a term in |d|"),
            (", d2", "a term in d\N{SUPERSCRIPT TWO}"),
        )
        for km in GRID
        if not start["conf_low"]
        <= numbers(results[f"log(trade), OLS, both, {km:g} km{term}"].percent(), "partner")["percent"]
        <= start["conf_high"]
    ]
    ending = (
        f"outside the 95% interval at 500 km: {', '.join(outside)}."
        if outside
        else "all lie in the 95% interval at 500 km."
    )
    assert first.endswith(ending)


def test_the_residuals_are_said_with_it(shown, results):
    assert shown.sentences[-1] == results["log(trade), residuals"].sentence


def test_a_hole_without_controls_in_it_is_said_so(panel, shown):
    near = near_pairs(panel, tl.SpatialRD(bandwidth_km=KM).near)
    nearest = near.distance_km[~near.is_partner].min()
    small = about(model={"bandwidth_km": 5 * nearest})
    found, _ = attempted("bandwidth", panel, small)
    if not any("beyond" in key for key in found):
        pytest.fail("the bandwidth identifies nothing")
    said = BANDWIDTH.show(small, panel, found).sentences
    assert f"No control is nearer than {5 * nearest / 6:.1f} km." in [s.replace(" km.", " km.") for s in said]
    assert any(
        s.startswith(f"Without controls nearer than {KM / 3:.0f}") or "nearer than 166.7" in s for s in shown.sentences
    )


def test_what_could_not_be_estimated_is_blank(panel, results):
    few = {k: x for k, x in results.items() if "400 km" not in k}
    shown = BANDWIDTH.show(about(), panel, few)
    rows = [r for r in shown.tables[0].records() if r["bandwidth_km"] == 400]
    assert len(rows) == 9
    assert all(r["estimate"] is None and r["groups"] is None for r in rows)
    assert all(p.x > 400 for p in shown.figures[0].points)
    assert BANDWIDTH.show(about(), panel, {}).tables == ()


def test_every_other_outcome_has_its_curve(panel, shown, results):
    tasks = BANDWIDTH.plan(about(), panel)
    assert tasks["deals, PPML, west->east, 700 km"] == tl.SpatialRD(
        outcome="deals", family="poisson", bandwidth_km=700.0, direction="west->east"
    )
    assert not any("PPML" in key and ("km, d" in key or "beyond" in key) for key in tasks)
    _, flows, ratios = shown.figures
    assert [f.name for f in shown.figures] == ["bandwidth", "bandwidth_flows", "bandwidth_ratios"]
    assert {p.row for p in flows.points} == {"Trade, PPML", "ln(Deals), OLS", "Deals, PPML"}
    assert {p.row for p in ratios.points} == {"Seller conc. (%), OLS"}
    assert all(f.choice == "Bandwidth" and f.mark == KM for f in shown.figures)
    for figure, row, key, frame, column in (
        (flows, "Deals, PPML", "deals, PPML", "percent", "percent"),
        (ratios, "Seller conc. (%), OLS", "seller_concentration, OLS", "tidy", "estimate"),
    ):
        (point,) = [p for p in figure.points if (p.row, p.column, p.x) == (row, "east->west", 400.0)]
        found = numbers(getattr(results[f"{key}, east->west, 400 km"], frame)(), "partner")
        assert (point.value, point.low, point.high) == (found[column], found["conf_low"], found["conf_high"])
        assert dict(point.facts)["95% interval"].count(" to ") == 1
    rows = list(shown.tables[1].records())
    assert len(rows) == 4 * 3 * 3
    for row in rows:
        estimate = results[f"{row['outcome']}, {row['estimator']}, {row['direction']}, {row['bandwidth_km']:g} km"]
        assert row["estimate"] == numbers(estimate.tidy(), "partner")["estimate"]
        assert row["groups"] == estimate.diagnostics.identification.groups
    low, high = (f(numbers(results[f"deals, PPML, both, {km:g} km"].percent(), "partner")["percent"] for km in GRID)
                 for f in (min, max))  # fmt: skip
    said = f"Deals, PPML, over the same bandwidths without a distance term: both directions {low:.1f} to {high:.1f}%"
    assert any(s.startswith(said.replace("-", "\N{MINUS SIGN}")) for s in shown.sentences)


def test_without_other_outcomes_nothing_is_said_of_them(panel, results):
    alone = {key: x for key, x in results.items() if key.startswith("log(trade)")}
    shown = BANDWIDTH.show(about(), panel, alone)
    assert len(shown.figures) == len(shown.tables) == 1
    assert not any("over the same bandwidths" in s for s in shown.sentences)
