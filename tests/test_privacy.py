"""No id of a seller, a buyer or a transaction leaves the engine: every byte that a command leaves is searched."""

import os
import re
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradelift.study import write_template

TRADELIFT = str(Path(sys.executable).with_name("tradelift"))
SMALL_MEMORY = (
    "import tradelift.log.embedded as e; e.DuckDB.__init__.__defaults__ = ('{limit}',); "
    "from tradelift.cli import main; main()"
)
PATIENCE_SECONDS = 120.0
BUYERS_FROM = 7_310_000_000_000_000  # buyers are integers: their eight bytes are searched, too
TEXTS = re.compile(rb"(?i)zqsel-|zqorder-|7310000000000[0-9]{3}|z\x00q\x00s\x00e\x00l\x00")


def found_in(path):
    """What of an id stands in a file, also inside of what is packed."""
    return [f"{path.name}: {hit!r}" for content in _contents(path.name, path.read_bytes()) for hit in _hits(content)]


def _hits(content):
    hits = TEXTS.findall(content)
    # integers: the upper bytes are shared by all buyers, so that one search finds the places to look at
    for order, shared in (
        ("little", BUYERS_FROM.to_bytes(8, "little")[2:]),
        ("big", BUYERS_FROM.to_bytes(8, "big")[:6]),
    ):
        hits += [f"integer, {order} end first"] * (shared in content)
    return hits


def _contents(name, content):
    """The bytes as they are, and as their reader sees them."""
    yield content
    if zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for inside in archive.namelist():
                yield from _contents(inside, archive.read(inside))
    for read in (_parquet, _arrow, zlib.decompress):
        try:
            yield read(content)
        except (pa.ArrowException, OSError, zlib.error, ValueError):
            continue


def _parquet(content):
    file = pq.ParquetFile(pa.BufferReader(content))
    return repr((file.read().to_pydict(), file.metadata.to_dict(), file.schema_arrow.metadata)).encode()


def _arrow(content):
    try:
        table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
    except pa.ArrowInvalid:
        table = pa.ipc.open_stream(pa.BufferReader(content)).read_all()
    return repr((table.to_pydict(), table.schema.metadata)).encode()


@pytest.fixture
def house(tmp_path):
    """A study on a log whose ids are easily recognized, and a home and temporary folder of its own."""
    return lay_out(tmp_path)


def lay_out(tmp_path):
    """Fill a folder with them."""
    for name in ("home", "tmp", "cache"):
        (tmp_path / name).mkdir()
    write_template(tmp_path / "mine")
    path = tmp_path / "mine" / "transactions.csv"
    log = duckdb.sql(
        f"""SELECT paid_at, 'ZQorder-' || order_id AS order_id, seller_city, buyer_city, 'ZQsel-' || seller_id AS seller_id,
        {BUYERS_FROM} + hash(buyer_id) % 100 AS buyer_id, category, status, amount FROM read_csv('{path}')"""
    ).to_arrow_table()
    path.unlink()
    pq.write_table(log, tmp_path / "mine" / "transactions.parquet", row_group_size=1000)
    study = tmp_path / "mine" / "study.yaml"
    study.write_text(study.read_text().replace("transactions.csv", "transactions.parquet"))
    return tmp_path


