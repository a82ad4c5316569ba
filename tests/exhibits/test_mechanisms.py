from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided
from tests.exhibits.mechanisms import KILOMETRES, asked, world
from tests.exhibits.small import attempted, estimated, one_side, study, two_sides
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.careful import careful
from tradelift.exhibits.headline import percent
from tradelift.exhibits.labels import plain, signed
from tradelift.exhibits.mediator_names import awareness_mediators, flight_mediators, migration_mediators
from tradelift.inference import Mediated, Mediation, SpendingMonths
from tradelift.inference.lagged import columns_of
from tradelift.inference.spending import MONTHS
from tradelift.report.figures import figure_svg
from tradelift.report.tables import table_html

NAMES = ("migration", "awareness", "spending", "flights")
BOTH = "both directions"


@pytest.fixture(scope="module")
def panel():
    return world()


@pytest.fixture(scope="module")
def found(panel):
    return {name: estimated(name, panel, asked()) for name in NAMES}


@pytest.fixture(scope="module")
def shown(panel, found):
    return {name: EXHIBITS[name].show(asked(), panel, found[name]) for name in NAMES}


def test_they_stand_in_the_order_of_the_report():
    assert [name for name in EXHIBITS if name in NAMES] == list(NAMES)


def test_mediators_find_their_exhibit_by_their_names(panel):
    about = study(mediators=["log(migration)", "log(search)", "visits", "flights"])
    assert migration_mediators(about) == ("log(migration)", "visits")
    assert awareness_mediators(about) == ("log(search)",)
    assert flight_mediators(about, panel) == ("flights",)
    assert flight_mediators(study(), panel) == ("flights",)
    assert flight_mediators(study(), two_sides()) == ()
    assert columns_of("log(search):migration") == ("search", "migration")


def test_every_mediator_is_held_alone_and_with_the_others_and_is_an_outcome(panel):
    tasks = EXHIBITS["migration"].plan(asked(), panel)
    rd = tl.SpatialRD(family="gaussian", bandwidth_km=KILOMETRES, direction="west->east")
    gravity = careful(tl.Gravity(outcome="trade", family="poisson", direction="west->east"))
    assert tasks["spatial RD, log(trade), OLS, west->east, migration held"] == Mediation(
        design=rd, mediators=("migration",)
    )
    assert tasks["gravity, trade, PPML, west->east, migration held"] == Mediation(
        design=gravity, mediators=("migration",)
    )
    assert tasks["spatial RD, log(trade), OLS, west->east, all mediators held"] == Mediation(
        design=rd, mediators=("migration", "search")
    )
    assert tasks["spatial RD, effect on migration, west->east"] == replace(rd, outcome="migration")
    assert len(tasks) == 2 * 3 * (2 + 1 + 1)
    alone = EXHIBITS["migration"].plan(asked(mediators=["migration"]), panel)
    assert not any("all mediators" in key for key in alone)
    product = EXHIBITS["migration"].plan(asked(mediators=["migration:distance_km"]), panel)
    assert not any("effect on" in key for key in product)


def test_the_table_has_what_was_estimated(found, shown):
    table = shown["migration"].tables[0]
    rows = list(table.records())
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        key = f"{row['design']}, {row['outcome']}, {row['estimator']}, {row['direction']}, migration held"
        mediated = found["migration"][key]
        tidy = mediated.tidy().set_index("term")
        assert (row["total"], row["direct"]) == (tidy["estimate"]["total"], tidy["estimate"]["direct"])
        assert (row["mediated"], row["std_error"]) == tuple(tidy.loc["mediated", ["estimate", "std_error"]])
        share, low, high = mediated.share()
        bounded = np.isfinite(low)
        expected = (share, low, high) if bounded else (None, None, None)
        assert (row["share"], row["share_low"], row["share_high"]) == expected
        assert row["on_mediator"] == tidy["estimate"]["on[migration]"]
        assert (row["hidden_correlation"] is None) == (row["estimator"] == "PPML")


def test_mediators_that_move_are_also_held_as_they_were_a_period_before(panel, found, shown):
    tasks = EXHIBITS["awareness"].plan(asked(), panel)
    key = "gravity, log(trade), OLS, both, search of the period before held"
    assert tasks[key] == Mediation(
        design=careful(tl.Gravity(outcome="log(trade)", family="gaussian")), mediators=("search",), lag=1
    )
    rows = list(shown["awareness"].tables[0].records())
    assert [row["design"] for row in rows] == ["spatial RD"] * 9 + ["gravity"] * 9
    row = next(r for r in rows if (r["design"], r["lag"], r["direction"]) == ("gravity", 1, "both"))
    mediated = found["awareness"][key]
    assert (row["total"], row["mediated"]) == (mediated.value("total"), mediated.value("mediated"))
    mediated = found["awareness"][key.replace("gravity", "spatial RD")]
    said = next(
        s for s in shown["awareness"].sentences if s.startswith("Spatial RD, with search of the period before held")
    )
    assert f"{BOTH} {signed(percent(mediated.value('direct')))}% where it was" in said
    names = [column.name for column in shown["migration"].tables[0].columns]
    assert "lag" not in names  # it is the same in all periods
    assert "mediator" not in names  # and there is one
    assert not any("period before" in task for task in EXHIBITS["migration"].plan(asked(), panel))


