"""Partial R2, robustness values and bounds: the paper's numbers, PySensemakr, and regressions in plain NumPy."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tradelift.errors import DesignError
from tradelift.inference.omitted import as_strong, robustness_value, with_omitted
from tradelift.inference.sensitivity import Sensitivity, robustness, strengths
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

EXACT = 1e-9  # two ways to the same least squares
PRINTED = 5e-4  # the paper prints tenths of a percent
DIGITS = 1e-12  # of PySensemakr 0.0.8 (pandas 2.2) on its Darfur data, which print all digits

DARFUR = {"estimate": 0.09731581928495575, "std_error": 0.023256537809811115, "dof": 783}
DARFUR_T = {"female": (-2.6804478643016485, -9.788837042331943), "age": (-0.9358087636773722, -2.516707828541204)}
BOUNDS = {
    ("female", 1): (0.00916428667504873, 0.12464092303636991, 0.07522027121444956, 0.02187332774375695),
    ("female", 2): (0.01832857335009746, 0.24932406419997533, 0.052915172384452355, 0.02035006207796346),
    ("female", 3): (0.027492860025146188, 0.37405047103809463, 0.030396023464155486, 0.018670064817092186),
    ("age", 1): (0.0011170128088968557, 0.00810725929741573, 0.09535636677067974, 0.02318983263211869),
    ("age", 2): (0.0022340256177937113, 0.016214559096814563, 0.09339471633859883, 0.023107790273517975),
    ("age", 3): (0.003351038426690567, 0.024321899517399145, 0.0914308624374146, 0.0230252702240975),
}


def critical_f(dof):
    from scipy.stats import t

    return t.ppf(0.975, dof - 1) / np.sqrt(dof - 1)


def test_cinelli_and_hazlett_2020_table_1():
    f = DARFUR["estimate"] / DARFUR["std_error"] / np.sqrt(DARFUR["dof"])
    assert f**2 / (1 + f**2) == pytest.approx(0.022, abs=PRINTED)
    assert robustness_value(f) == pytest.approx(0.139, abs=PRINTED)
    assert robustness_value(f, critical_f(783)) == pytest.approx(0.076, abs=PRINTED)


def test_robustness_values_are_those_of_pysensemakr():
    cases = {(4.18445, 783): (0.13877635435985322, 0.0762579660459714), (250.0, 100): (None, 0.9983390273838875)}
    for (t, dof), (plain, interval) in cases.items():
        if plain is not None:
            assert robustness_value(t / np.sqrt(dof)) == pytest.approx(plain, rel=DIGITS)
        assert robustness_value(t / np.sqrt(dof), critical_f(dof)) == pytest.approx(interval, rel=DIGITS)
    assert robustness_value(1 / np.sqrt(100), critical_f(100)) == 0
    assert np.isnan(robustness_value(np.nan))


@pytest.mark.parametrize(("name", "times"), BOUNDS)
def test_bounds_and_adjusted_estimates_are_those_of_pysensemakr(name, times):
    with_treatment, with_outcome = DARFUR_T[name]
    own = with_treatment**2 / (with_treatment**2 + 784), with_outcome**2 / (with_outcome**2 + 783)
    bound = as_strong(*own, times)
    value = with_omitted(DARFUR["estimate"], DARFUR["std_error"], DARFUR["std_error"], DARFUR["dof"], *bound)
    assert (*bound, *value) == pytest.approx(BOUNDS[name, times], rel=DIGITS)


def test_an_omitted_variable_of_the_robustness_value_does_just_that():
    f, dof, error = 0.2, 500.0, 0.05
    estimate = f * error * np.sqrt(dof)
    share = robustness_value(f)
    assert with_omitted(estimate, error, error, dof, share, share)[0] == pytest.approx(0, abs=EXACT)
    share = robustness_value(f, critical_f(dof))
    value, wide = with_omitted(estimate, error, error, dof, share, share)
    assert value == pytest.approx(critical_f(dof) * np.sqrt(dof - 1) * wide, rel=EXACT)


def test_no_variable_is_stronger_than_the_treatment_has_room_for():
    assert np.isnan(as_strong(0.4, 0.1, 3)).all()
    assert np.isnan(as_strong(0.49, 0.1, 1.05)).all()
    assert np.isfinite(as_strong(0.49, 0.1, 1.02)).all()
    assert as_strong(0.2, 0.7, 3)[1] == 1
    assert np.isnan(with_omitted(0.1, 0.1, 0.1, 10, np.nan, np.nan)).all()


@pytest.fixture(scope="module")
def panel():
    """A world whose affinity stands among the columns, so that it can be left out or not."""
    draw = draw_affinity_world(AffinityWorld(), 2)
    rng = np.random.default_rng(3)
    own = draw.panel.pairs
    east, west = np.unique(own.origin), np.unique(own.destination)
    assert len(east) == len(west) == 197
    side = draw.panel.regions.side
    first = np.where(side[own.origin] == 0, own.origin, own.destination)
    second = np.where(side[own.origin] == 0, own.destination, own.origin)
    rows, columns = (np.unique(x, return_inverse=True)[1] for x in (first, second))
    columns_of_pairs = {
        **own.columns,
        "affinity": draw.affinity[rows, columns],
        "weather": rng.standard_normal(len(own)),
        "climate": side[own.origin].astype(float),  # of the exporter: the effects explain it
    }
    return replace(draw.panel, pairs=replace(own, columns=columns_of_pairs))


def by_hand(panel, columns):
    """Outcome, treatment and columns net of origin and destination effects, by dummies."""
    pair = panel.pair_of_cell
    origin, destination = panel.pairs.origin[pair], panel.pairs.destination[pair]
    n = len(panel.regions)
    dummies = np.zeros((len(pair), 2 * n))
    dummies[np.arange(len(pair)), origin] = 1
    dummies[np.arange(len(pair)), n + destination] = 1
    values = [np.log(panel.column("trade")), panel.column("partner")]
    values += [np.log(panel.column("distance_km")) if c == "log(distance_km)" else panel.column(c) for c in columns]
    stacked = np.stack(values, axis=1)
    return stacked - dummies @ np.linalg.lstsq(dummies, stacked, rcond=None)[0], np.linalg.matrix_rank(dummies)


def net(y, x):
    return y - x @ np.linalg.lstsq(x, y, rcond=None)[0] if x.shape[1] else y


def partial(y, z, x):
    """Share of y that z explains, of what x leaves."""
    left, more = net(y, x), net(y, np.column_stack([x, z]))
    return 1 - (more @ more) / (left @ left)


@pytest.fixture(scope="module")
def brute(panel):
    small = _few(panel)
    return small, *by_hand(small, ["log(distance_km)", "affinity", "weather"])


def _few(panel):
    """The flows between the first 60 cities, which dummies can hold."""
    frame = panel.to_arrow().to_pandas()
    frame = frame[frame["direction"] == panel.directions[1]]
    kept = panel.regions.ids[np.r_[0:20, 87:117]]
    frame = frame[frame["origin"].isin(kept) & frame["destination"].isin(kept)]
    columns = ["origin", "destination", "trade", "affinity", "weather", "climate", "distance_km"]
    regions = pd.DataFrame({"region": panel.regions.ids, "side": [panel.regions.sides[s] for s in panel.regions.side]})
    listed = frame.loc[frame["partner"] == 1, ["origin", "destination"]]
    return tl.Panel.from_frame(frame[columns], regions=regions[regions["region"].isin(kept)], partners=listed)


def test_partial_r2_are_those_of_regressions_with_dummies(brute):
    small, values, rank = brute
    y, d, x, affinity = values[:, 0], values[:, 1], values[:, 2], values[:, 3]
    design = tl.Gravity(outcome="log(trade)", controls=["log(distance_km)", "affinity"], direction=small.directions[1])
    estimate = design.estimate(small)
    found = robustness(estimate)
    controls = np.stack([x, affinity], axis=1)
    assert found.partial_r2 == pytest.approx(partial(y, d, controls), rel=EXACT)
    assert found.dof == len(y) - rank - 3
    own = strengths(estimate)
    assert own["affinity"][0] == pytest.approx(partial(d, affinity, x[:, None]), rel=EXACT)
    assert own["affinity"][1] == pytest.approx(partial(y, affinity, np.stack([d, x], axis=1)), rel=EXACT)


def test_a_column_left_out_moves_the_estimate_by_what_its_strength_says(brute):
    small, values, _ = brute
    y, d, x, affinity = values[:, 0], values[:, 1], values[:, 2], values[:, 3]
    design = tl.Gravity(outcome="log(trade)", controls=["log(distance_km)"], direction=small.directions[1])
    found = Sensitivity(design=design, observed=("affinity",), times=(1,)).estimate(small)
    beside = next(c for c in found.confounders if c.name == "affinity")
    assert beside.r2_treatment == pytest.approx(partial(d, affinity, x[:, None]), rel=EXACT)
    assert beside.r2_outcome == pytest.approx(partial(y, affinity, np.stack([d, x], axis=1)), rel=EXACT)
    long = np.linalg.lstsq(np.stack([d, x, affinity], axis=1), y, rcond=None)[0][0]
    assert abs(found.estimate - beside.estimate) == pytest.approx(abs(found.estimate - long), rel=1e-7)


def test_spatial_rd_counts_by_its_weights(panel):
    design = tl.SpatialRD()
    estimate = design.estimate(panel)
    comparison = design.compare(panel)
    from tradelift.designs.comparison import fitted

    fit = fitted(comparison, design)
    detail = fit.detail[0]
    weight = np.broadcast_to(comparison.problem.weights, detail.sample.shape)
    error = np.where(detail.sample, comparison.problem.outcome - detail.fitted, 0)
    net_treatment = net_weighted(detail.net[0, 0], detail.net[1, 0], weight[0])
    explained = estimate.coefficients[0] ** 2 * (weight * net_treatment**2).sum()
    found = robustness(estimate)
    assert found.partial_r2 == pytest.approx(explained / (explained + (weight * error**2).sum()), rel=EXACT)
    assert found.interval_value < found.robustness_value
    assert found.se_type == "max-two-way"


def net_weighted(y, x, weight):
    return y - x * ((weight * x) @ y) / ((weight * x) @ x)


def test_errors_of_the_design_widen_what_counts_as_reaching_zero(panel):
    estimate = tl.Gravity(outcome="log(trade)").estimate(panel)
    wide, plain = robustness(estimate), robustness(estimate.with_vcov("none"))
    assert wide.std_error > plain.std_error
    assert wide.robustness_value == plain.robustness_value
    assert wide.interval_value < plain.interval_value
    row = wide.tidy().iloc[0]
    own = estimate.tidy().iloc[0]
    assert row[["estimate", "std_error", "conf_low", "p_value"]].tolist() == pytest.approx(
        own[["estimate", "std_error", "conf_low", "p_value"]].tolist(), rel=EXACT
    )


def test_columns_without_variation_are_named_and_own_controls_come_once(panel):
    found = Sensitivity(
        design=tl.Gravity(outcome="log(trade)"), observed=("climate", "log(distance_km)", "weather"), times=(1, 2)
    ).estimate(panel)
    assert [(c.name, c.times) for c in found.confounders] == [
        ("log(distance_km)", 1), ("log(distance_km)", 2), ("weather", 1), ("weather", 2),
    ]  # fmt: skip
    assert any(note.startswith("'climate' has no variation") for note in found.notes)
    assert len(found.tidy()) == 5


def test_a_column_that_is_known_in_part_says_so(panel):
    values = panel.pairs.columns["weather"].copy()
    values[:100] = np.nan
    partly = replace(panel, pairs=replace(panel.pairs, columns={**panel.pairs.columns, "weather": values}))
    found = Sensitivity(design=tl.Gravity(outcome="log(trade)"), observed=("weather",)).estimate(partly)
    assert found.notes[-1] == "The strength of 'weather' is that in 19,040 observations where it is known."


def test_what_has_no_partial_r2_is_refused(panel):
    with pytest.raises(DesignError, match=r"'trade' is estimated by PPML. Use outcome='log\(trade\)'"):
        Sensitivity(design=tl.Gravity()).estimate(panel)
    with pytest.raises(DesignError, match="Robustness is of one treatment; found none"):
        robustness(tl.Gravity(outcome="log(trade)", treatment=None).estimate(panel))
    with pytest.raises(DesignError, match=r"write observed=\['weather'\]"):
        Sensitivity(design=tl.Gravity(), observed="weather")
    with pytest.raises(DesignError, match=r"times are positive.*found -1"):
        Sensitivity(design=tl.Gravity(), times=(1, -1))
