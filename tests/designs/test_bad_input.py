"""Bad data and bad designs: one clear error, or an exclusion that is counted; never a warning or a foreign error."""

import re

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import two_sided

TREATED = {"treatment": "shock", "controls": [], "vcov": "pair"}
OLS, PPML = "log(trade)", "trade"
BOTH = pytest.mark.parametrize("outcome", [PPML, OLS])


@pytest.fixture(scope="module")
def frame():
    return two_sided(3, 6, 6, 3)[1]


def estimate(frame, outcome=PPML, **options):
    return tl.Gravity(outcome=outcome, **(TREATED | options)).estimate(tl.Panel.from_frame(frame))


def holed(frame, name, value, every=7):
    """The frame with a bad value in every seventh row of a column, and how many these are."""
    bad = np.arange(len(frame)) % every == 0
    return frame.assign(**{name: np.where(bad, value, frame[name])}), int(bad.sum())


def refused(frame, message, outcome=PPML, error=tl.DesignError, **options):
    with pytest.raises(error, match=message) as found:
        estimate(frame, outcome, **options)
    return found.value


# panels


@pytest.mark.parametrize("design", [tl.Gravity(), tl.SpatialRD(), tl.Matching()])
def test_a_frame_is_no_panel(frame, design):
    with pytest.raises(tl.DesignError, match=r"found DataFrame\. Make one: tl\.Panel\.from_frame\(flows\)"):
        design.estimate(frame)
    with pytest.raises(tl.DesignError, match="estimated on a panel; found NoneType"):
        design.estimate(None)


@pytest.mark.parametrize("end", ["from", "to"])
def test_a_window_is_written_as_the_periods_are(frame, end):
    refused(frame, "where: period '2017/Q1' is not written as the periods are", where={"period": {end: "2017/Q1"}})


# outcomes


@BOTH
def test_missing_outcomes_are_counted_and_change_nothing_else(frame, outcome):
    gaps, n = holed(frame, "trade", np.nan)
    got, without = estimate(gaps, outcome), estimate(gaps.dropna(), outcome)
    assert got.dropped["missing"] == n
    assert got.n_obs == without.n_obs
    np.testing.assert_allclose(got.coefficients, without.coefficients, rtol=1e-10)
    np.testing.assert_allclose(got.covariance, without.covariance, rtol=1e-8)


@BOTH
def test_outcomes_missing_everywhere_are_named(frame, outcome):
    error = refused(frame.assign(trade=np.nan), r"No observation is left of 216 .*'trade': missing in every", outcome)
    assert error.dropped["missing"] == 216


@BOTH
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_outcomes_are_refused(frame, outcome, value):
    bad, n = holed(frame, "trade", value)
    refused(bad, f"'trade' is infinite in {n} cells; correct or remove them", outcome)


@BOTH
def test_so_are_infinities_of_both_signs(frame, outcome):
    up, n = holed(frame, "trade", np.inf)
    both, m = holed(up, "trade", -np.inf, every=5)
    refused(both, "'trade' is infinite in", outcome)


def test_negative_flows_are_refused_by_ppml_and_counted_by_logs(frame):
    bad, n = holed(frame, "trade", -1.0)
    refused(bad, f"PPML needs flows that are not negative; 'trade' is negative in {n} cells")
    assert estimate(bad, OLS).dropped["not_positive"] == n
    assert estimate(bad, "log1p(trade)").dropped["not_positive"] == n
    assert estimate(bad, "asinh(trade)").n_obs == estimate(bad, family="gaussian").n_obs == 216


def test_negative_flows_outside_the_sample_do_no_harm(frame):
    bad = frame.assign(trade=np.where(frame["period"] == "2017-01", -1.0, frame["trade"]))
    got = estimate(bad, where={"period": {"from": "2017-02"}})
    without = estimate(frame[frame["period"] != "2017-01"])
    np.testing.assert_allclose(got.coefficients, without.coefficients, rtol=1e-10)


def test_flows_that_are_all_zero_are_refused(frame):
    error = refused(frame.assign(trade=0.0), r"No observation is left to identify 'shock' .*: separated 216\.")
    assert error.dropped["separated"] == 216
    refused(frame.assign(trade=0.0), "No observation is left .*: separated 216", treatment=None)
    refused(frame.assign(trade=0.0), "No observation is left to identify 'shock'", effects=[])
    assert refused(frame.assign(trade=0.0), "not_positive 216", OLS).dropped["not_positive"] == 216


@BOTH
def test_words_are_no_outcome_regressor_weight_or_offset(frame, outcome):
    words = frame.assign(word="much")
    refused(words, "The outcome 'word' is text", outcome.replace("trade", "word"))
    refused(words, "'word' is text", outcome, treatment="word")
    refused(words, "'word' is text", outcome, controls=["word"])
    refused(words, "'word' is text", outcome, controls=["shock:word"])
    refused(words, "'word' is text; weights and offsets are numbers", outcome, weights="word")
    refused(words, "'word' is text; weights and offsets are numbers", outcome, offset="word")


