import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyfixest as pf
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, with_pyfixest
from tests.designs.panels import one_sided, rebuilt, two_sided
from tests.inference.mediators import clustered, dense, least_squares, poisson, stacked, with_mediators
from tradelift.designs import records
from tradelift.designs.subset import explaining, with_terms
from tradelift.errors import DesignError
from tradelift.inference.derived import derive, ratio_interval
from tradelift.inference.mediation import Mediation
from tradelift.panel.cells import MemoryCells

TIGHT = 1e-8  # relative: dense algebra with dummies against projections
MEDIATORS = ("migration", "search")
DESIGNS = {
    "gravity, OLS": tl.Gravity(outcome="log(trade)", vcov="pair"),
    "gravity, PPML": tl.Gravity(outcome="trade", vcov="pair"),
    "spatial RD, OLS": tl.SpatialRD(bandwidth_km=900, vcov="pair", correction="clusters"),
    "spatial RD, PPML": tl.SpatialRD(
        outcome="trade", family="poisson", bandwidth_km=900, vcov="pair", correction="clusters"
    ),
}


@pytest.fixture(scope="module")
def panel():
    return with_mediators()


@pytest.fixture(scope="module")
def found(panel):
    return {name: Mediation(design=design, mediators=MEDIATORS).estimate(panel) for name, design in DESIGNS.items()}


@pytest.mark.parametrize("name", DESIGNS)
def test_every_number_and_error_is_that_of_the_regressions_written_out(panel, found, name):
    estimate = found[name].estimate
    comparison = replace(DESIGNS[name], controls=("log(distance_km)", *MEDIATORS)).compare(panel)
    data = dense(comparison)
    by_hand = stacked(data, "partner", MEDIATORS, comparison.problem.family)
    dyad = panel.pairs.dyad[data.pair]
    count = len(np.unique(dyad))
    errors = dict(zip(estimate.terms, estimate.std_errors, strict=True))
    assert set(by_hand) == set(estimate.terms)
    for term, (value, influence) in by_hand.items():
        assert found[name].value(term) == pytest.approx(value, rel=TIGHT)
        error = np.sqrt(clustered(influence, dyad) * count / (count - 1))
        assert errors[term] == pytest.approx(error, rel=TIGHT), term


def test_total_and_direct_are_the_design_without_and_with_mediators_on_the_same_observations(panel, found):
    """The observations without search are left out of both."""
    known = panel.column("search")
    frame = as_frame(panel).loc[~np.isnan(known)]
    mediated = found["gravity, PPML"]
    base = "trade ~ partner + log(distance_km)"
    effects = "| origin^period + destination^period"
    for term, formula in (("total", f"{base} {effects}"), ("direct", f"{base} + migration + search {effects}")):
        other = with_pyfixest(formula, "poisson", frame)
        assert mediated.value(term) == pytest.approx(other.coef()["partner"], rel=1e-7)
        error = mediated.estimate.std_errors[mediated.estimate.terms.index(term)]
        assert error == pytest.approx(other.se()["partner"], rel=1e-6)
    assert mediated.n_obs == len(frame) == panel.n_cells - mediated.estimate.dropped["missing"]


