import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import tradelift as tl
from tests.designs.test_gravity import NearPairs
from tests.pipeline.studies import STUDY, write_study
from tradelift.exhibits import EXHIBITS
from tradelift.inference import task
from tradelift.panel.digest import Fingerprint
from tradelift.pipeline import build_panel, cache, check, showing, steps
from tradelift.pipeline.cache import EstimateCache, Recalled
from tradelift.pipeline.manifest import file_hash
from tradelift.pipeline.workspace import workspace


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    study = tl.read_study(write_study(folder))
    return tl.run(study, folder / "out"), folder / "out", study


def test_a_run_writes_what_it_promises(finished):
    results, out, _ = finished
    assert {p.name for p in out.iterdir()} == {
        "report.html", "estimates.csv", "account.csv", "manifest.json", "panel", "tables", "figures",
    }  # fmt: skip
    assert (out / "tables" / "gravity.html").is_file()
    assert (out / "tables" / "gravity.csv").is_file()
    assert (out / "figures" / "map.svg").is_file()
    assert (out / "figures" / "map.csv").is_file()
    assert list(results.exhibits) == [name for name in EXHIBITS if name not in results.absent]
    assert {"gravity", "spatial_rd", "summary"} <= set(results.exhibits)


def test_estimates_csv_has_the_published_columns(finished):
    results, out, _ = finished
    written = pd.read_csv(out / "estimates.csv")
    assert list(written) == [
        "exhibit", "column", "design", "outcome", "direction", "sample", "term", "estimate", "std_error", "se_type",
        "statistic", "p_value", "conf_low", "conf_high", "n_obs", "n_pairs",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(written, results.estimates, check_dtype=False)
    written = written[written["exhibit"] == "gravity"]
    row = written[(written["column"] == "trade, PPML, west->east") & (written["term"] == "partner")]
    alone = tl.Gravity(direction="west->east").estimate(results.panel)
    assert row["estimate"].item() == pytest.approx(alone.coefficients[0], rel=1e-12)


def test_estimates_csv_has_the_randomization_of_the_headline(finished):
    results, out, study = finished
    written = pd.read_csv(out / "estimates.csv")
    rows = written[(written["se_type"] == "randomization (relabel)") & (written["exhibit"] == "gravity")]
    rows = rows.set_index("direction")
    assert list(rows.index) == ["both", "east->west", "west->east"]
    assert rows["std_error"].isna().all()
    for direction, row in rows.iterrows():
        design = tl.Gravity(direction=direction)
        found = tl.randomize(design, results.panel, draws=999, seed=study.seed)
        for name in ("estimate", "p_value", "conf_low", "conf_high"):
            assert row[name] == pytest.approx(getattr(found, name), rel=1e-12)
        assert row["statistic"] == pytest.approx(found.statistics[0], rel=1e-12)
        estimate = design.estimate(results.panel)
        assert (row["n_obs"], row["n_pairs"]) == (estimate.n_obs, estimate.n_pairs)
        assert (row["design"], row["outcome"], row["sample"]) == ("Gravity", "trade", estimate.sample)
    text = (out / "estimates.csv").read_text().splitlines()
    assert all(",,randomization (" in line for line in text if "randomization (" in line)


def test_randomization_is_remembered_and_follows_the_seed(tmp_path, monkeypatch):
    path = write_study(tmp_path)
    first = tl.run(tl.read_study(path), tmp_path / "out", only=["gravity"]).estimates
    monkeypatch.setattr(task, "randomize", lambda *_, **__: pytest.fail("randomized again"))
    again = tl.run(tl.read_study(path), tmp_path / "out", only=["gravity"]).estimates
    pd.testing.assert_frame_equal(first, again)
    monkeypatch.undo()
    path.write_text(f"{STUDY}seed: 2\n")
    other = tl.run(tl.read_study(path), tmp_path / "out", only=["gravity"]).estimates
    drawn = first["se_type"].str.startswith("randomization")
    pd.testing.assert_frame_equal(first[~drawn], other[~drawn])
    assert (first.loc[drawn, "p_value"] != other.loc[drawn, "p_value"]).any()


@pytest.mark.parametrize(
    ("group", "why"),
    [(list("abcdefghij"), "Only 0 of 4 partner pairs can move under scheme="), (None, "moves partners within groups")],
)
def test_a_programme_that_cannot_be_randomized_is_said_so_once(tmp_path, group, why):
    path = write_study(tmp_path)
    regions = pd.read_csv(tmp_path / "regions.csv").drop(columns="group")
    (regions if group is None else regions.assign(group=group)).to_csv(tmp_path / "regions.csv", index=False)
    results = tl.run(tl.read_study(path), tmp_path / "out", only=["gravity"])
    assert not results.estimates["se_type"].str.startswith("randomization").any()
    columns = [f"trade, PPML, {d}, randomization" for d in ("both", "east->west", "west->east")]
    assert list(results["gravity"].refused) == columns
    said = [s for s in results["gravity"].shown.sentences if why in s]
    assert len(said) == 1
    assert said[0].replace("\xa0→\xa0", "->").startswith(f"Not estimated: {'; '.join(columns)}: ")
    headline = results["gravity"].shown.headline.text
    assert "95% interval" in headline
    assert "randomization" not in headline
    assert why in (tmp_path / "out" / "report.html").read_text()
    assert set(json.loads((tmp_path / "out" / "manifest.json").read_text())["refused"]) == {
        f"gravity: {column}" for column in columns
    }


def test_manifest_hashes_inputs_and_outputs(finished):
    _, out, study = finished
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {"study.yaml", "regions.csv", "partners.csv", "flows.csv"}
    for name, digest in manifest["outputs"].items():
        assert file_hash(out / name) == digest
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert set(manifest["outputs"]) == files - {"manifest.json"}
    assert manifest["seed"] == study.seed
    assert set(manifest["stages"]) == {"panel", "estimates", "report"}
    assert all(stage["peak_mb"] > 0 for stage in manifest["stages"].values())


def test_the_same_study_gives_the_same_report(finished, tmp_path):
    _, out, study = finished
    tl.run(study, tmp_path / "again", force=True)
    for name in ("report.html", "estimates.csv", "account.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_panel_files_hold_the_flows(finished):
    results, out, _ = finished
    table = pq.read_table(out / "panel").to_pandas()
    assert len(table) == results.panel.n_cells == 150
    assert {"origin", "destination", "period", "trade", "partner", "control_type", "distance_km"} <= set(table)


def test_results_by_name(finished):
    results, _, _ = finished
    assert results["gravity"].estimates
    with pytest.raises(KeyError, match="no exhibit 'gravitas'"):
        results["gravitas"]


def test_findings_are_read_from_where_they_are_kept_each_time_and_estimated_again_where_they_are_gone(tmp_path):
    study = tl.read_study(write_study(tmp_path))
    found = tl.run(study, tmp_path / "out", only=["gravity"])["gravity"].estimates
    column = next(c for c in found if c == "trade, PPML, west->east")
    assert len(found) == len(list(found))
    assert column in found
    assert "no such column" not in found
    one = found[column]
    assert found[column] is not one  # nothing holds it
    np.testing.assert_array_equal(found[column].influence.pairs, one.influence.pairs)
    shutil.rmtree(tmp_path / ".tradelift")
    np.testing.assert_allclose(found[column].covariance, one.covariance, rtol=1e-12)
    with pytest.raises(KeyError):
        found["no such column"]


def test_an_exhibit_is_shown_before_those_after_it_are_estimated(tmp_path, monkeypatch):
    study, seen = tl.read_study(write_study(tmp_path)), []
    one_by_one = cache.attempts

    def attempts(tasks, panel):
        for answer in one_by_one(tasks, panel):
            seen.append("estimated")
            yield answer

    show = showing._show
    monkeypatch.setattr(cache, "attempts", attempts)
    monkeypatch.setattr(showing, "_show", lambda exhibit, *rest: (seen.append(exhibit.name), show(exhibit, *rest))[1])
    tl.run(study, tmp_path / "out", only=["gravity", "spatial_rd"])
    assert seen.index("gravity") < len(seen) - 1 - seen[::-1].index("estimated") < seen.index("spatial_rd")


def test_where_nothing_can_be_kept_findings_stay_in_memory(tmp_path):
    panel, _ = check(tl.read_study(write_study(tmp_path)))
    memory = EstimateCache(None)
    assert len(list(memory.prepare([NearPairs()], panel, lambda *_: None))) == 1
    found = Recalled({"near": NearPairs()}, memory, panel)
    expected = NearPairs().estimate(panel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NearPairs, "estimate", lambda *_: pytest.fail("estimated twice"))
        np.testing.assert_array_equal(found["near"].covariance, expected.covariance)


def test_a_task_is_estimated_once_and_remembered(tmp_path, monkeypatch):
    study = tl.read_study(write_study(tmp_path))
    panel, _ = check(study)
    calls = []
    original = NearPairs.estimate
    monkeypatch.setattr(NearPairs, "estimate", lambda self, p: (calls.append(self), original(self, p))[1])
    folder = tmp_path / "cache"
    first = EstimateCache(folder)
    one = first.estimate(NearPairs(), panel)
    np.testing.assert_array_equal(first.estimate(NearPairs(), panel).coefficients, one.coefficients)
    assert len(calls) == 1
    # another run recalls it from disk, another task or panel does not
    again = EstimateCache(folder).estimate(NearPairs(), panel)
    assert len(calls) == 1
    np.testing.assert_array_equal(again.covariance, one.covariance)
    EstimateCache(folder).estimate(NearPairs(within_km=1500.0), panel)
    EstimateCache(folder).estimate(NearPairs(), replace(panel, fingerprint=Fingerprint(parts=("other",))))
    assert len(calls) == 3
    EstimateCache(folder, force=True).estimate(NearPairs(), panel)
    assert len(calls) == 4


def test_a_second_design_fills_an_exhibit(tmp_path, monkeypatch):
    """A design of thirty lines gives an estimate, a table row and a cached run, and no room changes for it."""
    from tradelift.exhibits import Exhibit, Head, RegressionTable, Shown
    from tradelift.pipeline import steps

    def show(_study, _panel, results):
        table = RegressionTable(
            name="near", title="Near pairs", heads=(Head(outcome="Trade", family="PPML"),),
            panels={"both": (results["near"],)}, labels={"partner": "Partner pair", "both": "Both directions"},
        )  # fmt: skip
        return Shown(tables=(table,))

    near = Exhibit(
        name="near",
        title="Near pairs",
        needs=frozenset({"partners"}),
        plan=lambda _s, _p: {"near": NearPairs()},
        show=show,
    )
    monkeypatch.setattr(steps, "EXHIBITS", {"near": near})
    study = tl.read_study(write_study(tmp_path))
    results = tl.run(study, tmp_path / "out")
    row = results.estimates
    assert row["design"].tolist() == ["NearPairs"]
    assert "pairs within 2000 km" in row["sample"].item()
    written = pd.read_csv(tmp_path / "out" / "tables" / "near.csv")
    assert written["estimate"].item() == pytest.approx(row["estimate"].item())
    assert f"{row['estimate'].item():.3f}".replace("-", "\u2212") in (tmp_path / "out" / "report.html").read_text()
    # the second run recalls the estimate
    monkeypatch.setattr(NearPairs, "estimate", lambda *_: pytest.fail("estimated again"))
    assert tl.run(study, tmp_path / "out").estimates["estimate"].item() == row["estimate"].item()


def test_a_study_may_be_given_by_its_file(tmp_path):
    path = write_study(tmp_path)
    found = tl.run(str(path), out=tmp_path / "out", only=["summary"])
    assert list(found.exhibits) == ["summary"]
    with pytest.raises(tl.StudyError, match="there is no such study file"):
        tl.run(tmp_path / "other.yaml", out=tmp_path / "out")


def test_only_some_exhibits(tmp_path):
    study = tl.read_study(write_study(tmp_path))
    results = tl.run(study, tmp_path / "out", only=["summary"])
    assert list(results.exhibits) == ["summary"]
    with pytest.raises(tl.StudyError, match=r"no exhibit 'gravty'.*mean 'gravity'"):
        tl.run(study, tmp_path / "out", only=["gravty"])
    with pytest.raises(tl.StudyError, match="no engine 'sparc'"):
        tl.run(study, tmp_path / "out", engine="sparc")


def test_exhibits_can_be_switched_off_and_later_ones_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "EXHIBITS", {n: steps.EXHIBITS[n] for n in ("map", "summary")})
    text = STUDY + "exhibits: {map: false, specifications: true}\n"
    results = tl.run(tl.read_study(write_study(tmp_path, text)), tmp_path / "out")
    assert list(results.exhibits) == ["summary"]
    assert results.absent["specifications"] == "absent: not in this version"


def test_without_a_programme(tmp_path):
    results = tl.run(
        tl.read_study(write_study(tmp_path, STUDY.replace("partners: partners.csv\n", ""))), tmp_path / "out"
    )
    assert results.absent["partners"] == "absent: give partners"
    assert "absent: give partners" in (tmp_path / "out" / "report.html").read_text()
    assert set(results.estimates["term"]) == {"log(distance_km)"}


def test_without_coordinates(tmp_path):
    path = write_study(tmp_path)
    regions = pd.read_csv(tmp_path / "regions.csv").drop(columns=["longitude", "latitude"])
    regions.to_csv(tmp_path / "regions.csv", index=False)
    results = tl.run(tl.read_study(path), tmp_path / "out")
    assert "map" in results.absent
    assert not results.estimates["term"].str.contains("distance").any()


def test_the_smallest_study(tmp_path):
    write_study(tmp_path)
    (tmp_path / "study.yaml").write_text("name: Smallest\nflows: flows.csv\npartners: partners.csv\n")
    results = tl.run(tl.read_study(tmp_path / "study.yaml"), tmp_path / "out")
    assert results.panel.directions == ("both",)
    assert len(results.estimates)
    tables = sorted((tmp_path / "out" / "tables").glob("*.csv"))
    assert all(len(path.read_text().splitlines()) > 1 for path in tables)


def test_a_column_that_cannot_be_estimated_costs_no_other(tmp_path):
    text = STUDY + "model: {outcomes: [trade, deals], controls: [sqrt]}\n"
    results = tl.run(tl.read_study(write_study(tmp_path, text)), tmp_path / "out", only=["gravity"])
    assert results["gravity"].refused
    report = (tmp_path / "out" / "report.html").read_text()
    assert "no column &#39;sqrt&#39;" in report or "no column 'sqrt'" in report


def test_flows_outside_the_window_are_counted(tmp_path):
    text = STUDY.replace("flows: flows.csv", "flows: {file: flows.csv, from: 2017-02}")
    panel, _ = check(tl.read_study(write_study(tmp_path, text)))
    assert panel.periods == ("2017-02", "2017-03")
    assert {e.reason: e.rows for e in panel.account.stages[0].exclusions} == {"outside the window": 50}


def test_ids_with_leading_zeros_stay_text(tmp_path):
    (tmp_path / "flows.csv").write_text("origin,destination,trade\n007,01,5\n01,007,4\n")
    (tmp_path / "study.yaml").write_text("name: Zeros\nflows: flows.csv\n")
    panel, _ = check(tl.read_study(tmp_path / "study.yaml"))
    assert panel.regions.ids.tolist() == ["007", "01"]


def test_pairs_files_and_absent_values(tmp_path):
    (tmp_path / "migration.csv").write_text("east,west,migrants\ne0,w0,9\nzz,w0,3\n") if tmp_path.exists() else None
    path = write_study(tmp_path, STUDY + "pairs: [{file: migration.csv, absent: 0}]\n")
    panel, _ = check(tl.read_study(path))
    assert sorted(set(panel.column("migrants"))) == [0.0, 9.0]
    assert [e.reason for e in panel.account.stages[1].exclusions] == ["unknown region"]


def test_only_the_panel(tmp_path):
    study = tl.read_study(write_study(tmp_path))
    build_panel(study, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"panel", "account.csv", "manifest.json"}


def test_nothing_half_written_when_a_run_fails(tmp_path):
    out = tmp_path / "out"
    study = tl.read_study(write_study(tmp_path))
    tl.run(study, out, only=["summary"])
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    (tmp_path / "flows.csv").write_text("origin,destination\na,b\n")
    with pytest.raises(tl.DataError, match="no column 'trade'"):
        tl.run(study, out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.glob(".out.*") if p.is_dir()] == []


def test_results_replace_results_and_nothing_else(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(tl.DataError, match="holds other files"), workspace(folder):
        pass
    assert (folder / "thesis.tex").read_text() == "years of work"
    (tmp_path / "file").write_text("x")
    with pytest.raises(tl.DataError, match="is a file"), workspace(tmp_path / "file"):
        pass
    with pytest.raises(tl.DataError, match="Cannot write to"), workspace(tmp_path / "file" / "below"):
        pass


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    with (
        workspace(tmp_path / "out"),
        pytest.raises(tl.DataError, match="Another run is writing"),
        workspace(tmp_path / "out"),
    ):
        pass
