from itertools import permutations

import numpy as np
import pytest

from tradelift.designs.correlogram_fit import Curve, Ends, Variogram, fit_curve, likeness, variogram, without_effects

EXACT = 1e-9  # of sums of some hundred numbers
FOUND = 1e-3  # of a length by bounded search to 1e-4 of its log
EDGES = np.arange(0.0, 1001.0, 100.0)


def places(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 900, (n, 2))
    return np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))


def gaps(shape, share, seed=1):
    rng = np.random.default_rng(seed)
    known = rng.random(shape) > share
    return np.where(known, rng.standard_normal(shape), 0.0), known


def test_half_squares_by_loops():
    residual, known = gaps((6, 7), 0.3)
    part = Ends(residual=residual, known=known, distance_km=places(6))
    sums, count = part.half_squares()
    for i in range(6):
        for j in range(6):
            both = [k for k in range(7) if known[i, k] and known[j, k]]
            assert count[i, j] == len(both)
            assert sums[i, j] == pytest.approx(sum((residual[i, k] - residual[j, k]) ** 2 / 2 for k in both), abs=EXACT)


def test_a_variogram_by_loops():
    parts = [Ends(residual=r, known=k, distance_km=places(6)) for r, k in (gaps((6, 7), 0.3), gaps((6, 4), 0.5, 2))]
    found = variogram(parts, EDGES)
    seen = {b: [] for b in range(len(EDGES) - 1)}
    for part in parts:
        for i in range(6):
            for j in range(i):
                b = int(part.distance_km[i, j] // 100)
                for k in np.flatnonzero(part.known[i] & part.known[j]):
                    if b in seen:
                        half = (part.residual[i, k] - part.residual[j, k]) ** 2 / 2
                        seen[b].append((half, part.distance_km[i, j]))
    for b, rows in seen.items():
        assert found.count[b] == len(rows)
        expected = np.mean(rows, axis=0) if rows else [np.nan, np.nan]
        np.testing.assert_allclose([found.level[b], found.distance_km[b]], expected, atol=EXACT)


def test_effects_do_not_bend_the_variogram():
    """The expected half squares of a smooth field less its means are 1 - correlation times one factor, exactly."""
    east, west = places(6, 3), places(5, 4)
    kernels = [np.exp(-(d**2) / (2 * 300.0**2)) for d in (east, west)]
    roots = [np.linalg.cholesky(k) for k in kernels]
    expected, everything = np.zeros((6, 6)), np.ones((6, 5), dtype=bool)
    for u in roots[0].T:  # the expectation of a quadratic form is its sum over the columns of a root
        for v in roots[1].T:
            values = without_effects(np.outer(u, v), everything)
            expected += Ends(residual=values, known=everything, distance_km=east).half_squares()[0]
    factor = expected[0, 1] / (1 - kernels[0][0, 1])
    np.testing.assert_allclose(expected, factor * (1 - kernels[0]), atol=EXACT)


def test_effects_are_those_of_dummies():
    values, known = gaps((8, 6), 0.3, 5)
    i, j = np.nonzero(known)
    x = np.hstack([np.eye(8)[i], np.eye(6)[j]])
    y = values[known]
    found = without_effects(values, known)
    np.testing.assert_allclose(found[known], y - x @ np.linalg.lstsq(x, y, rcond=None)[0], atol=1e-7)
    assert np.all(found[~known] == 0)


def exact(curve, side, step=10.0):
    km = np.arange(step / 2, 1000.0, step)
    level = curve.noise + curve.smooth[side] * (1 - np.exp(-(km**2) / (2 * curve.length_km**2)))
    return Variogram(distance_km=km, level=level, count=np.full(len(km), 50.0))


@pytest.mark.parametrize("length", [100.0, 250.0, 500.0])
def test_an_exact_curve_is_found(length):
    truth = Curve(length_km=length, noise=0.2, smooth=(0.3, 0.5))
    found = fit_curve([exact(truth, 0), exact(truth, 1)], 10.0, 1000.0)
    assert found.length_km == pytest.approx(length, rel=FOUND)
    np.testing.assert_allclose([found.noise, *found.smooth], [0.2, 0.3, 0.5], rtol=FOUND)
    assert np.exp(-((found.half_km / found.length_km) ** 2) / 2) == pytest.approx(0.5)


def test_empty_bins_do_not_count():
    truth = Curve(length_km=300.0, noise=0.2, smooth=(0.3,))
    full = exact(truth, 0)
    hole = np.arange(len(full.count)) % 3 == 0
    some = Variogram(
        distance_km=np.where(hole, np.nan, full.distance_km),
        level=np.where(hole, np.nan, full.level),
        count=np.where(hole, 0.0, full.count),
    )
    assert fit_curve([some], 10.0, 1000.0).length_km == pytest.approx(300.0, rel=FOUND)


def test_likeness_against_all_relabellings():
    parts = [Ends(residual=r, known=k, distance_km=places(6)) for r, k in (gaps((6, 9), 0.2), gaps((6, 4), 0.4, 2))]
    alike = sum(p.products()[0] / np.maximum(p.products()[1], 1) for p in parts)
    near = np.clip(1 - parts[0].distance_km / 500, 0, 1)
    np.fill_diagonal(near, 0)
    sums = np.array([(near * alike[np.ix_(order, order)]).sum() for order in permutations(range(6))])
    expected = ((near * alike).sum() - sums.mean()) / sums.std()
    assert likeness(parts, 500.0) == pytest.approx(expected, abs=EXACT)


def test_likeness_needs_near_and_far():
    residual, known = gaps((6, 9), 0.0)
    part = Ends(residual=residual, known=known, distance_km=places(6))
    assert np.isnan(likeness([part], 0.1))
    apart = 100.0 * (1 - np.eye(6))
    assert np.isnan(likeness([Ends(residual=residual, known=known, distance_km=apart)], 500.0))
