"""Weidner and Zylkin's corrections against their formulas written out, and what designs do with them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.covariance.brute_force import (
    Observations,
    bias,
    both_ways,
    dummies,
    dyads_of,
    projected_errors,
    three_way_errors,
    two_way_errors,
)
from tests.designs.panels import one_sided, two_sided
from tests.solve.problems import dense, in_rows
from tradelift.covariance import check_problem, weidner_zylkin
from tradelift.covariance.observed import observed
from tradelift.covariance.weidner_zylkin import effect_leverage
from tradelift.solve import DenseProblem, Detail, fit

SAME = 1e-8  # two fits of the same problem, by blocks and by rows; covariances as shares of the errors
EXACT = {"rtol": 1e-8, "atol": 1e-10}  # the same fit; third derivatives by finite differences in the bias


def corrected(problem, found=None, shape=None):
    """The corrections of a small problem, by default of its own fit."""
    shape = problem.pieces[0].pair.shape if shape is None else shape
    found = fit(problem, detail=True) if found is None else found
    return weidner_zylkin(problem, found, dyads_of(shape[-2:], problem.n_pairs))


def assert_same(got, expected):
    size = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(got / np.outer(size, size), expected / np.outer(size, size), rtol=0, atol=SAME)


KINDS = {
    "complete": {},
    "gaps and weights": {"missing": 0.2, "weights": True, "offset": True},
    "moving": {"moving": True, "missing": 0.1},
    "few flows": {"mean": 0.4},
    "one-sided, no domestic flows": {"blocks": 1, "shape": (3, 6, 6), "diagonal": False},
    "one-sided, domestic flows": {"blocks": 1, "shape": (3, 6, 6)},
    "one period": {"shape": (1, 8, 7), "blocks": 1},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_two_way_errors_equal_explicit_matrices(kind, seed):
    options = {"shape": (3, 5, 4)} | KINDS[kind]
    problem = dense(seed, **options)
    rows = in_rows(problem, seed)
    expected = two_way_errors(Observations(rows))
    for same in (problem, rows):
        got = corrected(same, shape=options["shape"])
        assert_same(got.covariance, expected)
        assert got.bias is None


def three_way(seed, **options):
    """Rows with moving regressors and an effect a directed pair, and by row of the sample origin and destination."""
    shape = options.get("shape", (3, 5, 4))
    rows = in_rows(dense(seed, moving=True, **({"shape": shape} | options)), seed)
    more = np.random.default_rng(seed).normal(size=len(rows.outcome))
    pair = np.unique(rows.pair, return_inverse=True)[1]
    rows = replace(
        rows, regressors=np.column_stack([rows.regressors[:, 2], more]), effects=(*rows.effects, pair)
    )  # fmt: skip
    n_cells, n_columns = shape[1] * shape[2], shape[2]

    def sides(o):
        origin, destination = o.pair // n_columns, o.pair // n_cells * n_columns + o.pair % n_columns
        return [[(origin, o.effects[0])], [(destination, o.effects[1])]]

    return rows, sides, shape


THREE = {
    "complete": {},
    "gaps, weights and an offset": {"missing": 0.2, "weights": True, "offset": True},
    "four periods and many gaps": {"missing": 0.3, "shape": (4, 5, 5)},
    "few flows": {"missing": 0.1, "mean": 0.6, "shape": (3, 6, 5)},
    "one-sided, no domestic flows": {"blocks": 1, "shape": (3, 6, 6), "diagonal": False},
    "one-sided, domestic flows": {"blocks": 1, "shape": (3, 6, 6)},
    "two periods": {"shape": (2, 7, 6), "blocks": 1},
}


@pytest.mark.parametrize("kind", THREE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_way_errors_and_bias_equal_explicit_tensors(kind, seed):
    rows, sides, shape = three_way(seed, **THREE[kind])
    o = Observations(rows)
    assert len(o.mass) > 30
    got = corrected(rows, o.found, shape)
    np.testing.assert_allclose(got.covariance, three_way_errors(o), **EXACT)
    np.testing.assert_allclose(got.covariance, projected_errors(o), **EXACT)
    np.testing.assert_allclose(got.bias, bias(o, sides(o)), **EXACT)
    assert got.alone == 0


def test_effects_of_groups_of_regions_are_larger_blocks():
    rows, sides, shape = three_way(6, blocks=1, shape=(3, 8, 6))
    pair = rows.pair
    period = np.unique(rows.effects[0], return_inverse=True)[1] // 8
    group = pair // 6 // 2  # two origins each
    for effects in ((group * 3 + period, *rows.effects[1:]), (rows.effects[0], pair % 6 // 2 * 3 + period, pair)):
        coarse = replace(rows, effects=tuple(np.unique(e, return_inverse=True)[1] for e in effects))
        o = Observations(coarse)
        got = corrected(coarse, o.found, shape)
        np.testing.assert_allclose(got.covariance, three_way_errors(o), **EXACT)
        (origin, first), (destination, second) = (side[0] for side in sides(o))
        owners = (origin // 2, destination) if effects[1] is rows.effects[1] else (origin, destination // 2)
        grouped = [[(owners[0], first)], [(owners[1], second)]]
        np.testing.assert_allclose(got.bias, bias(o, grouped), **EXACT)
        two = replace(coarse, effects=coarse.effects[:2])
        expected = two_way_errors(Observations(two))
        assert_same(corrected(two, shape=shape).covariance, expected)


SHARED = {
    "one-sided": (1, {}),
    "one-sided, no domestic flows": (1, {"diagonal": False}),
    "gaps and weights": (1, {"missing": 0.2, "weights": True}),
    "two sides": (2, {"missing": 0.1}),
    "few flows": (2, {"mean": 0.5}),
}


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("seed", [1, 2])
def test_pair_effects_that_both_directions_share_equal_explicit_tensors(kind, seed):
    blocks, options = SHARED[kind]
    n = 6
    rows, _, _ = three_way(seed, blocks=blocks, shape=(3, n, n), **options)
    dyads = both_ways(n, blocks)
    group = np.unique(dyads.dyad[rows.pair], return_inverse=True)[1]
    for order in ((0, 1, 2), (1, 2, 0)):
        effects = (*rows.effects[:2], group)
        shared = replace(rows, effects=tuple(effects[k] for k in order))
        o = Observations(replace(rows, effects=effects))
        got = weidner_zylkin(shared, fit(shared, detail=True), dyads)
        np.testing.assert_allclose(got.covariance, projected_errors(o), rtol=1e-7)
        # a region's effects as origin and as destination are one block
        side = [(dyads.origin[o.pair], o.effects[0]), (dyads.destination[o.pair], o.effects[1])]
        np.testing.assert_allclose(got.bias, bias(o, [side], dyads.dyad[o.pair]), rtol=1e-6, atol=1e-9)


def test_pairs_at_once_do_not_matter(monkeypatch):
    rows, _, _ = three_way(1, blocks=1, shape=(3, 6, 6))
    dyads = both_ways(6, 1)
    shared = replace(rows, effects=(*rows.effects[:2], dyads.dyad[rows.pair]))
    found = fit(shared, detail=True)
    whole = weidner_zylkin(shared, found, dyads)
    monkeypatch.setattr("tradelift.covariance.undirected.AT_ONCE", 100)
    np.testing.assert_allclose(weidner_zylkin(shared, found, dyads).covariance, whole.covariance, rtol=1e-12)


def test_shared_effects_of_one_direction_are_directed():
    panel, frame, chosen = two_sided()
    frame["dyad"] = [" ".join(sorted(p)) for p in zip(frame["origin"], frame["destination"], strict=True)]
    partners, regions = pd.DataFrame(chosen), sides_of(frame)
    named = tl.Panel.from_frame(frame, partners=partners, regions=regions)
    found = [
        with_pair_effects(pair=pair, direction="east->west").estimate(named) for pair in ("dyad", "origin^destination")
    ]
    np.testing.assert_allclose(found[0].covariance, found[1].covariance, rtol=1e-7)
    np.testing.assert_allclose(found[0].coefficients, found[1].coefficients, rtol=1e-8)
    both = with_pair_effects(pair="dyad").estimate(named)
    plain = with_pair_effects(pair="dyad", correction="clusters").estimate(named)
    assert both.diagnostics.uncorrected == pytest.approx(plain.coefficients.tolist(), rel=1e-8)
    assert both.std_errors[0] > plain.std_errors[0]


def sides_of(frame):
    ids = sorted(set(frame["origin"]))
    return pd.DataFrame({"region": ids, "side": ["east" if r.startswith("e") else "west" for r in ids]})


def test_the_order_of_the_effects_does_not_matter():
    rows, _, shape = three_way(4)
    first = corrected(rows, shape=shape)
    for order in ((2, 0, 1), (1, 2, 0)):
        turned = replace(rows, effects=tuple(rows.effects[n] for n in order))
        got = corrected(turned, shape=shape)
        np.testing.assert_allclose(got.covariance, first.covariance, rtol=1e-7)
        np.testing.assert_allclose(got.bias, first.bias, rtol=1e-6)


def test_blocks_with_pair_effects_are_the_rows():
    problem = dense(2, moving=True, missing=0.1)
    pieces = tuple(replace(p, group=p.pair, regressors=p.regressors[2:]) for p in problem.pieces)
    grouped = DenseProblem(pieces=pieces, family="poisson", n_pairs=problem.n_pairs)
    rows = in_rows(problem)
    rows = replace(
        rows, regressors=rows.regressors[:, 2:], effects=(*rows.effects, np.unique(rows.pair, return_inverse=True)[1])
    )  # fmt: skip
    by_rows = fit(rows, detail=True)
    # the rows stand in the order of the blocks
    start, details = 0, []
    for piece in pieces:
        ok = piece.weights > 0
        part = slice(start, start + ok.sum())
        sample, fitted, net = np.zeros(ok.shape, bool), np.zeros(ok.shape), np.zeros((1, *ok.shape))
        sample[ok], fitted[ok] = by_rows.detail[0].sample[part], by_rows.detail[0].fitted[part]
        net[:, ok] = by_rows.detail[0].net[:, part]
        details.append(Detail(sample=sample, fitted=fitted, net=net))
        start += ok.sum()
    shape = pieces[0].pair.shape
    got = corrected(grouped, replace(by_rows, detail=tuple(details)), shape)
    expected = corrected(rows, by_rows, shape)
    np.testing.assert_allclose(got.covariance, expected.covariance, rtol=1e-10)
    np.testing.assert_allclose(got.bias, expected.bias, rtol=1e-9)


def test_the_unit_of_the_flows_does_not_matter():
    rows, _, shape = three_way(5)
    two = replace(rows, effects=rows.effects[:2])
    for problem in (rows, two):
        one = corrected(problem, shape=shape)
        other = replace(problem, outcome=problem.outcome * 1e6)
        got = corrected(other, shape=shape)
        np.testing.assert_allclose(got.covariance, one.covariance, rtol=1e-7)
        if one.bias is not None:
            np.testing.assert_allclose(got.bias, one.bias, rtol=1e-6)


def test_leverage_is_the_diagonal_of_the_projection():
    problem = dense(3, missing=0.3, weights=True)
    rows = in_rows(problem, 1)
    o = observed(rows, fit(rows, detail=True), dyads_of(problem.pieces[0].pair.shape, problem.n_pairs))
    d = np.concatenate([dummies(o.first), dummies(o.second)], axis=1)
    hat = d @ np.linalg.pinv(d.T @ (d * o.mass[:, None]), rcond=1e-12) @ d.T * o.mass
    got = effect_leverage(o.mass, o.first, o.second)
    np.testing.assert_allclose(got, np.diag(hat), rtol=1e-9, atol=1e-12)
    assert got.sum() == pytest.approx(np.linalg.matrix_rank(d), rel=1e-9)


def test_an_observation_that_the_effects_fit_whole_tells_nothing():
    # in the first period a single flow joins two groups of regions
    problem = dense(6, blocks=1, shape=(3, 6, 6), mean=20)
    held = np.ones((3, 6, 6))
    held[0, :3, 3:] = held[0, 3:, :3] = 0
    held[0, 0, 5] = 1
    problem = replace(problem, pieces=(replace(problem.pieces[0], weights=held),))
    rows = in_rows(problem)
    o = observed(rows, fit(rows, detail=True), dyads_of((6, 6), 36))
    bridge = effect_leverage(o.mass, o.first, o.second)[o.pair == 5]
    assert np.sum(np.abs(bridge - 1) < 1e-12) == 1
    expected = two_way_errors(Observations(rows))
    for same in (problem, rows):
        assert_same(corrected(same, shape=(6, 6)).covariance, expected)


def test_errors_grow_and_approach_the_clusters_where_regions_are_many():
    ratios = []
    for n in (6, 12, 40):
        problem = dense(1, blocks=1, shape=(2, n, n), mean=5)
        found = fit(problem, detail=True)
        influence = found.scores @ found.bread
        count = found.pairs_used.sum()
        plain = np.diag(influence.T @ influence) * count / (count - 1)
        ratios.append(np.sqrt(np.diag(corrected(problem, found).covariance) / plain))
    assert np.all(np.array(ratios) > 1)
    assert ratios[0].mean() > ratios[1].mean() > ratios[2].mean()
    assert ratios[2].mean() < 1.1


def with_pair_effects(
    vcov="directed-pair", correction="weidner-zylkin", pair="origin^destination", **options
):  # fmt: skip
    effects = ["origin^period", "destination^period", pair]
    return tl.Gravity(
        treatment="shock", controls=[], effects=effects, vcov=vcov, correction=correction, **options
    )  # fmt: skip


def test_coefficients_are_corrected_and_the_uncorrected_stay():
    panel = two_sided(seed=2)[0]
    plain = with_pair_effects(correction="clusters").estimate(panel)
    got = with_pair_effects().estimate(panel)
    assert plain.diagnostics.uncorrected is None
    assert got.diagnostics.uncorrected == pytest.approx(plain.coefficients.tolist(), rel=1e-9)
    np.testing.assert_allclose(plain.coefficients - got.coefficients, got.influence.corrected.bias, rtol=1e-6)
    assert got.std_errors[0] > plain.std_errors[0]
    assert (got.se_type, got.correction) == ("directed-pair", "weidner-zylkin")
    assert got.dof == got.n_pairs - 1
    assert "corrected for their bias" in str(got)
    # other errors of the corrected coefficients, and back
    moved = got.with_vcov("pair", "clusters")
    np.testing.assert_allclose(moved.covariance, plain.with_vcov("pair").covariance, rtol=1e-7)
    np.testing.assert_array_equal(moved.coefficients, got.coefficients)
    np.testing.assert_array_equal(moved.with_vcov("directed-pair", "weidner-zylkin").covariance, got.covariance)


@pytest.mark.parametrize("make", [two_sided, one_sided])
def test_two_way_designs_by_blocks_and_by_rows(make):
    panel = make()[0]
    options = {"vcov": "directed-pair", "correction": "weidner-zylkin"}
    usual = tl.Gravity(**options).estimate(panel)
    assert usual.diagnostics.path in ("sums", "tensor")
    assert usual.diagnostics.uncorrected is None
    np.testing.assert_allclose(usual.coefficients, tl.Gravity().estimate(panel).coefficients, rtol=1e-10)
    rows = tl.Gravity(**options).compare(panel).problem
    problem = in_rows(rows) if isinstance(rows, DenseProblem) else rows
    np.testing.assert_allclose(usual.covariance, two_way_errors(Observations(problem)), rtol=1e-7)
    assert usual.std_errors[0] > usual.with_vcov("directed-pair", "clusters").std_errors[0]


def test_moving_treatments_and_categories():
    _, frame, chosen = two_sided(periods=3)
    twice = pd.concat(
        [frame.assign(category="food"), frame.assign(category="steel", trade=frame["trade"][::-1].values)]
    )
    panel = tl.Panel.from_frame(twice, category="category", partners=pd.DataFrame(chosen))
    got = tl.Gravity(
        treatment="shock", controls=[], vcov="directed-pair", correction="weidner-zylkin"
    ).estimate(panel)  # fmt: skip
    comparison = tl.Gravity(treatment="shock", controls=[]).compare(panel)
    problem = comparison.problem if not isinstance(comparison.problem, DenseProblem) else in_rows(comparison.problem)
    np.testing.assert_allclose(got.covariance, two_way_errors(Observations(problem)), rtol=1e-7)


def test_pairs_that_alone_identify_a_coefficient_are_counted():
    rng = np.random.default_rng(8)
    ids = [f"r{i}" for i in range(7)]
    frame = pd.DataFrame(
        [(a, b, t, float(rng.poisson(9) + 1)) for t in range(2) for a in ids for b in ids if a != b],
        columns=["origin", "destination", "period", "trade"],
    )
    frame["mark"] = ((frame["origin"] == "r1") & (frame["destination"] == "r4")).astype(float)
    frame["shock"] = rng.normal(size=len(frame))
    panel = tl.Panel.from_frame(frame)
    design = tl.Gravity(
        treatment="mark", controls=["shock"], vcov="directed-pair", correction="weidner-zylkin"
    )  # fmt: skip
    got = design.estimate(panel)
    assert got.influence.corrected.alone == 1
    assert "1 directed pairs alone identify a combination" in got.diagnostics.notes[0]
    assert tl.Gravity(
        treatment=None, controls=[], vcov="directed-pair", correction="weidner-zylkin"
    ).estimate(panel).terms == ()  # fmt: skip


BAD = {
    "scheme": ({"vcov": "pair"}, "is for vcov='directed-pair'; found 'pair'"),
    "default scheme": ({"vcov": "dyadic"}, "found 'dyadic'. Use one with the other"),
    "columns": ({"vcov": ["period"]}, "is for vcov='directed-pair'; found columns"),
    "ols": ({"outcome": "log(trade)"}, "this is OLS. Use correction='clusters'"),
    "one effect": ({"effects": ["origin^period"]}, "found 1 effects"),
    "none": ({"effects": []}, "found 0 effects"),
    "no pair effect": (
        {"effects": ["origin^period", "destination^period", "period"]},
        "none of the three effects has one value for each pair. Use origin.destination or a column",
    ),
    "twice": (
        {"effects": ["origin^period", "destination^origin", "origin^destination"]},
        "more than one of the three effects",
    ),
    "across periods": ({"effects": ["origin", "destination"]}, "observations of one pair share an effect"),
    "no origin": (
        {"effects": ["period", "destination^period", "origin^destination"]},
        "the bias needs two regions with effects of their own on each side, found 1",
    ),
    "origin over time": (
        {"effects": ["origin", "destination^period", "origin^destination"]},
        "observations of one pair share an effect",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_it_is_not_for_is_refused(name):
    options, message = BAD[name]
    panel = two_sided()[0]
    base = {"treatment": "shock", "controls": [], "vcov": "directed-pair", "correction": "weidner-zylkin"}
    with pytest.raises(tl.DesignError, match=message):
        tl.Gravity(**(base | options)).estimate(panel)


def test_other_groups_of_blocks_are_refused():
    problem = dense(1, moving=True)
    shared = tuple(replace(p, group=problem.pieces[0].pair // 2) for p in problem.pieces)
    grouped = DenseProblem(pieces=shared, family="poisson", n_pairs=problem.n_pairs)
    with pytest.raises(tl.DesignError, match="none of the three effects has one value for each pair"):
        check_problem(grouped, dyads_of(problem.pieces[0].pair.shape, problem.n_pairs))


def test_without_the_data_it_is_refused():
    estimate = tl.Gravity(vcov="directed-pair").estimate(two_sided()[0])
    with pytest.raises(tl.DesignError, match="needs the data: estimate again with vcov='directed-pair'"):
        estimate.with_vcov("directed-pair", "weidner-zylkin")
    with pytest.raises(tl.DesignError, match="is for vcov='directed-pair'; found 'dyadic'"):
        estimate.with_vcov("dyadic", "weidner-zylkin")
