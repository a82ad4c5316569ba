"""A replication package: what is in it, and that it gives the same numbers."""

import json
import shutil
import subprocess
import sys
import zipfile

import pyarrow.parquet as pq
import pytest

import tradelift as tl
from tests.pipeline.studies import STUDY, write_study
from tradelift.pipeline.packaging import package, replicate, replication, requirements
from tradelift.pipeline.packaging.readme import _minutes
from tradelift.study import write_template

SECTIONS = [
    "Overview", "Data Availability and Provenance Statements", "Dataset list", "Computational requirements",
    "Description of programs/code", "Instructions to Replicators", "List of tables and programs", "References",
]  # fmt: skip
ONLY = ["summary", "gravity"]


@pytest.fixture(scope="module")
def of_a_log(tmp_path_factory):
    """A run from transactions, and its package."""
    folder = tmp_path_factory.mktemp("log")
    write_template(folder / "mine")
    tl.run(tl.read_study(folder / "mine" / "study.yaml"), folder / "out", only=["summary"])
    return folder, package(folder / "out", folder / "package.zip")


@pytest.fixture(scope="module")
def of_flows(tmp_path_factory):
    """A run from flows that are summed already."""
    folder = tmp_path_factory.mktemp("flows")
    tl.run(tl.read_study(write_study(folder / "mine")), folder / "out", only=ONLY)
    return folder


def unpacked(file, folder):
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return folder


def command(folder):
    """The master command, as a replicator calls it."""
    return subprocess.run([sys.executable, "replicate.py"], cwd=folder, capture_output=True, text=True, check=False)


def test_what_is_in_it(of_a_log, tmp_path):
    folder, packed = of_a_log
    here = unpacked(packed.file, tmp_path)
    names = {p.relative_to(here).as_posix() for p in here.rglob("*") if p.is_file()}
    assert names == set(packed.names)
    given = {"study.yaml", "regions.csv", "partners.csv", "panel.parquet", "study_from_panel.yaml"}
    assert {p.name for p in (here / "inputs").iterdir()} == given  # and no transactions
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    outputs = {p.relative_to(here / "outputs").as_posix() for p in (here / "outputs").rglob("*") if p.is_file()}
    assert outputs == {name for name in manifest["outputs"] if not name.startswith("panel")}
    # what was written anew has no hash by which a guess could be proved
    anew = set(packed.outputs.rewritten)
    assert {"account.csv", "report.html", "tables/summary.csv"} <= anew
    hashed = json.loads((here / "manifest.json").read_text())["outputs"]
    assert hashed.keys() == manifest["outputs"].keys() - anew
    text = (here / "manifest.json").read_text()
    assert not any(manifest["outputs"][name] in text for name in anew)
    assert {stage["read_amount"] for stage in json.loads(text)["account"]} == {None}
    assert {"code/tradelift/cli.py", "code/tradelift/solve/kernel.c", "replicate.py"} <= names
    assert not any(".so" in name or "__pycache__" in name for name in names)
    assert "../" not in (here / "manifest.json").read_text()
    pins = dict(line.split("==") for line in (here / "requirements.txt").read_text().split())
    assert pins["numpy"] == manifest["packages"]["numpy"]
    assert {"sqlglot", "pydantic-core", "vl-convert-python"} <= set(pins)
    assert not {"pytest", "tradelift"} & set(pins)  # pip installs the whole list or nothing, and tradelift is in `code`


def test_the_readme_follows_the_template(of_a_log, tmp_path):
    text = (unpacked(of_a_log[1].file, tmp_path) / "README.md").read_text()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == SECTIONS
    assert "transactions.csv` | no |" in text
    assert "cells of the panel are masked" in text
    assert text.count("AUTHORS:") == of_a_log[1].to_fill == 5
    assert "$" not in text
    # the money of masked cells stays in the house
    assert not any(str(count.trade) in text for count in of_a_log[1].disclosure.masked if count.cells)
    assert "trade" not in json.loads((tmp_path / "disclosure.json").read_text())


def test_the_same_run_gives_the_same_bytes(of_a_log, tmp_path):
    folder, packed = of_a_log
    again = package(folder / "out", tmp_path / "again.zip")
    assert again.file.read_bytes() == packed.file.read_bytes()


def test_from_a_masked_panel_it_says_so_and_from_the_log_it_is_exact(of_a_log, tmp_path):
    folder, packed = of_a_log
    here = unpacked(packed.file, tmp_path)
    done = command(here)
    assert done.returncode == 3, done.stderr
    assert f"{packed.disclosure.masked_cells} of 504 cells are masked" in done.stdout
    shutil.copy(folder / "mine" / "transactions.csv", here / "inputs")
    found = replicate(here)
    assert (found.status, found.different, found.source) == (0, {}, "inputs/study.yaml")
    assert {"estimates.csv", "panel/2017-01.parquet"} <= set(found.equal)
    assert "6 others were left out of the package or written anew" in "".join(found.lines())


def test_estimates_are_counted_once_each_and_missing_ones_are_equal(tmp_path):
    head = "exhibit,column,outcome,direction,sample,term,se_type,estimate,std_error\n"
    rows = ["{},0.5,0.1", "{},,", "{},1.0,0.2", "{},2.0,0.1", "{},3.0,"]
    again = ["{},0.5,0.1", "{},,", "{},1.1,0.2", "{},2.2,0.1", "{},3.1,"]
    for name, lines in (("then", [*rows, "{},4,1"]), ("now", again)):
        text = "".join(line.format(f"gravity,{n},trade,both,all,x,pair") + "\n" for n, line in enumerate(lines))
        (tmp_path / name).write_text(head + text)
    assert replication._estimates(tmp_path / "then", tmp_path / "now") == (
        "Of 6 published estimates 5 were made again: 2 are equal, 1 differ by at most one published standard error, and "
        "2 by more or have no error."
    )


