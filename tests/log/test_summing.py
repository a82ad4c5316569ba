"""Cells and account against SQL written from the method notes."""

import gzip
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.log.logs import CELL, COLUMNS, HEADER, ROW, account, dirty_log, plain_log, read, same_cells, split, write_csv
from tests.log.oracle import expected_account, expected_cells
from tradelift.log import summing

ROUNDING = 1e-12  # two sums of the same doubles in another order


@pytest.mark.parametrize(("seed", "rows"), [(0, 1200), (1, 1200), (8, 40), (3, 60)])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "fraction"])
def test_equals_sql_from_the_definitions(tmp_path, seed, rows, rounding):
    table = dirty_log(seed, rows)
    split(table, tmp_path, 3)
    ranking = ("flow", "city")[seed % 2]
    log = read(tmp_path, concentration={"ranking": ranking, "rounding": rounding})
    expected = expected_cells(table, rounding)
    found = log.cells.to_pandas()
    both = [f"{who}_concentration_{r}" for who in ("seller", "buyer") for r in ("flow", "city")]
    shares = [f"{who}_share_{k}" for who in ("seller", "buyer") for k in (1, 2)]
    same = [*CELL, "lines", "deals", *both, "sellers", "buyers", *shares]
    traded = expected["lines"] > 0
    for name in ("trade_minor", "sellers", "buyers"):
        expected[name] = expected[name].fillna(0)
    pd.testing.assert_frame_equal(
        found[[*same, "trade_minor"]], expected[[*same, "trade_minor"]], check_dtype=False, rtol=ROUNDING, atol=ROUNDING
    )
    np.testing.assert_allclose(found["refunds"] * 100, expected["refunds"], rtol=ROUNDING)
    for who in ("seller", "buyer"):
        top = expected[f"top_{who}_{ranking}"].fillna(0)
        np.testing.assert_allclose(found[f"top_{who}_trade"], top, rtol=ROUNDING, atol=1e-9)
        np.testing.assert_allclose(
            found[f"top_{who}_trade"] + found[f"other_{who}_trade"], found["trade"], rtol=ROUNDING
        )
        pd.testing.assert_series_equal(
            found[f"{who}_concentration"], found[f"{who}_concentration_{ranking}"], check_names=False
        )
    assert traded.all() == (rows > 60)  # small logs have cells with refunds alone


@pytest.mark.parametrize("seed", range(4, 10))
def test_account_equals_sql_from_the_definitions(tmp_path, seed):
    table = dirty_log(seed)
    split(table, tmp_path, 2)
    log = read(tmp_path)
    expected = expected_account(table)
    kept = expected.pop("kept")
    assert account(log) == expected
    assert len(expected) == 9  # every kind of dirt
    assert (log.stage.kept_rows, log.stage.kept_amount) == kept
    assert log.stage.read_rows == table.num_rows
    assert log.stage.read_amount == kept[1] + sum(amount for _, amount in expected.values())


@pytest.mark.parametrize("share", [0.05, 0.29, 0.3])
def test_any_share_is_cut_in_exact_arithmetic(tmp_path, share):
    table = dirty_log(11, sellers=200)
    split(table, tmp_path, 1)
    log = read(tmp_path, concentration={"share": share})
    expected = expected_cells(table, share=(round(share * 100), 100))
    for name in ("seller_concentration_flow", "buyer_concentration_city"):
        np.testing.assert_allclose(log.cells[name].to_numpy(), expected[name], rtol=ROUNDING)


@pytest.mark.parametrize("layout", ["one file", "shuffled", "month folders", "small spans"])
def test_neither_order_nor_files_matter(tmp_path, layout):
    table = dirty_log(20)
    (tmp_path / "a").mkdir()
    split(table, tmp_path / "a", 1)
    (tmp_path / "b").mkdir()
    if layout == "one file":
        table = table.sort_by("paid_at")
    else:
        table = table.take(np.random.default_rng(1).permutation(len(table)))
    if layout == "month folders":  # by the month in UTC, which is not the local one
        months = pc.fill_null(pc.strftime(table["paid_at"], format="%Y-%m"), "none")
        for month in months.unique().to_pylist():
            part = table.filter(pc.equal(months, month))
            split(part, tmp_path / "b", 2, f"month={month}/part-{{}}.parquet")
    else:
        split(
            table,
            tmp_path / "b",
            1 if layout == "one file" else 7,
            row_group_size=20 if layout == "small spans" else 999,
        )
    one = read(tmp_path, files="a/*.parquet")
    two = read(tmp_path, files=["b/*.parquet" if layout != "month folders" else "b/*/*.parquet"])
    same_cells(one, two)
    assert one.by_category.equals(two.by_category)
    assert one.stage == two.stage


