import json
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tradelift.designs import compare, conclude, task_json
from tradelift.designs.terms import read_controls

SE = 1e-6  # standard errors beside pyfixest, which stops a step earlier than its coefficients


def with_columns(panel):
    """The panel as a frame that pyfixest can read."""
    frame = panel.to_arrow().to_pandas()
    frame["log_distance"] = np.log(frame["distance_km"].where(frame["distance_km"] > 0))
    frame["op"] = frame["origin"] + frame["period"]
    frame["dp"] = frame["destination"] + frame["period"]
    frame["dyad"] = [" ".join(sorted(p)) for p in zip(frame["origin"], frame["destination"], strict=True)]
    return frame


@pytest.mark.parametrize("direction", ["both", "east->west", "west->east"])
@pytest.mark.parametrize(
    ("vcov", "theirs"),
    [
        ("pair", {"CRV1": "dyad"}),
        ("two-way", {"CRV1": "origin+destination"}),
        (["period"], {"CRV1": "period"}),
        ("robust", "HC1"),
    ],
)
@pytest.mark.parametrize("outcome", ["trade", "log(trade)"])
def test_equals_pyfixest(outcome, vcov, theirs, direction):
    import pyfixest as pf

    panel, _, _ = two_sided(seed=3, n_east=12, n_west=13, partners=30, missing=0.05)
    frame = with_columns(panel)
    if direction != "both":
        frame = frame[frame["direction"] == direction]
    frame = frame[frame["trade"] > 0] if outcome.startswith("log") else frame
    left = "np.log(trade)" if outcome.startswith("log") else "trade"
    estimate = pf.feols if outcome.startswith("log") else pf.fepois
    ssc = pf.ssc(k_adj=False, G_adj=True, G_df="min")
    model = estimate(f"{left} ~ partner + log_distance | op + dp", frame, vcov=theirs, ssc=ssc)
    got = tl.Gravity(outcome=outcome, direction=direction, vcov=vcov).estimate(panel)
    np.testing.assert_allclose(got.coefficients, model.coef().to_numpy(), rtol=1e-8, atol=1e-9)
    expected = model.se().to_numpy()
    if vcov == "robust":  # HC1 without a correction of K is N/(N-1)
        factor = np.sqrt(np.diag(got.covariance)) / expected
        assert factor == pytest.approx(np.full(2, factor[0]), rel=1e-4)
        return
    np.testing.assert_allclose(got.std_errors, expected, rtol=5e-6 if estimate is pf.fepois else SE)


def test_yotov_ols_and_ppml(yotov):
    # Yotov, Piermartini, Monteiro and Larch (2016), An Advanced Guide to Trade Policy Analysis
    frame = pd.read_parquet(yotov)
    frame = frame[frame["year"].isin([1986, 1990, 1994, 1998, 2002, 2006]) & (frame["exporter"] != frame["importer"])]
    names = {"exporter": "origin", "importer": "destination", "year": "period", "dist": "distance_km"}
    panel = tl.Panel.from_frame(frame.rename(columns=names))
    controls = ["log(distance_km)", "cntg", "lang", "clny"]
    published = {
        "log(trade)": (25_689, [-1.2156, 0.2232, 0.6609, 0.6705], [0.0376, 0.1995, 0.0807, 0.1470]),
        "trade": (28_152, [-0.8409, 0.4374, 0.2475, -0.2225], [0.0317, 0.0832, 0.0765, 0.1162]),
    }
    for outcome, (n, coefficients, errors) in published.items():
        for vcov in ("pair", ["pair_id"]):
            got = tl.Gravity(outcome=outcome, controls=controls, vcov=vcov).estimate(panel)
            assert got.n_obs == n
            assert got.diagnostics.path in ("sums", "tensor")
            np.testing.assert_allclose(got.coefficients, coefficients, atol=5.1e-5)
            np.testing.assert_allclose(got.std_errors, errors, atol=5.1e-5)


