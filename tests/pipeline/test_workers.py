"""Estimates in processes are those of this process, and so are their refusals."""

import numpy as np
import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.errors import DesignError
from tradelift.pipeline import workers
from tradelift.pipeline.cache import EstimateCache

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
            np.testing.assert_array_equal(one.coefficients, two.coefficients)
            np.testing.assert_array_equal(one.covariance, two.covariance)


def test_what_is_prepared_is_remembered_and_refused_alike(panel, tmp_path, monkeypatch):
    seen = []
    cache = EstimateCache(tmp_path)
    cache.prepare([*TASKS, TASKS[0]], panel, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setattr(tl.Gravity, "estimate", lambda *_: pytest.fail("estimated twice"))
    assert cache.estimate(TASKS[0], panel).design == "Gravity"
    with pytest.raises(DesignError, match="No partner pair has a near control"):
        cache.estimate(TASKS[2], panel)
    again = EstimateCache(tmp_path)
    again.prepare([TASKS[0]], panel, lambda *_: pytest.fail("estimated though it was kept"))
    assert again.estimate(TASKS[0], panel).design == "Gravity"
