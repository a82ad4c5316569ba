import pickle

import numpy as np
import pytest
from scipy import stats

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.designs import records


@pytest.fixture(scope="module")
def estimate():
    return tl.Gravity().estimate(two_sided()[0])


def test_tidy_is_the_t_table(estimate):
    tidy = estimate.tidy()
    assert list(tidy) == ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    assert tidy["term"].tolist() == ["partner", "log(distance_km)"]
    t = stats.t(estimate.dof)
    np.testing.assert_allclose(tidy["p_value"], 2 * t.sf(np.abs(tidy["statistic"])), rtol=1e-10)
    np.testing.assert_allclose(tidy["conf_high"], tidy["estimate"] + t.ppf(0.975) * tidy["std_error"], rtol=1e-10)


def test_records_are_the_rows_of_tidy(estimate):
    assert repr(estimate.records()) == repr(estimate.tidy().to_dict("records"))  # NaN equals nothing
    assert repr(records(estimate)) == repr(estimate.records())


def test_percent_is_read_at_the_end_points(estimate):
    tidy, percent = estimate.tidy(), estimate.percent()
    np.testing.assert_allclose(percent["percent"], 100 * (np.exp(tidy["estimate"]) - 1), rtol=1e-12)
    np.testing.assert_allclose(percent["conf_low"], 100 * (np.exp(tidy["conf_low"]) - 1), rtol=1e-12)


def test_another_covariance_without_a_refit(estimate):
    panel = two_sided()[0]
    named = ("none", "robust", "directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province")
    for scheme in (*named, "spatial", "spatial(union, uniform, 400)"):
        for correction in ("none", "clusters", "full"):
            anew = tl.Gravity(vcov=scheme, correction=correction).estimate(panel)
            moved = estimate.with_vcov(scheme, correction)
            np.testing.assert_allclose(moved.covariance, anew.covariance, rtol=1e-12)
            assert (moved.dof, moved.se_type) == (anew.dof, anew.se_type)


def test_clustering_by_columns_needs_the_data(estimate):
    with pytest.raises(tl.DesignError, match="estimate again"):
        estimate.with_vcov(["period"])
    with pytest.raises(tl.DesignError, match="no vcov"):
        estimate.with_vcov("period")


def test_print_shows_sample_errors_and_losses(estimate):
    text = str(estimate)
    assert "trade ~ partner + log(distance_km) | origin^period + destination^period" in text
    assert "errors: dyadic" in text
    assert f"{estimate.n_obs:,} observations" in text


def test_results_keep_no_data(estimate):
    assert len(pickle.dumps(estimate)) < 30_000


def test_goes_into_maketables_as_it_is(estimate):
    import maketables

    every = [estimate.with_vcov("pair"), estimate.with_vcov("two-way"), tl.Gravity(effects=[]).estimate(two_sided()[0])]
    table = maketables.ETable(every, coef_fmt="b:.6f (se:.6f) [ci95l:.6f, ci95u:.6f]").df
    for column, one in enumerate(every):
        for row in one.tidy().to_dict("records"):
            cell = f"{row['estimate']:.6f} ({row['std_error']:.6f}) [{row['conf_low']:.6f}, {row['conf_high']:.6f}]"
            assert table.loc[("coef", row["term"])].iloc[column] == cell
    assert (
        table.loc[("fe", "origin^period")].tolist()
        == table.loc[("fe", "destination^period")].tolist()
        == ["x", "x", "-"]
    )
    assert table.loc[("stats", "Observations")].tolist() == [f"{one.n_obs:,}" for one in every]
    assert table.loc[("stats", "Directed pairs")].tolist() == [f"{one.n_pairs:,}" for one in every]
    assert table.loc[("stats", "Standard errors")].tolist() == [one.se_type for one in every]


