"""Corrections of PPML where the truth is known."""

from typing import NamedTuple

import numpy as np
import pytest

from tests.covariance.brute_force import both_ways
from tradelift.covariance import weidner_zylkin
from tradelift.solve import RowProblem, fit
from tradelift.solve.row_projection import RowEffects

pytestmark = pytest.mark.slow


class Draws(NamedTuple):
    """By draw: error of the coefficient, its part that is linear in the noise, bias, plain and corrected errors."""

    error: np.ndarray
    linear: np.ndarray
    bias: np.ndarray
    plain: np.ndarray
    corrected: np.ndarray


def flows(rng, n, periods, pairs):
    """
    Lognormal flows with variance equal to the mean and a memory of .3, and a regressor that knows the effects.

    After Weidner and Zylkin (2021), their data generating process II; the coefficient is 1. `pairs` says which effects
    pairs have: "none", "directed", or "shared" by both directions.
    """
    i, j, t = (a.ravel() for a in np.indices((n, n, periods)))
    i, j, t = (a[i != j] for a in (i, j, t))
    shape = (n, n, periods)
    effects = rng.normal(0, 0.25, (n, 1, periods)) + rng.normal(0, 0.25, (1, n, periods))
    pair = rng.normal(0, 0.25, (n, n, 1)) * (pairs != "none")
    if pairs == "shared":
        pair = (pair + pair.transpose(1, 0, 2)) / np.sqrt(2)
    effects = effects + pair
    x, z = np.zeros(shape), np.zeros(shape)
    before, noise = pair[:, :, 0] + rng.normal(0, 0.5, (n, n)), rng.normal(size=(n, n))
    for s in range(periods):
        before = x[:, :, s] = before / 2 + effects[:, :, s] + rng.normal(0, 0.5, (n, n))
        z[:, :, s] = noise
        noise = 0.3 * noise + np.sqrt(1 - 0.3**2) * rng.normal(size=(n, n))
    mean = np.exp(x + effects)
    spread = np.log1p(1 / mean)
    y = mean * np.exp(-spread / 2 + np.sqrt(spread) * z)
    unit = i * n + j if pairs == "directed" else np.minimum(i, j) * n + np.maximum(i, j)
    codes = (t * n + i, t * n + j) + ((np.unique(unit, return_inverse=True)[1],) if pairs != "none" else ())
    problem = RowProblem(
        outcome=y[i, j, t], regressors=x[i, j, t][:, None], effects=codes, pair=i * n + j, family="poisson",
        n_pairs=n * n,
    )  # fmt: skip
    return problem, mean[i, j, t]


def simulate(n, periods, draws, pairs):
    """The linear part has mean zero, so that the error less it shows the bias with far fewer draws."""
    rng = np.random.default_rng(20210)
    out = []
    for _ in range(draws):
        problem, mean = flows(rng, n, periods, pairs)
        found = fit(problem, detail=True)
        net = RowEffects(codes=problem.effects, weights=mean).residual(problem.regressors.T)[0]
        linear = net @ (problem.outcome - mean) / (net @ (mean * net))
        influence, count = found.scores @ found.bread, n * (n - 1)
        plain = np.sqrt((influence.T @ influence)[0, 0] * count / (count - 1))
        got = weidner_zylkin(problem, found, both_ways(n, 1))
        bias = 0.0 if got.bias is None else got.bias[0]
        out.append((found.coefficients[0] - 1, linear, bias, plain, np.sqrt(got.covariance[0, 0])))
    return Draws(*np.array(out).T)


def mean_and_error(values):
    return values.mean(), values.std() / np.sqrt(len(values))


@pytest.mark.parametrize("pairs", ["directed", "shared"])
def test_the_bias_of_three_way_coefficients_shrinks_faster_than_one_over_the_regions(pairs):
    left = {}
    for n, draws in ((16, 200), (32, 40)):
        d = simulate(n, 3, draws, pairs)
        raw, raw_error = mean_and_error(d.error - d.linear)
        rest, rest_error = mean_and_error(d.error - d.bias - d.linear)
        assert raw > 8 * raw_error
        assert abs(rest) < raw / 2
        left[n] = (raw, rest, rest_error)
    # a half for each doubling before, a quarter after
    assert left[32][0] == pytest.approx(left[16][0] / 2, rel=0.25)
    assert left[32][1] < left[16][1] / 2


@pytest.mark.parametrize("pairs", ["directed", "shared", "none"])
def test_corrected_errors_are_nearer_to_the_spread_of_the_coefficients(pairs):
    n, draws = 16, 300
    d = simulate(n, 3, draws, pairs)
    spread = (d.error - d.bias).std()
    tolerance = 3 / np.sqrt(2 * draws)  # three standard errors of a standard deviation, in shares
    assert d.plain.mean() < spread * (1 - 0.08)
    assert d.corrected.mean() == pytest.approx(spread, rel=tolerance)
    covered = [np.mean(np.abs(e) < 1.96 * s) for e, s in ((d.error, d.plain), (d.error - d.bias, d.corrected))]
    assert covered[1] > covered[0] + 0.02
    assert covered[1] > 0.91
