import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tradelift as tl
from tests.designs.fixest import as_frame, with_pyfixest
from tests.designs.panels import rebuilt, two_sided
from tradelift.inference import SelectionBounds
from tradelift.inference.bounds import imbens_manski

EXACT = 1e-9
DIGITS = 1e-6  # beside pyfixest
PLAIN = {"effects": [], "controls": [], "vcov": "pair"}


def with_gaps(more_often, seed=3):
    """Ratios that are missing more often where there is no partnership, or where there is one."""
    panel, frame, chosen = two_sided(periods=6)
    rng = np.random.default_rng(seed)
    listed = {frozenset(pair) for pair in chosen}
    partner = np.array([frozenset(ends) in listed for ends in zip(frame["origin"], frame["destination"], strict=True)])
    rare = partner if more_often == "others" else ~partner
    frame["ratio"] = 60 + 5 * rng.normal(size=len(frame)) + partner
    frame.loc[rng.random(len(frame)) < np.where(rare, 0.3, 0.1), "ratio"] = np.nan
    return rebuilt(panel, frame)


def lee(treated, others):
    """Lee's bounds of a difference in means by sorting: `treated` and `others` with NaN where missing."""
    shares = [np.isfinite(x).mean() for x in (treated, others)]
    a, b = np.sort(treated[np.isfinite(treated)]), np.sort(others[np.isfinite(others)])
    if shares[0] >= shares[1]:
        n = round((shares[0] - shares[1]) / shares[0] * len(a))
        return a[: len(a) - n].mean() - b.mean(), a[n:].mean() - b.mean()
    n = round((shares[1] - shares[0]) / shares[1] * len(b))
    return a.mean() - b[n:].mean(), a.mean() - b[: len(b) - n].mean()


@pytest.mark.parametrize("more_often", ["treated", "others"])
def test_without_effects_they_are_lees(more_often):
    panel = with_gaps(more_often)
    found = SelectionBounds(design=tl.Gravity(outcome="ratio", family="gaussian", **PLAIN)).estimate(panel)
    ratio, partner = panel.column("ratio"), panel.column("partner") > 0
    lower, upper = lee(ratio[partner], ratio[~partner])
    assert found.lower.coefficients[0] == pytest.approx(lower, rel=EXACT)
    assert found.upper.coefficients[0] == pytest.approx(upper, rel=EXACT)
    assert found.whose == ("treated" if more_often == "treated" else "other flows")
    gap = np.isfinite(ratio[partner]).mean() - np.isfinite(ratio[~partner]).mean()
    assert found.selection.coefficients[0] == pytest.approx(gap, rel=EXACT)


@pytest.mark.parametrize("more_often", ["treated", "others"])
def test_with_effects_residuals_are_trimmed(more_often):
    """The same steps on a frame, with pyfixest in each."""
    panel = with_gaps(more_often)
    design = tl.Gravity(outcome="ratio", family="gaussian", vcov="pair")
    found = SelectionBounds(design=design).estimate(panel)
    frame = as_frame(panel)
    frame["ln"], frame["there"] = np.log(frame["distance_km"]), frame["ratio"].notna() * 1.0
    formula = "partner + ln | origin^period + destination^period"
    change = with_pyfixest(f"there ~ {formula}", "gaussian", frame).coef()["partner"]
    assert found.selection.coefficients[0] == pytest.approx(change, rel=DIGITS)
    used = frame[frame["ratio"].notna()].copy()
    used["left"] = with_pyfixest(f"ratio ~ {formula}", "gaussian", used).resid()
    share = frame.loc[frame["partner"] == 1, "there"].mean()
    treated = change >= 0
    trim = change / share if treated else -change / (share - change)
    own = used[used["partner"] == int(treated)].sort_values("left")
    n = round(trim * len(own))
    assert found.trimmed == pytest.approx(trim, rel=DIGITS)
    assert n > 3
    bounds = []
    for dropped in (own.index[len(own) - n :], own.index[:n]):
        fit = with_pyfixest(f"ratio ~ {formula}", "gaussian", used.drop(dropped))
        bounds.append((fit.coef()["partner"], fit.se()["partner"]))
    got = [(e.coefficients[0], e.std_errors[0]) for e in (found.lower, found.upper)]
    np.testing.assert_allclose(sorted(got), sorted(bounds), rtol=DIGITS)
    assert found.lower.coefficients[0] < found.upper.coefficients[0]
    assert found.conf_low < found.lower.coefficients[0]
    assert found.conf_high > found.upper.coefficients[0]


