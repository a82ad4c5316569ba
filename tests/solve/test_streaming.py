from dataclasses import replace

import numpy as np
import pytest

from tests.solve.problems import dense
from tradelift.solve import fit
from tradelift.solve.streaming import Part, StreamedProblem, fit_streamed

SAME = {"rtol": 1e-9, "atol": 1e-11}  # coefficients of two exact solvers
SAME_SUMS = {"rtol": 1e-7, "atol": 1e-9}  # what is computed from them

CASES = {
    "complete": {},
    "moving": {"moving": True},
    "gaps": {"missing": 0.3},
    "weights": {"weights": True},
    "offset": {"offset": True, "moving": True},
    "one-sided": {"shape": (3, 7, 7), "diagonal": False, "blocks": 1},
    "sparse": {"mean": 0.15, "shape": (4, 9, 8), "missing": 0.2},
    "few zeros": {"mean": 0.6, "shape": (5, 9, 8)},
    "one period": {"shape": (1, 9, 12)},
}


def in_parts(problem, size=1, excluded=None):
    """The same problem, some periods at a time."""
    periods = len(problem.pieces[0].outcome)

    def cut(values, at):
        return values if values is None or len(values) == 1 else values[at]

    def parts():
        for first in range(0, periods, size):
            at = slice(first, first + size)
            pieces = [
                replace(
                    piece,
                    outcome=piece.outcome[at],
                    regressors=piece.regressors if piece.regressors.shape[1] == 1 else piece.regressors[:, at],
                    weights=cut(piece.weights, at),
                    offset=cut(piece.offset, at),
                )
                for piece in problem.pieces
            ]
            yield Part(pieces=tuple(pieces), excluded=excluded or {})

    k = len(problem.pieces[0].regressors)
    return StreamedProblem(parts=parts, family=problem.family, n_regressors=k, n_pairs=problem.n_pairs)


def assert_same(got, want):
    assert (got.kept, got.n_obs, got.excluded, got.effect_rank) == (
        want.kept,
        want.n_obs,
        dict(want.excluded),
        want.effect_rank,
    )
    np.testing.assert_allclose(got.coefficients, want.coefficients, **SAME)
    for field in ("bread", "meat_rows", "scores"):
        a, b = getattr(want, field), getattr(got, field)
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-7 * np.abs(a).max(initial=0.0))
    np.testing.assert_array_equal(got.pairs_used, want.pairs_used)
    np.testing.assert_allclose([got.deviance, got.total], [want.deviance, want.total], **SAME_SUMS)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_parts_give_what_the_whole_gives(name, family, size, seed):
    problem = dense(seed, family, **CASES[name])
    assert_same(fit_streamed(in_parts(problem, size)), fit(problem))
