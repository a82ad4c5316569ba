from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.inference import Parted, benjamini_hochberg, simultaneous

MONTE_CARLO = 0.006  # four errors of a share near .05 to .5 in 99,999 draws


@pytest.fixture(scope="module")
def estimate():
    return Parted(design=tl.Gravity(outcome="log1p(trade)", vcov="pair"), by="period").estimate(two_sided()[0])


def with_statistics(estimate, statistics, correlation):
    error = np.array([1.0, 2.0, 0.5, 1.0])
    return replace(
        estimate, coefficients=np.array(statistics) * error, covariance=correlation * np.outer(error, error), dof=1e9
    )


def test_independent_effects_are_adjusted_by_holm_sidak(estimate):
    """Of independent statistics the largest has p = 1 - (1 - p)^4, the next that of three, ..."""
    made = with_statistics(estimate, [2.5, -0.5, 1.5, 2.0], np.eye(4))
    found = simultaneous(made, draws=99_999)
    p = 2 * stats.norm.sf([2.5, 2.0, 1.5, 0.5])
    sidak = np.maximum.accumulate(1 - (1 - p) ** np.array([4, 3, 2, 1]))
    np.testing.assert_allclose(found["step_down"].to_numpy()[[0, 3, 2, 1]], sidak, atol=MONTE_CARLO)
    np.testing.assert_allclose(found["false_discovery"], benjamini_hochberg(found["p_value"]), rtol=1e-12)


def test_effects_that_are_one_are_tested_once(estimate):
    made = with_statistics(estimate, [2.0, 2.0, 2.0, 2.0], np.ones((4, 4)))
    found = simultaneous(made, draws=99_999)
    np.testing.assert_allclose(found["step_down"], 2 * stats.norm.sf(2.0), atol=MONTE_CARLO)


def test_an_adjusted_p_value_is_not_below_its_own(estimate):
    found = simultaneous(estimate, draws=4_999)
    assert list(found["term"]) == list(estimate.treatment)
    assert (found["step_down"] >= found["p_value"] - 0.02).all()
    assert simultaneous(estimate, draws=999, seed=3).equals(simultaneous(estimate, draws=999, seed=3))


def test_unknown_errors_count_nowhere(estimate):
    covariance = estimate.covariance.copy()
    covariance[1] = covariance[:, 1] = np.nan
    found = simultaneous(replace(estimate, covariance=covariance))
    assert np.isnan(found.loc[1, ["step_down", "false_discovery"]].to_numpy(float)).all()
    assert found["step_down"].notna().sum() == 3


def test_unknown_terms_are_refused(estimate):
    with pytest.raises(tl.DesignError, match="no term 'x'"):
        simultaneous(estimate, ["x"])
