import re

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.goods import BREAK, PERIODS, about, whole
from tests.exhibits.small import estimated, one_side
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.labels import plain
from tradelift.inference import EventStudy, Parted, joint
from tradelift.report.figures import figure_svg

EXHIBIT = EXHIBITS["dynamics"]
START = ["2018-12", "2019-01", "2019-02", "2019-03"]


@pytest.fixture(scope="module")
def panel():
    return whole(goods=False)


@pytest.fixture(scope="module")
def found(panel):
    return estimated("dynamics", panel, about())


@pytest.fixture(scope="module")
def shown(panel, found):
    return EXHIBIT.show(about(), panel, found)


@pytest.fixture(scope="module")
def staggered():
    return whole(goods=False, start=START)


def test_every_unit_and_break_is_planned_in_both_designs(panel):
    tasks = EXHIBIT.plan(about(), panel)
    assert len(tasks) == 3 * 4 * (3 + 1)  # directions, designs by estimators, units and a break
    design = tl.SpatialRD(outcome="log(trade)", family="gaussian", bandwidth_km=200, direction="west->east")
    assert tasks["around turn, spatial RD, log(trade), OLS, west->east"] == Parted(design=design, by="break", at=BREAK)
    assert tasks["by quarter, spatial RD, log(trade), OLS, west->east"] == Parted(design=design, by="quarter")


def test_before_after_and_change(panel, found, shown):
    table = next(t for t in shown.tables if t.name == "dynamics_breaks")
    rows = list(table.records())
    assert len(rows) == 3 * 4 * 3 + 4
    key = ("west->east", "gravity", "PPML")
    own = {r["when"]: r for r in rows if (r["direction"], r["design"], r["estimator"]) == key}
    sides = {"before": {"to": "2019-01"}, "from": {"from": BREAK}}
    each = {
        when: tl.Gravity(direction="west->east", where={"period": side}).estimate(panel) for when, side in sides.items()
    }
    for when, e in each.items():
        assert own[when]["estimate"] == pytest.approx(e.coefficients[0], rel=1e-7)
    change = each["from"].coefficients[0] - each["before"].coefficients[0]
    assert own["change"]["estimate"] == pytest.approx(change, rel=1e-6)
    assert own["change"]["percent"] == pytest.approx(100 * np.expm1(change), rel=1e-6)


def test_changes_are_compared_between_directions(found, shown):
    table = next(t for t in shown.tables if t.name == "dynamics_breaks")
    row = next(
        r for r in table.records()
        if (r["direction"], r["design"], r["estimator"]) == ("between", "spatial RD", "OLS")
    )  # fmt: skip
    each = {d: found[f"around turn, spatial RD, log(trade), OLS, {d}"] for d in ("east->west", "west->east")}
    b = np.concatenate([e.coefficients for e in each.values()])
    assert row["estimate"] == pytest.approx((b[3] - b[2]) - (b[1] - b[0]))
    one = joint({d: e.with_vcov("pair") for d, e in each.items()})
    weights = dict(zip(one.terms, (1.0, -1.0, -1.0, 1.0), strict=True))
    assert row["std_error"] >= one.combine(weights).std_error * (1 - 1e-9)  # the widest of three
    assert (
        table.columns[1].words["between"]
        == "west\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}east, less east\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}west"
    )


def test_the_course_is_in_tables_and_in_a_figure(found, shown):
    for unit, count in (("period", 6), ("quarter", 3), ("year", 2)):
        rows = list(next(t for t in shown.tables if t.name == f"dynamics_{unit}").records())
        assert len(rows) == 3 * 4 * count
        row = rows[-1]
        estimator = "log(trade), OLS" if row["estimator"] == "OLS" else "trade, PPML"
        e = found[f"by {unit}, {row['design']}, {estimator}, {row['direction']}"]
        assert row["estimate"] == numbers(e.tidy(), f"partner[{row[unit]}]")["estimate"]
    figure = shown.figures[0]
    assert (figure.name, figure.mark) == ("dynamics", PERIODS.index(BREAK))
    assert len(figure.points) == 3 * 2 * 6
    e = found["by period, gravity, log(trade), OLS, both"]
    assert figure.points[0].value == pytest.approx(100 * np.expm1(e.coefficients[0]))


