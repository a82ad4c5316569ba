"""Gravity from the sums of an engine against the same panel in memory, and against its cells in files."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tradelift as tl
from tests.conftest import PROJECT
from tests.designs.panels import one_sided, two_sided
from tests.log.logs import dirty_log, read, split
from tests.log.test_spark import on_spark
from tests.panel.test_stored import partner_frame, region_frame
from tradelift.designs.summed import estimate_sums
from tradelift.errors import DataError, DesignError
from tradelift.log.embedded import DuckDB
from tradelift.log.files import inspect
from tradelift.log.margins import flow_sums
from tradelift.log.spark import Spark

SAME = {"rtol": 1e-10, "atol": 1e-10}  # the sums are the same numbers, and both solvers end below it
SAME_ERRORS = {"rtol": 1e-8}  # errors start from what the solvers leave of the scores

PANELS = {
    "dense": two_sided,
    "sparse": lambda: two_sided(mean=0.3, n_east=5, n_west=6, partners=6, periods=6),
    "one-sided": one_sided,
}
DESIGNS = {
    "default": {},
    "robust": {"vcov": "robust"},
    "two-way": {"vcov": "two-way", "correction": "full"},
    "no controls": {"controls": [], "vcov": "directed-pair"},
    "spelled out": {"effects": ["period^origin", "destination^period"], "vcov": "none"},
}
TWO_SIDED = {
    "east->west": {"direction": "east->west", "vcov": "pair"},
    "control types": {"control_types": [4], "vcov": "max-two-way"},
    "by": {"by": "control_type", "treatment": "distance_km", "controls": [], "vcov": "spatial"},
}
CASES = [(p, d) for p in PANELS for d in DESIGNS] + [("dense", d) for d in TWO_SIDED]


@pytest.fixture
def engine(tmp_path_factory):
    with DuckDB(tmp_path_factory.mktemp("engine")) as running:
        yield running


def given(panel):
    return {"regions": region_frame(panel), "partners": partner_frame(panel).drop(columns="start", errors="ignore")}


def cells_of(frame):
    return pa.Table.from_pandas(frame.assign(period=frame.period.astype(str)), preserve_index=False)


def assert_same(got, want):
    assert (got.terms, got.n_obs, got.n_pairs, got.dropped) == (want.terms, want.n_obs, want.n_pairs, want.dropped)
    assert (got.formula, got.sample, got.diagnostics.omitted) == (want.formula, want.sample, want.diagnostics.omitted)
    assert got.diagnostics.effect_rank == want.diagnostics.effect_rank
    assert got.diagnostics.path == "sums"
    np.testing.assert_allclose(got.coefficients, want.coefficients, **SAME)
    np.testing.assert_allclose(got.std_errors, want.std_errors, **SAME_ERRORS)
    np.testing.assert_allclose(got.diagnostics.pseudo_r2, want.diagnostics.pseudo_r2, rtol=1e-9)
    np.testing.assert_allclose(got.diagnostics.outcome_mean, want.diagnostics.outcome_mean, rtol=1e-12)
    np.testing.assert_allclose(got.influence.robust, want.influence.robust, rtol=1e-8)


@pytest.mark.parametrize(("name", "design"), CASES)
def test_estimates_equal_those_of_the_panel_in_memory(engine, name, design):
    panel, frame, *_ = PANELS[name]()
    gravity = tl.Gravity(**(DESIGNS | TWO_SIDED)[design])
    flows = flow_sums(engine, engine.memory("cells", cells_of(frame)))
    assert_same(estimate_sums(gravity, flows, **given(panel)), gravity.estimate(panel))


def test_rows_that_are_absent_are_flows_of_zero_where_they_are_said_to_be(engine):
    panel, frame, _ = two_sided(mean=2.0)
    traded = cells_of(frame[frame.trade > 0])
    with pytest.raises(DataError, match="pairs lack a row in one of 4 periods"):
        flow_sums(engine, engine.memory("cells", traded))
    with pytest.raises(DataError, match="absent must be None or 0; found 5"):
        flow_sums(engine, engine.memory("cells", traded), absent=5)
    ids = list(panel.regions.ids)
    flows = flow_sums(engine, engine.memory("cells", traded), absent=0, regions=ids)
    assert_same(estimate_sums(tl.Gravity(), flows, **given(panel)), tl.Gravity().estimate(panel))


def test_cells_in_files_give_what_stored_cells_give(engine, tmp_path):
    panel, frame, _ = two_sided(seed=3)
    for period, part in frame.groupby("period"):
        pq.write_table(cells_of(part), tmp_path / f"{period}.parquet")
    files = [inspect(path, tmp_path, "period") for path in sorted(tmp_path.glob("*.parquet"))]
    got = estimate_sums(tl.Gravity(), flow_sums(engine, engine.parquet(files)), **given(panel))
    stored = tl.Panel.from_parquet(tmp_path, **given(panel))
    want = tl.Gravity().estimate(stored)
    assert stored.stored
    np.testing.assert_allclose(got.coefficients, want.coefficients, **SAME)
    np.testing.assert_allclose(got.std_errors, want.std_errors, **SAME_ERRORS)


def test_code_of_the_page_on_size_runs(tmp_path, monkeypatch, capsys):
    panel, frame, _ = two_sided()
    (tmp_path / "cells").mkdir()
    pq.write_table(cells_of(frame), tmp_path / "cells" / "all.parquet")
    monkeypatch.chdir(tmp_path)
    text = (PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")
    exec(text.split("```python\n")[1].split("```")[0], given(panel))
    assert str(tl.Gravity().estimate(panel)) in capsys.readouterr().out


@on_spark
def test_spark_sums_a_log_and_its_cells(tmp_path):
    """From a log to an estimate: Spark sums the log, and then the cells."""
    from pyspark.sql import SparkSession

    panel, frame, _ = two_sided(seed=4, n_east=5, n_west=6, partners=6)
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    running = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    running.sparkContext.setLogLevel("OFF")
    try:
        pq.write_table(cells_of(frame), tmp_path / "cells.parquet")
        with Spark(tmp_path / "spark") as engine:
            flows = flow_sums(engine, engine.parquet([inspect(tmp_path / "cells.parquet", tmp_path, "period")]))
            got = {vcov: estimate_sums(tl.Gravity(vcov=vcov), flows, **given(panel)) for vcov in ("dyadic", "robust")}
    finally:
        running.stop()
    for vcov, estimate in got.items():
        assert_same(estimate, tl.Gravity(vcov=vcov).estimate(panel))


def test_money_of_a_log_arrives_in_the_sums(engine, tmp_path):
    split(dirty_log(51, 900), tmp_path, 2)
    log = read(tmp_path)
    cells = log.cells.filter(pa.compute.greater(log.cells["trade"], 0))
    flows = flow_sums(engine, engine.memory("cells", cells), outcome="trade_minor", absent=0)
    assert sum(flows.totals["flow"].to_pylist()) == log.stage.kept_amount
    assert flows.periods == log.periods


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "gaussian"}, "Sums are enough for PPML"),
        ({"effects": ["origin", "destination"]}, "Sums are enough for effects"),
        ({"effects": ["origin^period", "destination^period", "origin^destination"]}, "Sums are enough for effects"),
        ({"where": {"period": {"from": "2017-02"}}}, "do not tell periods apart"),
        ({"by": "period"}, "do not tell periods apart"),
        ({"controls": ["shock"]}, "no column 'shock'"),
        ({"weights": "trade"}, "not enough for weights"),
        ({"vcov": ["origin"]}, "needs the codes of all cells"),
        ({"vcov": "jackknife"}, "needs all cells in memory"),
    ],
)
def test_designs_that_need_more_than_sums_are_refused(engine, change, message):
    panel, frame, _ = two_sided()
    flows = flow_sums(engine, engine.memory("cells", cells_of(frame)))
    with pytest.raises(DesignError, match=message):
        estimate_sums(tl.Gravity(**change), flows, **given(panel))


def test_partnerships_that_start_are_refused(engine):
    panel, frame, _ = two_sided(start="2017-03")
    flows = flow_sums(engine, engine.memory("cells", cells_of(frame)))
    with pytest.raises(DesignError, match="column 'start', so the treatment may move"):
        estimate_sums(tl.Gravity(), flows, regions=region_frame(panel), partners=partner_frame(panel))


def test_flows_alone_in_a_period_are_refused(engine):
    frame = pd.DataFrame(
        [(a, b, "1", 1.0) for a in "ab" for b in "cd"], columns=["origin", "destination", "period", "trade"]
    )
    more = frame.assign(period="2", trade=[1.0, 0.0, 2.0, 0.0])
    flows = flow_sums(engine, engine.memory("cells", cells_of(pd.concat([frame, more]))))
    partners = pd.DataFrame({"one": ["a"], "other": ["c"]})
    with pytest.raises(DesignError, match="2 flows are alone"):
        estimate_sums(tl.Gravity(), flows, partners=partners)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(trade=-f.trade), "are negative"),
        (lambda f: f.assign(trade=np.where(f.index == 3, np.nan, f.trade)), "1 of 288 cells lack"),
        (lambda f: f.assign(origin=f.origin.where(f.index != 3)), "1 of 288 cells lack"),
        (lambda f: pd.concat([f, f.head(2)]), "2 cells stand more than once"),
        (lambda f: f.drop(columns="trade"), "no column 'trade'"),
        (lambda f: f.head(0), "empty"),
    ],
)
def test_cells_that_no_sum_would_show_to_be_wrong_are_refused(engine, change, message):
    _, frame, _ = two_sided(periods=2)
    with pytest.raises(DataError, match=message):
        flow_sums(engine, engine.memory("cells", cells_of(change(frame))))
