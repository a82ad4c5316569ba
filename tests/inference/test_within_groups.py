"""Randomization within groups against regressions on each drawn treatment."""

from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, rebuilt, two_sided
from tests.exhibits.small import large_provinces
from tradelift.designs.comparison import fitted
from tradelift.inference.within_groups import draw_within_groups
from tradelift.solve.stack import fit_stack

H = 500
CLOSE = 1e-8  # two exact methods


def world(**options):
    return two_sided(**({"seed": 3, "n_east": 9, "n_west": 10, "partners": 14, "mean": 12.0} | options))[0]


def drawn(design, panel, draws=7, seed=1):
    comparison = design.compare(panel)
    found = fitted(comparison, design)
    return comparison, found, draw_within_groups(panel, comparison, found, draws, np.random.default_rng(seed))


def treated(problem, rows):
    """The treatment if these rows play the partner pairs."""
    own = problem.regressors[0]
    out = np.zeros_like(own)
    out[:, rows] = own[:, problem.is_partner]
    return out


STAGGERED = {"start": (["2017-01", "2017-03"] * 7)}


@pytest.mark.parametrize(
    "options", [{}, {"mean": 500.0}, {"missing": 0.1}, STAGGERED], ids=["zeros", "complete", "missing", "staggered"]
)
def test_ols_draws_are_regressions_on_the_drawn_treatment(options):
    panel, design = world(**options), tl.SpatialRD(bandwidth_km=H)
    comparison, found, draws = drawn(design, panel)
    got = tl.randomize(design, panel, scheme="within-group", draws=7)
    problem = replace(comparison.problem, weights=np.where(found.detail[0].sample, comparison.problem.weights, 0.0))
    for b in range(8):
        x = np.stack(
            [treated(problem, draws.chosen[b]), np.broadcast_to(problem.regressors[1], problem.regressors[0].shape)]
        )
        coefficient = fit_stack(replace(problem, regressors=x)).coefficients[0]
        known = got.statistics[0] if b == 0 else got.draws[b - 1]
        assert known == pytest.approx(coefficient, rel=CLOSE)
    assert got.estimate == pytest.approx(got.statistics[0], rel=CLOSE)
    assert got.p_value == (1 + (np.abs(got.draws) >= abs(got.estimate)).sum()) / 8


def test_draws_that_the_effects_fit_whole_have_no_coefficient_and_count_as_larger():
    panel, design = large_provinces(), tl.SpatialRD()
    comparison, found, draws = drawn(design, panel, draws=99)
    got = tl.randomize(design, panel, scheme="within-group", draws=99)
    problem = comparison.problem
    assert found.path == "sums"
    identified = []
    for b in range(1, 100):
        x = np.stack([treated(problem, draws.chosen[b]), problem.regressors[1]])
        identified.append(0 in fit_stack(replace(problem, regressors=x)).kept)
    assert 0 < sum(identified) < 99
    np.testing.assert_array_equal(np.isfinite(got.draws), identified)
    assert got.notes[-1].startswith(f"{99 - sum(identified):,} draws have no such statistic")
    larger = np.isnan(got.draws) | (np.abs(got.draws) >= abs(got.estimate) * (1 - CLOSE))
    assert got.p_value == (1 + larger.sum()) / 100


@pytest.mark.parametrize("options", [{}, STAGGERED], ids=["always", "staggered"])
def test_ppml_draws_are_one_newton_step_from_the_null_model(options):
    panel, design = world(**options), tl.SpatialRD(outcome="trade", bandwidth_km=H)
    comparison, found, draws = drawn(design, panel)
    got = tl.randomize(design, panel, scheme="within-group", draws=7, interval=False)
    sample = found.detail[0].sample
    problem = replace(comparison.problem, weights=np.where(sample, comparison.problem.weights, 0.0))
    null = fit_stack(replace(problem, regressors=problem.regressors[1:])).detail[0]
    mu = np.where(null.sample, null.fitted, 1.0)
    for b in range(8):
        x = np.broadcast_to(problem.regressors, (2, *problem.outcome.shape)).copy()
        x[0] = treated(problem, draws.chosen[b])
        working = replace(
            problem, family="gaussian", regressors=x, outcome=(problem.outcome - mu) / mu, weights=problem.weights * mu
        )
        coefficient = fit_stack(working).coefficients[0]
        known = got.statistics[0] if b == 0 else got.draws[b - 1]
        assert known == pytest.approx(coefficient, rel=1e-6)  # the null model's own tolerance


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_the_ends_of_the_interval_are_where_the_p_value_passes_five_percent(outcome):
    panel, design = world(), tl.SpatialRD(outcome=outcome, bandwidth_km=H)
    got = tl.randomize(design, panel, scheme="within-group", draws=199)
    assert got.conf_low < got.estimate < got.conf_high
    from tradelift.inference.inversion import p_value
    from tradelift.inference.within_groups import nulls_within_groups

    comparison, found, draws = drawn(design, panel, draws=199)
    null = nulls_within_groups(comparison, found, draws)
    for end, out in ((got.conf_low, -1), (got.conf_high, 1)):
        assert p_value(null(end - out * 1e-4)) > 0.05 >= p_value(null(end + out * 1e-4))


