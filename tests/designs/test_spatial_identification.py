"""What identifies, and what is refused because nothing does."""

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, rebuilt, two_sided
from tradelift.designs.spatial import Near, near_pairs
from tradelift.worlds.cities import distances_km, read_side
from tradelift.worlds.completion import known_partners

H = 500


def small(**options):
    return two_sided(**({"seed": 3, "n_east": 9, "n_west": 10, "partners": 14, "mean": 50.0} | options))[0]


def known_map():
    """The real map with the 88 known pairs; flows of one month, which say nothing of what identifies."""
    east, west = read_side("east"), read_side("west")
    ids = [*east.city, *west.city]
    distance = distances_km(east, west)
    flows = pd.DataFrame(
        [(w, e, 1.0 + (7 * i + 3 * j) % 11) for j, w in enumerate(west.city) for i, e in enumerate(east.city)],
        columns=["origin", "destination", "trade"],
    )
    assert len(flows) == distance.size
    regions = pd.DataFrame(
        {
            "region": ids,
            "side": ["east"] * len(east) + ["west"] * len(west),
            "longitude": [*east.longitude, *west.longitude],
            "latitude": [*east.latitude, *west.latitude],
        }
    )
    partners = pd.DataFrame([(p.east, p.west) for p in known_partners()], columns=["east", "west"])
    return tl.Panel.from_frame(flows, regions=regions, partners=partners)


@pytest.fixture(scope="module")
def real():
    return known_map()


@pytest.mark.parametrize(
    ("neighbours", "bandwidth", "left", "effective"),
    [
        ("west", 150, 0.16, 21),
        ("east", 150, 0.33, 33),
        ("both", 150, 0.38, 39),
        ("both", 250, 0.63, 62),
        ("corners", 250, 0.74, 74),
    ],
)
def test_the_real_map_identifies_as_much_as_the_method_notes_say(real, neighbours, bandwidth, left, effective):
    got = tl.SpatialRD(neighbours=neighbours, bandwidth_km=bandwidth, controls=[]).estimate(real)
    found = got.diagnostics.identification
    assert found.variance_left == pytest.approx(left, abs=0.0055)
    assert found.effective_partners == pytest.approx(effective, abs=0.6)
    assert sum(p.share for p in found.partners) == pytest.approx(1)
    assert sum(p.weight for p in found.partners) == pytest.approx(1)


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_identification_by_brute_force(outcome):
    panel = small(missing=0.05)
    design = tl.SpatialRD(outcome=outcome, bandwidth_km=H)
    found = design.estimate(panel).diagnostics.identification
    comparison = design.compare(panel)
    from tradelift.solve.stack import fit_stack

    detail = fit_stack(comparison.problem).detail[0]
    problem = comparison.problem
    t, row = np.nonzero(detail.sample)
    z = np.concatenate(
        [
            np.eye(int(c.max()) + 1)[c]
            for c in (np.unique(t * 1000 + e[row], return_inverse=True)[1] for e in problem.effects)
        ],
        axis=1,
    )
    w = np.broadcast_to(problem.weights, detail.sample.shape)[t, row]
    w = w * detail.fitted[t, row] if outcome == "trade" else w
    d, x = (problem.regressors[k, 0][row] for k in (0, 1))
    root = np.sqrt(w)[:, None]

    def net(value, on):
        return value - on @ np.linalg.lstsq(on * root, value * root[:, 0], rcond=1e-10)[0]

    r, partial = net(d, z), net(d, np.c_[z, x])
    alone = (problem.weights > 0) & ~detail.sample
    lost = (np.broadcast_to(problem.weights, alone.shape) * (problem.outcome if outcome == "trade" else 1.0))[alone]
    lost = (lost * np.broadcast_to(problem.regressors[0], alone.shape)[alone] ** 2).sum()
    assert found.variance_left == pytest.approx((w * r**2).sum() / ((w * d**2).sum() + lost), rel=1e-7)
    near = near_pairs(panel, Near(bandwidth_km=H))
    own = near.is_partner[row]
    partner = near.partner_row[near.group[row[own]]]
    shares = np.bincount(partner, weights=(w * r**2)[own])
    weights = np.bincount(partner, weights=(w * partial * d)[own])
    assert found.effective_partners == pytest.approx(shares.sum() ** 2 / (shares**2).sum(), rel=1e-7)
    names = [
        tuple(map(str, panel.regions.ids[[panel.programme.first[p], panel.programme.second[p]]]))
        for p in np.unique(partner)
    ]
    assert [(p.first, p.second) for p in found.partners] == names
    np.testing.assert_allclose(
        [p.share for p in found.partners], (shares / shares.sum())[np.unique(partner)], rtol=1e-6
    )
    np.testing.assert_allclose(
        [p.weight for p in found.partners], (weights / weights.sum())[np.unique(partner)], rtol=1e-6
    )
    assert found.frame()["share"].is_monotonic_decreasing


