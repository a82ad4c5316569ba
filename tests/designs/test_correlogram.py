from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tradelift.designs import task_json
from tradelift.designs.correlogram import NO_FLOW, NO_RESIDUAL, ResidualCorrelogram, _by_pair, residual_correlogram
from tradelift.designs.correlogram_finding import SHARE, Correlogram
from tradelift.designs.correlogram_fit import Curve, Variogram
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

DIGITS = 1e-7  # of PPML and of gaps filled in turn against dummies
NEAR_WORLD, FAR_WORLD, NO_WORLD = AffinityWorld(length_km=250.0), AffinityWorld(), AffinityWorld(spread=0.0)
SEEDS = range(2000, 2060)  # not those of the committed table
# the shares that the issue asks for; of 60 draws a share of .8 has a Monte Carlo error of .05, one of .1 of .04
FIRES, KEEPS_QUIET = 0.8, 0.1


@pytest.fixture(scope="module")
def panels():
    return {w: draw_affinity_world(w, 1).panel for w in (NEAR_WORLD, FAR_WORLD, NO_WORLD)}


def as_frames(panel):
    r = panel.regions
    regions = pd.DataFrame({"region": r.ids, "longitude": r.longitude, "latitude": r.latitude})
    if r.sides is not None:
        regions["side"] = np.array(r.sides)[r.side]
    flows = panel.to_arrow().select(["origin", "destination", "period", "trade"]).to_pandas()
    partners = pd.DataFrame({"east": r.ids[panel.programme.first], "west": r.ids[panel.programme.second]})
    return flows, regions, partners


