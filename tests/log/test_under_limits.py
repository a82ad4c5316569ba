"""A log larger than the engine's memory is summed to the same cells, and the process stays small."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.log.logs import plain_log

ROWS = 1_200_000
LIMIT_MB, LIBRARIES_MB, SLACK_MB = 100, 300, 100  # Python, Arrow and DuckDB take 250 MB before a row is read
LIMITS = (f"{LIMIT_MB}MB", "2GB")
SUM = """
import hashlib, json, sys
from pathlib import Path
from tests.log.logs import regions, spec
from tradelift.log import read_log
from tradelift.study.inputs import EngineInput
folder, limit, spill = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[1]) / "spill"
log = read_log(spec(), folder, regions(), spill=spill, engine=EngineInput(memory=limit))
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
digest = hashlib.sha256(repr(log.cells.to_pydict()).encode()).hexdigest()
mb = int(peak.split()[1]) / 1e3
print(json.dumps({"cells": digest, "rows": log.stage.read_rows, "kept": log.stage.kept_rows, "mb": mb}))
"""


def write(folder):
    """Sales of many sellers to many buyers, all in one flow and month: that does not fit into the smaller limit."""
    rng = np.random.default_rng(2)
    few = plain_log([
        {"order": 0, "from_city": "e1", "to_city": "w1", "shop": "s", "client": "b", "money": 1.0},
    ])  # fmt: skip
    columns = {name: pa.repeat(few[name][0], ROWS) for name in few.column_names}
    columns["order"] = pa.array(np.arange(ROWS)).cast(pa.string())
    for name, people in (("shop", ROWS // 3), ("client", ROWS // 2)):
        number = pa.array(rng.integers(0, people, ROWS)).cast(pa.string())
        columns[name] = pc.binary_join_element_wise(name, number, "-")
    columns["money"] = pa.array(rng.lognormal(3, 1, ROWS).round(2))
    pq.write_table(pa.table(columns), folder / "log.parquet", row_group_size=100_000)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what the process held at most from /proc")
def test_a_small_limit_changes_no_cell_and_holds(tmp_path):
    write(tmp_path)
    found = {}
    for limit in LIMITS:
        done = subprocess.run([sys.executable, "-c", SUM, tmp_path, limit], capture_output=True, text=True, check=True)
        found[limit] = json.loads(done.stdout)
    small, large = (found[limit] for limit in LIMITS)
    assert small["rows"] == small["kept"] == ROWS
    assert small["cells"] == large["cells"]
    assert small["mb"] < LIBRARIES_MB + LIMIT_MB + SLACK_MB
    assert large["mb"] > small["mb"] + SLACK_MB
