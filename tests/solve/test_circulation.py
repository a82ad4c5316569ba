"""Separation by the search for circulations: against the linear program, brute force, and what a fit must reproduce."""

import numpy as np
import pytest

from tests.solve.test_fit import solvable_rows
from tests.solve.test_third_effect import rows_of
from tradelift.errors import ConvergenceError
from tradelift.solve import DenseProblem, Piece, circulation, fit, row_separation
from tradelift.solve.circulation import separated_flows
from tradelift.solve.row_separation import separated_rows
from tradelift.solve.rows import fit_rows
from tradelift.solve.sample import code_separated

CASES = 300
OPEN = 2  # of them that the search may leave to the linear program: 3 of 30,000 were seen
SUMS = 1e-7  # of the flows of a group that fitted flows may miss


def sparse_rows(seed):
    """Sparse flows with two to four effects and up to two regressors, one of which may live on zero flows alone."""
    rng = np.random.default_rng(seed)
    n, n_effects, k = int(rng.integers(20, 300)), int(rng.integers(2, 5)), int(rng.integers(0, 3))
    if seed % 3:
        b, t, i, j = (a.ravel() for a in np.indices((2, *rng.integers(2, 6, 3))))
        kept = rng.random(len(b)) >= rng.choice([0.0, 0.1, 0.4])
        b, t, i, j = b[kept], t[kept], i[kept], j[kept]
        own = 50 * b * (seed % 3 - 1)  # pair effects of each direction, or shared by both
        codes = [50 * b + 10 * t + i, 50 * b + 10 * t + j, own + 7 * i + j, 9 * b + (i + j) % 3 + 3 * (t % 2)]
        codes = codes[:n_effects]
    else:
        codes = [rng.integers(0, max(2, int(n / rng.uniform(2, 12))), n) for _ in range(n_effects)]
    eta = sum(rng.normal(size=c.max() + 1)[c] for c in codes)
    flows = rng.poisson(np.exp(eta - rng.uniform(0, 3))).astype(float)
    x = np.where(rng.random((len(flows), k)) < 0.5, rng.normal(size=(len(flows), k)), 0.0)
    if k and seed % 2:
        x[:, 0] = np.where(flows > 0, 0.0, x[:, 0])
    left = ~code_separated(flows, tuple(codes))
    return flows[left] > 0, x[left], tuple(np.unique(c[left], return_inverse=True)[1] for c in codes)


def by_program(positive, x, codes):
    out = np.zeros(len(positive), dtype=bool)
    out[~positive] = row_separation._program(positive, x, codes)
    return out


def test_circulations_and_the_linear_program_agree():
    left_open = separating = 0
    for seed in range(CASES):
        positive, x, codes = sparse_rows(seed)
        if positive.all():
            continue
        expected = by_program(positive, x, codes)
        found = separated_flows(positive, ~positive, x, codes)
        left_open += found is None
        separating += expected.any()
        assert found is None or (found == expected).all(), seed
    assert left_open <= OPEN
    assert separating > CASES / 3


def flows_of(seed, shape, zeros, *, shared=False, one_way=False):
    """Two directions of Poisson flows with about the given share of zeros, and pair effects."""
    rng = np.random.default_rng(seed)
    n_periods, n_rows, n_columns = shape
    pieces, first, forth = [], 0, rng.random(shape[1:]) < 0.5
    for b in range(2):
        eta = 1.2 * (rng.normal(size=(n_rows, 1)) + rng.normal(size=(1, n_columns))) + rng.normal(size=shape[1:])
        eta = eta + 0.5 * rng.normal(size=shape)
        u = rng.exponential(size=shape)  # a Poisson flow is zero where its mean is below this
        y = np.where(np.exp(eta) * np.quantile(u / np.exp(eta), 1 - zeros) > u, 1.0 + rng.poisson(1, shape), 0.0)
        if one_way:
            y *= forth == (b == 0)
        pair = b * forth.size + np.arange(forth.size).reshape(forth.shape)
        group = pair % forth.size if shared else pair
        x = rng.normal(size=(1, *shape))
        pieces.append(Piece(outcome=y, regressors=x, pair=pair, group=group))
        first += pair.size
    return DenseProblem(pieces=tuple(pieces), family="poisson", n_pairs=first)


