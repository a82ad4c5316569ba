from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tradelift import DesignError, Gravity
from tradelift.covariance import Dyads, Influence, covariance
from tradelift.covariance.dyads import compact


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


@pytest.mark.parametrize("correction", ["none", "clusters", "full"])
@pytest.mark.parametrize("sides", [True, False])
def test_max_two_way_keeps_the_two_way_correlations(sides, correction):
    influence = random_influence(11, sides=sides, n=9, k=3)
    d = influence.dyads
    first, second = d.ends
    g = (len(np.unique(first[d.used])), len(np.unique(second[d.used])), len(np.unique(d.dyad[d.used])))
    factor = {"none": lambda _: 1.0, "clusters": lambda n: n / (n - 1), "full": lambda n: n / (n - 1) * 499 / 460}
    both = double_loop(influence, lambda d, p, q: first[p] == first[q] or second[p] == second[q])
    both = both * factor[correction](min(g[:2]))
    assert (np.diag(both) > 0).all()
    variances = [np.diag(both)]
    for codes, n in zip((first, second, d.dyad), g, strict=True):
        one = double_loop(influence, lambda d, p, q, codes=codes: codes[p] == codes[q])
        variances.append(np.diag(one) * factor[correction](n))
    best = np.max(variances, axis=0)
    correlation = both / np.sqrt(np.outer(np.diag(both), np.diag(both)))
    got = covariance(influence, "max-two-way", correction)
    np.testing.assert_allclose(got.matrix, correlation * np.sqrt(np.outer(best, best)), rtol=1e-9, atol=1e-13)
    assert (got.clusters, got.dof) == (g[:2], min(g[:2]) - 1)


def test_max_two_way_is_known_where_two_way_is_not():
    unknown = 0
    for seed in range(80):
        influence = random_influence(seed, n=4, k=2)
        d = influence.dyads
        first, second = d.ends
        two = known(double_loop(influence, lambda d, p, q: first[p] == first[q] or second[p] == second[q]))  # noqa: B023
        got = covariance(influence, "max-two-way", "none").matrix
        assert np.all(np.diag(got) > 0)
        if np.isnan(two[0, 0]):
            unknown += 1
            assert got[0, 1] == got[1, 0] == 0  # there is no correlation to keep
    assert unknown > 0


@pytest.mark.parametrize("sides", [True, False])
def test_province_counts_groups(sides):
    influence = random_influence(12, sides=sides, n=8)
    d = influence.dyads
    first, second = (d.group[end][d.used] for end in d.ends)
    counts = (len(np.unique(first)), len(np.unique(second))) if sides else (len(np.union1d(first, second)),)
    g = min(counts)
    plain = known(double_loop(influence, SHARE["province"]))
    for correction, factor in (("none", 1), ("clusters", g / (g - 1)), ("full", g / (g - 1) * 499 / 460)):
        got = covariance(influence, "province", correction)
        np.testing.assert_allclose(got.matrix, plain * factor, rtol=1e-9, atol=1e-13)
        assert (got.clusters, got.dof) == (counts, g - 1)


def test_pairs_that_are_not_used_do_not_count():
    influence = random_influence(13, sides=False)
    d = influence.dyads
    used = d.used & (d.origin != 2) & (d.destination != 2)
    less = replace(influence, dyads=replace(d, used=used), pairs=influence.pairs * used[:, None])
    assert covariance(less, "dyadic", "clusters").clusters == (6,)
    assert covariance(less, "directed-pair", "clusters").clusters == (int(used.sum()),)
    assert covariance(less, "spatial", "clusters").clusters == (6,)


@pytest.mark.parametrize("outcome", ["trade", "log(trade)"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    ("vcov", "theirs"), [("pair", "dyad"), ("directed-pair", "flow"), ("two-way", "origin+destination")]
)
def test_full_and_weights_equal_pyfixest(outcome, weighted, vcov, theirs):
    # one period and direction: the effects are connected, so that both count the same rank
    import pyfixest as pf

    panel, frame, chosen = two_sided(seed=3, n_east=12, n_west=13, partners=30, periods=1)
    frame = frame.assign(w=np.exp(frame["shock"] / 2), period="2017-01")
    frame = frame[frame["origin"].str.startswith("e") & (frame["trade"] > 0)]
    panel = tl.Panel.from_frame(frame, partners=pd.DataFrame(chosen))
    rows = panel.to_arrow().to_pandas()
    rows["dyad"] = rows["flow"] = rows["origin"] + rows["destination"]
    model = (pf.fepois if outcome == "trade" else pf.feols)(
        ("trade" if outcome == "trade" else "np.log(trade)") + " ~ partner + shock | origin + destination", rows,
        weights="w" if weighted else None, vcov={"CRV1": theirs},
        ssc=pf.ssc(k_adj=True, k_fixef="full", G_adj=True, G_df="min"),
    )  # fmt: skip
    got = Gravity(
        outcome=outcome, controls=["shock"], weights="w" if weighted else None, vcov=vcov, correction="full"
    ).estimate(panel)  # fmt: skip
    np.testing.assert_allclose(got.coefficients, model.coef().to_numpy(), rtol=1e-7)
    np.testing.assert_allclose(got.std_errors, model.se().to_numpy(), rtol=2e-6)  # pyfixest's PPML stops earlier


def test_max_two_way_of_a_perfect_fit_is_not_known():
    """Scores that are all zero say nothing of an error: zero would be a claim of certainty."""
    influence = random_influence(k=2)
    flat = replace(influence, pairs=influence.pairs * np.array([0.0, 1.0]))
    got = covariance(flat, "max-two-way", "clusters").matrix
    assert np.isnan(got[0]).all()
    assert np.isnan(got[:, 0]).all()
    assert got[1, 1] == covariance(influence, "max-two-way", "clusters").matrix[1, 1]


def test_regressors_that_fit_each_clusters_sum_leave_no_error_to_report():
    """Four pairs, one of them treated: its coefficient takes the only contrast that the effects leave, in the mean."""
    rng = np.random.default_rng(5)
    rows = [(o, d, t) for o in "ab" for d in "xy" for t in range(6)]
    flows = pd.DataFrame(rows, columns=["origin", "destination", "period"])
    flows["trade"] = np.exp(rng.normal(size=len(flows)))
    flows["treated"] = ((flows["origin"] == "a") & (flows["destination"] == "x")).astype(float)
    panel = tl.Panel.from_frame(flows)
    design = Gravity(outcome="log(trade)", treatment="treated", controls=[], vcov="robust")
    estimate = design.estimate(panel)
    assert estimate.std_errors[0] > 0.1
    for scheme in ("directed-pair", "pair", "dyadic", "max-two-way"):
        fitted = estimate.with_vcov(scheme)
        assert np.isnan(fitted.std_errors[0])
        assert "No standard error for treated" in str(fitted)


@pytest.mark.parametrize("dense", [0, 8], ids=["sorted", "listed"])
@pytest.mark.parametrize("codes", [[], [3], [7, 2, 2, 9, 0, 7], [5, 400, 5]])
def test_codes_without_gaps(codes, dense, monkeypatch):
    monkeypatch.setattr("tradelift.covariance.dyads.DENSE", dense)
    given = np.array(codes, dtype=np.int64)
    assert np.array_equal(compact(given), np.unique(given, return_inverse=True)[1])