def test_the_parts_of_ols_add_up_in_the_table(shown):
    rows = list(shown["awareness"].tables[1].records())
    assert len(rows) == 2 * 3 * 3
    for start in range(0, len(rows), 3):
        values = {row["part"]: row["mediated"] for row in rows[start : start + 3]}
        assert values["migration"] + values["search"] == pytest.approx(values["mediated"], abs=1e-12)


def test_the_words_are_the_numbers_and_name_what_they_rest_on(found, shown):
    said = shown["awareness"].sentences
    mediated = found["awareness"]["gravity, log(trade), OLS, both, search held"]
    total, direct = (percent(mediated.value(term)) for term in ("total", "direct"))
    share, low, high = (100 * x for x in mediated.share())
    sentence = next(s for s in said if s.startswith("Gravity, with search held: "))
    assert f"{BOTH} {signed(direct)}% where it was {signed(total)}%" in sentence
    assert f"{plain(share, 0)}% of the effect, 95% interval {plain(low, 0)} to {plain(high, 0)}%" in sentence
    on = found["awareness"]["spatial RD, effect on search, both"].tidy().iloc[0]
    assert any(
        s.startswith(f"Spatial RD finds for search itself: {BOTH} {signed(on['estimate'], 3)} (95% ") for s in said
    )
    assert any(
        "only under sequential ignorability" in s and "search is of the same period as the flows" in s for s in said
    )
    zero = found["awareness"]["spatial RD, log(trade), OLS, both, search held"].hidden["search"].correlation
    assert any(f"correlate by {BOTH} {signed(zero, 2)}" in s for s in said if s.startswith("Spatial RD: nothing of"))
    missing_rows = mediated.estimate.dropped["missing"]
    assert missing_rows > 0
    assert any(s.endswith(f"Gravity {missing_rows}.") and "in neither estimate" in s for s in said)
    assert not any("explain" in s for s in said)


def test_what_is_the_same_in_every_direction_is_said_once(shown):
    said = [s for s in shown["migration"].sentences if "finds for migration itself" in s]
    assert len(said) == 1
    assert all("itself, the same in every direction: " in s for s in said)
    assert any("migration is one number for all periods" in s for s in shown["migration"].sentences)


def test_a_share_of_an_effect_that_may_be_nothing_has_no_number(panel, found):
    mediated = found["migration"]["gravity, log(trade), OLS, both, migration held"]
    noisy = replace(mediated, estimate=replace(mediated.estimate, covariance=mediated.estimate.covariance * 1e4))
    unknown = replace(mediated, estimate=replace(mediated.estimate, covariance=mediated.estimate.covariance * np.nan))
    for other, words in ((noisy, "its share is not bounded"), (unknown, "its share of the effect is not known")):
        key = "gravity, log(trade), OLS, both, migration held"
        shown = EXHIBITS["migration"].show(asked(), panel, {key: other})
        sentence = next(s for s in shown.sentences if s.startswith("Gravity, with migration held"))
        assert words in sentence
        assert "% of the effect" not in sentence
        assert next(iter(shown.tables[0].records()))["share_low"] is None
        assert not any("nothing of the part" in s for s in shown.sentences)


def test_the_figures_show_both_effects_and_what_an_unseen_cause_would_leave(found, shown):
    intervals, curve = shown["migration"].figures
    mediated = found["migration"]["spatial RD, log(trade), OLS, both, migration held"]
    assert [(x.series, x.value) for x in intervals.intervals[:2]] == [
        ("without migration", pytest.approx(percent(mediated.value("total")))),
        ("migration held", pytest.approx(percent(mediated.value("direct")))),
    ]
    assert len(intervals.intervals) == 2 * 3 * 2
    zero = next(p for p in curve.points if (p.row, p.column, p.x) == ("both", "spatial RD", 0.0))
    assert zero.value == pytest.approx(percent(mediated.value("mediated[migration]")))
    assert {p.column for p in curve.points} == {"spatial RD", "gravity"}


