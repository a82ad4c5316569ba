import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
SEEDS = range(10_000, 10_060)  # not those of the committed table
ERRORS = 3.0  # Monte Carlo errors allowed


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(SCRIPTS))
    names = ("spatial_rd_coverage", "spatial_rd_report")
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(SCRIPTS))
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="module")
def coverage(scripts):
    return scripts["spatial_rd_coverage"]


@pytest.fixture(scope="module")
def judged(scripts):
    return scripts["spatial_rd_report"]


def summary(judged, **values):
    usual = {
        "world": judged.SELECTED, "design": judged.DEFAULT, "draws": 500, "bias": 0.0, "bias_error": 0.002,
        "spread": 0.05, "coverage": 0.95, "coverage_error": 0.01, "relative_width": 1.1,
    }  # fmt: skip
    return judged.Summary(**(usual | values))


def residuals(judged, world, halves):
    return judged.judge(
        judged.Residuals(world=world, seed=s, half_km=h, warns=bool(h < 375)) for s, h in enumerate(halves)
    )


def test_a_draw_has_every_design_once(coverage):
    found, said = coverage.draw("500 km, selected", 3)
    assert [f.design for f in found] == list(coverage.designs())
    assert {(f.world, f.seed) for f in found} == {("500 km, selected", 3)} == {(said.world, said.seed)}
    assert all(f.half_width > 0 for f in found)


def test_a_summary_by_hand(judged):
    gaps = [0.1, -0.2, 0.3, 0.0]
    found = [
        judged.Found(world="w", design="d", seed=s, gap=g, half_width=0.2, seconds=0.0) for s, g in enumerate(gaps)
    ]
    (one,) = judged.summarize(found)
    spread = np.std(gaps, ddof=1)
    assert (one.draws, one.coverage, one.coverage_error) == (4, 0.75, pytest.approx(np.sqrt(0.75 * 0.25 / 4)))
    assert (one.bias, one.bias_error) == (pytest.approx(0.05), pytest.approx(spread / 2))
    assert one.relative_width == pytest.approx(0.2 / (judged.NORMAL * spread))


def test_warnings_by_hand(judged):
    (one,) = residuals(judged, "w", [200.0, 320.0, 400.0, np.inf, np.nan])
    assert (one.warn, one.none, one.half_50, one.half_90) == (0.4, 0.2, 400.0, np.inf)
    assert (one.at_30, one.at_40, one.at_50) == (0.6, 0.4, 0.2)  # halves below 500, 375 and 300 km
    (nothing,) = residuals(judged, "w", [np.nan, np.nan])
    assert (nothing.warn, nothing.none, np.isnan(nothing.half_50)) == (0.0, 1.0, True)


def test_the_binomial_bound(judged):
    # with 500 draws 450 are the fewest that do not reject .92 at 5%: P(X <= 449) = .048, P(X <= 450) = .060
    assert judged.p_value(summary(judged, coverage=450 / 500)) >= judged.LEVEL
    assert judged.p_value(summary(judged, coverage=449 / 500)) < judged.LEVEL


def test_broken_promises_are_named(judged):
    fine = [summary(judged), summary(judged, design=judged.SLOPE), summary(judged, design="gravity", bias=0.3)]
    good = [*residuals(judged, "250 km, selected", [200.0] * 5), *residuals(judged, "none, at random", [np.nan] * 5)]
    assert judged.failures(fine, good) == []
    bad = [
        summary(judged, bias=0.021, coverage=0.85, coverage_error=0.016, relative_width=1.4),
        summary(judged, design=judged.SLOPE, bias=-0.016),
        summary(judged, world="250 km, selected", bias=0.2),
    ]
    wrong = [*residuals(judged, "250 km, selected", [600.0]), *residuals(judged, "500 km, at random", [200.0])]
    assert judged.failures(bad, wrong) == [
        "The bias of 150 km is +0.0210.",
        "The default covers 0.850 (0.016).",
        "The interval of the default is 1.40 times as wide as needed.",
        "The bias of 250 km, d is -0.0160.",
        "The residuals warn in 0.000 of draws with affinity '250 km, selected'.",
        "The residuals warn in 1.000 of draws with affinity '500 km, at random'.",
    ]


def test_the_page_is_computed(judged):
    rows = [
        summary(judged, coverage=0.942),
        summary(judged, design=judged.SLOPE),
        summary(judged, design="gravity", bias=0.291),
        summary(judged, world="250 km, selected", bias=0.044),
    ]
    page = judged.report(rows, residuals(judged, "250 km, selected", [200.0, np.inf, np.nan]))
    assert "takes affinity for an effect: +0.291" in page
    assert "covers 0.942" in page
    assert "+0.0440 off" in page
    assert "| 250 km, selected | 0.333 | 200 |" in page
    assert "beyond 1,500" in page


@pytest.mark.slow
def test_near_controls_find_what_gravity_does_not(coverage, judged):
    """Bias and coverage at fewer draws: what is promised, less what chance does."""
    found = [f for seed in SEEDS for f in coverage.draw(judged.SELECTED, seed)[0]]
    by = {s.design: s for s in judged.summarize(found)}
    n = len(SEEDS)
    for design, bound in judged.BIAS.items():
        assert abs(by[design].bias) < bound + ERRORS * by[design].bias_error
    chance = ERRORS * np.sqrt(judged.COVERAGE * (1 - judged.COVERAGE) / n)
    assert by[judged.DEFAULT].coverage > judged.COVERAGE - chance
    # a standard deviation of n draws is off by a share of 1 / sqrt(2 n)
    assert by[judged.DEFAULT].relative_width < judged.WIDEST * (1 + ERRORS / np.sqrt(2 * n))
    assert by["gravity"].bias > 0.15


@pytest.mark.slow
def test_without_affinity_near_controls_are_right(coverage, judged, monkeypatch):
    plain = replace(coverage.WORLDS["none, at random"], periods=2)
    monkeypatch.setitem(coverage.WORLDS, "none, at random", plain)
    found = [f for seed in SEEDS for f in coverage.draw("none, at random", seed)[0]]
    for s in judged.summarize(found):
        assert abs(s.bias) < ERRORS * s.bias_error
