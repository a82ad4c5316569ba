import re
from dataclasses import replace
from html import unescape

import pytest

from tests.exhibits.small import CHINESE, HOSTILE, study, two_sides
from tradelift.exhibits import EXHIBITS, Column, DataTable
from tradelift.report.frames import frame, stub
from tradelift.report.numbers import written
from tradelift.report.tables import table_html


def table(**changes):
    content = {
        "name": "t",
        "title": HOSTILE,
        "columns": (
            Column(name="who", label=HOSTILE),
            Column(name="n", label="Same", kind="count"),
            Column(name="x", label="Same", kind="number"),
        ),
        "rows": ((CHINESE, 1234, -0.5), (HOSTILE, None, 2000.0)),
        "label": "who",
    }
    return DataTable(**content | changes)


def texts(html):
    return [
        unescape(re.sub(r"<[^>]+>", "", cell))
        for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", html, flags=re.DOTALL)
    ]


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        (None, Column(name="c", label="", kind="number"), ""),
        (12345.678, Column(name="c", label="", kind="number"), "12,345.68"),
        (1234567.891, Column(name="c", label="", kind="number"), "1,234,568"),
        (5614512520.4, Column(name="c", label="", kind="number", significant=4, scale=1e6), "5,615"),
        (-581725875.0, Column(name="c", label="", kind="number", significant=4, scale=1e6), "\N{MINUS SIGN}581.7"),
        (0.0134, Column(name="c", label="", kind="number"), "0.013"),
        (0.0, Column(name="c", label="", kind="number"), "0.00"),
        (8984.46, Column(name="c", label="", kind="number", significant=4), "8,984"),
        (11441016.9, Column(name="c", label="", kind="number", significant=4), "11,441,017"),
        (0.43754, Column(name="c", label="", kind="number", significant=4), "0.4375"),
        (0.0, Column(name="c", label="", kind="number", significant=4), "0.00"),
        (float("nan"), Column(name="c", label="", kind="number", significant=4), "n/a"),
        (-0.0001, Column(name="c", label="", kind="number", digits=2), "0.00"),
        (-2.5, Column(name="c", label="", kind="number", digits=1), "\N{MINUS SIGN}2.5"),
        (float("nan"), Column(name="c", label="", kind="number"), "n/a"),
        (float("inf"), Column(name="c", label="", kind="number"), "\N{INFINITY}"),
        (float("-inf"), Column(name="c", label="", kind="number"), "\N{MINUS SIGN}\N{INFINITY}"),
        (-12345, Column(name="c", label="", kind="count"), "\N{MINUS SIGN}12,345"),
        ("12345678901234567.10", Column(name="c", label="", kind="money"), "12,345,678,901,234,567.10"),
        ("both", Column(name="c", label="", words={"both": "Both directions"}), "Both directions"),
        (0.0004, Column(name="x", label="", kind="number", digits=3, least=0.001), "<0.001"),
        (0.001, Column(name="x", label="", kind="number", digits=3, least=0.001), "0.001"),
        (-0.2, Column(name="x", label="", kind="number", digits=3, least=0.001), "\N{MINUS SIGN}0.200"),
        (float("nan"), Column(name="x", label="", kind="number", digits=3, least=0.001), "n/a"),
    ],
)
def test_values_are_written_for_readers(value, column, expected):
    assert written(value, column) == expected


def test_all_text_is_escaped_and_heads_may_repeat():
    html = table_html(table())
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert CHINESE in texts(html)
    assert [t.strip("\N{ZERO WIDTH SPACE}") for t in texts(html)[1:3]] == ["Same", "Same"]


def test_ids_stand_under_the_name_of_the_table_and_style_is_left_to_the_page():
    html = table_html(table())
    assert all(i.startswith("tab-t-") for i in re.findall(r'\bid="([^"]+)"', html))
    assert "style=" not in html
    assert html.count("<caption>") == 1


def test_long_tables_fold():
    rows = tuple((f"r{i}", i, None) for i in range(5))
    html = table_html(table(rows=rows, fold=2))
    assert html.index("r1") < html.index("<details>") < html.index("r2")
    assert "Show the other 3" in html
    assert "<details>" not in table_html(table(rows=rows, fold=5))


