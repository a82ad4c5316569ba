"""Stacks whose groups are stars: solved without their rows, as rows are, as Newton's method in every period is."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from tests.solve.test_stack import CLOSE, SCORES, as_rows, dummies
from tradelift.solve import compiled, fit, stack_newton, stack_star_newton
from tradelift.solve.stack import StackProblem, fit_stack
from tradelift.solve.stack_blocks import cut_blocks
from tradelift.solve.stack_effects import Factor
from tradelift.solve.stack_star import star_of


def draw(seed, *, t=4, cities=(7, 9), partners=14, near=0.6, zeros=0.1, regressors=2, offset=False):
    """A stack of partner pairs and pairs that differ in one city, as spatial RD makes it."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(cities[0] * cities[1])[:partners]
    rows = []
    for g, (e, w) in enumerate(zip(*np.divmod(pairs, cities[1]), strict=True)):
        rows.append((g, e, w))
        rows += [(g, k, w) for k in range(cities[0]) if k != e and rng.random() < near]
        rows += [(g, e, k) for k in range(cities[1]) if k != w and rng.random() < near]
    group, origin, destination = np.array(rows).T
    n = len(group)
    is_partner = np.diff(group, prepend=-1) > 0
    x = np.concatenate([is_partner[None], rng.normal(size=(3, n))])[:regressors, None]
    index = 0.3 * is_partner + rng.normal(size=(t, n)) * 0.5 + rng.normal(size=(t, 1))
    return StackProblem(
        outcome=rng.poisson(5 * np.exp(index)) * (rng.random((t, n)) >= zeros) * 1.0,
        regressors=x,
        weights=np.where(is_partner, 1.0, rng.uniform(0.2, 1.0, n))[None],
        offset=rng.normal(size=(1, n)) * 0.3 if offset else None,
        effects=(group, origin, destination),
        pair=(origin * cities[1] + destination) % 25,
        group=group,
        is_partner=is_partner,
        family="poisson",
        n_pairs=25,
    )


@pytest.fixture
def steps(monkeypatch):
    """How many stacks of several periods were solved by the slow search."""
    taken, slow = [], stack_newton._climb

    def climb(parts, beta, starts):
        taken.extend([] if starts is None else [len(parts)])
        return slow(parts, beta, starts)

    monkeypatch.setattr(stack_newton, "_climb", climb)
    return taken


OPTIONS = {
    "plain": {},
    "many zeros": {"zeros": 0.5, "near": 0.4},
    "offset": {"offset": True},
    "more regressors": {"regressors": 4, "partners": 20},
    "no regressors": {"regressors": 0},
    "large": {"cities": (20, 25), "partners": 60, "near": 0.3, "t": 7},
}


def assert_as_rows(got, problem, *, with_rank):
    """A fit is the regression on rows; the rank of large effects takes long."""
    twin, kept = as_rows(problem)
    want = fit(twin)
    assert (got.kept, got.n_obs, got.excluded) == (want.kept, want.n_obs, dict(want.excluded))
    np.testing.assert_allclose(got.coefficients, want.coefficients, **CLOSE)
    np.testing.assert_allclose(got.bread, want.bread, **CLOSE)
    np.testing.assert_allclose(got.scores, want.scores, **SCORES)
    np.testing.assert_allclose(got.meat_rows, want.meat_rows, **SCORES)
    assert got.deviance == pytest.approx(want.deviance, rel=1e-8)
    if with_rank:
        sample = got.detail[0].sample.ravel()[kept]
        assert got.effect_rank == np.linalg.matrix_rank(dummies(twin.effects)[sample])
    assert len(kept) == got.n_obs + sum(got.excluded.values())


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_stars_agree_with_rows(seed, name, steps):
    problem = draw(seed, **OPTIONS[name])
    got = fit_stack(problem)
    assert not steps, "the rows were looked at"
    assert_as_rows(got, problem, with_rank=name != "large")


@pytest.mark.parametrize("name", OPTIONS)
def test_stars_agree_with_newton_in_every_period(name, monkeypatch):
    problem = draw(5, **OPTIONS[name])
    fast = fit_stack(problem)
    monkeypatch.setattr(stack_newton, "on_stars", lambda *_: None)
    slow = fit_stack(problem)
    np.testing.assert_allclose(fast.coefficients, slow.coefficients, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fast.detail[0].fitted, slow.detail[0].fitted, rtol=1e-8)  # STILL, at the smallest flows
    there = np.broadcast_to(fast.detail[0].sample, fast.detail[0].net.shape)
    np.testing.assert_allclose(fast.detail[0].net[there], slow.detail[0].net[there], atol=1e-8)
    assert (fast.effect_rank, fast.path) == (slow.effect_rank, slow.path)


def without(problem, share, seed):
    """The same with cells missing here and there, hubs among them."""
    weights = np.repeat(problem.weights, len(problem.outcome), axis=0)
    weights[np.random.default_rng(seed).random(weights.shape) < share] = 0.0
    return replace(problem, weights=weights)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("seed", range(2))
def test_cells_may_be_missing(seed, share, name, steps, loops):
    problem = without(draw(seed, **OPTIONS[name]), share, seed)
    got = fit_stack(problem)
    if share < 0.4:  # else what is left may hang together too loosely
        assert len(steps) == (loops == "plain")  # the rows are looked at where there are no loops
    assert_as_rows(got, problem, with_rank=name != "large")


