"""Spark beyond one process: an executor that is killed at work, and Spark's own Connect server, against DuckDB's cells."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.log.logs import dirty_log, read, regions, spec, split
from tests.log.test_spark import as_it_is, assert_same_bits, numbered_people, on_spark
from tradelift.log import read_log
from tradelift.study.inputs import EngineInput

CLUSTER = "local-cluster[2,1,1024]"  # two workers with an executor each, processes of their own
SECONDS = 120


def spark_home():
    import pyspark

    return Path(pyspark.__file__).parent


@pytest.fixture
def cluster(monkeypatch):
    from pyspark.sql import SparkSession

    monkeypatch.setenv("SPARK_HOME", str(spark_home()))  # executors are started by scripts of it
    settings = {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "2",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }  # fmt: skip
    builder = SparkSession.builder.master(CLUSTER)
    for key, value in settings.items():
        builder = builder.config(key, value)
    running = builder.getOrCreate()
    running.sparkContext.setLogLevel("OFF")
    yield running
    running.stop()


def executors(app):
    """Processes of an application's executors that this process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"org.apache.spark.executor.CoarseGrainedExecutorBackend" in words and app.encode() in words:
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile
    return sorted(pid for pid in found if os.getpid() in ancestors(pid))


def ancestors(pid):
    out = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            break
        out.append(pid)
    return out


class Killer(threading.Thread):
    """Kills an executor with SIGKILL while a stage is at work, so many times, with some jobs in between."""

    def __init__(self, session, times):
        super().__init__(daemon=True)
        self.session, self.times, self.killed, self.done = session, times, [], threading.Event()

    def run(self):
        tracker, app = self.session.sparkContext.statusTracker(), self.session.sparkContext.applicationId
        last = -1
        while len(self.killed) < self.times and not self.done.is_set():
            stages = tracker.getActiveStageIds()
            alive = executors(app)
            if stages and min(stages) > last + 2 and alive:
                os.kill(alive[0], signal.SIGKILL)
                self.killed.append((alive[0], min(stages)))
                last = max(stages)
            self.done.wait(0.02)


@on_spark
def test_killed_executors_lose_no_row(tmp_path, cluster):
    split(dirty_log(41, 1500), tmp_path, 3)
    want = read(tmp_path)
    killer = Killer(cluster, 2)
    killer.start()
    # the session that runs is the cluster's, and lends one
    got = read_log(spec(), tmp_path, regions(), spill=tmp_path / "spark", engine=EngineInput(name="spark"))
    killer.done.set()
    killer.join()
    assert len(killer.killed) == 2, killer.killed
    known = cluster.sparkContext._jsc.sc().statusStore().executorList(False).size()
    assert known >= 2 + 1 + 1  # the first two, one in the place of a killed one at least, and the driver
    assert_same_bits(want.cells, got.cells)
    assert_same_bits(want.by_category, got.by_category)
    assert want.stage == got.stage


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Spark's own Connect server in a process of its own."""
    folder = tmp_path_factory.mktemp("connect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "spark.connect.grpc.binding.port": port, "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": folder / "local", "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }  # fmt: skip
    program = [str(spark_home() / "bin" / "spark-submit"), "--master", "local[2]"]
    program += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    for key, value in settings.items():
        program += ["--conf", f"{key}={value}"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            program, stdout=log, stderr=log, cwd=folder, env=os.environ | {"SPARK_HOME": str(spark_home())}
        )
    try:
        until = time.monotonic() + SECONDS
        while not listens(port):
            assert running.poll() is None, (folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.2)
        yield EngineInput(name="spark", url=f"sc://127.0.0.1:{port}")
    finally:
        running.terminate()
        running.wait()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("change", [as_it_is, numbered_people])
@on_spark
def test_connect_server_gives_the_same_cells(tmp_path, server, change):
    split(change(dirty_log(42, 1500)), tmp_path, 3)
    want = read(tmp_path)
    got = read_log(spec(), tmp_path, regions(), spill=tmp_path / "spark", engine=server)
    assert_same_bits(want.cells, got.cells)
    assert want.stage == got.stage
    assert not list((tmp_path / "spark").iterdir())
