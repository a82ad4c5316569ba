"""Small files as people have them, and labels of periods that a study names."""

import pandas as pd
import pytest

import tradelift as tl
from tests.pipeline.studies import STUDY, write_study
from tradelift.errors import DataError
from tradelift.pipeline import check
from tradelift.pipeline.summary import notes


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_what_parts_the_header_parts_the_fields(tmp_path, delimiter):
    study = tl.read_study(write_study(tmp_path))
    expected = check(study)[0].digest
    for name in ("flows.csv", "regions.csv", "partners.csv"):
        frame = pd.read_csv(tmp_path / name)
        frame.to_csv(tmp_path / name, index=False, sep=delimiter)
    assert check(study)[0].digest == expected


def test_a_delimiter_in_a_quoted_name_parts_nothing(tmp_path):
    study = tl.read_study(
        write_study(tmp_path, STUDY.replace("flows.csv", "{file: flows.csv, columns: {trade: 'a;b;c;d;e'}}"))
    )
    frame = pd.read_csv(tmp_path / "flows.csv").rename(columns={"trade": "a;b;c;d;e"})
    text = frame.to_csv(index=False).replace("a;b;c;d;e", '"a;b;c;d;e"')
    (tmp_path / "flows.csv").write_text(text)
    assert check(study)[0].column("trade").sum() == frame["a;b;c;d;e"].sum()


def _text(change):
    return lambda path: path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_text(lambda t: t.splitlines()[0] + "\n"), r"flows.csv has no rows below its header"),
        (
            _text(lambda t: t.replace("2017-01,", "2017-01,x", 1)),
            r"'trade' .* must hold numbers; found text such as 'x",
        ),
        (_text(lambda t: t.replace("2017-01,", "2017-01,1 0", 1)), r"\(1 of 150 rows are no numbers\)"),
        (
            lambda path: path.write_bytes(path.read_text().encode("utf-16")),
            r"cannot be read as text in UTF-8: .*Save it",
        ),
        (lambda path: (path.unlink(), path.mkdir()), r"The flows file is a folder: "),
    ],
)
def test_flows_that_cannot_be_read_are_refused_at_the_check(tmp_path, spoil, message):
    study = tl.read_study(write_study(tmp_path))
    spoil(tmp_path / "flows.csv")
    with pytest.raises(DataError, match=message):
        check(study)


@pytest.mark.parametrize("role", ["neighbours: neighbours.csv", "pairs: [{file: neighbours.csv, absent: 0}]"])
def test_a_file_without_rows_is_refused(tmp_path, role):
    (tmp_path / "neighbours.csv").write_text("region_1,region_2\n")
    study = tl.read_study(write_study(tmp_path, f"{STUDY}{role}\n"))
    with pytest.raises(DataError, match=r"neighbours.csv has no rows below its header"):
        check(study)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("breaks: {late: 2018-01}", r"breaks.late: 2018-01 parts nothing: .* they are 2017-01 to 2017-03"),
        ("breaks: {early: 2017-01}", r"breaks.early: 2017-01 parts nothing"),
        ("breaks: {odd: January 2017}", r"breaks.odd: 'January 2017' is not written as the periods are"),
        ("samples: {late: {from: 2018-01}}", r"samples.late: no period lies in it; they are 2017-01 to 2017-03"),
        ("samples: {odd: {to: 01/2017}}", r"samples.odd: '01/2017' is not written as the periods are"),
    ],
)
def test_labels_of_no_period_are_refused_at_the_check(tmp_path, more, message):
    study = tl.read_study(write_study(tmp_path, f"{STUDY}{more}\n"))
    with pytest.raises(DataError, match=message):
        check(study)


@pytest.mark.parametrize("dates", ["start: 2018-01", "end: 2016-12"])
def test_a_programme_outside_of_the_periods_is_refused(tmp_path, dates):
    text = STUDY.replace("partners: partners.csv", f"partners: {{file: partners.csv, {dates}}}")
    with pytest.raises(DataError, match=r"No partnership covers a period: the periods are 2017-01 to 2017-03"):
        check(tl.read_study(write_study(tmp_path, text)))


def test_a_check_notes_what_one_may_not_expect(tmp_path):
    study = tl.read_study(write_study(tmp_path))
    assert list(notes(study, check(study)[0])) == []
    flows, regions = pd.read_csv(tmp_path / "flows.csv"), pd.read_csv(tmp_path / "regions.csv")
    flows = flows[flows["period"] != "2017-02"].iloc[7:]
    flows.loc[flows.index[3], "trade"] = -1
    flows.to_csv(tmp_path / "flows.csv", index=False)
    regions.loc[[1, 2], "latitude"] = None
    regions.to_csv(tmp_path / "regions.csv", index=False)
    gap, empty, place, negative = notes(study, check(study)[0])
    assert gap.startswith("flows: no row is of 2017-02: no period of the panel")
    assert empty == "flows: 7 of 100 cells have no row: they are flows of 0"
    assert place.startswith("regions: longitude or latitude is missing of e1, e2: ")
    assert negative.startswith("flows: trade is negative in 1 cells: PPML refuses")


def test_unknown_regions_are_named(tmp_path):
    study = tl.read_study(write_study(tmp_path))
    with (tmp_path / "flows.csv").open("a") as file:
        file.writelines(f"{name},w0,2017-01,1,1\n" for name in ("Zara", "Atlantis", "Böhmen", "e9"))
    (stage,) = check(study)[0].account.stages
    (lost,) = stage.exclusions
    assert (lost.rows, lost.shown) == (4, "unknown region (Atlantis, Böhmen, Zara, ...)")
