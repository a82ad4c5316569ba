"""The report's numbers beside their truths: the simulation's pieces, its committed table, and a shorter run."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

import tradelift as tl
from tradelift.worlds.goods import CATEGORIES
from tradelift.worlds.panels import draw_panel

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "docs" / "simulations"
WORLDS = 12
SEEDS = range(10_000, 10_000 + WORLDS)  # not those of the committed table
LUCK = 1e-5  # chance of fewer intervals that hold the truth, if .91 of them should: some 360 numbers are looked at
BREAKS_OFF = 167  # seed
BIAS = 6.5  # Monte Carlo errors of a mean, for as many; t with 11 degrees of freedom
MEAN = 0.90  # coverage of all numbers in 12 worlds, whose mean has a Monte Carlo error of about .01
SECTIONS = {
    "categories", "traits", "dynamics", "migration", "awareness", "flights", "spending", "magnitude", "concentration",
    "spillovers",
}  # fmt: skip


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(PROJECT / "scripts"))
    names = ("study_truths", "study_truths_lines", "study_truths_report", "interval_coverage", "interval_report")
    yield {name: importlib.import_module(name) for name in names[:3]}
    sys.path.remove(str(PROJECT / "scripts"))
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def committed(scripts):
    return scripts["study_truths"].read(FOLDER / "study_truths.csv", scripts["study_truths_report"].Summary)


@pytest.fixture(scope="module")
def draw(scripts):
    return draw_panel(scripts["study_truths"].WINTER, seed=10_000)


def made(scripts, **values):
    usual = {
        "section": "traits", "what": "partner[low]", "outcome": "trade", "direction": "both", "design": "Gravity",
        "estimator": "PPML", "seed": 0, "truth": 0.1, "value": 0.1, "std_error": 0.1, "low": -0.1, "high": 0.3,
    }  # fmt: skip
    return scripts["study_truths_lines"].Found(**(usual | values))


def test_a_summary_by_hand_in_which_what_is_not_known_holds_nothing(scripts):
    nan = float("nan")
    found = [
        made(scripts, seed=0, value=0.2, low=0.0, high=0.4),
        made(scripts, seed=1, truth=0.2, value=0.1, low=0.05, high=0.15),
        made(scripts, seed=2, value=0.4, std_error=nan, low=nan, high=nan),
        made(scripts, seed=3, value=nan, std_error=nan, low=nan, high=nan),
    ]
    (s,) = scripts["study_truths_report"].summarize(found)
    gaps = np.array([0.1, -0.1, 0.3])
    assert (s.worlds, s.refused, s.coverage, s.holds) == (4, 2, 0.25, False)
    assert (s.bias, s.spread, s.bias_error) == pytest.approx((gaps.mean(), gaps.std(ddof=1), gaps.std(ddof=1) / 3**0.5))
    assert (s.truth, s.estimate, s.std_error) == pytest.approx((0.125, 0.7 / 3, 0.1))
    assert s.relative_width == pytest.approx((0.4 + 0.1) / 4 / (1.959964 * gaps.std(ddof=1)))


def test_a_line_that_is_too_wide_misses_and_the_page_says_so(scripts):
    report = scripts["study_truths_report"]
    wide = [made(scripts, seed=s, value=0.1 + s / 1000, low=-9.0, high=9.0) for s in range(4)]
    fair = [made(scripts, what="slope", seed=s, value=s / 10, low=s / 10 - 0.3, high=s / 10 + 0.3) for s in range(4)]
    summaries = report.summarize(wide + fair)
    assert [s.holds for s in summaries] == [False, True]
    page = report.report(summaries)
    assert "**1 of 2 lines hold.**" in page
    missed = page.split("## What does not hold")[1].split("## What it says")[0]
    assert missed.count("| traits | partner[low] |") == 1
    assert "slope" not in missed
    assert "All lines hold." in report.report(summaries[1:])


def test_truths_of_sets_are_those_of_the_world(scripts, draw):
    """What is computed from the world itself, against what the truth lists."""
    lines = scripts["study_truths_lines"]
    study, panel = lines.study_of(draw), draw.with_goods()
    plan = importlib.import_module("tradelift.exhibits.categories").EXHIBIT.plan(study, panel)
    task = plan["by category, gravity, trade, PPML, west->east"]
    known = draw.truth.estimands
    expected = {f"partner[{c}]": known["categories"]["west->east"][c]["poisson"] for c in CATEGORIES}
    assert lines.truths_of("categories", task, draw, panel) == pytest.approx(expected)
    groups = plan["by priority, gravity, trade, PPML, west->east"]
    found = lines.truths_of("categories", groups, draw, panel)
    priority = known["category_groups"]["priority"]
    one, other = (priority[flag]["west->east"]["poisson"] for flag in ("1", "0"))
    assert list(found.values()) == pytest.approx([one, other, one - other])
    assert lines.truths_of("categories", plan["by category, gravity, trade, PPML, east->west"], draw, panel) == {}
    dynamics = importlib.import_module("tradelift.exhibits.dynamics").EXHIBIT.plan(study, panel)
    around = lines.truths_of("dynamics", dynamics["around covid, gravity, log(trade), OLS, both"], draw, panel)
    at = known["breaks"]["covid"]
    assert list(around.values()) == pytest.approx([at[w]["both"]["gaussian"] for w in ("before", "after", "change")])


def test_priorities_stand_beside_the_panel_as_in_a_study(draw):
    goods = draw.with_goods().goods
    assert set(goods.names) == set(CATEGORIES)
    assert dict(zip(goods.names, goods.about["priority"], strict=True))["food"] == 1


def test_a_stopped_run_goes_on(scripts, tmp_path, monkeypatch):
    module, drawn = scripts["study_truths"], []

    def world(seed):
        drawn.append(seed)
        return [made(scripts, seed=seed, value=1 / 3, low=float("nan"))]

    monkeypatch.setattr(module, "world", world)
    first, again = (module.read_or_draw(5, tmp_path)[0] for _ in range(2))
    assert drawn == [5]
    assert (first[0].value, again[0].value) == (round(1 / 3, module.DIGITS),) * 2
    assert np.isnan(again[0].low)


def test_flights_are_estimated_where_the_search_for_separation_breaks_off_at_first(scripts):
    """In this world HiGHS cannot simplify the program, and solves it as it is."""
    panel = draw_panel(scripts["study_truths"].WINTER, seed=BREAKS_OFF).panel
    found = tl.SpatialRD(outcome="flights", family="poisson", correction="leverage").estimate(panel)
    assert np.isfinite(found.std_errors).all()
    assert found.dropped["separated"] > 1000


def test_the_committed_table_has_every_section_and_world(scripts, committed):
    assert {s.section for s in committed} == SECTIONS
    assert {(s.design, s.estimator) for s in committed} == {
        (design, by) for design in ("Gravity", "SpatialRD") for by in ("OLS", "PPML")
    }
    assert {s.worlds for s in committed} == {scripts["study_truths"].N_WORLDS}


def test_the_committed_page_is_made_of_the_committed_table(scripts, committed):
    page = scripts["study_truths_report"].report(committed)
    assert page == (FOLDER / "study_truths.md").read_text(encoding="utf-8")


def test_the_guide_says_what_the_table_has(committed):
    guide = (PROJECT / "docs" / "simulated-world.md").read_text(encoding="utf-8")
    assert all(s.holds for s in committed)
    assert f"the {len(committed)} lines" in guide
    lowest, widest = min(s.coverage for s in committed), max(s.relative_width for s in committed)
    assert f"in {lowest:.3f} of the worlds at least".replace("0.", ".") in guide
    assert f"at {widest:.2f} times the width" in guide


@pytest.mark.slow
def test_intervals_hold_the_truths(scripts):
    found = [one for seed in SEEDS for one in scripts["study_truths"].world(seed)]
    summaries = scripts["study_truths_report"].summarize(found)
    assert not sum(s.refused for s in summaries)
    fewest = binom.ppf(LUCK, WORLDS, 0.91)
    for s in summaries:
        assert s.coverage * WORLDS >= fewest, s
        assert abs(s.bias) <= BIAS * s.bias_error, s
    assert np.mean([s.coverage for s in summaries]) > MEAN
    assert np.mean([s.relative_width for s in summaries]) < scripts["study_truths_report"].WIDEST
