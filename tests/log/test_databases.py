"""Logs that are tables: of a DuckDB file, and of a real PostgreSQL server that the tests start."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.log.logs import account, dirty_log, read, regions, same_cells, spec, split
from tradelift.errors import DataError, StudyError
from tradelift.log import read_log
from tradelift.study.databases import read_address
from tradelift.study.inputs import EngineInput

PASSWORD = "pass%23word"  # in an address; the server knows it as pass#word
USER = "owner"
CLUSTERS = "/usr/lib/postgresql"


def programs():
    """The folder of PostgreSQL's programs, or None."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path(CLUSTERS).glob("*/bin"), key=lambda p: int(p.parent.name))
    return versions[-1] if versions else None


@pytest.fixture(scope="module")
def server():
    """A cluster of its own; PostgreSQL refuses to run as root, so root hands it to the user of Debian's package."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    as_user = {"user": "postgres"} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="tradelift-postgresql-") as place:
        folder = Path(place)
        if as_user:
            shutil.chown(folder, "postgres")

        def call(program, *options):
            given = [bin_folder / program, "-D", folder / "data", *options]
            silent = subprocess.DEVNULL
            subprocess.run(given, check=True, cwd=folder, stdout=silent, stderr=silent, **as_user)

        (folder / "password").write_text("pass#word")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        passwords = ["-A", "scram-sha-256", "-U", USER, f"--pwfile={folder / 'password'}"]
        call("initdb", *passwords, "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-p {port} -k {folder} -h 127.0.0.1 -c fsync=off"
        call("pg_ctl", "-w", "-l", folder / "log", "-o", options, "start")
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        call("pg_ctl", "-m", "immediate", "stop")


COLUMNS_OF_ROWS = {
    "paid_at": "timestamptz", "from_city": "text", "to_city": "varchar(20)", "shop": "text", "client": "text",
    '"order"': "bigint", "item": "integer", "money": "numeric", "kind": "text", "state": "text",
}  # fmt: skip


def fill(address, table, name="orders"):
    """Write rows into PostgreSQL."""
    import adbc_driver_postgresql.dbapi as postgresql

    with postgresql.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS shop")
        columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS_OF_ROWS.items())
        cursor.execute(f"CREATE TABLE shop.{name} ({columns})")
        cursor.adbc_ingest("staged", table.set_column(7, "money", table["money"].cast(pa.string())), mode="replace")
        money = "money::numeric AS money"
        parts = ", ".join(money if c == "money" else c for c in COLUMNS_OF_ROWS)
        cursor.execute(f"INSERT INTO shop.{name} SELECT {parts} FROM staged")
        connection.commit()


def finite(table):
    """Amounts that are numbers in every database; one of them with many digits."""
    known = pc.and_(pc.is_finite(table["money"]), pc.less(pc.abs(table["money"]), 1e9))
    money = pc.if_else(known, table["money"], None).to_pylist()
    money[0] = 0.285  # half a cent up in decimals, down in floats
    return table.set_column(7, "money", pa.array(money, pa.float64()))


def as_decimals(table):
    exact = pc.round(table["money"], 3).cast(pa.decimal128(20, 3))
    return table.set_column(7, "money", exact)


@pytest.mark.postgresql
def test_postgresql_gives_the_cells_of_the_same_rows_in_parquet(tmp_path, server):
    table = finite(dirty_log(5))
    split(as_decimals(table), tmp_path, 3)
    fill(server, table)
    files, rows = read(tmp_path), read(tmp_path, files=f"{server}?table=shop.orders")
    same_cells(files, rows)
    assert rows.by_category.equals(files.by_category)
    assert rows.stage == files.stage
    assert rows.stage.read_rows == table.num_rows
    assert account(rows)
    assert rows.files == ()


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({":pass%23word": ":SECRETwrong"}, "refuses the user or the password"),
        ({"/postgres": "/nothing"}, "no such database"),
        ({"shop.orders": "shop.nothing"}, "no such database, role or table"),
    ],
)
def test_messages_hold_neither_password_nor_library_text(tmp_path, server, change, message):
    address = f"{server}?table=shop.orders"
    for old, new in change.items():
        address = address.replace(old, new)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, files=address)
    chain = error.value
    while chain is not None:
        assert "SECRET" not in str(chain)
        assert "word@" not in str(chain)
        assert "libpq" not in str(chain)
        chain = chain.__context__


@pytest.mark.postgresql
def test_postgresql_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="nothing listens there"):
        read(tmp_path, files="postgresql://owner@127.0.0.1:1/shop?table=orders")


def database(path, table, name="orders", schema="main"):
    with duckdb.connect(str(path)) as db:
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        db.register("rows", table)
        db.execute(f"CREATE TABLE {schema}.{name} AS SELECT * FROM rows")


@pytest.mark.parametrize("times", ["instants", "text"])
def test_duckdb_file_gives_the_cells_of_the_same_rows_in_parquet(tmp_path, times):
    table = dirty_log(6)
    if times == "text":
        table = table.set_column(0, "paid_at", pc.strftime(table["paid_at"], format="%Y-%m-%dT%H:%M:%SZ"))
    split(table, tmp_path, 3)
    database(tmp_path / "orders.duckdb", table, schema="shop")
    before = (tmp_path / "orders.duckdb").read_bytes()
    files, rows = read(tmp_path), read(tmp_path, files="duckdb://orders.duckdb?table=shop.orders")
    same_cells(files, rows)
    assert rows.stage == files.stage
    assert rows.files == (tmp_path / "orders.duckdb",)
    assert (tmp_path / "orders.duckdb").read_bytes() == before


def test_duckdb_decimals_are_exact(tmp_path):
    table = as_decimals(finite(dirty_log(7, 300)))
    split(table, tmp_path, 1)
    database(tmp_path / "orders.duckdb", table)
    same_cells(read(tmp_path), read(tmp_path, files="duckdb://orders.duckdb?table=orders"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("duckdb://nothing.duckdb?table=orders", "does not exist"),
        ("duckdb://orders.duckdb?table=nothing", "no table 'main.nothing'; found main.orders"),
        ("duckdb://orders.duckdb?table=seen", "Views are not read"),
        ("duckdb://broken.duckdb?table=orders", "no DuckDB file"),
        (["duckdb://orders.duckdb?table=orders", "*.parquet"], "either files or one table"),
    ],
)
def test_tables_that_cannot_be_read_are_named(tmp_path, files, message):
    database(tmp_path / "orders.duckdb", dirty_log(1, 30))
    with duckdb.connect(str(tmp_path / "orders.duckdb")) as db:
        db.execute("CREATE VIEW seen AS SELECT * FROM orders")
    (tmp_path / "broken.duckdb").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(DataError, match=message):
        read(tmp_path, files=files)


def test_spark_reads_no_table(tmp_path):
    database(tmp_path / "orders.duckdb", dirty_log(1, 30))
    with pytest.raises(StudyError, match=r"reads Parquet files, not duckdb://orders\.duckdb"):
        read_log(
            spec(files="duckdb://orders.duckdb?table=orders"), tmp_path, regions(), spill=tmp_path / "spill",
            engine=EngineInput(name="spark"),
        )  # fmt: skip


def test_addresses_hide_what_is_secret():
    found = read_address("postgresql://me:SECRET@host:5433/shop?table=public.orders&sslmode=require")
    assert found.table == ("public", "orders")
    assert found.name == "postgresql://host:5433/shop?table=public.orders"
    assert found.url == "postgresql://me:SECRET@host:5433/shop?sslmode=require"
    assert found.has_password
    assert "SECRET" not in repr(found)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("postgresql://me:SECRET@host/shop", "names no table"),
        ("postgresql://me:SECRET@host:port/shop?table=t", "cannot be read"),
        ("duckdb://?table=t", "names no file"),
        ("duckdb://orders.duckdb", "names no table"),
    ],
)
def test_addresses_that_cannot_be_read(address, message):
    with pytest.raises(ValueError, match=message) as error:
        spec(files=address)
    assert "SECRET" not in str(error.value).split("input_value", maxsplit=1)[0]
    with pytest.raises(ValueError, match=message) as error:
        read_address(address)
    assert "SECRET" not in str(error.value)