def test_a_column_of_words_and_numbers_is_refused(frame):
    refused(frame.assign(odd=[1, "x"] * 108), "The flows: .*column odd.*Give each column one type", error=tl.DataError)


# regressors


@BOTH
def test_missing_regressors_are_counted(frame, outcome):
    gaps, n = holed(frame.assign(cost=frame["shock"] ** 2), "cost", np.nan)
    got, without = estimate(gaps, outcome, controls=["cost"]), estimate(gaps.dropna(), outcome, controls=["cost"])
    assert got.dropped["missing"] == n
    np.testing.assert_allclose(got.coefficients, without.coefficients, rtol=1e-9)
    product = estimate(gaps, outcome, controls=["shock:cost"])
    assert product.dropped["missing"] == n


@BOTH
def test_regressors_missing_everywhere_are_named(frame, outcome):
    bare = frame.assign(cost=np.nan, tariff=np.nan)
    refused(bare, "Leave out or complete 'cost', 'tariff': missing", outcome, controls=["cost", "tariff"])
    refused(bare, "Leave out or complete 'cost': missing in every cell", outcome, treatment="cost")


@BOTH
def test_infinite_regressors_are_refused(frame, outcome):
    bad, n = holed(frame.assign(cost=1.0), "cost", -np.inf)
    refused(bad, f"'cost' holds {n} infinite values; correct or remove them", outcome, controls=["cost"])
    refused(bad, f"'cost' holds {n} infinite values", outcome, treatment="cost")


@BOTH
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_control_is_omitted_and_a_constant_treatment_refused(frame, outcome, value):
    flat = frame.assign(flat=value)
    got, without = estimate(flat, outcome, controls=["flat"]), estimate(flat, outcome)
    assert got.diagnostics.omitted == ("flat",)
    np.testing.assert_allclose(got.coefficients, without.coefficients, rtol=1e-10)
    refused(flat, "The effects and controls absorb all variation in 'flat'", outcome, treatment="flat")


@BOTH
def test_a_treatment_that_the_effects_absorb_is_refused(frame, outcome):
    size = frame["origin"].str[1].astype(float)
    trend = frame["period"].str[-1].astype(float)
    for values in (size, size * trend, size + 3 * trend):
        refused(frame.assign(d=values), "absorb all variation in 'd'", outcome, treatment="d")
    pairs = frame.assign(d=(frame["origin"] + frame["destination"]).factorize()[0] % 13)
    effects = ["origin^period", "destination^period", "origin^destination"]
    refused(pairs, "absorb all variation in 'd'", outcome, treatment="d", effects=effects)
    refused(pairs, "absorb all variation in 'd'", outcome, treatment="d", effects=["origin^destination", "period"])


@BOTH
def test_a_treatment_that_a_control_repeats_is_kept_and_the_control_omitted(frame, outcome):
    got = estimate(frame.assign(twin=2 * frame["shock"]), outcome, controls=["twin", "twin"])
    assert got.terms == ("shock",)
    assert got.diagnostics.omitted == ("twin", "twin")


def test_many_levels_without_variation_are_counted_not_listed(frame):
    refused(frame, r"'shock\[[-0-9.]+\]' and 211 more \(all pairs\)", by="shock", effects=["origin^destination^period"])


def test_treated_cells_of_no_level_are_missing_and_others_need_none(frame):
    kind = np.where(frame["shock"] > 0.5, "", np.where(frame["shock"] > -0.5, "low", "lower"))
    on = (frame["shock"] < 1).astype(float)
    got = estimate(frame.assign(kind=kind, on=on), treatment="on", by="kind")
    assert got.terms == ("on[low]", "on[lower]")
    assert got.dropped["missing"] == ((kind == "") & (on == 1)).sum() < (kind == "").sum()
    code = np.where(kind == "", np.nan, (kind == "low") + 1.0)
    same = estimate(frame.assign(kind=code, on=on), treatment="on", by="kind")
    np.testing.assert_allclose(same.coefficients, got.coefficients[::-1], rtol=1e-9)


def test_levels_without_a_treatment_are_refused(frame):
    refused(frame, "by='direction' splits the treatment, and this design has none", treatment=None, by="direction")


# sizes of numbers