def test_sentences_say_change_and_course(found, shown):
    e = found["around turn, spatial RD, log(trade), OLS, both"]
    percent = 100 * np.expm1(e.coefficients)
    first = shown.sentences[0]
    assert first.startswith(f"Around turn ({BREAK}; spatial RD by OLS): both directions {percent[0]:+.1f}%")
    assert f"and {percent[1]:+.1f}%" in first
    assert any(s.startswith("By year, both directions (spatial RD by OLS): 2018 +") for s in shown.sentences)
    assert any("there is no period before it" in s for s in shown.sentences)


def test_event_studies_are_shown_where_starts_vary(staggered):
    tasks = EXHIBIT.plan(about(breaks={}), staggered)
    key = "time since the start, gravity, trade, PPML, both"
    design = tl.Gravity(family="poisson", vcov="max-two-way")
    assert tasks[key] == EventStudy(design=design, every=1, before=4, after=8)
    found = estimated("dynamics", staggered, about(breaks={}))
    shown = EXHIBIT.show(about(breaks={}), staggered, found)
    rows = list(next(t for t in shown.tables if t.name == "dynamics_starts").records())
    own = [r for r in rows if (r["direction"], r["what"]) == ("both", "time since the start")]
    np.testing.assert_array_equal([r["estimate"] for r in own], found[key].coefficients)
    one = next(r for r in rows if (r["direction"], r["what"]) == ("both", "pair effects"))
    assert one["estimate"] == found["pair effects, gravity, trade, PPML, both"].coefficients[0]
    figure = next(f for f in shown.figures if f.name == "dynamics_since_start")
    assert {p.column for p in figure.points} == {"time since the start", "time since the start, by cohort"}
    text = " ".join(shown.sentences)
    assert "steps before it are jointly 0 with largest t of " in text
    assert "Breaks are left out: give `breaks`" in text
    assert "no period before" not in text


def test_a_break_outside_the_periods_is_refused_with_the_reason(panel):
    content = about(breaks={"late": "2030-01"})
    task = EXHIBIT.plan(content, panel)["around late, gravity, trade, PPML, both"]
    with pytest.raises(tl.DesignError, match="no period lies from 2030-01 on; the panel has 2018-11 to 2019-04"):
        task.estimate(panel)


def test_it_is_absent_without_periods_or_partners():
    assert missing(EXHIBIT, about(), one_side()) == "absent: give partners and flows of several periods"


def test_without_a_break_the_title_says_whether_the_effect_changes(panel, found):
    no_break = {k: x for k, x in found.items() if not k.startswith("around")}
    shown = EXHIBIT.show(about(breaks={}), panel, no_break)
    years = [r for t in shown.tables if t.name == "dynamics_year" for r in t.records()]
    first, last = (r for r in years if (r["direction"], r["design"], r["estimator"]) == ("both", "spatial RD", "OLS"))
    ends = f"{plain(first['percent'])}% in 2018 and {plain(last['percent'])}% in 2019"
    assert re.fullmatch(rf"No change of the effect is seen by year \(p = 0\.\d+\): {re.escape(ends)}", shown.finding)


def test_the_time_axis_is_labelled_by_years(shown):
    figure = next(f for f in shown.figures if f.name == "dynamics")
    assert figure.title == "Effect by month, OLS"
    assert figure.ticks == {0.0: "2018", 2.0: "2019"}
    svg = figure_svg(figure)
    assert ">2018<" in svg
    assert ">2019<" in svg
    assert {p.column for p in figure.points} == set(figure.words) - {"both", "east->west", "west->east"}


def test_each_table_by_unit_says_what_its_line_holds_for(shown):
    for unit in ("year", "quarter", "period"):
        table = next(t for t in shown.tables if t.name == f"dynamics_{unit}")
        assert table.notes[-1] == f"The line holds for each {unit} by itself."
        assert f", by {unit}; " in table.notes[-2]
