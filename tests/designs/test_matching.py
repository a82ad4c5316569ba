"""Matching and imputation against plain loops with dummies, and what is refused and counted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.by_hand import averaged
from tests.designs.panels import one_sided, two_sided
from tradelift.designs.spatial.alternatives import Imputation
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

EXACT = 1e-8  # conjugate gradients beside dense algebra of dummies, on numbers about 1
HALF_EMPTY = {"missing": 0.15, "mean": 3.0}


def columns(panel):
    """Log trade, NaN where there is none, and log distance, by cell."""
    trade = panel.outcome("trade")
    logs = np.log(np.where(trade > 0, trade, 1.0))
    km = panel.pairs.columns["distance_km"][panel.pair_of_cell]
    return np.where(trade > 0, logs, np.nan), np.log(np.where(km > 0, km, 1.0))


def rebuilt(panel, frame, chosen, **options):
    """Another panel of the same regions."""
    regions = pd.DataFrame(
        {
            "region": panel.regions.ids,
            "side": np.array(panel.regions.sides)[panel.regions.side],
            "longitude": panel.regions.longitude,
            "latitude": panel.regions.latitude,
        }
    )
    return tl.Panel.from_frame(frame, regions=regions, partners=chosen, **options)


def check(found, hand, panel):
    """Hold an estimate to the loops: effect, slope, number of differences, influence of each pair."""
    assert found.coefficients[0] == pytest.approx(hand.effect, abs=EXACT)
    assert found.diagnostics.matches.slopes["log(distance_km)"] == pytest.approx(hand.slope, abs=EXACT)
    expected = [hand.pairs.get(pair, 0.0) for pair in zip(panel.pairs.origin, panel.pairs.destination, strict=True)]
    np.testing.assert_allclose(found.influence.pairs[:, 0], expected, atol=EXACT)


@pytest.mark.parametrize("nearest", [1, 2, 20])
@pytest.mark.parametrize(
    ("neighbours", "sides"), [("both", (0, 1)), ("east", (0,)), ("west", (1,))]
)  # the first side is the east
def test_matching_is_what_loops_and_dummies_give(nearest, neighbours, sides):
    panel, _, _ = two_sided(periods=3, **HALF_EMPTY)
    y, x = columns(panel)
    found = tl.Matching(nearest=nearest, neighbours=neighbours).estimate(panel)
    hand = averaged(panel, y, x, nearest=nearest, local=True, sides=sides)
    check(found, hand, panel)


@pytest.mark.parametrize("kernel", ["triangular", "uniform"])
@pytest.mark.parametrize("nearest", [None, 2])
def test_imputation_is_what_loops_and_dummies_give(kernel, nearest):
    panel, _, _ = two_sided(seed=3, periods=3, **HALF_EMPTY)
    y, x = columns(panel)
    found = Imputation(bandwidth_km=900, kernel=kernel, nearest=nearest).estimate(panel)
    hand = averaged(panel, y, x, nearest=nearest, local=False, bandwidth_km=900, kernel=kernel)
    check(found, hand, panel)


def test_partners_that_start_later_are_controls_before():
    panel, _, _ = two_sided(seed=5, periods=4, start=["2017-01", "2017-03"] * 6, **HALF_EMPTY)
    y, x = columns(panel)
    check(tl.Matching(nearest=2).estimate(panel), averaged(panel, y, x, nearest=2, local=True), panel)
    found = Imputation(bandwidth_km=900).estimate(panel)
    check(found, averaged(panel, y, x, nearest=None, local=False, bandwidth_km=900, kernel="triangular"), panel)
    never = Imputation(bandwidth_km=900, not_yet="never").estimate(panel)
    assert never.n_obs < found.n_obs


def test_without_sides():
    panel, _ = one_sided()
    whole = panel.pairs.origin != panel.pairs.destination
    y, x = columns(panel)
    y = np.where(whole[panel.pair_of_cell], y, np.nan)  # domestic flows have no distance
    found = tl.Matching(nearest=2).estimate(panel)
    check(found, averaged(panel, y, x, nearest=2, local=True), panel)
    assert found.dropped["zero_distance"] == 27


def test_variances_are_sums_of_the_influence():
    panel, _, _ = two_sided(periods=3, **HALF_EMPTY)
    y, x = columns(panel)
    hand = averaged(panel, y, x, nearest=1, local=True)
    found = tl.Matching(vcov="pair", correction="none").estimate(panel)
    by_pair, by_first = {}, {}
    for (o, d), value in hand.pairs.items():
        by_pair[frozenset((o, d))] = by_pair.get(frozenset((o, d)), 0.0) + value
        east = o if panel.regions.side[o] == 0 else d
        by_first[east] = by_first.get(east, 0.0) + value
    pair, first = (sum(v**2 for v in sums.values()) for sums in (by_pair, by_first))
    assert found.covariance[0, 0] == pytest.approx(pair, rel=EXACT)
    # one-way by eastern city is one of those whose largest counts
    assert found.with_vcov("max-two-way").covariance[0, 0] >= max(pair, first) * (1 - EXACT)
    residual_free = found.with_vcov("none").covariance[0, 0] / (hand.weights @ hand.weights)
    n, rank = found.n_obs - hand.n_differences, found.influence.rank - 1
    assert residual_free == pytest.approx(found.diagnostics.deviance / (n - rank), rel=EXACT)


def test_what_shifts_cities_and_periods_does_not_matter():
    panel, frame, chosen = two_sided(periods=3, **HALF_EMPTY)
    before = [design.estimate(panel).coefficients[0] for design in (tl.Matching(), Imputation(bandwidth_km=900))]
    rng = np.random.default_rng(0)
    shift = {key: rng.normal() for key in set(zip(frame["origin"], frame["period"], strict=True))}
    shift |= {
        key: rng.normal() for key in set(zip(frame["destination"], frame["period"], "d" * len(frame), strict=True))
    }
    moved = frame.assign(
        trade=[
            r.trade * np.exp(shift[r.origin, r.period] + shift[r.destination, r.period, "d"])
            for r in frame.itertuples()
        ]
    )
    again = rebuilt(panel, moved, pd.DataFrame(chosen, columns=["east", "west"]))
    after = [design.estimate(again).coefficients[0] for design in (tl.Matching(), Imputation(bandwidth_km=900))]
    np.testing.assert_allclose(after, before, atol=EXACT)


def test_every_observation_is_used_or_counted():
    panel, frame, _ = two_sided(periods=3, **HALF_EMPTY)
    found = tl.Matching().estimate(panel)
    assert found.n_obs + sum(found.dropped.values()) == len(frame)
    assert found.dropped["not_positive"] == (frame["trade"] == 0).sum()
    # a side with 8 cities has at most 7 other ones
    short = tl.Matching(nearest=8).estimate(panel).diagnostics.matches
    assert short.short > 0
    assert "Fewer controls than asked for" in str(short)
    assert found.diagnostics.matches.short == 0


def test_a_partner_pair_of_a_city_without_other_flows_is_counted():
    panel, frame, chosen = two_sided(periods=1)
    city = chosen[0][0]
    own = frame["origin"].eq(city) & ~frame["destination"].isin([w for e, w in chosen if e == city])
    frame = frame[~own]
    again = rebuilt(panel, frame, pd.DataFrame(chosen, columns=["east", "west"]))
    found = tl.Matching(nearest=2, direction="east->west").estimate(again)
    mine = sum(e == city for e, _ in chosen)
    assert found.dropped["singleton"] == mine
    assert found.diagnostics.matches.groups == len(chosen) - mine
    assert found.diagnostics.matches.lost_groups["no observation left"] == mine


def test_control_types_limit_controls_and_not_the_effects():
    panel, _, _ = two_sided(periods=2)
    every, some = tl.Matching().estimate(panel), tl.Matching(control_types=[2]).estimate(panel)
    assert some.diagnostics.matches.lost_pairs["of another control type"] > 0
    assert some.diagnostics.effect_rank == every.diagnostics.effect_rank


def test_where_limits_every_step():
    panel, _, _ = two_sided(periods=3)
    part = tl.Matching(where={"period": "2017-02"}).estimate(panel)
    assert part.n_obs == panel.n_cells // 3
    y, x = columns(panel)
    y = np.where(panel.cells.column("period") == 1, y, np.nan)
    assert part.coefficients[0] == pytest.approx(averaged(panel, y, x, nearest=1, local=True).effect, abs=EXACT)


@pytest.mark.parametrize("design", [tl.Matching(), Imputation(bandwidth_km=900)])
def test_a_direction_is_the_panel_of_its_flows(design):
    panel, frame, chosen = two_sided(periods=2, **HALF_EMPTY)
    one_way = frame[frame["origin"].str.startswith("w")]
    alone = rebuilt(panel, one_way, pd.DataFrame(chosen, columns=["east", "west"]))
    found, expected = replace(design, direction="west->east").estimate(panel), design.estimate(alone)
    np.testing.assert_allclose(found.coefficients, expected.coefficients, atol=EXACT)
    np.testing.assert_allclose(found.std_errors, expected.std_errors, atol=EXACT)
    assert (found.n_obs, found.dropped) == (expected.n_obs, expected.dropped)


@pytest.mark.parametrize("design", [tl.Matching(), Imputation(bandwidth_km=900)])
def test_categories_have_effects_and_differences_of_their_own(design):
    panel, frame, chosen = two_sided(periods=4, **HALF_EMPTY)
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    number = frame["period"].str[-2:].astype(int)
    split = frame.assign(period=(number + 1) // 2, category=np.where(number % 2, "food", "other"))
    found = design.estimate(rebuilt(panel, split, partners, category="category"))
    expected = design.estimate(rebuilt(panel, frame, partners))
    np.testing.assert_allclose(found.coefficients, expected.coefficients, atol=EXACT)
    np.testing.assert_allclose(found.std_errors, expected.std_errors, atol=EXACT)


@pytest.mark.parametrize("design", [tl.Matching(), Imputation(bandwidth_km=900)])
def test_doses_scale_the_effect(design):
    panel, frame, chosen = two_sided(periods=2)
    rng = np.random.default_rng(0)
    dose = {pair: rng.uniform(0.5, 2) for pair in chosen}
    size = {city: rng.normal() for city in panel.regions.ids}
    trade = [
        np.exp(size[r.origin] + 2 * size[r.destination] + 0.3 * sum(dose.get(p, 0.0) for p in both))
        for r in frame.itertuples()
        for both in [((r.origin, r.destination), (r.destination, r.origin))]
    ]
    partners = pd.DataFrame([(*pair, dose[pair]) for pair in chosen], columns=["east", "west", "dose"])
    found = design.estimate(rebuilt(panel, frame.assign(trade=trade), partners))
    assert found.coefficients[0] == pytest.approx(0.3, abs=EXACT)
    assert found.std_errors[0] < EXACT


def test_a_control_without_variation_is_named():
    panel, _, _ = two_sided(periods=2)
    ones = np.ones(len(panel.pairs))
    panel = replace(panel, pairs=replace(panel.pairs, columns={**panel.pairs.columns, "same": ones}))
    found = tl.Matching(controls=["log(distance_km)", "same"]).estimate(panel)
    assert found.diagnostics.omitted == ("same",)
    assert found.coefficients[0] == pytest.approx(tl.Matching().estimate(panel).coefficients[0], abs=EXACT)


@pytest.mark.parametrize("design", [tl.Matching, Imputation])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"vcov": ["origin"]}, "no refit and no columns"),
        ({"vcov": "jackknife"}, "no refit and no columns"),
        ({"vcov": "city"}, "no vcov 'city'"),
        ({"vcov": "directed-pair", "correction": "weidner-zylkin"}, "is for gravity"),
        ({"controls": "log(distance_km)"}, "controls must be a list"),
        ({"outcome": 1}, "outcome is a column"),
        ({"nearest": 0}, "at least 1"),
        ({"donut_km": -1.0}, "donut_km"),
        ({"control_types": [5]}, "control_types are among"),
    ],
)
def test_options_that_contradict_are_refused(design, options, says):
    with pytest.raises(tl.DesignError, match=says):
        design(**options)


def test_matching_needs_a_number():
    with pytest.raises(tl.DesignError, match="use Imputation"):
        tl.Matching(nearest=None)


@pytest.mark.parametrize("design", [tl.Matching(), Imputation()])
def test_panels_that_cannot_be_compared_are_refused(design, tmp_path):
    panel, _, chosen = two_sided(periods=2)
    with pytest.raises(tl.DesignError, match="Use outcome='log\\(trade\\)'"):
        replace(design, outcome="trade").estimate(panel)
    bare = replace(panel, regions=replace(panel.regions, longitude=None, latitude=None))
    with pytest.raises(tl.DesignError, match="need coordinates"):
        design.estimate(bare)
    with pytest.raises(tl.DesignError, match="give `partners`"):
        design.estimate(replace(panel, programme=None))
    wide, scattered = replace(design, bandwidth_km=2000.0), replace(panel, cells=replace(panel.cells, blocks=None))
    with pytest.raises(tl.DesignError, match="too scattered"):
        wide.estimate(scattered)
    panel.to_parquet(tmp_path)
    with pytest.raises(tl.DesignError, match="stays in its files"):
        design.estimate(tl.Panel.from_parquet(tmp_path, partners=pd.DataFrame(chosen, columns=["east", "west"])))


def test_no_difference_is_said_with_its_reasons():
    panel, _, _ = two_sided(periods=1)
    trade = panel.outcome("trade").copy()
    trade[panel.pairs.partnership[panel.pair_of_cell] >= 0] = 0.0
    none = replace(panel, cells=replace(panel.cells, columns={**panel.cells.columns, "trade": trade}))
    with pytest.raises(tl.DesignError, match="No partner pair can be compared") as refused:
        tl.Matching().estimate(none)
    assert refused.value.dropped["not_positive"] == 24


@pytest.mark.parametrize("design", [tl.Matching(), Imputation(bandwidth_km=900)])
def test_one_partner_pair_tells_no_error(design):
    panel, _, _ = two_sided(partners=1)
    with pytest.raises(tl.DesignError, match="Only one partner pair can be compared"):
        design.estimate(panel)


def test_the_error_of_a_mean_of_differences_alone_is_that_of_a_mean():
    """Flows that are the city effects exactly, but those of the partner pairs: differences are their own noise."""
    panel, frame, chosen = two_sided(periods=1, seed=6, partners=5)
    rng = np.random.default_rng(1)
    noise = {pair: rng.normal() for pair in chosen}
    trade = [np.exp(noise.get((r.origin, r.destination), 0.0)) for r in frame.itertuples()]
    again = rebuilt(panel, frame.assign(trade=trade), pd.DataFrame(chosen, columns=["east", "west"]))
    found = tl.Matching(direction="east->west", vcov="pair", correction="none").estimate(again)
    values = np.array(list(noise.values()))
    assert found.coefficients[0] == pytest.approx(values.mean(), abs=EXACT)
    assert found.std_errors[0] == pytest.approx(values.std(ddof=1) / np.sqrt(5), abs=EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("design", [tl.Matching(), Imputation()], ids=["matching", "imputation"])
def test_bias_is_small_and_intervals_cover_where_affinity_is_smooth(design):
    """200 worlds of 87 x 110 cities whose partners are chosen by an affinity that is smooth over 500 km."""
    world = AffinityWorld()
    draws = [design.estimate(draw_affinity_world(world, seed).panel).tidy().iloc[0] for seed in range(200)]
    found = pd.DataFrame(draws)
    assert abs(found["estimate"].mean() - world.effect) <= 0.02
    covered = (found["conf_low"] <= world.effect) & (found["conf_high"] >= world.effect)
    assert covered.mean() >= 0.91  # .95 less 2.6 standard errors of 200 draws