def test_other_structures_are_left_to_the_slow_search(steps):
    problem = draw(2)
    moving = replace(problem, regressors=np.repeat(problem.regressors, 4, axis=1))
    other = np.repeat(problem.weights, 4, axis=0)
    other[1, 3] *= 2.0
    corner = replace(problem, effects=(problem.group, problem.effects[1], np.roll(problem.effects[2], 1)))
    hubless = replace(problem, is_partner=np.zeros_like(problem.is_partner))
    for number, one in enumerate((moving, replace(problem, weights=other), corner, hubless), start=1):
        want = fit(as_rows(one)[0])
        np.testing.assert_allclose(fit_stack(one).coefficients, want.coefficients, **CLOSE)
        assert len(steps) == number


def test_a_search_on_stars_that_leads_nowhere_is_given_up(steps, monkeypatch):
    problem = draw(1)
    want = fit_stack(problem).coefficients
    for name in ("MOST_TURNS", "MOST_STEPS"):
        with monkeypatch.context() as less:
            less.setattr(stack_star_newton, name, 1)
            np.testing.assert_allclose(fit_stack(problem).coefficients, want, rtol=1e-9)
    assert len(steps) == 2


def test_what_is_a_star():
    problem = draw(3, partners=20)  # more groups than cities, which are solved away first
    everything = np.arange(len(problem.group))
    (block,) = cut_blocks(problem.effects, everything)
    hubs = problem.is_partner[block.rows]
    star = star_of(block, hubs)
    assert star is not None
    values = np.random.default_rng(1).random(len(everything))
    threads = star.weave(values)
    assert threads.left.sum() + threads.right.sum() + threads.hub.sum() == pytest.approx(values.sum())
    assert star_of(block, np.roll(hubs, 1)) is None
    twice = tuple(np.append(codes, codes[-1]) for codes in problem.effects)
    (block,) = cut_blocks(twice, np.arange(len(twice[0])))
    assert star_of(block, np.append(problem.is_partner, False)[block.rows]) is None


def test_a_search_that_overflows_is_given_up_in_silence(steps, monkeypatch):
    problem = draw(1)
    want = fit_stack(problem).coefficients
    monkeypatch.setattr(stack_star_newton, "SWEEPS", 0)
    monkeypatch.setattr(stack_star_newton, "FAR", np.inf)
    found = Factor.effects
    monkeypatch.setattr(Factor, "effects", lambda *a: tuple(300 * part for part in found(*a)))
    np.testing.assert_allclose(fit_stack(problem).coefficients, want, rtol=1e-9)  # warnings are errors here
    assert len(steps) == 1


SHAPES = {
    **OPTIONS,
    "one period more than a call": {"t": 9},
    "calls and some": {"t": 21, "zeros": 0.3},
    "two left cities": {"cities": (2, 12), "partners": 18},
    "two right cities": {"cities": (12, 2), "partners": 18},
    "many cities": {"cities": (40, 30), "partners": 50, "near": 0.2},
}


@pytest.mark.parametrize("name", SHAPES)
def test_compiled_steps_equal_plain_ones(name, monkeypatch):
    """Wherever the search comes by: proportional fitting, and systems that are solved exactly."""
    compared, sweep, search = [], stack_star_newton._sweep, stack_star_newton._systems
    exact = stack_star_newton.EXACT

    def twice(function, states, *given):
        found = []
        for loaded in (True, False):
            own = deepcopy(states)
            with monkeypatch.context() as patch:
                patch.setattr(compiled, "loaded", lambda loaded=loaded: loaded and compiled._library() is not None)
                found.append((function(own, *given), own))
        compared.append(function)
        return found

    def both_sweeps(states, beta, cells):
        (_, ours), (_, plain) = twice(sweep, states, beta, cells)
        for one, two in zip(ours, plain, strict=True):
            np.testing.assert_allclose(one.m, two.m, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(one.c, two.c, rtol=1e-9, atol=1e-9)
        sweep(states, beta, cells)

    def both_systems(states, beta, effects, regressors, cells):
        (ours, after), (plain, expected) = twice(search, states, beta, exact, exact, cells)
        for one, two in zip(ours, plain, strict=True):
            mass = two.mass.sum()  # where little is wrong, both are rounding: of an index, and of sums
            for field, a, b in zip(one._fields, one, two, strict=True):
                least = 1e-12 if field in {"own", "others"} else 1e-12 * mass
                np.testing.assert_allclose(a, b, rtol=1e-7, atol=least, err_msg=field)
        for one, two in zip(after, expected, strict=True):
            np.testing.assert_allclose(one.groups, two.groups, atol=1e-8)
            np.testing.assert_allclose(one.columns, two.columns, atol=1e-8)
        return search(states, beta, effects, regressors, cells)

    monkeypatch.setattr(stack_star_newton, "_sweep", both_sweeps)
    monkeypatch.setattr(stack_star_newton, "_systems", both_systems)
    fit_stack(draw(6, **SHAPES[name]))
    assert compared.count(sweep) == 1
    assert compared.count(search) > 2