def environment(house):
    own = {"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "TMP": "tmp", "TEMP": "tmp"}
    return os.environ | {name: str(house / folder) for name, folder in own.items()}


def call(house, *arguments, status=0):
    """Run a command; what it says is kept in a file, to be searched like all others."""
    done = subprocess.run([TRADELIFT, *arguments], cwd=house, env=environment(house), capture_output=True, check=False)
    assert done.returncode == status, done.stderr.decode()
    with (house / "said").open("ab") as file:
        file.write(done.stdout + done.stderr)
    return done


def left(house):
    """Every file but the log itself."""
    files = [p for p in house.rglob("*") if p.is_file() and p.suffix != ".log" and p.parent.name != "log"]
    own = {house / "mine" / name for name in ("transactions.parquet", "transactions.csv")}
    return [path for path in files if path not in own]


def leaks(house):
    """Ids in what is left."""
    return [hit for path in left(house) for hit in found_in(path)]


def test_the_search_finds_ids_however_they_are_packed(house, tmp_path):
    kept = pack(house, tmp_path)
    assert all(found_in(path) for path in kept), [p.name for p in kept if not found_in(p)]


def pack(house, tmp_path):
    """Ids in every form that they could leave in, a file each."""
    log = pq.read_table(house / "mine" / "transactions.parquet")
    kept = tmp_path / "control"
    kept.mkdir()
    for name in ("seller_id", "buyer_id", "order_id"):
        column = log.select([name])
        pq.write_table(column, kept / f"{name}.parquet", compression="zstd", use_dictionary=False)
        with (
            pa.OSFile(str(kept / f"{name}.sums"), "wb") as sink,
            pa.ipc.new_file(sink, column.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer,
        ):
            writer.write_table(column)
        (kept / f"{name}.txt").write_text(str(column[0][0]))
        (kept / f"{name}.z").write_bytes(zlib.compress(str(column[0][0]).encode()))
    np.array([BUYERS_FROM + 7]).tofile(kept / "number.bin")
    (kept / "wide.bin").write_bytes("ZQsel-1".encode("utf-16-le"))
    with zipfile.ZipFile(kept / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(kept / "seller_id.parquet", "seller_id.parquet")
    return sorted(kept.iterdir())


def test_after_success_and_a_mistake(house):
    call(house, "run", "mine/study.yaml", "--out", "out", "--only", "gravity", "--verbose")
    call(house, "export", "out", "--to", "panel.csv")
    call(house, "package", "out", "--to", "package.zip", "--json")
    assert (house / "mine" / ".tradelift").is_dir()  # the cache is searched, too
    ids_as_amounts(house)
    call(house, "run", "mine/study.yaml", "--out", "out", status=2)
    assert leaks(house) == []


def ids_as_amounts(house, name="amount", ids="seller_id"):
    """Put ids where something else should stand: errors must not quote them."""
    log = house / "mine" / "transactions.parquet"
    table = pq.read_table(log)
    pq.write_table(table.set_column(table.column_names.index(name), name, table[ids]), log)


@pytest.mark.slow
def test_after_every_command_and_more_mistakes(house):
    call(house, "check", "mine/study.yaml", "--json", "--verbose")
    call(house, "run", "mine/study.yaml", "--out", "out", "--verbose", "--json")
    call(house, "run", "mine/study.yaml", "--out", "out", "--check")
    call(house, "panel", "mine/study.yaml", "--out", "panel")
    call(house, "export", "out", "--to", "panel.parquet", "--public")
    call(house, "package", "out", "--to", "package.zip", "--public")
    log = house / "mine" / "transactions.parquet"
    whole = log.read_bytes()
    for spoil in (
        lambda: log.write_bytes(whole[: len(whole) // 2]),
        lambda: ids_as_amounts(house, "paid_at", "order_id"),
        lambda: ids_as_amounts(house, "seller_city"),
        lambda: ids_as_amounts(house, "status"),
    ):
        log.write_bytes(whole)
        spoil()
        call(house, "run", "mine/study.yaml", "--out", "out", status=2)
    assert leaks(house) == []


def kill_in_the_log(house, seconds, *, limit):
    """Start a run and kill it some time after its engine has begun; a small memory makes that write to disk."""
    command = [sys.executable, "-c", SMALL_MEMORY.format(limit=limit), "run", "mine/study.yaml", "--out", "out"]
    with (house / "said").open("ab") as said:
        run = subprocess.Popen(
            command, cwd=house, env=environment(house), stdout=said, stderr=said, start_new_session=True
        )
        end, begun = time.monotonic() + PATIENCE_SECONDS, False
        while time.monotonic() < end and run.poll() is None and not begun:
            time.sleep(0.02)
            begun = any(house.rglob("engine-*"))
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert begun  # the kill may come when the engine has ended: then what it has left is searched all the same


def enlarge(house, times):
    """Repeat the log under ids of its own."""
    path = house / "mine" / "transactions.parquet"
    log = duckdb.sql(
        f"""SELECT * REPLACE (order_id || '-' || n AS order_id, seller_id || '-' || (n % 50) AS seller_id)
        FROM read_parquet('{path}'), range({times}) AS t(n)"""
    ).to_arrow_table()
    pq.write_table(log, path)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.4, 0.8])
def test_after_a_kill_with_little_memory(house, seconds):
    enlarge(house, 15)
    kill_in_the_log(house, seconds, limit="200MB")
    assert leaks(house) == []


def test_after_a_kill_while_the_log_is_summed(house):
    enlarge(house, 5)
    kill_in_the_log(house, 0.05, limit="1GB")
    assert leaks(house) == []