def one_sided(seed=1, n=30, periods=2, length=800.0):
    """A panel without sides, with flows within regions, gaps, zeros and partners."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 15, (n, 2))
    km = 111.19 * np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))
    root = np.linalg.cholesky(np.exp(-(km**2) / (2 * length**2)) + 1e-9 * np.eye(n))
    field = root @ rng.standard_normal((n, n)) @ root.T
    ids = [f"r{k:02d}" for k in range(n)]
    rows = [
        (ids[i], ids[j], t, 50.0 * np.exp(field[i, j] + 0.3 * rng.standard_normal()) * (rng.random() > 0.02))
        for i in range(n) for j in range(n) for t in range(periods) if rng.random() > 0.05
    ]  # fmt: skip
    flows = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"])
    regions = pd.DataFrame({"region": ids, "longitude": x[:, 0], "latitude": x[:, 1], "area_km2": 1000.0})
    partners = pd.DataFrame({"one": ids[:4], "other": ids[4:8]})
    return flows, regions, partners


def test_it_warns_of_a_field_that_changes_fast(panels):
    found = residual_correlogram(panels[NEAR_WORLD])
    assert found.half_km == pytest.approx(250 * np.sqrt(2 * np.log(2)), rel=0.15)
    assert found.warns
    assert f"halved at {found.half_km:,.0f} km, and the bandwidth of 150 km is more than 0.4 times" in found.sentence
    assert f"within {SHARE * found.half_km:,.0f} km" in found.sentence
    assert not residual_correlogram(panels[NEAR_WORLD], bandwidth_km=100).warns


def test_it_does_not_warn_of_a_wide_field_but_at_a_wide_bandwidth(panels):
    found = residual_correlogram(panels[FAR_WORLD])
    assert not found.warns
    assert "at most 0.4 times that" in found.sentence
    assert residual_correlogram(panels[FAR_WORLD], bandwidth_km=300).warns


def test_it_does_not_warn_where_there_is_no_field(panels):
    found = residual_correlogram(panels[NO_WORLD])
    assert (found.curve, found.warns, np.isnan(found.half_km)) == (None, False, True)
    assert "no more alike" in found.sentence
    frame = found.frame()
    assert frame["fitted"].isna().all()
    assert np.abs(frame["correlation"]).max() < 0.1
    assert found.tidy()["p_value"][0] > 0.01


def test_every_sentence_claims_no_more_than_it_can(panels):
    for panel in panels.values():
        words = residual_correlogram(panel).sentence
        assert "cannot exclude" in words
        assert "bias" not in words


def test_the_frame_has_both_sides_and_their_mean(panels):
    frame = residual_correlogram(panels[FAR_WORLD], bin_km=100, reach_km=1200).frame()
    assert list(frame["to_km"]) == [100.0 * k for k in range(1, 13)]
    assert (frame["products"] == frame["products_east"] + frame["products_west"]).all()
    mean = frame["correlation_east"] * frame["products_east"] + frame["correlation_west"] * frame["products_west"]
    np.testing.assert_allclose(frame["correlation"], mean / frame["products"])
    assert frame["correlation"].iloc[0] > 0.4
    assert abs(frame["correlation"].iloc[-1]) < 0.2
    np.testing.assert_allclose(frame["fitted"][:6], frame["correlation"][:6], atol=0.05)


def test_partners_are_left_out(panels):
    flows, regions, partners = as_frames(panels[FAR_WORLD])
    pairs = set(zip(partners["east"], partners["west"], strict=True))
    is_partner = [
        (o, d) in pairs or (d, o) in pairs for o, d in zip(flows["origin"], flows["destination"], strict=True)
    ]
    wild = flows.assign(trade=np.where(is_partner, 1e6, flows["trade"]))
    given = {"regions": regions, "partners": partners}
    usual, other = (residual_correlogram(tl.Panel.from_frame(f, **given)) for f in (flows, wild))
    assert other.half_km == pytest.approx(usual.half_km, rel=DIGITS)
    assert usual.n_pairs == 2 * (87 * 110 - 128)


def test_residuals_by_pair_are_means_of_those_of_dummies():
    flows, regions, partners = one_sided()
    panel = tl.Panel.from_frame(flows, regions=regions, partners=partners)
    predicted = ResidualCorrelogram()._gravity(programme=True, domestic=True).predict(panel)
    residual, dropped = _by_pair(panel, predicted)
    ids = {region: k for k, region in enumerate(panel.regions.ids)}
    i, j = flows["origin"].map(ids).to_numpy(), flows["destination"].map(ids).to_numpy()
    number = {(o, d): p for p, (o, d) in enumerate(zip(panel.pairs.origin, panel.pairs.destination, strict=True))}
    pair = np.array([number[o, d] for o, d in zip(i, j, strict=True)])
    partner = (np.minimum(i, j) < 4) & (np.maximum(i, j) == np.minimum(i, j) + 4)
    sample = (i != j) & ~partner
    keep = sample & (flows["trade"] > 0).to_numpy()
    i, j, t, pair_used = i[keep], j[keep], flows["period"].to_numpy()[keep], pair[keep]
    km = panel.pairs.columns["distance_km"][pair_used]
    x = np.column_stack([np.log(km), np.eye(60)[2 * i + t], np.eye(60)[2 * j + t]])
    y = np.log(flows["trade"].to_numpy()[keep])
    own = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    mean = pd.Series(own).groupby(pair_used).mean()
    np.testing.assert_allclose(residual[mean.index], mean, atol=DIGITS)
    assert np.isfinite(residual).sum() == len(mean)
    assert dropped == {NO_RESIDUAL: len(np.setdiff1d(pair[sample], pair_used))}
    assert dropped[NO_RESIDUAL] > 0


def test_one_sided_panels_have_one_curve():
    flows, regions, partners = one_sided()
    found = residual_correlogram(tl.Panel.from_frame(flows, regions=regions, partners=partners))
    assert found.sides == ("both",)
    assert not {"correlation_east", "correlation_both"} & set(found.frame())
    assert found.half_km > 500
    assert found.likeness > 5


def test_ppml_residuals_are_logs_of_flows_over_fitted_flows(panels):
    flows, regions, partners = as_frames(panels[FAR_WORLD])
    silent = (flows["origin"] == "e000") & (flows["destination"] == "w000")
    panel = tl.Panel.from_frame(
        flows.assign(trade=np.where(silent, 0.0, flows["trade"])), regions=regions, partners=partners
    )
    found = residual_correlogram(panel, outcome="trade")
    assert found.dropped[NO_FLOW] == 1
    assert found.half_km == pytest.approx(residual_correlogram(panel).half_km, rel=0.1)
    predicted = tl.Gravity(treatment=None, where={"control_type": [1, 2, 3, 4]}).predict(panel)
    residual = _by_pair(panel, predicted)[0]
    table = predicted.frame().dropna()
    first = table[(table["origin"] == "e001") & (table["destination"] == "w002")].iloc[0]
    ids = list(panel.regions.ids)
    pair = (panel.pairs.origin == ids.index("e001")) & (panel.pairs.destination == ids.index("w002"))
    assert residual[pair][0] == pytest.approx(np.log(first["outcome"] / first["fitted"]), rel=DIGITS)


def test_incomplete_panels_count_what_they_lack(panels):
    flows, regions, partners = as_frames(panels[NEAR_WORLD])
    some = flows.sample(frac=0.5, random_state=1)
    zero = some.assign(trade=np.where(np.arange(len(some)) % 10 == 0, 0.0, some["trade"]))
    found = residual_correlogram(tl.Panel.from_frame(zero, regions=regions, partners=partners))
    controls = found.n_pairs + found.dropped[NO_RESIDUAL]
    assert found.dropped[NO_RESIDUAL] >= 0.09 * controls
    assert found.warns


def test_a_region_without_residuals_does_not_count():
    flows, regions, partners = one_sided()
    more = pd.concat([regions, regions.assign(region="x" + regions["region"])], ignore_index=True)
    usual, other = (
        residual_correlogram(tl.Panel.from_frame(flows, regions=r, partners=partners)) for r in (regions, more)
    )
    assert other.likeness == pytest.approx(usual.likeness, rel=DIGITS)


def test_a_direction_and_a_panel_without_a_programme(panels):
    panel = panels[NEAR_WORLD]
    found = residual_correlogram(panel, direction="west->east")
    assert (found.direction, found.warns, found.sides) == ("west->east", True, ("east", "west"))
    flows, regions, _ = as_frames(panel)
    bare = residual_correlogram(tl.Panel.from_frame(flows, regions=regions))
    assert bare.n_pairs == panel.n_cells
    assert bare.warns


def test_months_are_averaged():
    panel = draw_affinity_world(replace(NEAR_WORLD, periods=3), 2).panel
    found = residual_correlogram(panel)
    assert (found.n_obs, found.n_pairs) == (3 * found.n_pairs, 2 * (87 * 110 - 128))
    assert found.warns


def by_hand(half_km, **values):
    length = half_km / np.sqrt(2 * np.log(2))
    empty = Variogram(distance_km=np.array([50.0]), level=np.array([1.0]), count=np.array([1.0]))
    usual = {
        "outcome": "log(trade)", "direction": "both", "sample": "all", "bandwidth_km": 150.0, "sides": ("both",),
        "edges_km": np.array([0.0, 1000.0]), "variograms": (empty,), "likeness": 9.0, "n_obs": 1, "n_pairs": 1,
        "dropped": {}, "curve": Curve(length_km=length, noise=1.0, smooth=(1.0,)),
    }  # fmt: skip
    return Correlogram(**(usual | values))


def test_the_rule_by_hand():
    assert by_hand(374.0).warns
    assert not by_hand(376.0).warns
    beyond = by_hand(1001.0)
    assert (beyond.half_km, beyond.warns) == (np.inf, False)
    assert "halved at more than 1,000 km" in beyond.sentence
    row = by_hand(374.0).tidy().iloc[0]
    assert (row["term"], row["estimate"], row["statistic"]) == ("half_km", pytest.approx(374.0), 9.0)


def test_it_is_a_task(panels):
    assert '"bandwidth_km": 150.0' in task_json(ResidualCorrelogram())
    found = ResidualCorrelogram(controls=["log(distance_km)"]).estimate(panels[NEAR_WORLD])
    assert (found.design, found.se_type) == ("ResidualCorrelogram", "relabelling of regions")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bandwidth_km": 0}, r"bandwidth_km is a distance in km, above 0; found 0\."),
        ({"bin_km": "50"}, r"bin_km is a distance in km, above 0; found '50'\."),
        ({"reach_km": np.inf}, r"reach_km is a distance in km"),
        ({"reach_km": 300}, r"fewer than 8 bins of bin_km=50; make the bins narrower"),
        ({"controls": "log(distance_km)"}, r"controls must be a list"),
        ({"family": "poisson"}, r"contradicts the outcome log\(trade\)"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(tl.DesignError, match=message):
        ResidualCorrelogram(**options)


def test_coordinates_are_needed():
    flows, regions, _ = one_sided()
    with pytest.raises(tl.DesignError, match="needs coordinates: give the regions columns"):
        residual_correlogram(tl.Panel.from_frame(flows, regions=regions[["region"]]))


def test_enough_regions_are_needed():
    flows, regions, _ = one_sided()
    few = flows[(flows["origin"] < "r07") & (flows["destination"] < "r07")]
    with pytest.raises(tl.DesignError, match=r"at least 8 regions of a side; with residuals: 7 \(both\)"):
        residual_correlogram(tl.Panel.from_frame(few, regions=regions))


def test_near_regions_are_needed():
    flows, regions, _ = one_sided()
    wide = regions.assign(longitude=regions["longitude"] * 10, latitude=regions["latitude"] * 5)
    with pytest.raises(tl.DesignError, match="No two regions of a side with residuals are within 2 km"):
        residual_correlogram(tl.Panel.from_frame(flows, regions=wide), bin_km=1, reach_km=8)


def test_residuals_are_needed():
    flows, regions, _ = one_sided()
    with pytest.raises(tl.DesignError, match="The residuals are all zero"):
        residual_correlogram(tl.Panel.from_frame(flows.assign(trade=2.0), regions=regions))


def test_cells_are_needed(panels, tmp_path):
    panels[FAR_WORLD].to_parquet(tmp_path)
    _, regions, partners = as_frames(panels[FAR_WORLD])
    stored = tl.Panel.from_parquet(tmp_path, regions=regions, partners=partners)
    with pytest.raises(tl.DesignError, match="predict"):
        residual_correlogram(stored)


@pytest.mark.slow
@pytest.mark.parametrize("selection", [0.0, 2.0])
def test_the_warning_parts_250_from_500_km_and_from_none(selection):
    shares = {
        w: np.mean([
            residual_correlogram(draw_affinity_world(replace(w, selection=selection), seed).panel).warns
            for seed in SEEDS
        ])
        for w in (NEAR_WORLD, FAR_WORLD, NO_WORLD)
    }  # fmt: skip
    assert shares[NEAR_WORLD] >= FIRES
    assert shares[FAR_WORLD] <= KEEPS_QUIET
    assert shares[NO_WORLD] <= KEEPS_QUIET


def test_it_is_public():
    assert tl.residual_correlogram is residual_correlogram


def test_it_prints_what_it_says():
    found = tl.residual_correlogram(draw_affinity_world(AffinityWorld(), 1).panel)
    head, sentence = str(found).split("\n", 1)
    assert head == "Residual correlogram: log(trade), both, 18,884 directed pairs; dropped: none"
    assert sentence == found.sentence
