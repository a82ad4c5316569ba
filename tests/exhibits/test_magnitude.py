import re

import numpy as np
import pytest

from tests.exhibits.small import estimated, one_side, study, two_sides
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.money import unit_for
from tradelift.inference.magnitude import Amount

MAGNITUDE = EXHIBITS["magnitude"]


@pytest.fixture(scope="module")
def found(panel):
    return estimated("magnitude", panel, study())


@pytest.fixture(scope="module")
def shown(panel, found):
    return MAGNITUDE.show(study(), panel, found)


def test_the_table_holds_what_was_found(panel, found, shown):
    rows = {(r["direction"], r["method"], r["horizon"]): r for r in shown.tables[0].records()}
    assert {method for _, method, _ in rows} == {
        "Spatial RD, OLS", "Spatial RD, PPML", "Gravity, OLS", "Gravity, PPML",
    }  # fmt: skip
    money = found["Gravity, PPML, both"]
    row, amount = rows["both", "Gravity, PPML", "all years"], money.of("all years")
    assert (row["base"], row["estimate"], row["std_error"]) == (amount.base, amount.value, amount.std_error)
    assert row["share"] == pytest.approx(100 * (1 - np.exp(-money.coefficient)), rel=1e-12)
    assert not any(horizon == "a year" for *_, horizon in rows)  # 2017 has two periods here, 2018 one


def test_years_have_a_table_and_a_figure(shown):
    years = shown.tables[1]
    assert [r["year"] for r in years.records()] == ["2017", "2018"] * 3
    assert [f.name for f in shown.figures] == ["magnitude", "magnitude_years"]
    whole = next(r for r in shown.tables[0].records() if r["direction"] == "both")
    assert sum(r["estimate"] for r in years.records() if r["direction"] == "both") == pytest.approx(whole["estimate"])


def test_the_sentence_prints_amount_interval_base_horizon_and_currency(found, shown):
    amount = found["Spatial RD, OLS, both"].of("all years")
    text = shown.sentences[0]
    assert "(2017-11 to 2018-01)" in text
    unit = unit_for(
        [a.conf_high for key, x in found.items() if key.startswith("Spatial RD, OLS") for a in x.amounts], "CNY"
    )
    for value in (amount.base, amount.value, amount.conf_low, amount.conf_high):
        assert f"{abs(value) / unit.size:,.1f}" in text
    assert unit.name in text
    assert unit.name.endswith("CNY")
    assert "Gravity, PPML" in shown.sentences[2]


def test_without_coordinates_gravity_stands_alone():
    bare = two_sides(coordinates=False)
    tasks = MAGNITUDE.plan(study(), bare)
    assert all(key.startswith("Gravity") for key in tasks)
    shown = MAGNITUDE.show(study(), bare, estimated("magnitude", bare, study()))
    assert re.match("In money, Gravity, PPML, both directions: ", shown.sentences[0])
    assert MAGNITUDE.show(study(), bare, {}).tables == ()
    assert missing(MAGNITUDE, study(), one_side()) == "absent: give partners"


@pytest.mark.parametrize(
    ("largest", "name"),
    [(3e9, "billion CNY"), (2e6, "million CNY"), (1500, "thousand CNY"), (12, "CNY"), (np.nan, "CNY")],
)
def test_units_are_as_large_as_the_amounts_allow(largest, name):
    assert unit_for([1.0, -largest, np.inf], "CNY").name == name
    assert unit_for([largest], None).name.endswith("units of trade")


@pytest.mark.parametrize(
    ("largest", "size", "name"),
    [(3e9, 1e6, "million CNY"), (2e6, 1e3, "thousand CNY"), (1500, 1, "CNY"), (12, 1, "CNY")],
)
def test_tables_count_in_a_unit_a_thousandth_as_large(largest, size, name):
    finer = unit_for([largest], "CNY").finer
    assert (finer.size, finer.name) == (size, name)


def test_the_title_names_the_unit_that_columns_are_divided_by(shown):
    unit = unit_for([r["conf_high"] for t in shown.tables for r in t.records() if "OLS" in r.get("method", "")], "CNY")
    for table in shown.tables:
        assert f"money, {unit.finer.name}" in table.title.replace(" by year", "")
        amounts = [c for c in table.columns if c.name in ("base", "estimate", "std_error", "conf_low", "conf_high")]
        assert {c.scale for c in amounts} == {unit.finer.size}
        assert len(amounts) == 5


def test_an_unknown_error_is_said():
    amount = Amount(horizon="2017", periods=1, base=5.0, value=2.0, std_error=np.nan, conf_low=np.nan, conf_high=np.nan)
    assert unit_for([2.0], "CNY").said(amount) == "+2.0 CNY (its error is not known)"
