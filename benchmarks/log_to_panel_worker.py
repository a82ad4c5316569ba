"""
One measurement of a log in a process of its own: CPU seconds, seconds, peak memory and what was spilled, as JSON.

    python benchmarks/log_to_panel_worker.py scan|cells STUDY MEMORY
    python benchmarks/log_to_panel_worker.py spark STUDY local[2]      also what Spark says that its tasks did
"""

import hashlib
import json
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from tradelift.log import read_log
from tradelift.log.embedded import DuckDB
from tradelift.log.months import Sorter
from tradelift.panel.region_frame import read_regions
from tradelift.pipeline.inputs import read_table
from tradelift.study import Study, read_study
from tradelift.study.inputs import EngineInput

SCAN = """
SELECT bit_xor(hash(paid_at, seller_city, buyer_city, seller_id, buyer_id, order_id, item_id, amount, status))
FROM read_parquet(?)
"""
STEPS = ((DuckDB, "repeated", "duplicates"), (DuckDB, "keep", "duplicates"), (Sorter, "period", "reasons and sums"))
Step = dict[str, float]


def cpu_seconds() -> float:
    """User and system seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def scan(study: Study, _memory: str) -> dict[str, Any]:
    """Read and hash the columns that the study maps: what no way of summing them can do without."""
    assert study.transactions is not None, "the study sums a log"
    files = [str(study.folder / file) for file in study.transactions.files]
    with duckdb.connect() as db:
        db.execute(SCAN, [files]).fetchall()
    return {}


def cells(study: Study, memory: str) -> dict[str, Any]:
    """Sum the log as a run does."""
    steps: Step = {}
    for owner, verb, step in STEPS:
        setattr(owner, verb, _timed(getattr(owner, verb), steps, step))
    return _summed(study, EngineInput(memory=memory)) | {"steps": steps}


def on_spark(study: Study, url: str) -> dict[str, Any]:
    """Sum the log on Spark, and add up what its log of events says of tasks."""
    with tempfile.TemporaryDirectory(dir=study.folder) as events:
        settings = {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",
            "spark.eventLog.dir": f"file:{events}",
        }
        if url.startswith("sc://"):
            return _summed(study, EngineInput(name="spark", url=url))
        found = _summed(study, EngineInput(name="spark", url=url, settings=settings))
        return found | _tasks(Path(events))


def _tasks(folder: Path) -> dict[str, float]:
    sums = dict.fromkeys(("task_cpu_seconds", "shuffled_mb", "memory_spilled_mb", "disk_spilled_mb"), 0.0)
    for path in folder.rglob("events_*"):
        for line in path.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            metrics = event.get("Task Metrics")
            if event["Event"] == "SparkListenerTaskEnd" and metrics is not None:
                sums["task_cpu_seconds"] += metrics["Executor CPU Time"] / 1e9
                sums["shuffled_mb"] += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"] / 1e6
                sums["memory_spilled_mb"] += metrics["Memory Bytes Spilled"] / 1e6
                sums["disk_spilled_mb"] += metrics["Disk Bytes Spilled"] / 1e6
    return sums


def _summed(study: Study, engine: EngineInput) -> dict[str, Any]:
    assert study.transactions is not None, "the study sums a log"
    assert study.regions is not None, "the study lists regions"
    regions = read_regions(read_table(study.resolve(study.regions.file), {}, "regions"), study.regions.sides)
    with tempfile.TemporaryDirectory(dir=study.folder) as spill, Watch(Path(spill)) as watch:
        log = read_log(study.transactions, study.folder, regions, spill=Path(spill), engine=engine)
    return {
        "rows": log.stage.read_rows,
        "kept": log.stage.kept_rows,
        "cells": log.cells.num_rows,
        "spilled_mb": watch.peak / 1e6,
        "digest": _digest(log.cells),
    }


def _timed(method: Any, steps: Step, name: str) -> Any:
    def call(self: Any, *given: Any) -> Any:
        start = cpu_seconds()
        try:
            return method(self, *given)
        finally:
            steps[name] = steps.get(name, 0.0) + cpu_seconds() - start

    return call


class Watch:
    """The most bytes that a folder has held, looked at ten times a second."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.peak = folder, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.1):
            size = 0
            for path in self.folder.rglob("*"):
                try:
                    size += path.stat().st_blocks * 512
                except OSError:
                    continue  # it was deleted meanwhile
            self.peak = max(self.peak, size)


def _digest(table: pa.Table) -> str:
    """A hash of all cells, to compare runs by."""
    digest = hashlib.sha256()
    for column in table.columns:
        values = column.to_pylist() if pa.types.is_string(column.type) else column.to_numpy().tobytes()
        digest.update(values if isinstance(values, bytes) else "\n".join(values).encode())
    return digest.hexdigest()[:16]


def main() -> None:
    """Measure, and print what was found."""
    mode, file, memory = sys.argv[1:4]  # the last is an address on Spark
    study = read_study(Path(file))
    start, clock = cpu_seconds(), time.perf_counter()
    measure = {"scan": scan, "cells": cells, "spark": on_spark}[mode]
    found = measure(study, memory)
    found |= {
        "cpu_seconds": cpu_seconds() - start,
        "seconds": time.perf_counter() - clock,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
