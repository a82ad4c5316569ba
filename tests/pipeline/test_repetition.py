"""A finished run, repeated: the same bytes, or what differs and how."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tradelift as tl
from tests.pipeline.studies import write_study
from tests.test_cli import call
from tradelift import cli
from tradelift.errors import DataError
from tradelift.pipeline import build_panel, repeat, repetition
from tradelift.pipeline.difference import describe
from tradelift.pipeline.manifest import file_hash


@pytest.fixture
def finished(tmp_path):
    study = tl.read_study(write_study(tmp_path))
    tl.run(study, tmp_path / "out", only=["gravity", "partners"])
    return study, tmp_path / "out"


def rewrite(out, name, content):
    """Change an output and its hash: as if the run had written it so."""
    (out / name).write_bytes(content)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["outputs"][name] = file_hash(out / name)
    (out / "manifest.json").write_text(json.dumps(manifest))


def checked(study, out):
    return CliRunner().invoke(cli.app, ["run", str(study), "--out", str(out), "--check", "--quiet"])


def test_a_run_is_repeated_to_the_byte_and_differences_are_named(finished, tmp_path):
    study, out = finished
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    done = checked(study.path, out)
    assert (done.exit_code, done.stdout) == (0, "ok\n")
    assert done.stderr == f"{len(before) - 1} outputs are the same, 0 differ\n"
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before

    estimates = (out / "estimates.csv").read_text()
    rewrite(out, "estimates.csv", estimates.replace("Gravity", "Gravitas", 1).encode())
    (out / "tables" / "gravity.csv").write_text("edited")
    (out / "tables" / "gravity.html").unlink()
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["outputs"]["figures/lost.svg"] = "0"
    manifest["packages"]["numpy"] = "1.0"
    (out / "manifest.json").write_text(json.dumps(manifest))
    (out / "figures").mkdir(exist_ok=True)
    done = checked(study.path, out)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        "estimates.csv: 1 cell differs, the first in line 2, column 'design': 'Gravitas', now 'Gravity'"
    )
    assert lines[1].startswith("figures/lost.svg: ")
    assert "gravity.csv is not what the run wrote" in lines[2]
    assert "gravity.html is missing" in lines[3]
    assert len(lines) == 4
    assert "note: made with numpy 1.0, now " in done.stderr
    assert f"{len(before) - 4} outputs are the same, 4 differ" in done.stderr


def test_changed_inputs_are_named_and_nothing_is_run(finished, tmp_path, monkeypatch):
    study, out = finished
    (tmp_path / "partners.csv").write_text((tmp_path / "partners.csv").read_text() + "e3,w3\n")
    monkeypatch.setattr(repetition, "run_in", lambda *_: pytest.fail("run"))
    with pytest.raises(
        DataError, match=r"not those of the run in .*: partners\.csv was changed\. Restore them, or run anew"
    ):
        repeat(study, out)
    (tmp_path / "partners.csv").unlink()
    with pytest.raises(DataError, match=r"partners\.csv cannot be read: No such file"):
        repeat(study, out)


def test_another_study_and_other_files_of_the_log_are_named(tmp_path):
    assert call("init", tmp_path / "mine").returncode == 0
    path = tmp_path / "mine" / "study.yaml"
    path.write_text(path.read_text().replace("transactions.csv", "trans*.csv"))
    build_panel(tl.read_study(path), tmp_path / "out")
    assert repeat(tl.read_study(path), tmp_path / "out").differences == {}
    log = tmp_path / "mine" / "transactions.csv"
    log.rename(tmp_path / "mine" / "transactions2.csv")
    with pytest.raises(DataError, match=r"transactions\.csv is not read any more; transactions2\.csv is new"):
        repeat(tl.read_study(path), tmp_path / "out")
    path.write_text(path.read_text().replace("seed: 20170101", "seed: 3"))
    with pytest.raises(DataError, match="is not the study of this run"):
        repeat(tl.read_study(path), tmp_path / "out")


def test_wrong_uses_of_check(finished, tmp_path):
    study, out = finished
    done = call("run", study.path, "--out", out, "--check", "--only", "gravity")
    assert done.returncode == 2
    assert "leave out --only" in done.stderr
    with pytest.raises(DataError, match="holds no finished run"):
        repeat(study, tmp_path / "none")


def write(folder, name, old, new):
    paths = folder / f"old{name}", folder / f"new{name}"
    for path, content in zip(paths, (old, new), strict=True):
        if isinstance(content, dict):
            pq.write_table(pa.table(content), path)
        else:
            path.write_bytes(content)
    return paths


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (".csv", b"a,b\n1,2\n3,4\n", b"a,b\n1,2\n3,5\n", "1 cell differs by at most 2.0e-01 of their size where they are numbers, the first in line 3, column 'b': '4', now '5'"),
        (".csv", b"a,b\nx,2\n", b"a,b\ny,2\n3,4\n", "3 cells differ, the first in line 2, column 'a': 'x', now 'y'; 2 lines, now 3"),
        (".csv", b"a\n1\n", b"a\r\n1\n", "differs from byte 2 on, in line 1; 4 bytes, now 5"),
        (".svg", b"<svg>\n<a/>\n", b"<svg>\n<b/>\n", "differs from byte 8 on, in line 2"),
        (".html", b"abc", b"abcd", "differs from byte 4 on, in line 1; 3 bytes, now 4"),
        (".parquet", {"a": [1.0, None]}, {"a": [2.0, None]}, "differs in the columns 'a' in 1 of 2 rows"),
        (".parquet", {"a": [1.0, float("nan")], "b": ["x", "y"]}, {"a": [1.0, float("nan")], "b": ["x", "z"]}, "differs in the columns 'b' in 1 of 2 rows"),
        (".parquet", {"a": [1]}, {"a": [1, 2]}, "has 1 rows, now 2"),
        (".parquet", {"a": [1]}, {"a": [1.0]}, "differs in the columns 'a' in 1 of 1 rows"),
        (".parquet", {"a": [1]}, {"b": [1]}, "has other columns: without a, with b more"),
    ],
)  # fmt: skip
def test_differences_in_words(tmp_path, name, old, new, said):
    assert describe(*write(tmp_path, name, old, new)) == said


def test_files_that_differ_only_in_how_they_are_written(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]})
    frame.to_parquet(tmp_path / "one.parquet", compression="zstd")
    frame.to_parquet(tmp_path / "two.parquet", compression="snappy")
    assert describe(tmp_path / "one.parquet", tmp_path / "two.parquet").startswith("differs from byte ")
