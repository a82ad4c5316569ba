"""The panel for other hands."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import tradelift as tl
from tests.pipeline.studies import STUDY, write_study
from tradelift.pipeline import build_panel, check
from tradelift.pipeline.exporting import export
from tradelift.study import write_template

TRADELIFT = str(Path(sys.executable).with_name("tradelift"))


def call(*arguments, cwd):
    return subprocess.run([TRADELIFT, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def panel_of_a_log(tmp_path_factory):
    """The panel of a transaction log; export needs no more of a run."""
    folder = tmp_path_factory.mktemp("log")
    write_template(folder / "mine")
    build_panel(tl.read_study(folder / "mine" / "study.yaml"), folder / "out")
    return folder


@pytest.fixture
def summed(tmp_path):
    """The panel of flows that somebody else has summed."""
    build_panel(tl.read_study(write_study(tmp_path / "mine")), tmp_path / "out")
    return tmp_path


def test_the_command_says_what_it_masked(panel_of_a_log, tmp_path):
    done = call("export", "out", "--to", tmp_path / "panel.parquet", "--json", cwd=panel_of_a_log)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["file"] == str(tmp_path / "panel.parquet")
    report = said["disclosure"]
    assert (
        f"{report['cells']} cells: {report['released_cells']} released, {report['masked_cells']} masked." in done.stderr
    )
    cells = pd.read_parquet(tmp_path / "panel.parquet")
    inside = pd.read_parquet(panel_of_a_log / "out" / "panel").sort_values(["period", "origin", "destination"])
    assert len(cells) == report["cells"] == len(inside)
    hidden = (cells["masked"] == "cell").to_numpy()
    assert hidden.sum() == report["masked_cells"] == cells["trade"].isna().sum() > 0
    cells, inside = (x.sort_values(["period", "origin", "destination"], ignore_index=True) for x in (cells, inside))
    hidden = (cells["masked"] == "cell").to_numpy()
    few = (inside[["sellers", "buyers"]].min(axis=1) < 10) & (inside["trade"] > 0)
    assert (few <= hidden).all()
    kept = inside.loc[~hidden, "trade"]
    assert kept.tolist() == cells.loc[~hidden, "trade"].tolist()
    assert float(report["released_trade"]) == pytest.approx(kept.sum(), abs=1e-6)
    assert cells["distance_km"].notna().all()
    assert [p.name for p in tmp_path.iterdir()] == ["panel.parquet"]


def test_csv_holds_the_same_as_parquet(panel_of_a_log, tmp_path):
    for name in ("panel.csv", "panel.parquet"):
        export(panel_of_a_log / "out", tmp_path / name)
    one = pq.read_table(tmp_path / "panel.parquet").to_pandas()
    two = pa_csv.read_csv(tmp_path / "panel.csv").to_pandas()
    two = two.assign(masked=two["masked"].fillna(""))
    pd.testing.assert_frame_equal(one, two[one.columns], check_dtype=False)


def test_the_same_panel_gives_the_same_bytes(panel_of_a_log, tmp_path):
    for name in ("a.csv", "b.csv", "a.parquet", "b.parquet"):
        export(panel_of_a_log / "out", tmp_path / name)
    for form in ("csv", "parquet"):
        assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()


def test_no_spreadsheet_evaluates_a_name(tmp_path):
    study = write_study(tmp_path / "mine")
    for path in (tmp_path / "mine").glob("*.csv"):
        path.write_text(path.read_text().replace("e0", "=HYPERLINK(1)").replace("w0", "@w0"))
    tl.run(tl.read_study(study), tmp_path / "out", only=["partners", "map"])
    for path in (tmp_path / "out").rglob("*.csv"):
        with path.open(newline="") as file:
            assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "@"))], path.name
    assert "'=HYPERLINK(1)" in (tmp_path / "out" / "figures" / "map.csv").read_text()
    export(tmp_path / "out", tmp_path / "x.csv", public=True)
    ids = set(pa_csv.read_csv(tmp_path / "x.csv")["origin"].to_pylist())
    assert {"'=HYPERLINK(1)", "'@w0", "e1"} <= ids
    export(tmp_path / "out", tmp_path / "x.parquet", public=True)
    assert "=HYPERLINK(1)" in pq.read_table(tmp_path / "x.parquet")["origin"].to_pylist()


def test_flows_without_contributors_need_a_word(summed):
    done = call("export", "out", "--to", "x.csv", cwd=summed)
    assert (done.returncode, done.stdout) == (2, "")
    assert "This panel cannot be judged: it has no column sellers" in done.stderr
    assert "--public" in done.stderr
    assert not (summed / "x.csv").exists()
    done = call("export", "out", "--to", "x.csv", "--public", cwd=summed)
    assert done.returncode == 0, done.stderr
    assert "none judged: the flows were declared public" in done.stderr
    flows = pd.read_csv(summed / "mine" / "flows.csv")
    assert pd.read_csv(summed / "x.csv")["trade"].sum() == flows["trade"].sum()


def test_flows_with_contributors_are_judged(tmp_path):
    study = write_study(tmp_path / "mine")
    flows = pd.read_csv(tmp_path / "mine" / "flows.csv")
    shares = {f"{who}_share_{k}": 0.1 for who in ("seller", "buyer") for k in (1, 2)}
    flows = flows.assign(sellers=[40, 3] * 75, buyers=35, exports=range(150), **shares)
    flows.to_csv(tmp_path / "mine" / "flows.csv", index=False)
    build_panel(tl.read_study(study), tmp_path / "out")
    report = export(tmp_path / "out", tmp_path / "x.parquet")
    assert (report.masked_cells, report.released.cells) == (75, 75)
    cells = pd.read_parquet(tmp_path / "x.parquet")
    assert cells.groupby("masked")["exports"].count().to_dict() == {"": 75, "cell": 0}


def spoil_panel(folder):
    next((folder / "out" / "panel").glob("*.parquet")).write_bytes(b"other")


def spoil_study(folder):
    with (folder / "mine" / "study.yaml").open("a") as file:
        file.write("seed: 7\n")


BAD = {
    "no run": (lambda f: shutil.rmtree(f / "out"), "x.csv", "holds no finished run"),
    "half a manifest": (lambda f: (f / "out" / "manifest.json").write_text("{}"), "x.csv", "holds no finished run"),
    "changed panel": (spoil_panel, "x.csv", "is not what the run wrote"),
    "lost panel": (lambda f: shutil.rmtree(f / "out" / "panel"), "x.csv", "is missing, though the run wrote it"),
    "changed study": (spoil_study, "x.csv", "is not the study of this run"),
    "moved study": (lambda f: (f / "mine").rename(f / "yours"), "x.csv", "say with --study where it is"),
    "another form": (lambda _: None, "x.xlsx", "give a name that ends so"),
    "into the run": (lambda _: None, "out/x.csv", "lies in the folder of the run"),
    "under a file": (lambda f: (f / "file").write_text(""), "file/x.csv", "Cannot write to"),
    "on a folder": (lambda f: (f / "x.csv" / "sub").mkdir(parents=True), "x.csv", "Cannot write to"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_and_nothing_is_written(summed, name, monkeypatch):
    spoil, to, message = BAD[name]
    spoil(summed)
    monkeypatch.chdir(summed)
    with pytest.raises(tl.DataError, match=message):
        export("out", to, public=True)
    assert not (summed / to).is_file()


def test_a_moved_study_can_be_named(summed):
    (summed / "mine").rename(summed / "yours")
    export(summed / "out", summed / "x.csv", public=True, study=summed / "yours" / "study.yaml")
    assert (summed / "x.csv").is_file()


def test_a_study_made_in_python_has_no_file(summed):
    path = summed / "mine" / "study.yaml"
    study = tl.read_study(path).model_copy(update={"path": None})
    build_panel(study, summed / "out")
    with pytest.raises(tl.DataError, match="made in Python and has no file"):
        export(summed / "out", summed / "x.csv", public=True)


def test_summed_flows_have_the_currency_that_the_study_gives_them(tmp_path):
    study = write_study(tmp_path, STUDY.replace("flows: flows.csv", "flows: {file: flows.csv, currency: JPY}"))
    account = check(tl.read_study(study))[0].account
    assert (account.currency, account.digits) == ("JPY", 0)