@BOTH
def test_numbers_that_overflow_are_refused(frame, outcome):
    vast = frame.assign(vast=frame["shock"] * 1e200)
    refused(vast, "'vast' holds numbers as large as .*e.200.*Rescale it", outcome, controls=["vast"])
    refused(vast, "'vast' holds numbers as large", outcome, treatment="vast")
    refused(vast, "The product 'vast:vast' is too large", outcome, controls=["vast:vast"])
    refused(vast.assign(vast=1e300), "'vast' holds numbers as large", outcome, weights="vast")
    refused(frame.assign(trade=frame["trade"] * 1e306), "'trade' holds numbers as large", outcome)


def test_numbers_that_underflow_are_refused(frame):
    refused(frame.assign(trade=frame["trade"] * 1e-200), "'trade' holds numbers as small as .*Rescale it")
    tiny = frame.assign(tiny=frame["shock"] * 1e-200)
    refused(tiny, "'tiny' holds numbers as small", treatment="tiny")


@BOTH
@pytest.mark.parametrize("unit", [1e-40, 1e-12, 1e12, 1e40])
def test_large_and_small_units_are_no_trouble(frame, outcome, unit):
    plain = estimate(frame, outcome, controls=["seller_concentration"])
    scaled = frame.assign(trade=frame["trade"] * unit, seller_concentration=frame["seller_concentration"] / unit)
    got = estimate(scaled, outcome, controls=["seller_concentration"])
    np.testing.assert_allclose(got.coefficients * [1, 1 / unit], plain.coefficients, rtol=1e-7)
    np.testing.assert_allclose(got.std_errors * [1, 1 / unit], plain.std_errors, rtol=1e-6)


def test_an_effect_beyond_all_numbers_is_infinite_in_percent(frame):
    steep = frame.assign(steep=frame["shock"] * 1e-12)
    got = estimate(steep, treatment="steep")
    assert abs(got.coefficients[0]) > 1e3
    assert np.isinf(got.percent()["conf_high"][0])


# weights and offsets


@BOTH
def test_weights_of_zero_are_counted(frame, outcome):
    heavy, n = holed(frame.assign(w=2.0), "w", 0.0)
    got, without = estimate(heavy, outcome, weights="w"), estimate(heavy[heavy["w"] > 0], outcome)
    assert got.dropped["zero_weight"] == n
    assert "zero_weight" not in without.dropped
    assert f"zero_weight {n}" in str(got)
    np.testing.assert_allclose(got.coefficients, without.coefficients, rtol=1e-9)
    error = refused(frame.assign(w=0.0), "No observation is left of 216 .*zero_weight 216", outcome, weights="w")
    assert error.dropped["zero_weight"] == 216


def test_weights_of_zero_are_counted_on_panels_in_files(frame, tmp_path):
    heavy, n = holed(frame.assign(w=2.0), "w", 0.0)
    heavy["w"] *= frame["period"] != "2017-02"  # a period without any
    panel = tl.Panel.from_frame(heavy)
    panel.to_parquet(tmp_path)
    design = tl.Gravity(**TREATED, weights="w")
    got, wanted = design.estimate(tl.Panel.from_parquet(tmp_path)), design.estimate(panel)
    assert got.dropped == wanted.dropped
    assert got.dropped["zero_weight"] == (heavy["w"] == 0).sum() > n
    np.testing.assert_allclose(got.coefficients, wanted.coefficients, rtol=1e-9)


@BOTH
def test_negative_and_infinite_weights_are_refused_and_missing_ones_counted(frame, outcome):
    for value, message in ((-1.0, "'w' is negative in 31 cells. Give 0"), (np.inf, "'w' holds 31 infinite values")):
        refused(holed(frame.assign(w=1.0), "w", value)[0], message, outcome, weights="w")
    gaps, n = holed(frame.assign(w=1.0), "w", np.nan)
    assert estimate(gaps, outcome, weights="w").dropped["missing"] == n
    refused(frame.assign(w=np.nan), "complete 'w': missing in every cell", outcome, weights="w")


@BOTH
def test_offsets_are_finite_and_missing_ones_are_counted(frame, outcome):
    refused(holed(frame.assign(o=1.0), "o", -np.inf)[0], "'o' holds 31 infinite values", outcome, offset="o")
    gaps, n = holed(frame.assign(o=1.0), "o", np.nan)
    got = estimate(gaps, outcome, offset="o")
    assert got.dropped["missing"] == n
    np.testing.assert_allclose(got.coefficients, estimate(gaps.dropna(), outcome).coefficients, rtol=1e-9)


def test_an_offset_that_is_no_log_is_refused_by_ppml(frame):
    people = frame.assign(people=1000.0 + frame["shock"])
    refused(people, r"The offset 'people' reaches 1,00\d\. .*give the log of an exposure", offset="people")
    assert estimate(people, OLS, offset="people").n_obs == 216


# small samples

