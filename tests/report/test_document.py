import csv
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.exhibits.small import CHINESE, HOSTILE, attempted, one_side, show_all, study, two_sides
from tests.report.conftest import PROVENANCE
from tradelift.exhibits import EXHIBITS, Headline, Shown
from tradelift.report import write_report
from tradelift.report.document import account_table
from tradelift.report.html import integrity

TABLES = (
    "balance", "bandwidth", "bandwidth_outcomes", "concentration_bounds", "concentration_ratios", "control_types",
    "control_types_refused",
    "dynamics_period", "dynamics_quarter", "dynamics_tests", "dynamics_year", "gravity", "gravity_errors",
    "inference_gravity", "inference_spatial_rd", "magnitude", "magnitude_years", "matching", "matching_controls",
    "partner_shares", "partners", "placebo", "rd_alternatives", "sensitivity", "sensitivity_covariates", "spatial_rd",
    "spatial_rd_beside", "spatial_rd_identification", "specifications", "spillovers", "spillovers_money", "summary",
)  # fmt: skip
FIGURES = (
    "balance", "bandwidth", "bandwidth_flows", "bandwidth_ratios", "concentration_ratio", "control_types", "dynamics",
    "gravity_deals", "gravity_trade",
    "inference_gravity", "inference_spatial_rd", "magnitude", "magnitude_years", "map", "matching_deals",
    "matching_trade", "placebo", "rd_alternatives", "sensitivity_gravity", "sensitivity_spatial_rd", "spatial_rd_deals",
    "spatial_rd_trade", "specifications_both", "specifications_east_to_west", "specifications_west_to_east",
    "spillovers",
)  # fmt: skip


