import json
import re
import runpy
import subprocess
import sys
from collections import Counter

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.conftest import PROJECT
from tests.report.test_formats import read_latex
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


def run(name, monkeypatch, capsys, *arguments):
    """What a script prints, and the names that it leaves."""
    path = PROJECT / "examples" / name
    monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
    names = runpy.run_path(str(path), run_name="__main__")
    return capsys.readouterr().out, names


def test_your_own_flows_in_five_lines(monkeypatch, capsys):
    out, names = run("own_flows/estimate.py", monkeypatch, capsys)
    script = (PROJECT / "examples" / "own_flows" / "estimate.py").read_text(encoding="utf-8")
    assert len(script.split("else Path(__file__).parent\n\n")[1].strip().splitlines()) == 5
    assert "13 regions (6 east, 7 west), 6 periods from 2017-01 to 2017-06" in out
    cells = read_latex(out[out.index("% Needs") :])
    for estimate in (names["ppml"], names["ols"]):
        assert f"{estimate.tidy()['std_error'][0]:.4f}" in out
        assert cells[f"({estimate.tidy()['std_error'][0]:.3f})"] > 0
    assert cells["Partner regions"] == 1


def test_reading_the_checks_finds_the_truth_where_gravity_does_not(monkeypatch, capsys):
    out, _ = run("reading_checks.py", monkeypatch, capsys)
    verdicts = dict(re.findall(r"^(\S.*?)  +-?\d.*(holds|misses) 0\.10$", out, re.MULTILINE))
    assert verdicts.pop("gravity") == "misses"
    assert Counter(verdicts.values()) == Counter(holds=6)
    for words in (
        "effective partner pairs of 128",
        "The correlation of residuals has halved at",
        "199 draws by 'within-group'",
    ):
        assert words in out


def test_a_trade_agreement_is_found_with_effects_of_pairs(monkeypatch, capsys):
    out, names = run("trade_agreement.py", monkeypatch, capsys)
    ols, ppml, pairs = (e.tidy().set_index("term").loc["rta"] for e in names["estimates"])
    assert pairs["conf_low"] < names["TRUTH"] < pairs["conf_high"]
    assert min(ols["conf_low"], ppml["conf_low"]) > 2 * names["TRUTH"]
    assert f"trade agreement {pairs['estimate']:.4f} ({pairs['std_error']:.4f}), N 9,600" in out


def test_the_published_table_of_trade_agreements_is_replicated(yotov, monkeypatch, capsys):
    out, _ = run("trade_agreement.py", monkeypatch, capsys, yotov)
    assert out.strip().endswith("trade agreement 0.5572 (0.1022), N 28,482")  # Yotov and others (2016)
    cells = read_latex(out)
    assert [cells[n] for n in ("25,689", "28,152", "28,482", "0.557", "(0.102)")] == [1] * 5
