"""Estimates in processes are those of this process, and so are their refusals."""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky.backend import resource_tracker

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.designs import task_json
from tradelift.errors import DesignError
from tradelift.pipeline import workers
from tradelift.pipeline.cache import EstimateCache
from tradelift.processes import WATCH_SECONDS, in_processes

TASKS = [
    tl.Gravity(outcome="trade"),
    tl.SpatialRD(bandwidth_km=500),
    tl.SpatialRD(bandwidth_km=1e-3),  # no near control
    tl.Gravity(outcome="log(trade)", direction="west->east"),
]


@pytest.fixture
def panel():
    return two_sided(seed=3, n_east=9, n_west=10, partners=14)[0]


def test_processes_change_no_digit_and_no_refusal(panel, monkeypatch):
    here = list(workers.attempts(TASKS, panel))
    monkeypatch.setattr(workers, "WORTHWHILE", 0)
    monkeypatch.setattr(workers, "n_threads", lambda: 2)
    there = list(workers.attempts(TASKS, panel))
    assert [type(x) for x in here] == [type(x) for x in there]
    for one, two in zip(here, there, strict=True):
        if isinstance(one, DesignError):
            assert (str(one), one.dropped) == (str(two), two.dropped)
        else:
            first, second = pickle.loads(one), pickle.loads(two)
            np.testing.assert_array_equal(first.coefficients, second.coefficients)
            np.testing.assert_array_equal(first.covariance, second.covariance)


def test_what_is_prepared_is_remembered_and_refused_alike(panel, tmp_path, monkeypatch):
    seen = []
    cache = EstimateCache(tmp_path)
    ready = list(cache.prepare([*TASKS, TASKS[0]], panel, lambda done, total: seen.append((done, total))))
    assert ready == [task_json(task) for task in TASKS]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setattr(tl.Gravity, "estimate", lambda *_: pytest.fail("estimated twice"))
    assert cache.estimate(TASKS[0], panel).design == "Gravity"
    with pytest.raises(DesignError, match="No partner pair has a near control"):
        cache.estimate(TASKS[2], panel)
    again = EstimateCache(tmp_path)
    assert len(list(again.prepare([TASKS[0]], panel, lambda *_: pytest.fail("estimated though it was kept")))) == 1
    assert again.estimate(TASKS[0], panel).design == "Gravity"


def test_findings_wait_on_disk_and_where_there_is_no_room_in_memory(panel, tmp_path, monkeypatch):
    cache = EstimateCache(tmp_path / "kept", force=True)
    assert len(list(cache.prepare(TASKS[:2], panel, lambda *_: None))) == 2
    assert cache._seen == {}
    assert len(cache._ready) == 2
    full = EstimateCache(tmp_path / "other")
    monkeypatch.setattr(full._estimate.store_backend, "create_location", lambda _: 1 / 0)
    assert len(list(full.prepare(TASKS[:1], panel, lambda *_: None))) == 1
    assert len(full._seen) == 1
    monkeypatch.setattr(tl.Gravity, "estimate", lambda *_: pytest.fail("estimated twice"))
    assert full.estimate(TASKS[0], panel).design == "Gravity"
    assert cache.estimate(TASKS[0], panel).design == "Gravity"  # though all is estimated anew: it was


@dataclass(frozen=True, kw_only=True)
class Deadly:
    """A task that ends every process but one, as the system does when memory is short."""

    survivor: int

    def estimate(self, panel):
        if os.getpid() != self.survivor:
            os.kill(os.getpid(), signal.SIGKILL)
        return tl.Gravity(outcome="trade").estimate(panel)


def test_a_lost_process_costs_no_estimate(panel, monkeypatch):
    monkeypatch.setattr(workers, "WORTHWHILE", 0)
    monkeypatch.setattr(workers, "n_threads", lambda: 2)
    tasks = [TASKS[0], Deadly(survivor=os.getpid()), TASKS[3]]
    with pytest.warns(RuntimeWarning, match="of 3 estimates are made one after the other"):
        found = list(workers.attempts(tasks, panel))
    for task, answer in zip((TASKS[0], TASKS[0], TASKS[3]), found, strict=True):
        np.testing.assert_array_equal(pickle.loads(answer).covariance, task.estimate(panel).covariance)


@pytest.mark.skipif(not Path("/bin/true").exists() or not hasattr(os, "memfd_create"), reason="Linux")
def test_a_process_that_is_lost_before_it_has_read_anything_stops_no_run(monkeypatch):
    """The pipe to it holds less than what it is to share: to write all of it there would wait for ever."""
    resource_tracker.ensure_running()
    monkeypatch.setattr(sys, "executable", "/bin/true")
    given = [f"{k:06d}" for k in range(200_000)]
    previous = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("the run waits for a process that is gone"))
    signal.alarm(60)
    try:
        with pytest.warns(RuntimeWarning, match="the other 2 of 2 words are made one after the other"):
            assert list(in_processes(pick, [7, 8], given, 2, called="words")) == ["000007", "000008"]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def pick(item, given):
    return given[item]


KILLED = """
import os, time
from pathlib import Path
from tests.designs.panels import two_sided
from tests.pipeline.test_workers import Sleepy
from tradelift.pipeline import workers
workers.WORTHWHILE, workers.n_threads = 0, lambda: 2
list(workers.attempts([Sleepy(), Sleepy()], two_sided(seed=3, n_east=4, n_west=4, partners=3)[0]))
"""


@dataclass(frozen=True, kw_only=True)
class Sleepy:
    """A task that says where it is estimated, and takes long."""

    def estimate(self, panel):
        Path(f"{os.environ['SLEEPY']}-{os.getpid()}").touch()
        time.sleep(60)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_processes_end_with_a_run_that_is_killed(tmp_path):
    root = Path(__file__).parents[2]
    environment = os.environ | {"SLEEPY": str(tmp_path / "p"), "PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore"}
    run = subprocess.Popen([sys.executable, "-c", KILLED], env=environment, stderr=subprocess.DEVNULL)
    try:
        assert within(60, lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        run.kill()
        run.wait()
    pids = [path.name.removeprefix("p-") for path in tmp_path.iterdir()]
    assert within(10 * WATCH_SECONDS + 20, lambda: not any(map(works, pids)))


def within(seconds, holds):
    """Whether something comes to hold within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def works(pid):
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
