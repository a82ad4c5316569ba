"""What the explorer takes from the run is what it would estimate, and nothing else is taken."""

import json
import shutil
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.explore.test_page import WIDE, choose
from tests.pipeline.studies import write_study
from tradelift.exhibits.spatial import size_of
from tradelift.explore.choices import AS_REPORTED, GRAVITY
from tradelift.explore.page import Page
from tradelift.explore.session import Session
from tradelift.pipeline.finished import open_run

SAME = 1e-8  # of an effect or an end of its interval: the cells are the same, summed in another order at most
ROUNDING = 1e-14  # of the exponential alone
NARROW = 1.0  # nobody is so near


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run of the curves alone, in `out`."""
    folder = tmp_path_factory.mktemp("reported")
    study = WIDE.replace("[600, 900, 1500]", f"[{NARROW:g}, 900, 1500]")
    tl.run(tl.read_study(write_study(folder / "mine", study, periods=4)), folder / "out", only=["bandwidth"])
    return folder


@pytest.fixture(scope="module")
def session(folder):
    return Session.open(open_run(folder / "out"))


@pytest.fixture(scope="module")
def alone(session):
    """The same without what the run found."""
    return Session(session.study, session.panel)


def numbers(size):
    return [size.value, size.low, size.high]


def test_each_point_is_what_the_explorer_would_estimate(session, alone, monkeypatch):
    models, directions = session.choices.models.values(), session.choices.directions.values()
    choices = [
        choose(Page(session), outcome=model.outcome, direction=direction, vcov=AS_REPORTED)
        for model, direction in product(models, directions)
    ]
    expected = []
    for choice in choices:
        while alone.extend(choice):
            pass
        expected.append(alone.curve(choice))
    monkeypatch.setattr(tl.SpatialRD, "estimate", lambda *_: pytest.fail("estimated again"))
    assert len(choices) == 12
    for choice, curve in zip(choices, expected, strict=True):
        assert session.left(choice) == ()
        found = session.curve(choice)
        assert list(found) == list(curve) == [900.0, 1500.0]  # the narrow one was refused, and is not tried again
        for km, size in found.items():
            np.testing.assert_allclose(numbers(size), numbers(curve[km]), rtol=SAME)


def test_a_point_is_the_row_of_the_run(folder, session):
    rows = pd.read_csv(folder / "out" / "estimates.csv", float_precision="round_trip").set_index(["column", "term"])
    row = rows.loc["trade, PPML, west->east, 1500 km", "partner"]
    size = session.curve(choose(Page(session), outcome="trade", direction="west->east", vcov="max-two-way"))[1500.0]
    expected = [100 * np.expm1(row[name]) for name in ("estimate", "conf_low", "conf_high")]
    np.testing.assert_allclose(numbers(size), expected, rtol=ROUNDING)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({}, ()),
        ({"vcov": "dyadic"}, (900.0, 1500.0, NARROW)),
        ({"control_types": (1, 2, 4)}, (900.0, 1500.0, NARROW)),
        ({"bandwidth_km": 1000.0}, (1000.0,)),
        ({"design": GRAVITY}, ()),
    ],
)
def test_what_differs_in_anything_is_estimated(folder, change, left):
    session = Session.open(open_run(folder / "out"))
    choice = replace(choose(Page(session), vcov=AS_REPORTED), **change)
    assert session.left(choice) == left
    while session.extend(choice):
        pass
    assert session.left(choice) == ()
    for km in set(left) - {NARROW}:
        expected = tl.SpatialRD(bandwidth_km=km, control_types=choice.control_types, vcov=choice.vcov)
        size = session.curve(choice)[km]
        np.testing.assert_allclose(numbers(size), numbers(size_of(expected.estimate(session.panel))), rtol=SAME)


def another_program(folder):
    rewritten(folder, code="0.0.1+another")


def a_program_that_did_not_say(folder):
    rewritten(folder, code=None)


def other_partners(folder):
    path = folder / "mine" / "partners.csv"
    path.write_text(path.read_text().replace("e1,w1\n", ""))


def other_rows(folder):
    path = folder / "out" / "estimates.csv"
    path.write_text(path.read_text().replace("0.1", "0.2"))


def no_rows(folder):
    (folder / "out" / "estimates.csv").unlink()


def another_exhibit(folder):
    rewritten(folder, exhibits={"gravity": {}})


def rewritten(folder, **changes):
    path = folder / "out" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "spoil",
    [another_program, a_program_that_did_not_say, other_partners, other_rows, no_rows, another_exhibit],
)
def test_what_is_not_of_this_run_is_not_taken(folder, tmp_path, spoil):
    shutil.copytree(folder, tmp_path / "run")
    spoil(tmp_path / "run")
    session = Session.open(open_run(tmp_path / "run" / "out"))
    assert session.left(choose(Page(session), vcov=AS_REPORTED)) == (900.0, 1500.0, NARROW)


@pytest.mark.parametrize("vcov", ["max-two-way", "dyadic", "two-way", "pair", "directed-pair", "province", "robust"])
def test_what_the_run_kept_serves_under_all_errors(folder, alone, monkeypatch, vcov):
    session = Session.open(open_run(folder / "out"))
    choice = choose(Page(session), outcome="trade", direction="east->west", vcov=vcov)
    expected = alone.estimate(choice)
    monkeypatch.setattr(tl.SpatialRD, "estimate", lambda *_: pytest.fail("estimated again"))
    found = session.estimate(choice)
    np.testing.assert_allclose(found.coefficients, expected.coefficients, rtol=SAME)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=SAME, atol=SAME)
    assert (found.terms, found.formula, found.dropped) == (expected.terms, expected.formula, expected.dropped)
    assert (found.n_obs, found.n_pairs, found.sample, found.se_type) == (
        expected.n_obs, expected.n_pairs, expected.sample, vcov,
    )  # fmt: skip


def nothing_kept(folder):
    shutil.rmtree(folder / "mine" / ".tradelift")


def spoilt(folder):
    for path in (folder / "mine" / ".tradelift").rglob("output.pkl"):
        path.write_bytes(b"no pickle")


@pytest.fixture
def restored(folder, tmp_path):
    """The run's folder itself, since what is kept is bound to where it is; afterwards it is as it was."""
    shutil.copytree(folder, tmp_path / "before")
    yield folder
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "before", folder)


@pytest.mark.parametrize("change", [nothing_kept, spoilt, another_program, other_partners])
@pytest.mark.filterwarnings("ignore:.*Exception while loading results")
def test_what_is_not_kept_is_estimated(restored, monkeypatch, change):
    change(restored)
    session = Session.open(open_run(restored / "out"))
    called = []
    estimate = tl.SpatialRD.estimate
    monkeypatch.setattr(tl.SpatialRD, "estimate", lambda *given: called.append(given) or estimate(*given))
    session.estimate(choose(Page(session)))
    assert len(called) == 1
