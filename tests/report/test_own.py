"""A user's own list of estimates goes into a paper."""

import csv
from io import StringIO

import docx
import numpy as np
import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tests.report.test_formats import compiled, read_docx, read_html, read_latex


@pytest.fixture(scope="module")
def panel():
    return two_sided(seed=3, n_east=9, n_west=10, partners=14)[0]


@pytest.fixture(scope="module")
def every(panel):
    ppml = tl.Gravity(vcov="pair").estimate(panel)
    ols = tl.Gravity(outcome="log(trade)", controls=["log(distance_km)", "shock"], vcov="two-way").estimate(panel)
    return [ppml, ols]


def test_every_format_has_the_numbers(every, tmp_path):
    shown = tl.table(
        every, title="Trade & partners", name="main", labels={"partner": "Partner regions"}, notes=["Mine."]
    )
    for kind in ("html", "tex", "docx", "csv"):
        assert shown.save(tmp_path / f"main.{kind}").stat().st_size > 500
    html = read_html((tmp_path / "main.html").read_text(encoding="utf-8"))
    assert read_latex((tmp_path / "main.tex").read_text(encoding="utf-8")) == html
    assert read_docx((tmp_path / "main.docx").read_bytes()) == html
    assert read_html(shown._repr_html_()) == html
    assert shown._repr_html_().endswith("<br>Mine.</p></div>")
    for one in every:
        for row in one.tidy().to_dict("records"):
            text = f"{row['estimate']:.3f}".replace("-", "\N{MINUS SIGN}")
            assert text in html
            assert f"({row['std_error']:.3f})" in html
        assert f"{one.n_obs:,}" in html
        assert one.se_type in html
    assert "Partner regions" in html
    lines = [f"{call}({one.formula})" for call, one in zip(("fepois", "feols"), every, strict=True)]
    assert shown.content.notes[1] == f"In fixest: {'; '.join(lines)}."
    assert "Origin \N{MULTIPLICATION SIGN} period effects" in html
    assert r"\caption{Trade \& partners}\label{tab:main}" in shown.latex()
    assert [p.text for p in docx.Document(tmp_path / "main.docx").paragraphs][-1] == "Mine."
    rows = list(csv.DictReader(StringIO((tmp_path / "main.csv").read_text(encoding="utf-8"))))
    np.testing.assert_array_equal(
        [float(row["estimate"]) for row in rows], np.concatenate([one.coefficients for one in every])
    )


def test_panels_stand_below_each_other(every):
    shown = tl.table({"Both": every, "Only one": [every[0], None]})
    text = shown.latex()
    assert text.index("\\textit{Both}") < text.index("\\textit{Only one}") < text.index("In every panel")
    assert "textit" not in tl.table(every).latex()


def test_one_estimate_needs_no_list(every):
    assert tl.table(every[0]).latex() == tl.table([every[0]]).latex()
    assert tl.table({"Both": every[0]}).latex() == tl.table({"Both": [every[0]]}).latex()


def test_labels_order_terms_and_name_outcomes(every):
    text = tl.table(every, labels={"shock": "Shock (%)", "trade": "Trade", "partner": "Partners"}).latex()
    assert text.index(r"Shock (\%)") < text.index("Partners") < text.index(r"log(distance\_km)")
    assert r"\multicolumn{1}{c}{Trade}" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "A table needs an estimate; found none"),
        ({"a": [None]}, "A table needs an estimate; found none"),
        (["partner"], "found str. Give what a design's estimate"),
    ],
)
def test_what_is_no_estimate_is_refused(given, said):
    with pytest.raises(tl.DesignError, match=said):
        tl.table(given)


def test_panels_of_different_widths_and_unknown_files_are_refused(every, tmp_path):
    with pytest.raises(
        tl.DesignError, match=r"one estimate a column, None where there is none; found {'a': 2, 'b': 1}"
    ):
        tl.table({"a": every, "b": every[:1]})
    with pytest.raises(tl.DesignError, match=r"saved as \.html, \.tex, \.docx, \.csv; found 'a.pdf'"):
        tl.table(every).save(tmp_path / "a.pdf")


@pytest.mark.latex
def test_it_compiles_as_it_is(every, tmp_path):
    log = compiled("pdflatex", {"own": tl.table(every, labels={"shock": "a_b & c%"}).latex()}, "10pt", tmp_path)
    assert "Overfull" not in log