FEW = {
    "an observation": lambda f: f.iloc[:1],
    "an origin": lambda f: f[f["origin"] == "e0"],
    "a destination": lambda f: f[f["destination"] == "e0"],
    "a pair": lambda f: f[(f["origin"] == "e0") & (f["destination"] == "w0")],
    "two flows apart": lambda f: f[(f["origin"] + f["destination"] + f["period"]).isin(["e0w02017-01", "e1w12017-02"])],
}


@pytest.mark.parametrize("name", FEW)
@BOTH
def test_too_few_flows_are_refused(frame, outcome, name):
    few = FEW[name](frame)
    error = refused(few, f"No observation is left to identify 'shock' .*singleton {len(few)}", outcome)
    assert error.dropped["singleton"] == len(few)
    refused(few, f"No observation is left .*singleton {len(few)}", outcome, treatment=None)


@BOTH
def test_one_origin_is_enough_for_other_effects(frame, outcome):
    few = FEW["an origin"](frame)
    assert estimate(few, outcome, effects=["period"]).n_obs == 18
    refused(few, "at least two clusters in each dimension; found 1, 6", outcome, effects=["period"], vcov="two-way")
    pair = FEW["a pair"](frame)
    refused(pair, "at least two clusters in each dimension; found 1", outcome, effects=[])


@BOTH
def test_one_period_is_enough(frame, outcome):
    first = frame[frame["period"] == "2017-01"]
    got = estimate(first, outcome)
    assert got.effects == ("origin", "destination")
    assert got.n_obs == 72
    bare = estimate(first.drop(columns="period"), outcome)
    np.testing.assert_allclose(got.coefficients, bare.coefficients, rtol=1e-12)
    pairs = ["origin", "destination", "origin^destination"]
    refused(first, "No observation is left .*singleton 72", outcome, effects=pairs)


@BOTH
def test_duplicate_cells_are_refused(frame, outcome):
    twice = pd.concat([frame, frame.iloc[:3]])
    refused(twice, "3 flows stand twice, the first of them e0 -> w0 in 2017-01", outcome, error=tl.DataError)


def test_no_flows_are_refused(frame):
    refused(frame.iloc[:0], "The flows table has no rows", error=tl.DataError)
    refused(frame.assign(origin=None), "None of the 216 flows is usable", error=tl.DataError)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"shock": 99}, "shock = 99"),
        ({"direction": "up"}, "direction = up"),
        ({"period": []}, "period in "),
        ({"period": {"from": "2030-01"}}, r"period 2030-01\.\."),
        ({"period": {"from": "2017-03", "to": "2017-01"}}, r"period 2017-03\.\.2017-01"),
    ],
)
@BOTH
def test_an_empty_sample_is_refused(frame, outcome, where, words):
    refused(frame, rf"the sample \(all pairs, {words}\) has no cell. Choose a wider one", outcome, where=where)
    refused(frame, "has no cell", outcome, where=where, treatment=None)


# designs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": "sales"}, "no column 'sales'"),
        ({"treatment": "tariff"}, "no column 'tariff'"),
        ({"controls": ["tariff"]}, "no column 'tariff'"),
        ({"controls": ["shok"]}, "Did you mean 'shock'"),
        ({"effects": ["month"]}, "no column 'month'"),
        ({"effects": ["origin^"]}, "no column ''"),
        ({"weights": "w"}, "no column 'w'"),
        ({"offset": "o"}, "no column 'o'"),
        ({"by": "kind"}, "no column 'kind'"),
        ({"vcov": ["kind"]}, "no column 'kind'"),
        ({"where": {"kind": 1}}, "no column 'kind'"),
    ],
)
def test_unknown_columns_are_named(frame, options, message):
    with pytest.raises(tl.DesignError, match=message):
        tl.Gravity(**(TREATED | options)).estimate(tl.Panel.from_frame(frame))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": None}, "outcome is a column, or log(x), log1p(x) or asinh(x) of one; found None"),
        ({"outcome": ["trade"]}, "outcome is a column"),
        ({"treatment": True}, "treatment names a column, or is None; found True"),
        ({"controls": [1]}, "controls are names; found 1"),
        ({"effects": [None]}, "effects are names; found None"),
        ({"weights": 3}, "weights names a column, or is None; found 3"),
        ({"offset": 3}, "offset names a column"),
        ({"by": 3}, "by names a column"),
        ({"where": ["period"]}, "where gives a value or values for each column"),
        ({"vcov": None}, "vcov is a scheme or a list of columns"),
        ({"control_types": ["1"]}, "control_types are among 1, 2, 3 and 4; found '1'"),
        ({"family": 1}, "no family '1'"),
        ({"correction": None}, "no correction 'None'"),
    ],
)
def test_what_is_no_design_is_refused_when_it_is_made(options, message):
    with pytest.raises(tl.DesignError, match=re.escape(message)):
        tl.Gravity(**options)