def test_spending_is_planned_and_shown_by_month(panel, found, shown):
    tasks = EXHIBITS["spending"].plan(asked(), panel)
    design = careful(tl.Gravity(outcome="trade", family="poisson"))
    assert tasks["gravity, trade, PPML, both"] == SpendingMonths(design=design)
    rows = list(shown["spending"].tables[0].records())
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        estimate = found["spending"][f"{row['design']}, {row['outcome']}, {row['estimator']}, {row['direction']}"]
        values = dict(zip(estimate.terms, estimate.coefficients, strict=True))
        assert [row["other"], row["december"], row["new_year"]] == [values[t] for t in ("partner", *MONTHS)]
        np.testing.assert_equal(row["p_value"], estimate.wald(MONTHS).p_value)
    notes = shown["spending"].tables[0].notes
    assert "Chinese New Year's day falls in 2017-01." in notes
    assert " + partner:`year end` + partner:`Chinese New Year` | group^period" in notes[-1]
    assert len(shown["spending"].figures[0].intervals) == 2 * 3 * 3


def test_words_of_spending_follow_the_joint_test(panel, found):
    key = "gravity, log(trade), OLS, both"
    estimate = found["spending"][key]
    k = [estimate.terms.index(term) for term in MONTHS]

    def words(scale):
        covariance = np.diag(np.full(len(estimate.terms), scale))
        coefficients = estimate.coefficients.copy()
        coefficients[k] = 0.1
        moved = replace(estimate, covariance=covariance, coefficients=coefficients)
        return EXHIBITS["spending"].show(asked(), panel, {key: moved}).sentences

    clear, unclear, unknown = words(1e-6), words(1.0), words(np.nan)
    assert f"It differs in these months at the 5% level in Gravity, {BOTH}; the signs above say which way." in clear
    assert any(
        f"No difference is told from 0 by the joint test in Gravity, {BOTH}. That is no proof" in s for s in unclear
    )
    assert "no joint test, for an error is not known" in unknown[0]
    assert not any("differs in these" in s or "told from" in s for s in unknown)


def test_flights_are_an_outcome_and_a_mediator(panel, found, shown):
    tasks = EXHIBITS["flights"].plan(asked(), panel)
    assert tasks["gravity, flights, PPML, both"] == careful(tl.Gravity(outcome="flights", family="poisson"))
    assert tasks["spatial RD, flights, OLS, both"].family == "gaussian"
    assert [t.name for t in shown["flights"].tables] == ["flights_outcome", "flights_held"]
    for row in shown["flights"].tables[0].records():
        estimate = found["flights"][f"{row['design']}, flights, {row['estimator']}, {row['direction']}"]
        assert row["estimate"] == estimate.coefficients[0]
    assert [f.name for f in shown["flights"].figures] == [
        "flights_outcome",
        "flights_flights",
        "flights_flights_hidden",
    ]
    assert any(s.startswith("Gravity, with flights held") for s in shown["flights"].sentences)


def test_flights_that_are_not_told_from_nothing_are_no_proof(panel, found):
    key = "gravity, flights, PPML, both"
    for scale, is_clear in ((1e4, False), (1e-8, True)):
        estimate = found["flights"][key]
        moved = replace(estimate, covariance=np.eye(len(estimate.terms)) * scale)
        said = EXHIBITS["flights"].show(asked(), panel, {key: moved}).sentences[0]
        assert ("no proof of none" in said) is not is_clear


@pytest.mark.parametrize("name", NAMES)
def test_nothing_found_is_nothing_shown(panel, name):
    empty = EXHIBITS[name].show(asked(), panel, {})
    assert (empty.tables, empty.figures, empty.sentences) == ((), (), ())


def test_what_is_absent_is_said_with_what_would_bring_it():
    few = two_sides()
    assert missing(EXHIBITS["migration"], study(), few) == (
        "absent: give migration between regions, its file under `pairs` and its column under `mediators`"
    )
    assert missing(EXHIBITS["awareness"], study(mediators=["migration"]), few).startswith(
        "absent: give searches between"
    )
    assert missing(EXHIBITS["flights"], study(), few).endswith("a column called flights in a file under `pairs`")
    assert missing(EXHIBITS["spending"], study(), few) is None
    assert missing(EXHIBITS["spending"], study(), one_side()) == (
        "absent: give partners and flows by month, with periods such as 2017-01"
    )


def test_without_coordinates_there_is_gravity_alone():
    tasks = EXHIBITS["spending"].plan(study(), two_sides(coordinates=False))
    assert tasks
    assert all(key.startswith("gravity") for key in tasks)