def test_groups_are_panels():
    columns = (Column(name="g", label="", words={"a": "Panel A"}), *table().columns)
    html = table_html(table(columns=columns, rows=(("a", "x", 1, 2.0), ("b", "x", 2, 3.0)), group="g"))
    assert "Panel A" in html
    assert html.count("gt_group_heading_row") == 2


def test_tables_of_words_stand_left_and_long_words_break():
    columns = (Column(name="who", label=""), Column(name="note", label="note"))
    assert 'class="words"' in table_html(table(columns=columns, rows=(("a", "b"),)))
    assert 'class="words long"' in table_html(table(columns=columns, rows=(("a", "b" * 50),)))


def test_regressions_have_errors_intervals_percent_and_what_was_not_used():
    panel, about = two_sides(), study()
    results = {key: task.estimate(panel) for key, task in EXHIBITS["gravity"].plan(about, panel).items()}
    shown = EXHIBITS["gravity"].show(about, panel, results)
    html = table_html(shown.tables[0])
    estimate = results["log(trade), OLS, both"]
    row = estimate.tidy().iloc[0]
    cell = f"{row['estimate']:.3f}<br>({row['std_error']:.3f})<br>[{row['conf_low']:.3f}, {row['conf_high']:.3f}]"
    assert cell.replace("-", "\N{MINUS SIGN}") in html
    assert f"{estimate.percent().iloc[0]['percent']:.1f}%" in html
    cells = texts(html)
    assert cells[cells.index("Not used: not positive") + 1] == "1"
    assert "Origin \N{MULTIPLICATION SIGN} period effects" in cells
    blank = shown.tables[0].panels | {"both": (None, *shown.tables[0].panels["both"][1:])}
    assert cell.replace("-", "\N{MINUS SIGN}") not in table_html(
        type(shown.tables[0])(
            name="g", title="g", heads=shown.tables[0].heads, panels=blank, labels=shown.tables[0].labels
        )
    )
    assert "Not used: zero weight" not in cells
    unweighted = replace(estimate, exclusions={**estimate.exclusions, "zero_weight": 5})
    table = replace(shown.tables[0], panels={"both": (unweighted, *shown.tables[0].panels["both"][1:])})
    cells = texts(table_html(table))
    assert cells[cells.index("Not used: zero weight") + 1] == "5"


def test_words_of_several_columns_label_rows_and_panels():
    columns = (
        Column(name="design", label="Design", words={"rd": "Spatial RD"}),
        Column(name="by", label=""),
        Column(name="lag", label="", words={"0": ""}),
        Column(name="direction", label="Direction"),
        Column(name="x", label="X", kind="number"),
    )
    rows = (("rd", "OLS", 0, "east", 1.5), ("rd", "OLS", 0, "west", 2.5), ("rd", "PPML", "before", "east", 3.5))
    made = DataTable(
        name="t", title="t", columns=columns, rows=rows, label=("direction", "by"), group=("design", "by", "lag")
    )
    assert made.labels == ("direction", "by")
    assert stub(made) == "Direction"
    cells = frame(made)
    assert list(cells.index) == [
        ("Spatial RD, OLS", "east, OLS"),
        ("Spatial RD, OLS", "west, OLS"),
        ("Spatial RD, PPML, before", "east, PPML"),
    ]
    assert list(cells.columns) == ["X"]
    assert [record["by"] for record in made.records()] == ["OLS", "OLS", "PPML"]


def test_columns_of_words_stand_left_and_many_columns_stand_close():
    numbers = [Column(name=f"x{n}", label=f"X{n}", kind="number") for n in range(14)]
    columns = (Column(name="who", label=""), Column(name="by", label="By"), *numbers)
    wide = DataTable(name="t", title="t", columns=columns, rows=(("a", "OLS", *[1234.5] * 14),), label="who")
    assert 'class="numbers short close w2"' in table_html(wide)
    few = DataTable(name="t", title="t", columns=columns[:3], rows=(("a" * 29, "OLS", 1.0),), label="who")
    assert 'class="numbers w2"' in table_html(few)
