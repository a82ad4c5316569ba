import json
import subprocess
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.conftest import PROJECT
from tests.test_cli import call
from tradelift.exhibits import EXHIBITS


def test_olist_runs_to_a_report_with_every_line_accounted_for(olist, tmp_path):
    script = PROJECT / "examples" / "olist" / "prepare.py"
    subprocess.run([sys.executable, script, olist, tmp_path / "study"], check=True, capture_output=True)
    done = call("run", tmp_path / "study" / "study.yaml", "--out", tmp_path / "out", "--quiet")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    panel = pq.read_table(tmp_path / "out" / "panel")
    account = [line.split(",") for line in (tmp_path / "out" / "account.csv").read_text().splitlines()[1:]]
    needing = [name for name, exhibit in EXHIBITS.items() if "partners" in exhibit.needs]
    assert "partner_shares" in needing
    assert sorted(manifest["absent"]) == sorted(needing)
    assert all(why.startswith("absent: give partners") for why in manifest["absent"].values())
    assert pc.sum(panel["lines"]).as_py() + sum(int(row[2]) for row in account) == 8365
    cents = pc.sum(panel["trade_minor"]).as_py() + sum(round(float(row[3]) * 100) for row in account)
    assert cents == round(pc.sum(pq.read_table(olist, columns=["amount"])["amount"]).as_py() * 100)
    assert len(set(panel["origin"].to_pylist())) == 27
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000
