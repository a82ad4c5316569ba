import numpy as np
import pandas as pd
import pyfixest as pf
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame
from tests.designs.panels import one_sided, two_sided
from tradelift.inference import joint

DIGITS = 1e-7  # of coefficients and errors beside pyfixest, whose demeaning stops at 1e-12 and PPML at 1e-14
EXACT = 1e-9  # two ways through float64 sums of a thousand cells


@pytest.fixture(scope="module")
def panel():
    frame = two_sided(missing=0.1)[1]
    rng = np.random.default_rng(3)
    frame["top"] = np.floor(frame["trade"] * rng.uniform(0.2, 0.9, len(frame)))
    frame["rest"] = frame["trade"] - frame["top"]
    source = two_sided(missing=0.1)[0]
    regions = pd.DataFrame({
        "region": source.regions.ids, "side": np.array(["east", "west"])[source.regions.side],
        "group": source.regions.group, "longitude": source.regions.longitude, "latitude": source.regions.latitude,
    })  # fmt: skip
    ids = source.regions.ids
    partners = pd.DataFrame({"east": ids[source.programme.first], "west": ids[source.programme.second]})
    return tl.Panel.from_frame(frame, regions=regions, partners=partners)


def stacked(panel, names):
    """Rows of all outcomes, with the name of each."""
    frame = as_frame(panel)
    return pd.concat([frame.assign(y=frame[name], which=name) for name in names], ignore_index=True)


@pytest.mark.parametrize("cluster", ["dyad", "origin + destination"])
def test_outcomes_are_the_stacked_ppml(panel, cluster):
    found = joint({name: tl.Gravity(outcome=name, vcov="pair").estimate(panel) for name in ("top", "rest")})
    if cluster != "dyad":
        found = found.with_vcov("two-way")
    rows = stacked(panel, ["top", "rest"])
    rows["ln"] = np.log(rows["distance_km"])
    for name in ("top", "rest"):
        rows[f"partner_{name}"] = rows["partner"] * (rows["which"] == name)
        rows[f"ln_{name}"] = rows["ln"] * (rows["which"] == name)
    fit = pf.fepois(
        "y ~ partner_top + ln_top + partner_rest + ln_rest | origin^period^which + destination^period^which",
        rows, vcov={"CRV1": cluster}, ssc=pf.ssc(k_adj=False, G_adj=True, G_df="min"),
        fixef_tol=1e-12, iwls_tol=1e-14, iwls_maxiter=100,
    )  # fmt: skip
    np.testing.assert_allclose(found.coefficients, fit.coef().to_numpy(), rtol=DIGITS)
    np.testing.assert_allclose(found.covariance, fit._vcov, rtol=1e-5, atol=DIGITS * np.abs(fit._vcov).max())
    gap = found.combine({"partner[top]": 1, "partner[rest]": -1})
    r = np.array([1.0, 0, -1, 0])
    assert gap.estimate == pytest.approx(r @ fit.coef().to_numpy(), rel=1e-5)
    assert gap.std_error == pytest.approx(np.sqrt(r @ fit._vcov @ r), rel=1e-5)


def test_a_part_keeps_its_own_covariance(panel):
    each = {name: tl.Gravity(outcome=name).estimate(panel) for name in ("top", "rest", "trade")}
    for scheme in ("directed-pair", "pair", "two-way", "dyadic", "max-two-way", "province", "spatial"):
        own = {name: e.with_vcov(scheme) for name, e in each.items()}
        found = joint(own)
        for k, e in enumerate(own.values()):
            here = found.covariance[2 * k : 2 * k + 2, 2 * k : 2 * k + 2]
            np.testing.assert_allclose(here, e.covariance, rtol=EXACT)
        assert (found.dof, found.diagnostics.clusters) == (own["trade"].dof, own["trade"].diagnostics.clusters)


def test_an_estimate_differs_from_itself_by_nothing(panel):
    e = tl.SpatialRD(bandwidth_km=900, controls=[]).estimate(panel)
    gap = joint({"a": e, "b": e}, controls=False).combine({"partner[a]": 1, "partner[b]": -1})
    assert gap.estimate == 0
    assert np.isnan(gap.std_error) or gap.std_error < EXACT


def test_designs_stand_together(panel):
    """Gravity and spatial RD: the covariance between them by a sum over undirected pairs."""
    gravity = tl.Gravity(outcome="log(trade)", vcov="pair", correction="none").estimate(panel)
    rd = tl.SpatialRD(bandwidth_km=900, vcov="pair", correction="none").estimate(panel)
    found = joint({"gravity": gravity, "rd": rd}, controls=False)
    assert found.terms == ("partner[gravity]", "partner[rd]")
    assert (found.design, found.outcome, found.n_obs) == ("several", "log(trade)", gravity.n_obs + rd.n_obs)
    a, b = gravity.influence.pairs[:, 0], rd.influence.pairs[:, 0]
    dyads = panel.pairs.dyad
    between = sum(a[dyads == d].sum() * b[dyads == d].sum() for d in np.unique(dyads))
    assert found.covariance[0, 1] == pytest.approx(between, rel=EXACT)
    assert found.dropped["missing"] == gravity.dropped["missing"] + rd.dropped["missing"]


def test_full_counts_the_stacked_rows(panel):
    each = {
        n: tl.Gravity(outcome=f"log1p({n})", vcov="pair", correction="full").estimate(panel) for n in ("top", "rest")
    }
    found = joint(each)
    bare = found.with_vcov("pair", "clusters")
    n, rank = (sum(getattr(e.influence, key) for e in each.values()) for key in ("n_obs", "rank"))
    np.testing.assert_allclose(found.covariance, bare.covariance * (n - 1) / (n - rank), rtol=EXACT)


def test_what_does_not_stand_together_is_refused(panel):
    e = tl.Gravity().estimate(panel)
    with pytest.raises(tl.DesignError, match="no estimate to put together"):
        joint({})
    with pytest.raises(tl.DesignError, match="different pairs"):
        joint({"a": e, "b": tl.Gravity().estimate(one_sided()[0])})
    with pytest.raises(tl.DesignError, match="different errors"):
        joint({"a": e, "b": e.with_vcov("pair")})
    with pytest.raises(tl.DesignError, match="not made of the scores of pairs"):
        joint({"a": e.with_vcov("robust")})
    by_columns = tl.Gravity(vcov=["origin", "destination"]).estimate(panel)
    with pytest.raises(tl.DesignError, match="not made of the scores of pairs"):
        joint({"a": by_columns})