class Outline(HTMLParser):
    """Tags, ids and headings of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]


@pytest.fixture(scope="module")
def page(report):
    return (report / "report.html").read_text(encoding="utf-8")


def test_every_table_and_figure_is_a_file_with_its_csv(report):
    assert sorted(p.name for p in (report / "tables").iterdir()) == sorted(
        f"{t}.{kind}" for t in TABLES for kind in ("csv", "docx", "html", "tex")
    )
    assert sorted(p.name for p in (report / "figures").iterdir()) == sorted(
        f"{f}.{kind}" for f in FIGURES for kind in ("csv", "pdf", "png", "svg")
    )
    for path in report.glob("*/*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            assert len(list(csv.DictReader(file))) > 0


def test_the_page_asks_the_network_for_nothing(page):
    outline = Outline(page)
    assert not {"link", "img", "iframe", "object", "base"} & set(outline.tags)
    policy = next(v for t, n, v in outline.attributes if t == "meta" and n == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    scripts, styles = (
        re.findall(r"<script>(.*?)</script>", page, re.DOTALL),
        re.findall(r"<style>(.*?)</style>", page, re.DOTALL),
    )
    assert [integrity(text) in policy for text in (*scripts, *styles)] == [True, True]
    assert not re.search(r"\sstyle=|\son\w+=", page)  # the policy would refuse them
    addresses = {v for _, n, v in outline.attributes if n in ("href", "src", "xlink:href") and not v.startswith("#")}
    assert addresses == set()


def test_ids_are_unique_and_labels_refer_to_them(page):
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    for _, name, value in outline.attributes:
        if name in ("aria-labelledby", "headers"):
            assert set(value.split()) <= set(outline.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(outline.ids)


def test_the_page_is_in_order_for_those_who_hear_it(page):
    outline = Outline(page)
    heads = [t for t in outline.tags if re.fullmatch(r"h\d", t)]
    assert heads[:2] == ["h1", "h2"]
    assert heads.count("h1") == 1
    assert set(heads) == {"h1", "h2", "h3"}
    assert ("html", "lang", "en") in outline.attributes
    assert outline.tags.count("caption") == outline.tags.count("table")
    images = re.findall(r'<svg [^>]*role="img" aria-labelledby="fig-(\w+)(?:-\d+)?-title ', page)
    assert set(images) == set(FIGURES)  # one each, and of curves one for each column
    assert page.count("<svg") - page.count('<svg aria-hidden="true"') == len(images)


def test_text_of_users_is_escaped(report, page):
    assert "East &amp; West &lt;b&gt;" in page
    assert CHINESE in page
    for path in [report / "report.html", *report.glob("tables/*.html"), *report.glob("figures/*.svg")]:
        text = path.read_text(encoding="utf-8")
        assert "alert('x')</script>" not in text
        assert text.count("<script") == (
            5 if path.name == "report.html" else 0
        )  # its own, and the data of four figures
    with (report / "tables" / "partners.csv").open(encoding="utf-8", newline="") as file:
        assert HOSTILE in {row["first_name"] for row in csv.DictReader(file)}


def test_the_headline_stands_once_at_the_top(page):
    assert page.count("than near pairs that are no partners (") == 1
    assert page.index("than near pairs that are no partners (") < page.index("<h2")


def test_the_headline_of_gravity_stands_in_its_section_beside_spatial_rd(page):
    assert page.count("lead one to expect") == 1
    assert page.index('id="sec-gravity"') < page.index("lead one to expect") < page.index('id="sec-spatial_rd"')


def test_the_account_is_printed_in_rows_and_money(page):
    assert "transactions: 1,000 rows read = 990 kept + 10 excluded." in page
    assert "12,345.67" in page
    assert "excluded: duplicate line" in page


def test_what_is_left_out_and_where_numbers_come_from_are_said(page):
    for text in ("packages: numpy", "2.4.0", "ab" * 32):
        assert text in page


def test_equal_input_gives_equal_bytes(report, tmp_path):
    about, panel = study(breaks={"covid": "2020-01"}), two_sides()
    shown, absent = show_all(panel, about)
    paths = write_report(tmp_path, study=about, panel=panel, shown=shown, absent=absent, provenance=PROVENANCE)
    assert len(paths) == 1 + 4 * len(TABLES) + 4 * len(FIGURES)
    for path in paths:
        assert path.read_bytes() == (report / path.relative_to(tmp_path)).read_bytes()


def test_processes_change_no_byte(report, tmp_path):
    about, panel = study(breaks={"covid": "2020-01"}), two_sides()
    shown = {
        name: EXHIBITS[name].shown(about, panel, *attempted(name, panel, about))
        for name in ("map", "partner_shares", "gravity")
    }
    paths = write_report(tmp_path, study=about, panel=panel, shown=shown, absent={}, provenance={}, processes=2)
    assert len(paths) > 20
    for path in paths:
        assert path.name == "report.html" or path.read_bytes() == (report / path.relative_to(tmp_path)).read_bytes()


def test_a_study_without_programme_or_map_says_what_to_give(tmp_path):
    panel, about = one_side(coordinates=False), study()
    shown, absent = show_all(panel, about)
    write_report(tmp_path, study=about, panel=panel, shown=shown, absent=absent, provenance={})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Who is paired with whom: absent: give partners" in page
    assert "On the map: absent: give longitude and latitude of the regions" in page
    assert 'class="lead"' not in page


def test_an_earlier_headline_stands_in_its_section(tmp_path):
    shown = {
        "gravity": Shown(headline=Headline(answer="first answer")),
        "other": Shown(headline=Headline(answer="closer")),
    }
    write_report(
        tmp_path, study=study(), panel=one_side(), shown=shown, absent={"later": "absent: give X"}, provenance={}
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.index("closer") < page.index("<h2") < page.index("first answer")
    assert "later: absent: give X" in page


def test_a_section_is_titled_by_what_it_found_and_else_by_its_plain_title(tmp_path):
    shown = {"gravity": Shown(finding="Trade is 5% higher & more"), "map": Shown()}
    write_report(tmp_path, study=study(), panel=one_side(), shown=shown, absent={}, provenance={})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<p class="kicker">1 · Gravity</p>\n<h3 id="sec-gravity">Trade is 5% higher &amp; more</h3>' in page
    assert '<h3 id="sec-map">On the map</h3>' in page


def test_the_account_has_no_money_where_the_input_has_none():
    assert [c.name for c in account_table(one_side()).columns] == ["stage", "reason", "rows"]
    panel = two_sides()
    nameless = replace(panel, account=replace(panel.account, currency=None))
    assert account_table(nameless).columns[-1].label == "Amount"


def test_each_table_allows_its_own_style_alone(report):
    pages = sorted((report / "tables").glob("*.html"))
    assert len(pages) > 20
    for path in pages:
        text = path.read_text(encoding="utf-8")
        (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
        assert policy == f"default-src 'none'; style-src '{integrity(style)}'; base-uri 'none'; form-action 'none'"
        assert "style=" not in text.partition("</head>")[2]