def test_both_directions_draw_the_same_pair_and_every_pair_is_drawn():
    panel = world(mean=500.0)
    comparison, _, draws = drawn(tl.SpatialRD(bandwidth_km=H), panel, draws=400)
    problem = comparison.problem
    dyad = panel.pairs.dyad[problem.pair]
    own = np.flatnonzero(problem.is_partner)
    for g in range(len(own)):
        twin = np.flatnonzero(dyad[own] == dyad[own[g]])
        np.testing.assert_array_equal(dyad[draws.chosen[:, twin[0]]], dyad[draws.chosen[:, twin[-1]]])
        assert (problem.group[draws.chosen[:, g]] == g).all()
    counts = np.bincount(draws.chosen[1:, 0], minlength=len(dyad))[problem.group == 0]
    share = counts[counts > 0] / 400
    assert np.abs(share - 1 / len(share)).max() < 4 * np.sqrt(1 / len(share) / 400)
    assert 0.5 < draws.moved < draws.movable == 1.0


def test_one_sided_programmes_and_the_same_seed():
    panel, design = one_sided(n=12)[0], tl.SpatialRD(bandwidth_km=900)
    one, two = (tl.randomize(design, panel, scheme="within-group", draws=19) for _ in range(2))
    np.testing.assert_array_equal(one.draws, two.draws)
    assert one.digest == two.digest != tl.randomize(design, panel, scheme="within-group", draws=19, seed=2).digest
    assert "keeps the groups of partner pairs with their near controls" in str(one)
    assert one.se_type == "randomization (within-group)"


def test_what_cannot_be_drawn_within_groups_is_refused():
    panel = world()
    with pytest.raises(tl.DesignError, match="draws within the groups of a stacked design such as SpatialRD"):
        tl.randomize(tl.Gravity(), panel, scheme="within-group")
    for options in ({"studentized": True}, {"refit": True}):
        with pytest.raises(tl.DesignError, match="leave out studentized and refit"):
            tl.randomize(tl.SpatialRD(bandwidth_km=H), panel, scheme="within-group", **options)
    with pytest.raises(tl.DesignError, match=r"draws one treatment; found partner\[east->west\]"):
        tl.randomize(tl.SpatialRD(bandwidth_km=H, by="direction"), panel, scheme="within-group")
    with pytest.raises(tl.DesignError, match="Without a refit, draws need the usual effects"):
        tl.randomize(tl.SpatialRD(bandwidth_km=H), panel, draws=3)


def test_relabelled_programmes_make_new_stacks():
    panel = world(mean=500.0)
    got = tl.randomize(tl.SpatialRD(bandwidth_km=H), panel, draws=3, refit=True, interval=False)
    assert np.isfinite(got.draws).all()
    assert len(set(got.draws)) == 3


def test_a_hypothetical_effect_is_taken_out_of_relabelled_stacks():
    panel, design = world(mean=500.0), tl.SpatialRD(bandwidth_km=H)
    got = tl.randomize(design, panel, draws=39, refit=True)
    assert np.isfinite(got.intervals).all()
    frame = panel.to_arrow().to_pandas()
    partner = frame["partner"] == 1
    frame["trade"] = np.where(partner, frame["trade"] / np.exp(got.conf_high + 1e-3), frame["trade"])
    moved = tl.randomize(design, rebuilt(panel, frame), draws=39, refit=True, interval=False)
    assert moved.p_value <= 0.05
    assert moved.estimate == pytest.approx(got.estimate - got.conf_high - 1e-3, rel=1e-6)
