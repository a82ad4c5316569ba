import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.pipeline.studies import STUDY, write_study

TRADELIFT = str(Path(sys.executable).with_name("tradelift"))


def call(*arguments, cwd=None):
    return subprocess.run([TRADELIFT, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd)


def test_init_check_and_run(tmp_path):
    study = tmp_path / "mine" / "study.yaml"
    assert call("init", tmp_path / "mine").returncode == 0
    checked = call("check", study)
    assert (checked.returncode, checked.stdout) == (0, "ok\n")
    assert "rows read" in checked.stderr
    done = call("run", study, "--out", tmp_path / "out", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "out" / "report.html")
    assert done.stderr == ""
    assert (tmp_path / "out" / "report.html").is_file()


def test_panel_and_only(tmp_path):
    study = write_study(tmp_path)
    assert call("panel", study, "--out", tmp_path / "panel").returncode == 0
    done = call("run", study, "--out", tmp_path / "out", "--only", "summary", "--only", "partners")
    assert done.returncode == 0
    assert "estimates" not in json.loads((tmp_path / "out" / "manifest.json").read_text())["absent"]


def cities(folder, **columns):
    path = folder / "regions.csv"
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


def partners(folder, extra):
    with (folder / "partners.csv").open("a") as file:
        file.write(extra)


BAD = {
    "missing study": (lambda f: (f / "study.yaml").unlink(), "no such study file"),
    "empty study": (lambda f: (f / "study.yaml").write_text(""), "study.yaml:1:1  the file is empty"),
    "broken study": (lambda f: (f / "study.yaml").write_text("name: [a\n"), "no valid YAML"),
    "tag": (lambda f: (f / "study.yaml").write_text("name: !!python/object:os.system x\n"), "is not allowed"),
    "misspelt key": (lambda f: (f / "study.yaml").write_text(STUDY.replace("flows", "flwos")), "Did you mean 'flows'?"),
    "missing file": (lambda f: (f / "flows.csv").unlink(), "flows file does not exist"),
    "missing regions": (lambda f: (f / "regions.csv").unlink(), "regions file does not exist"),
    "empty flows": (lambda f: (f / "flows.csv").write_text(""), "flows file cannot be read"),
    "headers only": (lambda f: (f / "flows.csv").write_text("origin,destination,trade\n"), "no rows"),
    "unknown column": (
        lambda f: (f / "study.yaml").write_text(STUDY.replace("regions.csv,", "regions.csv, columns: {name: nme},")),
        "no column 'nme'",
    ),
    "binary flows": (lambda f: (f / "flows.csv").write_bytes(b"\xff\xfe\x00\x01"), "cannot be read"),
    "unknown partner": (lambda f: partners(f, "e0,nowhere\n"), "not among the regions: nowhere"),
    "partner twice": (lambda f: partners(f, "e0,w0\n"), "stand 2 times in the partners file"),
    "partners on one side": (lambda f: partners(f, "e3,e4\n"), "both on the side 'east'"),
    "both sides": (
        lambda f: (f / "regions.csv").write_text((f / "regions.csv").read_text() + "e0,west,W,100,30\n"),
        "'e0' stands on both sides",
    ),
    "coordinates": (lambda f: cities(f, latitude=95.0), "latitude 95, outside -90..90"),
    "no usable flow": (
        lambda f: (f / "flows.csv").write_text("origin,destination,trade\nx,y,1\n"),
        "None of the 1 flows is usable",
    ),
    "text flows": (
        lambda f: (f / "flows.csv").write_text("origin,destination,trade\ne0,w0,much\n"),
        "'trade' of the flows file flows.csv must hold numbers; found text such as 'much'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_one_clear_message(tmp_path, name):
    spoil, message = BAD[name]
    study = write_study(tmp_path)
    spoil(tmp_path)
    done = call("run", study, "--out", tmp_path / "out", "--quiet")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_wrong_usage_ends_with_two(tmp_path):
    study = write_study(tmp_path)
    assert call("run", study, "--only", "gravty", cwd=tmp_path).returncode == 2
    assert call("run", study, "--engine", "sparc", cwd=tmp_path).returncode == 2
    assert call("demo", "--scale", "huge", "--out", tmp_path / "demo").returncode == 2
    assert call("nonsense").returncode == 2
    (tmp_path / "file").write_text("x")
    blocked = call("run", study, "--out", tmp_path / "file" / "out")
    assert blocked.returncode == 2
    assert "Cannot write to" in blocked.stderr


def test_import_loads_nothing_heavy():
    code = (
        "import sys, tradelift; print([m for m in ('numpy', 'pandas', 'ibis', 'duckdb', 'altair') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = "import sys; sys.argv = ['tradelift', '--help']\nfrom tradelift import cli\ntry: cli.app()\nexcept SystemExit: pass\nprint([m for m in ('numpy', 'pandas', 'ibis', 'duckdb', 'altair') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_machines_read_what_a_check_found(tmp_path):
    study = write_study(tmp_path)
    done = call("check", study, "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert (said["ok"], said["mistakes"]) == (True, [])
    assert said["panel"] == {"cells": 150, "directed_pairs": 50, "regions": 10, "periods": 3}
    assert said["account"] == [{"stage": "flows", "read_rows": 150, "kept_rows": 150, "excluded": {}}]
    study.write_text(STUDY.replace("flows:", "flwos:") + "seed: -1\n")
    done = call("check", study, "--json")
    assert done.returncode == 2
    first, second = sorted(json.loads(done.stdout)["mistakes"], key=lambda mistake: mistake["line"])[-2:]
    assert (first["file"], first["line"], first["column"]) == (str(study), 4, 1)
    assert "Did you mean 'flows'?" in first["message"]
    assert second["line"] == 5
    assert f"{study}:4:1  {first['message']}" in done.stderr
    study.write_text(STUDY)
    (tmp_path / "flows.csv").unlink()
    done = call("check", study, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (2, False)
    assert found["mistakes"][0]["line"] is None
    assert "flows file does not exist" in found["mistakes"][0]["message"]


def test_machines_read_what_a_run_wrote(tmp_path):
    study = write_study(tmp_path)
    out = tmp_path / "out"
    done = call("run", study, "--out", out, "--only", "gravity", "--json", "--verbose")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert set(said["seconds"]) == {"panel", "estimates", "report"}
    assert said["headline"].startswith("Partner pairs trade ")
    assert all(Path(path).exists() for path in said["paths"].values())
    assert (said["exhibits"], said["estimates"] > 0) == (["gravity"], True)
    assert "INFO tradelift.pipeline.manifest: panel took" in done.stderr
    done = call("run", study, "--out", out, "--check", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["differences"] == {}
