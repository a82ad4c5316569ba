"""What processes share is what was lent, stands in memory once, and leaves nothing behind."""

import importlib
import os
import pickle
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tradelift import memory
from tradelift.memory import APART, lent, release
from tradelift.processes import in_processes

NEAR = 0.02  # pages come and go between two questions
LINUX = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="the system has no such memory")


@pytest.fixture
def value():
    large = np.arange(APART, dtype=np.float64)
    return {"large": large, "again": large, "turned": large.reshape(2, -1).T, "small": np.arange(3), "text": "a"}


def test_what_is_lent_is_what_is_taken(value):
    with lent(value) as shared:
        taken = shared.value()
    for name, array in value.items():
        np.testing.assert_array_equal(taken[name], array)
        assert type(taken[name]) is type(array)
    assert taken["large"] is taken["again"]


@LINUX
def test_large_arrays_stand_apart_and_begin_where_the_processor_likes(value):
    with lent(value) as shared:
        assert len(pickle.dumps(shared)) < 1000
        assert all(begin % memory.ALIGNED == 0 for begin, _ in shared.spans)
        assert len(shared.spans) == 3  # the array, its turned view, and the text
        assert Path(shared.path).stat().st_size >= 2 * value["large"].nbytes
    assert not Path(shared.path).exists()


@LINUX
def test_who_writes_to_a_shared_array_writes_for_itself(value):
    with lent(value) as shared:
        one, two = shared.value(), shared.value()
        one["large"][0] = -1
        assert two["large"][0] == 0
        assert value["large"][0] == 0


@LINUX
def test_another_process_takes_it(value):
    code = "import sys, pickle; print(pickle.load(sys.stdin.buffer).value()['large'].sum())"
    with lent(value) as shared:
        done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(shared), capture_output=True, check=True)
    assert float(done.stdout) == value["large"].sum()


@pytest.mark.parametrize("lack", ["no call", "no room"])
def test_without_such_memory_each_process_gets_all(value, monkeypatch, lack):
    if lack == "no call":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    else:
        monkeypatch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with lent(value) as shared:
        assert shared.path is None
        np.testing.assert_array_equal(shared.value()["turned"], value["turned"])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads what the process holds from /proc")
def test_freed_memory_goes_back_to_the_system():
    release()
    before = resident()
    columns = [pa.array(np.arange(10**5)) for _ in range(64)]
    sums = [pc.add(column, 1) for column in columns]
    used = resident()
    del columns, sums
    release()
    assert resident() < (before + used) / 2  # Arrow keeps all of it otherwise


def resident():
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@LINUX
def test_the_sum_that_is_counted_is_the_one_that_the_system_would_give(value, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts"))
    run_memory = importlib.import_module("run_memory")
    measured = run_memory.Memory(os.getpid())
    code = "import sys, pickle; held = pickle.load(sys.stdin.buffer).value(); print(1, flush=True); sys.stdin.buffer.read()"
    with lent({"array": np.ones(2**22)}) as shared, _taking(code, shared):
        held = shared.value()
        counted, n = measured.now()
        pss = sum(run_memory.fields(f"/proc/{pid}/smaps_rollup")["Pss"] for pid in run_memory.tree(os.getpid()))
    assert n >= 2
    assert counted == pytest.approx(pss, rel=NEAR)
    assert held["array"].nbytes > NEAR * 1e6 * counted  # so that an array that counts twice would be seen
    assert run_memory.counted(2**30) is None


@contextmanager
def _taking(code, shared):
    """A process that takes what is lent, until it is told to end."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as process:
        process.stdin.write(pickle.dumps(shared))
        process.stdin.flush()
        assert process.stdout.readline()
        yield
        process.stdin.close()


def test_new_processes_work_on_large_pages_unless_somebody_says_otherwise(monkeypatch):
    for name in [name for name in os.environ if name.startswith(memory.TUNED)]:
        monkeypatch.delenv(name)
    assert "hugetlb=1" in memory.large_pages()["GLIBC_TUNABLES"]
    *_, there = in_processes(variable, ["HOME", "GLIBC_TUNABLES"], None, 2, called="variables")
    assert there == memory.large_pages()["GLIBC_TUNABLES"]
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=0")
    assert memory.large_pages() == {}


def variable(name, _):
    """What the environment of a process says."""
    return os.environ.get(name)
