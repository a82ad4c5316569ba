"""Inputs that change while they are read, or stand where results go; and what keeps months of a log."""

import json
import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tradelift as tl
from tests.pipeline.studies import write_study
from tradelift.errors import DataError
from tradelift.pipeline import build_panel, check, inputs, workspace
from tradelift.pipeline.manifest import FileHashes, hashes
from tradelift.pipeline.workspace import LOCK, SCRATCH, YOUNG_SECONDS, scratch
from tradelift.study import write_template


def test_an_input_that_is_written_to_while_it_is_read_is_refused(tmp_path, monkeypatch):
    study = tl.read_study(write_study(tmp_path))
    build_panel(study, tmp_path / "out")
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    build = inputs.build

    def slow(*arguments, **options):
        with (tmp_path / "flows.csv").open("a") as file:
            file.write("e0,w0,2018-01,1,1\n")
        return build(*arguments, **options)

    monkeypatch.setattr(inputs, "build", slow)
    with pytest.raises(DataError, match=r"flows\.csv was changed while it was read\. Run again"):
        build_panel(study, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before


def test_an_input_that_vanishes_is_a_changed_one(tmp_path):
    path = tmp_path / "x"
    path.write_text("a")
    made = FileHashes()
    made(path)
    made.refuse_changed()
    path.unlink()
    with pytest.raises(DataError, match="was changed while it was read"):
        made.refuse_changed()


def test_results_do_not_replace_the_folder_of_the_inputs(tmp_path):
    study = tl.read_study(write_study(tmp_path / "out" / "inputs"))
    (tmp_path / "out" / "manifest.json").write_text("{}")  # as after a demonstration
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for out in (tmp_path / "out", tmp_path / "link"):
        with pytest.raises(DataError, match=r"is an input of the study and stands in .*Choose another folder"):
            build_panel(study, out)
    assert (tmp_path / "out" / "inputs" / "flows.csv").is_file()


def test_files_of_one_name_outside_the_study_are_told_apart(tmp_path):
    paths = [tmp_path / name / "part.csv" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.parent.name)
    (tmp_path / "other.csv").write_text("x")
    inside = tmp_path / "study"
    found = hashes([*paths, tmp_path / "other.csv"], inside)
    assert sorted(found) == ["../a/part.csv", "../b/part.csv", "other.csv"]
    assert len(set(found.values())) == 3


def test_the_manifest_says_which_months_were_summed(tmp_path):
    write_template(tmp_path / "mine")
    study = tl.read_study(tmp_path / "mine" / "study.yaml")
    months = [f"2017-{month:02d}" for month in range(1, 7)]
    panels, inodes = [], []
    for expected in ({"recalled": [], "summed": months}, {"recalled": months, "summed": []}):
        build_panel(study, tmp_path / "out")
        assert json.loads((tmp_path / "out" / "manifest.json").read_text())["periods"] == expected
        panels.append({p.name: p.read_bytes() for p in (tmp_path / "out" / "panel").iterdir()})
        inodes.append({p.name: p.stat().st_ino for p in (tmp_path / "out" / "panel").iterdir()})
    assert panels[0] == panels[1]
    assert inodes[0] == inodes[1]
    # more lines in a month: its file is written anew, and no other
    log = tmp_path / "mine" / "transactions.csv"
    header, *lines = log.read_text().splitlines()
    more = [line.replace(",o", ",o9", 1) for line in lines if line.startswith("2017-06")]
    log.write_text("\n".join([header, *lines, *more, ""]))
    build_panel(study, tmp_path / "out")
    after = {p.name: p.stat().st_ino for p in (tmp_path / "out" / "panel").iterdir()}
    assert {name for name in after if after[name] != inodes[0][name]} == {"2017-06.parquet"}


def test_scratch_of_killed_processes_is_removed_and_that_of_others_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace.tempfile, "gettempdir", lambda: str(tmp_path))
    old = time.time() - YOUNG_SECONDS - 10
    for name in ("orphan", "young"):
        folder = tmp_path / f"{SCRATCH}{name}"
        folder.mkdir()
        (folder / LOCK).touch()
        (folder / "spill").write_text("secret")
        if name == "orphan":
            os.utime(folder, (old, old))
    with scratch() as own:
        os.utime(own, (old, old))
        with scratch() as other:
            assert {p.name for p in tmp_path.iterdir()} == {f"{SCRATCH}young", own.name, other.name}
    assert [p.name for p in tmp_path.iterdir()] == [f"{SCRATCH}young"]


def test_scratch_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace.tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"Cannot write temporary files to .*Set TMPDIR"), scratch():
        pass


def test_parquet_with_text_that_is_none_is_refused(tmp_path):
    text = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0])), pa.py_buffer(b"\xe9")]
    )
    pq.write_table(pa.table({"origin": text, "destination": ["b"], "trade": [1.0]}), tmp_path / "flows.parquet")
    (tmp_path / "study.yaml").write_text("name: a\nflows: flows.parquet\n")
    with pytest.raises(DataError, match=r"The flows file cannot be read: .*Invalid UTF8"):
        check(tl.read_study(tmp_path / "study.yaml"))


@pytest.mark.parametrize("name", ["flows.csv", "regions.csv", "partners.csv"])
def test_a_column_that_is_there_twice_is_refused(tmp_path, name):
    study = write_study(tmp_path)
    header, *lines = (tmp_path / name).read_text().splitlines()
    (tmp_path / name).write_text("\n".join([f"{header},x,x", *(f"{line},1,2" for line in lines), ""]))
    with pytest.raises(DataError, match=rf"{name} has 2 columns 'x'; rename or remove all but one"):
        build_panel(tl.read_study(study), tmp_path / "out")
