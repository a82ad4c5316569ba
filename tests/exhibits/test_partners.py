import pandas as pd

import tradelift as tl
from tests.exhibits.small import CHINESE, flows, regions, study, two_sides
from tradelift.exhibits import EXHIBITS


def show(panel):
    return EXHIBITS["partners"].show(study(), panel, {})


def test_every_partnership_is_listed_with_what_is_known():
    table = show(two_sides()).tables[0]
    rows = list(table.records())
    assert len(rows) == 4
    assert rows[0] == {
        "first_name": CHINESE, "first_id": "e1", "first_group": "p1",
        "second_name": "Zunyi", "second_id": "w1", "second_group": "q1",
        "start": "2017-11", "evidence": "A",
    }  # fmt: skip
    assert [row["evidence"] for row in rows][2] == "simulated"


def test_the_sentence_counts_sides_and_pairs():
    assert show(two_sides()).sentences == (
        "4 partnerships join 3 of 5 regions on the east side with 4 of 6 on the west side: 8 of 60 directed pairs in the panel (13.33%).",
    )  # fmt: skip


def test_start_end_and_dose_stand_where_they_vary():
    listed = pd.DataFrame(
        {"east": ["e1", "e2"], "west": ["w1", "w2"], "start": ["2017-12", "2018-01"], "end": ["2017-12", "2018-01"],
         "dose": [1.0, 2.5]}
    )  # fmt: skip
    table = show(tl.Panel.from_frame(flows(), regions=regions(), partners=listed)).tables[0]
    rows = list(table.records())
    assert [row["start"] for row in rows] == ["2017-12", "2018-01"]
    assert [row["end"] for row in rows] == ["2017-12", None]
    assert [row["dose"] for row in rows] == [1.0, 2.5]


def test_simulated_partnerships_are_counted_and_columns_that_repeat_names_are_left_out():
    listed = pd.DataFrame(
        {"east": ["e1", "e2"], "west": ["w1", "w2"], "simulated": ["yes", "no"], "from": ["Zunyi", "六盘水市"]}
    )
    shown = show(tl.Panel.from_frame(flows(), regions=regions(), partners=listed))
    assert shown.sentences[0].endswith("(6.67%). Simulated: 1 of them.")
    assert [c.name for c in shown.tables[0].columns][-1] == "simulated"


def test_ids_that_repeat_the_names_are_left_out():
    frame = regions().assign(name=lambda x: x["region"])
    listed = pd.DataFrame({"east": ["e1"], "west": ["w1"]})
    table = show(tl.Panel.from_frame(flows(), regions=frame, partners=listed)).tables[0]
    assert [c.name for c in table.columns] == ["first_name", "first_group", "second_name", "second_group", "start"]


def test_a_one_sided_programme_counts_regions_once():
    trade = pd.DataFrame({"origin": ["a", "b", "a", "c"], "destination": ["b", "a", "c", "a"], "trade": [1.0, 2, 3, 4]})
    listed = pd.DataFrame({"one": ["a"], "other": ["b"]})
    shown = show(tl.Panel.from_frame(trade, partners=listed))
    assert shown.sentences == ("1 partnership between 2 of 3 regions: 2 of 4 directed pairs in the panel (50.00%).",)


def test_heads_begin_with_a_capital_and_the_labels_of_the_study_win():
    table = EXHIBITS["partners"].show(study(labels={"evidence": "source"}), two_sides(), {}).tables[0]
    assert [c.label for c in table.columns][-2:] == ["Start", "Source"]
    assert table.columns[0].label == "East"
    assert table.fold == 12