def test_weights_are_those_of_the_partners_own_effects():
    panel = small(mean=500.0)
    frame = panel.to_arrow().to_pandas()
    want = tl.SpatialRD(bandwidth_km=H).estimate(panel)
    assert want.dropped["not_positive"] == 0
    one = want.diagnostics.identification.partners[2]
    pair = frame["origin"].isin([one.first, one.second]) & frame["destination"].isin([one.first, one.second])
    frame.loc[pair, "trade"] *= np.exp(0.5)
    raised = rebuilt(panel, frame[["origin", "destination", "period", "trade"]])
    got = tl.SpatialRD(bandwidth_km=H).estimate(raised)
    assert got.coefficients[0] - want.coefficients[0] == pytest.approx(0.5 * one.weight, rel=1e-8)


def test_it_is_printed_with_the_estimate():
    text = str(tl.SpatialRD(bandwidth_km=300).estimate(small()))
    assert "Identified by" in text
    assert "groups contribute" in text
    assert "effective partner pairs of" in text
    assert "Near pairs left out: partners themselves" in text
    assert "near controls within 300 km, triangular, neighbours both" in text


@pytest.mark.parametrize("types", [[1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]])
def test_control_types_that_do_not_identify_are_refused(types):
    panel = small()
    if types == [1]:  # a pair that shares a city with the partner pair is never of type 1
        with pytest.raises(tl.DesignError, match=r"No partner pair has a near control.* of another control type"):
            tl.SpatialRD(bandwidth_km=900, control_types=types).estimate(panel)
        return
    with pytest.raises(
        tl.DesignError, match=r"never of type 1, and only sets that hold type 4 identify. Add type 4"
    ) as refused:
        tl.SpatialRD(bandwidth_km=900, control_types=types).estimate(panel)
    assert set(refused.value.dropped) >= {"missing", "singleton"}
    coarse = tl.SpatialRD(bandwidth_km=900, control_types=types, effects=["group^period"]).estimate(panel)
    assert coarse.terms[0] == "partner"


def test_corners_admit_types_without_4():
    panel = small()
    design = tl.SpatialRD(bandwidth_km=900, control_types=[1, 2, 3], neighbours="corners")
    got = design.estimate(panel)
    assert "not told apart from both cities taking part" in str(got)
    for types in ([1, 2], [1, 3], [2, 3], [1]):
        with pytest.raises(tl.DesignError, match="it is a sum of city and group effects"):
            tl.SpatialRD(bandwidth_km=900, control_types=types, neighbours="corners").estimate(panel)


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_a_lone_star_is_refused(outcome):
    panel = small(partners=1)
    assert len(near_pairs(panel, Near(bandwidth_km=900))) > 4
    with pytest.raises(
        tl.DesignError, match="alone are fitted by the effects whole: the effect is identified where groups overlap"
    ):
        tl.SpatialRD(outcome=outcome, bandwidth_km=900).estimate(panel)
    assert tl.SpatialRD(outcome=outcome, bandwidth_km=900, effects=["group^period"]).estimate(panel).n_obs


def test_groups_without_a_partner_observation_are_counted():
    panel = small(mean=0.6)
    got = tl.SpatialRD(bandwidth_km=H).estimate(panel)
    assert got.dropped["no_partner"] > 0
    found = got.diagnostics.identification
    near = near_pairs(panel, Near(bandwidth_km=H))
    assert found.groups + sum(found.lost_groups.values()) == 28
    assert found.lost_groups["no observation left"] == near.n_groups - found.groups


