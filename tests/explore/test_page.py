"""What the explorer shows is what the run found, and nothing of its rows."""

import importlib.util
import re
import threading
from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.pipeline.studies import STUDY, write_study
from tradelift.explore import serve, session
from tradelift.explore.choices import GRAVITY, SPATIAL_RD, choices, columns_read, course_of
from tradelift.explore.page import Page
from tradelift.explore.session import Session
from tradelift.inference import Parted
from tradelift.pipeline import build_panel, check
from tradelift.pipeline.finished import open_run

WIDE = STUDY + "model: {bandwidth_km: 900}\nexhibits: {bandwidth: {grid_km: [600, 900, 1500]}}\n"
SAME = 1e-9  # the same cells, read back from Parquet: what is fixed may be summed in another order


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A run, its panel before it was written, and the page on it."""
    folder = tmp_path_factory.mktemp("explore")
    study = tl.read_study(write_study(folder / "mine", WIDE, periods=4))
    build_panel(study, folder / "out")
    return folder, check(study)[0], Page(Session.open(open_run(folder / "out")))


def choose(page, design=SPATIAL_RD, outcome="log(trade)", direction="both", km=900.0, types=(), vcov="dyadic"):
    model = next(m for m in page.session.choices.models.values() if m.outcome == outcome)
    return page.choice(design=design, model=model, direction=direction, bandwidth_km=km, control_types=types, vcov=vcov)


@pytest.mark.parametrize("vcov", ["dyadic", "two-way"])
@pytest.mark.parametrize("direction", ["both", "west->east"])
@pytest.mark.parametrize(
    ("design", "outcome", "made"),
    [
        (GRAVITY, "trade", lambda d, v: tl.Gravity(direction=d, vcov=v)),
        (
            SPATIAL_RD,
            "log(deals)",
            lambda d, v: tl.SpatialRD(outcome="log(deals)", bandwidth_km=1500, direction=d, vcov=v),
        ),
    ],
)
def test_an_estimate_is_that_of_the_run(opened, design, outcome, made, direction, vcov):
    _, panel, page = opened
    found = page.session.estimate(choose(page, design, outcome, direction, 1500, vcov=vcov))
    expected = made(direction, vcov).estimate(panel)
    np.testing.assert_allclose(found.coefficients, expected.coefficients, rtol=SAME)
    np.testing.assert_allclose(found.std_errors, expected.std_errors, rtol=SAME)
    assert found.n_obs == expected.n_obs


@pytest.mark.parametrize(
    ("model", "n", "last"),
    [("", 50, 500), ("model: {bandwidth_km: 155.5}\n", 51, 500), ("model: {bandwidth_km: 4000}\n", 105, 4000)],
)
def test_bandwidths_hold_those_of_the_study(tmp_path, model, n, last):
    study = tl.read_study(write_study(tmp_path, STUDY + model))
    found = choices(study, check(study)[0])
    assert {found.bandwidth_km, *study.grid_km} <= set(found.bandwidths_km)
    assert (len(found.bandwidths_km), found.bandwidths_km[-1]) == (n, last)


def test_a_choice_is_estimated_once(opened, monkeypatch):
    _, _, page = opened
    choice = choose(page, km=1234.0)
    page.session.estimate(choice)
    monkeypatch.setattr(tl.SpatialRD, "estimate", lambda *_: pytest.fail("estimated again"))
    page.session.estimate(choose(page, km=1234.0, vcov="pair"))


def test_what_is_being_estimated_is_waited_for(opened, monkeypatch):
    _, panel, page = opened
    fresh = Page(Session(page.session.study, panel))
    estimate, begun, going_on = tl.SpatialRD.estimate, threading.Event(), threading.Event()
    called = []

    def slow(*given):
        called.append(given)
        begun.set()
        assert going_on.wait(10)
        return estimate(*given)

    monkeypatch.setattr(tl.SpatialRD, "estimate", slow)
    before = threading.Thread(target=fresh.session.estimate, args=[choose(fresh)])
    before.start()
    assert begun.wait(10)
    threading.Timer(0.1, going_on.set).start()
    fresh.session.estimate(choose(fresh, vcov="pair"))
    before.join()
    assert len(called) == 1


def test_the_answer_says_effect_table_and_sample(opened):
    _, _, page = opened
    html = page.answer(choose(page))
    effect = page.session.estimate(choose(page)).percent().set_index("term").loc["partner", "percent"]
    assert f"{effect:+.1f}%".replace("-", "\u2212") in html
    assert "group^period" in html
    assert "observations" in html


@pytest.mark.parametrize("design", [GRAVITY, SPATIAL_RD])
def test_the_first_errors_are_those_of_the_report(opened, design):
    _, _, page = opened
    scheme = {GRAVITY: "dyadic", SPATIAL_RD: "max-two-way"}[design]
    choice = choose(page, design, vcov=page.first_errors)
    assert page.session.estimate(choice).se_type == scheme
    assert f"errors: {scheme}" in page.answer(choice)


def test_what_cannot_be_estimated_is_said(opened):
    _, _, page = opened
    html = page.answer(choose(page, km=0.001))
    assert "Not estimated" in html
    assert "No partner pair has a near control" in html
    assert page.map(choose(page, km=0.001)) == ""


def test_the_curve_has_the_grid_and_the_choice(opened):
    _, panel, page = opened
    choice = choose(page, km=1000.0)
    page.session.estimate(choice)
    while page.extend(choice):
        pass
    found = page.session.curve(choice)
    assert (list(found), page.session.left(choice)) == ([600.0, 900.0, 1000.0, 1500.0], ())
    for km, size in found.items():
        expected = tl.SpatialRD(bandwidth_km=km, vcov="dyadic").estimate(panel).percent().iloc[0]
        np.testing.assert_allclose(
            [size.value, size.low, size.high], [expected[n] for n in ("percent", "conf_low", "conf_high")], rtol=SAME
        )
    assert page.curve(choice).startswith("<svg")


def test_the_curve_grows_from_the_choice_and_keeps_nobody_waiting(opened):
    _, panel, page = opened
    fresh = Page(Session(page.session.study, panel))
    choice = choose(fresh, km=1000.0, direction="east->west")
    assert fresh.curve(choice) == ""
    fresh.answer(choice)
    assert "To follow: 600, 900, 1500 km" in fresh.curve(choice)
    seen = []
    while fresh.extend(choice):
        seen.append((len(fresh.session.curve(choice)), fresh.session.left(choice)))
    assert seen == [(2, (600.0, 1500.0)), (3, (1500.0,)), (4, ())]
    assert "To follow" not in fresh.curve(choice)
    assert not fresh.extend(choose(fresh, GRAVITY))


@pytest.mark.parametrize("design", [GRAVITY, SPATIAL_RD])
def test_what_may_be_chosen_next_is_prepared(opened, monkeypatch, design):
    _, panel, page = opened
    fresh = Page(Session(page.session.study, panel))
    choice = choose(fresh, design, km=900.0)
    count = 0
    while fresh.prepare(choice):
        count += 1
    known = fresh.session.choices
    assert len(known.control_types) == 4
    pairs = len(known.models) * len(known.directions) + 4
    assert count == pairs * (2 if design == GRAVITY else 3)  # each with its course, or at three bandwidths
    monkeypatch.setattr(tl.SpatialRD, "estimate", lambda *_: pytest.fail("estimated again"))
    monkeypatch.setattr(tl.Gravity, "estimate", lambda *_: pytest.fail("estimated again"))
    for outcome in ("log(trade)", "trade", "deals"):
        other = choose(fresh, design, outcome, "east->west", vcov="pair")
        assert "95% interval" in fresh.answer(other)
        assert fresh.is_whole(other)
        assert fresh.curve(other).startswith("<svg")
    for kinds in ((2, 3, 4), (1, 3, 4), (1, 2, 4), (1, 2, 3)):
        other = replace(choice, control_types=kinds)
        assert fresh.is_whole(other)
        assert "estimated again" not in fresh.answer(other)


def test_the_curve_of_gravity_is_its_course_over_time(opened):
    _, panel, page = opened
    choice = choose(page, GRAVITY, "log(deals)", "west->east", vcov="two-way")
    found = page.session.course(choice)
    expected = Parted(
        design=tl.Gravity(outcome="log(deals)", direction="west->east", vcov="two-way"), by="period"
    ).estimate(panel)
    assert found.treatment == expected.treatment
    np.testing.assert_allclose(found.coefficients, expected.coefficients, rtol=SAME)
    np.testing.assert_allclose(found.std_errors, expected.std_errors, rtol=SAME)
    svg = page.curve(choice)
    assert "by month" in svg
    assert "by month, 4 in all" in svg


@pytest.mark.parametrize(
    ("periods", "unit"),
    [
        (tuple(f"20{y}-{m:02}" for y in range(17, 20) for m in range(1, 13)), "period"),
        (tuple(f"20{y}-{m:02}" for y in range(17, 22) for m in range(1, 13)), "quarter"),
        (tuple(f"20{y}-{m:02}" for y in range(10, 24) for m in range(1, 13)), "year"),
        (tuple(f"wave {n}" for n in range(50)), None),
        (("all",), None),
    ],
)
def test_a_course_has_as_many_parts_as_one_can_read(opened, periods, unit):
    _, panel, page = opened
    found = course_of(page.session.study, replace(panel, periods=periods), choose(page, GRAVITY))
    assert (None if found is None else found.by) == unit


def test_only_what_can_be_chosen_is_read(opened, monkeypatch):
    folder, panel, page = opened
    study = page.session.study
    assert set(columns_read(study)) >= {"trade", "deals", "seller_concentration"}
    own = study.model.model_copy(update={"outcomes": ["log(trade)"], "controls": ["log(distance_km)", "migration"]})
    assert columns_read(study.model_copy(update={"model": own})) == ("log", "trade", "distance_km", "migration")
    monkeypatch.setattr(session, "columns_read", lambda _study: ("trade",))
    less = Page(Session.open(open_run(folder / "out")))
    assert "deals" in panel.names
    assert "deals" not in less.session.panel.names
    found, known = (p.session.estimate(choose(p, GRAVITY, "trade")) for p in (less, page))
    np.testing.assert_array_equal(found.coefficients, known.coefficients)


def test_a_session_is_handed_over_once(opened, tmp_path):
    own = Session.open(open_run(opened[0] / "out"))
    place = tmp_path / "session"
    later = threading.Timer(0.2, own.hand_over, [place])
    later.start()
    taken = Page.of({"session": str(place)})  # waits for it
    later.join()
    assert Page.of({"session": str(place)}) is taken
    choice = choose(taken)
    assert not taken.is_whole(choice)
    found, known = taken.session.estimate(choice), own.estimate(choice)
    np.testing.assert_array_equal(found.coefficients, known.coefficients)
    np.testing.assert_array_equal(found.covariance, known.covariance)


def test_the_map_shows_who_is_compared(opened):
    _, _, page = opened
    wide, narrow = (page.map(choose(page, km=km)) for km in (1500.0, 300.0))
    assert "<svg" in wide
    assert narrow != wide
    assert "4 partnerships, 10 regions compared" in page.map(choose(page, GRAVITY))


def test_without_a_programme_there_is_gravity(tmp_path):
    study = write_study(tmp_path / "mine", WIDE.replace("partners: partners.csv\n", ""))
    build_panel(tl.read_study(study), tmp_path / "out")
    page = Page(Session.open(open_run(tmp_path / "out")))
    assert page.session.choices.designs == (GRAVITY,)
    choice = choose(page, GRAVITY, "trade")
    assert "No effect of partnership is in this design" in page.answer(choice)
    assert (page.map(choice), page.curve(choice)) == ("", "")


def test_names_of_a_study_are_no_markup(tmp_path):
    study = write_study(tmp_path / "mine", WIDE + "labels: {partner: <script>alert(1)</script>}\n")
    build_panel(tl.read_study(study), tmp_path / "out")
    page = Page(Session.open(open_run(tmp_path / "out")))
    for html in (page.answer(choose(page)), page.map(choose(page)), page.curve(choose(page))):
        assert not re.search(r"<script", html)


def test_a_missing_marimo_names_its_extra(opened, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(tl.DataError, match=r"install tradelift\[explore\]"):
        serve(opened[0] / "out", ready=lambda _: pytest.fail("started"))


def test_no_run_no_server(tmp_path):
    with pytest.raises(tl.DataError, match="holds no finished run"):
        serve(tmp_path, ready=lambda _: pytest.fail("started"))
