import numpy as np
import pytest

from tradelift.inference.planes import effects_of

EXACT = 1e-10


def projected(weights, values):
    """What effects of origins and destinations explain of values, by least squares on dummies."""
    n_rows, n_columns = weights.shape
    i, j = np.indices(weights.shape).reshape(2, -1)
    dummies = np.hstack([i[:, None] == np.arange(n_rows), j[:, None] == np.arange(n_columns)]).astype(float)
    root = np.sqrt(weights.ravel())
    return dummies @ np.linalg.lstsq(dummies * root[:, None], values.ravel() * root, rcond=None)[0]


def cases():
    rng = np.random.default_rng(1)
    yield np.ones((4, 6))
    yield rng.uniform(0.1, 5, (7, 3))
    yield rng.uniform(0.1, 5, (5, 5)) * (rng.random((5, 5)) < 0.6)
    apart = np.zeros((5, 6))
    apart[:2, :3], apart[2:4, 3:5] = rng.uniform(0.1, 5, (2, 3)), rng.uniform(0.1, 5, (2, 2))
    yield apart  # two parts that no flow joins, and an origin and a destination without flows
    yield np.exp(rng.normal(0, 4, (6, 8)))


@pytest.mark.parametrize("weights", list(cases()))
def test_what_the_effects_explain(weights):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, *weights.shape))
    effects = effects_of(weights)
    halves = [effects.half((weights * v).sum(axis=1), (weights * v).sum(axis=0)) for v in (x, y)]
    fitted = [projected(weights, v) for v in (x, y)]
    assert halves[0] @ halves[1] == pytest.approx((fitted[0] * weights.ravel()) @ fitted[1], rel=EXACT, abs=EXACT)
    rows, columns = effects.values(halves[0])
    inside = weights > 0
    np.testing.assert_allclose(
        (rows[:, None] + columns)[inside], fitted[0].reshape(weights.shape)[inside], rtol=1e-7, atol=1e-7
    )