def test_csv_equals_parquet(tmp_path):
    table = dirty_log(21)
    split(table, tmp_path, 2)
    write_csv(table.slice(0, 500), tmp_path / "a.csv")
    write_csv(
        table.slice(500).select(table.column_names[::-1]).select(table.column_names), tmp_path / "b.csv", delimiter=";"
    )
    one, two = read(tmp_path), read(tmp_path, files="*.csv")
    same_cells(one, two)
    assert one.stage == two.stage


def encoded(table, form):
    text = io.BytesIO()
    write_csv(table, text, delimiter=form.get("delimiter", ","))
    content = text.getvalue()
    if form.get("windows"):
        content = b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")
    return gzip.compress(content) if form.get("packed") else content


FORMS = {
    "a.csv": {}, "a.tsv": {"delimiter": "\t"}, "a.txt": {"delimiter": "|"}, "w.csv": {"windows": True},
    "a.csv.gz": {"packed": True},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_csv(tmp_path, name):
    odd = {"kind": 'tea, "green"\nand | black', "shop": "007"}
    table = plain_log([odd, {"order": 2, "shop": "7", "money": 3.0}, {"order": 3, "money": None}])
    split(table, tmp_path, 1)
    (tmp_path / name).write_bytes(encoded(table, FORMS[name]))
    if FORMS[name].get("windows"):  # the line end within quotes changes with the others
        table = table.set_column(8, "kind", pa.array([odd["kind"].replace("\n", "\r\n"), "food", "food"]))
        split(table, tmp_path, 1)
    one, two = read(tmp_path), read(tmp_path, files=name)
    same_cells(one, two)
    assert one.by_category.equals(two.by_category)
    assert one.stage == two.stage
    assert two.cells["sellers"].to_pylist() == [2]  # 007 is not 7


def test_csv_files_with_other_columns(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + ROW)
    (tmp_path / "b.csv").write_text("note,paid_at,money,item,order,client,shop,to_city,from_city,kind,state\n"
                                    "x,2017-02-05,7.00,1,2,b1,s1,w1,e1,food,paid\n")  # fmt: skip
    for columns in (COLUMNS, {role: name for role, name in COLUMNS.items() if role != "line"}):
        log = read(tmp_path, files="*.csv", columns=columns)
        assert log.cells["trade_minor"].to_pylist() == [500, 700]


def test_copied_rows_give_what_rows_in_place_give(tmp_path, monkeypatch):
    table = dirty_log(22)
    split(table, tmp_path, 2)
    one = read(tmp_path)
    monkeypatch.setattr(summing, "COPY_FROM_ROWS", 0)
    monkeypatch.setattr(summing, "COPY_FROM_READS", 0.0)
    two = read(tmp_path)
    same_cells(one, two)
    assert one.stage == two.stage


def test_without_line_ids_a_duplicate_is_an_equal_row(tmp_path):
    columns = {role: name for role, name in COLUMNS.items() if role not in ("line", "transaction")}
    table = dirty_log(23)
    split(table, tmp_path, 2)
    log = read(tmp_path, columns=columns)
    distinct = table.group_by(table.column_names).aggregate([([], "count_all")])
    split(distinct.select(table.column_names), tmp_path / "distinct", 1)
    once = read(tmp_path, columns=columns, files="distinct/*.parquet")
    same_cells(log, once)
    assert "duplicate line" not in account(once)
    assert log.stage.read_rows - account(log)["duplicate line"][0] >= once.stage.read_rows
    assert account(log)["duplicate line"][0] > 20


def test_categories_add_up_to_cells(tmp_path):
    split(dirty_log(24), tmp_path, 2)
    log = read(tmp_path)
    parts = log.by_category.to_pandas()
    assert set(parts["category"]) == {"food", "craft", "unknown"}
    whole = parts.groupby(CELL)[["trade_minor", "lines"]].sum()
    cells = log.cells.to_pandas().set_index(CELL)
    pd.testing.assert_frame_equal(whole, cells.loc[cells["lines"] > 0, ["trade_minor", "lines"]])


def test_without_categories_sellers_and_buyers(tmp_path):
    table = dirty_log(25)
    split(table, tmp_path, 1)
    columns = {role: COLUMNS[role] for role in ("time", "origin", "destination", "amount")}
    log = read(tmp_path, columns=columns, keep={})
    assert log.by_category is None
    assert log.cells.column_names == [
        "origin",
        "destination",
        "period",
        "trade",
        "trade_minor",
        "deals",
        "lines",
        "refunds",
    ]
    assert log.cells["deals"].equals(log.cells["lines"])


def test_progress_counts_the_periods(tmp_path):
    split(dirty_log(26), tmp_path, 1)
    seen = []
    log = read(tmp_path, progress=lambda *step: seen.append(step))
    assert seen == [("log", k, 3) for k in range(4)]
    assert log.periods == ("2017-01", "2017-02", "2017-03")
    assert log.files == (tmp_path / "part-0.parquet",)
