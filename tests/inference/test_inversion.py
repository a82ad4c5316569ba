from itertools import permutations, product

import numpy as np
import pytest

import tradelift as tl
from tests.inference.test_relabelling import tiny
from tradelift.inference.inversion import Null, invert, p_value
from tradelift.inference.nulls import Products
from tradelift.inference.products import Draws
from tradelift.inference.relabelling import under
from tradelift.inference.treatment import masks_of

NEAR, FAR = 1e-7, 1e9


def test_p_values_count_ties_and_what_is_not_known():
    null = Null(observed=-2.0, draws=np.array([1.0, 2.0 - 1e-12, -2.5, np.nan]), slopes=np.zeros(4))
    assert p_value(null) == 4 / 5
    null = Null(
        observed=2.0, draws=np.array([1.0, 4.0]), slopes=np.zeros(2), observed_error=1.0, errors=np.array([0.1, 4.0])
    )
    assert p_value(null) == 2 / 3
    assert np.isnan(p_value(Null(observed=1.0, draws=np.ones(2), slopes=np.ones(2), observed_error=np.nan)))


@pytest.mark.parametrize("steep", [0, 1, 2])
@pytest.mark.parametrize("studentized", [False, True])
def test_the_interval_is_the_hull_of_what_is_not_rejected(steep, studentized):
    """Against a fine grid, also where some draws fall more steeply than the observed coefficient."""
    finite = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        estimate, at_zero = rng.normal(0, 2), rng.normal(0, 1, 59)
        slopes, errors = rng.normal(0, 0.3, 59), rng.uniform(0.7, 1.5, 59)
        slopes[:steep] = rng.uniform(2, 3, steep) * rng.choice([-1, 1], steep)

        def null(effect, *, estimate=estimate, at_zero=at_zero, slopes=slopes, errors=errors):
            found = Null(observed=estimate - effect, draws=at_zero - slopes * effect, slopes=slopes)
            if not studentized:
                return found
            return Null(observed=found.observed, draws=found.draws, slopes=slopes, observed_error=1.0, errors=errors)

        low, high = invert(null, estimate)
        grid = np.linspace(estimate - 60, estimate + 60, 2001)
        held = grid[[p_value(null(effect)) > 0.05 for effect in grid]]
        for end, out in ((low, -1), (high, 1)):
            if np.isinf(end):
                assert p_value(null(out * FAR)) > 0.05
                continue
            finite += 1
            assert p_value(null(end - out * NEAR)) > 0.05
            assert p_value(null(end + out * NEAR)) <= 0.05
            assert p_value(null(out * FAR)) <= 0.05
            assert not ((held - end) * out > NEAR).any()
    assert finite > 5


def test_an_end_that_jumps_to_and_fro_is_refused():
    def null(effect):
        draws = np.full(99, 5.0 if effect < 1 else 0.1)
        return Null(observed=-effect, draws=draws, slopes=np.zeros(99))

    with pytest.raises(
        tl.ConvergenceError, match=r"upper end .* did not settle .* interval=False, or studentized=True"
    ):
        invert(null, 0.0)


def every_relabelling(panel):
    """All permutations of the regions on each side of a panel of three with three, as the ends of partnerships."""
    p = panel.programme
    firsts, seconds = [], []
    for one, other in product(permutations(range(3)), permutations(range(3, 6))):
        place = np.array([*one, *other])
        firsts.append(place[p.first])
        seconds.append(place[p.second])
    return np.array(firsts), np.array(seconds)


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_over_all_relabellings_the_test_is_exact(outcome):
    """Of N programmes that are as likely, at most k have a p-value of k / N or less; and draws estimate the p-value."""
    panel = tiny(partners=(("e0", "w0"), ("e1", "w1")))
    design = tl.Gravity(outcome=outcome, vcov="none")
    firsts, seconds = every_relabelling(panel)
    n = len(firsts)
    values = []
    for row in range(n):
        order = np.r_[row, np.delete(np.arange(n), row)]
        there = under(panel, firsts[row], seconds[row])
        products = Products(
            comparison=design.compare(there),
            estimate=design.estimate(there),
            masks=masks_of(design, there, design.compare(there)),
            draws=Draws(first=firsts[order], second=seconds[order], programme=there.programme),
            moves=False,
            errors=None,
        )
        values.append(p_value(products.null(0, 0.0)))
    values = np.array(values)
    for k in range(1, n + 1):
        assert (values <= k / n + 1e-12).sum() <= k
    assert values.min() < 0.2
    found = tl.randomize(design, panel, draws=4000, interval=False)
    assert found.p_value == pytest.approx(values[0], abs=4 * 0.5 / np.sqrt(4000))
