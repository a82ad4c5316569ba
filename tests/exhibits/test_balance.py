import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import attempted
from tests.exhibits.worlds import KM, about, world
from tradelift.designs import Balance
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.headline import numbers

BALANCE = EXHIBITS["balance"]


@pytest.fixture(scope="module")
def panel():
    return world()


@pytest.fixture(scope="module")
def results(panel):
    return attempted("balance", panel, about())[0]


@pytest.fixture(scope="module")
def shown(panel, results):
    return BALANCE.show(about(), panel, results)


def test_covariates_are_compared_within_groups_and_net_of_region_effects(panel):
    tasks = BALANCE.plan(about(), panel)
    usual = ("group^period", "origin^period", "destination^period")
    for key, effects in (("within groups", usual[:1]), ("equation", usual)):
        assert tasks[key] == Balance(
            design=tl.SpatialRD(bandwidth_km=KM, effects=effects), without=("deals", "seller_concentration", "trade")
        )
    one = world(periods=1)
    assert BALANCE.plan(about(), one)["within groups"].design.effects == ("group",)


def test_mediators_and_outcomes_are_no_covariates(panel):
    own = about(mediators=["migrants"], model={"controls": ["log(distance_km)", "migrants:same"]})
    found, _ = attempted("balance", panel, own)
    names = [c.name for c in found["within groups"].covariates]
    assert "migrants" not in names
    assert "migrants:same" not in names
    notes = BALANCE.show(own, panel, found).tables[0].notes
    assert "Left out, for partnership may change them: migrants." in notes


def test_the_table_has_means_and_both_differences(shown, results):
    rows = {r["covariate"]: r for r in shown.tables[0].records()}
    groups, equation = results["within groups"], results["equation"]
    one = next(c for c in groups.covariates if c.name == "migrants")
    row = rows["migrants"]
    assert (row["partners"], row["controls"], row["everywhere"]) == (one.partners, one.controls, one.everywhere)
    for name, balanced in (("near", groups), ("net", equation)):
        expected = numbers(balanced.tidy(), "migrants")
        assert (row[name], row[f"{name}_error"], row[f"{name}_p"]) == (
            expected["estimate"], expected["std_error"], expected["p_value"],
        )  # fmt: skip
    assert rows["gdp[west]"]["net"] is None
    assert rows["gdp[west]"]["near"] is not None
    assert (rows["joint test"]["near_p"], rows["joint test"]["net_p"]) == (groups.test.p_value, equation.test.p_value)
    assert any(note.startswith("Blank: region effects explain") for note in shown.tables[0].notes)
    assert "Left out, for they are the same everywhere or not known: Same." in shown.tables[0].notes


def test_the_figure_sets_near_pairs_beside_all_others(shown, results):
    (figure,) = shown.figures
    series = [(i.series, i.low is None) for i in figure.intervals if i.row == "migrants"]
    assert series == [("All other pairs", True), ("Near pairs", False), ("Near pairs, net of regions", False)]
    assert figure.words["gdp[east]"] == "Gdp, east"
    assert figure.words["log(distance_km)"] == "ln(Distance)"


def test_the_sentences_count_and_test(shown, results):
    groups = results["within groups"]
    tidy = groups.tidy().set_index("term")
    far = sum(abs(c.everywhere) > 0.1 for c in groups.covariates)
    near = int((tidy["estimate"].abs() > 0.1).sum())
    first = shown.sentences[0]
    assert first.startswith(
        f"Of {len(groups.covariates)} covariates, {far or 'none'} differ by more than 0.1 of their spread"
    )
    assert f"and {near or 'none'} between partner pairs and near pairs" in first
    clear = tidy.index[tidy["p_value"] < 0.05]
    assert first.endswith("none.") == (len(clear) == 0)
    for balanced, start in ((groups, "Near pairs: "), (results["equation"], "Net of the effects of regions")):
        said = next(s for s in shown.sentences if s.startswith(start))
        assert f"p = {balanced.test.p_value:.3f}" in said
        assert ("no difference is detected" in said) == (balanced.test.p_value >= 0.05)
    assert shown.sentences[-1] == "What nobody has measured may differ all the same."


def test_one_covariate_is_tested_by_its_name(panel):
    own = about(mediators=["migrants"])
    found, _ = attempted("balance", panel, own)
    assert found["equation"].estimate.terms == ("log(distance_km)",)
    said = next(s for s in BALANCE.show(own, panel, found).sentences if s.startswith("Net of"))
    assert "detected in ln(Distance) (F = " in said


def test_one_of_the_two_suffices(panel, results):
    alone = BALANCE.show(about(), panel, {"equation": results["equation"]})
    row = next(iter(alone.tables[0].records()))
    assert row["near"] is None
    assert row["net"] is not None
    assert BALANCE.show(about(), panel, {}).tables == ()
    assert np.isfinite([i.value for i in alone.figures[0].intervals]).all()


def test_the_title_counts_covariates_that_differ(shown):
    rows = [r for r in shown.tables[0].records() if r["covariate"] != "joint test"]
    far = sum(abs(r["everywhere"]) > 0.1 for r in rows)
    near = sum(r["near"] is not None and abs(r["near"]) > 0.1 for r in rows)
    start = (
        f"Of {len(rows)} covariates, {far} differ from all other pairs, {near} from near pairs (near pairs jointly p"
    )
    assert shown.finding.startswith(start)
