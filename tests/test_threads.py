"""Work side by side gives the same in any number of threads, and leaves them free to go anywhere."""

import os
import threading

import pytest

from tradelift import threads


@pytest.fixture(autouse=True)
def _own_pool(monkeypatch):
    threads.n_threads.cache_clear()
    threads._pool.cache_clear()
    monkeypatch.setenv(threads.LIMIT, "2")
    yield
    threads.n_threads.cache_clear()
    threads._pool.cache_clear()


def test_results_stand_in_the_order_of_the_calls():
    assert threads.side_by_side(lambda x, y: 10 * x + y, threads.WORTHWHILE, range(7), range(7)) == [
        11 * x for x in range(7)
    ]


def test_an_error_in_another_thread_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        threads.side_by_side(lambda x: 1 // x, threads.WORTHWHILE, [2, 1, 0])


def test_a_thread_that_does_not_come_delays_nothing():
    busy = threading.Event()
    threads._pool().submit(busy.wait)
    try:
        assert threads.side_by_side(lambda x: x + 1, threads.WORTHWHILE, range(4)) == [1, 2, 3, 4]
    finally:
        busy.set()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux moves a thread")
def test_a_thread_that_is_moved_may_go_anywhere_afterwards():
    allowed = os.sched_getaffinity(0)
    here = threads._processor()
    assert here in allowed | {-1}
    out = [None, None]
    threads._elsewhere(here, lambda x: x + 1, iter(enumerate([(1,), (2,)])), out)
    assert out == [2, 3]
    assert os.sched_getaffinity(0) == allowed
