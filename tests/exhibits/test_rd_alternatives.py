from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import estimated, one_side, study, two_sides
from tradelift.designs import Matching
from tradelift.designs.spatial.alternatives import Imputation, LocationPolynomial, PartnerTerritory, contiguous_cities
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.rd_alternatives import ABOUT, CONTIGUOUS, IMPUTED, LACKING, MATCHED, SAME_GROUP
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

ALTERNATIVES = EXHIBITS["rd_alternatives"]


@pytest.fixture(scope="module")
def world():
    return draw_affinity_world(AffinityWorld(), 3).panel


@pytest.fixture(scope="module")
def found(world):
    return estimated("rd_alternatives", world, study())


@pytest.fixture(scope="module")
def shown(world, found):
    return ALTERNATIVES.show(study(), world, found)


def test_every_design_is_planned_as_its_name_says(world):
    tasks = ALTERNATIVES.plan(study(model={"bandwidth_km": 120}), world)
    usual = {"outcome": "log(trade)", "controls": None, "direction": "west->east"}
    rd = {**usual, "bandwidth_km": 120.0, "family": "gaussian"}
    expected = {
        "near controls": tl.SpatialRD(**rd),
        "corners": tl.SpatialRD(**rd, neighbours="corners"),
        "same group": tl.SpatialRD(**rd, same_group=True),
        "3 nearest": tl.SpatialRD(**rd, nearest=3),
        "nearest match": Matching(**usual),
        "imputation": Imputation(**usual, bandwidth_km=120.0),
        "location polynomial": LocationPolynomial(**rd),
        "territory border": PartnerTerritory(**usual, bandwidth_km=80.0, family="gaussian"),
    }
    for name, task in expected.items():
        assert tasks[f"{name}, log(trade), OLS, west->east"] == task
    assert len(tasks) == 3 * (len(expected) + len(expected) - 2)  # averages of differences have no PPML
    assert tasks["corners, trade, PPML, both"] == tl.SpatialRD(
        outcome="trade", family="poisson", bandwidth_km=120.0, neighbours="corners"
    )


def test_the_study_chooses_outcome_and_controls(world):
    about = study(model={"outcomes": ["asinh(trade)"], "controls": []})
    tasks = ALTERNATIVES.plan(about, world)
    assert tasks["near controls, asinh(trade), OLS, both"].controls == ()
    assert not any("PPML" in key for key in tasks)
    results = estimated("rd_alternatives", world, about)
    table = ALTERNATIVES.show(about, world, results).tables[0]
    assert {c.name for c in table.columns}.isdisjoint({"ppml_estimate", "ppml_percent"})
    assert all(row["percent"] is None for row in table.records())


def test_the_table_holds_the_estimates(shown, found):
    rows = list(shown.tables[0].records())
    assert len(rows) == 3 * (len(ABOUT) - 1)
    for row in rows:
        estimate = found[f"{row['design']}, log(trade), OLS, {row['direction']}"]
        tidy = numbers(estimate.tidy(), "partner")
        assert {k: row[k] for k in ("estimate", "std_error", "conf_low", "conf_high", "p_value")} == {
            k: tidy[k] for k in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
        }
        assert row["percent"] == pytest.approx(100 * np.expm1(tidy["estimate"]))
        ppml = found.get(f"{row['design']}, trade, PPML, {row['direction']}")
        assert (ppml is None) == (row["design"] in (MATCHED, IMPUTED))
        assert row["ppml_estimate"] == (None if ppml is None else ppml.coefficients[0])
        assert row["pairs"] == estimate.n_pairs
    assert rows[0]["partner_pairs"] == found["near controls, log(trade), OLS, both"].diagnostics.identification.groups


def test_the_sentence_counts_what_the_figure_shows(shown, found):
    (figure,) = shown.figures
    both = {i.row: i for i in figure.intervals if i.series == "both directions"}
    others = [i for name, i in both.items() if name != "near controls"]
    low, high = min(others, key=lambda i: i.value), max(others, key=lambda i: i.value)
    clear = sum(not i.low <= 0 <= i.high for i in others)
    said = shown.sentences[0]
    assert f"the 7 other designs find from {low.value:+.1f}% ({low.row})".replace("-", "\N{MINUS SIGN}") in said
    assert f"to {high.value:+.1f}% ({high.row})".replace("-", "\N{MINUS SIGN}") in said
    assert f"and {clear} of their intervals" in said
    default = {i.series: i.value for i in figure.intervals if i.row == "near controls"}
    apart = [i.row for i in figure.intervals if not i.low <= default[i.series] <= i.high]
    assert ("Every interval holds the default's estimate." in shown.sentences) == (not apart)
    assert both["near controls"].value == pytest.approx(
        100 * np.expm1(found["near controls, log(trade), OLS, both"].coefficients[0])
    )


def test_a_design_whose_interval_misses_the_default_is_named(world, found):
    key = "imputation, log(trade), OLS, both"
    far = found | {key: _moved(found[key], 1.0)}
    sentences = ALTERNATIVES.show(study(), world, far).sentences
    assert any("do not hold the default's estimate: imputation (both directions)" in s for s in sentences)


def _moved(estimate, by):
    return replace(estimate, coefficients=estimate.coefficients + by)


def test_what_the_panel_lacks_is_one_line_each(world, shown):
    assert LACKING[CONTIGUOUS] in shown.sentences
    assert LACKING[SAME_GROUP] not in shown.sentences
    columns = {name: values for name, values in world.regions.columns.items() if name != "group"}
    bare = replace(world, regions=replace(world.regions, columns=columns))
    tasks = ALTERNATIVES.plan(study(), bare)
    assert not any(key.startswith(SAME_GROUP) for key in tasks)
    assert LACKING[SAME_GROUP] in ALTERNATIVES.show(study(), bare, {}).sentences


def test_contiguous_regions_stand_in_where_borders_are_known(world):
    codes = np.arange(len(world.regions) - 1)
    borders = replace(world, neighbours=np.stack([codes, codes + 1], axis=1))
    tasks = ALTERNATIVES.plan(study(), borders)
    assert tasks["contiguous regions, log(trade), OLS, both"] == contiguous_cities(family="gaussian")
    assert LACKING[CONTIGUOUS] not in ALTERNATIVES.show(study(), borders, {}).sentences


def test_refused_designs_are_blank_and_nothing_at_all_is_said(world, found):
    few = {key: e for key, e in found.items() if not key.startswith("imputation")}
    shown = ALTERNATIVES.show(study(), world, few)
    assert "imputation" not in {row["design"] for row in shown.tables[0].records()}
    assert ALTERNATIVES.show(study(), world, {}).tables == ()
    only_ppml = {key: e for key, e in found.items() if "PPML" in key}
    ppml = ALTERNATIVES.show(study(), world, only_ppml)
    assert all(row["estimate"] is None for row in ppml.tables[0].records())
    assert ppml.figures == ()


def test_it_is_absent_without_partners_or_coordinates():
    assert missing(ALTERNATIVES, study(), one_side()) == "absent: give partners"
    bare = two_sides(coordinates=False)
    assert missing(ALTERNATIVES, study(), bare) == "absent: give longitude and latitude of the regions"
