import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, with_pyfixest
from tests.designs.panels import rebuilt, two_sided
from tradelift.designs.traits import trait_values
from tradelift.inference import ByTrait

DIGITS = 1e-6  # beside pyfixest, PPML to 1e-14 of the deviance and demeaning to 1e-12
TWIN = 1e-9  # the same design with columns of the user's
GAP = {"trait": "gap", "expression": "links + log(gdp[east] / gdp[west])"}  # not of cities alone


@pytest.fixture(scope="module")
def panel():
    source, frame, chosen = two_sided(missing=0.05)
    rng = np.random.default_rng(4)
    r = source.regions
    regions = pd.DataFrame({
        "region": r.ids, "side": np.array(["east", "west"])[r.side], "longitude": r.longitude, "latitude": r.latitude,
        "group": r.group, "gdp": rng.lognormal(1, 1, len(r)),
    })  # fmt: skip
    east, west = r.ids[r.side == 0], r.ids[r.side == 1]
    links = pd.DataFrame([(e, w, rng.normal()) for e in east for w in west], columns=["east", "west", "links"])
    listed = pd.DataFrame(chosen, columns=["east", "west"])
    return tl.Panel.from_frame(frame, regions=regions, partners=listed, pairs=links)


@pytest.fixture(scope="module")
def frame(panel):
    """The cells, with the trait parted by hand."""
    out = as_frame(panel)
    gap = trait_values(panel, GAP["expression"])[panel.pair_of_cell]
    out["gap"], out["ln"] = gap, np.log(out["distance_km"])
    once = out[out["partner"] == 1].groupby("dyad")["gap"].first()
    out["high"] = (gap > once.median()).astype(float)
    third = once.quantile([1 / 3, 2 / 3]).tolist()
    out["tercile"] = np.digitize(gap, third, right=True)
    out["centred"] = gap - once.mean()
    return out


@pytest.mark.parametrize(("outcome", "family"), [("trade", "poisson"), ("log(trade)", "gaussian")])
def test_halves_terciles_and_slopes_in_pyfixest(panel, frame, outcome, family):
    effects = "origin^period + destination^period"
    design = tl.Gravity(outcome=outcome, vcov="pair")
    rows = frame.copy()
    for k in range(3):
        rows[f"d{k}"], rows[f"t{k}"] = rows["partner"] * (rows["tercile"] == k), (rows["tercile"] == k) * 1.0
    rows["low_d"], rows["high_d"] = rows["partner"] * (1 - rows["high"]), rows["partner"] * rows["high"]
    rows["slope"] = rows["partner"] * rows["centred"]
    for split, terms, formula in (
        ("halves", ("partner[low]", "partner[high]"), "low_d + high_d + ln + high"),
        ("terciles", ("partner[low]", "partner[middle]", "partner[high]"), "d0 + d1 + d2 + ln + t1 + t2"),
        ("continuous", ("partner", "partner:gap"), "partner + slope + ln + centred"),
    ):
        found = ByTrait(design=design, split=split, **GAP).estimate(panel)
        fit = with_pyfixest(f"{outcome} ~ {formula} | {effects}", family, rows)
        assert found.treatment == terms
        at = [found.terms.index(term) for term in terms]
        n = len(terms)
        np.testing.assert_allclose(found.coefficients[at], fit.coef().to_numpy()[:n], rtol=DIGITS)
        np.testing.assert_allclose(found.std_errors[at], fit.se().to_numpy()[:n], rtol=DIGITS * 10)


def test_spatial_rd_with_columns_made_by_hand(panel, frame):
    """Halves as the user would write them: a column of levels and one of the trait."""
    rows = frame[["origin", "destination", "period", "trade", "links", "high"]].copy()
    rows["half"] = np.where(rows["high"] == 1, "high", "low")
    by_hand = rebuilt(panel, rows)
    options = {"bandwidth_km": 900, "direction": "west->east"}
    found = ByTrait(design=tl.SpatialRD(**options), split="halves", **GAP).estimate(panel)
    twin = tl.SpatialRD(**options, by="half", controls=["log(distance_km)", "high"]).estimate(by_hand)
    for term in found.treatment:
        a, b = found.terms.index(term), twin.terms.index(term)
        assert found.coefficients[a] == pytest.approx(twin.coefficients[b], rel=TWIN)
        assert found.std_errors[a] == pytest.approx(twin.std_errors[b], rel=1e-6)
    assert found.wald(found.treatment, equal=True).p_value == pytest.approx(
        twin.wald(found.treatment, equal=True).p_value, rel=1e-6
    )