def test_yotov_with_pair_effects(yotov):
    frame = pd.read_parquet(yotov)
    frame = frame[frame["year"].isin([1986, 1990, 1994, 1998, 2002, 2006])]
    panel = tl.Panel.from_frame(
        frame.rename(columns={"exporter": "origin", "importer": "destination", "year": "period"})
    )
    cases = (("pair_id", 28_482, 0.5572, 0.1022), ("origin^destination", 28_236, 0.5671, 0.1035))
    for pair, n, b, se in cases:
        effects = ["origin^period", "destination^period", pair]
        got = tl.Gravity(treatment="rta", controls=[], effects=effects, vcov=["pair_id"]).estimate(panel)
        assert (got.n_obs, got.diagnostics.path) == (n, "tensor")
        assert got.coefficients[0] == pytest.approx(b, abs=5.1e-5)
        assert got.std_errors[0] == pytest.approx(se, abs=5.1e-5)


def test_an_effect_that_is_one_to_one_with_origin_period_is_it():
    panel, frame, chosen = two_sided()
    frame["exporter_month"] = frame["origin"] + "/" + frame["period"]
    frame["importer_month"] = frame["period"] + "/" + frame["destination"]
    named = tl.Panel.from_frame(frame, partners=pd.DataFrame(chosen))
    own = tl.Gravity(effects=["importer_month", "exporter_month"], vcov="pair").estimate(named)
    usual = tl.Gravity(vcov="pair").estimate(named)
    assert own.diagnostics.path == "sums"
    np.testing.assert_allclose(own.coefficients, usual.coefficients, rtol=1e-12)


def test_other_effects_go_by_rows():
    panel, _, _ = two_sided()
    got = tl.Gravity(effects=["origin", "destination", "period"]).estimate(panel)
    assert got.diagnostics.path == "rows"
    assert got.effects == ("origin", "destination", "period")
    flat = tl.Gravity(effects=[], controls=[]).estimate(panel)
    frame = panel.to_arrow().to_pandas()
    means = frame.groupby("partner")["trade"].mean()
    assert flat.coefficients[0] == pytest.approx(np.log(means[1.0] / means[0.0]), rel=1e-8)


def test_pooled_directions_have_their_own_effects():
    panel, _, _ = two_sided()
    frame = with_columns(panel)
    import pyfixest as pf

    model = pf.fepois("trade ~ partner + log_distance | op + dp", frame)
    np.testing.assert_allclose(tl.Gravity().estimate(panel).coefficients, model.coef().to_numpy(), rtol=1e-8)


def test_row_order_and_labels_do_not_matter():
    _, frame, chosen = two_sided()
    rename = {name: f"z{n}" for n, name in enumerate(sorted(set(frame["origin"]), reverse=True))}
    other = frame.assign(origin=frame["origin"].map(rename), destination=frame["destination"].map(rename))
    partners = pd.DataFrame([(rename[a], rename[b]) for a, b in chosen])
    one = tl.Gravity().estimate(tl.Panel.from_frame(frame, partners=pd.DataFrame(chosen)))
    two = tl.Gravity().estimate(tl.Panel.from_frame(other.sample(frac=1, random_state=1), partners=partners))
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-9)
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-7)


def test_observations_and_dropped_add_up():
    panel, _, _ = two_sided(mean=0.4, missing=0.2, periods=6)
    for outcome in ("trade", "log(trade)"):
        got = tl.Gravity(outcome=outcome).estimate(panel)
        assert got.n_obs + sum(got.dropped.values()) == panel.n_cells
        assert set(got.dropped) == {"missing", "not_positive", "zero_distance", "separated", "singleton"}
    assert got.dropped["not_positive"] == (panel.outcome("trade") == 0).sum()


def test_family_defaults():
    panel, _, _ = two_sided()
    assert tl.Gravity().estimate(panel).family == "poisson"
    assert tl.Gravity(outcome="log1p(trade)").estimate(panel).family == "gaussian"
    assert tl.Gravity(outcome="seller_concentration").estimate(panel).family == "gaussian"
    assert tl.Gravity(outcome="seller_concentration", family="poisson").estimate(panel).family == "poisson"


