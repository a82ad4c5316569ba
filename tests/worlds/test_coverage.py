import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import tradelift as tl

SCRIPTS = Path(__file__).parents[2] / "scripts"
SEEDS = range(10_000, 10_100)  # not those of the committed table
ERRORS = 3.0  # Monte Carlo errors allowed
SAME = 1e-9  # of two least-squares solutions of the same numbers plus a constant
# coverage in the committed table, OLS: what the short run must find again
HEADLINE, PAIR_UNDER_PROVINCES = 0.96, 0.80


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(SCRIPTS))
    names = ("interval_coverage", "interval_report", "country_errors")
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(SCRIPTS))
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="module")
def coverage(scripts):
    return scripts["interval_coverage"]


@pytest.fixture(scope="module")
def judged(scripts):
    return scripts["interval_report"]


def made(judged, **values):
    usual = {
        "scenario": "pair", "seed": 0, "family": "OLS", "kind": "headline", "effect": 0.0, "estimate": 0.0, "low": -1.0,
        "high": 1.0, "p_value": 1.0,
    }  # fmt: skip
    return judged.Interval(**(usual | values))


def test_worlds_have_the_programme_and_only_flows_above_zero(coverage):
    panel = coverage.draw_panel("uneven", 1, 0.1)
    assert panel.n_cells == 2 * 56 * 81 * coverage.MONTHS
    assert panel.outcome("trade").min() > 0
    assert panel.pair_column("partner").sum() == 2 * 128


def test_a_seed_gives_its_world_and_the_effect_moves_ols_alike(coverage):
    none, some = (
        tl.Gravity(outcome="log(trade)").estimate(coverage.draw_panel("province", 3, effect)).coefficients
        for effect in (0.0, 0.1)
    )
    assert some == pytest.approx(none + np.array([0.1, 0.0]), abs=SAME)


def test_a_draw_has_every_interval_once(coverage):
    found = coverage.intervals("pair", 1001)
    kinds = [(x.family, x.kind) for x in found]
    assert len(set(kinds)) == len(kinds)
    assert ("PPML", "weidner-zylkin") in kinds
    assert ("OLS", "weidner-zylkin") not in kinds


def test_the_headline_is_the_widest_that_is_known(judged):
    draws = [
        made(judged, kind="dyadic", low=-1.0, high=1.0),
        made(judged, kind="province", low=np.nan, high=np.nan),
        made(judged, kind="relabel", low=-0.5, high=2.0),
        made(judged, seed=1, kind="dyadic", low=-1.0, high=1.0),
        made(judged, seed=1, kind="province", low=-3.0, high=0.0),
        made(judged, seed=1, kind="relabel", low=-0.1, high=0.1),
    ]
    found = {(x.seed, x.kind): (x.low, x.high) for x in judged.with_widest(draws)}
    assert len(found) == len(draws) + 4
    assert (found[0, "headline"], found[0, "dyadic or province"]) == ((-0.5, 2.0), (-1.0, 1.0))
    assert found[1, "headline"] == found[1, "dyadic or province"] == (-3.0, 0.0)


def test_a_summary_by_hand(judged):
    draws = [
        made(judged, seed=0, effect=0.0, estimate=0.5, low=0.1, high=0.9, p_value=0.01),
        made(judged, seed=1, effect=0.1, estimate=0.2, low=-0.2, high=0.6, p_value=0.3),
        made(judged, seed=2, effect=0.0, estimate=-0.3, low=np.nan, high=np.nan, p_value=np.nan),
        made(judged, seed=3, effect=0.1, estimate=0.0, low=-0.3, high=0.3, p_value=0.9),
    ]
    (found,) = judged.summarize(draws)
    gaps = np.array([0.5, 0.1, -0.3, -0.1])
    assert (found.draws, found.unknown) == (4, 0.25)
    assert found.coverage == pytest.approx(2 / 3)
    assert found.coverage_error == pytest.approx(np.sqrt(2 / 27))
    assert found.bias == pytest.approx(gaps.mean())
    assert found.relative_width == pytest.approx(0.8 / (2 * judged.NORMAL * gaps.std(ddof=1)))
    assert found.rejected == 1.0  # of the one zero whose interval is known


def test_a_broken_promise_is_named(judged):
    draws = [made(judged, seed=s, estimate=s / 10, low=s / 10 - 0.15, high=s / 10 + 0.15) for s in range(4)]
    assert judged.failures(judged.summarize(draws)) == ["The headline covers 0.500 (0.250) by OLS with shocks 'pair'."]


def test_a_stopped_run_goes_on(coverage, tmp_path, monkeypatch, capsys):
    drawn = []

    def draw(scenario, seed):
        drawn.append(seed)
        return [made(sys.modules["interval_report"], seed=seed, estimate=1 / 3)]

    monkeypatch.setattr(coverage, "intervals", draw)
    first = coverage.read_or_draw("pair", 0, 2, tmp_path)
    again = coverage.read_or_draw("pair", 0, 2, tmp_path)
    coverage.read_or_draw("pair", 2, 3, tmp_path)
    assert drawn == [0, 1, 2]
    assert [x.seed for x in again] == [0, 1]
    assert first == again


def test_country_flows_have_the_regressor_with_coefficient_one(scripts):
    countries = scripts["country_errors"]
    panel = countries.draw_panel("three-way", "count", 12, 1)
    assert panel.n_cells == 12 * 11 * countries.PERIODS
    found = countries.compare("two-way", "count", 25, 6)
    assert (
        abs(found.bias) < 4 * found.bias_error
    )  # t with 5 degrees of freedom: once in a hundred seeds, but these are fixed
    assert found.size_corrected > found.size
    assert found.bias_corrected == pytest.approx(found.bias, abs=SAME)  # two-way coefficients stay


def test_errors_of_countries_by_hand(scripts):
    countries = scripts["country_errors"]
    draws = [countries.Fitted(estimate=b, error=0.1, low=b - 0.2, high=b + 0.2) for b in (0.7, 1.0, 1.1)]
    size, coverage, coverage_error, bias, bias_error = countries.judge(draws)
    spread = np.std([0.7, 1.0, 1.1], ddof=1)
    assert size == pytest.approx(0.1 / spread)
    assert (coverage, coverage_error) == (pytest.approx(2 / 3), pytest.approx(np.sqrt(2 / 27)))
    assert (bias, bias_error) == (pytest.approx(-0.2 / 3), pytest.approx(spread / np.sqrt(3)))


@pytest.mark.slow
def test_the_headline_covers_where_pairs_do_not(coverage, judged):
    draws = [x for seed in SEEDS for x in coverage.intervals("province", seed)]
    found = {(s.family, s.kind): s for s in judged.summarize(judged.with_widest(draws))}
    n = len(SEEDS)
    for family in coverage.OUTCOMES:
        assert found[family, "headline"].coverage > HEADLINE - ERRORS * np.sqrt(HEADLINE * (1 - HEADLINE) / n)
        assert abs(found[family, "headline"].bias) < ERRORS * found[family, "headline"].bias_error
    pair = PAIR_UNDER_PROVINCES
    assert abs(found["OLS", "pair"].coverage - pair) < ERRORS * np.sqrt(pair * (1 - pair) / n)
