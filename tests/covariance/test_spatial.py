"""Spatial kernels against the double loop over all pairs of directed pairs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.covariance.test_schemes import known, random_influence
from tests.designs.panels import one_sided, two_sided
from tradelift.covariance import covariance
from tradelift.covariance.spatial import Spatial, read_spatial
from tradelift.geography import EARTH_RADIUS_KM

TINY = "1e-6"  # km: only a region is near to itself


def kilometres(d, a, b):
    """By the law of cosines, which is exact enough for regions far apart."""
    one, other = np.radians(d.latitude[[a, b]])
    turn = np.radians(d.longitude[a] - d.longitude[b])
    cosine = np.sin(one) * np.sin(other) + np.cos(one) * np.cos(other) * np.cos(turn)
    return 0.0 if a == b else EARTH_RADIUS_KM * np.arccos(np.clip(cosine, -1, 1))


def near(d, a, b, kernel, cutoff):
    distance = kilometres(d, a, b)
    return float(distance <= cutoff) if kernel == "uniform" else max(0.0, 1 - distance / cutoff)


def weight(d, p, q, match, kernel, cutoff):
    """Of two directed pairs; without sides both ways to match their regions are tried."""
    one, other = (d.origin[p], d.destination[p]), (d.origin[q], d.destination[q])
    if d.side is not None:
        one, other = (sorted(ends, key=lambda r: d.side[r]) for ends in (one, other))
    ways = [other] if d.side is not None else [other, other[::-1]]
    found = []
    for way in ways:
        x, y = (near(d, a, b, kernel, cutoff) for a, b in zip(one, way, strict=True))
        found.append(x * y if match == "product" else 1 - (1 - x) * (1 - y))
    return max(found)


def weighted_double_loop(influence, *kernel):
    d, x = influence.dyads, influence.pairs
    total = np.zeros((x.shape[1],) * 2)
    for p in np.flatnonzero(d.used):
        for q in np.flatnonzero(d.used):
            total += weight(d, p, q, *kernel) * np.outer(x[p], x[q])
    return total


@pytest.mark.parametrize("sides", [True, False])
@pytest.mark.parametrize("match", ["product", "union"])
@pytest.mark.parametrize("kernel", ["bartlett", "uniform"])
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_the_double_loop(match, kernel, sides, seed):
    influence = random_influence(seed, sides=sides, n=6)
    got = covariance(influence, f"spatial({match}, {kernel}, 400)", "none")
    expected = known(weighted_double_loop(influence, match, kernel, 400.0))
    np.testing.assert_allclose(got.matrix, expected, rtol=1e-9, atol=1e-12)


def test_the_default_is_the_bartlett_product_of_250_km():
    influence = random_influence(3, n=6)
    got = covariance(influence, "spatial", "none")
    expected = known(weighted_double_loop(influence, "product", "bartlett", 250.0))
    np.testing.assert_allclose(got.matrix, expected, rtol=1e-9, atol=1e-12)
    assert read_spatial("spatial") == Spatial(match="product", kernel="bartlett", cutoff_km=250)
    assert read_spatial("spatial(400, union)") == Spatial(match="union", cutoff_km=400)
    assert read_spatial("pair") is None


@pytest.mark.parametrize("sides", [True, False])
@pytest.mark.parametrize(("match", "scheme"), [("product", "pair"), ("union", "dyadic")])
def test_where_nothing_is_near_the_product_is_pair_and_the_union_dyadic(match, scheme, sides):
    influence = random_influence(4, sides=sides)
    got = covariance(influence, f"spatial({match}, {TINY})", "none")
    np.testing.assert_allclose(got.matrix, covariance(influence, scheme, "none").matrix, rtol=1e-9, atol=1e-12)


def test_where_all_is_near_the_scores_sum_to_nothing():
    influence = random_influence(5)
    flat = replace(influence, pairs=influence.pairs - influence.pairs[influence.dyads.used].mean(axis=0))
    flat.pairs[~influence.dyads.used] = 0
    got = covariance(flat, "spatial(uniform, 50000)", "none")
    scale = np.abs(flat.pairs).sum() ** 2
    assert np.all(np.isnan(got.matrix) | (np.abs(got.matrix) < 1e-12 * scale))


def test_a_few_pairs_at_a_time_give_the_same(monkeypatch):
    influence = random_influence(6, sides=False)
    whole = covariance(influence, "spatial(union, 500)", "none").matrix
    monkeypatch.setattr("tradelift.covariance.spatial.AT_ONCE", 50)
    np.testing.assert_allclose(covariance(influence, "spatial(union, 500)", "none").matrix, whole, rtol=1e-12)


def test_corrections_count_the_regions():
    influence = random_influence(7, sides=False)
    d = influence.dyads
    g = len(np.union1d(d.origin[d.used], d.destination[d.used]))
    plain = covariance(influence, "spatial(600)", "none")
    assert (plain.clusters, plain.dof) == ((g,), g - 1)
    np.testing.assert_allclose(covariance(influence, "spatial(600)", "clusters").matrix, plain.matrix * g / (g - 1))
    full = covariance(influence, "spatial(600)", "full").matrix
    np.testing.assert_allclose(full, plain.matrix * g / (g - 1) * 499 / 460)


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("spatial(close)", "'close' is neither product nor union nor bartlett nor uniform nor a positive cutoff in km"),
        ("spatial(-3)", "'-3' is neither"),
        ("spatial(inf)", "'inf' is neither"),
        ("spatial(200, 300)", "says its cutoff_km twice; write spatial, or"),
        ("spatial(union, product)", "says its match twice"),
        ("spatials", "no vcov 'spatials'"),
    ],
)
def test_what_cannot_be_read_is_refused(scheme, message):
    with pytest.raises(tl.DesignError, match=message):
        tl.Gravity(vcov=scheme)


def test_coordinates_are_needed_and_counted():
    influence = random_influence(1)
    with pytest.raises(tl.DesignError, match=r"needs coordinates; 7 of 7 regions have none"):
        covariance(replace(influence, dyads=replace(influence.dyads, longitude=None)), "spatial", "none")
    gap = influence.dyads.latitude.copy()
    gap[2] = np.nan
    with pytest.raises(tl.DesignError, match=r"1 of 7 regions have none. Give the regions longitude and latitude"):
        covariance(replace(influence, dyads=replace(influence.dyads, latitude=gap)), "spatial", "none")
    _, frame, chosen = two_sided()
    bare = tl.Panel.from_frame(frame, partners=pd.DataFrame(chosen))
    with pytest.raises(tl.DesignError, match="needs coordinates; 17 of 17"):
        tl.Gravity(vcov="spatial").estimate(bare)


@pytest.mark.parametrize("make", [two_sided, one_sided])
def test_from_panel_to_estimate(make):
    panel = make()[0]
    estimate = tl.Gravity(vcov="spatial(union)").estimate(panel)
    assert estimate.se_type == "spatial(union)"
    again = tl.Gravity(vcov="pair").estimate(panel).with_vcov("spatial(union)")
    np.testing.assert_allclose(again.covariance, estimate.covariance, rtol=1e-12)
    expected = known(weighted_double_loop(estimate.influence, "union", "bartlett", 250.0))
    g = len(panel.regions)
    np.testing.assert_allclose(estimate.covariance, expected * g / (g - 1), rtol=1e-8)