@pytest.mark.parametrize("types", [[1], [2], [3], [1, 2], [1, 3], [2, 3]])
@pytest.mark.parametrize("outcome", ["trade", "log(trade)"])
def test_control_types_that_do_not_identify_are_refused(types, outcome):
    panel, _, _ = two_sided()
    with pytest.raises(tl.DesignError, match=r"absorb all variation in 'partner'.*Add type 4 or 3") as error:
        tl.Gravity(outcome=outcome, control_types=types).estimate(panel)
    assert "separated" in error.value.dropped


@pytest.mark.parametrize("types", [[4], [1, 4], [2, 3, 4], [1, 2, 3, 4], [1, 2, 3]])
def test_control_types_that_identify(types):
    panel, _, _ = two_sided()
    got = tl.Gravity(control_types=types).estimate(panel)
    assert got.terms[0] == "partner"
    assert bool(got.diagnostics.notes) == (types == [1, 2, 3])


def test_pair_effects_without_a_period_before_are_refused():
    panel, _, _ = two_sided()
    with pytest.raises(tl.DesignError, match="no period before it"):
        tl.Gravity(effects=["origin^period", "destination^period", "origin^destination"]).estimate(panel)
    later, _, _ = two_sided(start="2017-03")
    got = tl.Gravity(effects=["origin^period", "destination^period", "origin^destination"], controls=[]).estimate(later)
    assert got.terms == ("partner",)


def test_a_control_without_variation_is_omitted_and_named():
    panel, _, _ = two_sided()
    got = tl.Gravity(controls=["log(distance_km)", "distance_km:domestic"]).estimate(panel)
    assert got.diagnostics.omitted == ("distance_km:domestic",)
    assert got.terms == ("partner", "log(distance_km)")


def test_products_and_moving_controls():
    panel, _, _ = two_sided()
    got = tl.Gravity(controls=["shock", "shock:log(distance_km)"]).estimate(panel)
    assert got.terms == ("partner", "shock", "shock:log(distance_km)")


def test_by_gives_each_level_an_effect():
    panel, _, _ = two_sided()
    got = tl.Gravity(by="direction").estimate(panel)
    assert got.terms[:2] == ("partner[east->west]", "partner[west->east]")
    alone = tl.Gravity(direction="west->east").estimate(panel)
    apart = tl.Gravity(by="direction", controls=[]).estimate(panel)
    bare = tl.Gravity(direction="west->east", controls=[]).estimate(panel)
    assert apart.coefficients[1] == pytest.approx(bare.coefficients[0], rel=1e-7)
    assert alone.terms[0] == "partner"
    assert tl.Gravity(by="period").estimate(panel).terms[0] == "partner[2017-01]"


@pytest.mark.parametrize("fixed", [True, False])
def test_levels_in_which_nothing_is_treated_have_no_effect_and_are_named(fixed):
    panel, frame, chosen = two_sided()
    kinds = {frozenset(pair): "b" if n < 4 else "a" for n, pair in enumerate(chosen)}
    kind = [kinds.get(frozenset(ends), "c") for ends in zip(frame["origin"], frame["destination"], strict=True)]
    about = {"regions": panel.regions, "partners": pd.DataFrame(chosen, columns=["east", "west"])}
    pairs = frame[["origin", "destination"]].assign(kind=kind).drop_duplicates()
    panel = tl.Panel.from_frame(frame if fixed else frame.assign(kind=kind), pairs=pairs if fixed else None, **about)
    assert panel.is_fixed("kind") == fixed
    got = tl.Gravity(by="kind", vcov="pair").estimate(panel)
    assert got.treatment == ("partner[a]", "partner[b]")
    assert got.diagnostics.notes == ("No effect of 'partner' by 'kind' in c: nothing is treated there.",)
    # what is left out has no level either
    few = tl.Gravity(by="kind", where={"kind": ["a", "c"]}, vcov="pair").estimate(panel)
    plain = tl.Gravity(where={"kind": ["a", "c"]}, vcov="pair").estimate(panel)
    assert few.treatment == ("partner[a]",)
    np.testing.assert_allclose(few.coefficients, plain.coefficients, rtol=1e-8)
    with pytest.raises(tl.DesignError, match=r"absorb all variation in 'partner\[c\]'"):
        tl.Gravity(by="kind", where={"kind": "c"}).estimate(panel)