def test_without_what_it_needs_the_master_command_says_what_to_install(of_flows, tmp_path):
    here = unpacked(package(of_flows / "out", tmp_path / "package.zip", public=True).file, tmp_path)
    bare = [sys.executable, "-I", "-S", "replicate.py"]  # no packages
    done = subprocess.run(bare, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr == "No module named 'numpy'. Install what the code needs first: pip install -r requirements.txt\n"
    )


def test_public_flows_are_packed_and_reproduced(of_flows, tmp_path):
    packed = package(of_flows / "out", tmp_path / "package.zip", public=True)
    assert packed.disclosure is None
    here = unpacked(packed.file, tmp_path / "fresh")
    assert (here / "inputs" / "flows.csv").is_file()
    done = command(here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "outputs are equal, byte for byte" in done.stdout
    published, made = (here / name / "estimates.csv" for name in ("outputs", "replication"))
    assert published.read_bytes() == made.read_bytes()
    # what differs is said
    published.write_text(published.read_text().replace("gravity", "levity", 1))
    manifest = json.loads((here / "manifest.json").read_text())
    manifest["outputs"]["estimates.csv"] = ""
    (here / "manifest.json").write_text(json.dumps(manifest))
    found = replicate(here)
    assert (found.status, list(found.different)) == (1, ["estimates.csv"])
    assert "1 cell differs" in "".join(found.lines())
    # what a replicator changed is found
    (here / "inputs" / "flows.csv").write_text(
        (here / "inputs" / "flows.csv").read_text().replace("2017-01,", "2017-01,1")
    )
    with pytest.raises(tl.StudyError, match="study_from_panel"):
        replicate(here)


@pytest.mark.slow
def test_a_public_log_is_reproduced_from_the_panel_alone(tmp_path):
    """Flows by category, covariates of pairs and every exhibit: the numbers do not depend on where cells come from."""
    tl_study = tmp_path / "mine" / "study.yaml"
    write_template(tl_study.parent)
    rows = [f"{e},{w},{3 * len(e) + len(w)}" for e in ("Ashport", "Bayford") for w in ("Graymoor", "Highfell")]
    (tmp_path / "mine" / "migration.csv").write_text("\n".join(["east,west,migration", *rows]))
    tl_study.write_text(tl_study.read_text() + "\npairs: [{file: migration.csv, absent: 0}]\nmediators: [migration]\n")
    tl.run(tl.read_study(tl_study), tmp_path / "out")
    packed = package(tmp_path / "out", tmp_path / "package.zip", public=True)
    assert packed.disclosure.complete
    here = unpacked(packed.file, tmp_path / "fresh")
    assert (here / "inputs" / "panel_by_category.parquet").is_file()
    assert "migration" not in pq.read_table(here / "inputs" / "panel.parquet").column_names
    found = replicate(here)
    assert (found.status, found.different) == (0, {})
    assert {"estimates.csv", "tables/gravity.csv", "figures/categories_both.csv"} <= set(found.equal)


def change_partners(folder):
    with (folder / "mine" / "partners.csv").open("a") as file:
        file.write("e3,w3\n")


BAD = {
    "no zip": (lambda _: None, "p.tar", "a name that ends in .zip"),
    "into the run": (lambda _: None, "out/p.zip", "lies in the folder of the run"),
    "changed input": (change_partners, "p.zip", "partners.csv was changed since the run"),
    "lost output": (lambda f: (f / "out" / "estimates.csv").unlink(), "p.zip", "is missing, though the run wrote it"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_and_nothing_is_written(of_flows, tmp_path, name):
    spoil, to, message = BAD[name]
    folder = shutil.copytree(of_flows, tmp_path / "copy")
    spoil(folder)
    with pytest.raises(tl.DataError, match=message):
        package(folder / "out", folder / to, public=True)
    assert not (folder / to).exists()


def test_inputs_elsewhere_have_no_place(tmp_path):
    study = write_study(tmp_path / "mine", STUDY.replace("partners.csv", "../partners.csv"))
    (tmp_path / "mine" / "partners.csv").rename(tmp_path / "partners.csv")
    tl.run(tl.read_study(study), tmp_path / "out", only=["summary"])
    with pytest.raises(tl.DataError, match="lies outside of"):
        package(tmp_path / "out", tmp_path / "p.zip", public=True)


def test_flows_without_contributors_need_a_word(of_flows, tmp_path):
    with pytest.raises(tl.DataError, match="cannot be judged"):
        package(of_flows / "out", tmp_path / "p.zip")
    assert not list(tmp_path.iterdir())


def test_versions_are_those_of_the_run(of_flows):
    manifest = json.loads((of_flows / "out" / "manifest.json").read_text())
    manifest["packages"]["numpy"] = "1.0"
    with pytest.raises(tl.DataError, match=r"numpy 1\.0 then, .* now"):
        requirements.requirements(manifest)


def test_the_time_of_a_run_is_said_in_words():
    said = [_minutes(seconds) for seconds in (12, 59.9, 60, 89, 91, 3 * 60, 100_000)]
    assert said == [*["less than a minute"] * 2, *["about a minute"] * 2, "2 minutes", "3 minutes", "1,667 minutes"]