def test_the_trait_of_one_side_is_held_by_the_effects(panel):
    found = ByTrait(design=tl.Gravity(), trait="gdp", expression="gdp[west]", split="continuous").estimate(panel)
    assert found.treatment == ("partner", "partner:gdp")
    assert found.diagnostics.omitted == ("gdp_centred",)
    assert any("the partner pairs' mean" in note for note in found.diagnostics.notes)


def test_levels_stand_in_the_order_of_the_trait_under_any_errors(panel):
    found = ByTrait(design=tl.Gravity(outcome="log(trade)"), split="terciles", **GAP).estimate(panel)
    assert found.terms[:3] == ("partner[low]", "partner[middle]", "partner[high]")
    assert found.sample == "all pairs, by gap in terciles"
    for scheme in ("pair", "robust", "none", "max-two-way"):
        anew = ByTrait(design=tl.Gravity(outcome="log(trade)", vcov=scheme), split="terciles", **GAP).estimate(panel)
        np.testing.assert_allclose(found.with_vcov(scheme).covariance, anew.covariance, rtol=TWIN)


def test_pairs_without_the_trait_are_counted(panel):
    regions = pd.DataFrame({
        "region": panel.regions.ids, "side": np.array(["east", "west"])[panel.regions.side],
        "wealth": np.where(panel.regions.ids == "w8", np.nan, np.arange(len(panel.regions))),
    })  # fmt: skip
    cells = panel.to_arrow().to_pandas()[["origin", "destination", "period", "trade"]]
    ids = panel.regions.ids
    listed = pd.DataFrame({"east": ids[panel.programme.first], "west": ids[panel.programme.second]})
    gapped = tl.Panel.from_frame(cells, regions=regions, partners=listed)
    found = ByTrait(design=tl.Gravity(vcov="pair"), trait="w", expression="wealth[west]", split="continuous").estimate(
        gapped
    )
    of_w8 = ((cells["origin"] == "w8") | (cells["destination"] == "w8")).sum()
    assert found.dropped["missing"] == of_w8 > 0


def test_a_group_that_is_not_compared_is_refused():
    """Western cities of the north lie far from each other: their partner pairs have no near control."""
    source, frame, _ = two_sided()
    r = source.regions
    north = np.array([10 + 0.1 * i for i in range(5)] + [30.0, 45.0, 60.0, 75.0])
    regions = pd.DataFrame({
        "region": r.ids, "side": np.array(["east", "west"])[r.side], "longitude": r.longitude,
        "latitude": np.r_[r.latitude[r.side == 0], north],
    })  # fmt: skip
    listed = pd.DataFrame({"east": ["e0", "e1", "e2", "e3"], "west": ["w0", "w1", "w5", "w6"]})
    far = tl.Panel.from_frame(frame, regions=regions, partners=listed)
    design = tl.SpatialRD(bandwidth_km=1000, neighbours="west", effects=["group^period"], controls=[])
    with pytest.raises(tl.DesignError, match="compares no partner pair that is high in lat"):
        ByTrait(design=design, trait="lat", expression="latitude[west]", split="halves").estimate(far)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "quarters"}, "split is one of halves, terciles, continuous"),
        ({"split": "halves", "design": tl.Gravity(by="period")}, "leave out by='period'"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(tl.DesignError, match=message):
        ByTrait(**({"design": tl.Gravity()} | GAP | options))


def test_a_trait_that_all_partners_share_is_refused(panel):
    with pytest.raises(tl.DesignError, match="explain all of 'partner:one_centred'"):
        ByTrait(design=tl.Gravity(), trait="one", expression="0 * links", split="continuous").estimate(panel)