@pytest.mark.parametrize("more_often", ["treated", "others"])
def test_spatial_rd_has_bounds_around_its_estimate(more_often):
    panel = with_gaps(more_often)
    design = tl.SpatialRD(outcome="ratio", family="gaussian", bandwidth_km=900)
    found, plain = SelectionBounds(design=design).estimate(panel), design.estimate(panel)
    assert found.lower.coefficients[0] < plain.coefficients[0] < found.upper.coefficients[0]
    assert found.tidy()["term"].tolist() == ["is known", "lower bound", "upper bound"]
    assert (found.design, found.direction, found.se_type) == ("SelectionBounds", "both", "max-two-way")
    assert found.n_obs < plain.n_obs


def test_where_the_outcome_is_always_there_the_bounds_meet():
    panel = two_sided()[0]
    for design in (tl.Gravity(outcome="seller_concentration", vcov="pair"),
                   tl.SpatialRD(outcome="seller_concentration", bandwidth_km=900)):  # fmt: skip
        found, plain = SelectionBounds(design=design).estimate(panel), design.estimate(panel)
        assert found.trimmed < EXACT
        tidy = plain.tidy().iloc[0]
        for bound in (found.lower, found.upper):
            assert bound.coefficients[0] == pytest.approx(tidy["estimate"], rel=EXACT)
        assert (found.conf_low, found.conf_high) == pytest.approx((tidy["conf_low"], tidy["conf_high"]), rel=1e-6)


def test_the_interval_is_one_sided_where_the_bounds_are_far_apart():
    panel = with_gaps("treated")
    found = SelectionBounds(design=tl.Gravity(outcome="ratio", family="gaussian", **PLAIN)).estimate(panel)
    far = type(found.upper)(**{f: getattr(found.upper, f) for f in found.upper.__dataclass_fields__}
                            | {"coefficients": found.lower.coefficients + 1e3})  # fmt: skip
    low, high = imbens_manski(found.lower, far)
    t = stats.t(found.lower.dof).ppf(0.95)
    assert low == pytest.approx(found.lower.coefficients[0] - t * found.lower.std_errors[0], rel=1e-6)
    assert high == pytest.approx(far.coefficients[0] + t * far.std_errors[0], rel=1e-6)


def test_bounds_hold_the_truth_where_selection_is_one_sided():
    """Ratios of all flows are known here; those that partnership adds to the market are the smallest."""
    panel, frame, chosen = two_sided(periods=30, n_east=10, n_west=11)
    rng = np.random.default_rng(1)
    listed = {frozenset(pair) for pair in chosen}
    partner = np.array([frozenset(ends) in listed for ends in zip(frame["origin"], frame["destination"], strict=True)])
    always = rng.random(len(frame)) < 0.6
    added = partner & ~always & (rng.random(len(frame)) < 0.5)
    ratio = 60 + 4 * rng.normal(size=len(frame)) + 1.0 * partner - 8 * added
    frame["ratio"] = np.where(always | added, ratio, np.nan)
    found = SelectionBounds(design=tl.Gravity(outcome="ratio", family="gaussian")).estimate(rebuilt(panel, frame))
    naive = tl.Gravity(outcome="ratio", family="gaussian").estimate(rebuilt(panel, frame)).coefficients[0]
    assert naive < 0.2
    assert found.lower.coefficients[0] < 1.0 < found.upper.coefficients[0]


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (tl.Gravity(outcome="ratio", by="period"), "one treatment and without weights"),
        (tl.Gravity(outcome="log(trade)"), "by OLS in levels"),
        (tl.Gravity(outcome="ratio", family="poisson"), "by OLS in levels"),
    ],
)
def test_other_designs_are_refused(design, message):
    with pytest.raises(tl.DesignError, match=message):
        SelectionBounds(design=design)


def test_an_outcome_that_no_treated_flow_has_is_refused():
    panel, frame, chosen = two_sided()
    listed = {frozenset(pair) for pair in chosen}
    own = [frozenset(ends) in listed for ends in zip(frame["origin"], frame["destination"], strict=True)]
    frame["ratio"] = np.where(own, np.nan, 50.0 + np.arange(len(frame)) % 7)
    with pytest.raises(tl.DesignError, match=r"in 0\.0% of the treated flows"):
        SelectionBounds(design=tl.Gravity(outcome="ratio", family="gaussian")).estimate(
            rebuilt(panel, pd.DataFrame(frame))
        )
