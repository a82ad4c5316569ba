import numpy as np
import pytest

from tests.designs.panels import one_sided, two_sided
from tradelift import DesignError, Gravity
from tradelift.covariance import Dyads, Influence, covariance


def random_influence(seed=1, *, sides=True, n=7, k=2):
    """Influence of all directed pairs among a few regions, some of them unused."""
    rng = np.random.default_rng(seed)
    origin, destination = (a.ravel() for a in np.indices((n, n)))
    side = np.arange(n) % 2 if sides else None
    if sides:
        ok = side[origin] != side[destination]
        origin, destination = origin[ok], destination[ok]
    used = rng.random(len(origin)) < 0.85
    low, high = np.minimum(origin, destination), np.maximum(origin, destination)
    dyads = Dyads(
        origin=origin, destination=destination, dyad=np.unique(low * n + high, return_inverse=True)[1], used=used,
        side=side, group=rng.integers(0, 3, n) if not sides else np.arange(n) % 2 * 2 + np.arange(n) // 4,
        longitude=rng.uniform(100, 106, n), latitude=rng.uniform(28, 34, n),
    )  # fmt: skip
    pairs = rng.normal(size=(len(origin), k)) * used[:, None]
    return Influence(pairs=pairs, dyads=dyads, robust=np.eye(k) * 0.3, iid=np.eye(k) * 0.2, n_obs=500, rank=40)


def double_loop(influence, share):
    """Sum of outer products over all pairs of directed pairs that share something."""
    d, x = influence.dyads, influence.pairs
    total = np.zeros((x.shape[1],) * 2)
    for p in range(len(x)):
        for q in range(len(x)):
            if share(d, p, q):
                total += np.outer(x[p], x[q])
    return total


def known(matrix):
    """The matrix, without the coefficients whose variance is not positive."""
    out = matrix.copy()
    unknown = np.diag(matrix) <= 0
    out[unknown] = out[:, unknown] = np.nan
    return out


SHARE = {
    "directed-pair": lambda d, p, q: p == q,
    "pair": lambda d, p, q: {d.origin[p], d.destination[p]} == {d.origin[q], d.destination[q]},
    "dyadic": lambda d, p, q: bool({d.origin[p], d.destination[p]} & {d.origin[q], d.destination[q]}),
    "two-way": lambda d, p, q: d.origin[p] == d.origin[q] or d.destination[p] == d.destination[q],
    "province": lambda d, p, q: bool(
        {d.group[d.origin[p]], d.group[d.destination[p]]} & {d.group[d.origin[q]], d.group[d.destination[q]]}
    ),
}