def test_print_says_why_an_error_is_not_known(estimate):
    from dataclasses import replace

    text = str(replace(estimate, covariance=estimate.covariance * np.nan))
    assert "No standard error for partner, log(distance_km): with 17 clusters" in text


@pytest.fixture(scope="module")
def sure(estimate):
    """Errors by pair, whose covariance is positive definite."""
    return estimate.with_vcov("pair")


def test_wald_is_the_f_test(sure):
    b, v = sure.coefficients, sure.covariance
    got = sure.wald()
    assert got.statistic == pytest.approx(b @ np.linalg.solve(v, b) / 2, rel=1e-10)
    assert got.p_value == pytest.approx(stats.f(2, sure.dof).sf(got.statistic), rel=1e-10)
    one = sure.wald(["partner"])
    tidy = sure.tidy()
    assert one.statistic == pytest.approx(tidy["statistic"][0] ** 2, rel=1e-10)
    assert one.p_value == pytest.approx(tidy["p_value"][0], rel=1e-8)
    same = sure.wald(equal=True)
    gap = sure.combine({"partner": 1, "log(distance_km)": -1})
    assert same.statistic == pytest.approx(gap.statistic**2, rel=1e-10)
    assert same.p_value == pytest.approx(gap.p_value, rel=1e-8)


def test_combine_is_the_delta_method_of_a_sum(sure):
    got = sure.combine({"partner": 2, "log(distance_km)": 1})
    w = np.array([2.0, 1.0])
    assert got.estimate == pytest.approx(w @ sure.coefficients)
    assert got.std_error == pytest.approx(np.sqrt(w @ sure.covariance @ w))
    half = stats.t(sure.dof).ppf(0.975) * got.std_error
    assert (got.conf_low, got.conf_high) == pytest.approx((got.estimate - half, got.estimate + half))


def test_a_joint_test_leaves_out_what_has_no_variance_and_says_so(estimate):
    from dataclasses import replace

    vectors = np.linalg.qr(np.array([[1.0, 0.4], [0.4, 1.0]]))[0]
    broken = replace(estimate, covariance=(vectors * [0.02, -0.001]) @ vectors.T)
    got = broken.wald()
    assert (got.clipped, got.restrictions) == (True, 1)
    assert got.statistic == pytest.approx((vectors[:, 0] @ estimate.coefficients) ** 2 / 0.02, rel=1e-8)
    nothing = replace(estimate, covariance=-np.eye(2)).wald()
    assert (nothing.restrictions, nothing.clipped) == (0, True)
    assert np.isnan(nothing.p_value)
    unknown = replace(estimate, covariance=estimate.covariance * np.nan)
    assert np.isnan(unknown.wald().p_value)
    assert np.isnan(unknown.combine({"partner": 1}).std_error)


def test_an_unknown_variance_elsewhere_does_not_matter(sure):
    from dataclasses import replace

    k = sure.terms.index("log(distance_km)")
    partly = replace(sure, covariance=sure.covariance.copy())
    partly.covariance[k] = partly.covariance[:, k] = np.nan
    assert partly.wald(["partner"]).p_value == pytest.approx(sure.wald(["partner"]).p_value, rel=1e-12)
    got, whole = (e.combine({"partner": 1}) for e in (partly, sure))
    assert (got.estimate, got.std_error) == pytest.approx((whole.estimate, whole.std_error), rel=1e-12)
    assert np.isnan(partly.combine({"partner": 1, "log(distance_km)": 1}).std_error)


def test_unknown_terms_are_refused(estimate):
    with pytest.raises(tl.DesignError, match="no term 'partners'; it has partner"):
        estimate.combine({"partners": 1})
    with pytest.raises(tl.DesignError, match="no term 'x'"):
        estimate.wald(["x"])
    with pytest.raises(tl.DesignError, match="equal needs two; found 1"):
        estimate.wald(["partner"], equal=True)
    with pytest.raises(tl.DesignError, match="zero needs one; found 0"):
        estimate.wald([])
