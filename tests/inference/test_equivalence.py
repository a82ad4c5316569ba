import numpy as np
import pytest
from scipy import stats

import tradelift as tl
from tradelift.inference import equivalence

RNG = np.random.default_rng(2)
CASES = [(float(b), float(abs(e)), 40.0) for b, e in RNG.normal(0, 1, (6, 2))]


@pytest.mark.parametrize(("estimate", "error", "dof"), CASES)
def test_it_is_the_two_one_sided_t_tests(estimate, error, dof):
    t = stats.t(dof)
    for margin in (0.1, 1.0, 3.0):
        found = equivalence(estimate, error, dof, margin)
        above, below = t.sf((estimate + margin) / error), t.cdf((estimate - margin) / error)
        assert found.p_value == pytest.approx(max(above, below), rel=1e-9)
        inside = -margin < found.low and found.high < margin
        assert (found.p_value < 0.05) == inside == (found.bound < margin)
    assert (found.low, found.high) == pytest.approx(estimate + error * np.array(t.interval(0.9)))


def test_the_bound_is_where_the_test_just_rejects():
    found = equivalence(0.3, 0.5, 60)
    assert equivalence(0.3, 0.5, 60, found.bound).p_value == pytest.approx(0.05)
    assert found.p_value is None


def test_the_detectable_effect_has_its_power():
    """By draws of t statistics around the effect: the formula holds for a shifted t distribution."""
    found = equivalence(0.0, 0.2, 50)
    statistics = found.detectable / 0.2 + stats.t(50).rvs(200_000, random_state=1)
    assert np.mean(statistics > stats.t(50).ppf(0.975)) == pytest.approx(0.8, abs=0.004)  # 4 Monte Carlo errors


def test_what_is_not_known_stays_so():
    found = equivalence(0.1, np.nan, 10, 1.0)
    assert np.isnan([found.low, found.high, found.bound, found.detectable, found.p_value]).all()


def test_a_margin_is_positive():
    with pytest.raises(tl.DesignError, match="so it is positive; found 0"):
        equivalence(0.1, 0.1, 10, 0)
