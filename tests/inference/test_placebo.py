import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, rebuilt, two_sided
from tradelift.designs import task_json
from tradelift.designs.spatial import Near
from tradelift.errors import DesignError
from tradelift.geography import great_circle_km
from tradelift.inference import PlaceboPartners, PlaceboPeriods
from tradelift.inference.placebo import NO_CONTROL, SHARED, has_periods_before, placebo_partners

SAME = 1e-9  # two ways to the same rows, in floats
WIDE = 700.0  # km: the small panels have few regions


def nearest_controls(panel, listed, limit=WIDE):
    """Of each partner pair, by loops over the regions: the nearest pair that differs in one city and is no partner."""
    r = panel.regions
    place = {name: (r.longitude[k], r.latitude[k], r.side[k]) for k, name in enumerate(r.ids)}
    partners = {frozenset(pair) for pair in listed}

    def km(a, b):
        return float(great_circle_km(place[a][0], place[a][1], place[b][0], place[b][1]))

    out = {}
    for east, west in listed:
        found = []
        for other in place:
            for pair, own in (((other, west), east), ((east, other), west)):
                if place[other][2] == place[own][2] and other != own and frozenset(pair) not in partners:
                    found.append((km(other, own), pair))
        distance, pair = min(found)
        if distance < limit:
            out[east, west] = (distance, pair)
    return out


def test_the_nearest_control_plays_each_partner():
    panel, _, listed = two_sided(seed=4)
    found = placebo_partners(panel, Near(bandwidth_km=WIDE))
    expected = nearest_controls(panel, listed)
    ids = panel.regions.ids
    played = {(ids[a], ids[b]) for a, b in zip(found.programme.first, found.programme.second, strict=True)}
    assert played == {pair for _, pair in expected.values()}
    assert found.lost == {NO_CONTROL: 12 - len(expected), SHARED: len(expected) - len(played)}
    assert found.lost[SHARED] > 0
    nearest = {}
    for distance, pair in expected.values():
        nearest[pair] = min(distance, nearest.get(pair, np.inf))
    assert sorted(found.distance_km) == pytest.approx(sorted(nearest.values()))


def test_placebo_partners_are_what_a_panel_without_the_partners_gives():
    panel, frame, listed = two_sided(seed=5, periods=3)
    near = Near(bandwidth_km=WIDE)
    played = sorted({pair for _, pair in nearest_controls(panel, listed).values()})
    own = {frozenset(pair) for pair in listed}
    kept = [frozenset(pair) not in own for pair in zip(frame["origin"], frame["destination"], strict=True)]
    without = rebuilt(panel, frame[kept], pd.DataFrame(played, columns=["east", "west"]))
    for design in (
        tl.SpatialRD(bandwidth_km=WIDE),
        tl.SpatialRD(outcome="trade", bandwidth_km=WIDE, direction="west->east"),
        tl.Gravity(outcome="log(trade)"),
    ):
        found = PlaceboPartners(design=design, near=near).estimate(panel)
        expected = design.estimate(without)
        assert found.coefficients == pytest.approx(expected.coefficients, rel=SAME)
        assert found.std_errors == pytest.approx(expected.std_errors, rel=SAME)
        assert (found.n_obs, found.n_pairs) == (expected.n_obs, expected.n_pairs)
        assert found.sample.startswith("placebo partners, ")
        assert f"{len(played)} placebo partner pairs" in found.diagnostics.notes[-1]


def test_periods_before_the_start_are_what_an_earlier_panel_gives():
    panel, frame, listed = two_sided(seed=6, periods=5, start="2017-04")
    early = frame[frame["period"] < "2017-04"]
    before = rebuilt(panel, early)
    for design in (tl.SpatialRD(bandwidth_km=WIDE), tl.SpatialRD(outcome="trade", bandwidth_km=WIDE)):
        found, expected = PlaceboPeriods(design=design).estimate(panel), design.estimate(before)
        assert found.coefficients == pytest.approx(expected.coefficients, rel=SAME)
        assert found.std_errors == pytest.approx(expected.std_errors, rel=SAME)
        assert found.sample.startswith("periods before the start, ")


def test_each_partnership_ends_its_placebo_before_its_own_start():
    starts = ["2017-03", "2017-04", "2017-01"] * 4
    panel, frame, listed = two_sided(seed=7, periods=5, start=starts)
    last = {"2017-03": "2017-02", "2017-04": "2017-03", "2017-01": "2016-12"}
    partners = pd.DataFrame(listed, columns=["east", "west"]).assign(
        start=["2016-01" if s == "2017-01" else "2017-01" for s in starts], end=[last[s] for s in starts]
    )
    before = rebuilt(panel, frame, partners)
    design = tl.SpatialRD(bandwidth_km=WIDE)
    found, expected = PlaceboPeriods(design=design).estimate(panel), design.estimate(before)
    assert found.coefficients == pytest.approx(expected.coefficients, rel=SAME)
    assert found.n_obs == expected.n_obs
    assert found.diagnostics.notes[-1] == "8 of 12 partnerships have periods before their start."


def test_one_side_has_placebo_partners_too():
    panel = one_sided(seed=2)[0]
    found = placebo_partners(panel, Near(bandwidth_km=2000.0))
    own = {frozenset(p) for p in zip(panel.programme.first, panel.programme.second, strict=True)}
    played = {frozenset(p) for p in zip(found.programme.first, found.programme.second, strict=True)}
    assert played
    assert not played & own


def test_without_periods_before_it_is_refused():
    panel = two_sided(seed=2)[0]
    assert not has_periods_before(panel)
    with pytest.raises(DesignError, match=r"No partnership starts within the data.*earlier periods"):
        PlaceboPeriods(design=tl.SpatialRD()).estimate(panel)


def test_without_near_controls_it_is_refused():
    panel = two_sided(seed=2)[0]
    with pytest.raises(DesignError, match="No partner pair has a near control"):
        PlaceboPartners(design=tl.Gravity(), near=Near(bandwidth_km=1.0)).estimate(panel)


def test_tasks_that_differ_have_different_texts():
    tasks = [
        PlaceboPartners(design=tl.SpatialRD()),
        PlaceboPartners(design=tl.Gravity()),
        PlaceboPartners(design=tl.SpatialRD(), near=Near(bandwidth_km=100.0)),
        PlaceboPeriods(design=tl.SpatialRD()),
    ]
    assert len({task_json(x) for x in tasks}) == len(tasks)
