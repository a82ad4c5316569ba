import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.solve.problems import dense, in_rows, with_dummies
from tradelift.errors import ConvergenceError
from tradelift.solve import DenseProblem, Piece, RowProblem, fit

SAME = {"rtol": 1e-8, "atol": 1e-9}  # between two exact solvers
BESIDE_PYFIXEST = {"rtol": 2e-6, "atol": 1e-8}  # its last weights are one step behind its coefficients

CASES = {
    "complete": {},
    "moving": {"moving": True},
    "gaps": {"missing": 0.3},
    "weights": {"weights": True},
    "offset": {"offset": True, "moving": True},
    "fixed offset": {"offset": "fixed", "missing": 0.1},
    "one-sided": {"shape": (3, 7, 7), "diagonal": False, "blocks": 1},
    "sparse": {"mean": 0.15, "shape": (4, 9, 8), "missing": 0.2},
    "one period": {"shape": (1, 9, 12)},
}


def solvable_rows(rows):
    """Rows that no combination of regressors and effects separates, and that are not alone: by brute force."""
    used = np.ones(len(rows.outcome), dtype=bool)
    if rows.family == "poisson" and not rows.outcome.all():
        dummies = [np.equal.outer(codes, np.unique(codes)).astype(float) for codes in rows.effects]
        z = np.concatenate([rows.regressors, *dummies], axis=1)
        positive = rows.outcome > 0
        zero = ~positive
        n = int(zero.sum())
        # maximise the zero rows where z b <= -s, s in [0, 1], with z b = 0 on positive rows
        upper = np.concatenate([z[zero], np.eye(n)], axis=1)
        equal = np.concatenate([z[positive], np.zeros((int(positive.sum()), n))], axis=1)
        found = linprog(
            np.concatenate([np.zeros(z.shape[1]), -np.ones(n)]), A_ub=upper, b_ub=np.zeros(n), A_eq=equal,
            b_eq=np.zeros(len(equal)), bounds=[(None, None)] * z.shape[1] + [(0, 1)] * n,
        )  # fmt: skip
        used[np.flatnonzero(zero)[found.x[-n:] > 0.5]] = False
    separated = int((~used).sum())
    while True:
        alone = np.zeros_like(used)
        for codes in rows.effects:
            alone |= used & (np.bincount(codes[used], minlength=codes.max() + 1)[codes] == 1)
        if not alone.any():
            return used, separated
        used &= ~alone


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dense_equals_explicit_dummies(name, family, seed):
    problem = dense(seed, family, **CASES[name])
    rows = in_rows(problem)
    used, separated = solvable_rows(rows)
    got = fit(problem)
    beta, bread, scores, rank = with_dummies(rows, used)
    assert got.kept == tuple(range(len(beta)))
    np.testing.assert_allclose(got.coefficients, beta, **SAME)
    np.testing.assert_allclose(got.bread, bread, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(got.scores, scores, rtol=1e-6, atol=1e-8 * np.abs(scores).max())
    assert got.n_obs == used.sum()
    assert got.excluded == {"separated": separated, "singleton": int((~used).sum()) - separated}
    assert got.effect_rank == rank
    weights = np.ones(len(rows.outcome)) if rows.weights is None else rows.weights
    assert got.mean == pytest.approx(np.average(rows.outcome[used], weights=weights[used]), rel=1e-12)


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("name", CASES)
def test_rows_equal_dense(loops, name, family):
    problem = dense(5, family, **CASES[name])
    one, two = fit(problem), fit(in_rows(problem, seed=9))
    np.testing.assert_allclose(two.coefficients, one.coefficients, **SAME)
    for field in ("bread", "meat_rows", "scores"):
        a, b = getattr(one, field), getattr(two, field)
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6 * np.abs(a).max())
    assert (one.n_obs, one.excluded, one.effect_rank) == (two.n_obs, two.excluded, two.effect_rank)
    assert two.deviance == pytest.approx(one.deviance, rel=1e-8)
    assert two.total == pytest.approx(one.total, rel=1e-8)
    assert two.mean == pytest.approx(one.mean, rel=1e-12)
    assert (one.pairs_used == two.pairs_used).all()
    sums = name in ("complete", "fixed offset", "one-sided", "one period") or (family, name) == ("poisson", "sparse")
    if name in ("fixed offset", "one-sided") and (family, loops) == ("gaussian", "compiled"):
        sums = False  # cells are missing: the compiled loops net their effects out period by period
    assert (one.path, two.path) == ("sums" if sums else "tensor", "rows")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mean": 0.15, "shape": (5, 9, 8)},
        {"shape": (4, 7, 7), "diagonal": False},
        {"missing": 0.15},
        {"missing": 0.1, "mean": 0.3, "shape": (13, 9, 8)},
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_sums_equal_the_tensor(monkeypatch, seed, options):
    from tradelift.solve import sums as module

    problem = dense(seed, **options)
    quick = fit(problem)
    monkeypatch.setattr(module, "blocks_of", lambda *_: None)
    slow = fit(problem)
    assert (quick.path, slow.path) == ("sums", "tensor")
    np.testing.assert_allclose(quick.coefficients, slow.coefficients, **SAME)
    for field in ("bread", "meat_rows", "scores"):
        a, b = getattr(slow, field), getattr(quick, field)
        np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-8 * np.abs(a).max())
    assert (quick.n_obs, quick.excluded, quick.effect_rank) == (slow.n_obs, slow.excluded, slow.effect_rank)
    assert quick.deviance == pytest.approx(slow.deviance, rel=1e-9)