@pytest.mark.parametrize("sides", [True, False])
@pytest.mark.parametrize("scheme", SHARE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_meat_equals_the_double_loop(scheme, sides, seed):
    influence = random_influence(seed, sides=sides)
    got = covariance(influence, scheme, "none")
    np.testing.assert_allclose(got.matrix, known(double_loop(influence, SHARE[scheme])), rtol=1e-9, atol=1e-12)


def test_dyadic_is_two_way_by_the_ends_where_there_are_two_sides():
    influence = random_influence(4)
    ends = influence.dyads.ends
    share = lambda d, p, q: ends[0][p] == ends[0][q] or ends[1][p] == ends[1][q]  # noqa: E731
    np.testing.assert_allclose(
        covariance(influence, "dyadic", "none").matrix, known(double_loop(influence, share)), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("scheme", ["directed-pair", "pair", "two-way", "dyadic"])
def test_corrections(scheme):
    influence = random_influence(5, sides=False)
    d = influence.dyads
    plain = covariance(influence, scheme, "none")
    n_clusters = {
        "directed-pair": (int(d.used.sum()),),
        "pair": (len(np.unique(d.dyad[d.used])),),
        "two-way": (len(np.unique(d.origin[d.used])), len(np.unique(d.destination[d.used]))),
        "dyadic": (len(np.union1d(d.origin[d.used], d.destination[d.used])),),
    }[scheme]
    g = min(n_clusters)
    assert plain.clusters == n_clusters
    assert plain.dof == g - 1
    np.testing.assert_allclose(covariance(influence, scheme, "clusters").matrix, plain.matrix * g / (g - 1))
    np.testing.assert_allclose(covariance(influence, scheme, "full").matrix, plain.matrix * g / (g - 1) * 499 / 460)


def test_robust_and_none():
    influence = random_influence(6)
    np.testing.assert_allclose(covariance(influence, "none", "clusters").matrix, influence.iid)
    np.testing.assert_allclose(covariance(influence, "robust", "clusters").matrix, influence.robust * 500 / 499)
    np.testing.assert_allclose(covariance(influence, "robust", "full").matrix, influence.robust * 500 / 460)
    assert covariance(influence, "robust", "none").dof == 460


@pytest.mark.parametrize("seed", range(6))
def test_max_two_way_is_the_largest_variance(seed):
    influence = random_influence(seed)
    d = influence.dyads
    ends = d.ends
    variances = []
    for share, g in (
        (lambda d, p, q: ends[0][p] == ends[0][q], len(np.unique(ends[0][d.used]))),
        (lambda d, p, q: ends[1][p] == ends[1][q], len(np.unique(ends[1][d.used]))),
        (lambda d, p, q: d.dyad[p] == d.dyad[q], len(np.unique(d.dyad[d.used]))),
    ):
        variances.append(np.diag(double_loop(influence, share)) * g / (g - 1))
    g = min(len(np.unique(e[d.used])) for e in ends)
    both = double_loop(influence, lambda d, p, q: ends[0][p] == ends[0][q] or ends[1][p] == ends[1][q])
    variances.append(np.diag(known(both)) * g / (g - 1))
    got = covariance(influence, "max-two-way", "clusters")
    np.testing.assert_allclose(np.diag(got.matrix), np.nanmax(variances, axis=0), rtol=1e-9)


def test_a_variance_that_is_not_positive_is_not_known():
    found = [covariance(random_influence(seed, n=4, k=1), "two-way", "none").matrix[0, 0] for seed in range(60)]
    assert any(np.isnan(found))
    assert all(np.isnan(v) or v > 0 for v in found)


@pytest.mark.parametrize(
    ("scheme", "correction", "message"),
    [
        ("pairs", "none", r"no vcov 'pairs'.*vcov=\['pairs'\]"),
        ("jackknife", "none", "needs the data: estimate again with vcov='jackknife'"),
        ("directed-pair", "weidner-zylkin", "needs the data: estimate again with vcov='directed-pair', correction='w"),
        ("pair", "weidner-zylkin", "is for vcov='directed-pair'; found 'pair'"),
        ("pair", "some", "no correction 'some'"),
    ],
)
def test_unknown_schemes_are_refused(scheme, correction, message):
    with pytest.raises(DesignError, match=message):
        covariance(random_influence(), scheme, correction)


def test_province_needs_groups():
    panel, _ = one_sided()
    estimate = Gravity(vcov="pair").estimate(panel)
    assert estimate.with_vcov("province").se_type == "province"
    bare, frame, chosen = two_sided()
    import pandas as pd

    import tradelift as tl

    no_groups = tl.Panel.from_frame(frame, partners=pd.DataFrame(chosen))
    with pytest.raises(DesignError, match="needs the group of each region"):
        Gravity(vcov="province").estimate(no_groups)
    assert Gravity(vcov="province").estimate(bare).se_type == "province"


def test_one_cluster_is_too_few():
    influence = random_influence(1)
    d = influence.dyads
    one = Dyads(origin=d.origin * 0, destination=d.destination, dyad=d.dyad, used=d.used, side=None, group=None)
    alone = Influence(pairs=influence.pairs, dyads=one, robust=influence.robust, iid=influence.iid, n_obs=9, rank=1)
    with pytest.raises(DesignError, match="at least two clusters"):
        covariance(alone, "two-way", "clusters")