def test_panels_that_cannot_be_estimated_are_refused(tmp_path):
    panel, frame, _ = two_sided(seed=3)
    with pytest.raises(tl.DesignError, match="No partner pair has a near control"):
        tl.SpatialRD(bandwidth_km=1).estimate(panel)
    with pytest.raises(tl.DesignError, match="There is no direction 'north'"):
        tl.SpatialRD(direction="north").estimate(panel)
    nothing = rebuilt(panel, frame.assign(trade=0.0))
    with pytest.raises(tl.DesignError, match=r"No observation is left of .*not_positive"):
        tl.SpatialRD(bandwidth_km=H).estimate(nothing)
    with pytest.raises(tl.DesignError, match="PPML needs flows that are not negative; 'trade' is negative in"):
        tl.SpatialRD(outcome="trade", bandwidth_km=H).estimate(rebuilt(panel, frame.assign(trade=-1.0)))
    with pytest.raises(tl.DesignError, match="partner pairs lost: not in the panel 12"):
        tl.SpatialRD(direction="west->east").estimate(rebuilt(panel, frame[frame["origin"].str.startswith("e")]))
    panel.to_parquet(tmp_path)
    stored = tl.Panel.from_parquet(tmp_path)
    with pytest.raises(tl.DesignError, match="'SpatialRD' needs all cells in memory"):
        tl.SpatialRD().estimate(stored)
    with pytest.raises(tl.DesignError, match="Near controls stand beside partner pairs"):
        tl.SpatialRD().estimate(tl.Panel.from_frame(frame))
    assert tl.SpatialRD(bandwidth_km=900).estimate(one_sided(n=12)[0]).terms[0] == "partner"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance_terms": "d"}, r"distance_terms must be a list; write distance_terms=\['d'\]"),
        ({"distance_terms": ["d3"]}, "distance_terms are among d, d2; found 'd3'"),
        ({"distance_terms": ["d"], "bandwidth_km": None, "contiguous": True}, "distance_terms need distances"),
        ({"correction": "weidner-zylkin"}, "correction='weidner-zylkin' is for gravity"),
        ({"vcov": "maximal"}, "There is no vcov 'maximal'"),
        ({"vcov": None}, "vcov is a scheme or a list of columns"),
        ({"vcov": ["a", "b", "c"]}, "vcov takes one or two columns"),
        ({"outcome": "log(trade)", "family": "poisson"}, "contradicts the outcome"),
        ({"outcome": 3}, "outcome is a column"),
        ({"by": 3}, "by names a column"),
        ({"controls": [3]}, "controls are names; found 3"),
        ({"where": "2017"}, "where gives a value or values"),
        ({"kernel": "gaussian"}, "There is no kernel 'gaussian'"),
        ({"control_types": [0]}, "control_types are among 1, 2, 3 and 4; found 0"),
    ],
)
def test_designs_that_contradict_themselves_are_refused(options, message):
    with pytest.raises(tl.DesignError, match=message):
        tl.SpatialRD(**options)


def test_effects_that_are_not_by_period_are_refused():
    with pytest.raises(
        tl.DesignError, match=r"Effects of a stack are by period, which 'group' is not; write 'group\^period'"
    ):
        tl.SpatialRD(bandwidth_km=H, effects=["group"]).estimate(small())
    with pytest.raises(
        tl.DesignError, match=r"The effect 'shock\^period' of a stack is made of 'shock', which moves in time"
    ):
        tl.SpatialRD(bandwidth_km=H, effects=["group^period", "shock^period"]).estimate(small())
    by_month = tl.SpatialRD(bandwidth_km=H, effects=["period"]).estimate(small())
    assert by_month.diagnostics.effect_rank == 4


def test_it_is_a_design_as_any_other():
    design = tl.SpatialRD(bandwidth_km=H, distance_terms=["d"])
    assert (
        design.formula
        == "log(trade) ~ partner + log(distance_km) + d | group^period + origin^period + destination^period"
    )
    assert hash(design) == hash(tl.SpatialRD(bandwidth_km=H, distance_terms=("d",)))
    got = design.estimate(small())
    assert got.design == "SpatialRD"
    assert got.formula.startswith("log(trade) ~ partner + log(distance_km) + `d[east]` + `d[west]` | group^period")
    assert got.tidy()["term"].tolist() == list(got.terms)
    assert got.with_vcov("two-way", "clusters").se_type == "two-way"
    assert got.combine({"d[east]": 1, "d[west]": -1}).estimate == pytest.approx(
        got.coefficients[2] - got.coefficients[3]
    )
    assert got.percent()["percent"][0] == pytest.approx(100 * np.expm1(got.coefficients[0]))
    from tradelift.designs import task_json

    assert '"bandwidth_km": 500' in task_json(design)