@pytest.mark.parametrize("case", ["one side", "one period", "no coordinates"])
def test_awkward_panels_are_shown_with_what_they_allow(case):
    flows, frame = one_sided(seed=2)
    rng = np.random.default_rng(0)
    frame = frame.assign(search=rng.normal(size=len(frame)), flights=rng.poisson(0.3, len(frame)))
    places = {"region": flows.regions.ids, "longitude": flows.regions.longitude, "latitude": flows.regions.latitude}
    partners = pd.DataFrame({"one": ["r0", "r1", "r2"], "other": ["r3", "r4", "r5"]})
    if case == "one period":
        frame = frame.loc[frame["period"] == 0].drop(columns="period")
    where = None if case == "no coordinates" else pd.DataFrame(places)
    panel = tl.Panel.from_frame(frame, regions=where, partners=partners)
    about = asked(mediators=["search"])
    for name, designs in (("awareness", {"gravity", "spatial RD"}), ("flights", {"gravity", "spatial RD"})):
        found, refused = attempted(name, panel, about)
        assert not refused
        shown = EXHIBITS[name].shown(about, panel, found, refused)
        rows = list(shown.tables[-1].records())
        assert {row["design"] for row in rows} == designs - ({"spatial RD"} if where is None else set())
        assert {row.get("lag", 0) for row in rows} == ({0} if case == "one period" else {0, 1})
        for figure in shown.figures:
            assert figure_svg(figure).startswith("<svg")
        for table in shown.tables:
            assert "<table" in table_html(table)
    assert missing(EXHIBITS["spending"], about, panel) == "absent: give flows by month, with periods such as 2017-01"


def test_titles_say_the_effect_with_the_mediator_held(shown):
    for name, mediator in (("migration", "migration"), ("awareness", "search")):
        table = next(t for t in shown[name].tables if t.name == f"{name}_held")
        row = next(r for r in table.records() if r["direction"] == "both" and r["estimator"] == "OLS")
        held, total = (f"{plain(100 * np.expm1(row[k]))}%" for k in ("direct", "total"))
        assert shown[name].finding.startswith(
            f"With {mediator} held the effect is {held} instead of {total} (both ways)"
        )
        clear = not row["conf_low"] <= 0 <= row["conf_high"]
        assert ("not told from 0" in shown[name].finding) == (not clear)


def test_titles_of_spending_and_flights_stand_with_their_intervals(panel, found, shown):
    e = found["spending"]["spatial RD, log(trade), OLS, both"]
    ends = [
        "{} to {}%".format(
            *(plain(float(e.percent().set_index("term").loc[term, k])) for k in ("conf_low", "conf_high"))
        )
        for term in MONTHS
    ]
    title = f"No difference is seen in December ({ends[0]}) or at Chinese New Year ({ends[1]})"
    assert e.wald(MONTHS).p_value >= 0.05
    assert shown["spending"].finding == title

    def moved(key, *, by):
        x = found["spending"][key]
        at = [x.terms.index(term) for term in MONTHS]
        far = x.coefficients.copy()
        far[at] = by * x.std_errors[at]
        return {key: replace(x, coefficients=far)}

    clear = found["spending"] | moved("spatial RD, log(trade), OLS, both", by=9)
    assert e.wald(MONTHS).restrictions == 2
    finding = EXHIBITS["spending"].show(asked(), panel, clear).finding
    assert finding.startswith("The effect differs in December by +")
    other = EXHIBITS["spending"].show(asked(), panel, found["spending"] | moved("spatial RD, trade, PPML, both", by=9))
    assert other.finding.startswith(f"{title}; by PPML p = 0.0")
    assert any(
        s.startswith("By another estimator it differs in these months at the 5% level in Spatial RD by PPML, both")
        for s in other.sentences
    )
    row = next(r for r in shown["flights"].tables[0].records() if r["estimator"] == "PPML")
    ends = [plain(100 * np.expm1(row[k])) for k in ("conf_low", "conf_high")]
    assert shown["flights"].finding == f"No effect on flights is seen: the 95% interval is {' to '.join(ends)}%"


def test_no_part_is_said_of_an_effect_that_is_not_clear(panel, found):
    def vague(x):
        if not isinstance(x, Mediated):
            return x
        return replace(x, estimate=replace(x.estimate, covariance=x.estimate.covariance * 1e4))

    other = {key: vague(x) for key, x in found["awareness"].items()}
    title = EXHIBITS["awareness"].show(asked(), panel, other).finding
    assert title == "The effect is not told from 0, nor is a part of it through search"


def test_titles_are_of_the_first_direction_that_has_an_effect(panel, found):
    def vague(key, x):
        if not isinstance(x, Mediated) or ", both, " not in key:
            return x
        return replace(x, estimate=replace(x.estimate, covariance=x.estimate.covariance * 1e4))

    other = {key: vague(key, x) for key, x in found["migration"].items()}
    title = EXHIBITS["migration"].show(asked(), panel, other).finding
    assert "(from east to west)" in title or "(from west to east)" in title