def test_where():
    panel, frame, _ = two_sided()
    got = tl.Gravity(where={"period": {"from": "2017-02", "to": "2017-03"}}).estimate(panel)
    same = tl.Gravity(where={"period": ["2017-02", "2017-03"]}).estimate(panel)
    assert got.n_obs == same.n_obs == len(frame) / 2
    assert "2017-02..2017-03" in got.sample
    one = tl.Gravity(where={"origin": ["e0", "e1", "w0", "w1", "w2"]}, controls=[]).estimate(panel)
    assert one.n_obs < len(frame)


def test_a_panel_without_programme_and_without_coordinates():
    _, frame, _ = two_sided()
    bare = tl.Gravity().estimate(tl.Panel.from_frame(frame))
    assert bare.terms == ()
    assert len(bare.tidy()) == 0
    assert "no terms" in str(bare)


def test_domestic_flows_under_the_default_control_are_counted():
    panel, frame = one_sided()
    got = tl.Gravity().estimate(panel)
    assert got.dropped["zero_distance"] == 9 * 3
    assert got.n_obs == len(frame) - 27
    kept = tl.Gravity(controls=["log(distance_km)", "domestic"]).estimate(panel)
    assert kept.n_obs == len(frame)
    assert kept.terms == ("partner", "log(distance_km)", "domestic")
    # whatever the domestic distance is, the dummy absorbs it
    names = dict(zip(panel.pair_of_cell, panel.column("distance_km"), strict=True))
    own = frame.assign(distance_km=[names[p] for p in panel.pair_of_cell]).fillna({"distance_km": 33.0})
    own["own"] = (own["origin"] == own["destination"]).astype(float)
    partners = pd.DataFrame({"one": ["r0", "r1", "r2"], "other": ["r3", "r4", "r5"]})
    other = tl.Gravity(controls=["log(distance_km)", "own"]).estimate(tl.Panel.from_frame(own, partners=partners))
    np.testing.assert_allclose(kept.coefficients[:2], other.coefficients[:2], rtol=1e-8)


def test_weights_count_rows():
    _, frame, chosen = two_sided(seed=4)
    panel = tl.Panel.from_frame(frame.assign(w=2.0), partners=pd.DataFrame(chosen))
    np.testing.assert_allclose(
        tl.Gravity(weights="w").estimate(panel).coefficients, tl.Gravity().estimate(panel).coefficients, rtol=1e-9
    )


def test_an_offset_shifts_the_log_flow():
    _, frame, chosen = two_sided(seed=4)
    panel = tl.Panel.from_frame(frame.assign(o=0.5 * frame["shock"]), partners=pd.DataFrame(chosen))
    free = tl.Gravity(controls=["shock"]).estimate(panel)
    held = tl.Gravity(controls=["shock"], offset="o").estimate(panel)
    assert held.coefficients[1] == pytest.approx(free.coefficients[1] - 0.5, abs=1e-8)


def test_categories_interact_with_the_effects():
    _, frame, chosen = two_sided(periods=2)
    both = pd.concat([frame.assign(category="food"), frame.assign(category="cloth", trade=frame["trade"] * 3)])
    panel = tl.Panel.from_frame(both, partners=pd.DataFrame(chosen), category="category")
    got = tl.Gravity(vcov="pair").estimate(panel)
    assert got.effects == ("origin^period^category", "destination^period^category")
    assert got.diagnostics.path == "sums"
    single = tl.Gravity(vcov="pair").estimate(tl.Panel.from_frame(frame, partners=pd.DataFrame(chosen)))
    np.testing.assert_allclose(got.coefficients, single.coefficients, rtol=1e-8)
    coarse = tl.Gravity(effects=["origin^period", "destination^period"]).estimate(panel)
    assert coarse.diagnostics.path == "rows"


