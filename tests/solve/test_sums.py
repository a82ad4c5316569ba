"""Two-way effects from sums: the compiled turns beside the plain ones, by blocks and by whole estimates."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.solve.problems import dense
from tests.solve.test_kernel import assert_same
from tradelift.solve import compiled, fit, sums


def block(seed, periods, rows, columns, k, mean):
    """Random flows, of which many are zero where the mean is low; some regions trade nothing in a period."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(k, rows, columns))
    flows = rng.poisson(mean * np.exp(rng.normal(size=(periods, rows, columns)))).astype(float)
    flows[0, 0] = flows[-1, :, -1] = 0.0
    mask = (rng.random((rows, columns)) < 0.9).astype(float)
    flows *= mask
    return sums.Block(
        x=x * mask,
        mask=mask,
        offset=0.3 * rng.normal(size=mask.shape) * mask,
        rows=flows.sum(axis=2),
        columns=flows.sum(axis=1),
        pairs=flows.sum(axis=0),
    )


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(8, 40), st.integers(1, 11), st.integers(1, 9)),
    k=st.integers(0, 3),
    mean=st.sampled_from([0.3, 4.0]),
)
@example(seed=1, shape=(9, 5, 1), k=1, mean=4.0)  # one destination: its effects are nothing but rounding
@settings(max_examples=60, deadline=None)
def test_compiled_turns_equal_plain_ones(seed, shape, k, mean):
    ours, plain = block(seed, *shape, k, mean), block(seed, *shape, k, mean)
    beta = 0.1 * np.arange(k)
    e = ours.kernel(beta)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "loaded", lambda: False)
        try:
            wanted = sums._fit(plain, e, 1e-13)
        except sums._SlowError:
            return  # few flows: the multipliers of what hangs together loosely converge slowly
        patch.setattr(compiled, "loaded", lambda: compiled._library() is not None)
        found = sums._fit(ours, e, 1e-13)
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-9 * np.abs(two).max(initial=1e-300))
    fitted = [e * np.einsum("ti,tj->tij", b.a, b.b) for b in (ours, plain)]
    np.testing.assert_allclose(*fitted, rtol=1e-7, atol=1e-9 * fitted[1].max())
    for n, x in enumerate(ours.x):  # effects are told apart up to a constant each way: compare what is net of them
        net = [(x - b.p[n][:, :, None] - b.q[n][:, None, :]) * f for b, f in zip((ours, plain), fitted, strict=True)]
        np.testing.assert_allclose(*net, rtol=1e-6, atol=1e-8 * np.abs(x * fitted[1]).max(initial=1e-300))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("periods", [8, 16, 37])
def test_estimates_from_many_periods_are_the_same_with_and_without_loops(seed, periods, monkeypatch):
    problem = dense(seed, shape=(periods, 9, 7), mean=0.5 + seed)
    quick = fit(problem)
    assert quick.path == "sums"
    monkeypatch.setattr(compiled, "loaded", lambda: compiled._library() is not None)
    both = fit(problem)
    monkeypatch.setattr(compiled, "loaded", lambda: False)
    assert_same(both, fit(problem))


def test_turns_that_do_not_end_leave_the_path(monkeypatch):
    monkeypatch.setattr(sums, "MAX_SWEEPS", 1)
    own = block(0, 16, 6, 5, 1, 4.0)
    with pytest.raises(sums._SlowError):
        sums._fit(own, own.kernel(np.zeros(1)), 1e-13)
