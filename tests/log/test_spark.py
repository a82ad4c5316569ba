"""Cells and accounts of Spark and of Sail, a Spark Connect server without Java, against DuckDB's: the same digits."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.log.logs import COLUMNS, dirty_log, plain_log, read, regions, spec, split, write_csv
from tradelift.errors import DataError, StudyError
from tradelift.log import read_log, spark
from tradelift.study.inputs import EngineInput

LOCAL = EngineInput(name="spark", url="local[2]")
MONTHS, ROWS = 3, 20_000  # of the simulated world


def on_spark(test):
    """PySpark warns of what its own dependencies have deprecated."""
    return pytest.mark.spark(pytest.mark.filterwarnings("ignore")(test))


@pytest.fixture(scope="module")
def session():
    """One session of local Spark for all tests: each engine that starts makes its own beside it."""
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "2",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        # to compile each query takes longer than to evaluate it on so few rows; the test of the command line compiles
        "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }  # fmt: skip
    builder = SparkSession.builder.master("local[2]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    running = builder.getOrCreate()
    running.sparkContext.setLogLevel("OFF")
    yield LOCAL
    running.stop()


@pytest.fixture(scope="module")
def sail():
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer()
    server.start(background=True)
    host, port = server.listening_address
    yield EngineInput(name="spark", url=f"sc://{host}:{port}")
    server.stop()


@pytest.fixture(params=["session", "sail"])
def engine(request):
    return request.getfixturevalue(request.param)


def same(folder, engine, **changes):
    """Read a log with both engines, and compare all that they say, to the last bit."""
    one = read(folder, **changes)
    two = read_log(spec(**changes), folder, regions(), spill=folder / "spark", engine=engine)
    for ours, theirs in ((one.cells, two.cells), (one.by_category, two.by_category)):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert_same_bits(ours, theirs)
    assert one.stage == two.stage
    assert one.periods == two.periods
    assert not list((folder / "spark").iterdir())
    return one


def assert_same_bits(ours, theirs):
    assert ours.schema == theirs.schema
    for name in ours.column_names:
        a, b = (table[name].combine_chunks() for table in (ours, theirs))
        if pa.types.is_floating(a.type):
            a, b = (np.asarray(x.to_numpy(zero_copy_only=False)).view(np.int64) for x in (a, b))
            np.testing.assert_array_equal(a, b, err_msg=name)
        else:
            assert a.equals(b), name


def as_it_is(table):
    return table


def local_times_and_decimals(table):
    times = pa.array(table["paid_at"].cast(pa.timestamp("us")).to_pylist(), pa.timestamp("us"))
    money = pc.if_else(pc.less(pc.abs(table["money"]), 1e9), table["money"], 1.25)
    return table.set_column(0, "paid_at", times).set_column(7, "money", pc.round(money, 3).cast(pa.decimal128(14, 3)))


def numbered_people(table):
    """Ids as whole numbers, with cities as dictionaries and money as text."""
    for name in ("shop", "client"):
        numbers = pc.replace_substring_regex(table[name], "^[sb]", "").cast(pa.int64())
        table = table.set_column(table.schema.get_field_index(name), name, numbers)
    for name in ("from_city", "to_city", "state"):
        table = table.set_column(table.schema.get_field_index(name), name, pc.dictionary_encode(table[name]))
    return table.set_column(7, "money", table["money"].cast(pa.string()))


def as_text_times(table):
    return table.set_column(0, "paid_at", pc.strftime(table["paid_at"], format="%Y-%m-%dT%H:%M:%SZ"))


WITHOUT_IDS = {role: name for role, name in COLUMNS.items() if role not in ("transaction", "line", "category")}
CASES = {
    "plain": (as_it_is, {}),
    "city": (as_it_is, {"concentration": {"ranking": "city", "rounding": "fraction", "share": 0.3}}),
    "quarters": (local_times_and_decimals, {"period": "quarter", "from": "2017-Q1", "to": "2017-Q1"}),
    "numbers": (numbered_people, {"concentration": {"rounding": "ceil"}, "from": None, "to": None}),
    "without ids": (as_it_is, {"columns": WITHOUT_IDS}),
    "text times": (as_text_times, {}),
}


@pytest.mark.parametrize("case", CASES)
@on_spark
def test_cells_equal_duckdbs_to_the_last_bit(tmp_path, engine, case):
    change, spelled = CASES[case]
    split(change(dirty_log(21, 1500)), tmp_path, 3)
    log = same(tmp_path, engine, **spelled)
    assert log.stage.kept_rows > 500
    assert len(log.stage.exclusions) >= 8


@on_spark
def test_files_may_differ_in_widths_columns_and_folders(tmp_path, sail):
    table = dirty_log(22, 900)
    halves = table.slice(0, 500), table.slice(500).set_column(5, "order", table["order"].slice(500).cast(pa.int32()))
    for k, half in enumerate(halves):
        for state in ("paid", "done"):
            part = half.filter(pc.equal(half["state"], state)).drop_columns(["state"])
            folder = tmp_path / f"state={state}"
            folder.mkdir(exist_ok=True)
            pq.write_table(part, folder / f"{k}.parquet")
    log = same(tmp_path, sail, files="*/*.parquet")
    assert log.stage.kept_rows > 300


@on_spark
def test_simulated_world_through_the_command_line(tmp_path):
    """A dirty log of the packaged world, summed by a Spark that the program starts by itself."""
    from tradelift.worlds import simulate

    simulate(tmp_path / "world", scale="small", seed=3)
    for k, path in enumerate(sorted((tmp_path / "world" / "log").rglob("*.parquet"))):  # six million rows
        table = pq.read_table(path, partitioning=None)
        path.unlink()
        if k < MONTHS:
            pq.write_table(table.slice(0, ROWS), path)
    study = tmp_path / "world" / "study.yaml"
    text = study.read_text(encoding="utf-8")
    found = {}
    for name, line in (("duckdb", ""), ("spark", 'engine: {name: spark, url: "local[2]"}\n')):
        study.write_text(line + text, encoding="utf-8")
        out = tmp_path / name
        program = [str(Path(sys.executable).with_name("tradelift")), "panel", str(study), "--out", str(out), "--quiet"]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not [level for level in (" WARN ", " ERROR ") if level in done.stderr]  # of Spark's log
        found[name] = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
        assert json.loads(found[name].pop("manifest.json"))["engine"] == name
    assert found["spark"].keys() == found["duckdb"].keys()
    assert len(found["duckdb"]) > 10
    assert [name for name in found["duckdb"] if found["spark"][name] != found["duckdb"][name]] == []


@on_spark
def test_money_that_does_not_fit_is_refused(tmp_path, engine):
    rows = [{"money": 9.0e13, "order": k} for k in range(1100)]
    split(plain_log(rows), tmp_path, 1)
    with pytest.raises(DataError, match="too large"):
        read_log(spec(), tmp_path, regions(), spill=tmp_path / "spark", engine=engine)


@on_spark
def test_messages_quote_no_row(tmp_path, sail, capfd):
    rows = [{"shop": f"SECRETSELLER{k}", "client": f"SECRETBUYER{k}", "order": k} for k in range(3000)]
    split(plain_log(rows), tmp_path, 1)
    path = tmp_path / "part-0.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xa5" * 3000 + content[3004:])
    with pytest.raises(DataError, match=r"corrupt|could not") as error:
        read_log(spec(), tmp_path, regions(), spill=tmp_path / "spark", engine=sail)
    chain = error.value
    while chain is not None:
        assert "SECRET" not in str(chain)
        chain = chain.__context__
    assert "SECRET" not in "".join(capfd.readouterr())


def test_what_spark_reads_otherwise_is_refused_before_it_starts(tmp_path):
    table = dirty_log(1, 50)
    write_csv(table, tmp_path / "log.csv")
    nanoseconds = table.set_column(0, "paid_at", table["paid_at"].cast(pa.timestamp("ns", tz="UTC")))
    pq.write_table(nanoseconds, tmp_path / "log.parquet")
    for files, message in (("*.csv", "reads Parquet files, not"), ("*.parquet", "nanoseconds")):
        with pytest.raises(StudyError, match=message):
            read_log(spec(files=files), tmp_path, regions(), spill=tmp_path / "spark", engine=LOCAL)
    assert not (tmp_path / "spark").exists()


def test_missing_pyspark_and_java_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(spark, "find_spec", lambda _: None)
    with pytest.raises(StudyError, match=r"pip install 'tradelift\[spark\]'"):
        spark.Spark(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(StudyError, match="Java 17 or later; none was found"):
        spark.need_java()
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StudyError, match="found Java 11"):
        spark.need_java()


@pytest.mark.spark
def test_server_that_is_not_there_is_named_without_its_token(tmp_path):
    with pytest.raises(StudyError, match=r"sc://127\.0\.0\.1:1 cannot be reached") as error:
        spark.Spark(tmp_path, "sc://127.0.0.1:1/;token=SECRET;user_id=me")
    assert "SECRET" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "duckdb", "url": "local[2]"}, "write name: spark"),
        ({"name": "spark", "url": "http://host"}, "no Spark master"),
        ({"name": "spark", "memory": "2GB"}, "memory is DuckDB's"),
        ({"name": "spark", "settings": {"driver.memory": "2g"}}, "begin with spark"),
        ({"memory": "two"}, "no size of memory"),
    ],
)
def test_contradictions_of_the_engine_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        EngineInput.model_validate(given)
