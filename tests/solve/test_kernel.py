"""The compiled loops beside their plain twins, on random panels of every kind, and in threads."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solve.problems import dense
from tradelift import threads
from tradelift.inference.products import _Spots, _sums
from tradelift.solve import compiled, fit, kernel

# two exact solvers that stop at steps of 1e-10; what is summed in another order differs by less
SAME = {"rtol": 1e-8, "atol": 1e-9}


def assert_same(one, two):
    np.testing.assert_allclose(one.coefficients, two.coefficients, **SAME)
    for field in ("bread", "meat_rows", "scores"):
        a, b = getattr(one, field), getattr(two, field)
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8 * np.abs(b).max(initial=1e-300))
    assert one.deviance == pytest.approx(two.deviance, rel=1e-9, abs=1e-9)
    assert one.total == pytest.approx(two.total, rel=1e-9)
    assert (one.n_obs, one.excluded, one.kept, one.effect_rank) == (two.n_obs, two.excluded, two.kept, two.effect_rank)


def with_pair_effects(problem):
    pieces = tuple(replace(p, group=p.pair, regressors=p.regressors[-1:]) for p in problem.pieces)
    return replace(problem, pieces=pieces)


OPTIONS = [
    {},
    {"moving": True},
    {"missing": 0.3},
    {"moving": True, "missing": 0.1, "weights": True},
    {"offset": True},
    {"offset": "fixed", "moving": True, "weights": True},
    {"shape": (3, 7, 7), "diagonal": False, "blocks": 1, "moving": True},
    {"shape": (2, 1, 9)},
]


@given(seed=st.integers(0, 10**6), family=st.sampled_from(["poisson", "gaussian"]), options=st.sampled_from(OPTIONS))
@settings(max_examples=60, deadline=None)
def test_compiled_equals_plain(seed, family, options):
    problem = dense(seed, family, **options)
    quick = fit(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "loaded", lambda: False)
        assert_same(quick, fit(problem))


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
@pytest.mark.parametrize("seed", range(5))
def test_compiled_equals_plain_with_pair_effects(seed, family):
    problem = with_pair_effects(dense(seed, family, moving=True, shape=(7, 8, 6), missing=0.1 * (seed % 2)))
    quick = fit(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "loaded", lambda: False)
        assert_same(quick, fit(problem))


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
def test_threads_change_no_digit(monkeypatch, family):
    problem = dense(3, family, moving=True, shape=(40, 40, 50))
    monkeypatch.setattr(threads, "WORTHWHILE", 0)
    many = fit(problem)
    monkeypatch.setattr(threads, "n_threads", lambda: 1)
    one = fit(problem)
    for field in ("coefficients", "bread", "meat_rows", "scores"):
        np.testing.assert_array_equal(getattr(one, field), getattr(many, field))


def test_it_is_compiled_where_there_is_a_compiler(loops):
    assert compiled.loaded() == (loops == "compiled")
    if not os.environ.get(compiled.OFF) and shutil.which("cc"):
        assert compiled._library() is not None


@pytest.mark.parametrize(("name", "place", "shown"), [(compiled.OFF, 0, "False"), (threads.LIMIT, 1, "1")])
def test_environment_variables_turn_loops_and_threads_off(name, place, shown):
    code = "from tradelift import threads; from tradelift.solve import compiled; print(compiled.loaded(), threads.n_threads())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, name: "1"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[place] == shown


def test_freed_memory_serves_again_unless_the_environment_says_otherwise(loops):
    code = (
        "import resource, numpy as np; from tradelift.solve import compiled; compiled.loaded()\n"
        "taken = lambda: (np.ones(2**21).sum(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt)[1]\n"
        "first = taken(); print(compiled.loaded() and platform.libc_ver()[0] == 'glibc', taken() - first)"
    )
    # without huge pages, so that each page of 16 MB counts
    plain = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    for told in ({}, {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}):
        command = [sys.executable, "-c", f"import platform\n{code}"]
        done = subprocess.run(command, env=plain | told, capture_output=True, text=True, check=True)
        compiled, faults = done.stdout.split()
        if compiled == "True":
            assert (int(faults) > 2**11) == bool(told)


@given(seed=st.integers(0, 10**6), draws=st.integers(1, 5), entries=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_sums_of_relabelled_partners_equal_a_loop(seed, draws, entries):
    rng = np.random.default_rng(seed)
    n_rows, n_columns = 4, 7
    cells, values = rng.integers(0, n_rows * n_columns + 1, (draws, entries)), rng.normal(size=(draws, entries))
    weights = rng.random((n_rows, n_columns))
    rows, columns = np.zeros((draws, n_rows)), np.zeros((draws, n_columns))
    for b in range(draws):
        for cell, value in zip(cells[b], values[b], strict=True):
            if cell < n_rows * n_columns:  # one past the last is no cell
                i, j = divmod(int(cell), n_columns)
                rows[b, i] += value * weights[i, j]
                columns[b, j] += value * weights[i, j]
    if compiled._library() is not None:
        found = kernel.margins(cells, values, weights)
        np.testing.assert_allclose(found[0], rows, atol=1e-12)
        np.testing.assert_allclose(found[1], columns, atol=1e-12)
    spots = _Spots(
        cell=cells,
        row=np.arange(draws)[:, None] * (n_rows + 1) + cells // n_columns,
        column=np.arange(draws)[:, None] * n_columns + cells % n_columns,
        partnership=np.arange(entries),
    )
    weighted = values * np.append(weights.ravel(), 0.0)[cells]
    plain = _sums(weighted, spots, np.arange(entries), weights.shape)
    np.testing.assert_allclose(plain[0], rows, atol=1e-12)
    np.testing.assert_allclose(plain[1], columns, atol=1e-12)