def test_parts_are_those_of_pyfixest_s_gelbach_decomposition(panel, found):
    """It takes fixed effects for mediators, so that it is given what dummies leave of every column."""
    data = dense(replace(DESIGNS["gravity, OLS"], controls=("log(distance_km)", *MEDIATORS)).compare(panel))
    columns = {"trade": data.outcome} | data.regressors
    left = {name: x - least_squares(data, x, [], data.weights)[2] for name, x in columns.items()}
    frame = pd.DataFrame(left).rename(columns={"log(distance_km)": "distance"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = pf.feols("trade ~ partner + distance + migration + search", frame)
        parts = other.decompose(decomp_var="partner", x1_vars=["distance"], only_coef=True).results
    mediated = found["gravity, OLS"]
    assert mediated.value("mediated") == pytest.approx(parts.explained_effect, rel=TIGHT)
    assert mediated.value("total") == pytest.approx(parts.direct_effect, rel=TIGHT)
    assert mediated.value("direct") == pytest.approx(parts.full_effect, rel=TIGHT)
    for m in MEDIATORS:
        assert mediated.value(f"mediated[{m}]") == pytest.approx(parts.mediator_effects[m], rel=TIGHT)


@pytest.mark.parametrize("name", ["gravity, OLS", "spatial RD, OLS"])
def test_the_parts_of_ols_add_up_to_the_difference(found, name):
    assert found[name].rest == pytest.approx(0.0, abs=1e-12)
    parts = found[name].estimate.combine({f"mediated[{m}]": 1.0 for m in MEDIATORS})
    error = found[name].estimate.std_errors[2]
    assert parts.std_error == pytest.approx(error, rel=TIGHT)


def test_in_ppml_direct_effect_and_parts_are_the_effect_beside_what_mediators_have_of_their_own(panel, found):
    """Mediators net of the treatment, by the weights of the fit, leave it what works through them (Karlson et al. 2012)."""
    design = replace(DESIGNS["gravity, PPML"], controls=("log(distance_km)", *MEDIATORS))
    data = dense(design.compare(panel))
    mediated = found["gravity, PPML"]
    mu = poisson(data, list(data.regressors))[2]
    own = dict(data.regressors)
    for m in MEDIATORS:
        own[m] = data.regressors[m] - least_squares(data, data.regressors[m], ["partner", "log(distance_km)"], mu)[2]
    total = poisson(replace(data, regressors=own), list(own))[0]["partner"]
    parts = sum(mediated.value(f"mediated[{m}]") for m in MEDIATORS)
    assert mediated.value("direct") + parts == pytest.approx(total, rel=TIGHT)
    assert abs(mediated.rest) > 1e-6


def test_a_single_mediator_explains_the_whole_difference(panel):
    mediated = Mediation(design=DESIGNS["gravity, OLS"], mediators="migration").estimate(panel)
    assert mediated.mediators == ("migration",)
    assert mediated.value("mediated[migration]") == pytest.approx(mediated.value("mediated"), rel=TIGHT)


@pytest.mark.parametrize("scheme", ["dyadic", "max-two-way", "province", "two-way", "spatial"])
def test_other_schemes_are_those_of_the_same_influence(panel, found, scheme):
    own = Mediation(design=replace(DESIGNS["gravity, OLS"], vcov=scheme), mediators=MEDIATORS).estimate(panel)
    other = found["gravity, OLS"].estimate.with_vcov(scheme)
    np.testing.assert_allclose(own.estimate.std_errors, other.std_errors, rtol=1e-12)
    assert own.se_type == scheme


def test_a_cause_that_is_not_seen_is_as_in_imai_keele_and_yamamoto(panel):
    """Theorem 4 from the residuals of the two reduced forms, with nothing of ours."""
    mediated = Mediation(design=DESIGNS["gravity, OLS"], mediators="search").estimate(panel)
    design = replace(DESIGNS["gravity, OLS"], controls=("log(distance_km)", "search"))
    data = dense(design.compare(panel))
    few = ["partner", "log(distance_km)"]
    on, _, of_treatment = least_squares(data, data.regressors["search"], few, data.weights)
    _, _, fitted = least_squares(data, data.outcome, few, data.weights)
    second, first = data.regressors["search"] - of_treatment, data.outcome - fitted
    rho = np.corrcoef(first, second)[0, 1]
    for hidden in (-0.5, 0.0, 0.2, rho, 0.9):
        slope = first.std() / second.std() * (rho - hidden * np.sqrt((1 - rho**2) / (1 - hidden**2)))
        part = mediated.under_hidden("search", hidden)
        assert part.estimate == pytest.approx(on["partner"] * slope, rel=1e-7, abs=1e-12)
    assert mediated.hidden["search"].correlation == pytest.approx(rho, rel=TIGHT)
    plain = mediated.estimate.combine({"mediated[search]": 1.0})
    assert mediated.under_hidden("search", 0.0).std_error == pytest.approx(plain.std_error, rel=TIGHT)


def test_there_is_no_such_correlation_for_ppml(found):
    assert found["gravity, PPML"].hidden == {}


def test_the_share_has_fieller_s_interval(found):
    mediated = found["gravity, OLS"]
    share, low, high = mediated.share()
    assert share == pytest.approx(mediated.value("mediated") / mediated.value("total"))
    for end in (low, high):  # where the share is its end, the difference is just not told from 0
        gap = mediated.estimate.combine({"mediated": 1.0, "total": -end})
        assert gap.p_value == pytest.approx(0.05, rel=1e-6)
    row = mediated.tidy().iloc[-1]
    assert (row["term"], row["estimate"], row["conf_low"], row["conf_high"]) == ("share", share, low, high)
    assert f"Mediated share {share:.2f} (95% interval {low:.2f} to {high:.2f})" in str(mediated)


def test_the_table_is_that_of_the_estimate_and_a_row_for_the_share(found):
    for mediated in found.values():
        own, wanted = mediated.tidy(), mediated.estimate.tidy()
        pd.testing.assert_frame_equal(own.iloc[:-1], wanted)
        last, difference = records(mediated)[-1], wanted.set_index("term").loc["mediated"]
        assert (last["statistic"], last["p_value"]) == (difference["statistic"], difference["p_value"])
        assert np.isnan(last["std_error"])


def test_a_share_of_what_may_be_nothing_is_not_bounded():
    assert ratio_interval(0.1, 0.1, np.eye(2), 30) == (-np.inf, np.inf)
    assert np.isnan(ratio_interval(0.1, 0.1, np.full((2, 2), np.nan), 30)).all()


def test_a_derived_number_has_the_error_of_the_delta_method(panel):
    estimate = DESIGNS["gravity, OLS"].estimate(panel)
    b = estimate.coefficients
    found = derive(estimate, ("product",), np.array([b[0] * b[1]]), np.array([[b[1], b[0]]]))
    g = np.array([b[1], b[0]])
    assert found.std_errors[0] == pytest.approx(np.sqrt(g @ estimate.covariance @ g), rel=TIGHT)
    assert found.treatment == ()


@pytest.mark.parametrize("name", ["gravity, OLS", "gravity, PPML"])
def test_effects_that_are_not_two_way_are_fitted_in_rows(panel, name):
    design = replace(DESIGNS[name], effects=("origin", "destination", "period"))
    mediated = Mediation(design=design, mediators=MEDIATORS).estimate(panel)
    with_both = replace(design, controls=("log(distance_km)", *MEDIATORS)).estimate(panel)
    assert mediated.value("direct") == with_both.coefficients[0]
    known = replace(design, where={"known": 1})
    marked = with_mark(panel)
    assert mediated.value("total") == pytest.approx(known.estimate(marked).coefficients[0], rel=1e-7)


def with_mark(panel):
    """The panel with a column that tells where search is known."""
    columns = {name: panel.cells.column(name) for name in panel.cells.names}
    columns["known"] = (~np.isnan(panel.column("search"))).astype(int)
    return replace(panel, cells=MemoryCells(columns=columns, blocks=panel.cells.blocks))


def test_regions_without_sides():
    flows, frame = one_sided(seed=2)
    visits = np.random.default_rng(1).normal(size=len(frame))
    regions = pd.DataFrame({"region": flows.regions.ids, "longitude": flows.regions.longitude})
    other = tl.Panel.from_frame(
        frame.assign(visits=visits),
        regions=regions.assign(latitude=flows.regions.latitude),
        partners=pd.DataFrame({"one": ["r0", "r1", "r2"], "other": ["r3", "r4", "r5"]}),
    )
    mediated = Mediation(design=tl.Gravity(), mediators="visits").estimate(other)
    assert mediated.direction == "both"
    assert (
        mediated.value("direct") == tl.Gravity(controls=["log(distance_km)", "visits"]).estimate(other).coefficients[0]
    )


@pytest.mark.parametrize(
    ("design", "mediators", "message"),
    [
        (tl.Gravity(vcov="robust"), "search", "errors 'robust' with correction 'clusters' are not made of"),
        (tl.Gravity(vcov=["origin"]), "search", "errors 'by origin'"),
        (tl.Gravity(vcov="directed-pair", correction="weidner-zylkin"), "search", "correction 'weidner-zylkin'"),
        (tl.Gravity(), (), "found none"),
        (tl.Gravity(), ("search", "search"), "each once; found search, search"),
    ],
)
def test_what_cannot_be_mediated_is_refused_when_it_is_said(design, mediators, message):
    with pytest.raises(DesignError, match=message):
        Mediation(design=design, mediators=mediators)


@pytest.mark.parametrize(
    ("design", "mediators", "message"),
    [
        (tl.Gravity(controls=["search"]), "search", "'search' is a control of the design already"),
        (tl.Gravity(treatment=None), "search", "the design has 0"),
        (tl.Gravity(by="direction"), "search", "the design has 2"),
        (tl.Gravity(), ("search", "migration", "twice"), "'twice' does not vary beyond the effects"),
        (tl.Gravity(), "nothing", "no column 'nothing'"),
    ],
)
def test_what_cannot_be_mediated_is_refused(panel, design, mediators, message):
    columns = {name: panel.cells.column(name) for name in panel.cells.names}
    columns["twice"] = 2 * panel.column("migration")
    more = replace(panel, cells=MemoryCells(columns=columns, blocks=panel.cells.blocks))
    with pytest.raises(DesignError, match=message):
        Mediation(design=design, mediators=mediators).estimate(more)


def test_a_panel_in_files_is_refused(panel, tmp_path):
    plain = two_sided(seed=1)[0]
    plain.to_parquet(tmp_path)
    stored = tl.Panel.from_parquet(tmp_path)
    with pytest.raises(DesignError, match="'Mediation' needs all cells in memory"):
        Mediation(design=tl.Gravity(), mediators="shock").estimate(stored)


def test_a_mediator_that_separates_flows_cannot_be_held():
    """Where it is 1 nothing is traded: with it held these flows have no maximum, and on the others it is 0."""
    panel, frame, _ = two_sided(seed=4, periods=2)
    odd = (frame["origin"] == "e0") & (frame["destination"].isin(["w0", "w1"]))
    frame["wall"] = odd.astype(float)
    frame.loc[odd, "trade"] = 0.0
    mediated = Mediation(design=tl.Gravity(), mediators="wall")
    with pytest.raises(DesignError, match="'wall' does not vary"):
        mediated.estimate(rebuilt(panel, frame))


def test_terms_of_a_comparison_are_named(panel):
    comparison = DESIGNS["gravity, OLS"].compare(panel)
    with pytest.raises(DesignError, match="no term 'height'; it has partner, log"):
        with_terms(comparison, ["height"])
    with pytest.raises(DesignError, match="no term 'height'"):
        explaining(comparison, "height", ["partner"], None)


@pytest.mark.parametrize("name", ["gravity, PPML", "spatial RD, OLS"])
def test_a_mediator_of_the_period_before_is_that_of_a_frame_shifted_by_hand(panel, name):
    keys = ["origin", "destination"]
    before = as_frame(
        panel
    ).merge(  # cells may be missing: the period before is not always the row before
        as_frame(panel).assign(
            period=lambda x: [f"2017-{int(p[5:]) + 1:02d}" for p in x["period"]], earlier=lambda x: x["search"]
        )[[*keys, "period", "earlier"]],
        how="left",
    )
    before["search"] = before.pop("earlier")
    columns = [*keys, "period", "trade", "migration", "search"]
    later = rebuilt(panel, before.loc[before["period"] > "2017-01", columns])
    by_hand = Mediation(design=DESIGNS[name], mediators=MEDIATORS).estimate(later)
    mediated = Mediation(design=DESIGNS[name], mediators=MEDIATORS, lag=1).estimate(panel)
    np.testing.assert_allclose(mediated.tidy().iloc[:, 1:], by_hand.tidy().iloc[:, 1:], rtol=1e-7, atol=1e-12)
    assert mediated.n_obs == by_hand.n_obs
    assert mediated.sample.endswith("migration, search 1 period before known")


def test_a_lag_needs_a_mediator_that_moves_and_periods_before(panel):
    design = DESIGNS["gravity, OLS"]
    with pytest.raises(DesignError, match="lag=1 is for mediators that move in time, which distance_km does not"):
        Mediation(design=design, mediators="distance_km", lag=1).estimate(panel)
    with pytest.raises(DesignError, match="lag=3 needs more periods than that; the panel has 3"):
        Mediation(design=design, mediators="search", lag=3).estimate(panel)
    with pytest.raises(DesignError, match="from 0 on; found -1"):
        Mediation(design=design, mediators="search", lag=-1)