def test_sums_that_mix_too_slowly_are_left_to_the_tensor(monkeypatch):
    from tradelift.solve import sums as module

    problem = dense(2)
    quick = fit(problem)
    monkeypatch.setattr(module, "MAX_SWEEPS", 1)
    slow = fit(problem)
    assert (quick.path, slow.path) == ("sums", "tensor")
    np.testing.assert_allclose(quick.coefficients, slow.coefficients, **SAME)


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
def test_equals_pyfixest(family):
    import pandas as pd
    import pyfixest as pf

    problem = dense(11, family, shape=(4, 20, 15), moving=True)
    rows = in_rows(problem)
    frame = pd.DataFrame(rows.regressors, columns=["a", "b", "c"]).assign(
        y=rows.outcome, f=rows.effects[0], g=rows.effects[1], pair=rows.pair
    )
    estimate = pf.fepois if family == "poisson" else pf.feols
    model = estimate("y ~ a + b + c | f + g", frame, vcov={"CRV1": "pair"}, ssc=pf.ssc(k_adj=False, G_adj=False))
    got = fit(problem)
    np.testing.assert_allclose(got.coefficients, model.coef().to_numpy(), **SAME)
    influence = got.scores @ got.bread
    np.testing.assert_allclose(np.sqrt(np.diag(influence.T @ influence)), model.se().to_numpy(), **BESIDE_PYFIXEST)


@pytest.mark.parametrize("seed", range(8))
def test_separation_by_regressors_equals_the_linear_program(seed):
    problem = dense(seed, shape=(2, 7, 6), mean=0.4)
    pieces = []
    for piece in problem.pieces:
        outcome = np.where(piece.regressors[0] == 1, 0.0, piece.outcome)  # the dummy never trades
        pieces.append(Piece(outcome=outcome, regressors=piece.regressors, pair=piece.pair))
    problem = DenseProblem(pieces=tuple(pieces), family="poisson", n_pairs=problem.n_pairs)
    used, separated = solvable_rows(in_rows(problem))
    got = fit(problem)
    assert got.excluded["separated"] == separated
    assert got.n_obs == used.sum()
    assert 0 not in got.kept


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 2.0), st.floats(0.0, 0.5))
def test_excluded_rows_equal_brute_force(seed, mean, missing):
    problem = dense(seed, shape=(2, 5, 4), mean=mean, missing=missing, blocks=1)
    if not any((p.outcome * (p.weights if p.weights is not None else 1)).any() for p in problem.pieces):
        return
    rows = in_rows(problem)
    used, separated = solvable_rows(rows)
    got = fit(problem)
    assert got.n_obs == used.sum()
    assert got.excluded["separated"] == separated


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e9))
def test_ppml_does_not_depend_on_the_currency(seed, unit):
    problem = dense(seed, shape=(2, 8, 7), mean=3.0, blocks=1)
    scaled = [Piece(outcome=p.outcome * unit, regressors=p.regressors, pair=p.pair) for p in problem.pieces]
    other = DenseProblem(pieces=tuple(scaled), family="poisson", n_pairs=problem.n_pairs)
    np.testing.assert_allclose(fit(other).coefficients, fit(problem).coefficients, rtol=1e-6, atol=1e-7)


