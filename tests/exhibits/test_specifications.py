from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import one_side, study, two_sides
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.specification_choices import alternatives, choose, key_of, task_of
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

SPECIFICATIONS = EXHIBITS["specifications"]


@pytest.fixture(scope="module")
def world():
    """Of one direction, which is enough to look at."""
    return draw_affinity_world(AffinityWorld(periods=2), 4).panel


@pytest.fixture(scope="module")
def found(world):
    tasks = {k: t for k, t in SPECIFICATIONS.plan(study(), world).items() if k.endswith("; west->east")}
    return {key: task.estimate(world) for key, task in tasks.items()}


@pytest.fixture(scope="module")
def shown(world, found):
    return SPECIFICATIONS.show(study(), world, found)


@pytest.mark.parametrize("away", [0, 1, 2])
def test_choices_differ_from_the_first_in_so_many_decisions(world, away):
    options = alternatives(study(), world, "spatial RD")
    every = list(choose(study(), world, "spatial RD", away))
    changed = [sum(c[d] != options[d][0] for d in options) for c in every]
    assert max(changed) == away
    assert len({tuple(c.items()) for c in every}) == len(every)
    more = [len(values) - 1 for values in options.values()]
    counts = [1, sum(more), (sum(more) ** 2 - sum(m * m for m in more)) // 2]
    assert len(every) == sum(counts[: away + 1])


def test_a_combination_is_the_design_that_it_says(world):
    first = next(choose(study(), world, "spatial RD", 0))
    assert task_of(study(), world, first, "both").estimate(world).coefficients == pytest.approx(
        tl.SpatialRD().estimate(world).coefficients, rel=1e-12
    )
    other = {
        "estimator": "PPML", "bandwidth": "250 km", "kernel": "uniform", "term": "d", "neighbours": "two",
        "controls": "none", "types": "type 4", "periods": "second half",
    }  # fmt: skip
    design = task_of(study(), world, first | other, "west->east")
    assert design == tl.SpatialRD(
        outcome="trade", family="poisson", bandwidth_km=250, kernel="uniform", distance_terms=["d"],
        neighbours="corners", controls=[], control_types=[4], where={"period": {"from": "1"}}, direction="west->east",
    )  # fmt: skip
    assert (
        key_of(study(), world, first | {"kernel": "uniform", "errors": "pair"}, "both") == "spatial RD: uniform; both"
    )
    gravity = next(choose(study(), world, "gravity", 0)) | {"types": "type 4", "periods": "first half"}
    assert task_of(study(), world, gravity, "both") == tl.Gravity(
        outcome="log(trade)", family="gaussian", control_types=[4], where={"period": {"to": "0"}}
    )


def test_samples_and_controls_of_the_study_are_choices(world):
    own = study(samples={"early": {"to": "0"}}, model={"controls": ["log(distance_km)", "domestic"]})
    options = alternatives(own, world, "gravity")
    assert options["periods"] == ("all", "early")
    assert options["controls"] == ("the study's", "none", "distance")
    choices = next(choose(own, world, "gravity", 0)) | {"controls": "distance", "periods": "early"}
    design = task_of(own, world, choices, "both")
    assert (design.controls, design.where) == (("log(distance_km)",), {"period": {"to": "0"}})
    assert "periods" in alternatives(study(), draw_affinity_world(AffinityWorld(), 4).panel, "gravity")


def test_the_curve_is_in_order_and_marks_the_studys_own(world, shown):
    figure = shown.figures[0]
    values = [r["value"] for r in figure.records()]
    assert values == sorted(values)
    own = [r for r in figure.records() if r["is_main"]]
    assert len(own) == 1
    alone = tl.SpatialRD(direction="west->east").estimate(world).percent().iloc[0]
    assert (own[0]["value"], own[0]["low"]) == pytest.approx((alone["percent"], alone["conf_low"]), rel=1e-9)
    assert figure.decisions["bandwidth"] == ("150 km", "100 km", "250 km")
    assert next(r for r in figure.records() if r["design"] == "gravity")["bandwidth"] is None
    assert len(list(shown.tables[0].records())) == len(values)


def test_errors_change_the_interval_and_nothing_else(world, shown):
    table = [r for r in shown.tables[0].records() if r["design"] == "gravity" and r["differs"] == "PPML"]
    usual = {r["errors"]: r for r in table}
    assert usual["pair"]["estimate"] == usual["the design's own"]["estimate"]
    alone = tl.Gravity(direction="west->east", vcov="pair").estimate(world).std_errors[0]
    assert usual["pair"]["std_error"] == pytest.approx(alone, rel=1e-9)


def test_sentences_give_range_middle_and_rank(shown):
    rows = [r for r in shown.tables[0].records() if r["design"] == "spatial RD"]
    percent = [r["percent"] for r in rows]
    text = shown.sentences[0].replace("\N{MINUS SIGN}", "-")
    assert (
        f"spatial RD {min(percent):.1f}% to {max(percent):.1f}%, half of {len(rows)} above {np.median(percent):.1f}%"
        in text
    )
    clear = sum(not r["conf_low"] <= 0 <= r["conf_high"] for r in rows)
    assert f"zero outside of {clear} of {len(rows)} intervals" in text
    assert "is number" in text
    assert shown.sentences[1].startswith("The single choice that moves spatial RD most is ")


def test_what_was_refused_leaves_the_rest(world, found):
    few = {key: e for key, e in found.items() if key.startswith("gravity")}
    shown = SPECIFICATIONS.show(study(), world, few)
    assert {r["design"] for r in shown.tables[0].records()} == {"gravity"}
    assert "the study's own" not in shown.sentences[0]
    alone = {key: e for key, e in found.items() if key == "spatial RD; west->east"}
    assert len(SPECIFICATIONS.show(study(), world, alone).sentences) == 1
    assert SPECIFICATIONS.show(study(), world, {}).tables == ()
    assert SPECIFICATIONS.plan(study(model={"outcomes": ["deals"]}), world) == {}


def test_reasons_stand_once_with_their_count(world):
    refused = {"spatial RD; both": "No group.", "gravity; both": "Why.", "spatial RD: PPML; both": "No group."}
    said = SPECIFICATIONS.shown(study(), world, {}, refused).sentences
    assert said == (
        "Not estimated: spatial RD; both directions and 1 more: No group.",
        "Not estimated: gravity; both directions: Why.",
    )


def test_a_panel_without_provinces_or_periods_has_fewer_choices(world):
    columns = {name: values for name, values in world.regions.columns.items() if name != "group"}
    bare = replace(world, regions=replace(world.regions, columns=columns))
    assert alternatives(study(), bare, "gravity")["errors"] == ("the design's own", "pair")
    assert missing(SPECIFICATIONS, study(), one_side()) == "absent: give partners"
    ratios = study(model={"outcomes": ["seller_concentration"]})
    panel = two_sides()
    assert alternatives(ratios, panel, "spatial RD")["estimator"] == ("OLS",)
    tasks = SPECIFICATIONS.plan(ratios, panel)
    assert all(task.outcome == "seller_concentration" for task in tasks.values())
    shown = SPECIFICATIONS.show(ratios, panel, {key: tasks[key].estimate(panel) for key in ["gravity; both"]})
    assert shown.figures[0].axis == "Difference"
