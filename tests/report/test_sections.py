import json
import re

import pytest

from tests.exhibits.small import CHINESE, HOSTILE, study, two_sides
from tradelift.exhibits import EXHIBITS, CurveFigure, CurvePoint, DataTable, Headline, Shown
from tradelift.exhibits.shown import Column
from tradelift.report.chapters import CHAPTERS, DOUBTS, OTHERS, chapter_of
from tradelift.report.explore import as_json, curve_data, map_data
from tradelift.report.html import page, script
from tradelift.report.sections import FIRST_SENTENCES, OPEN_ROWS, PRINTED_ROWS, chapters, doubts, draw_table
from tradelift.report.tables import table_html


def test_every_exhibit_has_a_chapter_in_the_order_of_the_page():
    assert [name for names in CHAPTERS.values() for name in names] == list(EXHIBITS)
    assert set(DOUBTS) <= set(EXHIBITS)
    assert chapter_of("another") == OTHERS


def test_sections_stand_in_their_chapters_and_are_numbered():
    shown = {"gravity": Shown(finding="Found"), "spatial_rd": Shown(), "placebo": Shown(), "another": Shown()}
    parts = chapters(shown, None, tables={}, figures={})
    assert [(c.title, [(s.number, s.name) for s in c.sections]) for c in parts] == [
        ("The answer", [(1, "gravity"), (2, "spatial_rd")]),
        ("Other choices", [(3, "placebo")]),
        (OTHERS, [(4, "another")]),
    ]
    assert parts[0].sections[0].finding == "Found"
    assert parts[2].sections[0].title == "another"


def test_the_front_page_says_how_sure_from_what_was_found():
    shown = {
        "placebo": Shown(finding="No effect of placebo partners"),
        "bandwidth": Shown(),
        "inference": Shown(finding="A", doubt="B."),
    }
    assert [(d.label, d.text, d.section) for d in doubts(shown)] == [
        ("Errors", "B.", "inference"),
        ("Placebo partners", "No effect of placebo partners.", "placebo"),
    ]


def test_many_sentences_are_folded_but_never_one_alone():
    def parted(n):
        section = chapters({"gravity": Shown(sentences=tuple(map(str, range(n))))}, None, tables={}, figures={})[
            0
        ].sections[0]
        return len(section.sentences), len(section.more)

    assert parted(FIRST_SENTENCES) == (FIRST_SENTENCES, 0)
    assert parted(FIRST_SENTENCES + 1) == (FIRST_SENTENCES + 1, 0)
    assert parted(FIRST_SENTENCES + 2) == (FIRST_SENTENCES, 2)


def test_a_headline_that_is_not_the_answer_is_the_first_sentence_of_its_section():
    first, last = Headline(answer="One.", condition="If."), Headline(answer="Two.")
    parts = chapters(
        {"gravity": Shown(headline=first), "spatial_rd": Shown(headline=last)}, last, tables={}, figures={}
    )
    assert [s.sentences for s in parts[0].sections] == [("One. If.",), ()]


def long_table(rows, fold=None):
    return DataTable(
        name="t",
        title="T",
        columns=(Column(name="a", label="A"), Column(name="b", label="B", kind="count")),
        rows=tuple((f"row {i}", i) for i in range(rows)),
        label="a",
        fold=fold,
    )


@pytest.mark.parametrize(
    ("rows", "fold", "may_fold", "is_folded", "is_long"),
    [
        (OPEN_ROWS - 1, None, True, False, False),  # the head is a row
        (OPEN_ROWS, None, True, True, False),
        (OPEN_ROWS, None, False, False, False),
        (OPEN_ROWS, 5, True, False, False),  # it folds itself
        (60, OPEN_ROWS, True, True, False),  # not enough
        (PRINTED_ROWS, None, True, True, True),
    ],
)
def test_long_tables_are_folded(rows, fold, may_fold, is_folded, is_long):
    table = long_table(rows, fold)
    drawn = draw_table(table, table_html(table), may_fold=may_fold)
    assert (drawn.is_folded, drawn.is_long) == (is_folded, is_long)


def test_data_of_the_map_are_those_of_the_figure():
    figure = EXHIBITS["map"].show(study(), two_sides(), {}).figures[0]
    data = json.loads(as_json(map_data(figure)))
    assert [place[0] for place in data["places"]] == [p.name for p in figure.places]
    assert [place[4] for place in data["places"]] == [list(p.amounts) for p in figure.places]
    assert [link[:2] for link in data["links"]] == [[k.first, k.second] for k in figure.links]
    assert {len(place[4]) for place in data["places"]} == {len(data["measures"])}


def test_data_of_curves_stand_by_panel():
    figure = CurveFigure(
        name="c",
        title="t",
        description="d",
        x_axis="x",
        y_axis="y",
        points=(
            CurvePoint(row="a", column="k", x=1.0, value=1.0, low=None, high=None, facts=(("Difference", "+1%"),)),
            CurvePoint(row="a", column="k", x=2.0, value=1.0, low=None, high=None),
            CurvePoint(row="a", column="l", x=1.0, value=1.0, low=None, high=None),
            CurvePoint(row="b", column="k", x=1.0, value=1.0, low=None, high=None),
        ),
        mark=2.0,
        choice="Bandwidth",
        unit="km",
        words={"a": "Both"},
    )
    data = curve_data(figure)
    assert [(p["row"], p["column"], len(p["points"])) for p in data["panels"]] == [
        ("Both", "k", 2),
        ("Both", "l", 1),
        ("b", "k", 1),
    ]
    assert [p["place"] for p in data["panels"]] == [0, 2, 1]  # the page draws a column after the other
    assert data["panels"][0]["points"][0] == [1.0, [["Difference", "+1%"]]]
    assert (data["choice"], data["unit"], data["start"]) == ("Bandwidth", "km", 2.0)


def test_no_text_ends_the_script_that_holds_it():
    text = as_json({"name": f"</script>{HOSTILE}<!--", "other": CHINESE})
    assert not re.search(r"[<>&]", text)
    assert json.loads(text) == {"name": f"</script>{HOSTILE}<!--", "other": CHINESE}


def test_the_script_of_the_page_has_no_comments_and_makes_no_markup_of_texts():
    text = script()
    assert "/*" not in text
    assert not re.search(r"//(?!www\.w3\.org)", text)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|fetch\(|XMLHttp|import\(", text
    )
    assert page("report.html.j2", **EMPTY).count(text) == 1


EMPTY = {
    "style": "", "script": script(), "study": study(), "headline": None, "doubts": (), "subtitle": "", "chapters": (),
    "absent": {}, "account": draw_table(long_table(1), "<table></table>", may_fold=False), "balance": (), "provenance": [],
}  # fmt: skip
