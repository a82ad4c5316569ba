"""Processes beside the explorer's own find what it would find itself, and are not missed where they are lost."""

import threading
import time
from concurrent.futures import wait

import numpy as np
import pytest

import tradelift as tl
from tests.explore.test_page import WIDE
from tests.pipeline.studies import write_study
from tradelift.explore import findings
from tradelift.explore.beside import Beside
from tradelift.explore.findings import Findings
from tradelift.pipeline import check

PATIENCE = 60.0  # seconds
TASKS = [
    tl.SpatialRD(outcome=outcome, bandwidth_km=km) for outcome in ("log(trade)", "trade") for km in (600, 900, 1500)
]
REFUSED = tl.SpatialRD(bandwidth_km=0.001)


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    return check(tl.read_study(write_study(tmp_path_factory.mktemp("beside"), WIDE, periods=4)))[0]


def awake(beside):
    end = time.monotonic() + PATIENCE
    while not beside.is_awake and time.monotonic() < end:
        time.sleep(0.01)
    assert beside.is_awake
    return beside


@pytest.fixture(scope="module")
def beside(panel):
    own = awake(Beside((panel, None), 2))
    yield own
    own.close()


@pytest.fixture
def found(panel, beside, monkeypatch):
    """Findings that ask these processes, and do nothing themselves."""
    monkeypatch.setattr(tl.SpatialRD, "estimate", lambda *_: pytest.fail("estimated here"))
    own = Findings(panel, None)
    own._beside = beside
    return own


def assert_same(one, two):
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-12)
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-10)
    assert (one.terms, one.n_obs, one.dropped, one.se_type) == (two.terms, two.n_obs, two.dropped, two.se_type)


def test_a_finding_is_the_same(panel, beside):
    for task, future in [(task, beside.submit(task)) for task in TASKS]:
        assert_same(future.result(PATIENCE), task.estimate(panel))
        assert_same(future.result().with_vcov("pair"), task.estimate(panel).with_vcov("pair"))


def test_a_refusal_is_the_same(panel, beside):
    with pytest.raises(tl.DesignError) as here:
        REFUSED.estimate(panel)
    there = beside.submit(REFUSED).result(PATIENCE)
    assert isinstance(there, tl.DesignError)
    assert (str(there), there.dropped) == (str(here.value), here.value.dropped)


def test_all_of_a_curve_is_found_beside(found):
    calls = 0
    while found.find_next([*TASKS, REFUSED]):
        calls += 1
    assert 1 <= calls <= len(TASKS) + 1
    assert all(found.knows(task) for task in (*TASKS, REFUSED))
    with pytest.raises(tl.DesignError, match="No partner pair has a near control"):
        found.find(REFUSED)


def test_what_is_being_made_beside_is_waited_for(found):
    found.hand_out(TASKS[:1])
    assert found.find(TASKS[0]).outcome == "log(trade)"


def test_some_may_stay_free(found):
    assert len(found.hand_out(TASKS, spare=1)) == 1
    wait(found.hand_out(TASKS, spare=1))


def test_what_waits_is_dropped_for_another_choice(found, beside, monkeypatch):
    going_on, begun = threading.Event(), threading.Semaphore(0)
    ask = beside._ask

    def slow(task):
        begun.release()
        assert going_on.wait(PATIENCE)
        return ask(task)

    monkeypatch.setattr(beside, "_ask", slow)
    first = found.hand_out(TASKS[:4])
    assert len(first) == 4
    assert all(begun.acquire(timeout=PATIENCE) for _ in range(2))  # both processes are at work
    second = found.hand_out(TASKS[4:])
    assert len(second) == 2
    assert [future.cancelled() for future in first] == [False, False, True, True]
    going_on.set()
    wait([*first[:2], *second], PATIENCE)
    assert [found.knows(task) for task in TASKS] == [True, True, False, False, True, True]


def test_a_lost_process_is_not_missed(panel):
    own = awake(Beside((panel, None), 1))
    try:
        process = own._threads.submit(lambda: own._own.process).result(PATIENCE)
        process.kill()
        for task in TASKS[:2]:
            assert_same(own.submit(task).result(PATIENCE), task.estimate(panel))
    finally:
        own.close()
    assert process.returncode is not None


def test_a_process_ends_with_its_input(panel):
    own = awake(Beside((panel, None), 1))
    process = own._threads.submit(lambda: own._own.process).result(PATIENCE)
    process.stdin.close()
    assert process.wait(PATIENCE) == 0
    own.close()


@pytest.mark.parametrize(("processors", "begun"), [(1, []), (2, [2]), (64, [findings.MOST])])
def test_there_are_as_many_as_processors(panel, monkeypatch, processors, begun):
    numbers = []
    monkeypatch.setattr(findings, "n_threads", lambda: processors)
    monkeypatch.setattr(
        findings, "Beside", lambda given, n: numbers.append(n) or type("Asleep", (), {"n": n, "is_awake": False})
    )
    own = Findings(panel, None)
    for _ in range(2):
        own.begin_beside()
    assert numbers == begun
    assert own.find_next(TASKS[:1])  # here, until they are awake
    assert own.knows(TASKS[0])


def test_an_error_that_nobody_foresaw_is_not_hidden(panel, beside, monkeypatch):
    def wrong(_):
        raise ZeroDivisionError

    monkeypatch.setattr(beside, "_ask", wrong)
    own = Findings(panel, None)
    own._beside = beside
    with pytest.raises(ZeroDivisionError):
        own.find_next(TASKS)