def test_absent_covariates_are_an_error_and_absent_flows_are_zero():
    panel, frame, _ = two_sided(missing=0.2, absent="zero")
    assert tl.Gravity().estimate(panel).n_obs == panel.n_cells == 8 * 9 * 2 * 4
    with pytest.raises(tl.DataError, match=r"'shock' is missing in .* cells that the flows do not list"):
        tl.Gravity(controls=["shock"]).estimate(panel)


def test_missing_effects_and_clusters_are_counted():
    _, frame, chosen = two_sided()
    frame["zone"] = np.where(frame["shock"] > 1, None, frame["origin"])
    frame["code"] = np.where(frame["shock"] < -1, np.nan, 10.0**15 + np.arange(len(frame)) % 7)
    panel = tl.Panel.from_frame(frame, partners=pd.DataFrame(chosen))
    by_zone = tl.Gravity(effects=["zone", "destination^period"]).estimate(panel)
    assert by_zone.dropped["missing"] == (frame["shock"] > 1).sum()
    by_code = tl.Gravity(vcov=["code", "period"]).estimate(panel)
    assert by_code.dropped["missing"] == (frame["shock"] < -1).sum()
    assert by_code.diagnostics.clusters == (7, 4)


BAD = {
    "family": ({"outcome": "log(trade)", "family": "poisson"}, "contradicts the outcome"),
    "no family": ({"family": "logit"}, "no family 'logit'"),
    "outcome": ({"outcome": "trde"}, "no column 'trde'.*mean 'trade'"),
    "control": ({"controls": ["sqrt(distance_km)"]}, "is not understood; a control is a column, log"),
    "control name": ({"controls": ["distance"]}, "no column 'distance'"),
    "control text": ({"controls": "log(distance_km)"}, "must be a list"),
    "control words": ({"controls": ["direction"]}, "is text"),
    "log of zero": ({"controls": ["log(domestic)"]}, "log.domestic. is not defined"),
    "treatment": ({"treatment": "tariff"}, "no column 'tariff'"),
    "effects": ({"effects": "origin"}, "must be a list"),
    "effect": ({"effects": ["origin^month"]}, "no column 'month'"),
    "direction": ({"direction": "north"}, "no direction 'north'"),
    "types": ({"control_types": [5]}, "among 1, 2, 3 and 4; found 5"),
    "vcov": ({"vcov": "clustered"}, "no vcov 'clustered'"),
    "vcov columns": ({"vcov": ["a", "b", "c"]}, "one or two columns"),
    "scheme in a list": ({"vcov": ["pair"]}, "no column 'pair' to cluster by; for the scheme write vcov='pair'"),
    "spatial words": ({"vcov": "spatial(near)"}, "'near' is neither product nor union"),
    "where": ({"where": {"period": ["2031-01"]}}, "no period '2031-01'"),
    "where window": ({"where": {"trade": {"from": 1}}}, "only `period` takes"),
    "weights": ({"weights": "direction"}, "weights and offsets are numbers"),
    "nothing left": ({"where": {"shock": [99]}}, "No observation is left"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_designs_get_one_clear_message(name):
    options, message = BAD[name]
    panel, _, _ = two_sided()
    with pytest.raises(tl.DesignError, match=message):
        tl.Gravity(**options).estimate(panel)


def test_infinite_controls_and_empty_flows_are_refused():
    _, frame, chosen = two_sided()
    partners = pd.DataFrame(chosen)
    endless = tl.Panel.from_frame(frame.assign(shock=np.inf), partners=partners)
    with pytest.raises(tl.DesignError, match=r"'shock' holds .* infinite values"):
        tl.Gravity(controls=["shock"]).estimate(endless)
    empty = tl.Panel.from_frame(frame.assign(trade=0.0), partners=partners)
    with pytest.raises(tl.DesignError, match=r"Observations dropped before: separated 576\."):
        tl.Gravity().estimate(empty)


def test_effects_that_leave_nothing_are_refused():
    _, frame, _ = two_sided(periods=1)
    with pytest.raises(tl.DesignError, match=r"No observation is left \(all pairs\): .*singleton"):
        tl.Gravity(controls=[], effects=["origin^destination"]).estimate(tl.Panel.from_frame(frame))


def test_negative_flows_are_refused_by_ppml():
    panel, _, _ = two_sided()
    with pytest.raises(tl.DesignError, match="'shock' is negative in"):
        tl.Gravity(outcome="shock").estimate(panel)


def test_a_design_is_frozen_and_its_formula_can_be_pasted():
    design = tl.Gravity(outcome="log(trade)", controls=["log(distance_km)", "shock"])
    with pytest.raises(FrozenInstanceError):
        design.outcome = "deals"
    assert design.formula == "log(trade) ~ partner + log(distance_km) + shock | origin^period + destination^period"
    assert tl.Gravity(treatment=None, controls=[], effects=[]).formula == "trade ~ 1"


def test_a_formula_is_the_same_design():
    text = "log(trade) ~ partner + log(distance_km) + shock | origin^period + destination^period"
    design = tl.Gravity.from_formula(text, vcov="pair", direction="west->east")
    assert design == tl.Gravity(
        outcome="log(trade)",
        treatment="partner",
        controls=["log(distance_km)", "shock"],
        effects=["origin^period", "destination^period"],
        vcov="pair",
        direction="west->east",
    )
    assert design.formula == text
    assert tl.Gravity.from_formula("trade ~ 1").effects == ()
    assert tl.Gravity.from_formula("trade ~ shock | period").treatment is None
    panel, _, _ = two_sided()
    default = tl.Gravity(vcov="pair").estimate(panel)
    again = tl.Gravity.from_formula(default.formula, vcov="pair").estimate(panel)
    np.testing.assert_allclose(again.coefficients, default.coefficients, rtol=1e-12)


@pytest.mark.parametrize("text", ["trade", "~ partner", "trade ~", "trade ~ a + + b", "a ~ b | c | d", "a ~ b ~ c"])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(tl.DesignError, match="is no formula"):
        tl.Gravity.from_formula(text)


def test_an_option_does_not_repeat_the_formula():
    with pytest.raises(tl.DesignError, match="says controls already"):
        tl.Gravity.from_formula("trade ~ partner", controls=["shock"])


def test_canonical_json_tells_designs_apart():
    one, two = tl.Gravity(controls=["a", "b"]), tl.Gravity(controls=("a", "b"))
    assert task_json(one) == task_json(two)
    assert task_json(one) != task_json(tl.Gravity(controls=["b", "a"]))
    assert json.loads(task_json(one))["outcome"] == "trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class NearPairs:
    """A second design: partners against pairs that are as far apart as partners are, with period effects."""

    outcome: str = "trade"
    within_km: float = 2000.0
    vcov: str = "dyadic"
    correction: str = "clusters"

    def compare(self, panel):
        near = panel.column("distance_km") <= self.within_km
        return compare(
            panel,
            outcome=self.outcome,
            treatment=read_controls(panel, ["partner"]),
            controls=[],
            sample=near,
            about=f"pairs within {self.within_km:g} km",
        )

    def estimate(self, panel):
        return conclude(self.compare(panel), self)


def test_a_second_design_needs_thirty_lines():
    panel, _, _ = two_sided()
    got = NearPairs().estimate(panel)
    assert got.design == "NearPairs"
    assert got.sample == "pairs within 2000 km"
    near = (panel.column("distance_km") <= 2000).sum()
    assert got.n_obs + sum(got.dropped.values()) == near < panel.n_cells
    same = tl.Gravity(controls=[]).estimate(panel)
    assert NearPairs(within_km=1e5).estimate(panel).coefficients == pytest.approx(same.coefficients, rel=1e-12)
