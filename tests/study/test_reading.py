import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import tradelift as tl
from tradelift.study import template, trait_columns

GOOD = """\
name: A study
seed: 7
regions: {file: cities.csv, columns: {region: city}, sides: [east, west]}
partners: partners.csv
transactions:
  files: log/*.parquet
  columns: {time: t, origin: o, destination: d, amount: a, transaction: id, line: n, status: s}
  keep: {status: [paid, 1]}
  time_zone: Asia/Shanghai
  currency: CNY
  from: 2017-01
  to: 2017-12
model:
  controls: [log(distance_km), x:log(y)]
exhibits:
  map: false
"""


def read(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return tl.read_study(path)


def mistakes(tmp_path, text):
    with pytest.raises(tl.StudyError) as error:
        read(tmp_path, text)
    return str(error.value).replace(str(tmp_path) + "/", "").splitlines()


def test_reads_a_study(tmp_path):
    study = read(tmp_path, GOOD)
    assert study.partners.file == "partners.csv"
    assert study.transactions.files == ("log/*.parquet",)
    assert study.transactions.from_ == "2017-01"
    assert study.transactions.keep == {"status": ("paid", "1")}
    assert study.resolve("cities.csv") == tmp_path / "cities.csv"
    assert study.exhibits == {"map": False}


def test_the_smallest_study(tmp_path):
    study = read(tmp_path, "name: Small\nflows: flows.csv\npartners: partners.csv\n")
    assert study.flows.file == "flows.csv"
    assert study.model.bandwidth_km == 150


def test_a_study_is_frozen(tmp_path):
    study = read(tmp_path, GOOD)
    with pytest.raises(ValidationError):
        study.name = "Another"


def test_canonical_form_is_stable_json(tmp_path):
    one, two = read(tmp_path, GOOD), read(tmp_path, GOOD.replace("seed: 7\n", "") + "seed: 7\n")
    assert json.dumps(one.canonical(), sort_keys=True) == json.dumps(two.canonical(), sort_keys=True)


MISTAKES = {
    "misspelt key": (("seed: 7", "sede: 7"), "study.yaml:2:1  sede: unknown key. Did you mean 'seed'?"),
    "nested key": (("sides", "sdies"), "study.yaml:3:54  regions.sdies: unknown key. Did you mean 'sides'?"),
    "wrong type": (("seed: 7", "seed: seven"), "study.yaml:2:1  seed: input should be a valid integer"),
    "negative seed": (("seed: 7", "seed: -7"), "study.yaml:2:1  seed: input should be greater than or equal to 0"),
    "number as text": (
        ("name: A study", "name: 12"),
        "study.yaml:1:1  name: input should be a valid string; found '12': put it in quotes.",
    ),
    "equal sides": (("[east, west]", "[east, east]"), "study.yaml:3:54  regions.sides: the two sides must differ"),
    "role": (("origin: o", "orign: o"), "study.yaml:7:22  transactions.columns.orign: unknown key"),
    "lacking role": (("amount: a, ", ""), "study.yaml:7:3  transactions.columns: name the columns of amount"),
    "line alone": (("transaction: id, ", ""), "study.yaml:7:3  transactions.columns: a line id needs a transaction id"),
    "keep": ((", status: s}", "}"), "study.yaml:8:3  transactions.keep: status is kept by value"),
    "zone": (("Asia/Shanghai", "Asia/Nowhere"), "study.yaml:9:3  transactions.time_zone: there is no time zone"),
    "currency": (("CNY", "CNX"), "study.yaml:10:3  transactions.currency: there is no currency 'CNX'"),
    "month": (("from: 2017-01", "from: 2017-13"), "study.yaml:5:1  transactions: from: '2017-13' is no month"),
    "order": (("to: 2017-12", "to: 2016-12"), "study.yaml:5:1  transactions: from 2017-01 is after to 2016-12"),
    "control": (("x:log(y)", "sqrt(y)"), "study.yaml:14:32  model.controls.1: 'sqrt(y)' is no control"),
    "exhibit": (("  map: false", "  mpa: false"), "study.yaml:16:3  exhibits.mpa: unknown key. Did you mean 'map'?"),
    "off": (("  map: false", "  map: off"), "study.yaml:16:3  exhibits.map: write true or false"),
    "options": (("  map: false", "  map: 5"), "study.yaml:16:3  exhibits.map: give true, false or a mapping"),
    "missing": (("name: A study\n", ""), "study.yaml:1:1  name: is missing; add it."),
    "reserved": (("seed: 7", "folder: x"), "study.yaml:2:1  folder: unknown key"),
    "two inputs": (
        ("seed: 7", "flows: f.csv"),
        "study.yaml:1:1  a study has either `transactions` or `flows`; found both.",
    ),
    "tag": (("seed: 7", "seed: !!python/object:os.system x"), "study.yaml:2:7  the tag"),
    "alias": (("seed: 7", "seed: &a 7\nquestion: *a"), "study.yaml:3:11  an alias is not allowed"),
    "merge": (("seed: 7", "<<: {seed: 7}"), "study.yaml:2:1  the merge key << is not allowed"),
    "surrogate": (
        ("seed: 7", 'question: "\\ud800"'),
        "study.yaml:2:11  half of a character (a surrogate) is not allowed",
    ),
    "duplicate key": (("seed: 7", "seed: 7\nseed: 8"), "study.yaml:3:1  this is no valid YAML"),
    "broken": (("seed: 7", "seed: [7"), "this is no valid YAML"),
    "key that is a list": (("seed: 7", "? [[a]]\n: 7"), "no valid YAML: a key is made of a list or a mapping"),
    "tab": (("seed: 7", "\tseed: 7"), "this is no valid YAML"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_place(tmp_path, name):
    (old, new), expected = MISTAKES[name]
    assert old in GOOD
    assert any(expected in line for line in mistakes(tmp_path, GOOD.replace(old, new))), mistakes(
        tmp_path, GOOD.replace(old, new)
    )


def test_all_mistakes_stand_in_one_message(tmp_path):
    text = GOOD.replace("seed", "sede").replace("CNY", "CNX").replace("map", "mpa")
    assert len(mistakes(tmp_path, text)) == 3


@pytest.mark.parametrize("trait", ["__import__('os')", "a if b else c", "a ** 2", "f(x)", "x[1]", "a +", "(" * 300])
def test_a_trait_is_parsed_and_never_evaluated(tmp_path, trait):
    text = GOOD + f"traits: {{t: {json.dumps(trait)}}}\n"
    assert any("traits.t: " in line and "is no trait" in line for line in mistakes(tmp_path, text))


def test_good_traits(tmp_path):
    study = read(tmp_path, GOOD + "traits: {gap: 'log(gdp[east] / gdp[west]) - 2 * x'}\nbreaks: {flood: 2017-07}\n")
    assert study.traits["gap"].startswith("log")
    assert study.breaks == {"flood": "2017-07"}


def test_the_columns_of_a_trait():
    assert trait_columns("log(gdp[east] / gdp[west]) - 2 * (x + gdp[east]) / -log(log)") == (
        ("gdp", "east"),
        ("gdp", "west"),
        ("x", None),
        ("log", None),
    )


WHOLE = (
    GOOD
    + """\
categories: categories.csv
mediators: [log(migration), search]
traits: {gap: "log(gdp[east] / gdp[west])"}
breaks: {flood: 2017-07}
samples: {before_flood: {to: 2017-06}}
"""
)


def test_a_study_of_categories_mediators_breaks_and_samples(tmp_path):
    study = read(tmp_path, WHOLE)
    assert (study.categories.file, study.categories.columns) == ("categories.csv", {})
    assert study.mediators == ("log(migration)", "search")
    assert study.breaks == {"flood": "2017-07"}
    assert (study.samples["before_flood"].from_, study.samples["before_flood"].to) == (None, "2017-06")
    named = read(tmp_path, WHOLE.replace(": categories.csv", ": {file: goods.csv, columns: {priority: invest}}"))
    assert (named.categories.file, named.categories.columns) == ("goods.csv", {"priority": "invest"})


def test_flows_by_category_stand_in_a_file_of_their_own(tmp_path):
    study = read(tmp_path, "name: Small\nflows: {file: flows.csv, by_category: goods.csv}\n")
    assert (study.flows.file, study.flows.by_category) == ("flows.csv", "goods.csv")


@pytest.mark.parametrize("to", ["2019", "2019-12"])
def test_a_sample_may_end_with_a_year(tmp_path, to):
    study = read(tmp_path, f"name: Small\nflows: flows.csv\nsamples: {{late: {{from: 2019-12, to: {to}}}}}\n")
    assert study.samples["late"].to == to


WHOLE_MISTAKES = {
    "category role": (("categories.csv", "{file: c.csv, columns: {prio: x}}"), "categories.columns.prio: unknown key"),
    "category file": (("categories.csv", "{columns: {name: x}}"), "categories.file: is missing; add it"),
    "mediator": (("search]", "sqrt(search)]"), "mediators.1: 'sqrt(search)' is no control"),
    "mediator twice": (("search]", "log(migration)]"), "mediators: 'log(migration)' stands twice; name each once."),
    "trait of no side": (
        ("gdp[west]", "gdp[south]"),
        "traits: gap: 'gdp[south]' is of no side; the sides are east and west.",
    ),
    "trait of no column": (("gdp[east] / gdp[west]", "2"), "traits.gap: 'log(2)' names no column"),
    "trait's name": (("{gap:", "{gdp gap:"), "traits: 'gdp gap' is no name; use letters, digits and _, as in gdp_gap."),
    "break's name": (("{flood", "{the flood"), "breaks: 'the flood' is no name"),
    "break's form": (
        ("flood: 2017-07", "flood: 2017-Q3"),
        "breaks: flood: '2017-Q3' is no month; write it as 2017-01.",
    ),
    "break at the start": (
        ("flood: 2017-07", "flood: 2017-01"),
        "breaks: flood: 2017-01 parts nothing: the first period after a break lies inside the window 2017-01 to 2017-12",
    ),
    "break after the end": (("flood: 2017-07", "flood: 2018-01"), "breaks: flood: 2018-01 parts nothing"),
    "sample without ends": (("{to: 2017-06}", "{}"), "samples: before_flood: give its first period (from), its last"),
    "sample's order": (
        ("{to: 2017-06}", "{from: 2017-07, to: 2017-06}"),
        "samples: before_flood: from 2017-07 is after to 2017-06.",
    ),
    "sample's years": (
        ("{to: 2017-06}", "{from: 2018, to: 2017}"),
        "samples: before_flood: from 2018 is after to 2017.",
    ),
    "sample's key": (("{to: 2017-06}", "{until: 2017-06}"), "samples.before_flood.until: unknown key"),
}


@pytest.mark.parametrize("name", WHOLE_MISTAKES)
def test_a_mistake_in_what_exhibits_ask_for_is_named(tmp_path, name):
    (old, new), expected = WHOLE_MISTAKES[name]
    assert old in WHOLE
    found = mistakes(tmp_path, WHOLE.replace(old, new))
    assert len(found) == 1
    place, said = found[0].split("  ", 1)
    assert place.split(":")[0] == "study.yaml"
    assert said.startswith(expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is empty"),
        (b"- a\n", "mapping of keys"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"just text", "mapping of keys"),
    ],
)
def test_files_that_are_no_study(tmp_path, content, message):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(tl.StudyError, match=message):
        tl.read_study(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(tl.StudyError, match="no such study file"):
        tl.read_study(tmp_path / "none.yaml")
    with pytest.raises(tl.StudyError, match="is a folder"):
        tl.read_study(tmp_path)


@given(st.text(max_size=60))
def test_any_text_is_a_study_or_a_study_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "study.yaml"
    path.write_text(text, encoding="utf-8", errors="ignore")
    with pytest.raises(tl.StudyError):
        tl.read_study(path)


@given(st.sampled_from(GOOD.splitlines()), st.integers(0, 30), st.sampled_from("x:[]{}#&*!-? \n"))
def test_a_damaged_study_raises_nothing_else(tmp_path_factory, line, place, letter):
    path = tmp_path_factory.mktemp("damaged") / "study.yaml"
    path.write_text(GOOD.replace(line, line[:place] + letter + line[place:]), encoding="utf-8")
    try:
        tl.read_study(path)
    except tl.StudyError as error:
        assert "study.yaml" in str(error)  # noqa: PT017 - either outcome is right, any other error is not


def test_template_reads_and_refuses_to_overwrite(tmp_path):
    from tradelift.study import write_template

    paths = write_template(tmp_path / "new")
    assert all(path.is_file() for path in paths)
    study = tl.read_study(tmp_path / "new" / "study.yaml")
    assert study.transactions is not None
    with pytest.raises(tl.StudyError, match=r"already has study.yaml"):
        write_template(tmp_path / "new")
    (tmp_path / "file").write_text("x")
    with pytest.raises(tl.StudyError, match="Cannot write"):
        write_template(tmp_path / "file")


GRIDS = {
    "in order": ("bandwidth: {grid_km: [300, 100, 100]}", (100.0, 300.0)),
    "wanted": ("bandwidth: true", (100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0)),
    "empty": ("bandwidth: {}", (100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0)),
}
WRONG_GRIDS = {
    "negative": (
        "bandwidth: {grid_km: [100, -5]}",
        "study.yaml:4:30  exhibits.bandwidth.grid_km.1: input should be greater than 0",
    ),
    "none": ("bandwidth: {grid_km: []}", "study.yaml:4:15  exhibits.bandwidth.grid_km: give at least one bandwidth"),
    "unknown": ("bandwidth: {grid: [100]}", "study.yaml:4:15  exhibits.bandwidth.grid: unknown key"),
}


def test_a_template_that_cannot_be_written_leaves_no_half(tmp_path, monkeypatch):
    def full(_path, _rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(template, "_write", full)
    with pytest.raises(tl.StudyError, match=r"Cannot write to .*: No space left on device"):
        template.write_template(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_placebo_outcomes_are_named_one_or_several(tmp_path):
    start = "name: Placebo\nflows: flows.csv\nexhibits:\n  placebo: "
    for text, expected in (
        ("true", ()),
        ("{outcomes: log(gdp_gap)}", ("log(gdp_gap)",)),
        ("{outcomes: [height, area]}", ("height", "area")),
    ):
        (tmp_path / "study.yaml").write_text(f"{start}{text}\n")
        assert tl.read_study(tmp_path / "study.yaml").placebo_outcomes == expected
    (tmp_path / "study.yaml").write_text(f"{start}{{outcomes: [sqrt(gap)]}}\n")
    with pytest.raises(tl.StudyError, match=r"study.yaml:4:.*exhibits.placebo.outcomes.0: 'sqrt\(gap\)' is no outcome"):
        tl.read_study(tmp_path / "study.yaml")


@pytest.mark.parametrize("case", GRIDS)
def test_the_grid_of_bandwidths_is_the_studys_or_the_usual(tmp_path, case):
    text, grid = GRIDS[case]
    (tmp_path / "study.yaml").write_text(f"name: Grid\nflows: flows.csv\nexhibits:\n  {text}\n")
    assert tl.read_study(tmp_path / "study.yaml").grid_km == grid


@pytest.mark.parametrize("case", WRONG_GRIDS)
def test_a_wrong_grid_is_named_with_its_place(tmp_path, case):
    text, said = WRONG_GRIDS[case]
    (tmp_path / "study.yaml").write_text(f"name: Grid\nflows: flows.csv\nexhibits:\n  {text}\n")
    with pytest.raises(tl.StudyError) as error:
        tl.read_study(tmp_path / "study.yaml")
    assert said in str(error.value)