def test_collinear_regressors_are_left_out_in_order():
    problem = dense(3, moving=True)
    pieces = []
    for p in problem.pieces:
        x = np.concatenate([p.regressors, p.regressors[:1] + 2 * p.regressors[2:3], np.ones((1, *p.outcome.shape))])
        pieces.append(Piece(outcome=p.outcome, regressors=x, pair=p.pair))
    got = fit(DenseProblem(pieces=tuple(pieces), family="poisson", n_pairs=problem.n_pairs))
    assert got.kept == (0, 1, 2)
    rows = fit(in_rows(DenseProblem(pieces=tuple(pieces), family="poisson", n_pairs=problem.n_pairs)))
    assert rows.kept == (0, 1, 2)


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
def test_a_model_without_regressors(family):
    problem = dense(4, family)
    pieces = [Piece(outcome=p.outcome, regressors=p.regressors[:0], pair=p.pair) for p in problem.pieces]
    bare = DenseProblem(pieces=tuple(pieces), family=family, n_pairs=problem.n_pairs)
    for got in (fit(bare), fit(in_rows(bare))):
        assert got.coefficients.shape == (0,)
        assert got.n_obs > 0


def test_group_scores_sum_the_rows():
    problem = dense(6, moving=True)
    rows = in_rows(problem)
    groups = tuple(np.broadcast_to(np.arange(3)[:, None, None], p.outcome.shape) for p in problem.pieces)
    period = np.concatenate([np.repeat(np.arange(3), 48)] * 2)
    one = fit(problem, groups=(groups,)).group_scores[0]
    two = fit(rows, groups=(period,)).group_scores[0]
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6 * np.abs(one).max())


def test_no_effects_but_a_constant():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 2))
    y = rng.poisson(np.exp(0.5 + x @ [0.3, -0.2])).astype(float)
    problem = RowProblem(outcome=y, regressors=x, effects=(), pair=np.arange(200) % 50, family="poisson", n_pairs=50)
    constant = RowProblem(
        outcome=y,
        regressors=x,
        effects=(np.zeros(200, dtype=int),),
        pair=np.arange(200) % 50,
        family="poisson",
        n_pairs=50,
    )
    got = fit(problem)
    assert got.effect_rank == 1
    np.testing.assert_allclose(got.coefficients, with_dummies(constant, np.ones(200, dtype=bool))[0], **SAME)


def test_no_number_without_convergence(monkeypatch):
    from tradelift.solve import newton, profile, row_newton

    problem = dense(1, shape=(3, 12, 10), moving=True)
    monkeypatch.setattr(row_newton, "MAX_STEPS", 2)
    with pytest.raises(ConvergenceError, match="did not converge: after 2 steps"):
        fit(in_rows(problem))
    monkeypatch.setattr(newton, "MAX_STEPS", 2)
    with pytest.raises(ConvergenceError, match="did not converge: the score does not vanish"):
        fit(problem)
    monkeypatch.setattr(newton, "MAX_STEPS", 60)
    monkeypatch.setattr(
        profile,
        "climb",
        lambda _, start, *__, **___: newton.Summit(coefficients=start + 1, information=np.eye(3), steps=1),
    )
    with pytest.raises(ConvergenceError, match="did not converge: at the end the score"):
        fit(problem)


def test_negative_flows_are_no_poisson_outcome():
    problem = dense(1)
    piece = problem.pieces[0]
    bad = Piece(outcome=piece.outcome - 5, regressors=piece.regressors, pair=piece.pair)
    with pytest.raises(ValueError, match="must not be negative"):
        fit(DenseProblem(pieces=(bad,), family="poisson", n_pairs=problem.n_pairs))