@pytest.mark.parametrize("zeros", [0.6, 0.7, 0.8])
@pytest.mark.parametrize("options", [{}, {"shared": True}, {"shared": True, "one_way": True}])
def test_sparse_panels_lose_what_the_linear_program_says(zeros, options, monkeypatch):
    problem = flows_of(1, (12, 14, 16), zeros, **options)
    got = fit(problem)
    monkeypatch.setattr(row_separation, "separated_flows", lambda *_: None)
    expected = fit_rows(rows_of(problem), (), 1e-10, detail=False)
    assert got.path == "tensor"
    assert (got.excluded, got.n_obs) == (expected.excluded, expected.n_obs)
    np.testing.assert_allclose(got.coefficients, expected.coefficients, rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_pairs_that_trade_one_way_under_shared_effects(seed):
    problem = flows_of(seed, (4, 5, 6), 0.3, shared=True, one_way=True)
    used, separated = solvable_rows(rows_of(problem))
    got = fit(problem)
    assert got.excluded["separated"] == separated
    assert got.n_obs == used.sum()


def test_a_large_sparse_panel_has_a_maximum_on_what_is_left():
    problem = flows_of(3, (50, 60, 70), 0.9)
    got = fit(problem, detail=True)
    assert got.n_obs > row_separation.MOST_ROWS
    assert got.path == "tensor"
    assert got.excluded["singleton"] == 0
    # a maximum exists where fitted flows, all above zero, reproduce the sums of every group
    pairs = np.zeros((2, problem.n_pairs))
    for piece, own in zip(problem.pieces, got.detail, strict=True):
        fitted, flows = np.where(own.sample, own.fitted, 0.0), np.where(own.sample, piece.outcome, 0.0)
        assert (fitted[own.sample] > 0).all()
        for axis in (1, 2):
            np.testing.assert_allclose(fitted.sum(axis=axis), flows.sum(axis=axis), rtol=SUMS, atol=SUMS)
        for n, values in enumerate((fitted, flows)):
            pairs[n] += np.bincount(piece.group.ravel(), values.sum(axis=0).ravel(), problem.n_pairs)
    np.testing.assert_allclose(*pairs, rtol=SUMS, atol=SUMS)


def test_what_is_known_need_not_be_asked():
    positive, x, codes = sparse_rows(6)
    expected = by_program(positive, x, codes)
    assert expected.any()
    assert (~expected & ~positive).any()
    known = ~expected & ~positive & (np.arange(len(positive)) % 2 == 0)
    assert (separated_flows(positive, ~positive & ~known, x, codes) == expected).all()
    assert not separated_flows(positive, np.zeros_like(positive), x, codes).any()


def test_a_search_that_does_not_end_goes_to_the_linear_program(monkeypatch):
    positive, x, codes = sparse_rows(4)
    expected = by_program(positive, x, codes)
    monkeypatch.setattr(circulation, "MAX_STEPS", 0)
    monkeypatch.setattr(row_separation, "FEW_ROWS", 0)
    assert separated_flows(positive, ~positive, x, codes) is None
    assert (separated_rows(positive, x, codes) == expected).all()
    monkeypatch.setattr(row_separation, "MOST_ROWS", 10)
    with pytest.raises(ConvergenceError, match=r"could not be settled.*linear program takes at most 10.*log"):
        separated_rows(positive, x, codes)


def test_effects_that_cannot_be_told_apart_go_to_the_linear_program(monkeypatch):
    from tradelift.solve import row_projection

    positive, x, codes = sparse_rows(4)
    monkeypatch.setattr(row_projection, "ROUNDS", 0)
    assert separated_flows(positive, ~positive, x, codes) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_step_leaves_the_least_lacking(seed):
    rng = np.random.default_rng(seed)
    lack, towards = rng.normal(1, 1, 40), rng.normal(0.3, 1, 40)
    lengths = np.linspace(0, 10, 100_001)
    left = [(np.maximum(lack - a * towards, 0.0) ** 2).sum() for a in lengths]
    assert circulation._length(lack, towards) == pytest.approx(lengths[np.argmin(left)], abs=1e-3)


def test_a_step_along_noise_stays_short():
    assert circulation._length(np.array([1.0, -1.0]), np.array([1e-16, 0.0])) == circulation.LONGEST


def test_labels_and_order_of_rows_change_nothing():
    positive, x, codes = sparse_rows(4)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(positive))
    renamed = tuple((3 * rng.permutation(c.max() + 1))[c][order] for c in codes)
    first = separated_flows(positive, ~positive, x, codes)
    assert (separated_flows(positive[order], ~positive[order], x[order], renamed) == first[order]).all()
